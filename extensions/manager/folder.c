/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/folder.h"

#include "base/text.h"
#include "contract/environment.h"
#include "contract/names.h"
#include "contract/settings.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"

#include <string.h>

#define PATH_LIMIT     4096
#define HEARTBEAT_NAME "heartbeat.log"
#define HEARTBEAT_MAX  (64 * 1024)
#define MRSEQ_MAX      32

void moor_buf_folder_instance(struct moor_buf *b, const struct moor_item *i)
{
    if (i->multi)
        moor_buf_instance_name(b, i->name);
}

moor_code moor_folder_path(const struct moor_item *i, bool old, char **out, struct moor_error *err)
{
    MOOR_AUTOSTR name = NULL;
    moor_code c =
        moor_handler_folder(i->publisher, i->type, old ? i->old_version : i->version, &name, err);
    if (c != MOOR_OK)
        return moor_context(err, "extension %s", i->name);
    return plat_path(PLAT_DIR_HANDLERS, out, err, "%s", name);
}

/* The folders a handler is told of; strings in the arena. */
static moor_code environment_of(const struct moor_item *i, const char *folder,
                                struct moor_handler_environment *out, struct moor_arena *arena,
                                struct moor_error *err)
{
    const char *logs = plat_dir_path(PLAT_DIR_HANDLER_LOGS);
    out->name = moor_arena_fmt(arena, "%s.%s", i->publisher, i->type);
    out->log_folder = moor_arena_fmt(arena, "%s/%s", logs, out->name ? out->name : "");
    out->config_folder = moor_arena_fmt(arena, "%s/config", folder);
    out->status_folder = moor_arena_fmt(arena, "%s/status", folder);
    out->heartbeat_file = moor_arena_fmt(arena, "%s/" HEARTBEAT_NAME, folder);
    out->events_folder = moor_arena_fmt(arena, "%s/%s/events", logs, out->name ? out->name : "");
    if (!out->name || !out->log_folder || !out->config_folder || !out->status_folder ||
        !out->heartbeat_file || !out->events_folder)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
    return MOOR_OK;
}

