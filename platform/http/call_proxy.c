/* SPDX-License-Identifier: Apache-2.0 */
#include "http/call_proxy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "http/call_tls.h"

#define CREDENTIALS_MAX 4096
#define HOST_MAX        256

bool moor_call_proxy_applies(CURLU *u, const struct moor_proxy *p)
{
    char *host = NULL;
    char *port = NULL;
    uint32_t number = 0;
    bool applies = curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                   curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                   moor_parse_u32(moor_span_str(port), 0, 65535, &number, NULL) == MOOR_OK &&
                   moor_proxy_applies(p, moor_span_str(host), (uint16_t)number);
    curl_free(host);
    curl_free(port);
    return applies;
}

static bool set_credentials(CURL *easy, const struct moor_proxy *p)
{
    MOOR_AUTO(moor_buf) user = MOOR_BUF_SECRET(CREDENTIALS_MAX);
    struct moor_span rest = moor_secret_reveal(&p->credentials);
    if (rest.n == 0)
        return true;
    moor_buf_span(&user, moor_span_cut(&rest, ':'));
    return !user.failed &&
           curl_easy_setopt(easy, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, moor_buf_cstr(&user)) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, rest.n ? rest.p : "") == CURLE_OK;
}

/* The store of a client is kept for its next connections: what a proxy's CA is added to is not. */
static bool set_trust(CURL *easy, const struct moor_proxy *p)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (v->capath && curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL) != CURLE_OK)
        return false;
    return !p->ca_file || curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L) == CURLE_OK;
}

/* The highest version is named for the proxy and left open for the peer: it is what tells their
 * two SSL_CTX apart. */
bool moor_call_proxy_set(CURL *easy, const struct moor_proxy *p)
{
    const long versions = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_3;
    return curl_easy_setopt(easy, CURLOPT_PROXY, p ? p->url : "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
           (!p || (curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, versions) == CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
                   set_trust(easy, p) && set_credentials(easy, p)));
}

/* The host of p's URL as moor_call_tls_tighten() takes it. */
static bool host_of(const struct moor_proxy *p, char out[HOST_MAX])
{
    struct moor_span host = moor_span_str(strstr(p->url, "://") + 3);
    size_t n = moor_span_starts(host, "[") ? strcspn(host.p, "]") + 1 : strcspn(host.p, ":/");
    if (n >= HOST_MAX)
        return false;
    memcpy(out, host.p, n);
    out[n] = '\0';
    return true;
}

bool moor_call_proxy_tls(void *ssl_ctx, const struct moor_proxy *p, const char *host,
                         bool *to_proxy)
{
    char own[HOST_MAX];
    *to_proxy = SSL_CTX_get_max_proto_version(ssl_ctx) != 0;
    if (p->ca_file && X509_STORE_load_file(SSL_CTX_get_cert_store(ssl_ctx), p->ca_file) != 1) {
        ERR_clear_error();
        return false;
    }
    if (*to_proxy && !host_of(p, own))
        return false;
    return moor_call_tls_tighten(ssl_ctx, *to_proxy ? own : host);
}

moor_code moor_call_proxy_unauthorized(const struct moor_proxy *p, const char *peer,
                                       struct moor_error *err)
{
    if (moor_secret_empty(&p->credentials))
        return moor_fail(err, MOOR_E_PROXY,
                         "%s: proxy %s (%s) wants a user name and password (407): "
                         "proxy.credentialsFile%s%s",
                         peer, p->url, p->setting, p->problem ? ": " : "",
                         p->problem ? p->problem : "");
    return moor_fail(err, MOOR_E_PROXY,
                     "%s: proxy %s (%s) refuses the user name and password of %s (407)", peer,
                     p->url, p->setting,
                     moor_streq(p->setting, "proxy.url") ? "proxy.credentialsFile" : p->setting);
}

/* A proxy that intercepts shows a certificate of its own making. */
static bool maybe_intercepted(CURLcode result, const struct moor_proxy *p, const char *peer,
                              const char *text, struct moor_error *err)
{
    if (result != CURLE_PEER_FAILED_VERIFICATION)
        return false;
    (void)!moor_fail(err, MOOR_E_UNTRUSTED,
                     "%s: %s, through the proxy %s (%s): if it intercepts TLS, its CA belongs into "
                     "proxy.caFile",
                     peer, text, p->url, p->setting);
    return true;
}

bool moor_call_proxy_failed(CURL *easy, CURLcode result, moor_code code, const struct moor_proxy *p,
                            const char *peer, const char *text, struct moor_error *err)
{
    long answered = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &answered);
    if (answered >= 200 && answered <= 299)
        return maybe_intercepted(result, p, peer, text, err);
    if (answered == 407)
        (void)!moor_call_proxy_unauthorized(p, peer, err);
    else if (answered > 0)
        (void)!moor_fail(err, answered == 403 ? MOOR_E_PROXY : MOOR_E_TRANSIENT,
                         "%s: proxy %s (%s) does not connect to it: it answers %ld", peer, p->url,
                         p->setting, answered);
    else if (result == CURLE_SSL_CACERT_BADFILE || result == CURLE_ABORTED_BY_CALLBACK)
        (void)!moor_fail(err, MOOR_E_IO, "%s: %s: no CA certificates in it (proxy.caFile)", peer,
                         p->ca_file ? p->ca_file : "");
    else /* its certificate is the proxy's matter, not the server's */
        (void)!moor_fail(err, code == MOOR_E_UNTRUSTED ? MOOR_E_PROXY : code,
                         "%s: proxy %s (%s): %s", peer, p->url, p->setting, text);
    return true;
}
