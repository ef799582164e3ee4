/* SPDX-License-Identifier: Apache-2.0 */
#include "main/keys.h"

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/random.h"

#define DAY_MS      (INT64_C(24) * 3600 * 1000)
#define CA_DAYS     7300
#define SERVER_DAYS 398
#define RENEW_DAYS  30
#define PEM_MAX     (64u << 10)

static moor_code load_key(const char *path, struct moor_key **key, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF_SECRET(PEM_MAX);
    moor_code c = plat_read_all(path, PEM_MAX, &pem, err);
    if (!c && moor_key_from_pem(moor_buf_view(&pem), key, err))
        c = moor_context(err, "%s", path);
    return c;
}

static moor_code load_cert(const char *path, struct moor_cert **cert, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    moor_code c = plat_read_all(path, PEM_MAX, &pem, err);
    if (!c && moor_cert_from_pem(moor_buf_view(&pem), cert, err))
        c = moor_context(err, "%s", path);
    return c;
}

moor_code cp_keys_ensure_key(const char *path, moor_key_kind kind, struct moor_key **key,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    MOOR_AUTOPTR(moor_key) made = NULL;
    moor_code c = load_key(path, key, err);
    if (c != MOOR_E_NOTFOUND)
        return c;
    c = moor_key_generate(kind, &made, err);
    if (!c)
        c = moor_key_to_pem(made, &pem, err);
    if (!c)
        c = plat_write_atomic(path, moor_secret_reveal(&pem), PLAT_OWNER_ONLY, err);
    if (!c)
        *key = MOOR_TAKE(made);
    return c;
}

moor_code cp_keys_ensure_bytes(const char *path, size_t n, struct moor_secret *out,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF_SECRET(256);
    moor_code c = plat_read_all(path, 256, &bytes, err);
    if (!c && bytes.len != n)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want %zu bytes", path, n);
    if (c == MOOR_E_NOTFOUND) {
        char *room = moor_buf_room(&bytes, n);
        if (!room)
            return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
        plat_random(room, n);
        moor_buf_grew(&bytes, n);
        c = plat_write_atomic(path, moor_buf_view(&bytes), PLAT_OWNER_ONLY, err);
    }
    return c ? c : moor_secret_take(out, &bytes, err);
}

static moor_code make_ca(const struct cp_ca *what, const struct moor_key *key,
                         struct moor_cert **cert, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(64);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    int64_t now = plat_utc_ms();
    uint32_t suffix = 0;
    plat_random(&suffix, sizeof(suffix));
    moor_buf_fmt(&name, "%s %08x", what->common_name, suffix);
    const struct moor_cert_spec spec = { .common_name = moor_buf_cstr(&name),
                                         .subject = key,
                                         .issuer_key = key,
                                         .not_before_ms = now - DAY_MS,
                                         .not_after_ms = now + CA_DAYS * DAY_MS,
                                         .ca = what->ca,
                                         .code_signing = what->code_signing };
    MOOR_AUTOPTR(moor_cert) made = NULL;
    moor_code c = moor_cert_make(&spec, &made, err);
    if (!c)
        c = moor_cert_to_pem(made, &pem, err);
    if (!c)
        c = plat_write_atomic(what->cert_path, moor_buf_view(&pem), PLAT_WORLD_READ, err);
    if (!c)
        *cert = MOOR_TAKE(made);
    return c;
}

moor_code cp_keys_ensure_ca(const struct cp_ca *what, struct moor_cert **cert,
                            struct moor_key **key, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) k = NULL;
    moor_code c = cp_keys_ensure_key(what->key_path, MOOR_KEY_P256, &k, err);
    if (c)
        return c;
    c = load_cert(what->cert_path, cert, err);
    if (c == MOOR_E_NOTFOUND)
        c = make_ca(what, k, cert, err);
    if (!c)
        *key = MOOR_TAKE(k);
    return c;
}

static bool server_is_good(const char *path, const struct moor_cert *ca)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    if (load_cert(path, &cert, NULL))
        return false;
    return moor_cert_issued_by(cert, ca) &&
           moor_cert_not_after_ms(cert) > plat_utc_ms() + RENEW_DAYS * DAY_MS;
}

