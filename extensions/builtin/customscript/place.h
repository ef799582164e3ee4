/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h: where CustomScript finds and keeps its files, for one sequence number.
 *
 *   <root>/mrseq                    highest sequence number taken on, durable before any work
 *   <root>/status/<seq>.status      what is reported
 *   <data>/<seq>/                   working directory: downloads, stdout, stderr
 *   <data>/<seq>.sh                 the script or command line; removed at the end
 *   <data>/<seq>.worker             locked by the worker as long as it lives
 *   <data>/<seq>.started            created once, by the process that is the command
 *   <data>/<seq>.result             its exit code, when it ended
 *
 * <root> is the handler's folder, <data> "custom-script" beside it.
 */
#ifndef MOOR_CUSTOMSCRIPT_PLACE_H
#define MOOR_CUSTOMSCRIPT_PLACE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "contract/environment.h"
#include "contract/status.h"

struct customscript_place {
    struct moor_handler_environment env;
    const char *root;     /* the handler's folder */
    const char *handlers; /* its parent: <THUMBPRINT>.crt and .prv are here */
    const char *program;  /* this program, absolute */
    const char *data, *work, *script, *lock, *started, *result;
    uint32_t seq;
};

/* folder is the handler's folder (its working directory); seq_text is ConfigSequenceNumber or
 * NULL: then the highest <seq>.settings counts. */
MOOR_NODISCARD moor_code customscript_place_find(const char *folder, const char *seq_text,
                                                 struct customscript_place *out,
                                                 struct moor_arena *arena, struct moor_error *err);

/* -1 when there is none. */
int64_t customscript_last_seq(const struct customscript_place *p);
MOOR_NODISCARD moor_code customscript_set_last_seq(const struct customscript_place *p,
                                                   struct moor_error *err);

MOOR_NODISCARD moor_code customscript_report(const struct customscript_place *p,
                                             moor_status_state state, int64_t code,
                                             const char *message, struct moor_error *err);
/* MOOR_STATUS_NONE when there is no readable status yet. */
moor_status_state customscript_reported(const struct customscript_place *p);

/* Of NAME=value texts, as main() has them; NULL when absent. */
const char *customscript_env(char *const *env, const char *name);

#endif
