/* SPDX-License-Identifier: Apache-2.0 */
/* mooring logs */
#include <string.h>

#include "base/timefmt.h"
#include "cli/bundle.h"
#include "cli/cli.h"
#include "cli/known_secrets.h"
#include "cli/show.h"
#include "core/settings.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/eventlog.h"
#include "platform/host.h"
#include "platform/self.h"

#define ARENA_MAX (1024 * 1024)
#define ENTRY_MAX 65536
#define DAY_MS    (INT64_C(24) * 3600 * 1000)
#define MIB       (1024UL * 1024)

struct logs_options {
    bool full;
    const char *output;
};
static const struct moor_option logs_options[] = {
    { "full", 'f', NULL, offsetof(struct logs_options, full),
      "also older files, and more of each" },
    { "output", 'o', "FILE", offsetof(struct logs_options, output),
      "the zip to make; default: azcmagent-TIME-COMPUTER.zip here" },
    { NULL, 0, NULL, 0, NULL },
};

static const char *const documents[] = { ".json", ".backup", NULL };
static const char *const statuses[] = { ".status", "HandlerManifest.json", "HeartBeat.Json",
                                        "HandlerEnvironment.json", NULL };

/* What is taken; nothing else is. Keys, tokens and settings of handlers are not among it. */
static const struct {
    plat_dir dir;
    const char *below, *name;
    const char *const *endings; /* NULL: all */
    unsigned depth;
} sources[] = {
    { PLAT_DIR_STATE, "", "state", documents, 0 },
    { PLAT_DIR_LOG, "", "log", NULL, 0 },
    { PLAT_DIR_ETC, "", "etc", documents, 1 },
    { PLAT_DIR_LIB, "/rules.d", "rules", documents, 0 },
    { PLAT_DIR_LIB, "/logs", "logs", documents, 0 },
    { PLAT_DIR_GUESTCONFIG, "/manager/state.json", "extensions/state.json", NULL, 0 },
    { PLAT_DIR_GUESTCONFIG, "/ext_mgr_logs", "extensions/manager", NULL, 0 },
    { PLAT_DIR_GUESTCONFIG, "/extension_logs", "extensions/output", NULL, 2 },
    { PLAT_DIR_HANDLERS, "", "extensions/handlers", statuses, 2 },
    { PLAT_DIR_HANDLER_LOGS, "", "extensions/log", NULL, 3 },
};

static void collect(struct moor_bundle *b)
{
    for (size_t i = 0; i < MOOR_COUNTOF(sources); i++) {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
        moor_buf_fmt(&path, "%s%s", plat_dir_path(sources[i].dir), sources[i].below);
        if (moor_span_ends(moor_buf_view(&path), ".json"))
            moor_bundle_file(b, moor_buf_cstr(&path), sources[i].name);
        else
            moor_bundle_tree(b, moor_buf_cstr(&path), sources[i].name, sources[i].endings,
                             sources[i].depth);
    }
}

static void collect_show(struct moor_cli *cli, struct moor_bundle *b)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MIB);
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_show_collect(cli, v, &err) != MOOR_OK)
        moor_json_set_str(v, "error", err.msg);
    moor_buf_json_pretty(&text, v);
    moor_bundle_text(b, "show.json", moor_buf_view(&text));
}

/* Lines whose end is kept: the older half is dropped when the newer one is full. */
struct tail {
    struct moor_buf older, newer;
};

static void add_entry(struct tail *t, const struct plat_event *e)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF(ENTRY_MAX);
    moor_buf_rfc3339(&line, e->time_ms);
    moor_buf_fmt(&line, " %.*s: ", (int)e->unit.n, e->unit.p ? e->unit.p : "");
    moor_buf_span(&line, e->message);
    moor_buf_char(&line, '\n');
    if (line.failed)
        return;
    if (t->newer.len + line.len > t->newer.max) {
        moor_buf_drop(&t->older);
        t->older = t->newer;
        t->newer = (struct moor_buf)MOOR_BUF(t->older.max);
    }
    moor_buf_span(&t->newer, moor_buf_view(&line));
}

