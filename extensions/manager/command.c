/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/command.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"
#include "contract/names.h"
#include "http/proxy.h"
#include "manager/command_log.h"
#include "manager/describe.h"
#include "manager/folder.h"
#include "manager/launch.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_TAIL 1600
#define ENV_MAX     24
#define TASKS_MAX   8192 /* far above what any handler starts, far below what hurts */
#define SIGNAL_KILL 9
#define SIGNAL_TERM 15

#define LOG_MAX (128 * 1024) /* of one entry of the command log */

struct moor_command {
    struct moor_launched *launched;
    const struct moor_item *item;
    uint64_t timeout_ms;
    moor_command_fn done;
    void *ctx;
    char *out_path, *err_path;
};

/* The reference agent's limits. */
static const uint64_t timeouts_ms[MOOR_VERB_COUNT_] = {
    [MOOR_VERB_INSTALL] = 900000, [MOOR_VERB_UPDATE] = 900000,    [MOOR_VERB_ENABLE] = 300000,
    [MOOR_VERB_DISABLE] = 900000, [MOOR_VERB_UNINSTALL] = 300000,
};

void moor_command_timeouts(const struct moor_str_list *settings, uint64_t out[MOOR_VERB_COUNT_])
{
    for (int v = 0; v < MOOR_VERB_COUNT_; v++) {
        out[v] = timeouts_ms[v];
        for (size_t n = 0; n < settings->count; n++) {
            struct moor_span rest = moor_span_str(settings->items[n]);
            struct moor_span verb = moor_span_cut(&rest, '=');
            uint32_t seconds;
            if (moor_span_eq_str(verb, moor_handler_verb_name((moor_handler_verb)v)) &&
                moor_parse_u32(rest, 1, 86400, &seconds, NULL) == MOOR_OK)
                out[v] = (uint64_t)seconds * 1000;
        }
    }
}

void moor_command_free(struct moor_command *c)
{
    if (!c)
        return;
    moor_launched_free(c->launched);
    free(c->out_path);
    free(c->err_path);
    free(c);
}

static void add_tail(struct moor_buf *b, const char *path)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    char tail[OUTPUT_TAIL];
    struct plat_stat st;
    size_t got = 0;
    if (plat_open(path, PLAT_READ, &f, NULL) != MOOR_OK || plat_fstat(&f, &st, NULL) != MOOR_OK)
        return;
    uint64_t from = st.size > sizeof(tail) ? st.size - sizeof(tail) : 0;
    if (plat_read_at(&f, from, tail, sizeof(tail), &got, NULL) == MOOR_OK)
        moor_utf8_repair(b, moor_span(tail, got));
}

/* The shell in between says 128 + N of a handler that signal N ended. Only the two that others
 * send are taken for it: handlers may use the rest as exit codes of their own. */
static struct plat_exit seen_through_shell(struct plat_exit how)
{
    if (!how.signaled && (how.code == 128 + SIGNAL_KILL || how.code == 128 + SIGNAL_TERM))
        return (struct plat_exit){ true, how.code - 128 };
    return how;
}

static void log_start(const struct moor_command *c, const char *line, const char *const *env)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LOG_MAX);
    moor_buf_fmt(&text, "%s, number %" PRIu32 ": %s\n",
                 moor_handler_verb_name(c->item->running.verb), c->item->seq, line);
    for (; *env; env++)
        moor_buf_fmt(&text, "    %s\n", *env);
    moor_command_log_add(c->item, moor_buf_view(&text));
}

static void log_end(const struct moor_command *c, const struct moor_command_result *r)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LOG_MAX);
    moor_buf_command_end(&text, c->item->running.verb, c->timeout_ms, r);
    moor_buf_fmt(&text, "\n%s\n", r->output);
    moor_command_log_add(c->item, moor_buf_view(&text));
}

static void on_end(void *ctx, const struct moor_launch_end *end)
{
    struct moor_command *c = ctx;
    MOOR_AUTO(moor_buf) output = MOOR_BUF(8 * OUTPUT_TAIL);
    moor_buf_str(&output, "[stdout]\n");
    add_tail(&output, c->out_path);
    moor_buf_str(&output, "\n\n[stderr]\n");
    add_tail(&output, c->err_path);
    struct plat_exit how = seen_through_shell(end->how);
    const struct moor_command_result result = { .error = end->error,
                                                .lost = end->lost,
                                                .signaled = how.signaled,
                                                .timed_out = end->timed_out,
                                                .oom = end->oom,
                                                .code = how.code,
                                                .output = moor_buf_cstr(&output) };
    log_end(c, &result);
    c->done(c->ctx, &result);
}

/* The line goes through the shell, as the contract demands; what we put in front of it must not
 * mean anything to the shell. */
static moor_code check_plain(const char *folder, struct moor_error *err)
{
    for (const char *p = folder; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("/._-+", *p);
        if (!plain)
            return moor_fail(err, MOOR_E_UNSUPPORTED,
                             "%s: handlers cannot run below a path with other characters than "
                             "letters, digits and /._-+",
                             folder);
    }
    return MOOR_OK;
}

