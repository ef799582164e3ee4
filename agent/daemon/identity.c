/* SPDX-License-Identifier: Apache-2.0 */
/* The identity role: user himds, the only one that holds the machine's key. */
#include "identity/identity.h"

#include "base/text.h"
#include "core/settings.h"
#include "crypto/tpm.h"
#include "daemon/role.h"
#include "identity/admin.h"
#include "identity/himds.h"
#include "identity/roles_server.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/self.h"
#include "platform/watch.h"
#include "run/component.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

/* Where every SDK looks for the key files, whatever MOORING_ROOT says. */
#define SDK_TOKENS "/var/opt/azcmagent/tokens"

#define HIMDS "himds" /* the component that ends last, when its callers have their answers */

struct identity_options {
    bool sdk_paths;
    const char *socket;
};
static const struct moor_option options[] = {
    { "sdk-paths", 0, NULL, offsetof(struct identity_options, sdk_paths),
      "under MOORING_ROOT: key files where the SDKs expect them" },
    { "himds-socket", 0, "PATH", offsetof(struct identity_options, socket),
      "serve the local endpoint on this Unix socket as well, for containers" },
    { NULL, 0, NULL, 0, NULL },
};

struct identity_daemon {
    const struct identity_options *options;
    struct moor_service *service;
    struct moor_pool *pool;
    struct moor_identity *identity;
    struct moor_himds *himds;
    struct moor_admin *admin;
    struct moor_roles_server *roles;
    struct plat_watch *watch;
    struct moor_watch *on_watch;
};

/* ---- identity ---- */

static void release_identity(void *daemon)
{
    struct identity_daemon *d = daemon;
    moor_identity_free(MOOR_TAKE(d->identity));
    moor_pool_free(MOOR_TAKE(d->pool));
}

/* Before there is a thread. A machine without a TPM loses nothing by this: nothing is opened. */
static void choose_tpm(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1024 * 1024);
    struct moor_settings settings = { .tpm_device = MOOR_TPM_DEVICE };
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_settings_load(&settings, &arena, &err);
    if (!c)
        c = moor_tpm_use(settings.tpm_device, &err);
    if (c)
        moor_log_error(MOOR_LOG_WARNING, "tpm.not_chosen", &err, NULL);
}

static moor_code start_identity(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct identity_daemon *d = daemon;
    struct moor_loop *l = moor_service_loop(s);
    const struct moor_pool_opts pool = { .threads = 1, .queue_max = 16 };
    choose_tpm();
    moor_code c = moor_pool_new(l, &pool, &d->pool, err);
    if (!c)
        c = moor_identity_new(l, d->pool, &d->identity, err);
    if (c)
        release_identity(d);
    else
        moor_identity_reload(d->identity);
    return c;
}

/* ---- watch: agentconfig.json and localconfig.json come, change and go ---- */

static void on_notice(void *ctx, int32_t id, const char *name)
{
    bool *ours = ctx;
    *ours = *ours || id < 0 || moor_streq(name, MOOR_AGENTCONFIG_NAME) ||
            moor_streq(name, MOOR_LOCALCONFIG_NAME);
}

static void on_watch(void *ctx)
{
    struct identity_daemon *d = ctx;
    bool ours = false;
    plat_watch_read(d->watch, on_notice, &ours);
    if (ours)
        moor_identity_reload(d->identity);
}

static void release_watch(void *daemon)
{
    struct identity_daemon *d = daemon;
    moor_watch_free(MOOR_TAKE(d->on_watch));
    plat_watch_free(MOOR_TAKE(d->watch));
}

static moor_code start_watch(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct identity_daemon *d = daemon;
    int32_t id = 0;
    moor_code c = plat_watch_new(&d->watch, err);
    if (!c)
        c = plat_watch_add(d->watch, plat_dir_path(PLAT_DIR_STATE), &id, err);
    if (!c)
        c = moor_watch_new(moor_service_loop(s), plat_watch_fd(d->watch), on_watch, d, &d->on_watch,
                           err);
    if (c)
        release_watch(d);
    else
        moor_identity_reload(d->identity); /* what changed before the watch was there */
    return c;
}

/* ---- himds ---- */

static moor_code wanted_port(uint16_t *out, struct moor_error *err)
{
    uint32_t port = MOOR_HIMDS_PORT;
    const char *text = plat_dirs_root()[0] ? plat_environment("MOORING_HIMDS_PORT") : NULL;
    if (text && moor_parse_u32(moor_span_str(text), 0, 65535, &port, err))
        return moor_context(err, "MOORING_HIMDS_PORT");
    *out = (uint16_t)port;
    return MOOR_OK;
}

