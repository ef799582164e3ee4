/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/config.h"

#include <stdlib.h>
#include <string.h>

#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define CONFIG_BYTES ((size_t)16 * 1024 * 1024)
#define FILES_MAX    128
#define FLOWS_MAX    1024

moor_code moor_rule_folder(unsigned n, char **out, struct moor_error *err)
{
    return n == 0 ? plat_path(PLAT_DIR_LIB, out, err, "rules.d")
                  : plat_path(PLAT_DIR_ETC, out, err, "logs.d");
}

void moor_logs_config_drop(struct moor_logs_config *c)
{
    moor_arena_drop(&c->arena);
    *c = (struct moor_logs_config){ .file_count = 0 };
}

struct listing {
    struct moor_logs_config *config;
    size_t first; /* of the folder's files */
};

static bool on_name(void *ctx, const char *name, const struct plat_stat *st)
{
    struct moor_logs_config *c = ((struct listing *)ctx)->config;
    if (!st->is_file || !moor_span_ends(moor_span_str(name), ".json") || name[0] == '.')
        return true;
    const char *copy = moor_arena_str(&c->arena, moor_span_str(name));
    if (!copy || c->file_count == FILES_MAX)
        return false;
    c->files[c->file_count++] = (struct moor_rule_file){ .name = copy };
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct moor_rule_file *)a)->name,
                  ((const struct moor_rule_file *)b)->name);
}

/* The flow's key is taken: the same rule twice, or the same data source name. */
static bool is_twice(const struct moor_logs_config *c, const struct moor_flow_spec *f)
{
    for (size_t i = 0; i < c->flow_count; i++)
        if (moor_streq(c->flows[i].key, f->key))
            return true;
    return false;
}

static moor_code take_flow(struct moor_logs_config *c, const struct moor_flow_spec *f,
                           struct moor_error *err)
{
    if (is_twice(c, f))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: %s: is collected by another rule already",
                         f->rule, f->key);
    if (c->flow_count == FLOWS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: more than %d data sources", f->rule, FLOWS_MAX);
    c->flows[c->flow_count++] = *f;
    return MOOR_OK;
}

/* The setting logs.syslog says where messages come from: the journal, which can be read again, is
 * a flow of its own; the sockets together are another. */
static moor_code take_syslog(struct moor_logs_config *c, const struct moor_flow_spec *f,
                             struct moor_error *err)
{
    const struct moor_str_list *from = &c->settings.logs_syslog;
    bool journal = false;
    for (size_t i = 0; i < from->count; i++)
        journal = journal || moor_streq(from->items[i], "journal");
    if (journal) {
        struct moor_flow_spec j = *f;
        j.kind = MOOR_FLOW_JOURNAL;
        j.key = moor_arena_fmt(&c->arena, "%s/journal", f->key);
        if (!j.key)
            return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", f->rule);
        moor_code code = take_flow(c, &j, err);
        if (code != MOOR_OK)
            return code;
    }
    return from->count > (journal ? 1 : 0) ? take_flow(c, f, err) : MOOR_OK;
}

static moor_code take_rule(struct moor_logs_config *c, const struct moor_rule *r, const char *name,
                           struct moor_error *err)
{
    if (!moor_cloud_allows_url(&c->cloud, r->endpoint))
        return moor_fail(err, MOOR_E_DENIED,
                         "%s: endpoint: is not one of cloud %s; its tokens do not go there", name,
                         c->cloud.name);
    for (size_t i = 0; i < r->flow_count; i++) {
        moor_code code = r->flows[i].kind == MOOR_FLOW_SYSLOG ? take_syslog(c, &r->flows[i], err)
                                                              : take_flow(c, &r->flows[i], err);
        if (code != MOOR_OK)
            return code;
    }
    if (*r->ignored)
        moor_log(MOOR_LOG_NOTICE, "logs.rule_part_ignored", "rule", name, "what", r->ignored, NULL);
    return MOOR_OK;
}

static moor_code read_rule(struct moor_logs_config *c, const char *folder, const char *name,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_RULE_BYTES_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    struct moor_rule rule;
    moor_buf_fmt(&path, "%s/%s", folder, name);
    size_t flows = c->flow_count;
    moor_code code = plat_read_all(moor_buf_cstr(&path), MOOR_RULE_BYTES_MAX, &text, err);
    if (code == MOOR_OK)
        code = moor_rule_decode(moor_buf_view(&text), name, &rule, &c->arena, err);
    if (code == MOOR_OK)
        code = take_rule(c, &rule, name, err);
    if (code != MOOR_OK)
        c->flow_count = flows;
    return code;
}

static moor_code read_folder(struct moor_logs_config *c, const char *folder, struct moor_error *err)
{
    struct listing l = { c, c->file_count };
    moor_code code = plat_list_dir(folder, on_name, &l, err);
    if (code == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (code != MOOR_OK)
        return code;
    qsort(c->files + l.first, c->file_count - l.first, sizeof(*c->files), by_name);
    for (size_t i = l.first; i < c->file_count; i++) {
        struct moor_error e = MOOR_ERROR_INIT;
        code = read_rule(c, folder, c->files[i].name, &e);
        c->files[i].good = code == MOOR_OK;
        if (code != MOOR_OK && code != MOOR_E_NOTFOUND)
            moor_log_error(MOOR_LOG_ERROR, "logs.rule_refused", &e, "folder", folder, NULL);
    }
    return MOOR_OK;
}

static moor_code read_rules(struct moor_logs_config *c, struct moor_error *err)
{
    c->files = moor_arena_array(&c->arena, FILES_MAX, sizeof(*c->files));
    c->flows = moor_arena_array(&c->arena, FLOWS_MAX, sizeof(*c->flows));
    if (!c->files || !c->flows)
        return moor_fail(err, MOOR_E_NOMEM, "rules: out of memory");
    moor_code code = MOOR_OK;
    for (unsigned i = 0; code == MOOR_OK && i < MOOR_RULE_FOLDERS; i++) {
        MOOR_AUTOSTR folder = NULL;
        code = moor_rule_folder(i, &folder, err);
        if (code == MOOR_OK)
            code = read_folder(c, folder, err);
    }
    return code;
}

moor_code moor_logs_config_load(struct moor_logs_config *out, struct moor_error *err)
{
    struct moor_logs_config c = { .arena = MOOR_ARENA(CONFIG_BYTES) };
    moor_code code = moor_agentconfig_load(&c.machine, &c.arena, err);
    if (code == MOOR_OK)
        code = moor_settings_load(&c.settings, &c.arena, err);
    if (code == MOOR_OK)
        code = moor_squeeze_choose(c.settings.logs_compression, &c.way, err);
    if (code == MOOR_OK) {
        code = moor_cloud_load(c.machine.cloud, &c.cloud, &c.arena, err);
        /* Not to be mistaken for "not connected". */
        if (code == MOOR_E_NOTFOUND)
            code = moor_fail(err, MOOR_E_BADINPUT, "cloud %s: is not registered", c.machine.cloud);
    }
    if (code == MOOR_OK)
        code = read_rules(&c, err);
    if (code != MOOR_OK) {
        moor_arena_drop(&c.arena);
        return code;
    }
    *out = c;
    return MOOR_OK;
}
