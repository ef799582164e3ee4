/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/device.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "platform/random.h"

#define CODE_BYTES 32
#define DRAWS_MAX  8
/* No vowels, so that no words come about, and nothing that looks like a digit (RFC 8628 6.1). */
static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

moor_code moor_user_code_read(const char *typed, char out[MOOR_USER_CODE_LETTERS + 1],
                              struct moor_error *err)
{
    size_t n = 0;
    for (const char *p = typed; *p; p++) {
        if (*p == '-' || *p == ' ')
            continue;
        const char c = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
        if (n == MOOR_USER_CODE_LETTERS || !strchr(letters, c))
            return moor_fail(err, MOOR_E_BADINPUT, "code: want the %d letters that were shown",
                             MOOR_USER_CODE_LETTERS);
        out[n++] = c;
    }
    out[n] = '\0';
    if (n != MOOR_USER_CODE_LETTERS)
        return moor_fail(err, MOOR_E_BADINPUT, "code: want the %d letters that were shown",
                         MOOR_USER_CODE_LETTERS);
    return MOOR_OK;
}

/* The word of the scope that names the resource; msal sends "offline_access openid" beside it. */
static moor_code resource_of(const char *scope, struct moor_arena *arena, const char **out,
                             struct moor_signin_refusal *refusal)
{
    struct moor_span rest = moor_span_str(scope);
    while (rest.n > 0) {
        struct moor_span word = moor_span_cut(&rest, ' ');
        if (!moor_span_ends(word, "/.default"))
            continue;
        const struct moor_signin_request req = { .scope = moor_arena_str(arena, word) };
        return moor_signin_resource(&req, arena, out, refusal);
    }
    return moor_signin_refuse(refusal, 400, 900144, "invalid_scope",
                              "The scope must name one resource: RESOURCE/.default.");
}

/* Room for one more, for this peer and for all. */
static moor_code check_room(struct moor_store *s, const char *peer, struct moor_arena *arena,
                            struct moor_signin_refusal *refusal, struct moor_error *err)
{
    struct moor_device_rows rows = { NULL, 0 };
    size_t own = 0;
    moor_code c = moor_device_list(s, arena, &rows, err);
    for (size_t i = 0; !c && i < rows.count; i++)
        own += moor_streq(rows.items[i].peer, peer);
    if (c || (own < MOOR_DEVICE_PEER_MAX && rows.count < MOOR_DEVICE_ALL_MAX))
        return c;
    return moor_signin_refuse(refusal, 429, 50196, "temporarily_unavailable",
                              "Too many device codes are waiting for a decision.");
}

static void draw(struct moor_device_codes *out, char user_code[MOOR_USER_CODE_LETTERS + 1],
                 unsigned char hash[32])
{
    unsigned char bytes[CODE_BYTES];
    plat_random(bytes, sizeof(bytes));
    moor_buf_reset(&out->device_code);
    moor_buf_base64url(&out->device_code, moor_span(bytes, sizeof(bytes)));
    moor_wipe(bytes, sizeof(bytes));
    moor_sha256_of(moor_buf_view(&out->device_code), hash);
    for (size_t i = 0; i < MOOR_USER_CODE_LETTERS; i++)
        user_code[i] = letters[plat_random_below(sizeof(letters) - 1)];
    user_code[MOOR_USER_CODE_LETTERS] = '\0';
    (void)snprintf(out->user_code, sizeof(out->user_code), "%.4s-%s", user_code, user_code + 4);
}

static moor_code store_new(struct moor_store *s, struct moor_device_row *row,
                           struct moor_device_codes *out, struct moor_error *err)
{
    char user_code[MOOR_USER_CODE_LETTERS + 1];
    moor_code c = MOOR_E_EXISTS;
    row->user_code = user_code;
    for (int i = 0; c == MOOR_E_EXISTS && i < DRAWS_MAX; i++) {
        draw(out, user_code, row->hash);
        c = moor_device_add(s, row, err);
    }
    return c ? c : moor_buf_ok(&out->device_code, "device code", err);
}

