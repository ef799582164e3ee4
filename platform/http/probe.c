/* SPDX-License-Identifier: Apache-2.0 */
#include "http/probe.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <string.h>

#include "http/call_proxy.h"
#include "http/forget.h"

#define CHAIN_MAX 10

static const char *keep(struct moor_arena *arena, const char *s, bool *failed)
{
    const char *copy = moor_arena_str(arena, moor_span_str(s));
    *failed = *failed || !copy;
    return copy;
}

static moor_probe_reach reach_of(CURLcode result, CURL *easy)
{
    double connected = 0;
    if (result == CURLE_OK)
        return MOOR_PROBE_TLS;
    if (result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY)
        return MOOR_PROBE_NOWHERE;
    (void)curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME, &connected);
    return connected > 0 ? MOOR_PROBE_TCP : MOOR_PROBE_NAMED;
}

static uint32_t milliseconds(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    (void)curl_easy_getinfo(easy, what, &us);
    return us > 0 ? (uint32_t)(us / 1000) : 0;
}

/* libcurl gives each certificate as a list of "name:value"; the whole of it is "Cert". */
static void take_chain(CURL *easy, struct moor_probe *p, struct moor_arena *arena, bool *failed)
{
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
        return;
    size_t n = info->num_of_certs < CHAIN_MAX ? (size_t)info->num_of_certs : CHAIN_MAX;
    const char **items = moor_arena_array(arena, n, sizeof(*items));
    *failed = *failed || !items;
    for (size_t i = 0; items && i < n; i++) {
        for (const struct curl_slist *s = info->certinfo[i]; s; s = s->next)
            if (strncmp(s->data, "Cert:", 5) == 0)
                items[p->pem.count++] = keep(arena, s->data + 5, failed);
    }
    p->pem.items = items;
}

static int version_slot(void)
{
    static int slot = -1;
    if (slot < 0)
        slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return slot;
}

/* libcurl does not lend the session of a finished transfer: OpenSSL tells when it is agreed. */
static void on_tls_event(const SSL *ssl, int where, int ret)
{
    (void)ret;
    const char **version = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), version_slot());
    if ((where & SSL_CB_HANDSHAKE_DONE) && version)
        *version = SSL_get_version(ssl);
}

/* What one probe is about. */
struct look {
    const char *url;
    const struct moor_proxy *proxy; /* NULL = direct */
    const char *version;
    char text[CURL_ERROR_SIZE];
};

static CURLcode on_tls_context(CURL *easy, void *tls, void *ctx)
{
    struct look *look = ctx;
    bool to_proxy = false;
    (void)easy;
    if (look->proxy && !moor_call_proxy_tls(tls, look->proxy, NULL, &to_proxy))
        return CURLE_SSL_CACERT_BADFILE;
    if (to_proxy)
        return CURLE_OK;
    if (SSL_CTX_set_ex_data(tls, version_slot(), &look->version) != 1)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_info_callback(tls, on_tls_event);
    return CURLE_OK;
}

static bool set_up(CURL *easy, const char *url, struct look *look, uint64_t timeout_ms)
{
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           moor_call_proxy_set(easy, look->proxy) &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           /* Only looked at: see the header. */
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, look) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, look->text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
}

/* In whose name it failed. */
static void explain(CURL *easy, CURLcode result, const struct look *look, struct moor_error *why)
{
    const char *text = *look->text ? look->text : curl_easy_strerror(result);
    if (!look->proxy ||
        !moor_call_proxy_failed(easy, result, MOOR_E_TRANSIENT, look->proxy, look->url, text, why))
        (void)!moor_fail(why, MOOR_E_TRANSIENT, "%s", text);
}

static moor_probe_reach reach_by_proxy(CURLcode result, CURL *easy)
{
    long answered = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &answered);
    if (result == CURLE_OK)
        return MOOR_PROBE_TLS;
    return answered == 200 ? MOOR_PROBE_TCP : MOOR_PROBE_NOWHERE;
}

static moor_code take_result(CURL *easy, CURLcode result, const struct look *look,
                             struct moor_probe *out, struct moor_arena *arena,
                             struct moor_error *err)
{
    struct moor_probe p = { .proxied = look->proxy != NULL };
    struct moor_error why = MOOR_ERROR_INIT;
    const char *address = NULL;
    bool failed = false;
    p.reach = p.proxied ? reach_by_proxy(result, easy) : reach_of(result, easy);
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    p.name_ms = milliseconds(easy, CURLINFO_NAMELOOKUP_TIME_T);
    p.tcp_ms = milliseconds(easy, CURLINFO_CONNECT_TIME_T);
    p.tls_ms = milliseconds(easy, CURLINFO_APPCONNECT_TIME_T);
    p.address = keep(arena, address ? address : "", &failed);
    p.tls_version = keep(arena, p.reach == MOOR_PROBE_TLS ? look->version : "", &failed);
    if (result != CURLE_OK)
        explain(easy, result, look, &why);
    p.why = keep(arena, why.msg, &failed);
    take_chain(easy, &p, arena, &failed);
    if (failed)
        return moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    *out = p;
    return MOOR_OK;
}

static moor_code choose_proxy(const char *url, const struct moor_proxy *proxy,
                              const struct moor_proxy **out, struct moor_error *err)
{
    CURLU *u = curl_url();
    moor_code c = MOOR_OK;
    if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
        c = moor_fail(err, MOOR_E_BADINPUT, "URL: malformed");
    else if (proxy && proxy->refusal)
        c = moor_fail(err, MOOR_E_PROXY, "%s", proxy->refusal);
    else
        *out = moor_call_proxy_applies(u, proxy) ? proxy : NULL;
    curl_url_cleanup(u);
    return c;
}

moor_code moor_probe_run(const char *url, const struct moor_proxy *proxy, uint64_t timeout_ms,
                         struct moor_probe *out, struct moor_arena *arena, struct moor_error *err)
{
    struct look look = { .url = url, .version = "" };
    if (!moor_http_start_curl()) /* counted */
        return moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    CURL *easy = curl_easy_init();
    moor_code c = choose_proxy(url, proxy, &look.proxy, err);
    if (c == MOOR_OK && easy && set_up(easy, url, &look, timeout_ms)) {
        CURLcode result = curl_easy_perform(easy);
        c = take_result(easy, result, &look, out, arena, err);
    } else if (c == MOOR_OK) {
        c = moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    }
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return c;
}
