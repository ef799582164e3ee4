/* SPDX-License-Identifier: Apache-2.0 */
/* signin_ways.h: what signin.c, signin_device.c and signin_azcli.c share. For connect/ only. */
#ifndef MOOR_CONNECT_SIGNIN_WAYS_H
#define MOOR_CONNECT_SIGNIN_WAYS_H

#include "base/buf.h"
#include "connect/session.h"
#include "connect/signin.h"
#include "core/cloud.h"

#define MOOR_SIGNIN_WHAT "sign-in"

struct moor_signin_job {
    struct moor_session *session;
    const struct moor_cloud *cloud;
    const struct moor_credential *who;
    const struct moor_progress *progress;
};

/* Posts a form. An answer of 200 is MOOR_OK; a refusal is left in *reply too, for its "error". */
MOOR_NODISCARD moor_code moor_signin_post(struct moor_session *s, const char *url,
                                          const struct moor_buf *form, struct moor_reply *reply,
                                          struct moor_error *err);
/* access_token (or the member that is named) out of an answer. */
MOOR_NODISCARD moor_code moor_signin_take(struct moor_span answer, const char *member,
                                          struct moor_secret *token, struct moor_error *err);
/* Appends "scope=AUDIENCE/.default". */
void moor_signin_scope(struct moor_buf *form, const struct moor_cloud *cloud);

MOOR_NODISCARD moor_code moor_signin_by_device(const struct moor_signin_job *job,
                                               struct moor_secret *token, struct moor_error *err);
MOOR_NODISCARD moor_code moor_signin_by_azcli(const struct moor_signin_job *job,
                                              struct moor_secret *token, struct moor_error *err);

#endif
