/* SPDX-License-Identifier: Apache-2.0 */
#include "storage.h"

#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "crypto/digest.h"

#define VERSION "2015-04-05"
#define KEY_MAX 1024
#define SAS_MAX 8192

static const char *const blob_hosts[] = {
    ".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net", /* accounts in DNS zones */
};

/* Host without its port, and what stands behind it up to the query; false: not of this scheme. */
static bool take_apart(const char *uri, const char *scheme, struct moor_span *host,
                       struct moor_span *path)
{
    struct moor_span rest = moor_span_str(uri);
    if (!moor_span_starts(rest, scheme))
        return false;
    rest = moor_span(rest.p + strlen(scheme), rest.n - strlen(scheme));
    size_t n = 0, port = 0;
    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    while (port < n && rest.p[port] != ':')
        port++;
    *host = moor_span(rest.p, port);
    size_t end = n;
    while (end < rest.n && !strchr("?#", rest.p[end]))
        end++;
    *path = moor_span(rest.p + n, end - n);
    return !memchr(host->p, '@', n);
}

bool customscript_blob_may_have_token(const char *uri)
{
    struct moor_span host, path;
    if (!take_apart(uri, "https://", &host, &path))
        return false;
    for (size_t n = 0; n < MOOR_COUNTOF(blob_hosts); n++)
        if (host.n > strlen(blob_hosts[n]) && moor_span_ends(host, blob_hosts[n]))
            return true;
    return false;
}

/* What the signature stands for, as that version of the service has it. */
static moor_code string_to_sign(struct moor_span path, const char *account, const char *expiry,
                                struct moor_buf *out, struct moor_error *err)
{
    moor_buf_fmt(out, "r\n\n%s\n/blob/%s", expiry, account);
    moor_code c = moor_percent_decode(path, false, out, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_str(out, "\n\n\n\n" VERSION "\n\n\n\n\n");
    return moor_buf_ok(out, "fileUris", err);
}

moor_code customscript_sign_uri(const char *uri, const char *account, const struct moor_secret *key,
                                int64_t expires_ms, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SAS_MAX);
    MOOR_AUTO(moor_buf) raw = MOOR_BUF_SECRET(KEY_MAX);
    MOOR_AUTO(moor_buf) sig = MOOR_BUF_SECRET(64);
    MOOR_AUTO(moor_buf) mine = MOOR_BUF(128);
    struct moor_span host, path;
    MOOR_AUTO(moor_buf) expiry = MOOR_BUF(MOOR_RFC3339_LEN);
    unsigned char mac[32];
    moor_buf_fmt(&mine, "%s.blob.", account);
    if ((!take_apart(uri, "https://", &host, &path) && !take_apart(uri, "http://", &host, &path)) ||
        !moor_span_starts(host, moor_buf_cstr(&mine)))
        return moor_fail(err, MOOR_E_BADINPUT, "fileUris: is no blob of the storage account");
    moor_buf_rfc3339(&expiry, expires_ms / 1000 * 1000);
    moor_code c = string_to_sign(path, account, moor_buf_cstr(&expiry), &text, err);
    if (c == MOOR_OK && moor_base64_decode(moor_secret_reveal(key), &raw, NULL) != MOOR_OK)
        c = moor_fail(err, MOOR_E_BADINPUT, "storageAccountKey: want base64");
    if (c != MOOR_OK)
        return c;
    moor_hmac_sha256(moor_buf_view(&raw), moor_buf_view(&text), mac);
    moor_buf_base64(&sig, moor_span(mac, sizeof(mac)));
    moor_buf_fmt(out, "%s%csp=r&se=", uri, strchr(uri, '?') ? '&' : '?');
    moor_buf_url_part(out, moor_buf_view(&expiry));
    moor_buf_str(out, "&sv=" VERSION "&sr=b&sig=");
    moor_buf_url_part(out, moor_buf_view(&sig));
    return moor_buf_ok(out, "fileUris", err);
}
