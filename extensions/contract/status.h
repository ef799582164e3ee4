/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h: <seq>.status, what a handler says of its work, and its heartbeat file. Pure.
 *
 * Reading is lenient where handlers are careless (codes as text, missing messages, extra members,
 * null substatus) and strict where a wrong word would be taken for success: an unknown status is
 * an error.
 */
#ifndef MOOR_CONTRACT_STATUS_H
#define MOOR_CONTRACT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"

#define MOOR_STATUS_MAX        (1024 * 1024) /* of the file; a longer one is malformed */
#define MOOR_STATUS_REPORT_MAX (128 * 1024)  /* of what is passed on */

typedef enum moor_status_state {
    MOOR_STATUS_NONE, /* empty file or empty array: nothing is said yet */
    MOOR_STATUS_TRANSITIONING,
    MOOR_STATUS_SUCCESS,
    MOOR_STATUS_WARNING,
    MOOR_STATUS_ERROR
} moor_status_state;
const char *moor_status_state_name(moor_status_state s); /* "transitioning"; NONE is "" */

struct moor_handler_status {
    moor_status_state state;
    int64_t code;
    const char *name, *operation; /* "" when absent; operation "Enable", "enable", "Update" ... */
    const char *message;          /* formattedMessage.message, secrets in URLs removed; "" */
    const char *json;             /* element 0 rewritten: known members only, within the limit */
};

/* BADINPUT means malformed: the caller reports error 1012 with the reason. Strings land in the
 * arena (allow 4 times the text). */
MOOR_NODISCARD moor_code moor_status_parse(struct moor_span text, struct moor_handler_status *out,
                                           struct moor_arena *arena, struct moor_error *err);

/* One status file's text, for handlers and for the placeholders the manager reports. */
struct moor_status_entry {
    const char *name, *operation;
    moor_status_state state;
    int64_t code;
    const char *message;
    int64_t time_ms;
};
void moor_buf_status(struct moor_buf *b, const struct moor_status_entry *e); /* with the array */
void moor_buf_status_element(struct moor_buf *b, const struct moor_status_entry *e);

/* Heartbeat file: ready or not, code and message. BADINPUT when it cannot be read. */
struct moor_handler_heartbeat {
    bool ready;
    int64_t code;
    const char *message; /* "" when absent */
};
MOOR_NODISCARD moor_code moor_heartbeat_parse(struct moor_span text,
                                              struct moor_handler_heartbeat *out,
                                              struct moor_arena *arena, struct moor_error *err);

/* Appends text with the values of "sig=" query members replaced by "<redacted>". */
void moor_buf_redacted(struct moor_buf *b, struct moor_span text);

#endif
