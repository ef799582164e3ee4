/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/forwarder.h"

#include <stdlib.h>
#include <string.h>

#include "core/cloud.h"
#include "core/proxy.h"
#include "core/roles.h"
#include "http/client.h"
#include "logs/config.h"
#include "logs/flow.h"
#include "logs/journal.h"
#include "logs/sources.h"
#include "logs/store.h"
#include "logs/watchset.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

#define TICK_FIRST_MS  100   /* from a notice to looking, when all was quiet */
#define TICK_MS        1000  /* the same when notices keep coming: rows are sent together */
#define STATUS_MS      10000 /* between two writings of status.json */
#define SAVE_RETRY_MS  30000
#define STOP_MS        3000
#define AGAIN_MAX      5
#define FLOWS_MAX      1024
#define CONFIG_FOLDERS 4

/* Positions on their way to the disk. */
struct saving {
    struct moor_forwarder *owner;
    struct moor_ledger *ledger; /* outlives the pool */
    struct moor_ledger_text text;
    char *status_path;
    struct moor_buf status;
    struct moor_error error;
};

struct moor_forwarder {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_store store;
    /* Two, since what happens to names cannot wait and what is written can. */
    struct moor_watchset file_watches, folder_watches;
    struct moor_watch *file_readable, *folder_readable;
    struct moor_timer *tick, *tend, *save_again, *stop_timer, *status_timer;
    uint64_t last_tick_ms;
    char *folders[CONFIG_FOLDERS]; /* rules and what else we are told by */

    struct moor_logs_config config;
    char *connection; /* what the clients were made for; NULL = not connected */
    struct moor_proxy proxy;
    struct moor_http_client *client, *local;
    struct moor_roles *roles;
    struct moor_sender *sender;

    struct moor_flow_env env;
    struct moor_flow *flows[FLOWS_MAX];
    size_t flow_count;
    struct moor_sources *sources;
    char *journal_folder; /* NULL: the machine's own */
    char computer[256];

    struct saving *saving;
    bool unsaved;
    struct moor_error save_problem;
    uint64_t status_ms; /* when status.json was written, 0 = it must be now */
    moor_code said;     /* why nothing is collected */
    unsigned again;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* Positions */

static void saving_free(struct saving *s)
{
    if (!s)
        return;
    moor_buf_drop(&s->text.text);
    moor_buf_drop(&s->status);
    free(s->status_path);
    free(s);
}

static void save_work(void *ctx)
{
    struct saving *s = ctx;
    moor_code c = moor_ledger_write(s->ledger, &s->text, &s->error);
    if (c == MOOR_OK && s->status.len > 0)
        (void)!plat_write_atomic(s->status_path, moor_buf_view(&s->status), PLAT_WORLD_READ,
                                 &s->error);
}

static void save_soon(struct moor_forwarder *f);
static void check_stopped(struct moor_forwarder *f);

static void note_saved(struct moor_forwarder *f, const struct moor_error *err)
{
    if (err->code == MOOR_OK) {
        for (size_t i = 0; i < f->flow_count; i++)
            moor_flow_recorded(f->flows[i]);
    } else {
        f->unsaved = true;
        moor_store_unsettle(&f->store);
        moor_timer_arm(f->save_again, SAVE_RETRY_MS);
        if (f->save_problem.code != err->code)
            moor_log_error(MOOR_LOG_ERROR, "logs.positions_not_saved", err, NULL);
    }
    f->save_problem = *err;
}

static void on_saved(void *ctx, bool cancelled)
{
    struct saving *s = ctx;
    struct moor_forwarder *f = s->owner;
    if (f) {
        f->saving = NULL;
        if (cancelled)
            (void)!moor_fail(&s->error, MOOR_E_CANCELED, "stopped");
        note_saved(f, &s->error);
        if (s->error.code == MOOR_OK && f->unsaved)
            save_soon(f);
        check_stopped(f);
    }
    saving_free(s);
}

static struct saving *new_saving(struct moor_forwarder *f, struct moor_error *err)
{
    struct saving *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)!moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
        return NULL;
    }
    s->owner = f;
    s->status = (struct moor_buf)MOOR_BUF(MOOR_POSITIONS_MAX);
    s->ledger = &f->store.ledger;
    s->status_path = moor_strdup(f->store.status_path);
    moor_code c = s->status_path
                      ? moor_store_encode(&f->store, f->flows, f->flow_count, &s->text, err)
                      : moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    if (c != MOOR_OK) {
        saving_free(s);
        return NULL;
    }
    uint64_t now = plat_mono_ms();
    if (f->status_ms == 0 || now - f->status_ms >= STATUS_MS || f->stopped) {
        moor_store_encode_status(&f->store, f->flows, f->flow_count, &s->status);
        f->status_ms = now;
        moor_timer_disarm(f->status_timer);
    } else if (!moor_timer_armed(f->status_timer)) {
        moor_timer_arm(f->status_timer, STATUS_MS);
    }
    return s;
}

