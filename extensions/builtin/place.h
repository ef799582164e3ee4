/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h: where a handler finds and keeps its files, for one sequence number, and for one
 * instance if it has several: then <tag> is <instance>.<seq>, else <seq>.
 *
 *   <root>/[<instance>.]mrseq            highest number taken on, durable before any work
 *   <root>/status/<tag>.status           what is reported
 *   <data>/download/[<instance>/]<seq>/  working directory: downloads, stdout, stderr
 *   <data>/<tag>.sh                      the script or command line; removed at the end
 *   <data>/<tag>.worker                  locked by the worker as long as it lives
 *   <data>/<tag>.started                 created once, by the process that is the command
 *   <data>/<tag>.child                   the process it started
 *   <data>/<tag>.result                  how that ended
 *
 * <root> is the handler's folder, <data> the handler's own beside it.
 */
#ifndef MOOR_BUILTIN_PLACE_H
#define MOOR_BUILTIN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "contract/environment.h"
#include "contract/settings.h"
#include "contract/status.h"

struct builtin_handler;

struct builtin_place {
    const struct builtin_handler *handler;
    struct moor_handler_environment env;
    const char *root;     /* the handler's folder */
    const char *handlers; /* its parent: <THUMBPRINT>.crt and .prv are here */
    const char *program;  /* this program, absolute */
    const char *instance; /* NULL = it has only one */
    const char *data, *work, *script, *lock, *started, *child, *result;
    uint32_t seq;
};

/* The handler's folder is AZURE_GUEST_AGENT_EXTENSION_PATH; without ConfigSequenceNumber the
 * highest <seq>.settings counts. */
MOOR_NODISCARD moor_code builtin_place_find(const struct builtin_handler *h, char *const *env,
                                            struct builtin_place *out, struct moor_arena *arena,
                                            struct moor_error *err);
/* The same with another number. */
MOOR_NODISCARD moor_code builtin_place_at(const struct builtin_place *p, uint32_t seq,
                                          struct builtin_place *out, struct moor_arena *arena,
                                          struct moor_error *err);

/* -1 when there is none. */
int64_t builtin_last_seq(const struct builtin_place *p);
MOOR_NODISCARD moor_code builtin_set_last_seq(const struct builtin_place *p,
                                              struct moor_error *err);
/* Removes all that is kept of the number, and the memory of it; the statuses stay. */
MOOR_NODISCARD moor_code builtin_forget(const struct builtin_place *p, struct moor_error *err);

/* The settings of the number; clear is the protected half, empty when there is none. */
MOOR_NODISCARD moor_code builtin_settings_read(const struct builtin_place *p,
                                               struct moor_handler_settings *out,
                                               struct moor_secret *clear, struct moor_arena *arena,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code builtin_write_script(const struct builtin_place *p, struct moor_span text,
                                              struct moor_error *err);

/* name is the status's own. */
MOOR_NODISCARD moor_code builtin_report(const struct builtin_place *p, const char *name,
                                        moor_status_state state, int64_t code, const char *message,
                                        struct moor_error *err);
/* False when there is no readable status yet. */
bool builtin_reported(const struct builtin_place *p, struct moor_handler_status *out,
                      struct moor_arena *arena);

/* Appends the last 4096 bytes of a file of the working directory, as UTF-8. */
void builtin_buf_tail(struct moor_buf *b, const struct builtin_place *p, const char *name);

/* Of NAME=value texts, as main() has them; NULL when absent. */
const char *builtin_env(char *const *env, const char *name);

#endif
