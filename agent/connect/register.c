/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/register.h"

#include <string.h>

#include "base/text.h"
#include "connect/session.h"
#include "core/document.h"
#include "core/proxy.h"
#include "core/settings.h"
#include "core/trust.h"
#include "core/url.h"
#include "crypto/cert.h"
#include "http/probe.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define METADATA_MAX    (64 * 1024)
#define PEM_MAX         (256 * 1024)
#define CERTIFICATE_MAX (16 * 1024)
#define CA_MAX          16
#define PROBE_MS        20000
#define METADATA_PATH   "/metadata/endpoints?api-version=2022-09-01"

struct authentication {
    const char *login;
    struct moor_str_list audiences;
};
struct mooring_member {
    const char *his, *audience;
    struct moor_str_list suffixes, gallery;
};
struct metadata {
    const char *resource_manager, *portal;
    struct authentication authentication;
    struct mooring_member mooring;
};
#define AU(member) offsetof(struct authentication, member)
static const struct moor_json_field authentication_fields[] = {
    { MOOR_F_STR, "loginEndpoint", AU(login), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR_LIST, "audiences", AU(audiences), MOOR_F_REQUIRED, 1, 16, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape authentication_shape = { sizeof(struct authentication),
                                                             authentication_fields, 0 };
#define MO(member) offsetof(struct mooring_member, member)
static const struct moor_json_field mooring_fields[] = {
    { MOOR_F_STR, "hisEndpoint", MO(his), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "audience", MO(audience), MOOR_F_REQUIRED, 1, 256, NULL },
    { MOOR_F_STR_LIST, "hostSuffixes", MO(suffixes), MOOR_F_REQUIRED, 0, 16, NULL },
    { MOOR_F_STR_LIST, "galleryCertificates", MO(gallery), MOOR_F_REQUIRED, 0, 8, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape mooring_shape = { sizeof(struct mooring_member), mooring_fields,
                                                      0 };
#define MD(member) offsetof(struct metadata, member)
static const struct moor_json_field metadata_fields[] = {
    { MOOR_F_STR, "resourceManager", MD(resource_manager), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "portal", MD(portal), 0, 0, 1024, NULL },
    { MOOR_F_OBJ, "authentication", MD(authentication), MOOR_F_REQUIRED, 0, 0,
      &authentication_shape },
    { MOOR_F_OBJ, "mooring", MD(mooring), 0, 0, 0, &mooring_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape metadata_shape = { sizeof(struct metadata), metadata_fields,
                                                       0 };

/* A control plane without a portal of its own names its base there. */
static const char *portal_of(const struct metadata *m)
{
    const char *p = m->portal;
    if (!p || !*p || moor_span_eq(moor_url_base(p), moor_url_base(m->resource_manager)))
        return NULL;
    return p;
}

/* ADFS has one token endpoint; else it is the tenant's. */
static const char *token_endpoint(struct moor_span login, struct moor_arena *arena)
{
    bool adfs = moor_span_ends(login, "/adfs");
    return moor_arena_fmt(arena, "%.*s%s", (int)login.n, login.p,
                          adfs ? "/oauth2/token" : "/{tenant}/oauth2/v2.0/token");
}

static moor_code no_memory(struct moor_error *err)
{
    return moor_fail(err, MOOR_E_NOMEM, "cloud metadata: out of memory");
}

moor_code moor_register_read(struct moor_span text, const char *name, struct moor_cloud *out,
                             struct moor_str_list *gallery, struct moor_arena *arena,
                             struct moor_error *err)
{
    struct metadata m = { .portal = NULL };
    moor_code c = moor_json_decode(text, "cloud metadata", &metadata_shape, &m, arena, err);
    if (c != MOOR_OK)
        return c;
    struct moor_span login = moor_url_base(m.authentication.login);
    struct moor_cloud cloud = {
        .schema = 1,
        .name = name,
        .resource_manager = moor_arena_str(arena, moor_url_base(m.resource_manager)),
        .login_endpoint = moor_arena_str(arena, login),
        .token_endpoint = token_endpoint(login, arena),
        .arm_audience = m.authentication.audiences.items[0],
        .portal = portal_of(&m),
        .service_audience = m.mooring.audience,
        .host_suffixes = m.mooring.suffixes,
        .metadata = moor_arena_str(arena, text),
    };
    if (m.mooring.his)
        cloud.his_endpoint = moor_arena_str(arena, moor_url_base(m.mooring.his));
    if (!cloud.resource_manager || !cloud.login_endpoint || !cloud.token_endpoint ||
        !cloud.metadata || (m.mooring.his && !cloud.his_endpoint))
        return no_memory(err);
    *out = cloud;
    *gallery = m.mooring.gallery;
    return MOOR_OK;
}

static const char *digest_of(const struct moor_cert *cert, struct moor_arena *arena)
{
    unsigned char digest[32];
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(64);
    moor_cert_sha256(cert, digest);
    moor_buf_hex(&hex, moor_span(digest, sizeof(digest)));
    return moor_arena_str(arena, moor_buf_view(&hex));
}

/* Splits a PEM file into its certificates and lists their fingerprints. */
static moor_code list_pem(struct moor_span pem, struct moor_str_list *out, struct moor_arena *arena,
                          struct moor_error *err)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char **items = moor_arena_array(arena, CA_MAX, sizeof(*items));
    const char *text = moor_arena_str(arena, pem);
    size_t n = 0;
    if (!items || !text)
        return no_memory(err);
    for (const char *p = strstr(text, begin); p; p = strstr(p + 1, begin)) {
        MOOR_AUTOPTR(moor_cert) cert = NULL;
        moor_code c = moor_cert_from_pem(moor_span_str(p), &cert, err);
        if (c != MOOR_OK)
            return c;
        if (n == CA_MAX)
            return moor_fail(err, MOOR_E_BADINPUT, "more than %d certificates", CA_MAX);
        items[n] = digest_of(cert, arena);
        if (!items[n++])
            return no_memory(err);
    }
    if (n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "no PEM certificate in it");
    *out = (struct moor_str_list){ items, n };
    return MOOR_OK;
}

static moor_code list_gallery(const struct moor_str_list *base64, struct moor_str_list *out,
                              struct moor_arena *arena, struct moor_error *err)
{
    const char **items = moor_arena_array(arena, base64->count, sizeof(*items));
    if (!items)
        return no_memory(err);
    for (size_t i = 0; i < base64->count; i++) {
        MOOR_AUTO(moor_buf) der = MOOR_BUF(CERTIFICATE_MAX);
        MOOR_AUTOPTR(moor_cert) cert = NULL;
        moor_code c = moor_base64_decode(moor_span_str(base64->items[i]), &der, err);
        if (c == MOOR_OK)
            c = moor_cert_from_der(moor_buf_view(&der), &cert, err);
        if (c != MOOR_OK)
            return moor_context(err, "cloud metadata: galleryCertificates[%zu]", i);
        items[i] = digest_of(cert, arena);
        if (!items[i])
            return no_memory(err);
    }
    *out = (struct moor_str_list){ items, base64->count };
    return MOOR_OK;
}

/* 64 digits out of "AB:CD:..." or "abcd...". */
static moor_code normal_digest(const char *given, char out[65], struct moor_error *err)
{
    size_t n = 0;
    for (const char *p = given; *p && n < 65; p++) {
        char c = *p >= 'A' && *p <= 'F' ? (char)(*p - 'A' + 'a') : *p;
        if (c != ':')
            out[n++] = c;
    }
    if (n != 64 || strspn(out, "0123456789abcdef") < 64)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "--ca-sha256: want 64 hexadecimal digits (colons are fine)");
    out[64] = '\0';
    return MOOR_OK;
}

/* The last CA certificate of the offered chain, or the one with this digest (NULL = any). */
static moor_code find_ca(const struct moor_probe *probe, const char *digest, const char **pem,
                         const char **found_digest, struct moor_arena *arena,
                         struct moor_error *err)
{
    *pem = NULL;
    for (size_t i = 0; i < probe->pem.count; i++) {
        MOOR_AUTOPTR(moor_cert) cert = NULL;
        if (moor_cert_from_pem(moor_span_str(probe->pem.items[i]), &cert, err) != MOOR_OK)
            return err ? err->code : MOOR_E_PROTOCOL;
        const char *its = digest_of(cert, arena);
        if (!its)
            return no_memory(err);
        if (moor_cert_is_ca(cert) && (!digest || moor_streq(its, digest))) {
            *pem = probe->pem.items[i];
            *found_digest = its;
        }
    }
    return MOOR_OK;
}

static moor_code look_at(const struct moor_register_params *p, struct moor_probe *probe,
                         struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    moor_code c = p->settings ? moor_proxy_load(p->settings, NULL, &proxy, err) : MOOR_OK;
    if (c == MOOR_OK)
        c = moor_probe_run(p->url, &proxy, PROBE_MS, probe, arena, err);
    if (c == MOOR_OK && probe->reach != MOOR_PROBE_TLS)
        c = moor_fail(err, MOOR_E_TRANSIENT, "%s: %s", p->url, probe->why);
    return c;
}

/* The CA with the given digest, out of what the server offers. */
static moor_code pin(const struct moor_register_params *p, struct moor_registered *out,
                     struct moor_buf *pem, struct moor_arena *arena, struct moor_error *err)
{
    struct moor_probe probe;
    char digest[65];
    const char *ca = NULL;
    const char *offered = NULL;
    moor_code c = normal_digest(p->ca_sha256, digest, err);
    if (c == MOOR_OK)
        c = look_at(p, &probe, arena, err);
    if (c == MOOR_OK)
        c = find_ca(&probe, digest, &ca, &offered, arena, err);
    if (c != MOOR_OK)
        return c;
    if (!ca) {
        c = find_ca(&probe, NULL, &ca, &out->unknown_issuer, arena, err);
        return c == MOOR_OK ? moor_fail(err, MOOR_E_UNTRUSTED,
                                        "%s: does not offer the CA with that SHA-256", p->url)
                            : c;
    }
    moor_buf_str(pem, ca);
    return moor_buf_ok(pem, "CA certificate", err);
}

static moor_code choose_ca(const struct moor_register_params *p, struct moor_registered *out,
                           struct moor_buf *pem, struct moor_arena *arena, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    if (p->ca_pem.n > 0)
        moor_buf_span(pem, p->ca_pem);
    else if (p->ca_sha256)
        c = pin(p, out, pem, arena, err);
    if (c == MOOR_OK)
        c = moor_buf_ok(pem, "CA certificates", err);
    if (c != MOOR_OK || pem->len == 0)
        return c;
    c = list_pem(moor_buf_view(pem), &out->ca, arena, err);
    return c == MOOR_OK ? c : moor_context(err, "CA certificates");
}

static bool is_chosen(const struct moor_registered *out, const char *digest)
{
    for (size_t i = 0; i < out->ca.count; i++)
        if (moor_streq(out->ca.items[i], digest))
            return true;
    return false;
}

/* Whose certificates are offered in place of trusted ones. One of the chosen CA may be refused for
 * its time or its name: there is no other issuer to name then. */
static void name_issuer(const struct moor_register_params *p, struct moor_registered *out,
                        struct moor_arena *arena)
{
    struct moor_probe probe;
    const char *ca = NULL;
    const char *digest = NULL;
    if (look_at(p, &probe, arena, NULL) == MOOR_OK &&
        find_ca(&probe, NULL, &ca, &digest, arena, NULL) == MOOR_OK && ca &&
        !is_chosen(out, digest))
        out->unknown_issuer = digest;
}

/* The client takes its CA from a file: a copy beside the final place, which save() replaces. */
static moor_code fetch(const struct moor_register_params *p, const char *ca_file,
                       struct moor_registered *out, struct moor_reply *reply,
                       struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_session) s = NULL;
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    const struct moor_cloud unsaved = { .ca_file = ca_file };
    moor_buf_span(&url, moor_url_base(p->url));
    moor_buf_str(&url, METADATA_PATH);
    moor_code c = moor_buf_ok(&url, "metadata URL", err);
    if (c == MOOR_OK)
        c = moor_session_new(&unsaved, p->settings, &s, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = {
        .method = "GET", .url = moor_buf_cstr(&url), .body_max = METADATA_MAX, .https_only = true
    };
    moor_session_set_patience(s, 0);
    c = moor_session_ask(s, &req, "cloud metadata", NULL, reply, err);
    if (c == MOOR_E_UNTRUSTED)
        name_issuer(p, out, arena);
    return c;
}

static moor_code fetch_with(const struct moor_register_params *p, struct moor_span pem,
                            struct moor_registered *out, struct moor_reply *reply,
                            struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    if (pem.n == 0)
        return fetch(p, NULL, out, reply, arena, err);
    moor_code c = plat_path(PLAT_DIR_ETC, &path, err, "clouds.d/.%s.pem.new", p->name);
    if (c == MOOR_OK)
        c = moor_document_make_parent(path, err);
    if (c == MOOR_OK)
        c = plat_write_atomic(path, pem, PLAT_WORLD_READ, err);
    if (c != MOOR_OK)
        return c;
    c = fetch(p, path, out, reply, arena, err);
    moor_code gone = plat_remove(path, c == MOOR_OK ? err : NULL);
    return c == MOOR_OK ? gone : c;
}

static moor_code check_params(const struct moor_register_params *p, struct moor_arena *arena,
                              struct moor_error *err)
{
    struct moor_url u;
    struct moor_cloud known;
    if (moor_cloud_load(p->name, &known, arena, NULL) == MOOR_OK && known.built_in)
        return moor_fail(err, MOOR_E_EXISTS, "cloud %s is built in", known.name);
    if (moor_url_parse(p->url, &u, err) != MOOR_OK)
        return moor_context(err, "URL");
    if (!u.https || moor_url_base(p->url).n != (size_t)(u.path.p - p->url))
        return moor_fail(err, MOOR_E_BADINPUT, "URL: want https://host[:port] and no path");
    return moor_cloud_check_name(p->name, err);
}

moor_code moor_register(const struct moor_register_params *p, struct moor_registered *out,
                        struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    struct moor_str_list gallery = { .count = 0 };
    *out = (struct moor_registered){ .unknown_issuer = NULL };
    moor_code c = check_params(p, arena, err);
    if (c == MOOR_OK)
        c = choose_ca(p, out, &pem, arena, err);
    if (c == MOOR_OK)
        c = fetch_with(p, moor_buf_view(&pem), out, &reply, arena, err);
    if (c == MOOR_OK)
        c = moor_register_read(moor_buf_view(&reply.body), p->name, &out->cloud, &gallery, arena,
                               err);
    if (c == MOOR_OK)
        c = list_gallery(&gallery, &out->gallery, arena, err);
    if (c != MOOR_OK)
        return c;
    const char *const everybody[] = { "*" };
    const struct moor_trust trust = { .schema = 1,
                                      .name = p->name,
                                      .certificates = gallery,
                                      .publishers = { everybody, 1 },
                                      .purpose = MOOR_TRUST_GALLERY };
    if (gallery.count > 0)
        c = moor_trust_save(&trust, err);
    return c == MOOR_OK ? moor_cloud_save(&out->cloud, moor_buf_view(&pem), err) : c;
}
