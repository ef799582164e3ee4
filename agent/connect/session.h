/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h: one command's conversation with a cloud and with the local identity role: a loop, a
 * client with the cloud's CA and the machine's proxy settings, and calls that return when the
 * answer is there. For the CLI, which has nothing else to do meanwhile. One thread.
 */
#ifndef MOOR_CONNECT_SESSION_H
#define MOOR_CONNECT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/transport.h"

struct moor_cloud;
struct moor_loop;
struct moor_session;
struct moor_settings;

/* With the cloud's trust (NULL: the system store) and the settings' proxy (core/proxy.h; NULL:
 * none, whatever the environment says); neither counts for Unix sockets. */
MOOR_NODISCARD moor_code moor_session_new(const struct moor_cloud *cloud,
                                          const struct moor_settings *settings,
                                          struct moor_session **out, struct moor_error *err);
void moor_session_free(struct moor_session *s);
MOOR_DEFINE_AUTOPTR(moor_session)

struct moor_reply {
    int status;
    struct moor_buf body; /* wiped on drop: it may hold a token */
    char request_id[40];
    char date[64];          /* the Date header, "" = none */
    char authenticate[512]; /* WWW-Authenticate, "" = none */
};
void moor_reply_drop(struct moor_reply *r);
MOOR_DEFINE_AUTO(moor_reply)
#define MOOR_REPLY_INIT                                                                            \
    {                                                                                              \
        .body = MOOR_BUF_SECRET(4 * 1024 * 1024)                                                   \
    }

/* Any status of an answer is MOOR_OK. CANCELED after an interrupt, TIMEOUT after the limit. */
MOOR_NODISCARD moor_code moor_session_call(struct moor_session *s,
                                           const struct moor_http_request *req,
                                           struct moor_reply *out, struct moor_error *err);

/* The same, but tries again for a while as long as the failure is transient, and turns an answer
 * that is not 2xx into an error named by what. Statuses in keep (0-terminated, may be NULL) count
 * as answers. */
MOOR_NODISCARD moor_code moor_session_ask(struct moor_session *s,
                                          const struct moor_http_request *req, const char *what,
                                          const int *keep, struct moor_reply *out,
                                          struct moor_error *err);

/* Runs the loop until *done becomes true; CANCELED after an interrupt, TIMEOUT after the limit. */
MOOR_NODISCARD moor_code moor_session_wait(struct moor_session *s, const bool *done,
                                           struct moor_error *err);
MOOR_NODISCARD moor_code moor_session_pause(struct moor_session *s, uint64_t ms,
                                            struct moor_error *err);
struct moor_loop *moor_session_loop(struct moor_session *s);

/* Everything from now on is to be done within ms: then calls fail with TIMEOUT. */
void moor_session_limit(struct moor_session *s, uint64_t ms);
bool moor_session_late(const struct moor_session *s);
/* After an interrupt or the limit calls fail; cleaning up needs calls that work again. */
void moor_session_revive(struct moor_session *s);

/* How long transient failures are tried again; 30 s when not set. */
void moor_session_set_patience(struct moor_session *s, uint64_t ms);

#endif
