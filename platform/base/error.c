/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* See error.h: what moor_context() answers when the caller passes no struct. */
static _Thread_local moor_code last_code_without_struct;

static const struct {
    const char *name;
    moor_retry retry;
} codes[] = {
    [MOOR_OK] = { "ok", MOOR_RETRY_NEVER },
    [MOOR_E_NOMEM] = { "no memory", MOOR_RETRY_SLOWLY },
    [MOOR_E_BADINPUT] = { "bad input", MOOR_RETRY_NEVER },
    [MOOR_E_NOTFOUND] = { "not found", MOOR_RETRY_NEVER },
    [MOOR_E_EXISTS] = { "already exists", MOOR_RETRY_NEVER },
    [MOOR_E_DENIED] = { "denied", MOOR_RETRY_SLOWLY },
    [MOOR_E_IO] = { "input/output", MOOR_RETRY_SLOWLY },
    [MOOR_E_UNSUPPORTED] = { "unsupported", MOOR_RETRY_NEVER },
    [MOOR_E_TRANSIENT] = { "transient", MOOR_RETRY_BACKOFF },
    [MOOR_E_THROTTLED] = { "throttled", MOOR_RETRY_BACKOFF },
    [MOOR_E_REMOTE] = { "refused by the service", MOOR_RETRY_NEVER },
    [MOOR_E_PROTOCOL] = { "unreadable answer", MOOR_RETRY_BACKOFF },
    [MOOR_E_TIMEOUT] = { "timeout", MOOR_RETRY_BACKOFF },
    [MOOR_E_CANCELED] = { "canceled", MOOR_RETRY_NEVER },
    [MOOR_E_LIMIT] = { "answer too long", MOOR_RETRY_SLOWLY },
    [MOOR_E_PROXY] = { "refused by the proxy", MOOR_RETRY_SLOWLY },
    [MOOR_E_UNTRUSTED] = { "not trusted", MOOR_RETRY_SLOWLY },
    [MOOR_E_BUG] = { "internal error", MOOR_RETRY_NEVER },
};

/* A cut may fall into a UTF-8 sequence: drop its bytes, since logs and JSON want whole ones. */
static void drop_broken_tail(char *s, size_t n)
{
    size_t tail = 0;
    while (tail < 3 && tail < n && ((unsigned char)s[n - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail == n)
        return;
    unsigned char lead = (unsigned char)s[n - 1 - tail];
    size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (tail < want)
        s[n - 1 - tail] = '\0';
}

/* Formats over the whole of out, which none of the arguments may overlap. */
MOOR_PRINTF(3, 0)
static void format_cut(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n < 0)
        out[0] = '\0';
    else if ((size_t)n >= size)
        drop_broken_tail(out, size - 1);
}

moor_code moor_fail(struct moor_error *err, moor_code code, const char *fmt, ...)
{
    last_code_without_struct = code;
    if (!err)
        return code;
    /* The arguments may point into err: format beside it. */
    char msg[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    format_cut(msg, sizeof msg, fmt, ap);
    va_end(ap);
    memset(err, 0, sizeof *err);
    err->code = code;
    memcpy(err->msg, msg, sizeof msg);
    return code;
}

moor_code moor_context(struct moor_error *err, const char *fmt, ...)
{
    if (!err)
        return last_code_without_struct;
    char prefix[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    format_cut(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    char msg[sizeof err->msg];
    int n = snprintf(msg, sizeof msg, "%s: %s", prefix, err->msg);
    if (n >= (int)sizeof msg)
        drop_broken_tail(msg, sizeof msg - 1);
    memcpy(err->msg, msg, sizeof msg);
    return err->code;
}

moor_retry moor_error_retry(const struct moor_error *err)
{
    if (!err || (size_t)err->code >= MOOR_COUNTOF(codes))
        return MOOR_RETRY_NEVER;
    return codes[err->code].retry;
}

const char *moor_code_name(moor_code code)
{
    return (size_t)code < MOOR_COUNTOF(codes) ? codes[code].name : "unknown";
}

void moor_str_autofree(char **s)
{
    free(*s);
}

void moor_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
