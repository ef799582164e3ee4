/* SPDX-License-Identifier: Apache-2.0 */
#include "core/proxy.h"

#include <string.h>

#include "base/text.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "core/url.h"
#include "platform/file.h"
#include "platform/self.h"

#define BYPASS_MAX      (16 * 1024)
#define CREDENTIALS_MAX 4096
#define URL_MAX         2048

/* The groups of proxy.bypass. Endpoints of a registered cloud are told by its document; one host
 * that serves several is reached directly as soon as one of its groups is listed. */

typedef enum group_endpoint { OF_SIGN_IN, OF_ARM, OF_SERVICE, OF_NOTHING } group_endpoint;

static const struct group {
    const char *name;
    group_endpoint endpoint;
    const char *hosts; /* Azure's, comma list */
} groups[] = {
    { "AAD", OF_SIGN_IN,
      "login.windows.net,login.microsoftonline.com,pas.windows.net,login.microsoftonline.us,"
      "pasff.usgovcloudapi.net,login.chinacloudapi.cn,login.partner.microsoftonline.cn" },
    { "ARM", OF_ARM,
      "management.azure.com,management.usgovcloudapi.net,management.chinacloudapi.cn" },
    { "Arc", OF_SERVICE,
      "his.arc.azure.com,guestconfiguration.azure.com,his.arc.azure.us,guestconfiguration.azure.us,"
      "his.arc.azure.cn,guestconfiguration.azure.cn" },
    { "ArcData", OF_NOTHING, "arcdataservices.com,arcdataservices.azure.us" },
    { "AMA", OF_SERVICE,
      "handler.control.monitor.azure.com,ods.opinsights.azure.com,monitoring.azure.com,"
      "ingest.monitor.azure.com,ods.opinsights.azure.us,handler.control.monitor.azure.us,"
      "ingest.monitor.azure.us,ods.opinsights.azure.cn,handler.control.monitor.azure.cn,"
      "ingest.monitor.azure.cn" },
};

static const struct group *group_named(const char *name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(groups); i++)
        if (moor_strcasecmp(groups[i].name, name) == 0)
            return &groups[i];
    return NULL;
}

bool moor_proxy_bypass_valid(const char *entry)
{
    return group_named(entry) || moor_proxy_entry_valid(moor_span_str(entry));
}

static void add_entry(struct moor_buf *list, struct moor_span entry)
{
    moor_buf_str(list, list->len > 0 ? "," : "");
    moor_buf_span(list, entry);
}

/* "host:port" of an endpoint; what cannot be read names no host. */
static void add_endpoint(struct moor_buf *list, const char *url)
{
    struct moor_url u;
    if (!url || moor_url_parse(url, &u, NULL) != MOOR_OK)
        return;
    moor_buf_str(list, list->len > 0 ? "," : "");
    moor_buf_fmt(list, u.ipv6 ? "[%.*s]:%u" : "%.*s:%u", (int)u.host.n, u.host.p, (unsigned)u.port);
}

static void add_of_cloud(struct moor_buf *list, group_endpoint which, const struct moor_cloud *c)
{
    if (which == OF_SIGN_IN) {
        add_endpoint(list, c->login_endpoint);
        add_endpoint(list, c->token_endpoint);
    } else if (which == OF_ARM) {
        add_endpoint(list, c->resource_manager);
    } else if (which == OF_SERVICE && c->his_endpoint) {
        add_endpoint(list, c->his_endpoint);
        for (size_t i = 0; i < c->host_suffixes.count; i++)
            add_entry(list, moor_span_str(c->host_suffixes.items[i]));
    }
}

static void add_bypass(struct moor_buf *list, const struct moor_str_list *entries,
                       const struct moor_cloud *cloud)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct group *g = group_named(entries->items[i]);
        add_entry(list, moor_span_str(g ? g->hosts : entries->items[i]));
        if (g && cloud)
            add_of_cloud(list, g->endpoint, cloud);
    }
}

/* Credentials. */

