/* SPDX-License-Identifier: Apache-2.0 */
/* himds.h: the CLI's side of <SOCKS>/himds.sock, the identity role's channel. */
#ifndef MOOR_CONNECT_HIMDS_H
#define MOOR_CONNECT_HIMDS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

struct moor_session;

/* GET /status: the document as it is, for show. TRANSIENT when nobody listens. */
MOOR_NODISCARD moor_code moor_himds_status(struct moor_session *s, struct moor_json **out,
                                           struct moor_error *err);

/* The same, once the role that has just started knows whose cloud the machine is in. */
MOOR_NODISCARD moor_code moor_himds_settled_status(struct moor_session *s, struct moor_json **out,
                                                   struct moor_error *err);

struct moor_secret;
struct moor_himds_begin {
    const char *vm_id;
    const char *resource_id;
    bool tpm;                        /* where the key is to be; else in a file */
    const char *client_id;           /* of the application that the machine is to be; NULL = none */
    const struct moor_secret *given; /* PEM of a key made elsewhere that proves for it, once;
                                        NULL = none */
};
/* Makes or finds the key; appends base64 of the PKCS#1 public key. */
MOOR_NODISCARD moor_code moor_himds_begin(struct moor_session *s, const struct moor_himds_begin *b,
                                          struct moor_buf *public_key, struct moor_error *err);

/* Certificate and first heartbeat, after agentconfig.json is there. */
MOOR_NODISCARD moor_code moor_himds_finish(struct moor_session *s, struct moor_json **out,
                                           struct moor_error *err);

/* Wipes key, certificates, tokens, caches. */
MOOR_NODISCARD moor_code moor_himds_disconnect(struct moor_session *s, struct moor_error *err);

#endif