moor_code moor_device_begin(struct moor_store *s, const char *client_id, const char *scope,
                            const char *peer, int64_t now_ms, struct moor_device_codes *out,
                            struct moor_signin_refusal *refusal, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(512u << 10);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_device_row row = { .client_id = client_id,
                                   .peer = peer,
                                   .object_id = "",
                                   .state = MOOR_DEVICE_PENDING,
                                   .created_ms = now_ms,
                                   .expires_ms = now_ms + MOOR_DEVICE_LIFE_S * INT64_C(1000) };
    if (!client_id || !moor_uuid_valid(moor_span_str(client_id)))
        return moor_signin_refuse(refusal, 400, 900144, "invalid_request",
                                  "The request body must contain the following parameter: "
                                  "'client_id'.");
    moor_code c = resource_of(scope, &arena, &row.resource, refusal);
    if (!c)
        c = moor_store_begin(s, &tx, err);
    if (!c)
        c = moor_device_expire(s, now_ms, err);
    if (!c)
        c = check_room(s, peer, &arena, refusal, err);
    if (!c)
        c = store_new(s, &row, out, err);
    return c ? c : moor_store_commit(&tx, err);
}

/* Who asks too often is told so, and does not make the disk work. */
static moor_code still_pending(struct moor_store *s, const struct moor_device_row *d,
                               int64_t now_ms, struct moor_signin_refusal *refusal,
                               struct moor_error *err)
{
    /* A little early is the network's doing. */
    const int64_t earliest = d->polled_ms + MOOR_DEVICE_INTERVAL_S * INT64_C(1000) * 3 / 4;
    if (d->polled_ms && now_ms < earliest && now_ms >= d->polled_ms)
        return moor_signin_refuse(refusal, 400, 50196, "slow_down",
                                  "The device asks more often than the interval allows.");
    moor_code c = moor_device_polled(s, d->user_code, now_ms, err);
    return c ? c
             : moor_signin_refuse(refusal, 400, 70016, "authorization_pending",
                                  "Nobody has approved the code yet.");
}

static moor_code take_principal(struct moor_authz *a, const struct moor_device_row *d,
                                struct moor_arena *arena, struct moor_principal_row *as,
                                struct moor_signin_refusal *refusal, struct moor_error *err)
{
    moor_code c = moor_principal_by_object(moor_authz_store(a), d->object_id, arena, as, err);
    if (c && c != MOOR_E_NOTFOUND)
        return c;
    if (c || as->disabled || as->kind != MOOR_PRINCIPAL_APPLICATION ||
        !moor_streq(as->tenant_id, moor_authz_tenant(a)))
        return moor_signin_refuse(refusal, 400, 700016, "unauthorized_client",
                                  "The principal that the code was approved for is gone.");
    return moor_device_remove(moor_authz_store(a), d->user_code, err);
}

moor_code moor_device_redeem(struct moor_authz *a, const struct moor_signin_request *req,
                             int64_t now_ms, struct moor_arena *arena,
                             struct moor_principal_row *as, const char **resource,
                             struct moor_signin_refusal *refusal, struct moor_error *err)
{
    struct moor_store *s = moor_authz_store(a);
    struct moor_device_row d;
    unsigned char hash[32];
    if (!req->device_code || !*req->device_code)
        return moor_signin_refuse(refusal, 400, 900144, "invalid_request",
                                  "The request body must contain the following parameter: "
                                  "'device_code'.");
    moor_sha256_of(moor_span_str(req->device_code), hash);
    moor_code c = moor_device_find(s, hash, arena, &d, err);
    if (c && c != MOOR_E_NOTFOUND)
        return c;
    if (c || d.expires_ms <= now_ms || moor_strcasecmp(d.client_id, req->client_id) != 0)
        return moor_signin_refuse(refusal, 400, 70020, "expired_token",
                                  "The device code is unknown, was used, or is expired.");
    if (d.state == MOOR_DEVICE_PENDING)
        return still_pending(s, &d, now_ms, refusal, err);
    if (d.state != MOOR_DEVICE_APPROVED)
        return moor_signin_refuse(refusal, 400, 70018, "access_denied",
                                  "The sign-in was denied by an administrator.");
    *resource = d.resource;
    return take_principal(a, &d, arena, as, refusal, err);
}