static void save_soon(struct moor_forwarder *f)
{
    struct moor_error e = MOOR_ERROR_INIT;
    f->unsaved = true;
    if (f->saving)
        return;
    struct saving *s = new_saving(f, &e);
    if (s && moor_pool_submit(f->pool, save_work, on_saved, s, &e) != MOOR_OK) {
        saving_free(s);
        s = NULL;
    }
    if (s)
        f->unsaved = false;
    else
        note_saved(f, &e);
    f->saving = s;
}

static void on_save_again(void *ctx)
{
    save_soon(ctx);
}

static void on_progress(void *ctx)
{
    struct moor_forwarder *f = ctx;
    save_soon(f);
    moor_sources_resume(f->sources);
}

static void on_state(void *ctx)
{
    struct moor_forwarder *f = ctx;
    f->status_ms = 0;
    save_soon(f);
}

/* What wants to be done later */

static void tend_flows(struct moor_forwarder *f)
{
    uint64_t due = UINT64_MAX, now = plat_mono_ms();
    for (size_t i = 0; i < f->flow_count; i++)
        moor_flow_tend(f->flows[i], &due);
    if (due == UINT64_MAX)
        moor_timer_disarm(f->tend);
    else
        moor_timer_arm(f->tend, due > now ? due - now : 1);
}

static void on_tend(void *ctx)
{
    struct moor_forwarder *f = ctx;
    tend_flows(f);
    for (size_t i = 0; i < f->flow_count; i++)
        moor_flow_go(f->flows[i], false);
}

static void on_rest(void *ctx)
{
    struct moor_forwarder *f = ctx;
    if (f->stopped)
        check_stopped(f);
    else
        tend_flows(f);
}

/* Connection */

static void drop_flow(struct moor_forwarder *f, size_t i)
{
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_flow *flow = f->flows[i];
    moor_flow_abandon(flow);
    if (moor_store_sleep(&f->store, flow, &e) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "logs.positions_not_saved", &e, NULL);
    f->flows[i] = f->flows[--f->flow_count];
    moor_flow_free(flow);
}

static void disconnect(struct moor_forwarder *f)
{
    moor_sources_stop(f->sources);
    while (f->flow_count > 0)
        drop_flow(f, f->flow_count - 1);
    moor_sender_free(f->sender);
    moor_roles_free(f->roles);
    moor_http_client_free(f->client);
    moor_http_client_free(f->local);
    free(f->connection);
    f->env.sender = f->sender = NULL;
    f->roles = NULL;
    f->client = f->local = NULL;
    f->connection = NULL;
}

static moor_code connect_to(struct moor_forwarder *f, const struct moor_logs_config *c,
                            struct moor_error *err)
{
    const struct moor_http_client_opts opts = { .ca_file = c->cloud.ca_file, .proxy = &f->proxy };
    const struct moor_http_client_opts local = { .connections_max = 1 };
    moor_code code = moor_http_client_new(f->loop, &opts, &f->client, err);
    if (code == MOOR_OK)
        code = moor_http_client_new(f->loop, &local, &f->local, err);
    if (code == MOOR_OK)
        code = moor_roles_new(moor_http_client_transport(f->local), NULL, &f->roles, err);
    if (code == MOOR_OK)
        code = moor_sender_new(moor_http_client_transport(f->client), f->roles,
                               moor_cloud_ingestion_audience(&c->cloud), &f->sender, err);
    f->env.sender = f->sender;
    return code;
}

