/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h: what the handlers' folders tell when the manager's memory does not: a document that a
 * crash or a full disk destroyed, folders that nothing remembers. Blocking, small; at the start.
 */
#ifndef MOOR_MANAGER_DISK_H
#define MOOR_MANAGER_DISK_H

#include "base/error.h"
#include "core/desired.h"
#include "manager/item.h"

/*
 * Items for the handlers that are on the disk, installed, named as the document names them (else by
 * their full name, to be adopted by the next document), each with the highest number among its
 * settings files, and with one more when these differ from what is wanted: numbers never go back,
 * and settings that were applied are not applied again. Of several versions the highest counts.
 */
MOOR_NODISCARD moor_code moor_disk_rebuild(const char *handlers, const struct moor_desired *wanted,
                                           struct moor_items *out, struct moor_error *err);

/* Removes folders of other versions of the items' handlers: what a killed update left. */
MOOR_NODISCARD moor_code moor_disk_clean(const char *handlers, const struct moor_items *items,
                                         struct moor_error *err);

#endif
