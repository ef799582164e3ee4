/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ssl.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

moor_code moor_ssl_fail(struct moor_error *err, moor_code code, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);

    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
        code = MOOR_E_NOMEM;
    ERR_clear_error();
    return moor_fail(err, code, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

void moor_ssl_forget(void)
{
    ERR_clear_error();
}

struct bio_st *moor_ssl_reader(struct moor_span bytes)
{
    if (bytes.n > INT_MAX)
        return NULL;
    return BIO_new_mem_buf(bytes.n ? bytes.p : "", (int)bytes.n);
}

struct moor_span moor_ssl_written(struct bio_st *mem)
{
    char *p = NULL;
    long n = BIO_get_mem_data(mem, &p);
    return n > 0 ? moor_span(p, (size_t)n) : MOOR_SPAN_NONE;
}
