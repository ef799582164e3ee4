/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/kql_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct kql_lexer *lx, size_t ahead)
{
    return lx->at + ahead < lx->text.n ? lx->text.p[lx->at + ahead] : '\0';
}

static void skip_blanks(struct kql_lexer *lx)
{
    for (;;) {
        char c = peek(lx, 0);
        if (lx->at < lx->text.n && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            lx->at++;
        } else if (c == '/' && peek(lx, 1) == '/') {
            while (lx->at < lx->text.n && peek(lx, 0) != '\n')
                lx->at++;
        } else {
            return;
        }
    }
}

static void bad(struct kql_token *out, const char *why)
{
    out->kind = T_BAD;
    out->text = moor_span_str(why);
}

static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    default:
        return c;
    }
}

/* 'text', "text" with escapes; @'text' without, a doubled quote is one. */
static void lex_string(struct kql_lexer *lx, bool verbatim, struct kql_token *out)
{
    char quote = peek(lx, 0);
    char *text = moor_arena_alloc(lx->arena, lx->text.n - lx->at);
    if (!text) {
        bad(out, "query too large");
        return;
    }
    size_t n = 0;
    lx->at++;
    for (;;) {
        char c = peek(lx, 0);
        if (lx->at >= lx->text.n || c == '\n') {
            bad(out, "unterminated string");
            return;
        }
        lx->at++;
        if (c == quote && verbatim && peek(lx, 0) == quote)
            lx->at++;
        else if (c == quote)
            break;
        else if (c == '\\' && !verbatim)
            c = escaped(lx->at < lx->text.n ? lx->text.p[lx->at++] : '\\');
        text[n++] = c;
    }
    out->kind = T_STRING;
    out->text = moor_span(text, n);
}

static void lex_quoted_name(struct kql_lexer *lx, struct kql_token *out)
{
    lx->at++;
    lex_string(lx, false, out);
    if (out->kind != T_STRING)
        return;
    if (peek(lx, 0) != ']') {
        bad(out, "want ] behind a quoted name");
        return;
    }
    lx->at++;
    out->kind = T_QUOTED;
}

bool kql_timespan(struct moor_span s, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = { { "ms", 1 },         { "milliseconds", 1 }, { "millisecond", 1 },
                  { "s", 1000 },       { "sec", 1000 },       { "second", 1000 },
                  { "seconds", 1000 }, { "m", 60000 },        { "min", 60000 },
                  { "minute", 60000 }, { "minutes", 60000 },  { "h", 3600000 },
                  { "hr", 3600000 },   { "hour", 3600000 },   { "hours", 3600000 },
                  { "d", 86400000 },   { "day", 86400000 },   { "days", 86400000 } };
    double value = 0, scale = 1;
    size_t i = 0;
    for (; i < s.n && is_digit(s.p[i]) && i < 12; i++)
        value = value * 10 + (s.p[i] - '0');
    if (i == 0)
        return false;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && is_digit(s.p[i]); i++)
            value += (s.p[i] - '0') * (scale /= 10);
    for (size_t u = 0; u < MOOR_COUNTOF(units); u++) {
        if (!moor_span_eq_str((struct moor_span){ s.p + i, s.n - i }, units[u].unit))
            continue;
        value = value * units[u].ms;
        if (value > 9e15)
            return false;
        *ms = (int64_t)(value + 0.5);
        return true;
    }
    return false;
}

static void lex_number(struct kql_lexer *lx, struct kql_token *out)
{
    size_t start = lx->at;
    while (is_digit(peek(lx, 0)))
        lx->at++;
    if (peek(lx, 0) == '.' && is_digit(peek(lx, 1)))
        for (lx->at++; is_digit(peek(lx, 0));)
            lx->at++;
    size_t sign = peek(lx, 1) == '-' || peek(lx, 1) == '+' ? 1 : 0;
    if ((peek(lx, 0) == 'e' || peek(lx, 0) == 'E') && is_digit(peek(lx, 1 + sign)))
        for (lx->at += 1 + sign; is_digit(peek(lx, 0));)
            lx->at++;
    bool unit = is_name_start(peek(lx, 0));
    while (is_name_start(peek(lx, 0)) || is_digit(peek(lx, 0)))
        lx->at++;
    out->text = moor_span(lx->text.p + start, lx->at - start);
    out->kind = T_NUMBER;
    if (unit)
        out->kind = kql_timespan(out->text, &out->i) ? T_TIMESPAN : T_BAD;
    if (out->kind == T_BAD)
        bad(out, "neither a number nor a timespan");
}

