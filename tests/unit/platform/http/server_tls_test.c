/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets and their keys, on virtual time. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "check.h"
#include "fake_clock.h"
#include "http/server_tls.h"
#include "os.h"

#define HOUR_MS (60ull * 60 * 1000)

static struct moor_http_tls make_files(void)
{
    struct moor_http_tls files = { .certificate_file = os_temp("cert.pem"),
                                   .key_file = os_temp("key.pem") };
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    CHECK(X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
    BIO *out = BIO_new_file(files.certificate_file, "w");
    CHECK(PEM_write_bio_X509(out, x) == 1);
    BIO_free(out);
    out = BIO_new_file(files.key_file, "w");
    CHECK(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(key);
    return files;
}

struct client {
    SSL_CTX *ctx;
    SSL_SESSION *session; /* the newest ticket */
    bool got_byte;
};

static void on_byte(struct bufferevent *bev, void *ctx)
{
    struct client *c = ctx;
    (void)evbuffer_drain(bufferevent_get_input(bev), 1);
    c->got_byte = true;
}

static void client_init(struct client *c, int version)
{
    *c = (struct client){ .ctx = SSL_CTX_new(TLS_client_method()) };
    (void)SSL_CTX_set_max_proto_version(c->ctx, version);
    (void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT);
}

static void client_drop(struct client *c)
{
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ctx);
}

/* One connection with the newest ticket; whether the server took it. */
static bool connect_once(struct moor_server_tls *server, struct client *c)
{
    evutil_socket_t fds[2];
    struct event_base *base = event_base_new();
    SSL *ssl = SSL_new(c->ctx);
    CHECK(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    (void)evutil_make_socket_nonblocking(fds[0]);
    (void)evutil_make_socket_nonblocking(fds[1]);
    if (c->session)
        (void)SSL_set_session(ssl, c->session);
    struct bufferevent *in = moor_server_tls_accept(server, base, fds[0]);
    struct bufferevent *out = bufferevent_openssl_socket_new(
        base, fds[1], ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    c->got_byte = false;
    bufferevent_setcb(out, on_byte, NULL, NULL, c);
    (void)bufferevent_enable(out, EV_READ);
    (void)bufferevent_enable(in, EV_READ);
    (void)bufferevent_write(in, "x", 1);
    for (int turns = 0; !c->got_byte && turns < 1000; turns++)
        (void)event_base_loop(base, EVLOOP_ONCE);
    CHECK(c->got_byte);
    bool reused = SSL_session_reused(ssl) == 1;
    SSL_SESSION_free(c->session);
    c->session = SSL_get1_session(ssl);
    moor_server_tls_close_notify(in);
    /* OpenSSL forgets the session of a connection that was not closed properly. */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    bufferevent_free(in);
    bufferevent_free(out);
    event_base_free(base);
    return reused;
}

static void tickets_live_as_long_as_their_key(void)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct moor_http_tls files = make_files();
    for (size_t i = 0; i < MOOR_COUNTOF(versions); i++) {
        struct moor_server_tls *server = NULL;
        struct client c;
        client_init(&c, versions[i]);
        CHECK_INT(moor_server_tls_new(&files, &server, NULL), MOOR_OK);
        CHECK(!connect_once(server, &c));
        CHECK(connect_once(server, &c));
        fake_clock_advance(23 * HOUR_MS);
        CHECK(connect_once(server, &c));
        fake_clock_advance(2 * HOUR_MS); /* a new key; the one before is still known */
        CHECK(connect_once(server, &c));
        CHECK(connect_once(server, &c));
        fake_clock_advance(49 * HOUR_MS); /* nobody came for two days: all keys are new */
        CHECK(!connect_once(server, &c));
        CHECK(connect_once(server, &c));
        client_drop(&c);
        moor_server_tls_free(server);
    }
}

static void ticket_under_the_key_before_is_renewed(void)
{
    struct moor_http_tls files = make_files();
    struct moor_server_tls *server = NULL;
    struct client c;
    client_init(&c, TLS1_3_VERSION);
    CHECK_INT(moor_server_tls_new(&files, &server, NULL), MOOR_OK);
    CHECK(!connect_once(server, &c));
    for (int day = 0; day < 5; day++) {
        fake_clock_advance(25 * HOUR_MS);
        CHECK(connect_once(server, &c));
    }
    client_drop(&c);
    moor_server_tls_free(server);
}

static void wrong_files_are_named(void)
{
    struct moor_http_tls files = make_files();
    struct moor_server_tls *server = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    files.certificate_file = os_temp("missing.pem");
    CHECK_INT(moor_server_tls_new(&files, &server, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "missing.pem") != NULL);
    files = make_files();
    os_write(files.key_file, "no key");
    CHECK_INT(moor_server_tls_new(&files, &server, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "key.pem") != NULL && server == NULL);
}

CHECK_MAIN(CHECK_TEST(tickets_live_as_long_as_their_key),
           CHECK_TEST(ticket_under_the_key_before_is_renewed), CHECK_TEST(wrong_files_are_named))