static moor_code make_server(struct cp_state *s, const struct moor_key *key,
                             const struct moor_key *ca_key, const char *path,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    int64_t now = plat_utc_ms();
    size_t n = s->config.hosts.count;
    const char **names = moor_arena_array(&s->arena, n + 1, sizeof(*names));
    if (!names)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < n; i++)
        names[i] = s->config.hosts.items[i];
    const struct moor_cert_spec spec = { .common_name = names[0],
                                         .subject = key,
                                         .issuer = s->ca,
                                         .issuer_key = ca_key,
                                         .not_before_ms = now - DAY_MS,
                                         .not_after_ms = now + SERVER_DAYS * DAY_MS,
                                         .tls_server = true,
                                         .dns_names = names };
    moor_code c = moor_cert_make(&spec, &cert, err);
    if (!c)
        c = moor_cert_to_pem(cert, &pem, err);
    /* The CA goes along: `mooring cloud register --ca-sha256` looks for it in the chain. */
    if (!c)
        c = moor_cert_to_pem(s->ca, &pem, err);
    return c ? c : plat_write_atomic(path, moor_buf_view(&pem), PLAT_WORLD_READ, err);
}

moor_code cp_keys_ensure_server(struct cp_state *s, const struct moor_key *ca_key, bool force,
                                struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    const char *path = cp_state_path(s, "tls/server.pem");
    moor_code c = cp_keys_ensure_key(cp_state_path(s, "tls/server.key"), MOOR_KEY_P256, &key, err);
    if (c || (!force && server_is_good(path, s->ca)))
        return c;
    return make_server(s, key, ca_key, path, err);
}

moor_code cp_keys_renew_server(struct cp_state *s, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) ca_key = NULL;
    if (server_is_good(cp_state_path(s, "tls/server.pem"), s->ca))
        return MOOR_OK;
    moor_code c = load_key(cp_state_path(s, "tls/ca.key"), &ca_key, err);
    return c ? c : cp_keys_ensure_server(s, ca_key, true, err);
}

#define TOKEN_KEY      "keys/token.key"
#define TOKEN_PREVIOUS "keys/token.previous.key"
#define TOKEN_LIFE_MS                                                                              \
    (INT64_C(27) * 3600 * 1000) /* the longest that a token lives, and a little                    \
                                 */

void cp_token_keys_drop(struct cp_token_keys *k)
{
    moor_key_free(k->key);
    moor_key_free(k->previous);
    *k = (struct cp_token_keys){ NULL, NULL };
}

/* Of the file, -1 when it cannot be told. */
static int64_t age_of(const char *path)
{
    struct plat_stat st;
    return plat_stat_path(path, &st, NULL) ? -1 : plat_utc_ms() - st.mtime_ms;
}

moor_code cp_keys_load_token(struct cp_state *s, struct cp_token_keys *out, struct moor_error *err)
{
    struct cp_token_keys k = { NULL, NULL };
    int64_t age = age_of(cp_state_path(s, TOKEN_PREVIOUS));
    moor_code c = load_key(cp_state_path(s, TOKEN_KEY), &k.key, err);
    if (!c && age >= 0 && age < TOKEN_LIFE_MS)
        c = load_key(cp_state_path(s, TOKEN_PREVIOUS), &k.previous, err);
    if (c)
        cp_token_keys_drop(&k);
    else
        *out = k;
    return c;
}

/* The old one is in its new place before the new one takes its own. */
moor_code cp_keys_rotate_token(struct cp_state *s, int64_t at_age_ms, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) old = MOOR_BUF_SECRET(PEM_MAX);
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    MOOR_AUTOPTR(moor_key) made = NULL;
    const char *path = cp_state_path(s, TOKEN_KEY);
    if (at_age_ms && age_of(path) < at_age_ms)
        return MOOR_OK;
    moor_code c = moor_key_generate(MOOR_KEY_RSA_2048, &made, err);
    if (!c)
        c = moor_key_to_pem(made, &pem, err);
    if (!c)
        c = plat_read_all(path, PEM_MAX, &old, err);
    if (!c)
        c = plat_write_atomic(cp_state_path(s, TOKEN_PREVIOUS), moor_buf_view(&old),
                              PLAT_OWNER_ONLY, err);
    return c ? c : plat_write_atomic(path, moor_secret_reveal(&pem), PLAT_OWNER_ONLY, err);
}