static void lex_name(struct kql_lexer *lx, struct kql_token *out)
{
    size_t start = lx->at;
    if (peek(lx, 0) == '!')
        lx->at++;
    while (is_name_start(peek(lx, 0)) || is_digit(peek(lx, 0)))
        lx->at++;
    struct moor_span name = { lx->text.p + start, lx->at - start };
    if (peek(lx, 0) == '~' && (moor_span_eq_str(name, "in") || moor_span_eq_str(name, "!in"))) {
        lx->at++;
        name.n++;
    }
    out->kind = T_NAME;
    out->text = name;
}

static void lex_punct(struct kql_lexer *lx, struct kql_token *out)
{
    static const char *const two[] = { "==", "!=", "=~", "!~", "<=", ">=", "..", "<>" };
    struct moor_span rest = { lx->text.p + lx->at, lx->text.n - lx->at };
    out->kind = T_PUNCT;
    out->text = moor_span(rest.p, 1);
    for (size_t i = 0; i < MOOR_COUNTOF(two); i++)
        if (moor_span_starts(rest, two[i]))
            out->text.n = 2;
    lx->at += out->text.n;
}

void kql_next(struct kql_lexer *lx, struct kql_token *out)
{
    skip_blanks(lx);
    *out = (struct kql_token){ .kind = T_END, .at = lx->at };
    if (lx->at >= lx->text.n)
        return;
    char c = peek(lx, 0), next = peek(lx, 1);
    if (c == '"' || c == '\'') {
        lex_string(lx, false, out);
    } else if (c == '@' && (next == '"' || next == '\'')) {
        lx->at++;
        lex_string(lx, true, out);
    } else if (c == '[' && (next == '"' || next == '\'')) {
        lex_quoted_name(lx, out);
    } else if (is_digit(c)) {
        lex_number(lx, out);
    } else if (is_name_start(c) || (c == '!' && is_name_start(next))) {
        lex_name(lx, out);
    } else {
        lex_punct(lx, out);
    }
}

bool kql_raw_argument(struct kql_lexer *lx, struct moor_span *out)
{
    struct moor_span rest = { lx->text.p + lx->at, lx->text.n - lx->at };
    const char *end = rest.n ? memchr(rest.p, ')', rest.n) : NULL;
    if (!end)
        return false;
    *out = moor_span_trim(moor_span(rest.p, (size_t)(end - rest.p)));
    if (out->n >= 2 && (out->p[0] == '"' || out->p[0] == '\'') && out->p[out->n - 1] == out->p[0])
        *out = moor_span(out->p + 1, out->n - 2);
    lx->at += (size_t)(end - rest.p) + 1;
    return true;
}

moor_code kql_refuse(struct moor_kql_error *why, struct moor_span query, size_t at,
                     const char *kind, const char *code, const char *fmt, ...)
{
    *why = (struct moor_kql_error){ .kind = kind, .code = code, .line = 1, .pos = 1 };
    for (size_t i = 0; i < at && i < query.n; i++) {
        why->pos = query.p[i] == '\n' ? 1 : why->pos + 1;
        why->line += query.p[i] == '\n';
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why->message, sizeof why->message, fmt, ap);
    va_end(ap);

    if (query.n == 0)
        return MOOR_E_BADINPUT;
    MOOR_AUTO(moor_arena) scratch = MOOR_ARENA(MOOR_KQL_TEXT_MAX * 4);
    struct kql_lexer lx = { query, at < query.n ? at : query.n, &scratch };
    size_t start = lx.at;
    struct kql_token t;
    kql_next(&lx, &t);
    struct moor_span token = moor_span_trim(moor_span(query.p + start, lx.at - start));
    if (token.n >= sizeof why->token)
        token.n = sizeof why->token - 1;
    while (token.n && !moor_utf8_valid(token))
        token.n--;
    if (token.n)
        memcpy(why->token, token.p, token.n);
    return MOOR_E_BADINPUT;
}
