/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/attr.h"
#include "logs/transform_internal.h"

/* Longer ones first. */
static const char *const signs[] = { "==", "=~", "!=", "!~", "<=", ">=", "=", "<", ">", "+", "-",
                                     "*",  "/",  "%",  "(",  ")",  "[",  "]", ",", ".", "|", ":" };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

/* Blanks, and comments to the end of their line. */
static size_t pass_blanks(struct moor_span s, size_t i)
{
    for (; i < s.n; i++) {
        if (s.p[i] == '/' && i + 1 < s.n && s.p[i + 1] == '/') {
            while (i < s.n && s.p[i] != '\n')
                i++;
            if (i == s.n)
                break;
        }
        if (!strchr(" \t\r\n", s.p[i]) || s.p[i] == '\0')
            break;
    }
    return i;
}

static size_t word_end(struct moor_span s, size_t i)
{
    if (s.p[i] == '!')
        i++;
    while (i < s.n && is_word(s.p[i]))
        i++;
    return i < s.n && s.p[i] == '~' ? i + 1 : i;
}

static size_t number_end(struct moor_span s, size_t i)
{
    while (i < s.n && is_digit(s.p[i]))
        i++;
    if (i + 1 < s.n && s.p[i] == '.' && is_digit(s.p[i + 1]))
        for (i++; i < s.n && is_digit(s.p[i]);)
            i++;
    /* 5m is a timespan, and 5x nothing: one token, so that it is refused as what it is. */
    while (i < s.n && is_word(s.p[i]))
        i++;
    return i;
}

/* From the opening quote on; the end is behind the closing one, or s.n + 1. */
static size_t text_end(struct moor_span s, size_t i, bool verbatim)
{
    char quote = s.p[i++];
    for (; i < s.n && s.p[i] != quote; i++)
        if (s.p[i] == '\\' && !verbatim)
            i++;
    return i < s.n ? i + 1 : s.n + 1;
}

static size_t sign_end(struct moor_span s, size_t i)
{
    for (size_t k = 0; k < MOOR_COUNTOF(signs); k++)
        if (moor_span_starts(moor_span(s.p + i, s.n - i), signs[k]))
            return i + strlen(signs[k]);
    return i;
}

static struct token text_token(struct moor_span s, size_t i, bool verbatim, size_t *at)
{
    size_t end = text_end(s, i, verbatim);
    struct token t = { T_BAD, moor_span(s.p + i, s.n - i), i, verbatim };
    *at = s.n;
    if (end > s.n)
        return t;
    t.kind = T_TEXT;
    t.text = moor_span(s.p + i + 1, end - i - 2);
    *at = end;
    return t;
}

struct token moor_transform_token(struct moor_span s, size_t *at)
{
    size_t i = pass_blanks(s, *at), end = i;
    enum token_kind kind = T_BAD;
    char c = i < s.n ? s.p[i] : '\0', after = i + 1 < s.n ? s.p[i + 1] : '\0';
    if (i == s.n) {
        *at = i;
        return (struct token){ .kind = T_END, .at = i };
    }
    if (c == '\'' || c == '"')
        return text_token(s, i, false, at);
    if (c == '@' && (after == '\'' || after == '"'))
        return text_token(s, i + 1, true, at);
    if (is_digit(c)) {
        kind = T_NUMBER;
        end = number_end(s, i);
    } else if (is_word(c) || (c == '!' && is_word(after))) {
        kind = T_WORD;
        end = word_end(s, i);
    } else if ((end = sign_end(s, i)) > i) {
        kind = T_SIGN;
    } else {
        end = i + 1;
    }
    *at = end;
    return (struct token){ .kind = kind, .text = moor_span(s.p + i, end - i), .at = i };
}

const char *moor_transform_unquote(const struct token *t, struct moor_arena *arena)
{
    static const char from[] = "\\'\"ntr", to[] = "\\'\"\n\t\r";
    char *out = moor_arena_str(arena, t->text);
    size_t n = 0;
    if (!out || memchr(t->text.p, '\0', t->text.n))
        return NULL;
    for (size_t i = 0; i < t->text.n; i++) {
        char c = t->text.p[i];
        if (c == '\\' && !t->verbatim) {
            const char *escape = i + 1 < t->text.n ? strchr(from, t->text.p[++i]) : NULL;
            if (!escape)
                return NULL;
            c = to[escape - from];
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}
