/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension show: all that is known here of one extension. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "cli/extension.h"
#include "manager/command.h"
#include "manager/command_log.h"
#include "manager/folder.h"
#include "manager/report.h"
#include "platform/dirs.h"

#define ARENA_MAX (2 * 1024 * 1024)

/* What the administrator of this machine can do about a failure; by errorCode. */
static const struct {
    const char *code, *remedy;
} remedies[] = {
    { "DependencyFailed", "repair the extension that it names" },
    { "HandlerCommandFailed", "see `mooring extension logs`, mend the cause, then `mooring "
                              "extension repair`" },
    { "HandlerStatusMalformed", "the handler's own fault: see its logs, and ask its author" },
    { "HandlerTimeout", "see `mooring extension logs`; more time: setting "
                        "extensions.commandTimeouts" },
    { "InternalError", "see the log of the extensions role: journalctl -u mooring-extensions" },
    { "ItemInvalid", "what the service asks for cannot be done: correct the resource" },
    { "PackageCorrupt", "publish the package again, then `mooring extension repair`" },
    { "PackageDownloadFailed", "see `mooring check`; it is tried again by itself" },
    { "PackageInvalid", "judge the package with `mooring extension check`" },
    { "PackageSignatureInvalid", "see extensions.signatureRequired and /etc/mooring/trust.d" },
    { "PolicyDenied", "this machine's own settings refuse it: `mooring config list`" },
    { "SettingsUndecryptable", "put the extension again, with its protected settings" },
};

static const char *remedy_for(const char *code)
{
    for (size_t n = 0; n < MOOR_COUNTOF(remedies); n++)
        if (moor_streq(remedies[n].code, code))
            return remedies[n].remedy;
    return "";
}

static void set_time(struct moor_json *v, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1] = "";
    if (ms > 0)
        moor_rfc3339_format(ms, text);
    moor_json_set_str(v, name, text);
}

/* Names of the public settings; values may be what others must not read. */
static void add_settings(struct moor_json *v, const struct moor_item *i)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOPTR(moor_json) settings = NULL;
    struct moor_json *names = moor_json_set(v, "settings", moor_json_new_array());
    struct moor_handler_settings s = { NULL, NULL, NULL };
    if (moor_folder_settings(i, &s, &arena, NULL) == MOOR_OK && s.public_settings &&
        moor_json_parse_lenient(moor_span_str(s.public_settings), &settings, NULL) == MOOR_OK) {
        MOOR_JSON_EACH(member, settings)
        moor_json_push(names, moor_json_new_str(moor_json_name(member)));
    }
    moor_json_set_bool(v, "protectedSettings", s.protected_settings != NULL);
}

static void add_status(struct moor_json *v, const struct moor_item *i)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (*i->status && moor_json_parse(moor_span_str(i->status), &doc, NULL) == MOOR_OK)
        moor_json_set(v, "status", moor_json_copy(moor_json_get(doc, "status")));
    set_time(v, "statusTime", moor_folder_status_time_ms(i));
}

static void add_running(struct moor_json *v, const struct moor_item *i)
{
    if (!i->running.on)
        return;
    struct moor_json *r = moor_json_set(v, "running", moor_json_new_object());
    moor_json_set_str(r, "command", moor_handler_verb_name(i->running.verb));
    if (*i->running.unit)
        moor_json_set_str(r, "unit", i->running.unit);
    else
        moor_json_set_int(r, "pid", i->running.process.pid);
    set_time(r, "since", i->running.since_ms);
}

static void add_paths(struct moor_json *v, const struct moor_item *i)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOSTR log = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    struct moor_json *paths = moor_json_set(v, "paths", moor_json_new_object());
    if (*i->version && moor_folder_path(i, false, &folder, NULL) == MOOR_OK) {
        moor_json_set_str(paths, "folder", folder);
        moor_buf_fmt(&text, "%s/extension_logs/%s", plat_dir_path(PLAT_DIR_GUESTCONFIG),
                     strrchr(folder, '/') + 1);
        moor_json_set_str(paths, "output", moor_buf_cstr(&text));
    }
    if (moor_command_log_path(i, &log, NULL) == MOOR_OK) {
        moor_json_set_str(paths, "commandLog", log);
        moor_buf_reset(&text);
        moor_buf_add(&text, log, (size_t)(strrchr(log, '/') - log));
        moor_json_set_str(paths, "log", moor_buf_cstr(&text));
    }
}

static void add_limits(struct moor_json *v, const struct moor_item *i)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTO(moor_buf) name = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
    struct moor_manifest manifest;
    moor_buf_handler(&name, i);
    if (*i->version && moor_folder_manifest(i, false, &manifest, &arena, NULL) == MOOR_OK) {
        const struct plat_limits l = moor_command_limits(moor_buf_cstr(&name), &manifest);
        struct moor_json *limits = moor_json_set(v, "limits", moor_json_new_object());
        moor_json_set_int(limits, "cpuPercent", l.cpu_percent);
        moor_json_set_int(limits, "memoryBytes", (int64_t)l.memory_max);
        moor_json_set_int(limits, "tasks", l.tasks_max);
    }
}

