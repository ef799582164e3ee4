/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin/text.h"

#include "base/buf.h"
#include "base/text.h"

#include <string.h>

moor_code builtin_file_name(const char *uri, char **out, struct moor_error *err)
{
    struct moor_span s = moor_span_str(uri);
    const char *end = memchr(s.p, '?', s.n);
    if (!end)
        end = memchr(s.p, '#', s.n);
    if (end)
        s.n = (size_t)(end - s.p);
    const char *host = strstr(uri, "://");
    size_t from = host ? (size_t)(host - uri) + 3 : 0;
    size_t slash = 0;
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '/')
            slash = i;
    }
    MOOR_AUTO(moor_buf) name = MOOR_BUF(255);
    if (slash == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "want a path that names a file");
    moor_code c =
        moor_percent_decode(moor_span(s.p + slash + 1, s.n - slash - 1), false, &name, err);
    if (c != MOOR_OK)
        return c;
    const char *n = moor_buf_cstr(&name);
    bool bad = !*n || strcmp(n, ".") == 0 || strcmp(n, "..") == 0 || strchr(n, '/');
    for (const char *p = n; *p && !bad; p++)
        bad = (unsigned char)*p < 0x20 || *p == 0x7F;
    if (bad)
        return moor_fail(err, MOOR_E_BADINPUT, "the path's last part is no file name");
    return moor_buf_take(&name, "file name", out, err);
}

size_t builtin_unix_lines(char *text, size_t n)
{
    size_t in = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0, out = 0;
    for (; in < n; in++) {
        if (text[in] == '\r' && in + 1 < n && text[in + 1] == '\n')
            continue;
        text[out++] = text[in];
    }
    return out;
}
