/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.h: a database that came back from a backup does not know what happened since. It gets a
 * new epoch, so that machines take their desired state whole and report in full; until the
 * administrator says that everything is back, a machine it does not know may only be younger than
 * the backup, and is asked to come again (503) instead of being told that it is gone. Run commands
 * that had not ended are Canceled: a script is never given twice.
 */
#ifndef MOOR_ENGINE_RESTORE_H
#define MOOR_ENGINE_RESTORE_H

#include <stdbool.h>

#include "base/error.h"
#include "store/store.h"

MOOR_NODISCARD moor_code moor_restore_begin(struct moor_store *s, struct moor_error *err);
/* What is unknown now is gone. Without a begin it changes nothing. */
MOOR_NODISCARD moor_code moor_restore_finish(struct moor_store *s, struct moor_error *err);
/* Between the two. A store that cannot be read is "no": its own error will be told. */
bool moor_restoring(struct moor_store *s);

#endif
