/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rules.h"

#include "base/buf.h"
#include "platform/dirs.h"
#include "platform/file.h"

#include <string.h>

#define RULE_MAX (2 * 1024 * 1024)
#define PREFIX   "dcr-"

static moor_code write_one(const struct moor_desired_rule *r, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RULE_MAX);
    MOOR_AUTO(moor_buf) old = MOOR_BUF(RULE_MAX);
    moor_buf_str(&text, "{\"schema\":1,\"id\":");
    moor_buf_json_str(&text, moor_span_str(r->id));
    moor_buf_str(&text, ",\"immutableId\":");
    moor_buf_json_str(&text, moor_span_str(r->immutable_id));
    moor_buf_str(&text, ",\"endpoint\":");
    moor_buf_json_str(&text, moor_span_str(r->endpoint));
    moor_buf_fmt(&text, ",\"properties\":%s}\n", r->properties);
    moor_code c = moor_buf_ok(&text, r->immutable_id, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &path, err, "rules.d/%s.json", r->immutable_id);
    if (c != MOOR_OK)
        return c;
    /* An equal file is left alone: every write wakes the logs role. */
    if (plat_read_all(path, RULE_MAX, &old, NULL) == MOOR_OK &&
        moor_span_eq(moor_buf_view(&old), moor_buf_view(&text)))
        return MOOR_OK;
    return plat_write_atomic(path, moor_buf_view(&text), PLAT_WORLD_READ, err);
}

struct sweep {
    const struct moor_desired_rule *rules;
    size_t count;
    moor_code code;
    struct moor_error *err;
};

static bool wanted(const struct sweep *s, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < s->count; i++) {
        const struct moor_desired_rule *r = &s->rules[i];
        if (!r->bad && strlen(r->immutable_id) + 5 == n &&
            strncmp(name, r->immutable_id, n - 5) == 0)
            return true;
    }
    return false;
}

static bool sweep_one(void *ctx, const char *name, const struct plat_stat *st)
{
    struct sweep *s = ctx;
    MOOR_AUTOSTR path = NULL;
    bool ours = st->is_file && strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
                moor_span_ends(moor_span_str(name), ".json");
    if (!ours || wanted(s, name))
        return true;
    s->code = plat_path(PLAT_DIR_LIB, &path, s->err, "rules.d/%s", name);
    if (s->code == MOOR_OK)
        s->code = plat_remove(path, s->err);
    return s->code == MOOR_OK;
}

moor_code moor_rules_write(const struct moor_desired_rule *rules, size_t count,
                           struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code first = plat_path(PLAT_DIR_LIB, &folder, err, "rules.d");
    if (first == MOOR_OK)
        first = plat_make_dirs(folder, PLAT_WORLD_READ, err);
    if (first != MOOR_OK)
        return first;
    for (size_t i = 0; i < count; i++) {
        moor_code c = rules[i].bad ? MOOR_OK : write_one(&rules[i], first == MOOR_OK ? err : NULL);
        if (first == MOOR_OK)
            first = c;
    }
    struct sweep s = { rules, count, MOOR_OK, first == MOOR_OK ? err : NULL };
    moor_code c = plat_list_dir(folder, sweep_one, &s, s.err);
    if (c == MOOR_OK)
        c = s.code;
    return first == MOOR_OK ? c : first;
}
