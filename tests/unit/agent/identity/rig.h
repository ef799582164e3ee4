/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h: what the tests of agent/identity have in common: a private MOORING_ROOT (set by ctest), a
 * loop on virtual time, and a transport that keeps every request until the test answers it.
 */
#ifndef MOOR_TESTS_IDENTITY_RIG_H
#define MOOR_TESTS_IDENTITY_RIG_H

#include <stdlib.h>

#include "base/attr.h"
#include "base/span.h"
#include "check.h"
#include "fakes/fake_clock.h"
#include "http/transport.h"
#include "identity/keystore.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/loop.h"

#define RIG_T0        1795367970000LL /* 2026-11-22T17:19:30Z */
#define RIG_DAY_MS    86400000LL
#define RIG_VM_ID     "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11"
#define RIG_CLIENT_ID "b4ab7d9b-9a3c-4d2f-8a54-0b8b6a4ad0cd"
#define RIG_RESOURCE                                                                               \
    "/subscriptions/1a30e397-ed49-44f9-91e4-3716715e8246/resourceGroups/rg/providers/"             \
    "Microsoft.HybridCompute/machines/web01"

struct moor_http_call {
    struct moor_http_call *next;
    moor_http_done_fn done;
    void *ctx;
    char url[1024];
    char bearer[256];
    char body[16384];
    const char *method;
};

struct rig {
    struct moor_http_transport http; /* first: the functions get the rig back from it */
    struct moor_loop *loop;
    struct moor_http_call *calls; /* oldest first */
    unsigned sent, cancelled;
};

static moor_code rig_send(struct moor_http_transport *t, const struct moor_http_request *req,
                          moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                          struct moor_error *err)
{
    struct rig *r = (struct rig *)(void *)t;
    struct moor_http_call *c = calloc(1, sizeof(*c));
    (void)err;
    c->done = done;
    c->ctx = ctx;
    c->method = moor_streq(req->method, "POST")  ? "POST"
                : moor_streq(req->method, "PUT") ? "PUT"
                                                 : "GET";
    (void)snprintf(c->url, sizeof(c->url), "%s", req->url);
    if (req->bearer)
        (void)snprintf(c->bearer, sizeof(c->bearer), "%s", moor_secret_reveal(req->bearer).p);
    if (req->body.n)
        (void)snprintf(c->body, sizeof(c->body), "%.*s", (int)req->body.n, req->body.p);
    struct moor_http_call **last = &r->calls;
    while (*last)
        last = &(*last)->next;
    *last = c;
    r->sent++;
    *out = c;
    return MOOR_OK;
}

static void rig_unlink(struct rig *r, struct moor_http_call *c)
{
    for (struct moor_http_call **p = &r->calls; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            return;
        }
}

static void rig_cancel(struct moor_http_transport *t, struct moor_http_call *c)
{
    struct rig *r = (struct rig *)(void *)t;
    rig_unlink(r, c);
    r->cancelled++;
    free(c);
}

/* The oldest request whose URL holds part; NULL when there is none. */
MOOR_UNUSED static struct moor_http_call *rig_find(struct rig *r, const char *part)
{
    struct moor_http_call *c = r->calls;
    while (c && !strstr(c->url, part))
        c = c->next;
    return c;
}

/* Answers it; false when there is no such request. status 0: no answer came. */
MOOR_UNUSED static bool rig_answer(struct rig *r, const char *part, int status, const char *body)
{
    struct moor_http_call *c = rig_find(r, part);
    if (!c)
        return false;
    rig_unlink(r, c);
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_http_response a = { .status = status,
                                          .body = moor_span_str(body),
                                          .request_id = "11111111-1111-1111-1111-111111111111" };
    if (!status)
        err.code = moor_fail(&err, MOOR_E_TRANSIENT, "connection refused");
    c->done(c->ctx, status ? &a : NULL, &err);
    free(c);
    return true;
}

MOOR_UNUSED static void rig_open(struct rig *r)
{
    *r = (struct rig){ .http = { rig_send, rig_cancel } };
    fake_clock_set_utc(RIG_T0);
    CHECK(plat_remove_tree(plat_dir_path(PLAT_DIR_STATE), NULL) == MOOR_OK);
    CHECK(plat_remove_tree(plat_dir_path(PLAT_DIR_RUN), NULL) == MOOR_OK);
    CHECK(plat_make_dirs(plat_dir_path(PLAT_DIR_STATE), PLAT_WORLD_READ, NULL) == MOOR_OK);
    CHECK(plat_make_dirs(plat_dir_path(PLAT_DIR_RUN), PLAT_WORLD_READ, NULL) == MOOR_OK);
    CHECK(moor_loop_new(&r->loop, NULL) == MOOR_OK);
}

MOOR_UNUSED static void rig_close(struct rig *r)
{
    CHECK(r->calls == NULL);
    moor_loop_free(r->loop);
}

/* One key for a whole test program: making them takes long. */
MOOR_UNUSED static struct moor_key *rig_key(void)
{
    static struct moor_secret pem = MOOR_SECRET_INIT;
    struct moor_key *k = NULL;
    if (moor_secret_empty(&pem)) {
        CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &k, NULL) == MOOR_OK);
        CHECK(moor_key_to_pem(k, &pem, NULL) == MOOR_OK);
        return k;
    }
    CHECK(moor_key_from_pem(moor_secret_reveal(&pem), &k, NULL) == MOOR_OK);
    return k;
}

/* base64 of a certificate for this key, 90 days from T0; valid until the next call. */
MOOR_UNUSED static const char *rig_certificate(const struct moor_key *k)
{
    static char text[4096];
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) b64 = MOOR_BUF(4096);
    const struct moor_cert_spec spec = { .common_name = RIG_CLIENT_ID,
                                         .subject = k,
                                         .not_before_ms = RIG_T0,
                                         .not_after_ms = RIG_T0 + 90 * RIG_DAY_MS,
                                         .tls_client = true };
    CHECK(moor_cert_make(&spec, &cert, NULL) == MOOR_OK);
    CHECK(moor_cert_to_der(cert, &der, NULL) == MOOR_OK);
    moor_buf_base64(&b64, moor_buf_view(&der));
    (void)snprintf(text, sizeof(text), "%s", moor_buf_cstr(&b64));
    return text;
}

/* A keystore that has its certificate. */
MOOR_UNUSED static void rig_enrol(struct moor_keystore *k)
{
    struct moor_key *key = rig_key();
    const char *const certificates[] = { rig_certificate(key) };
    const struct moor_enrolment e = { .certificates = { certificates, 1 },
                                      .client_id = RIG_CLIENT_ID,
                                      .principal_id = RIG_CLIENT_ID,
                                      .tenant_id = RIG_CLIENT_ID,
                                      .renew_after_ms = RIG_T0 + 45 * RIG_DAY_MS };
    CHECK(moor_keystore_create(k, key, RIG_VM_ID, RIG_RESOURCE, NULL) == MOOR_OK);
    CHECK(moor_keystore_enrol(k, &e, NULL) == MOOR_OK);
}

/* As CHECK_MAIN, under the MOORING_ROOT that ctest sets: never on the machine's own files. */
#define RIG_MAIN(...)                                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct check_test tests[] = { __VA_ARGS__ };                                  \
        if (plat_dirs_init(false, NULL) != MOOR_OK || !plat_dirs_root()[0]) {                      \
            printf("1..0 # SKIP run by ctest only: wants a private MOORING_ROOT\n");               \
            return 0;                                                                              \
        }                                                                                          \
        return check_run(tests, sizeof(tests) / sizeof(tests[0]));                                 \
    }

#endif
