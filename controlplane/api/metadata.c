/* SPDX-License-Identifier: Apache-2.0 */
/* What clients read before they sign in: the cloud's endpoints and OpenID discovery. */
#include "api/routes.h"
#include "authz/signin.h"
#include "base/buf.h"

/*
 * The metadata document differs by api-version because its readers do: az (2015-01-01, 2019-05-01)
 * needs the /adfs form of the authority or it calls login.microsoftonline.com; go-azure-sdk
 * (2022-09-01) needs the plain one, or takes the cloud for an Azure Stack and refuses it.
 */
typedef enum shape { SHAPE_2015, SHAPE_LIST, SHAPE_OBJECT } shape;

static shape shape_of(const char *version)
{
    if (moor_streq(version, "2015-01-01"))
        return SHAPE_2015;
    struct moor_span v = moor_span_str(version);
    return moor_span_starts(v, "2019-") || moor_span_starts(v, "2020-") ? SHAPE_LIST : SHAPE_OBJECT;
}

static struct moor_json *authentication(struct moor_call *c, shape s)
{
    const struct moor_app_config *cfg = &c->app->config;
    struct moor_json *o = moor_json_new_object();
    const char *suffix = s == SHAPE_OBJECT ? "" : "/adfs";
    moor_json_set_str(o, "loginEndpoint", moor_call_fmt(c, "%s%s", cfg->base_url, suffix));
    struct moor_json *audiences = moor_json_set(o, "audiences", moor_json_new_array());
    moor_json_push(audiences, moor_json_new_str(cfg->arm_audience));
    if (s == SHAPE_2015)
        return o;
    moor_json_set_str(o, "tenant", s == SHAPE_OBJECT ? "common" : "adfs");
    moor_json_set_str(o, "identityProvider", s == SHAPE_OBJECT ? "AAD" : "ADFS");
    return o;
}

/* Host names that endpoints may move within: the public URL's host. */
static const char *public_host(struct moor_call *c)
{
    struct moor_span rest = moor_span_str(c->app->config.base_url);
    if (moor_span_starts(rest, "https://"))
        rest = moor_span(rest.p + 8, rest.n - 8);
    struct moor_span host = moor_span_cut(&rest, '/');
    if (host.n && host.p[0] == '[') {
        host = moor_span(host.p + 1, host.n - 1);
        host = moor_span_cut(&host, ']');
    } else {
        host = moor_span_cut(&host, ':');
    }
    const char *s = moor_arena_str(c->arena, host);
    return s ? s : "";
}

static struct moor_json *mooring_member(struct moor_call *c)
{
    const struct moor_app_config *cfg = &c->app->config;
    struct moor_json *o = moor_json_new_object();
    MOOR_AUTO(moor_buf) der = MOOR_BUF(8u << 10);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(12u << 10);
    moor_json_set_str(o, "hisEndpoint", cfg->his_url);
    moor_json_set_str(o, "audience", cfg->service_audience);
    struct moor_json *hosts = moor_json_set(o, "hostSuffixes", moor_json_new_array());
    moor_json_push(hosts, moor_json_new_str(public_host(c)));
    struct moor_json *certs = moor_json_set(o, "galleryCertificates", moor_json_new_array());
    if (c->app->gallery_cert && !moor_cert_to_der(c->app->gallery_cert, &der, NULL)) {
        moor_buf_base64(&text, moor_buf_view(&der));
        moor_json_push(certs, moor_json_new_str(moor_buf_cstr(&text)));
    }
    return o;
}

static struct moor_json *suffixes(struct moor_call *c)
{
    static const char *const names[] = { "storage", "keyVaultDns", "sqlServerHostname",
                                         "acrLoginServer", "mhsmDns" };
    struct moor_json *o = moor_json_new_object();
    const char *host = public_host(c);
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++)
        moor_json_set_str(o, names[i], host);
    return o;
}

static struct moor_json *cloud(struct moor_call *c, shape s)
{
    static const char *const same_as_base[] = {
        "portal", "gallery", "graph",         "graphAudience",           "microsoftGraphResourceId",
        "batch",  "media",   "sqlManagement", "activeDirectoryDataLake",
    };
    const struct moor_app_config *cfg = &c->app->config;
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "name", cfg->cloud_name);
    moor_json_set(o, "authentication", authentication(c, s));
    moor_json_set_str(o, "resourceManager", cfg->base_url);
    for (size_t i = 0; i < MOOR_COUNTOF(same_as_base); i++)
        moor_json_set_str(o, same_as_base[i], cfg->base_url);
    moor_json_set_str(o, "vmImageAliasDoc", moor_call_fmt(c, "%s/vmImageAliases", cfg->base_url));
    moor_json_set_str(o, "logAnalyticsResourceId", "https://api.loganalytics.io");
    moor_json_set(o, "suffixes", suffixes(c));
    moor_json_set(o, "mooring", mooring_member(c));
    return o;
}

