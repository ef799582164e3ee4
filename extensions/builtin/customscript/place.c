/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include "base/text.h"
#include "contract/names.h"
#include "platform/clock.h"
#include "platform/file.h"

#include <inttypes.h>
#include <string.h>

const char *customscript_env(char *const *env, const char *name)
{
    size_t n = strlen(name);
    for (; *env; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    }
    return NULL;
}

static bool take_highest(void *ctx, const char *name, const struct plat_stat *st)
{
    int64_t *highest = ctx;
    uint32_t seq;
    if (st->is_file && moor_settings_name_seq(name, &seq) && seq > *highest)
        *highest = seq;
    return true;
}

static moor_code find_seq(const char *config, const char *seq_text, uint32_t *out,
                          struct moor_error *err)
{
    if (seq_text) {
        moor_code c = moor_parse_u32(moor_span_str(seq_text), 0, INT32_MAX, out, err);
        return c == MOOR_OK ? c : moor_context(err, "ConfigSequenceNumber");
    }
    int64_t highest = -1;
    moor_code c = plat_list_dir(config, take_highest, &highest, err);
    if (c != MOOR_OK)
        return c;
    if (highest < 0)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s: holds no settings", config);
    *out = (uint32_t)highest;
    return MOOR_OK;
}

static moor_code read_environment(const char *folder, struct moor_handler_environment *out,
                                  struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_ENVIRONMENT_MAX);
    const char *path = moor_arena_fmt(arena, "%s/%s", folder, MOOR_ENVIRONMENT_NAME);
    if (!path)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", folder);
    moor_code c = plat_read_all(path, MOOR_ENVIRONMENT_MAX, &text, err);
    if (c != MOOR_OK)
        return c;
    return moor_handler_environment_parse(moor_buf_view(&text), out, arena, err);
}

moor_code customscript_place_find(const char *folder, const char *seq_text,
                                  struct customscript_place *out, struct moor_arena *arena,
                                  struct moor_error *err)
{
    struct customscript_place p = { .root = folder };
    moor_code c = read_environment(folder, &p.env, arena, err);
    if (c == MOOR_OK)
        c = find_seq(p.env.config_folder, seq_text, &p.seq, err);
    if (c != MOOR_OK)
        return c;
    const char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a folder below the handlers' root",
                         folder);
    p.handlers = moor_arena_str(arena, moor_span(folder, (size_t)(slash - folder)));
    p.program = moor_arena_fmt(arena, "%s/bin/customscript", folder);
    p.data = moor_arena_fmt(arena, "%s/custom-script", p.handlers ? p.handlers : "");
    const char *base = p.data ? p.data : "";
    p.work = moor_arena_fmt(arena, "%s/download/%" PRIu32, base, p.seq);
    p.script = moor_arena_fmt(arena, "%s/%" PRIu32 ".sh", base, p.seq);
    p.lock = moor_arena_fmt(arena, "%s/%" PRIu32 ".worker", base, p.seq);
    p.started = moor_arena_fmt(arena, "%s/%" PRIu32 ".started", base, p.seq);
    p.result = moor_arena_fmt(arena, "%s/%" PRIu32 ".result", base, p.seq);
    if (!p.program || !p.data || !p.work || !p.script || !p.lock || !p.started || !p.result)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", folder);
    *out = p;
    return MOOR_OK;
}

int64_t customscript_last_seq(const struct customscript_place *p)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32);
    uint32_t seq;
    moor_buf_fmt(&path, "%s/mrseq", p->root);
    if (plat_read_all(moor_buf_cstr(&path), 32, &text, NULL) != MOOR_OK ||
        moor_parse_u32(moor_span_trim(moor_buf_view(&text)), 0, INT32_MAX, &seq, NULL) != MOOR_OK)
        return -1;
    return seq;
}

moor_code customscript_set_last_seq(const struct customscript_place *p, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32);
    moor_buf_fmt(&path, "%s/mrseq", p->root);
    moor_buf_fmt(&text, "%" PRIu32, p->seq);
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

static void status_path(const struct customscript_place *p, struct moor_buf *out)
{
    moor_buf_fmt(out, "%s/", p->env.status_folder);
    moor_buf_status_name(out, NULL, p->seq);
}

moor_code customscript_report(const struct customscript_place *p, moor_status_state state,
                              int64_t code, const char *message, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64 * 1024);
    const struct moor_status_entry entry = { "CustomScript", "Enable", state,
                                             code,           message,  plat_utc_ms() };
    status_path(p, &path);
    moor_buf_status(&text, &entry);
    moor_code c = moor_buf_ok(&text, "status", err);
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

moor_status_state customscript_reported(const struct customscript_place *p)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_STATUS_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4 * MOOR_STATUS_MAX);
    struct moor_handler_status s;
    status_path(p, &path);
    if (plat_read_all(moor_buf_cstr(&path), MOOR_STATUS_MAX, &text, NULL) != MOOR_OK ||
        moor_status_parse(moor_buf_view(&text), &s, &arena, NULL) != MOOR_OK)
        return MOOR_STATUS_NONE;
    return s.state;
}
