/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin/place.h"

#include "base/text.h"
#include "builtin/handler.h"
#include "contract/names.h"
#include "platform/clock.h"
#include "platform/file.h"

#include <inttypes.h>
#include <string.h>

#define OUTPUT_TAIL 4096

const char *builtin_env(char *const *env, const char *name)
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

static moor_code fill(struct builtin_place *p, struct moor_arena *arena, struct moor_error *err)
{
    const char *data = moor_arena_fmt(arena, "%s/%s", p->handlers, p->handler->data);
    const char *tag = p->instance ? moor_arena_fmt(arena, "%s.%" PRIu32, p->instance, p->seq)
                                  : moor_arena_fmt(arena, "%" PRIu32, p->seq);
    if (!data || !tag)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", p->root);
    p->data = data;
    p->work = moor_arena_fmt(arena, "%s/download/%s%s%" PRIu32, data,
                             p->instance ? p->instance : "", p->instance ? "/" : "", p->seq);
    p->script = moor_arena_fmt(arena, "%s/%s.sh", data, tag);
    p->lock = moor_arena_fmt(arena, "%s/%s.worker", data, tag);
    p->started = moor_arena_fmt(arena, "%s/%s.started", data, tag);
    p->child = moor_arena_fmt(arena, "%s/%s.child", data, tag);
    p->result = moor_arena_fmt(arena, "%s/%s.result", data, tag);
    if (!p->work || !p->script || !p->lock || !p->started || !p->child || !p->result)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", p->root);
    return MOOR_OK;
}

static moor_code take_instance(struct builtin_place *p, const char *name, struct moor_arena *arena,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX);
    if (!p->handler->instances || !name || !*name)
        return MOOR_OK;
    moor_buf_instance_name(&instance, name);
    moor_code c = moor_buf_ok(&instance, "ConfigExtensionName", err);
    if (c != MOOR_OK)
        return c;
    p->instance = moor_arena_str(arena, moor_buf_view(&instance));
    return p->instance ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", p->root);
}

moor_code builtin_place_find(const struct builtin_handler *h, char *const *env,
                             struct builtin_place *out, struct moor_arena *arena,
                             struct moor_error *err)
{
    const char *folder = builtin_env(env, "AZURE_GUEST_AGENT_EXTENSION_PATH");
    struct builtin_place p = { .handler = h, .root = folder ? folder : "" };
    const char *slash = strrchr(p.root, '/');
    if (!slash || slash == p.root)
        return moor_fail(
            err, MOOR_E_BADINPUT,
            "AZURE_GUEST_AGENT_EXTENSION_PATH: want a folder below the handlers' root");
    moor_code c = read_environment(folder, &p.env, arena, err);
    if (c == MOOR_OK)
        c = find_seq(p.env.config_folder, builtin_env(env, "ConfigSequenceNumber"), &p.seq, err);
    if (c == MOOR_OK)
        c = take_instance(&p, builtin_env(env, "ConfigExtensionName"), arena, err);
    if (c != MOOR_OK)
        return c;
    p.handlers = moor_arena_str(arena, moor_span(folder, (size_t)(slash - folder)));
    p.program = moor_arena_fmt(arena, "%s/bin/%s", folder, h->program);
    if (!p.handlers || !p.program)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", folder);
    c = fill(&p, arena, err);
    if (c == MOOR_OK)
        *out = p;
    return c;
}

moor_code builtin_place_at(const struct builtin_place *p, uint32_t seq, struct builtin_place *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    struct builtin_place other = *p;
    other.seq = seq;
    moor_code c = fill(&other, arena, err);
    if (c == MOOR_OK)
        *out = other;
    return c;
}

static void memory_path(const struct builtin_place *p, struct moor_buf *out)
{
    moor_buf_fmt(out, "%s/%s%smrseq", p->root, p->instance ? p->instance : "",
                 p->instance ? "." : "");
}

int64_t builtin_last_seq(const struct builtin_place *p)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32);
    uint32_t seq;
    memory_path(p, &path);
    if (plat_read_all(moor_buf_cstr(&path), 32, &text, NULL) != MOOR_OK ||
        moor_parse_u32(moor_span_trim(moor_buf_view(&text)), 0, INT32_MAX, &seq, NULL) != MOOR_OK)
        return -1;
    return seq;
}

moor_code builtin_set_last_seq(const struct builtin_place *p, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32);
    memory_path(p, &path);
    moor_buf_fmt(&text, "%" PRIu32, p->seq);
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

moor_code builtin_forget(const struct builtin_place *p, struct moor_error *err)
{
    const char *const files[] = { p->script, p->child, p->result, p->started };
    MOOR_AUTO(moor_buf) memory = MOOR_BUF(4096);
    memory_path(p, &memory);
    moor_code c = plat_remove(moor_buf_cstr(&memory), err);
    if (c == MOOR_OK)
        c = plat_remove_tree(p->work, err);
    for (size_t i = 0; i < MOOR_COUNTOF(files) && c == MOOR_OK; i++)
        c = plat_remove(files[i], err);
    return c;
}

static void status_path(const struct builtin_place *p, struct moor_buf *out)
{
    moor_buf_fmt(out, "%s/", p->env.status_folder);
    moor_buf_status_name(out, p->instance, p->seq);
}

moor_code builtin_report(const struct builtin_place *p, const char *name, moor_status_state state,
                         int64_t code, const char *message, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_STATUS_REPORT_MAX);
    const struct moor_status_entry entry = { name, "Enable", state, code, message, plat_utc_ms() };
    status_path(p, &path);
    moor_buf_status(&text, &entry);
    moor_code c = moor_buf_ok(&text, "status", err);
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

bool builtin_reported(const struct builtin_place *p, struct moor_handler_status *out,
                      struct moor_arena *arena)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_STATUS_MAX);
    status_path(p, &path);
    return plat_read_all(moor_buf_cstr(&path), MOOR_STATUS_MAX, &text, NULL) == MOOR_OK &&
           moor_status_parse(moor_buf_view(&text), out, arena, NULL) == MOOR_OK &&
           out->state != MOOR_STATUS_NONE;
}

void builtin_buf_tail(struct moor_buf *b, const struct builtin_place *p, const char *name)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    char tail[OUTPUT_TAIL];
    struct plat_stat st;
    size_t got = 0;
    moor_buf_fmt(&path, "%s/%s", p->work, name);
    if (plat_open(moor_buf_cstr(&path), PLAT_READ, &f, NULL) != MOOR_OK ||
        plat_fstat(&f, &st, NULL) != MOOR_OK)
        return;
    uint64_t from = st.size > sizeof(tail) ? st.size - sizeof(tail) : 0;
    if (plat_read_at(&f, from, tail, sizeof(tail), &got, NULL) == MOOR_OK)
        moor_utf8_repair(b, moor_span(tail, got));
}