static struct moor_json *cloud_2015(struct moor_call *c)
{
    const struct moor_app_config *cfg = &c->app->config;
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "galleryEndpoint", cfg->base_url);
    moor_json_set_str(o, "graphEndpoint", cfg->base_url);
    moor_json_set_str(o, "portalEndpoint", cfg->base_url);
    moor_json_set(o, "authentication", authentication(c, SHAPE_2015));
    moor_json_set(o, "mooring", mooring_member(c));
    return o;
}

static void on_endpoints(struct moor_call *c)
{
    shape s = shape_of(c->api_version);
    MOOR_AUTOPTR(moor_json) body = s == SHAPE_2015   ? cloud_2015(c)
                                   : s == SHAPE_LIST ? moor_json_new_array()
                                                     : cloud(c, s);
    if (s == SHAPE_LIST)
        moor_json_push(body, cloud(c, s));
    moor_call_json(c, 200, body);
}

static void set_list(struct moor_json *o, const char *name, const char *const *values)
{
    struct moor_json *list = moor_json_set(o, name, moor_json_new_array());
    for (; *values; values++)
        moor_json_push(list, moor_json_new_str(*values));
}

static void reply_openid(struct moor_call *c, moor_issuer issuer, const char *face,
                         moor_token_endpoint endpoint)
{
    static const char *const methods[] = { "client_secret_post", "private_key_jwt", NULL };
    static const char *const types[] = { "code", NULL };
    static const char *const algs[] = { "RS256", NULL };
    static const char *const grants[] = { "client_credentials",
                                          "urn:ietf:params:oauth:grant-type:device_code", NULL };
    static const char *const subjects[] = { "pairwise", NULL };
    const char *base = c->app->config.base_url;
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    MOOR_AUTO(moor_buf) token = MOOR_BUF(1024);
    moor_authz_token_endpoint(c->app->authz, endpoint, &token);
    moor_json_set_str(o, "issuer", moor_authz_issuer(c->app->authz, issuer));
    moor_json_set_str(o, "authorization_endpoint", moor_call_fmt(c, "%s%s/authorize", base, face));
    moor_json_set_str(o, "token_endpoint", moor_buf_cstr(&token));
    moor_json_set_str(o, "device_authorization_endpoint",
                      moor_call_fmt(c, "%s%s/devicecode", base, face));
    moor_json_set_str(o, "jwks_uri", moor_call_fmt(c, "%s/discovery/keys", base));
    set_list(o, "token_endpoint_auth_methods_supported", methods);
    set_list(o, "response_types_supported", types);
    set_list(o, "subject_types_supported", subjects);
    set_list(o, "id_token_signing_alg_values_supported", algs);
    set_list(o, "grant_types_supported", grants);
    moor_call_json(c, 200, o);
}

static void on_openid_adfs(struct moor_call *c)
{
    reply_openid(c, MOOR_ISSUER_ADFS, "/adfs/oauth2", MOOR_TOKEN_ADFS);
}

static void on_openid_tenant(struct moor_call *c)
{
    if (!moor_signin_is_tenant(c))
        return;
    reply_openid(c, MOOR_ISSUER_TENANT,
                 moor_call_fmt(c, "/%s/oauth2/v2.0", c->app->config.tenant_id), MOOR_TOKEN_V2);
}

static void on_keys(struct moor_call *c)
{
    MOOR_AUTO(moor_buf) json = MOOR_BUF(8u << 10);
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_authz_jwks(c->app->authz, &json, &err))
        moor_call_fail(c, &err);
    else
        moor_http_reply(c->ex, 200, "application/json; charset=utf-8", moor_buf_view(&json));
}

static const struct moor_endpoint endpoints = { MOOR_AUD_PUBLIC, on_endpoints, NULL };
static const struct moor_endpoint openid_adfs = { MOOR_AUD_PUBLIC, on_openid_adfs, NULL };
static const struct moor_endpoint openid_tenant = { MOOR_AUD_PUBLIC, on_openid_tenant, NULL };
static const struct moor_endpoint keys = { MOOR_AUD_PUBLIC, on_keys, NULL };

const struct moor_http_route moor_metadata_routes[] = {
    MOOR_ROUTE("GET", "/metadata/endpoints", endpoints, 0),
    MOOR_ROUTE("GET", "/adfs/.well-known/openid-configuration", openid_adfs, 0),
    MOOR_ROUTE("GET", "/discovery/keys", keys, 0),
    MOOR_ROUTE("GET", "/adfs/discovery/keys", keys, 0),
    MOOR_ROUTE("GET", "/{tenant}/v2.0/.well-known/openid-configuration", openid_tenant, 0),
    MOOR_ROUTE("GET", "/{tenant}/.well-known/openid-configuration", openid_tenant, 0),
    MOOR_ROUTE("GET", "/{tenant}/discovery/v2.0/keys", keys, 0),
};
const size_t moor_metadata_route_count = MOOR_COUNTOF(moor_metadata_routes);
