/* SPDX-License-Identifier: Apache-2.0 */
#include "http/call_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_MAX_LEN 255

/* libcurl compares the name itself, after its IDN conversion, and would take the common name. */
static bool want_name(X509_VERIFY_PARAM *param, const char *host)
{
    size_t n = strlen(host);
    if (n > 0 && host[n - 1] == '.')
        n--;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)host[i] > 0x7e)
            return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, n) == 1;
}

/* Forward secrecy, authenticated encryption, SHA-2 of 256 bits or more; a short list is a short
 * greeting. */
static bool offer_little(SSL_CTX *ctx)
{
    static char groups[] = "X25519:P-256:P-384"; /* these macros drop const */
    static char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:"
                               "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
                               "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                               "RSA+SHA256:RSA+SHA384:RSA+SHA512";
    SSL_CTX_clear_options(ctx, SSL_OP_TLSEXT_PADDING); /* for load balancers of 2013 */
    return SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!PSK") ==
               1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1;
}

/* libcurl goes by the first error in OpenSSL's queue. A broken signature leaves its details there,
 * in front of the refusal, and would pass for a failed connection. */
static int on_verify(X509_STORE_CTX *chain, void *arg)
{
    (void)arg;
    int ok = X509_verify_cert(chain);
    if (ok != 1)
        ERR_clear_error();
    return ok;
}

bool moor_call_tls_tighten(void *ssl_ctx, const char *host)
{
    char address[NAME_MAX_LEN + 1];
    SSL_CTX *ctx = ssl_ctx;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
    if (!offer_little(ctx))
        return false;
    if (!host)
        return true;
    if (host[0] == '[' && strlen(host) - 1 <= NAME_MAX_LEN) {
        size_t n = strcspn(host + 1, "]%"); /* a zone is ours, not the certificate's */
        memcpy(address, host + 1, n);
        address[n] = '\0';
        host = address;
    }
    return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 || want_name(param, host);
}