/* Whatever the clients and tokens depend on, as one text. */
static moor_code describe(const struct moor_logs_config *c, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    const char *const parts[] = { c->machine.vm_id,      c->machine.resource_id,
                                  c->machine.cloud,      c->cloud.ca_file,
                                  c->cloud.his_endpoint, moor_cloud_ingestion_audience(&c->cloud) };
    for (size_t i = 0; i < MOOR_COUNTOF(parts); i++) {
        moor_buf_str(&b, parts[i] ? parts[i] : "");
        moor_buf_char(&b, '\n');
    }
    return moor_buf_take(&b, "connection", out, err);
}

static moor_code reconnect(struct moor_forwarder *f, const struct moor_logs_config *c,
                           struct moor_error *err)
{
    MOOR_AUTOSTR wanted = NULL;
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    moor_code code = describe(c, &wanted, err);
    if (code == MOOR_OK)
        code = moor_proxy_load(&c->settings, &c->cloud, &proxy, err);
    if (code != MOOR_OK ||
        (moor_streq(wanted, f->connection) && moor_proxy_same(&proxy, &f->proxy)))
        return code;
    disconnect(f);
    moor_proxy_move(&f->proxy, &proxy);
    code = connect_to(f, c, err);
    if (code == MOOR_OK)
        f->connection = MOOR_TAKE(wanted);
    else
        disconnect(f);
    return code;
}

/* Rules */

static struct moor_flow *find_flow(const struct moor_forwarder *f, const char *key)
{
    for (size_t i = 0; i < f->flow_count; i++)
        if (moor_streq(moor_flow_key(f->flows[i]), key))
            return f->flows[i];
    return NULL;
}

static moor_code add_flow(struct moor_forwarder *f, const struct moor_flow_spec *spec,
                          struct moor_error *err)
{
    struct moor_flow *flow = NULL;
    if (f->flow_count == FLOWS_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "more than %d flows", FLOWS_MAX);
    struct moor_dormant *d = moor_store_wake(&f->store, spec->key);
    moor_code c = moor_flow_new(&f->env, spec, d ? &d->record : NULL, &flow, err);
    moor_dormant_free(d);
    if (c != MOOR_OK)
        return c;
    f->flows[f->flow_count++] = flow;
    moor_log(MOOR_LOG_INFO, "logs.flow_started", "flow", spec->key, "rule", spec->rule, NULL);
    return MOOR_OK;
}

/* Still wanted, or of a rule that cannot be read at the moment. */
static bool keeps_running(const struct moor_logs_config *c, const struct moor_flow *flow)
{
    for (size_t i = 0; i < c->flow_count; i++)
        if (moor_streq(c->flows[i].key, moor_flow_key(flow)))
            return true;
    for (size_t i = 0; i < c->file_count; i++)
        if (!c->files[i].good && moor_streq(c->files[i].name, moor_flow_rule(flow)))
            return true;
    return false;
}

static void apply_rules(struct moor_forwarder *f, const struct moor_logs_config *c)
{
    for (size_t i = f->flow_count; i > 0; i--) {
        if (keeps_running(c, f->flows[i - 1]))
            continue;
        moor_log(MOOR_LOG_INFO, "logs.flow_ended", "flow", moor_flow_key(f->flows[i - 1]), NULL);
        drop_flow(f, i - 1);
    }
    for (size_t i = 0; i < c->flow_count; i++) {
        struct moor_error e = MOOR_ERROR_INIT;
        struct moor_flow *flow = find_flow(f, c->flows[i].key);
        moor_code code =
            flow ? moor_flow_update(flow, &c->flows[i], &e) : add_flow(f, &c->flows[i], &e);
        if (code != MOOR_OK)
            moor_log_error(MOOR_LOG_ERROR, "logs.flow_failed", &e, "flow", c->flows[i].key, NULL);
    }
}

/* Why nothing is collected, said once. */
static void say_idle(struct moor_forwarder *f, const struct moor_error *err)
{
    if (f->said == err->code && err->code == MOOR_E_NOTFOUND)
        return;
    f->said = err->code;
    if (err->code == MOOR_E_NOTFOUND)
        moor_log(MOOR_LOG_INFO, "logs.idle", "reason", "not connected", NULL);
    else
        moor_log_error(MOOR_LOG_ERROR, "logs.stopped_collecting", err, NULL);
}