/* What the units wrote; of a trial, what lies below its root. */
static moor_code read_journal(bool full, struct tail *t, struct moor_error *err)
{
    static const char *const units[] = { "mooring-identity.service", "mooring-extensions.service",
                                         "mooring-logs.service" };
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(4096);
    MOOR_AUTOPTR(plat_eventlog) log = NULL;
    struct plat_event e;
    moor_buf_fmt(&folder, "%s/var/log/journal", plat_dirs_root());
    const struct plat_eventlog_opts opts = { *plat_dirs_root() ? moor_buf_cstr(&folder) : NULL,
                                             units, MOOR_COUNTOF(units) };
    moor_code c = plat_eventlog_open(&opts, &log, err);
    if (c == MOOR_OK)
        c = plat_eventlog_seek_time(log, plat_utc_ms() - (full ? 7 : 1) * DAY_MS, err);
    while (c == MOOR_OK && (c = plat_eventlog_next(log, &e, err)) == MOOR_OK)
        add_entry(t, &e);
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}

static void collect_journal(bool full, size_t max, struct moor_bundle *b)
{
    struct tail t = { MOOR_BUF(max / 2), MOOR_BUF(max / 2) };
    MOOR_AUTO(moor_buf) text = MOOR_BUF(max + ENTRY_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = read_journal(full, &t, &err);
    moor_buf_span(&text, moor_buf_view(&t.older));
    moor_buf_span(&text, moor_buf_view(&t.newer));
    if (c != MOOR_OK)
        moor_buf_fmt(&text, "(the journal cannot be read: %s)\n", err.msg);
    moor_bundle_text(b, "journal.log", moor_buf_view(&text));
    moor_buf_drop(&t.older);
    moor_buf_drop(&t.newer);
}

/* azcmagent-2026-11-22T2120-computer.zip */
static void default_name(struct moor_buf *out)
{
    struct plat_host host;
    char now[MOOR_RFC3339_LEN + 1];
    plat_host_read(&host);
    moor_rfc3339_format(plat_utc_ms(), now);
    moor_buf_str(out, "azcmagent-");
    for (size_t i = 0; i < 19; i++)
        if (now[i] != ':')
            moor_buf_char(out, now[i]);
    moor_buf_fmt(out, "-%.*s.zip", (int)strcspn(host.hostname, "./"), host.hostname);
}

static moor_code write_bundle(struct moor_cli *cli, const struct logs_options *o, const char *path,
                              size_t *files, struct moor_error *err)
{
    const struct moor_bundle_limits brief = { 2 * MIB, 64 * MIB, false };
    const struct moor_bundle_limits full = { 64 * MIB, 512 * MIB, true };
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOPTR(moor_redactor) redactor = NULL;
    MOOR_AUTOPTR(moor_bundle) bundle = NULL;
    struct moor_settings settings;
    moor_code c = moor_redactor_new(&redactor, err);
    if (c == MOOR_OK)
        c = moor_bundle_new(redactor, o->full ? &full : &brief, &bundle, err);
    if (c != MOOR_OK)
        return c;
    (void)moor_cli_settings(cli, &settings, &arena);
    moor_known_secrets(redactor, &settings);
    collect_show(cli, bundle);
    collect(bundle);
    collect_journal(o->full, o->full ? full.file_max : brief.file_max, bundle);
    return moor_bundle_write(bundle, path, files, err);
}

static moor_azcm run_logs(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    const struct logs_options *o = options;
    MOOR_AUTO(moor_buf) name = MOOR_BUF(512);
    MOOR_AUTOSTR path = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    size_t files = 0;
    (void)words;
    if (o->output)
        moor_buf_str(&name, o->output);
    else
        default_name(&name);
    moor_code c = plat_absolute_path(moor_buf_cstr(&name), &path, &err);
    if (c == MOOR_OK)
        c = write_bundle(cli, o, path, &files, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_LOGGER, &err, NULL);
    if (!cli->json) {
        moor_say("%s\n", path);
        return AZCM_OK;
    }
    MOOR_AUTOPTR(moor_json) answer = moor_json_new_object();
    moor_json_set_str(answer, "file", path);
    moor_json_set_int(answer, "files", (int64_t)files);
    moor_say_json(answer);
    return AZCM_OK;
}

const struct moor_verb moor_verb_logs = {
    .name = "logs",
    .words = "",
    .summary = "collect logs and states in a zip, without secrets",
    .text = "Taken are the documents and logs of the agent, the outputs, logs and statuses of\n"
            "extensions, what show says, and what the services wrote to the journal in the last\n"
            "day (with --full, week); of a long file its end. Keys, tokens and handlers'\n"
            "settings are never taken. What is secret on this machine, and what looks like a\n"
            "secret, is removed from the rest. manifest.txt in it says what was left out. Look\n"
            "into it all the same before it is given away.\n",
    .options = logs_options,
    .options_size = sizeof(struct logs_options),
    .admin = true,
    .run = run_logs,
};