static moor_code make_folders(const struct moor_handler_environment *e, struct moor_error *err)
{
    const struct {
        const char *path;
        plat_access access;
    } folders[] = {
        { e->log_folder, PLAT_WORLD_READ },
        { e->events_folder, PLAT_OWNER_ONLY },
        { e->config_folder, PLAT_OWNER_ONLY },
        { e->status_folder, PLAT_OWNER_ONLY },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(folders); n++) {
        moor_code c = plat_make_dirs(folders[n].path, folders[n].access, err);
        if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

static moor_code write_environment(const char *folder, const struct moor_handler_environment *e,
                                   struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_ENVIRONMENT_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    moor_buf_fmt(&path, "%s/%s", folder, MOOR_ENVIRONMENT_NAME);
    moor_buf_handler_environment(&text, e);
    moor_code c = moor_buf_ok(&text, MOOR_ENVIRONMENT_NAME, err);
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

/* What <seq>.settings shall hold, and where it is. */
static moor_code settings_file(const struct moor_item *i, const struct moor_desired_extension *goal,
                               const char *folder, struct moor_buf *path, struct moor_buf *text,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX);
    const struct moor_handler_settings s = { goal->public_settings, goal->protected_settings,
                                             goal->protected_thumbprint };
    if (s.public_settings || s.protected_settings)
        moor_buf_handler_settings(text, &s);
    moor_buf_folder_instance(&instance, i);
    moor_buf_fmt(path, "%s/config/", folder);
    moor_buf_settings_name(path, moor_buf_cstr(&instance), i->seq);
    moor_code c = moor_buf_ok(text, "settings", err);
    return c == MOOR_OK ? c : moor_context(err, "extension %s", i->name);
}

moor_code moor_folder_write_settings(const struct moor_item *i,
                                     const struct moor_desired_extension *goal,
                                     struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    struct moor_handler_environment e;
    moor_code c = moor_folder_path(i, false, &folder, err);
    if (c == MOOR_OK)
        c = environment_of(i, folder, &e, &arena, err);
    if (c == MOOR_OK)
        c = make_folders(&e, err);
    if (c == MOOR_OK)
        c = write_environment(folder, &e, err);
    if (c == MOOR_OK)
        c = settings_file(i, goal, folder, &path, &text, err);
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

moor_code moor_folder_restore_settings(const struct moor_item *i,
                                       const struct moor_desired_extension *goal,
                                       struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    MOOR_AUTO(moor_buf) there = MOOR_BUF(MOOR_SETTINGS_MAX);
    moor_code c = moor_folder_path(i, false, &folder, err);
    if (c == MOOR_OK && !plat_exists(folder))
        return MOOR_OK; /* the command finds that out */
    if (c == MOOR_OK)
        c = settings_file(i, goal, folder, &path, &text, err);
    if (c != MOOR_OK)
        return c;
    if (plat_read_all(moor_buf_cstr(&path), MOOR_SETTINGS_MAX, &there, NULL) == MOOR_OK &&
        moor_span_eq(moor_buf_view(&there), moor_buf_view(&text)))
        return MOOR_OK;
    return moor_folder_write_settings(i, goal, err);
}

moor_code moor_folder_settings(const struct moor_item *i, struct moor_handler_settings *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    moor_code c = moor_folder_path(i, false, &folder, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_folder_instance(&instance, i);
    moor_buf_fmt(&path, "%s/config/", folder);
    moor_buf_settings_name(&path, moor_buf_cstr(&instance), i->seq);
    c = plat_read_all(moor_buf_cstr(&path), MOOR_SETTINGS_MAX, &text, err);
    return c == MOOR_OK ? moor_handler_settings_parse(moor_buf_view(&text), out, arena, err) : c;
}

struct copy {
    const char *from, *to;
    moor_code code;
    struct moor_error *err;
};

static moor_code copy_file(const char *from, const char *to, const char *name,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) source = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) target = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(MOOR_STATUS_MAX);
    moor_buf_fmt(&source, "%s/%s", from, name);
    moor_buf_fmt(&target, "%s/%s", to, name);
    moor_code c = plat_read_all(moor_buf_cstr(&source), MOOR_STATUS_MAX, &bytes, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(moor_buf_cstr(&target), moor_buf_view(&bytes), PLAT_OWNER_ONLY, err);
}

static bool copy_status(void *ctx, const char *name, const struct plat_stat *st)
{
    struct copy *copy = ctx;
    uint32_t seq;
    if (st->is_file && moor_status_name_seq(name, &seq))
        copy->code = copy_file(copy->from, copy->to, name, copy->err);
    return copy->code == MOOR_OK;
}

moor_code moor_folder_copy_memory(const struct moor_item *i, struct moor_error *err)
{
    MOOR_AUTOSTR old = NULL;
    MOOR_AUTOSTR new = NULL;
    MOOR_AUTO(moor_buf) from = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) to = MOOR_BUF(PATH_LIMIT);
    moor_code c = moor_folder_path(i, true, &old, err);
    if (c == MOOR_OK)
        c = moor_folder_path(i, false, &new, err);
    if (c == MOOR_OK)
        c = copy_file(old, new, "mrseq", err);
    if (c != MOOR_OK)
        return c;
    moor_buf_fmt(&from, "%s/status", old);
    moor_buf_fmt(&to, "%s/status", new);
    c = plat_make_dirs(moor_buf_cstr(&to), PLAT_OWNER_ONLY, err);
    if (c != MOOR_OK)
        return c;
    struct copy copy = { moor_buf_cstr(&from), moor_buf_cstr(&to), MOOR_OK, err };
    c = plat_list_dir(copy.from, copy_status, &copy, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    return c == MOOR_OK ? copy.code : c;
}

struct leave {
    const char *folder, *prefix;
    moor_code code;
    struct moor_error *err;
};

static bool leave_one(void *ctx, const char *name, const struct plat_stat *st)
{
    struct leave *l = ctx;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    uint32_t seq;
    if (!st->is_file || !moor_span_starts(moor_span_str(name), l->prefix) ||
        (!moor_status_name_seq(name, &seq) && !moor_settings_name_seq(name, &seq)))
        return true;
    moor_buf_fmt(&path, "%s/%s", l->folder, name);
    l->code = plat_remove(moor_buf_cstr(&path), l->err);
    return l->code == MOOR_OK;
}

moor_code moor_folder_leave(const struct moor_item *i, struct moor_error *err)
{
    static const char *const parts[] = { "config", "status" };
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) prefix = MOOR_BUF(MOOR_INSTANCE_MAX + 1);
    if (!i->multi || !*i->version)
        return MOOR_OK;
    moor_buf_instance_name(&prefix, i->name);
    moor_buf_char(&prefix, '.');
    moor_code c = moor_folder_path(i, false, &folder, err);
    for (size_t n = 0; n < MOOR_COUNTOF(parts) && c == MOOR_OK; n++) {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
        moor_buf_fmt(&path, "%s/%s", folder, parts[n]);
        struct leave l = { moor_buf_cstr(&path), moor_buf_cstr(&prefix), MOOR_OK, err };
        c = plat_list_dir(l.folder, leave_one, &l, err);
        c = c == MOOR_E_NOTFOUND ? MOOR_OK : c == MOOR_OK ? l.code : c;
    }
    return c;
}

moor_code moor_folder_manifest(const struct moor_item *i, bool old, struct moor_manifest *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_MANIFEST_MAX);
    moor_code c = moor_folder_path(i, old, &folder, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_fmt(&path, "%s/%s", folder, MOOR_MANIFEST_NAME);
    c = plat_read_all(moor_buf_cstr(&path), MOOR_MANIFEST_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_manifest_parse(moor_buf_view(&text), out, arena, err);
    return c == MOOR_OK ? c : moor_context(err, "extension %s", i->name);
}

static moor_code status_path(const struct moor_item *i, struct moor_buf *path,
                             struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c = moor_folder_path(i, false, &folder, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX);
    moor_buf_folder_instance(&instance, i);
    moor_buf_fmt(path, "%s/status/", folder);
    moor_buf_status_name(path, moor_buf_cstr(&instance), i->seq);
    return moor_buf_ok(path, "status path", err);
}

moor_code moor_folder_status(const struct moor_item *i, struct moor_handler_status *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_STATUS_MAX);
    moor_code c = status_path(i, &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(moor_buf_cstr(&path), MOOR_STATUS_MAX, &text, err);
    return c == MOOR_OK ? moor_status_parse(moor_buf_view(&text), out, arena, err) : c;
}

bool moor_folder_had_number(const struct moor_item *i)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MRSEQ_MAX);
    uint32_t seq;
    if (i->multi || moor_folder_path(i, false, &folder, NULL) != MOOR_OK)
        return false;
    moor_buf_fmt(&path, "%s/mrseq", folder);
    return plat_read_all(moor_buf_cstr(&path), MRSEQ_MAX, &text, NULL) == MOOR_OK &&
           moor_parse_u32(moor_span_trim(moor_buf_view(&text)), 0, UINT32_MAX, &seq, NULL) ==
               MOOR_OK &&
           seq >= i->seq;
}

int64_t moor_folder_status_time_ms(const struct moor_item *i)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    struct plat_stat st;
    if (status_path(i, &path, NULL) != MOOR_OK ||
        plat_stat_path(moor_buf_cstr(&path), &st, NULL) != MOOR_OK)
        return 0;
    return st.mtime_ms;
}