static void add_numbers(struct moor_json *v, const struct moor_item *i)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        { "sequenceNumber", i->seq },
        { "settingsWrittenFor", i->settings_seq },
        { "enabledFor", i->enabled_seq },
        { "serviceSequenceNumber", (int64_t)i->service_seq },
        { "code", i->code },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(numbers); n++)
        moor_json_set_int(v, numbers[n].name, numbers[n].value);
}

static struct moor_json *all_of(const struct moor_item *i, const char *way)
{
    struct moor_json *v = moor_cli_extension_json(i, way);
    moor_json_set_str(v, "remedy", remedy_for(i->error_code));
    moor_json_set_str(v, "phase", moor_phase_name(i->phase));
    moor_json_set_str(v, "oldVersion", i->old_version);
    moor_json_set_str(v, "heldVersion", i->held_version);
    moor_json_set_bool(v, "multiConfig", i->multi);
    add_numbers(v, i);
    add_settings(v, i);
    add_status(v, i);
    add_running(v, i);
    add_paths(v, i);
    add_limits(v, i);
    return v;
}

#define LINE "%-28s: %s\n"

static const struct {
    const char *label, *path;
} rows[] = {
    { "Name", "name" },
    { "Publisher", "publisher" },
    { "Type", "type" },
    { "Version", "version" },
    { "Updating From", "oldVersion" },
    { "Version Held Back", "heldVersion" },
    { "State", "state" },
    { "Provisioning State", "provisioningState" },
    { "Error Code", "errorCode" },
    { "Remedy", "remedy" },
    { "Message", "message" },
    { "Sequence Number", "sequenceNumber" },
    { "Enabled For Number", "enabledFor" },
    { "Number Of The Service", "serviceSequenceNumber" },
    { "Settings", "settings" },
    { "Protected Settings", "protectedSettings" },
    { "Status", "status.status" },
    { "Status Operation", "status.operation" },
    { "Status Written", "statusTime" },
    { "Running Command", "running.command" },
    { "Running Process", "running.pid" },
    { "Running Unit", "running.unit" },
    { "Running Since", "running.since" },
    { "Folder", "paths.folder" },
    { "Log Folder", "paths.log" },
    { "Command Log", "paths.commandLog" },
    { "Output Of Commands", "paths.output" },
    { "CPU Limit (percent)", "limits.cpuPercent" },
    { "Memory Limit (bytes)", "limits.memoryBytes" },
    { "Tasks Limit", "limits.tasks" },
    { "CPU Used (ms)", "usage.cpuMilliseconds" },
    { "Memory Used (bytes)", "usage.memoryBytes" },
};

static void add_text(struct moor_buf *b, const struct moor_json *v)
{
    int64_t n = 0;
    bool yes = false;
    if (moor_json_str(v))
        moor_buf_str(b, moor_json_str(v));
    else if (moor_json_int(v, &n))
        moor_buf_fmt(b, "%" PRId64, n);
    else if (moor_json_bool(v, &yes))
        moor_buf_str(b, yes ? "yes" : "no");
    MOOR_JSON_EACH(item, v)
    moor_buf_fmt(b, "%s%s", b->len ? ", " : "", moor_json_str(item) ? moor_json_str(item) : "");
}

static void say_all(const struct moor_json *v)
{
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(64 * 1024);
        add_text(&text, moor_json_path(v, rows[n].path));
        for (size_t k = 0; k < text.len; k++) /* one line each, and nothing for the terminal */
            if ((unsigned char)text.data[k] < ' ' || text.data[k] == 0x7F)
                text.data[k] = ' ';
        if (text.len)
            moor_say(LINE, rows[n].label, moor_buf_cstr(&text));
    }
}

static moor_azcm run_show(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTO(moor_items) items = { .count = 0 };
    const struct moor_item *i = NULL;
    (void)options;
    moor_azcm number = moor_cli_extension_named(cli, words, &items, &i);
    if (number != AZCM_OK)
        return number;
    MOOR_AUTOPTR(moor_json) v = all_of(i, items.way);
    if (cli->json)
        moor_say_json(v);
    else
        say_all(v);
    return AZCM_OK;
}

const struct moor_verb moor_verb_extension_show = {
    .name = "extension show",
    .words = "NAME",
    .summary = "show one extension of this machine",
    .text =
        "NAME is the extension's, or Publisher.Type. State, numbers, versions, names of settings\n"
        "(values are not shown), the last status, the error with what helps, paths and limits,\n"
        "connected or not.\n",
    .words_min = 1,
    .words_max = 1,
    .admin = true,
    .run = run_show,
};