static void load_config(struct moor_forwarder *f)
{
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_logs_config c = { .file_count = 0 };
    moor_code code = moor_logs_config_load(&c, &e);
    if (code == MOOR_OK)
        code = reconnect(f, &c, &e);
    if (code != MOOR_OK) {
        moor_logs_config_drop(&c);
        say_idle(f, &e);
        disconnect(f);
        return;
    }
    f->said = MOOR_OK;
    f->env.policy =
        (struct moor_inputs_policy){ c.settings.logs_allow_paths, c.settings.logs_deny_paths };
    f->env.way = c.way;
    f->env.limits = (struct moor_pack_limits){
        .raw_max = c.settings.logs_body_limit == MOOR_BODY_STRICT ? MOOR_PACK_WIRE_MAX : 0,
    };
    apply_rules(f, &c);
    moor_sources_apply(f->sources, &c);
    moor_logs_config_drop(&f->config);
    f->config = c;
}

/* Notices */

/* The folder, or the nearest there is above it. */
static void watch_config(struct moor_forwarder *f, const char *folder)
{
    MOOR_AUTOSTR path = moor_strdup(folder);
    struct moor_error e = MOOR_ERROR_INIT;
    while (path && *path) {
        if (moor_watchset_want(&f->folder_watches, path, false, &e) == MOOR_OK)
            return;
        if (e.code != MOOR_E_NOTFOUND)
            break;
        *strrchr(path, '/') = '\0';
    }
    moor_log_error(MOOR_LOG_ERROR, "logs.folder_unwatched", &e, "folder", folder, NULL);
}

struct notices {
    struct moor_forwarder *f;
    bool reload, everything;
    bool *scan; /* by flow */
};

/* A folder of ours, or one on the way to it. */
static bool is_config(const struct moor_forwarder *f, const char *folder, const char *name)
{
    size_t n = strlen(folder);
    for (size_t i = 0; i < CONFIG_FOLDERS; i++) {
        const char *mine = f->folders[i];
        if (strncmp(mine, folder, n) != 0 || (mine[n] != '/' && mine[n] != '\0' && n > 1))
            continue;
        if (mine[n] == '/') {
            size_t len = strlen(name);
            if (strncmp(mine + n + 1, name, len) == 0 &&
                (mine[n + 1 + len] == '/' || mine[n + 1 + len] == '\0'))
                return true;
        } else if (mine[n] == '\0' && moor_span_ends(moor_span_str(name), ".json") &&
                   (i > 0 || moor_streq(name, MOOR_AGENTCONFIG_NAME) ||
                    moor_streq(name, MOOR_LOCALCONFIG_NAME))) {
            return true;
        }
    }
    return false;
}

static void on_folder_notice(void *ctx, int32_t id, const char *name)
{
    struct notices *n = ctx;
    struct moor_forwarder *f = n->f;
    const char *folder = id < 0 ? NULL : moor_watchset_folder(&f->folder_watches, id);
    if (!folder || !*name) {
        n->everything = n->everything || id < 0 || folder;
        return;
    }
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", moor_streq(folder, "/") ? "" : folder, name);
    n->reload = n->reload || is_config(f, folder, name);
    for (size_t i = 0; i < f->flow_count; i++)
        if (moor_inputs_cares(moor_flow_inputs(f->flows[i]), moor_buf_cstr(&path)))
            n->scan[i] = true;
}

static void on_file_notice(void *ctx, int32_t id, const char *name)
{
    struct moor_forwarder *f = ctx;
    (void)name;
    for (size_t i = 0; i < f->flow_count; i++)
        moor_inputs_notice(moor_flow_inputs(f->flows[i]), id);
}

/* Scans the flows that want it, all of them when scan is NULL. Something may move while we look:
 * then once more, a little later. */
static void scan_flows(struct moor_forwarder *f, const bool *scan)
{
    bool again = false;
    for (size_t i = 0; i < f->flow_count; i++) {
        struct moor_inputs *in = moor_flow_inputs(f->flows[i]);
        if (!scan || scan[i] || in->again)
            moor_inputs_scan(in);
        again = again || in->again;
    }
    f->again = again ? f->again + 1 : 0;
    if (f->again > 0 && f->again < AGAIN_MAX)
        moor_timer_arm(f->tick, TICK_MS);
}

