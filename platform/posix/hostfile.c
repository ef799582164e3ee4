/* SPDX-License-Identifier: Apache-2.0 */
#include "hostfile.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "path.h"
#include "platform/dirs.h"
#include "proc.h"

void posix_host_path(char out[POSIX_HOST_PATH_MAX], const char *path)
{
    const char *root = plat_dirs_root();
    if (*root) {
        (void)snprintf(out, POSIX_HOST_PATH_MAX, "%s/host", root);
        if (access(out, F_OK) == 0) {
            (void)snprintf(out, POSIX_HOST_PATH_MAX, "%s/host%s", root, path);
            return;
        }
    }
    (void)snprintf(out, POSIX_HOST_PATH_MAX, "%s", path);
}

MOOR_PRINTF(2, 0) static void full_path(char out[POSIX_HOST_PATH_MAX], const char *fmt, va_list ap)
{
    char path[POSIX_HOST_PATH_MAX];
    (void)vsnprintf(path, sizeof(path), fmt, ap);
    posix_host_path(out, path);
}

bool posix_host_read(char *out, size_t n, const char *fmt, ...)
{
    char path[POSIX_HOST_PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    full_path(path, fmt, ap);
    va_end(ap);
    return posix_read_system(path, out, n);
}

bool posix_host_number(uint64_t *out, const char *fmt, ...)
{
    char path[POSIX_HOST_PATH_MAX], text[32];
    va_list ap;
    va_start(ap, fmt);
    full_path(path, fmt, ap);
    va_end(ap);
    return posix_read_system(path, text, sizeof(text)) &&
           moor_parse_u64(moor_span_str(text), 0, UINT64_MAX, out, NULL) == MOOR_OK;
}

bool posix_host_exists(const char *fmt, ...)
{
    char path[POSIX_HOST_PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    full_path(path, fmt, ap);
    va_end(ap);
    return access(path, F_OK) == 0;
}

/* The length of the printable character at the start of s, 0 when there is none. */
static size_t printable(struct moor_span s)
{
    unsigned char first = (unsigned char)s.p[0];
    if (first < 0x20 || first == 0x7f)
        return 0;
    size_t n = moor_utf8_sequence(s);
    bool control = n == 2 && first == 0xc2 && (unsigned char)s.p[1] < 0xa0;
    return control ? 0 : n;
}

void posix_host_text(char *out, size_t n, struct moor_span s)
{
    size_t len = 0, end = 0;
    while (s.n > 0) {
        size_t take = printable(s);
        bool blank = take == 0 || s.p[0] == ' ';
        size_t width = blank ? 1 : take;
        if (len + width >= n)
            break;
        if (!blank)
            memcpy(out + len, s.p, width);
        else if (len > 0)
            out[len] = ' ';
        len += blank && len == 0 ? 0 : width;
        end = blank ? end : len;
        s = moor_span(s.p + (take ? take : 1), s.n - (take ? take : 1));
    }
    out[end] = '\0';
}

/* What makers leave where they had nothing to say. */
static bool is_placeholder(const char *s)
{
    static const char *const words[] = {
        "To Be Filled By O.E.M.",
        "Default string",
        "Not Specified",
        "Not Applicable",
        "None",
        "N/A",
        "Unknown",
        "INVALID",
        "System Serial Number",
        "System manufacturer",
        "System Product Name",
        "Asset-1234567890",
        "Chassis Serial Number",
        "No Asset Tag",
        "No Asset Information",
        "0123456789",
        "System Version",
        "Empty",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(words); i++)
        if (moor_strcasecmp(s, words[i]) == 0)
            return true;
    return strspn(s, "0 .-") == strlen(s);
}

void posix_host_dmi(const char *name, char *out, size_t n)
{
    char raw[256], path[POSIX_HOST_PATH_MAX];
    if (!posix_host_read(raw, sizeof(raw), "/sys/class/dmi/id/%s", name)) {
        (void)snprintf(path, sizeof(path), "%s/dmi/%s", plat_dir_path(PLAT_DIR_RUN), name);
        (void)posix_read_system(path, raw, sizeof(raw));
    }
    posix_host_text(out, n, moor_span_str(raw));
    if (is_placeholder(out))
        out[0] = '\0';
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void posix_host_list(const char *folder, struct posix_names *out)
{
    char path[POSIX_HOST_PATH_MAX];
    posix_host_path(path, folder);
    out->count = 0;
    DIR *d = opendir(path);
    if (!d)
        return;
    const struct dirent *e;
    while (out->count < out->max && (e = posix_next_entry(d))) {
        size_t n = strlen(e->d_name) + 1;
        if (n <= sizeof(out->items[0]))
            memcpy(out->items[out->count++], e->d_name, n);
    }
    (void)closedir(d);
    qsort(out->items, out->count, sizeof(out->items[0]), compare_names);
}
