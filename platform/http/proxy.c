/* SPDX-License-Identifier: Apache-2.0 */
#include "http/proxy.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ADDRESS_TEXT_MAX 46

/* Owning. */

void moor_proxy_drop(struct moor_proxy *p)
{
    free(p->url);
    free(p->bypass);
    free(p->ca_file);
    free(p->problem);
    free(p->refusal);
    moor_secret_drop(&p->credentials);
    *p = (struct moor_proxy)MOOR_PROXY_INIT;
}

static bool copy_text(char **out, const char *s)
{
    *out = s ? moor_strdup(s) : NULL;
    return !s || *out;
}

moor_code moor_proxy_copy(const struct moor_proxy *in, struct moor_proxy *out,
                          struct moor_error *err)
{
    if (!in)
        return MOOR_OK;
    bool ok =
        copy_text(&out->url, in->url) && copy_text(&out->bypass, in->bypass) &&
        copy_text(&out->ca_file, in->ca_file) && copy_text(&out->problem, in->problem) &&
        copy_text(&out->refusal, in->refusal) &&
        (moor_secret_empty(&in->credentials) ||
         moor_secret_set(&out->credentials, moor_secret_reveal(&in->credentials), NULL) == MOOR_OK);
    out->direct_to_self = in->direct_to_self;
    out->setting = in->setting;
    if (ok)
        return MOOR_OK;
    moor_proxy_drop(out);
    return moor_fail(err, MOOR_E_NOMEM, "proxy: out of memory");
}

void moor_proxy_move(struct moor_proxy *to, struct moor_proxy *from)
{
    moor_proxy_drop(to);
    *to = *from;
    *from = (struct moor_proxy)MOOR_PROXY_INIT;
}

bool moor_proxy_same(const struct moor_proxy *a, const struct moor_proxy *b)
{
    return moor_streq(a->url, b->url) && moor_streq(a->bypass, b->bypass) &&
           moor_streq(a->ca_file, b->ca_file) && moor_streq(a->setting, b->setting) &&
           moor_streq(a->refusal, b->refusal) && a->direct_to_self == b->direct_to_self &&
           moor_span_eq_secret(moor_secret_reveal(&a->credentials),
                               moor_secret_reveal(&b->credentials));
}

/* Addresses. */

struct address {
    unsigned char bytes[16];
    unsigned length; /* 4 or 16; 0: it is a name */
};

static struct address address_of(struct moor_span text)
{
    char copy[ADDRESS_TEXT_MAX];
    struct address a = { .length = 0 };
    if (text.n == 0 || text.n >= sizeof(copy))
        return a;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (evutil_inet_pton(AF_INET, copy, a.bytes) == 1)
        a.length = 4;
    else if (evutil_inet_pton(AF_INET6, copy, a.bytes) == 1)
        a.length = 16;
    return a;
}

static bool same_start(const struct address *a, const struct address *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (a->length != b->length || memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_self(struct moor_span host)
{
    struct address a = address_of(host);
    static const unsigned char six[16] = { [15] = 1 };
    if (a.length == 0)
        return moor_span_eq_nocase(host, MOOR_SPAN_LIT("localhost"));
    return a.length == 4 ? a.bytes[0] == 127 : memcmp(a.bytes, six, sizeof(six)) == 0;
}

/* One entry of a bypass list, taken apart. */

struct entry {
    bool all;
    bool below_only;       /* ".name": not the name itself */
    struct moor_span name; /* without the dot */
    struct address address;
    unsigned bits; /* of the address that count */
    uint32_t port; /* 0 = any */
};

/* Cuts ":port" off; an IPv6 address without brackets has none. */
static bool take_port(struct moor_span *text, uint32_t *port)
{
    size_t end = text->n;
    while (end > 0 && text->p[end - 1] != ':')
        end--;
    if (end == 0)
        return true;
    struct moor_span host = moor_span(text->p, end - 1);
    struct moor_span digits = moor_span(text->p + end, text->n - end);
    bool is_address = moor_span_starts(host, "[") ? !moor_span_ends(host, "]")
                                                  : host.n > 0 && memchr(host.p, ':', host.n);
    if (is_address)
        return true;
    *text = host;
    return moor_parse_u32(digits, 1, 65535, port, NULL) == MOOR_OK;
}

static bool take_range(struct moor_span text, struct entry *out)
{
    struct moor_span length = text;
    struct moor_span address = moor_span_cut(&length, '/');
    out->address = address_of(address);
    return out->address.length > 0 &&
           moor_parse_u32(length, 0, out->address.length * 8, &out->bits, NULL) == MOOR_OK;
}

static bool is_name(struct moor_span s)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(letters, s.p[i]) || !s.p[i])
            return false;
    return s.n > 0;
}

static bool read_entry(struct moor_span text, struct entry *out)
{
    *out = (struct entry){ .all = false };
    if (text.n > 0 && memchr(text.p, '/', text.n))
        return take_range(text, out);
    if (!take_port(&text, &out->port))
        return false;
    out->all = moor_span_eq_str(text, "*");
    if (out->all)
        return true;
    bool bracketed = text.n > 1 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    if (bracketed)
        text = moor_span(text.p + 1, text.n - 2);
    out->address = address_of(text);
    out->bits = out->address.length * 8;
    if (bracketed || out->address.length > 0)
        return out->address.length > 0;
    if (moor_span_starts(text, "*."))
        text = moor_span(text.p + 1, text.n - 1);
    out->below_only = moor_span_starts(text, ".");
    out->name = out->below_only ? moor_span(text.p + 1, text.n - 1) : text;
    return is_name(out->name);
}

static bool entry_matches(const struct entry *e, struct moor_span host, uint16_t port)
{
    if (e->port != 0 && e->port != port)
        return false;
    if (e->all)
        return true;
    struct address a = address_of(host);
    if (e->address.length > 0 || a.length > 0)
        return e->address.length > 0 && same_start(&e->address, &a, e->bits);
    if (host.n < e->name.n)
        return false;
    struct moor_span end = moor_span(host.p + host.n - e->name.n, e->name.n);
    if (!moor_span_eq_nocase(end, e->name))
        return false;
    return host.n == e->name.n ? !e->below_only : end.p[-1] == '.';
}

static bool bypassed(const char *list, struct moor_span host, uint16_t port)
{
    struct moor_span rest = moor_span_str(list);
    while (rest.n > 0) {
        size_t n = 0;
        while (n < rest.n && !strchr(", \t", rest.p[n]))
            n++;
        struct entry e;
        if (n > 0 && read_entry(moor_span(rest.p, n), &e) && entry_matches(&e, host, port))
            return true;
        n += n < rest.n;
        rest = moor_span(rest.p + n, rest.n - n);
    }
    return false;
}

bool moor_proxy_applies(const struct moor_proxy *p, struct moor_span host, uint16_t port)
{
    if (!p || !p->url)
        return false;
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = moor_span(host.p + 1, host.n - 2);
    if (host.n > 1 && host.p[host.n - 1] == '.') /* the root's dot */
        host.n--;
    return !(p->direct_to_self && is_self(host)) && !bypassed(p->bypass, host, port);
}

bool moor_proxy_entry_valid(struct moor_span entry)
{
    struct entry e;
    return read_entry(entry, &e);
}
