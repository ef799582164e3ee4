/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <stdlib.h>
#include <string.h>

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct moor_span moor_span(const void *p, size_t n)
{
    return (struct moor_span){ p, n };
}

struct moor_span moor_span_str(const char *s)
{
    return (struct moor_span){ s, s ? strlen(s) : 0 };
}

bool moor_span_eq(struct moor_span a, struct moor_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool moor_span_eq_str(struct moor_span a, const char *b)
{
    return moor_span_eq(a, moor_span_str(b));
}

bool moor_span_eq_nocase(struct moor_span a, struct moor_span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool moor_span_starts(struct moor_span a, const char *prefix)
{
    struct moor_span p = moor_span_str(prefix);
    return a.n >= p.n && moor_span_eq((struct moor_span){ a.p, p.n }, p);
}

bool moor_span_ends(struct moor_span a, const char *suffix)
{
    struct moor_span s = moor_span_str(suffix);
    if (a.n < s.n)
        return false;
    return s.n == 0 || memcmp(a.p + (a.n - s.n), s.p, s.n) == 0;
}

struct moor_span moor_span_trim(struct moor_span a)
{
    while (a.n > 0 && is_blank(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && is_blank(a.p[a.n - 1]))
        a.n--;
    return a;
}

struct moor_span moor_span_cut(struct moor_span *rest, char sep)
{
    struct moor_span whole = *rest;
    const char *at = whole.n ? memchr(whole.p, sep, whole.n) : NULL;
    if (!at) {
        *rest = MOOR_SPAN_NONE;
        return whole;
    }
    size_t before = (size_t)(at - whole.p);
    *rest = (struct moor_span){ at + 1, whole.n - before - 1 };
    return (struct moor_span){ whole.p, before };
}

bool moor_span_eq_secret(struct moor_span a, struct moor_span b)
{
    if (a.n != b.n)
        return false;
    volatile unsigned char diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff = (unsigned char)(diff | (unsigned char)(a.p[i] ^ b.p[i]));
    return diff == 0;
}

moor_code moor_span_dup(struct moor_span a, char **out, struct moor_error *err)
{
    if (a.n && memchr(a.p, '\0', a.n))
        return moor_fail(err, MOOR_E_BADINPUT, "text holds a NUL byte");
    char *s = a.n < SIZE_MAX ? malloc(a.n + 1) : NULL;
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "no memory for %zu bytes", a.n);
    if (a.n)
        memcpy(s, a.p, a.n);
    s[a.n] = '\0';
    *out = s;
    return MOOR_OK;
}

int moor_strcasecmp(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    for (; *a && lower(*a) == lower(*b); a++)
        b++;
    return (int)lower(*a) - (int)lower(*b);
}

bool moor_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

char *moor_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, s, size);
    return copy;
}
