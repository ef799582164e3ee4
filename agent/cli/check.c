/* SPDX-License-Identifier: Apache-2.0 */
/* mooring check */
#include "connect/check.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "cli/cli.h"
#include "connect/himds.h"
#include "connect/session.h"
#include "core/agentconfig.h"
#include "core/settings.h"
#include "crypto/cert.h"

#define ARENA_MAX    (4 * 1024 * 1024)
#define SKEW_WARN_MS 120000

struct check_options {
    const char *cloud, *location;
};
#define CH(member) offsetof(struct check_options, member)
static const struct moor_option check_options[] = {
    { "cloud", 0, "CLOUD", CH(cloud), "cloud; default: the connected or the only registered one" },
    { "location", 'l', "NAME", CH(location), "location whose endpoints are looked at" },
    { NULL, 0, NULL, 0, NULL },
};

static const char *yes_no(bool b)
{
    return b ? "true" : "false";
}

/* What was offered, leaf first; a certificate that cannot be read is left out. */
static struct moor_json *new_chain(const struct moor_str_list *pem)
{
    struct moor_json *chain = moor_json_new_array();
    for (size_t i = 0; i < pem->count; i++) {
        MOOR_AUTOPTR(moor_cert) cert = NULL;
        MOOR_AUTO(moor_buf) subject = MOOR_BUF(4096);
        MOOR_AUTO(moor_buf) issuer = MOOR_BUF(4096);
        MOOR_AUTO(moor_buf) digest = MOOR_BUF(128);
        char until[MOOR_RFC3339_LEN + 1];
        unsigned char sha256[32];
        if (moor_cert_from_pem(moor_span_str(pem->items[i]), &cert, NULL) != MOOR_OK)
            continue;
        moor_cert_subject(cert, &subject);
        moor_cert_issuer(cert, &issuer);
        moor_cert_sha256(cert, sha256);
        moor_buf_hex(&digest, moor_span(sha256, sizeof(sha256)));
        moor_rfc3339_format(moor_cert_not_after_ms(cert), until);
        struct moor_json *o = moor_json_push(chain, moor_json_new_object());
        moor_json_set_str(o, "subject", moor_buf_cstr(&subject));
        moor_json_set_str(o, "issuer", moor_buf_cstr(&issuer));
        moor_json_set_str(o, "notAfter", until);
        moor_json_set_str(o, "sha256", moor_buf_cstr(&digest));
    }
    return chain;
}

static void tell_chain(struct moor_cli *cli, const struct moor_endpoint_check *e)
{
    MOOR_AUTOPTR(moor_json) chain = new_chain(&e->probe.pem);
    MOOR_JSON_EACH(c, chain)
    {
        moor_tell(cli, "  %s, issued by %s, valid until %s", moor_json_get_str(c, "subject"),
                  moor_json_get_str(c, "issuer"), moor_json_get_str(c, "notAfter"));
    }
}

static void say_table(struct moor_cli *cli, const struct moor_check *check)
{
    moor_say("%-56s|%-10s|%-8s|%-8s|%s\n", "ENDPOINT", "REACHABLE", "PRIVATE", "TLS", "PROXY");
    for (size_t i = 0; i < check->count; i++) {
        const struct moor_endpoint_check *e = &check->items[i];
        moor_say("%-56s|%-10s|%-8s|%-8s|%s\n", e->url, yes_no(e->trusted),
                 *e->probe.address ? yes_no(e->private_address) : "unknown", e->tls, e->proxy);
    }
    for (size_t i = 0; i < check->count; i++) {
        const struct moor_endpoint_check *e = &check->items[i];
        if (e->intercepted)
            moor_warn(cli, "%s: the proxy %s intercepts TLS; its CA is trusted (proxy.caFile)",
                      e->url, e->proxy_url);
        if (*e->error)
            moor_tell(cli, "%s: %s", e->url, e->error);
        if (cli->verbose || (*e->error && e->probe.reach == MOOR_PROBE_TLS))
            tell_chain(cli, e);
        if (cli->verbose)
            moor_tell(cli,
                      "%s: %s, name %" PRIu32 " ms, TCP %" PRIu32 " ms, TLS %" PRIu32
                      " ms, %zu certificates, HTTP %d",
                      e->url, e->probe.address, e->probe.name_ms, e->probe.tcp_ms, e->probe.tls_ms,
                      e->probe.pem.count, e->http_status);
        if (e->has_skew && (e->skew_ms > SKEW_WARN_MS || e->skew_ms < -SKEW_WARN_MS))
            moor_warn(cli, "%s: the clocks are %" PRId64 " s apart", e->url, e->skew_ms / 1000);
    }
}

