/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/oserr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int os;
    moor_code code;
} codes[] = {
    { ENOENT, MOOR_E_NOTFOUND },        { ESRCH, MOOR_E_NOTFOUND },
    { EEXIST, MOOR_E_EXISTS },          { EADDRINUSE, MOOR_E_EXISTS },
    { EACCES, MOOR_E_DENIED },          { EPERM, MOOR_E_DENIED },
    { ELOOP, MOOR_E_DENIED },           { EROFS, MOOR_E_DENIED },
    { ENOMEM, MOOR_E_NOMEM },           { ENOSYS, MOOR_E_UNSUPPORTED },
    { EOPNOTSUPP, MOOR_E_UNSUPPORTED }, { EAGAIN, MOOR_E_TRANSIENT },
    { ECONNREFUSED, MOOR_E_TRANSIENT }, { ENAMETOOLONG, MOOR_E_BADINPUT },
};

static moor_code code_of(int os)
{
    for (size_t i = 0; i < MOOR_COUNTOF(codes); i++)
        if (codes[i].os == os)
            return codes[i].code;
    return MOOR_E_IO;
}

moor_code plat_fail(struct moor_error *err, int32_t os_code, const char *fmt, ...)
{
    struct moor_error scratch;
    char what[sizeof(scratch.msg)];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
        what[0] = '\0';
    va_end(ap);

    char text[128];
    moor_code c =
        moor_fail(err, code_of(os_code), "%s: %s", what, strerror_r(os_code, text, sizeof(text)));
    if (err)
        err->os = os_code;
    return c;
}
