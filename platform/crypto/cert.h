/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h: X.509 certificates and requests. */
#ifndef MOOR_CRYPTO_CERT_H
#define MOOR_CRYPTO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"

struct moor_cert;

MOOR_NODISCARD moor_code moor_cert_from_pem(struct moor_span pem, struct moor_cert **out,
                                            struct moor_error *err); /* the first one */
MOOR_NODISCARD moor_code moor_cert_from_der(struct moor_span der, struct moor_cert **out,
                                            struct moor_error *err); /* nothing behind it */
MOOR_NODISCARD moor_code moor_cert_to_pem(const struct moor_cert *c, struct moor_buf *out,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code moor_cert_to_der(const struct moor_cert *c, struct moor_buf *out,
                                          struct moor_error *err);
/* One more of the same certificate, to be freed by itself. */
MOOR_NODISCARD moor_code moor_cert_copy(const struct moor_cert *c, struct moor_cert **out,
                                        struct moor_error *err);
void moor_cert_free(struct moor_cert *c);
MOOR_DEFINE_AUTOPTR(moor_cert)

void moor_cert_sha256(const struct moor_cert *c, unsigned char out[32]);
void moor_cert_sha1_hex(const struct moor_cert *c, char out[41]); /* upper case: "thumbprint" */
/* Appends the base64 of the SHA-256 of its SubjectPublicKeyInfo: what curl --pinnedpubkey compares
 * (RFC 7469, 2.4). */
MOOR_NODISCARD moor_code moor_cert_pin(const struct moor_cert *c, struct moor_buf *out,
                                       struct moor_error *err);
int64_t moor_cert_not_before_ms(const struct moor_cert *c);
int64_t moor_cert_not_after_ms(const struct moor_cert *c);
/* Distinguished names for people, "CN=host,O=...": appended. */
void moor_cert_subject(const struct moor_cert *c, struct moor_buf *out);
void moor_cert_issuer(const struct moor_cert *c, struct moor_buf *out);
MOOR_NODISCARD moor_code moor_cert_key(const struct moor_cert *c, struct moor_key **out,
                                       struct moor_error *err);
bool moor_cert_is_ca(const struct moor_cert *c);
/* c was signed by issuer's key and names it as issuer. */
bool moor_cert_issued_by(const struct moor_cert *c, const struct moor_cert *issuer);

struct moor_cert_spec {
    const char *common_name;
    const struct moor_key *subject; /* public half is enough */
    const struct moor_cert *issuer; /* NULL = self-signed */
    const struct moor_key *issuer_key;
    int64_t not_before_ms, not_after_ms;
    bool ca; /* CA:TRUE, keyCertSign; else CA:FALSE, digitalSignature (+ keyEncipherment for RSA
                TLS/settings) */
    bool tls_server, tls_client, code_signing, key_encipherment;
    const char *const *dns_names; /* subjectAltName; NULL-terminated; numeric ones become IP */
};
/* A random positive serial of 16 bytes, SHA-256. */
MOOR_NODISCARD moor_code moor_cert_make(const struct moor_cert_spec *spec, struct moor_cert **out,
                                        struct moor_error *err);

/* PKCS#10, DER. The subject is CN = common_name. */
MOOR_NODISCARD moor_code moor_csr_make(const struct moor_key *k, const char *common_name,
                                       struct moor_buf *der, struct moor_error *err);
/* Checks the request's own signature and gives its public key; nothing else of it is trusted. */
MOOR_NODISCARD moor_code moor_csr_key(struct moor_span der, struct moor_key **out,
                                      struct moor_error *err);

struct x509_st;
struct x509_st *moor_cert_x509(const struct moor_cert *c); /* for crypto/ only */

#endif
