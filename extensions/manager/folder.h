/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h: a handler's folder as the contract lays it out: HandlerEnvironment.json, config/,
 * status/, events/, settings. Small files: on the loop.
 */
#ifndef MOOR_MANAGER_FOLDER_H
#define MOOR_MANAGER_FOLDER_H

#include "base/arena.h"
#include "base/error.h"
#include "contract/manifest.h"
#include "contract/settings.h"
#include "contract/status.h"
#include "core/desired.h"
#include "manager/item.h"

/* What the item is called in file names and the environment: "" for the usual single one. */
void moor_buf_folder_instance(struct moor_buf *b, const struct moor_item *i);

/* "<handlers>/<publisher>.<type>-<version>" of the item's version, or of its old one. */
MOOR_NODISCARD moor_code moor_folder_path(const struct moor_item *i, bool old, char **out,
                                          struct moor_error *err);

/* Folders, HandlerEnvironment.json and <seq>.settings for the item's sequence number. */
MOOR_NODISCARD moor_code moor_folder_write_settings(const struct moor_item *i,
                                                    const struct moor_desired_extension *goal,
                                                    struct moor_error *err);

/* The same, when <seq>.settings is not what was written: handlers empty it or put stars for its
 * secrets, and are given the same number again. */
MOOR_NODISCARD moor_code moor_folder_restore_settings(const struct moor_item *i,
                                                      const struct moor_desired_extension *goal,
                                                      struct moor_error *err);

/* <seq>.settings of the item's number as it lies there. */
MOOR_NODISCARD moor_code moor_folder_settings(const struct moor_item *i,
                                              struct moor_handler_settings *out,
                                              struct moor_arena *arena, struct moor_error *err);

/* mrseq and status/ of the old version's folder to the new one's. */
MOOR_NODISCARD moor_code moor_folder_copy_memory(const struct moor_item *i, struct moor_error *err);

/* Removes what is one instance's alone: its settings and statuses. The folder may be gone. */
MOOR_NODISCARD moor_code moor_folder_leave(const struct moor_item *i, struct moor_error *err);

MOOR_NODISCARD moor_code moor_folder_manifest(const struct moor_item *i, bool old,
                                              struct moor_manifest *out, struct moor_arena *arena,
                                              struct moor_error *err);

/* <seq>.status as moor_status_parse() reads it; NOTFOUND when there is none. */
MOOR_NODISCARD moor_code moor_folder_status(const struct moor_item *i,
                                            struct moor_handler_status *out,
                                            struct moor_arena *arena, struct moor_error *err);
/* What a handler that reports one last wrote into its heartbeat file, and how long ago.
 * UNSUPPORTED: it reports none. */
MOOR_NODISCARD moor_code moor_folder_heartbeat(const struct moor_item *i,
                                               struct moor_handler_heartbeat *out, int64_t *age_ms,
                                               struct moor_arena *arena, struct moor_error *err);
/* Removes telemetry events (<number>.json): they are sent nowhere, and handlers write on. */
void moor_folder_drop_events(const struct moor_item *i);
/* The same for the older form, <number>.tld in a folder that all handlers share. */
void moor_folder_drop_old_events(void);

/* Whether the handler remembers (mrseq) to have taken on the item's number. */
bool moor_folder_had_number(const struct moor_item *i);

/* When the status was last written; 0 when there is none. */
int64_t moor_folder_status_time_ms(const struct moor_item *i);

#endif
