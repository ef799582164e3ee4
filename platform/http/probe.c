/* SPDX-License-Identifier: Apache-2.0 */
#include "http/probe.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <string.h>

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

static const char *tls_version(CURL *easy)
{
    const struct curl_tlssessioninfo *session = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
        return "";
    return SSL_get_version(session->internals);
}

static bool set_up(CURL *easy, const char *url, const char *proxy, uint64_t timeout_ms, char *text)
{
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           /* Only looked at: see the header. */
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
}

static moor_code look(CURL *easy, CURLcode result, const char *text, struct moor_probe *out,
                      struct moor_arena *arena, struct moor_error *err)
{
    struct moor_probe p = { .reach = reach_of(result, easy) };
    const char *address = NULL;
    bool failed = false;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    p.name_ms = milliseconds(easy, CURLINFO_NAMELOOKUP_TIME_T);
    p.tcp_ms = milliseconds(easy, CURLINFO_CONNECT_TIME_T);
    p.tls_ms = milliseconds(easy, CURLINFO_APPCONNECT_TIME_T);
    p.address = keep(arena, address ? address : "", &failed);
    p.tls_version = keep(arena, p.reach == MOOR_PROBE_TLS ? tls_version(easy) : "", &failed);
    const char *why = *text ? text : curl_easy_strerror(result);
    p.why = keep(arena, result == CURLE_OK ? "" : why, &failed);
    take_chain(easy, &p, arena, &failed);
    if (failed)
        return moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    *out = p;
    return MOOR_OK;
}

moor_code moor_probe_run(const char *url, const char *proxy, uint64_t timeout_ms,
                         struct moor_probe *out, struct moor_arena *arena, struct moor_error *err)
{
    char text[CURL_ERROR_SIZE] = "";
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counted */
        return moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    CURL *easy = curl_easy_init();
    moor_code c = MOOR_E_NOMEM;
    if (easy && set_up(easy, url, proxy, timeout_ms, text))
        c = look(easy, curl_easy_perform(easy), text, out, arena, err);
    else
        c = moor_fail(err, MOOR_E_NOMEM, "probe: out of memory");
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return c;
}
