/* SPDX-License-Identifier: Apache-2.0 */
#include "core/url.h"

#include <string.h>

#include "base/text.h"

static bool clean(struct moor_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>')
            return false;
    }
    return true;
}

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static bool ipv6_char(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

/* Takes the host off the front of authority; what is left is "" or ":port". */
static bool take_host(struct moor_span *authority, struct moor_url *out)
{
    struct moor_span a = *authority;
    size_t n = 0;
    out->ipv6 = a.n > 0 && a.p[0] == '[';
    if (out->ipv6) {
        a = moor_span(a.p + 1, a.n - 1);
        while (n < a.n && ipv6_char(a.p[n]))
            n++;
        if (n == a.n || a.p[n] != ']')
            return false;
    } else {
        while (n < a.n && host_char(a.p[n]))
            n++;
    }
    out->host = moor_span(a.p, n);
    size_t skip = out->ipv6 ? n + 1 : n;
    *authority = moor_span(a.p + skip, a.n - skip);
    return n > 0 && n <= 253;
}

static moor_code take_port(struct moor_span rest, struct moor_url *out, struct moor_error *err)
{
    out->port = out->https ? 443 : 80;
    if (rest.n == 0)
        return MOOR_OK;
    uint32_t port = 0;
    if (rest.p[0] != ':' ||
        moor_parse_u32(moor_span(rest.p + 1, rest.n - 1), 1, 65535, &port, NULL) != MOOR_OK)
        return moor_fail(err, MOOR_E_BADINPUT, "want a URL of the form https://host[:port]");
    out->port = (uint16_t)port;
    return MOOR_OK;
}

moor_code moor_url_parse(const char *url, struct moor_url *out, struct moor_error *err)
{
    struct moor_span s = moor_span_str(url);
    struct moor_url u = { .https = false };
    size_t scheme = 0;
    if (moor_span_starts(s, "https://")) {
        u.https = true;
        scheme = 8;
    } else if (moor_span_starts(s, "http://")) {
        scheme = 7;
    }
    if (scheme == 0 || !clean(s))
        return moor_fail(err, MOOR_E_BADINPUT, "want a URL of the form https://host[:port]");
    struct moor_span rest = moor_span(s.p + scheme, s.n - scheme);
    size_t n = 0;
    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    struct moor_span authority = moor_span(rest.p, n);
    u.path = moor_span(rest.p + n, rest.n - n);
    if (n > 0 && memchr(authority.p, '@', n))
        return moor_fail(err, MOOR_E_BADINPUT, "a user name in a URL is not allowed");
    if (!take_host(&authority, &u))
        return moor_fail(err, MOOR_E_BADINPUT, "want a URL of the form https://host[:port]");
    moor_code c = take_port(authority, &u, err);
    if (c == MOOR_OK)
        *out = u;
    return c;
}

bool moor_url_same_origin(const struct moor_url *a, const struct moor_url *b)
{
    return a->https == b->https && a->port == b->port && moor_span_eq_nocase(a->host, b->host);
}

bool moor_host_within(struct moor_span host, const char *suffix)
{
    struct moor_span want = moor_span_str(suffix);
    if (want.n == 0 || host.n < want.n)
        return false;
    struct moor_span end = moor_span(host.p + host.n - want.n, want.n);
    return moor_span_eq_nocase(end, want) && (host.n == want.n || end.p[-1] == '.');
}

void moor_buf_origin(struct moor_buf *b, const struct moor_url *u)
{
    moor_buf_str(b, u->https ? "https://" : "http://");
    moor_buf_str(b, u->ipv6 ? "[" : "");
    moor_buf_span(b, u->host);
    moor_buf_str(b, u->ipv6 ? "]" : "");
    if (u->port != (u->https ? 443 : 80))
        moor_buf_fmt(b, ":%u", (unsigned)u->port);
}

struct moor_span moor_url_base(const char *url)
{
    struct moor_span s = moor_span_str(url);
    while (s.n > 0 && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}
