/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.h: what this machine's administrator asks of the manager, connected or not: a file for
 * each extension in <manager state>/removals or /repairs, made by the command. It is empty until
 * the manager has dealt with it; then it goes, or holds the answer until the command has read it.
 * Blocking, small.
 */
#ifndef MOOR_MANAGER_REQUESTS_H
#define MOOR_MANAGER_REQUESTS_H

#include "base/buf.h"
#include "base/error.h"

typedef enum moor_request { MOOR_REQUEST_REMOVAL, MOOR_REQUEST_REPAIR } moor_request;
#define MOOR_REQUEST_ANSWER_MAX 4096

/* The folder, made when missing; the caller frees. */
MOOR_NODISCARD moor_code moor_request_folder(moor_request kind, char **out, struct moor_error *err);

/* Asks; root's to call. Asked already is fine. */
MOOR_NODISCARD moor_code moor_request_ask(moor_request kind, const char *name,
                                          struct moor_error *err);
bool moor_request_asked(moor_request kind, const char *name);

/* Ends a request; true when there was one. */
bool moor_request_drop(moor_request kind, const char *name);

/* The answer to a request, which must not be empty; and its reader: NOTFOUND while there is none.
 */
MOOR_NODISCARD moor_code moor_request_answer(moor_request kind, const char *name,
                                             struct moor_span text, struct moor_error *err);
MOOR_NODISCARD moor_code moor_request_answered(moor_request kind, const char *name,
                                               struct moor_buf *out, struct moor_error *err);

#endif
