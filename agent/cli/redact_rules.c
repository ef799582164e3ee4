/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact_rules.h"

#include <ctype.h>
#include <string.h>

#include "base/attr.h"
#include "cli/redact.h"

#define TOKEN_MIN    24
#define NAME_MAX_LEN 48
#define URL_MAX      512

static const struct moor_redaction nothing = { 0, 0 };

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Behind at: how many characters up to one of stops, or the end. */
static size_t run_until(struct moor_span t, size_t at, const char *stops)
{
    size_t n = 0;
    while (at + n < t.n && (t.p[at + n] == '\0' || !strchr(stops, t.p[at + n])))
        n++;
    return n;
}

static bool stands(struct moor_span t, size_t at, const char *word)
{
    size_t n = strlen(word);
    return at <= t.n && t.n - at >= n &&
           moor_span_eq_nocase(moor_span(t.p + at, n), moor_span(word, n));
}

/* A JSON web token: header "{", base64url. */
static struct moor_redaction web_token(struct moor_span t, size_t at)
{
    size_t n = 0;
    if (!moor_span_starts(moor_span(t.p + at, t.n - at), "eyJ") ||
        (at > 0 && is_token(t.p[at - 1])))
        return nothing;
    while (at + n < t.n && is_token(t.p[at + n]))
        n++;
    return n < TOKEN_MIN ? nothing : (struct moor_redaction){ 0, n };
}

static size_t find(struct moor_span t, size_t at, const char *word)
{
    while (at < t.n && !stands(t, at, word))
        at++;
    return at;
}

static struct moor_redaction private_key(struct moor_span t, size_t at)
{
    if (!stands(t, at, "-----BEGIN "))
        return nothing;
    size_t head = find(t, at + 11, "-----");
    size_t label = find(t, at, "PRIVATE KEY");
    if (label >= head)
        return nothing;
    size_t end = find(t, head + 5, "-----END ");
    end = find(t, end + 9, "-----");
    end = end + 5 < t.n ? end + 5 : t.n;
    return (struct moor_redaction){ 0, end - at };
}

/* https://USER:PASSWORD@host */
static struct moor_redaction user_information(struct moor_span t, size_t at)
{
    if (!stands(t, at, "://"))
        return nothing;
    size_t n = run_until(t, at + 3, "/ \t\r\n\"'<>\\?#");
    if (n > URL_MAX)
        n = URL_MAX;
    while (n > 0 && t.p[at + 3 + n - 1] != '@')
        n--;
    return n < 2 ? nothing : (struct moor_redaction){ 3, n - 1 };
}

/* Authorization: Bearer ... */
static struct moor_redaction scheme(struct moor_span t, size_t at)
{
    static const char *const schemes[] = { "Bearer ", "Basic ", "SharedKey " };
    if (at > 0 && is_name(t.p[at - 1]))
        return nothing;
    for (size_t i = 0; i < MOOR_COUNTOF(schemes); i++) {
        size_t keep = strlen(schemes[i]);
        if (!stands(t, at, schemes[i]))
            continue;
        size_t n = run_until(t, at + keep, " \t\r\n\"',;<>\\");
        if (n >= 8 && !stands(t, at + keep, MOOR_REDACTED))
            return (struct moor_redaction){ keep, n };
    }
    return nothing;
}

/* Ends of names whose values are secret, case ignored. */
static const char *const names[] = {
    "password",    "passwd",
    "pwd",         "passphrase",
    "secret",      "token",
    "sig",         "signature",
    "apikey",      "api_key",
    "accountkey",  "accesskey",
    "access_key",  "privatekey",
    "private_key", "credential",
    "credentials", "authorization",
    "assertion",   "connectionstring",
    "sas",         "protectedsettings",
};

static bool is_secret_name(struct moor_span name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++) {
        size_t n = strlen(names[i]);
        if (name.n >= n &&
            moor_span_eq_nocase(moor_span(name.p + name.n - n, n), moor_span(names[i], n)))
            return true;
    }
    return false;
}

static size_t skip(struct moor_span t, size_t at, const char *set)
{
    while (at < t.n && t.p[at] && strchr(set, t.p[at]))
        at++;
    return at;
}

/* name=VALUE, "name": "VALUE", --name VALUE, also inside a JSON string. */
static struct moor_redaction named(struct moor_span t, size_t at)
{
    size_t n = 0;
    if (!is_name(t.p[at]) || (at > 0 && is_name(t.p[at - 1])))
        return nothing;
    while (at + n < t.n && is_name(t.p[at + n]) && n <= NAME_MAX_LEN)
        n++;
    if (!is_secret_name(moor_span(t.p + at, n)))
        return nothing;
    bool option = at > 0 && t.p[at - 1] == '-';
    bool header = stands(t, at, "authorization");
    size_t value = skip(t, at + n, "\\\"'");
    size_t sign = skip(t, value, " \t");
    if (sign < t.n && (t.p[sign] == '=' || t.p[sign] == ':'))
        value = skip(t, sign + 1, " \t");
    else if (option && sign > value)
        value = sign;
    else
        return nothing;
    size_t open = skip(t, value, "\\\"'");
    const char *stops = open > value ? "\"'\r\n" : header ? "\r\n" : " \t\r\n&,;\"'<>}";
    size_t length = run_until(t, open, stops);
    if (length == 0 || stands(t, open, MOOR_REDACTED))
        return nothing;
    return (struct moor_redaction){ open - at, length };
}

struct moor_redaction moor_redact_rule(struct moor_span text, size_t at)
{
    static struct moor_redaction (*const rules[])(struct moor_span t, size_t at) = {
        web_token, private_key, user_information, scheme, named,
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rules); i++) {
        struct moor_redaction found = rules[i](text, at);
        if (found.drop > 0)
            return found;
    }
    return nothing;
}