static const char *const fixed_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "AZURE_GUEST_AGENT_EXTENSION_SUPPORTED_FEATURES="
    "[{\"Key\": \"ExtensionTelemetryPipeline\", \"Value\": \"1.0\"}]",
};

/* A list of "NAME=value" that remembers whether memory ran out. */
struct env {
    struct moor_arena *arena;
    const char **list;
    size_t n;
    bool failed;
};

static void add(struct env *e, const char *name, const char *value)
{
    const char *text = value ? moor_arena_fmt(e->arena, "%s=%s", name, value) : NULL;
    e->failed = e->failed || !text || e->n + 1 >= ENV_MAX;
    if (!e->failed)
        e->list[e->n++] = text;
}

static void add_number(struct env *e, const char *name, int64_t value)
{
    add(e, name, moor_arena_fmt(e->arena, "%" PRId64, value));
}

static void add_exit(struct env *e, const char *name, int64_t code)
{
    if (code == MOOR_EXIT_NOT_RUN)
        add(e, name, "NOT_RUN");
    else
        add_number(e, name, code);
}

/* What is said about the old version, to the commands that the contract says. */
static void add_update(struct env *e, const struct moor_command_opts *o)
{
    const struct moor_item *i = o->item;
    moor_handler_verb verb = i->running.verb;
    if (verb == MOOR_VERB_INSTALL || verb == MOOR_VERB_ENABLE)
        add_exit(e, "AZURE_GUEST_AGENT_UNINSTALL_CMD_EXIT_CODE", i->uninstall_exit);
    if (verb != MOOR_VERB_UPDATE)
        return;
    if (o->disable_exits)
        add(e, "AZURE_GUEST_AGENT_DISABLE_CMD_EXIT_CODES_MULTIPLE_EXTENSIONS", o->disable_exits);
    else
        add_exit(e, "AZURE_GUEST_AGENT_DISABLE_CMD_EXIT_CODE", i->disable_exit);
    add(e, "VERSION", i->version);
    add(e, "AZURE_GUEST_AGENT_UPDATING_FROM_VERSION", i->old_version);
}

/* In every spelling that programs look for, without the password; what is on this machine or a
 * host of its own is reached directly. */
static void add_proxy(struct env *e, const struct moor_proxy *proxy)
{
    static const char *const urls[] = { "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY" };
    static const char *const exceptions[] = { "no_proxy", "NO_PROXY" };
    if (!proxy || !proxy->url)
        return;
    const char *direct = moor_arena_fmt(
        e->arena, "localhost,127.0.0.1,::1,169.254.169.254,168.63.129.16%s%s",
        proxy->bypass && *proxy->bypass ? "," : "", proxy->bypass ? proxy->bypass : "");
    for (size_t n = 0; n < MOOR_COUNTOF(urls); n++)
        add(e, urls[n], proxy->url);
    for (size_t n = 0; n < MOOR_COUNTOF(exceptions); n++)
        add(e, exceptions[n], direct);
}

static const char **make_env(const struct moor_command_opts *o, const char *folder,
                             struct moor_arena *arena)
{
    const struct moor_item *i = o->item;
    const char *url = moor_arena_fmt(arena, "http://localhost:%s", o->himds_port);
    struct env e = { arena, moor_arena_array(arena, ENV_MAX, sizeof(*e.list)), 0, false };
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX);
    if (!e.list || !url)
        return NULL;
    for (; e.n < MOOR_COUNTOF(fixed_env); e.n++)
        e.list[e.n] = fixed_env[e.n];
    add(&e, "AZURE_GUEST_AGENT_EXTENSION_PATH", folder);
    add(&e, "AZURE_GUEST_AGENT_EXTENSION_VERSION", i->running.old ? i->old_version : i->version);
    add_number(&e, "ConfigSequenceNumber", i->seq);
    if (i->multi) {
        moor_buf_instance_name(&instance, i->name);
        add(&e, "ConfigExtensionName", moor_buf_cstr(&instance));
    }
    add(&e, "IMDS_ENDPOINT", url);
    add(&e, "IDENTITY_ENDPOINT", moor_arena_fmt(arena, "%s/metadata/identity/oauth2/token", url));
    add_update(&e, o);
    add_proxy(&e, o->proxy);
    return e.failed ? NULL : e.list;
}

/* For appending: handlers open /dev/stdout by name besides, and neither overwrites the other. */
static moor_code open_output(const char *path, struct plat_file *out, struct moor_error *err)
{
    moor_code c = plat_remove(path, err);
    return c == MOOR_OK ? plat_open(path, PLAT_APPEND, out, err) : c;
}

static moor_code output_paths(struct moor_command *c, const struct moor_item *i, const char *folder,
                              struct moor_error *err)
{
    const char *name = strrchr(folder, '/') + 1;
    const char *verb = moor_handler_verb_name(i->running.verb);
    MOOR_AUTOSTR dir = NULL;
    moor_code code = plat_path(PLAT_DIR_GUESTCONFIG, &dir, err, "extension_logs/%s", name);
    if (code == MOOR_OK)
        code = plat_make_dirs(dir, PLAT_OWNER_ONLY, err);
    if (code == MOOR_OK)
        code = plat_path(PLAT_DIR_GUESTCONFIG, &c->out_path, err, "extension_logs/%s/%s.stdout",
                         name, verb);
    if (code == MOOR_OK)
        code = plat_path(PLAT_DIR_GUESTCONFIG, &c->err_path, err, "extension_logs/%s/%s.stderr",
                         name, verb);
    return code;
}

