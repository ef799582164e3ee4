/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.h: one body to one stream: token, request, and what the answer means. Loop thread.
 *
 * The token comes from the identity role and is kept until five minutes before its end. A 401
 * asks for a new one and sends again, once.
 */
#ifndef MOOR_LOGS_SENDER_H
#define MOOR_LOGS_SENDER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "core/roles.h"
#include "http/transport.h"

typedef enum moor_verdict {
    MOOR_SEND_ACCEPTED,
    MOOR_SEND_TOO_LARGE, /* 413: halve it */
    MOOR_SEND_REFUSED,   /* 400: find the records that are wrong */
    MOOR_SEND_RETRY,     /* not now: back off */
    MOOR_SEND_HOLD       /* not like this: until somebody grants or corrects something */
} moor_verdict;

/* Pure. err is what moor_http_error_from() made of an answer that is no 2xx, or why there is none;
 * MOOR_OK = accepted. */
moor_verdict moor_send_judge(const struct moor_error *err);
/* How long to wait after attempt (from 0) failed so. HOLD never less than a minute. Pure. */
uint64_t moor_send_delay_ms(moor_verdict v, const struct moor_error *err, unsigned attempt,
                            uint32_t random);

struct moor_sender;
struct moor_send; /* one under way */

/* transport and roles outlive it. */
MOOR_NODISCARD moor_code moor_sender_new(struct moor_http_transport *transport,
                                         struct moor_roles *roles, const char *audience,
                                         struct moor_sender **out, struct moor_error *err);
void moor_sender_free(struct moor_sender *s); /* nothing under way completes afterwards */
MOOR_DEFINE_AUTOPTR(moor_sender)

/* err is set unless ACCEPTED. */
typedef void (*moor_send_fn)(void *ctx, moor_verdict v, const struct moor_error *err);
/* body (gzip) and url stay the caller's and must live until done, which runs once, later. */
MOOR_NODISCARD moor_code moor_sender_post(struct moor_sender *s, const char *url,
                                          struct moor_span body, moor_send_fn done, void *ctx,
                                          struct moor_send **out, struct moor_error *err);
void moor_send_cancel(struct moor_send *x); /* done will not run; NULL is fine */

#endif