static const char *const reaches[] = { "none", "name", "tcp", "tls" };

static void say_objects(const struct moor_check *check, const char *cloud)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "cloud", cloud);
    moor_json_set_bool(v, "allReachable", check->all_reachable);
    struct moor_json *list = moor_json_set(v, "endpoints", moor_json_new_array());
    for (size_t i = 0; i < check->count; i++) {
        const struct moor_endpoint_check *e = &check->items[i];
        struct moor_json *o = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(o, "name", e->name);
        moor_json_set_str(o, "endpoint", e->url);
        moor_json_set_bool(o, "reachable", e->trusted);
        moor_json_set_bool(o, "private", e->private_address);
        moor_json_set_str(o, "tls", e->tls);
        moor_json_set_str(o, "proxy", e->proxy);
        if (e->proxy_url) {
            moor_json_set_str(o, "proxyUrl", e->proxy_url);
            moor_json_set_bool(o, "intercepted", e->intercepted);
        }
        moor_json_set_str(o, "reached", reaches[e->probe.reach]);
        moor_json_set_str(o, "address", e->probe.address);
        moor_json_set(o, "certificates", new_chain(&e->probe.pem));
        moor_json_set_int(o, "httpStatus", e->http_status);
        moor_json_set_int(o, "nameMs", e->probe.name_ms);
        moor_json_set_int(o, "tcpMs", e->probe.tcp_ms);
        moor_json_set_int(o, "tlsMs", e->probe.tls_ms);
        if (e->has_skew)
            moor_json_set_int(o, "clockSkewMs", e->skew_ms);
        moor_json_set_str(o, "error", e->error);
    }
    moor_say_json(v);
}

/* The name given, the cloud this machine is connected to, or the only registered one. */
static moor_code choose(const char *given, struct moor_cloud *out, struct moor_arena *arena,
                        struct moor_error *err)
{
    struct moor_agentconfig config;
    struct moor_str_list names;
    if (given)
        return moor_cloud_load(given, out, arena, err);
    if (moor_agentconfig_load(&config, arena, NULL) == MOOR_OK)
        return moor_cloud_load(config.cloud, out, arena, err);
    moor_code c = moor_cloud_list(false, &names, arena, err);
    if (c == MOOR_OK && names.count != 1)
        c = moor_fail(err, MOOR_E_BADINPUT, "--cloud: %zu clouds are registered", names.count);
    return c == MOOR_OK ? moor_cloud_load(names.items[0], out, arena, err) : c;
}

/* A machine that is an application of the directory needs somebody for its next certificate. */
static void warn_of_end(struct moor_cli *cli)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    MOOR_AUTOPTR(moor_json) status = NULL;
    if (moor_session_new(NULL, NULL, &session, NULL) != MOOR_OK ||
        moor_himds_status(session, &status, NULL) != MOOR_OK)
        return;
    const char *file = moor_json_get_str(status, "certificateToAdd");
    if (file && *file)
        moor_warn(cli, "the machine's certificate ends on %s: add %s to the application %s",
                  moor_json_get_str(status, "certificateNotAfter"), file,
                  moor_json_get_str(status, "clientId"));
}

static moor_azcm run_check(struct moor_cli *cli, const void *options,
                           const struct moor_words *words)
{
    const struct check_options *o = options;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_settings settings;
    struct moor_cloud cloud;
    struct moor_check check;
    (void)words;
    moor_code c = choose(o->cloud, &cloud, &arena, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, c == MOOR_E_BADINPUT ? AZCM_MISSING_PARAMETER : AZCM_CLOUD, &err,
                             NULL);
    (void)moor_cli_settings(cli, &settings, &arena);
    c = moor_check_cloud(&cloud, o->location, &settings, &check, &arena, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, moor_azcm_of(&err), &err, NULL);
    warn_of_end(cli);
    if (cli->json)
        say_objects(&check, cloud.name);
    else
        say_table(cli, &check);
    return check.all_reachable ? AZCM_OK : AZCM_NETWORK;
}

const struct moor_verb moor_verb_check = {
    .name = "check",
    .words = "",
    .summary = "test whether the cloud's endpoints can be reached",
    .text = "Name, connection, TLS version, certificate chain, an HTTP answer and the clocks are\n"
            "looked at for each endpoint. Nobody signs in and nothing is changed.\n",
    .options = check_options,
    .options_size = sizeof(struct check_options),
    .run = run_check,
};