/* The reference agent's exceptions from its limit on processor time; a manifest's own word wins. */
static const struct {
    const char *handler;
    uint32_t cpu_percent;
} busy_handlers[] = {
    { "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent", 60 },
    { "Microsoft.Azure.AzureDefenderForServers.MDE.Linux", 60 },
    { "Microsoft.SoftwareUpdateManagement.LinuxOsUpdateExtension", 60 },
    { "Microsoft.EnterpriseCloud.Monitoring.OmsAgentForLinux", 60 },
};

struct plat_limits moor_command_limits(const char *handler, const struct moor_manifest *m)
{
    struct plat_limits l = { m->cpu_quota_percent, (uint64_t)m->memory_quota_mb << 20, TASKS_MAX };
    for (size_t n = 0; n < MOOR_COUNTOF(busy_handlers) && !l.cpu_percent; n++)
        if (moor_strcasecmp(handler, busy_handlers[n].handler) == 0)
            l.cpu_percent = busy_handlers[n].cpu_percent;
    return l;
}

void moor_buf_handler(struct moor_buf *b, const struct moor_item *i)
{
    moor_buf_fmt(b, "%s.%s", i->publisher, i->type);
}

static moor_code launch(struct moor_launcher *l, struct moor_command *cmd,
                        const struct moor_command_opts *o, const char *folder,
                        const struct plat_file *out, const struct plat_file *errors,
                        struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    MOOR_AUTO(moor_buf) handler = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
    const struct moor_item *i = o->item;
    struct moor_manifest m;
    moor_code c = moor_folder_manifest(i, i->running.old, &m, &arena, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_handler(&handler, i);
    const char *name = moor_buf_cstr(&handler);
    const char *line = moor_arena_fmt(&arena, "%s/%s", folder, m.command[i->running.verb]);
    const char *description = moor_arena_fmt(&arena, "Mooring extension %s: %s", name,
                                             moor_handler_verb_name(i->running.verb));
    const char **env = make_env(o, folder, &arena);
    if (!line || !description || !env)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
    const char *const argv[] = { "/bin/sh", "-c", line, NULL };
    const struct moor_launch how = { .unit = i->running.unit,
                                     .handler = name,
                                     .description = description,
                                     .limits = moor_command_limits(name, &m),
                                     .argv = argv,
                                     .env = env,
                                     .cwd = folder,
                                     .out = out,
                                     .err = errors,
                                     .timeout_ms = o->timeout_ms };
    c = moor_launch(l, &how, on_end, cmd, &cmd->launched, err);
    if (c == MOOR_OK)
        log_start(cmd, line, env);
    return c;
}

static moor_code new_command(const struct moor_command_opts *opts, moor_command_fn done, void *ctx,
                             char **folder, struct moor_command **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_command) cmd = calloc(1, sizeof(*cmd));
    if (!cmd)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", opts->item->name);
    cmd->item = opts->item;
    cmd->timeout_ms = opts->timeout_ms;
    cmd->done = done;
    cmd->ctx = ctx;
    moor_code c = moor_folder_path(opts->item, opts->item->running.old, folder, err);
    if (c == MOOR_OK)
        c = output_paths(cmd, opts->item, *folder, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(cmd);
    return c;
}

moor_code moor_command_start(struct moor_launcher *l, const struct moor_command_opts *opts,
                             moor_command_fn done, void *ctx, struct moor_command **out,
                             struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOPTR(moor_command) cmd = NULL;
    MOOR_AUTO(plat_file) output = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) errors = PLAT_FILE_INIT;
    moor_code c = new_command(opts, done, ctx, &folder, &cmd, err);
    if (c == MOOR_OK)
        c = check_plain(folder, err);
    if (c == MOOR_OK)
        c = open_output(cmd->out_path, &output, err);
    if (c == MOOR_OK)
        c = open_output(cmd->err_path, &errors, err);
    if (c == MOOR_OK)
        c = launch(l, cmd, opts, folder, &output, &errors, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(cmd);
    return c;
}

moor_code moor_command_adopt(struct moor_launcher *l, const struct moor_command_opts *opts,
                             moor_command_fn done, void *ctx, struct moor_command **out,
                             struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOPTR(moor_command) cmd = NULL;
    int64_t left = (int64_t)opts->timeout_ms - (plat_utc_ms() - opts->item->running.since_ms);
    moor_code c = new_command(opts, done, ctx, &folder, &cmd, err);
    if (c == MOOR_OK)
        c = moor_launch_adopt(l, opts->item->running.unit, left > 0 ? (uint64_t)left : 1, on_end,
                              cmd, &cmd->launched, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(cmd);
    return c;
}

struct plat_process_id moor_command_process(const struct moor_command *c)
{
    return moor_launched_process(c->launched);
}
