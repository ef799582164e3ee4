/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h: every way in which the server itself turns a request away, and how it says so. Pure.
 */
#ifndef MOOR_HTTP_REFUSAL_H
#define MOOR_HTTP_REFUSAL_H

typedef enum moor_refusal {
    MOOR_REFUSE_NOTHING = 0,
    MOOR_REFUSE_REQUEST_LINE,
    MOOR_REFUSE_METHOD,
    MOOR_REFUSE_VERSION,
    MOOR_REFUSE_TARGET_FORM,
    MOOR_REFUSE_TARGET,
    MOOR_REFUSE_LINE_END,
    MOOR_REFUSE_FOLDING,
    MOOR_REFUSE_FIELD_NAME,
    MOOR_REFUSE_FIELD_VALUE,
    MOOR_REFUSE_TARGET_LONG,
    MOOR_REFUSE_HEAD_LONG,
    MOOR_REFUSE_FIELD_COUNT,
    MOOR_REFUSE_REPEATED,
    MOOR_REFUSE_NO_HOST,
    MOOR_REFUSE_HOST,
    MOOR_REFUSE_LENGTH,
    MOOR_REFUSE_LENGTH_AND_CODING,
    MOOR_REFUSE_CODING,
    MOOR_REFUSE_EXPECT,
    MOOR_REFUSE_CHUNK,
    MOOR_REFUSE_BODY_LONG,
    MOOR_REFUSE_HEAD_SLOW,
    MOOR_REFUSE_BODY_SLOW,
    MOOR_REFUSE_NO_ROUTE,
    MOOR_REFUSE_NOT_ALLOWED,
    MOOR_REFUSE_NO_MEMORY,
    MOOR_REFUSE_COUNT
} moor_refusal;

struct moor_refusal_text {
    int status;
    const char *code;
    const char *message;
};

/* Never NULL; r is not MOOR_REFUSE_NOTHING. */
const struct moor_refusal_text *moor_refusal_text(moor_refusal r);

/* "Not Found" and so on; "" for a status without a name. */
const char *moor_http_reason(int status);

#endif
