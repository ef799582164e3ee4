/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/names.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define PART_MAX 128

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

moor_code moor_handler_check_part(const char *what, const char *value, struct moor_error *err)
{
    size_t n = value ? strlen(value) : 0;
    if (n == 0 || n > PART_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want 1..%d characters", what, PART_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!is_word(value[i]) && value[i] != '.' && value[i] != '-')
            return moor_fail(err, MOOR_E_BADINPUT,
                             "%s: want letters, digits, dots, hyphens and underscores only", what);
    }
    if (value[0] == '.' || value[0] == '-' || value[n - 1] == '.' || strstr(value, ".."))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: must not start with a dot or hyphen, end with a dot or hold \"..\"",
                         what);
    return MOOR_OK;
}

moor_code moor_handler_folder(const char *publisher, const char *type, const char *version,
                              char **out, struct moor_error *err)
{
    moor_code c = moor_handler_check_part("publisher", publisher, err);
    if (c == MOOR_OK)
        c = moor_handler_check_part("type", type, err);
    if (c != MOOR_OK)
        return c;
    if (!moor_version_valid(moor_span_str(version)))
        return moor_fail(err, MOOR_E_BADINPUT, "version: want up to four numbers with dots");
    MOOR_AUTO(moor_buf) b = MOOR_BUF(400);
    moor_buf_fmt(&b, "%s.%s-%s", publisher, type, version);
    return moor_buf_take(&b, "handler folder name", out, err);
}

bool moor_handler_folder_split(const char *name, struct moor_span *full_name,
                               struct moor_span *version)
{
    const char *dash = strrchr(name, '-');
    if (!dash || dash == name)
        return false;
    struct moor_span v = moor_span_str(dash + 1);
    if (!moor_version_valid(v))
        return false;
    *full_name = moor_span(name, (size_t)(dash - name));
    *version = v;
    return true;
}

void moor_buf_instance_name(struct moor_buf *b, const char *extension)
{
    for (const char *p = extension; *p; p++)
        moor_buf_char(b, is_word(*p) ? *p : '_');
}

static void add_name(struct moor_buf *b, const char *instance, uint32_t seq, const char *ending)
{
    if (instance && *instance)
        moor_buf_fmt(b, "%s.", instance);
    moor_buf_fmt(b, "%" PRIu32 "%s", seq, ending);
}

void moor_buf_settings_name(struct moor_buf *b, const char *instance, uint32_t seq)
{
    add_name(b, instance, seq, ".settings");
}

void moor_buf_status_name(struct moor_buf *b, const char *instance, uint32_t seq)
{
    add_name(b, instance, seq, ".status");
}

/* ^([\w]+\.)?\d+\.<ending>$ */
static bool name_seq(const char *name, const char *ending, uint32_t *seq)
{
    struct moor_span s = moor_span_str(name);
    if (!moor_span_ends(s, ending))
        return false;
    s.n -= strlen(ending);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '.')
            continue;
        if (i == 0)
            return false;
        for (size_t j = 0; j < i; j++) {
            if (!is_word(s.p[j]))
                return false;
        }
        s = moor_span(s.p + i + 1, s.n - i - 1);
        break;
    }
    return moor_parse_u32(s, 0, UINT32_MAX, seq, NULL) == MOOR_OK;
}

bool moor_status_name_seq(const char *name, uint32_t *seq)
{
    return name_seq(name, ".status", seq);
}

bool moor_settings_name_seq(const char *name, uint32_t *seq)
{
    return name_seq(name, ".settings", seq);
}
