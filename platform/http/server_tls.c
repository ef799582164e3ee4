/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server_tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "platform/clock.h"
#include "platform/net.h"
#include "platform/random.h"

#define TICKET_KEY_MS   (24ull * 60 * 60 * 1000)
#define TICKET_LIFE_S   (12l * 60 * 60)
#define TICKET_NAME_LEN 16

struct ticket_key {
    unsigned char name[TICKET_NAME_LEN];
    unsigned char cipher[32];
    unsigned char mac[32];
    uint64_t made_ms;
};

struct moor_server_tls {
    SSL_CTX *ctx;
    struct ticket_key keys[2]; /* the current one and the one before it */
};

static void make_key(struct ticket_key *k)
{
    plat_random(k, sizeof(*k));
    k->made_ms = plat_mono_ms();
}

/* Keys are replaced when they are used, so that an idle server has no timer for it. */
static void rotate_keys(struct moor_server_tls *t)
{
    uint64_t age_ms = plat_mono_ms() - t->keys[0].made_ms;
    if (age_ms < TICKET_KEY_MS)
        return;
    t->keys[1] = t->keys[0];
    make_key(&t->keys[0]);
    if (age_ms >= 2 * TICKET_KEY_MS) /* nothing it protected is still valid */
        make_key(&t->keys[1]);
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal_ticket(struct moor_server_tls *t, unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key *k = &t->keys[0];
    memcpy(name, k->name, TICKET_NAME_LEN);
    plat_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1)
        return -1;
    return set_mac_key(mac, k) ? 1 : -1;
}

/* OpenSSL's contract: 1 use it, 2 use it and give a new one, 0 unknown, -1 error. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct moor_server_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    rotate_keys(t);
    if (sealing)
        return seal_ticket(t, name, iv, cipher, mac);
    for (int i = 0; i < 2; i++) {
        struct ticket_key *k = &t->keys[i];
        if (memcmp(name, k->name, TICKET_NAME_LEN) != 0)
            continue;
        if (!set_mac_key(mac, k) ||
            EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1)
            return -1;
        /* A client of TLS 1.3 uses a ticket once and needs the next one. */
        return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}

static moor_code fail_tls(struct moor_error *err, const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
    ERR_clear_error();
    return moor_fail(err, MOOR_E_BADINPUT, "%s: %s", what, text);
}

static moor_code load_files(SSL_CTX *ctx, const struct moor_http_tls *files, struct moor_error *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate_file) != 1)
        return fail_tls(err, files->certificate_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, files->key_file, SSL_FILETYPE_PEM) != 1)
        return fail_tls(err, files->key_file);
    if (!files->client_ca_file)
        return MOOR_OK;
    if (SSL_CTX_load_verify_file(ctx, files->client_ca_file) != 1)
        return fail_tls(err, files->client_ca_file);
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(files->client_ca_file));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return MOOR_OK;
}

static bool configure(SSL_CTX *ctx)
{
    static const unsigned char context[] = "mooring";
    /* SHA-256 first: each proof and ticket of a connection is 16 bytes shorter. */
    static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                 "TLS_AES_256_GCM_SHA384";
    static char groups[] = "X25519:P-256:P-384"; /* the macro below drops const */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection then holds no record buffers. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only: no state here */
    SSL_CTX_set_timeout(ctx, TICKET_LIFE_S);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK") == 1 &&
           SSL_CTX_set_ciphersuites(ctx, suites) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

moor_code moor_server_tls_load(struct moor_server_tls *t, const struct moor_http_tls *files,
                               struct moor_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    moor_code c = ctx && configure(ctx) ? load_files(ctx, files, err) : fail_tls(err, "TLS server");
    if (c != MOOR_OK) {
        SSL_CTX_free(ctx);
        return c;
    }
    SSL_CTX_set_app_data(ctx, t);
    SSL_CTX_free(t->ctx); /* connections that were accepted under it keep it */
    t->ctx = ctx;
    return MOOR_OK;
}

moor_code moor_server_tls_new(const struct moor_http_tls *files, struct moor_server_tls **out,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_server_tls) t = calloc(1, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "TLS server: out of memory");
    make_key(&t->keys[0]);
    make_key(&t->keys[1]);
    moor_code c = moor_server_tls_load(t, files, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(t);
    return c;
}

void moor_server_tls_free(struct moor_server_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    moor_wipe(t->keys, sizeof(t->keys));
    free(t);
}

struct bufferevent *moor_server_tls_accept(struct moor_server_tls *t, struct event_base *base,
                                           int fd)
{
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl) {
        plat_net_close(fd);
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!bev) /* libevent has released ssl, and with it fd */
        return NULL;
    /* The framing of HTTP says where a message ends; a peer that just hangs up loses nothing. */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

void moor_server_tls_close_notify(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (ssl && SSL_is_init_finished(ssl)) {
        (void)SSL_shutdown(ssl);
        ERR_clear_error();
    }
}
