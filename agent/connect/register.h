/* SPDX-License-Identifier: Apache-2.0 */
/*
 * register.h: making a cloud known to this machine: its metadata is read once, over a connection
 * whose CA the administrator chose, and stored. There is no trust on first use: without a choice
 * only the system store counts, and an unknown issuer is named with its fingerprint.
 */
#ifndef MOOR_CONNECT_REGISTER_H
#define MOOR_CONNECT_REGISTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "core/cloud.h"

struct moor_settings;

struct moor_register_params {
    const char *name;
    const char *url;         /* https://host[:port] */
    struct moor_span ca_pem; /* PEM text; empty = not given */
    const char *ca_sha256;   /* 64 hexadecimal digits, any case, ':' ignored; NULL = not given */
    const struct moor_settings *settings;
};

struct moor_registered {
    struct moor_cloud cloud;      /* as stored */
    struct moor_str_list ca;      /* SHA-256 of the stored CA certificates, lower-case hex */
    struct moor_str_list gallery; /* the same of the gallery's certificates */
    const char *unknown_issuer;   /* on UNTRUSTED: SHA-256 of the offered CA, if it is another */
};

/* UNTRUSTED when the server's certificate is refused; err says why, and out->unknown_issuer whose
 * it is. A server that does not answer is TRANSIENT, whatever its certificate. */
MOOR_NODISCARD moor_code moor_register(const struct moor_register_params *p,
                                       struct moor_registered *out, struct moor_arena *arena,
                                       struct moor_error *err);

/* The pure half: the cloud of a /metadata/endpoints document, api-version 2022-09-01, and the
 * gallery's certificates (base64 DER) in it. text must outlive *out. */
MOOR_NODISCARD moor_code moor_register_read(struct moor_span text, const char *name,
                                            struct moor_cloud *out, struct moor_str_list *gallery,
                                            struct moor_arena *arena, struct moor_error *err);

#endif