static void look_everywhere(struct moor_forwarder *f, bool at_once)
{
    moor_watchset_begin(&f->folder_watches);
    for (size_t i = 0; i < CONFIG_FOLDERS; i++)
        watch_config(f, f->folders[i]);
    load_config(f);
    scan_flows(f, NULL);
    moor_watchset_end(&f->folder_watches);
    for (size_t i = 0; i < f->flow_count; i++)
        moor_flow_go(f->flows[i], at_once);
    tend_flows(f);
}

/* Names that come and go may do so again at once: no waiting here. */
static void on_folder_readable(void *ctx)
{
    struct moor_forwarder *f = ctx;
    bool scan[FLOWS_MAX] = { false }, any = false;
    struct notices n = { .f = f, .scan = scan };
    plat_watch_read(f->folder_watches.watch, on_folder_notice, &n);
    if (f->stopped)
        return;
    if (n.reload || n.everything) {
        look_everywhere(f, n.reload);
        return;
    }
    for (size_t i = 0; i < f->flow_count; i++)
        any = any || scan[i];
    if (!any)
        return;
    scan_flows(f, scan);
    for (size_t i = 0; i < f->flow_count; i++)
        if (scan[i])
            moor_flow_go(f->flows[i], false);
    tend_flows(f);
}

static void on_tick(void *ctx)
{
    struct moor_forwarder *f = ctx;
    const bool none[FLOWS_MAX] = { false };
    f->last_tick_ms = plat_mono_ms();
    moor_watch_pause(f->file_readable, false);
    plat_watch_read(f->file_watches.watch, on_file_notice, f);
    if (f->stopped)
        return;
    scan_flows(f, none);
    for (size_t i = 0; i < f->flow_count; i++)
        moor_flow_go(f->flows[i], false);
    tend_flows(f);
}

/* Not read at once: what is written in the meantime goes out together. */
static void on_file_readable(void *ctx)
{
    struct moor_forwarder *f = ctx;
    bool quiet = plat_mono_ms() - f->last_tick_ms > 2 * TICK_MS;
    moor_watch_pause(f->file_readable, true);
    moor_timer_arm(f->tick, quiet ? TICK_FIRST_MS : TICK_MS);
}

/* Life */

static moor_code set_folders(struct moor_forwarder *f, struct moor_error *err)
{
    moor_code c = plat_path(PLAT_DIR_ETC, &f->folders[1], err, "clouds.d");
    for (unsigned i = 0; c == MOOR_OK && i < MOOR_RULE_FOLDERS; i++)
        c = moor_rule_folder(i, &f->folders[2 + i], err);
    f->folders[0] = moor_strdup(plat_dir_path(PLAT_DIR_STATE));
    if (c == MOOR_OK && !f->folders[0])
        c = moor_fail(err, MOOR_E_NOMEM, "out of memory");
    return c;
}

static moor_code prepare(struct moor_forwarder *f, const struct moor_forwarder_opts *opts,
                         struct moor_error *err)
{
    const struct moor_pool_opts pool = { .threads = opts->workers, .queue_max = 2 * FLOWS_MAX };
    moor_code c = set_folders(f, err);
    if (c == MOOR_OK)
        c = moor_store_open(&f->store, opts->queue_max, err);
    if (c == MOOR_OK)
        c = moor_pool_new(f->loop, &pool, &f->pool, err);
    if (c == MOOR_OK)
        c = moor_watchset_init(&f->file_watches, err);
    if (c == MOOR_OK)
        c = moor_watchset_init(&f->folder_watches, err);
    if (c == MOOR_OK)
        c = moor_watch_new(f->loop, plat_watch_fd(f->file_watches.watch), on_file_readable, f,
                           &f->file_readable, err);
    if (c == MOOR_OK)
        c = moor_watch_new(f->loop, plat_watch_fd(f->folder_watches.watch), on_folder_readable, f,
                           &f->folder_readable, err);
    if (c == MOOR_OK)
        c = moor_sources_new(f->loop, f->flows, &f->flow_count, f->computer, f->journal_folder,
                             &f->sources, err);
    if (c == MOOR_OK)
        c = moor_timer_new(f->loop, on_tick, f, &f->tick, err);
    if (c == MOOR_OK)
        c = moor_timer_new(f->loop, on_tend, f, &f->tend, err);
    if (c == MOOR_OK)
        c = moor_timer_new(f->loop, on_save_again, f, &f->save_again, err);
    if (c == MOOR_OK)
        c = moor_timer_new(f->loop, on_save_again, f, &f->status_timer, err);
    return c;
}