/* Tests and trials read the port from here: the file is there once the endpoint serves. */
static moor_code write_port(uint16_t port, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(16);
    if (!plat_dirs_root()[0])
        return MOOR_OK;
    moor_buf_fmt(&path, "%s/run/himds.port", plat_dirs_root());
    moor_buf_fmt(&text, "%u\n", (unsigned)port);
    moor_code c = moor_buf_ok(&path, "himds.port", err);
    return c ? c
             : plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_WORLD_READ, err);
}

static const char *himds_problem(void *himds)
{
    return moor_himds_problem(himds);
}

static void himds_drained(void *daemon)
{
    struct identity_daemon *d = daemon;
    moor_component_stopped(d->service, HIMDS);
}

/* Who waits for a token gets it, within the time the service has. */
static void stop_himds(struct moor_service *s, void *daemon)
{
    struct identity_daemon *d = daemon;
    d->service = s;
    moor_himds_drain(d->himds, himds_drained, d);
}

static void release_himds(void *daemon)
{
    struct identity_daemon *d = daemon;
    if (d->identity)
        moor_identity_endpoint(d->identity, NULL, NULL);
    moor_himds_free(MOOR_TAKE(d->himds));
}

static moor_code start_himds(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct identity_daemon *d = daemon;
    struct moor_himds_opts opts = {
        .loop = moor_service_loop(s),
        .identity = d->identity,
        .tokens_folder = d->options->sdk_paths ? SDK_TOKENS : plat_dir_path(PLAT_DIR_TOKENS),
        .log_folder = plat_dir_path(PLAT_DIR_LOG),
        .socket = d->options->socket,
    };
    moor_code c = wanted_port(&opts.port, err);
    if (!c)
        c = moor_himds_new(&opts, &d->himds, err);
    if (!c)
        moor_identity_endpoint(d->identity, himds_problem, d->himds);
    if (!c)
        c = write_port(moor_himds_port(d->himds), err);
    if (c)
        release_himds(d);
    return c;
}

/* ---- the two sockets ---- */

static moor_code start_admin(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct identity_daemon *d = daemon;
    return moor_admin_new(moor_service_loop(s), d->identity, &d->admin, err);
}

static void release_admin(void *daemon)
{
    struct identity_daemon *d = daemon;
    moor_admin_free(MOOR_TAKE(d->admin));
}

static void on_change(void *ctx)
{
    moor_roles_server_changed(ctx);
}

static moor_code start_roles(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct identity_daemon *d = daemon;
    moor_code c = moor_roles_server_new(moor_service_loop(s), d->identity, &d->roles, err);
    if (!c)
        moor_identity_on_change(d->identity, on_change, d->roles);
    return c;
}

static void release_roles(void *daemon)
{
    struct identity_daemon *d = daemon;
    if (d->identity)
        moor_identity_on_change(d->identity, NULL, NULL);
    moor_roles_server_free(MOOR_TAKE(d->roles));
}

/* Started in order, released in reverse: the doors close before what is behind them goes. The last
 * one tells its port, and with that, that all is there. */
static const struct moor_component components[] = {
    { .name = "identity", .start = start_identity, .release = release_identity },
    { .name = "roles.sock", .start = start_roles, .release = release_roles },
    { .name = "himds.sock", .start = start_admin, .release = release_admin },
    { .name = "watch", .start = start_watch, .release = release_watch },
    { .name = HIMDS, .start = start_himds, .stop = stop_himds, .release = release_himds },
};

/* A package makes these; under MOORING_ROOT nobody has. */
static moor_code make_folders(struct moor_error *err)
{
    static const plat_dir dirs[] = { PLAT_DIR_STATE, PLAT_DIR_RUN };
    moor_code c = MOOR_OK;
    for (size_t i = 0; !c && plat_dirs_root()[0] && i < MOOR_COUNTOF(dirs); i++)
        c = plat_make_dirs(plat_dir_path(dirs[i]), PLAT_WORLD_READ, err);
    return c;
}

static moor_code run(struct moor_loop *l, const void *own, struct moor_error *err)
{
    struct identity_daemon d = { .options = own };
    moor_code c = make_folders(err);
    return c ? c : moor_service_run(l, components, MOOR_COUNTOF(components), &d, err);
}

const struct moor_role moor_role_identity = {
    .name = "identity",
    .summary = "the machine's key, its heartbeat, and tokens for local programs",
    .options = options,
    .options_size = sizeof(struct identity_options),
    .run = run,
};
