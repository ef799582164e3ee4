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
#include "platform/host.h"
#include "platform/self.h"

#define ARENA_MAX (1024 * 1024)
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
    moor_tell(cli, "the units' own words: journalctl -u 'mooring-*'");
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
            "extensions, and what show says; of a long file its end. Keys, tokens and handlers'\n"
            "settings are never taken. What is secret on this machine, and what looks like a\n"
            "secret, is removed from the rest. manifest.txt in it says what was left out. Look\n"
            "into it all the same before it is given away.\n",
    .options = logs_options,
    .options_size = sizeof(struct logs_options),
    .admin = true,
    .run = run_logs,
};