moor_code moor_forwarder_new(struct moor_loop *l, const struct moor_forwarder_opts *opts,
                             struct moor_forwarder **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_forwarder) f = calloc(1, sizeof(*f));
    MOOR_AUTOSTR host = calloc(1, sizeof(struct plat_host));
    if (!f || !host)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    struct plat_host *h = (void *)host;
    plat_host_read(h);
    memcpy(f->computer, h->hostname, sizeof(f->computer));
    f->loop = l;
    f->journal_folder = moor_journal_folder();
    moor_code c = prepare(f, opts, err);
    if (c != MOOR_OK)
        return c;
    f->env = (struct moor_flow_env){ .loop = l,
                                     .pool = f->pool,
                                     .queue = &f->store.queue,
                                     .file_watches = &f->file_watches,
                                     .folder_watches = &f->folder_watches,
                                     .since_ms = f->store.saved_ms > MOOR_INPUT_UNSEEN_MS
                                                     ? f->store.saved_ms - MOOR_INPUT_UNSEEN_MS
                                                     : 0,
                                     .folder = f->store.folder,
                                     .computer = f->computer,
                                     .journal_folder = f->journal_folder,
                                     .on_progress = on_progress,
                                     .on_state = on_state,
                                     .on_rest = on_rest,
                                     .ctx = f };
    look_everywhere(f, true);
    *out = MOOR_TAKE(f);
    return MOOR_OK;
}

void moor_forwarder_free(struct moor_forwarder *f)
{
    if (!f)
        return;
    if (f->sources)
        disconnect(f);
    moor_sources_free(f->sources);
    free(f->journal_folder);
    moor_proxy_drop(&f->proxy);
    if (f->saving)
        f->saving->owner = NULL;
    moor_pool_free(f->pool);
    moor_timer_free(f->tick);
    moor_timer_free(f->tend);
    moor_timer_free(f->save_again);
    moor_timer_free(f->stop_timer);
    moor_timer_free(f->status_timer);
    moor_watch_free(f->file_readable);
    moor_watch_free(f->folder_readable);
    moor_watchset_drop(&f->file_watches);
    moor_watchset_drop(&f->folder_watches);
    moor_store_drop(&f->store);
    moor_logs_config_drop(&f->config);
    for (size_t i = 0; i < CONFIG_FOLDERS; i++)
        free(f->folders[i]);
    free(f);
}

void moor_forwarder_reload(struct moor_forwarder *f)
{
    if (!f->stopped)
        look_everywhere(f, true);
}

static void end(struct moor_forwarder *f)
{
    void (*stopped)(void *) = f->stopped;
    moor_timer_disarm(f->stop_timer);
    moor_timer_disarm(f->save_again);
    f->stopped = NULL;
    if (stopped)
        stopped(f->stopped_ctx);
}

static void check_stopped(struct moor_forwarder *f)
{
    if (!f->stopped)
        return;
    for (size_t i = 0; i < f->flow_count; i++)
        if (moor_flow_is_busy(f->flows[i]))
            return;
    if (f->saving)
        return;
    if (f->unsaved && f->save_problem.code == MOOR_OK) {
        save_soon(f);
        return;
    }
    end(f);
}

static void on_stop_timer(void *ctx)
{
    end(ctx);
}

void moor_forwarder_stop(struct moor_forwarder *f, void (*done)(void *ctx), void *ctx)
{
    f->stopped = done;
    f->stopped_ctx = ctx;
    f->status_ms = 0;
    moor_timer_disarm(f->tick);
    moor_timer_disarm(f->tend);
    moor_timer_disarm(f->status_timer);
    moor_watch_pause(f->file_readable, true);
    moor_watch_pause(f->folder_readable, true);
    moor_sources_stop(f->sources);
    for (size_t i = 0; i < f->flow_count; i++)
        moor_flow_stop(f->flows[i]);
    if (moor_timer_new(f->loop, on_stop_timer, f, &f->stop_timer, NULL) == MOOR_OK)
        moor_timer_arm(f->stop_timer, STOP_MS);
    if (f->connection)
        f->unsaved = true;
    check_stopped(f);
}
