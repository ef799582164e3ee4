/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/check.h"

#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "connect/session.h"
#include "core/proxy.h"
#include "core/service.h"
#include "core/settings.h"
#include "crypto/cert.h"
#include "platform/clock.h"
#include "platform/file.h"

#define PROBE_MS    10000
#define CALL_MS     15000
#define CA_FILE_MAX (1024 * 1024)

struct checking {
    struct moor_session *session;
    struct moor_proxy proxy;
    struct moor_arena *arena;
    struct moor_check *out;
};

static bool within(const uint32_t part[4], uint32_t first, uint32_t from, uint32_t to)
{
    return part[0] == first && part[1] >= from && part[1] <= to;
}

static bool ipv4_is_private(struct moor_span rest)
{
    uint32_t part[4];
    for (int i = 0; i < 4; i++)
        if (moor_parse_u32(moor_span_cut(&rest, '.'), 0, 255, &part[i], NULL) != MOOR_OK)
            return false;
    return part[0] == 10 || part[0] == 127 || within(part, 172, 16, 31) ||
           within(part, 192, 168, 168) || within(part, 169, 254, 254) || within(part, 100, 64, 127);
}

bool moor_address_is_private(const char *address)
{
    static const char *const prefixes[] = { "fc", "fd", "fe8", "fe9", "fea", "feb" };
    struct moor_span a = moor_span_str(address);
    if (!memchr(a.p ? a.p : "", ':', a.n))
        return ipv4_is_private(a);
    if (moor_span_eq_str(a, "::1"))
        return true;
    for (size_t i = 0; i < MOOR_COUNTOF(prefixes); i++)
        if (moor_span_starts(a, prefixes[i]))
            return true;
    return false;
}

static bool issued_one(const struct moor_cert *ca, const struct moor_str_list *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        MOOR_AUTOPTR(moor_cert) c = NULL;
        if (moor_cert_from_pem(moor_span_str(chain->items[i]), &c, NULL) == MOOR_OK &&
            moor_cert_issued_by(c, ca))
            return true;
    }
    return false;
}

/* Whether one of the proxy's CAs signed what the endpoint seemed to offer. */
static bool is_intercepted(const struct moor_probe *probe, const char *ca_file)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CA_FILE_MAX);
    if (!probe->proxied || !ca_file || plat_read_all(ca_file, CA_FILE_MAX, &pem, NULL) != MOOR_OK)
        return false;
    for (const char *p = strstr(moor_buf_cstr(&pem), begin); p; p = strstr(p + 1, begin)) {
        MOOR_AUTOPTR(moor_cert) ca = NULL;
        if (moor_cert_from_pem(moor_span_str(p), &ca, NULL) == MOOR_OK &&
            issued_one(ca, &probe->pem))
            return true;
    }
    return false;
}

/* One verified request. Any status is an answer: what matters is who gave it. */
static void ask(struct checking *k, struct moor_endpoint_check *e)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    struct moor_error why = MOOR_ERROR_INIT;
    const struct moor_http_request req = { .method = "GET",
                                           .url = e->url,
                                           .timeout_ms = CALL_MS,
                                           .body_max = 1024 * 1024,
                                           .https_only = true };
    if (moor_session_call(k->session, &req, &reply, &why) != MOOR_OK && reply.status == 0) {
        e->error = moor_arena_str(k->arena, moor_span_str(why.msg));
        return;
    }
    int64_t server_ms = 0;
    e->trusted = true;
    e->http_status = reply.status;
    e->has_skew =
        *reply.date && moor_http_date_parse(moor_span_str(reply.date), &server_ms, NULL) == MOOR_OK;
    if (e->has_skew)
        e->skew_ms = plat_utc_ms() - server_ms;
}

static moor_code check_one(struct checking *k, const char *name, const char *url,
                           struct moor_error *err)
{
    struct moor_endpoint_check e = { .name = name, .url = url, .error = "", .tls = "unknown" };
    if (!url || k->out->count == MOOR_CHECKS_MAX)
        return MOOR_OK;
    moor_code c = moor_probe_run(url, &k->proxy, PROBE_MS, &e.probe, k->arena, err);
    if (c != MOOR_OK)
        return c;
    e.proxy = e.probe.proxied ? "set" : k->proxy.url ? "bypassed" : "not used";
    e.proxy_url = e.probe.proxied ? moor_arena_str(k->arena, moor_span_str(k->proxy.url)) : NULL;
    e.intercepted = is_intercepted(&e.probe, k->proxy.ca_file);
    e.private_address = !e.probe.proxied && moor_address_is_private(e.probe.address);
    if (e.probe.reach == MOOR_PROBE_TLS) {
        e.tls = e.probe.tls_version;
        ask(k, &e);
    } else {
        e.error = e.probe.why;
    }
    if (!e.error)
        return moor_fail(err, MOOR_E_NOMEM, "check: out of memory");
    k->out->all_reachable = k->out->all_reachable && e.trusted;
    k->out->items[k->out->count++] = e;
    return MOOR_OK;
}

/* The regional endpoints, when the service is there to name them. */
static bool discover(struct checking *k, const struct moor_cloud *cloud, const char *location,
                     struct moor_service_endpoints *out)
{
    MOOR_AUTO(moor_service_request) r = { .method = NULL };
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    if (!cloud->his_endpoint ||
        moor_service_discovery(cloud->his_endpoint, location, &r, NULL) != MOOR_OK)
        return false;
    const struct moor_http_request req = {
        .method = "GET", .url = moor_buf_cstr(&r.url), .timeout_ms = CALL_MS, .https_only = true
    };
    return moor_session_call(k->session, &req, &reply, NULL) == MOOR_OK && reply.status == 200 &&
           moor_service_read_discovery(moor_buf_view(&reply.body), out, k->arena, NULL) == MOOR_OK;
}

static moor_code check_all(struct checking *k, const struct moor_cloud *cloud, const char *location,
                           struct moor_error *err)
{
    struct moor_service_endpoints found = { .his = NULL };
    moor_code c = check_one(k, "resourceManager", cloud->resource_manager, err);
    if (c == MOOR_OK)
        c = check_one(k, "login", cloud->login_endpoint, err);
    if (c == MOOR_OK)
        c = check_one(k, "his", cloud->his_endpoint, err);
    if (c != MOOR_OK || !discover(k, cloud, location, &found))
        return c;
    c = check_one(k, "gas", found.gas, err);
    if (c == MOOR_OK)
        c = check_one(k, "notification", found.notification, err);
    if (c == MOOR_OK)
        c = check_one(k, "ingestion", found.ingestion, err);
    return c;
}

moor_code moor_check_cloud(const struct moor_cloud *cloud, const char *location,
                           const struct moor_settings *settings, struct moor_check *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_session) s = NULL;
    struct checking k = { .proxy = MOOR_PROXY_INIT, .arena = arena, .out = out };
    *out = (struct moor_check){ .all_reachable = true };
    moor_code c = moor_session_new(cloud, settings, &s, err);
    if (c == MOOR_OK)
        c = moor_proxy_load(settings, cloud, &k.proxy, err);
    k.session = s;
    if (c == MOOR_OK)
        c = check_all(&k, cloud, location, err);
    moor_proxy_drop(&k.proxy);
    return c;
}