moor_code moor_folder_heartbeat(const struct moor_item *i, struct moor_handler_heartbeat *out,
                                int64_t *age_ms, struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(HEARTBEAT_MAX);
    struct moor_manifest manifest;
    struct plat_stat st;
    moor_code c = moor_folder_manifest(i, false, &manifest, arena, err);
    if (c != MOOR_OK || !manifest.report_heartbeat)
        return MOOR_E_UNSUPPORTED;
    c = moor_folder_path(i, false, &folder, err);
    moor_buf_fmt(&path, "%s/" HEARTBEAT_NAME, folder ? folder : "");
    if (c == MOOR_OK)
        c = plat_stat_path(moor_buf_cstr(&path), &st, err);
    if (c == MOOR_OK)
        c = plat_read_all(moor_buf_cstr(&path), HEARTBEAT_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_heartbeat_parse(moor_buf_view(&text), out, arena, err);
    if (c == MOOR_OK)
        *age_ms = plat_utc_ms() - st.mtime_ms;
    return c;
}

static bool drop_event(void *ctx, const char *name, const struct plat_stat *st)
{
    const char *folder = ctx;
    size_t digits = strspn(name, "0123456789");
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    bool event =
        digits > 0 && (strcmp(name + digits, ".json") == 0 || strcmp(name + digits, ".tld") == 0);
    if (!st->is_file || !event)
        return true;
    moor_buf_fmt(&path, "%s/%s", folder, name);
    moor_code c = plat_remove(moor_buf_cstr(&path), NULL);
    (void)c; /* the next look tries again */
    return true;
}

void moor_folder_drop_events(const struct moor_item *i)
{
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(PATH_LIMIT);
    moor_buf_fmt(&folder, "%s/%s.%s/events", plat_dir_path(PLAT_DIR_HANDLER_LOGS), i->publisher,
                 i->type);
    moor_code c = plat_list_dir(moor_buf_cstr(&folder), drop_event, folder.data, NULL);
    (void)c; /* not there: none were written */
}

void moor_folder_drop_old_events(void)
{
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(PATH_LIMIT);
    moor_buf_fmt(&folder, "%s/events", plat_dir_path(PLAT_DIR_HANDLERS));
    moor_code c = plat_list_dir(moor_buf_cstr(&folder), drop_event, folder.data, NULL);
    (void)c; /* not there: no handler is that old */
}