/* "user:password": neither empty user nor anything a header could not carry. */
static moor_code check_credentials(struct moor_span s, const char *what, struct moor_error *err)
{
    struct moor_span rest = s;
    bool ok = moor_span_cut(&rest, ':').n > 0 && rest.p;
    for (size_t i = 0; i < s.n; i++)
        ok = ok && (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f;
    return ok ? MOOR_OK : moor_fail(err, MOOR_E_BADINPUT, "%s: want one line user:password", what);
}

static moor_code check_file(const char *path, struct moor_error *err)
{
    struct plat_stat st;
    moor_code c = plat_stat_path(path, &st, err);
    if (c == MOOR_OK && !st.is_file)
        c = moor_fail(err, MOOR_E_BADINPUT, "%s: not a regular file", path);
    if (c == MOOR_OK && (st.mode & 027) != 0)
        c = moor_fail(err, MOOR_E_DENIED, "%s: mode %04o: others can read it, or write", path,
                      (unsigned)st.mode);
    return c;
}

static moor_code read_credentials(const char *path, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(CREDENTIALS_MAX);
    moor_code c = check_file(path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, CREDENTIALS_MAX, &text, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_cut(&text, moor_span_trim(moor_buf_view(&text)).n);
    c = check_credentials(moor_buf_view(&text), path, err);
    return c == MOOR_OK ? moor_secret_set(out, moor_buf_view(&text), err) : c;
}

static moor_code add_credentials(const char *path, struct moor_proxy *out, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    if (read_credentials(path, &out->credentials, &why) == MOOR_OK)
        return MOOR_OK;
    return moor_span_dup(moor_span_str(why.msg), &out->problem, err);
}

/* The environment. */

static const char *variable(const char *upper, const char *lower)
{
    const char *value = plat_environment(upper);
    if (!value || !*value)
        value = plat_environment(lower);
    return value && *value ? value : NULL;
}

/* "user:password" of a URL, percent-coded. */
static moor_code take_user(struct moor_span coded, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) plain = MOOR_BUF_SECRET(CREDENTIALS_MAX);
    if (!memchr(coded.p, ':', coded.n))
        return moor_fail(err, MOOR_E_BADINPUT, "https_proxy: a user name without a password");
    moor_code c = moor_percent_decode(coded, false, &plain, NULL);
    if (c != MOOR_OK)
        return moor_fail(err, MOOR_E_BADINPUT, "https_proxy: its user name cannot be decoded");
    c = check_credentials(moor_buf_view(&plain), "https_proxy", err);
    return c == MOOR_OK ? moor_secret_set(out, moor_buf_view(&plain), err) : c;
}

/* [http[s]://][user:password@]host[:port][/]; errors do not repeat it. */
static moor_code read_environment(const char *value, struct moor_proxy *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(URL_MAX);
    struct moor_span rest = moor_url_base(value);
    const char *scheme = strstr(value, "://");
    size_t skip = scheme ? (size_t)(scheme - value) + 3 : 0;
    if (skip > rest.n)
        return moor_fail(err, MOOR_E_BADINPUT, "https_proxy: want http://host:port");
    moor_buf_add(&clean, scheme ? value : "http://", scheme ? skip : 7);
    rest = moor_span(rest.p + skip, rest.n - skip);
    size_t at = rest.n;
    while (at > 0 && rest.p[at - 1] != '@')
        at--;
    moor_code c = at > 0 ? take_user(moor_span(rest.p, at - 1), &out->credentials, err) : MOOR_OK;
    moor_buf_add(&clean, rest.p + at, rest.n - at);
    if (c == MOOR_OK)
        c = moor_buf_ok(&clean, "https_proxy", err);
    struct moor_url u;
    if (c == MOOR_OK &&
        (moor_url_parse(moor_buf_cstr(&clean), &u, NULL) != MOOR_OK || u.path.n > 0))
        c = moor_fail(err, MOOR_E_BADINPUT, "https_proxy: want http://host:port");
    return c == MOOR_OK ? moor_buf_take(&clean, "https_proxy", &out->url, err) : c;
}

static moor_code choose_url(const struct moor_settings *s, struct moor_proxy *out,
                            struct moor_error *err)
{
    const char *value = variable("HTTPS_PROXY", "https_proxy");
    if (*s->proxy_url) {
        out->setting = "proxy.url";
        return moor_span_dup(moor_url_base(s->proxy_url), &out->url, err);
    }
    if (!value)
        return MOOR_OK;
    out->setting = "https_proxy";
    out->direct_to_self = true;
    return read_environment(value, out, err);
}

static moor_code fill_in(const struct moor_settings *s, const struct moor_cloud *cloud,
                         struct moor_proxy *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) bypass = MOOR_BUF(BYPASS_MAX);
    moor_code c = choose_url(s, out, err);
    if (c != MOOR_OK || !out->url)
        return c;
    add_bypass(&bypass, &s->proxy_bypass, cloud);
    const char *none = out->direct_to_self ? variable("NO_PROXY", "no_proxy") : NULL;
    if (none)
        add_entry(&bypass, moor_span_str(none));
    if (bypass.len > 0)
        c = moor_buf_take(&bypass, "proxy.bypass", &out->bypass, err);
    if (c == MOOR_OK && *s->proxy_ca_file)
        c = moor_span_dup(moor_span_str(s->proxy_ca_file), &out->ca_file, err);
    if (c == MOOR_OK && *s->proxy_url && *s->proxy_credentials_file)
        c = add_credentials(s->proxy_credentials_file, out, err);
    return c;
}

moor_code moor_proxy_load(const struct moor_settings *settings, const struct moor_cloud *cloud,
                          struct moor_proxy *out, struct moor_error *err)
{
    moor_code c = settings->proxy_unknown
                      ? moor_span_dup(moor_span_str(settings->proxy_unknown), &out->refusal, err)
                      : fill_in(settings, cloud, out, err);
    if (c != MOOR_OK)
        moor_proxy_drop(out);
    return c;
}
