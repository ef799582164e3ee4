/* SPDX-License-Identifier: Apache-2.0 */
#include "main/state.h"

#include <string.h>

#include "authz/signin.h"
#include "main/keys.h"
#include "platform/account.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/random.h"
#include "store/principals.h"

#define CONFIG_MAX (64u << 10)

/* Of one data collection rule in a minute, as Azure has them. */
#define REGIONS_MAX      64
#define DEFAULT_REQUESTS 12000u
#define DEFAULT_WAITERS  10000u
#define DEFAULT_BYTES    (UINT64_C(2) << 30)

#define AT(kind, name, member, flags, min, max)                                                    \
    {                                                                                              \
        kind, name, offsetof(struct cp_config, member), flags, min, max, NULL                      \
    }
static const struct moor_json_field config_fields[] = {
    AT(MOOR_F_U32, "schema", schema, MOOR_F_REQUIRED, 1, 1),
    AT(MOOR_F_STR, "cloudName", cloud_name, MOOR_F_REQUIRED, 1, 64),
    AT(MOOR_F_UUID, "tenantId", tenant_id, MOOR_F_REQUIRED, 0, 0),
    AT(MOOR_F_UUID, "subscriptionId", subscription_id, MOOR_F_REQUIRED, 0, 0),
    AT(MOOR_F_STR, "location", location, MOOR_F_REQUIRED, 1, 64),
    AT(MOOR_F_UUID, "adminClientId", admin_client_id, MOOR_F_REQUIRED, 0, 0),
    AT(MOOR_F_UUID, "adminObjectId", admin_object_id, MOOR_F_REQUIRED, 0, 0),
    AT(MOOR_F_U64, "ingestionRequestsPerMinute", ingestion_requests, 0, 1, INT64_C(1) << 40),
    AT(MOOR_F_U64, "ingestionBytesPerMinute", ingestion_bytes, 0, 1, INT64_C(1) << 50),
    AT(MOOR_F_U32, "maxWaiters", max_waiters, 0, 0, 1000000),
    AT(MOOR_F_U32, "heartbeatSeconds", lifecycle.heartbeat_s, 0, 1, 86400),
    AT(MOOR_F_U32, "certificateSeconds", lifecycle.certificate_s, 0, 10, 3650u * 86400u),
    AT(MOOR_F_U32, "reenrollmentDays", lifecycle.reenrollment_days, 0, 0, MOOR_REENROLLMENT_MAX),
    AT(MOOR_F_BOOL, "acceptPreviousKey", lifecycle.accept_previous_key, 0, 0, 0),
    { MOOR_F_OBJ_LIST, "regions", offsetof(struct cp_config, placement.regions), 0, 0, REGIONS_MAX,
      &moor_region_shape },
    AT(MOOR_F_STR, "minimumAgentVersion", placement.minimum_agent, 0, 1, 32),
    AT(MOOR_F_STR_LIST, "hosts", hosts, MOOR_F_REQUIRED, 1, CP_WORDS_MAX * 2),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape config_shape = { sizeof(struct cp_config), config_fields,
                                                     MOOR_F_STRICT };

void cp_state_drop(struct cp_state *s)
{
    moor_store_free(s->store);
    moor_cert_free(s->ca);
    moor_cert_free(s->identity_ca);
    moor_cert_free(s->gallery_cert);
    moor_key_free(s->token_key);
    moor_key_free(s->identity_ca_key);
    moor_key_free(s->gallery_key);
    moor_secret_drop(&s->sealing_key);
    moor_arena_drop(&s->arena);
    s->store = NULL;
    s->ca = s->identity_ca = s->gallery_cert = NULL;
    s->token_key = s->identity_ca_key = s->gallery_key = NULL;
}

const char *cp_state_path(struct cp_state *s, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    va_list ap;
    moor_buf_fmt(&b, "%s/", s->dir);
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    const char *path = moor_arena_str(&s->arena, moor_buf_view(&b));
    return path ? path : "";
}

const char *cp_state_endpoint(struct cp_state *s)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    const char *url = NULL;
    if (!plat_read_all(cp_state_path(s, "endpoint"), 1024, &text, NULL))
        url = moor_arena_str(&s->arena, moor_span_trim(moor_buf_view(&text)));
    if (!url || !*url)
        url = moor_arena_fmt(&s->arena, "https://%s:8443", s->config.hosts.items[0]);
    return url ? url : "";
}

static const char *random_id(struct cp_state *s)
{
    char id[37];
    plat_random_uuid(id);
    return moor_arena_str(&s->arena, moor_span_str(id));
}

static moor_code read_config(struct cp_state *s, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CONFIG_MAX);
    const char *path = cp_state_path(s, "config.json");
    s->config.ingestion_requests = DEFAULT_REQUESTS;
    s->config.ingestion_bytes = DEFAULT_BYTES;
    s->config.max_waiters = DEFAULT_WAITERS;
    s->config.lifecycle = (struct moor_lifecycle)MOOR_LIFECYCLE_DEFAULT;
    moor_code c = plat_read_all(path, CONFIG_MAX, &text, err);
    if (!c)
        c = moor_json_decode(moor_buf_view(&text), path, &config_shape, &s->config, &s->arena, err);
    if (!c && moor_placement_check(&s->config.placement, err))
        c = moor_context(err, "%s", path);
    return c;
}

static moor_code write_config(struct cp_state *s, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CONFIG_MAX);
    moor_json_encode(&text, &config_shape, &s->config);
    moor_buf_char(&text, '\n');
    moor_code c = moor_buf_ok(&text, "config.json", err);
    return c ? c
             : plat_write_atomic(cp_state_path(s, "config.json"), moor_buf_view(&text),
                                 PLAT_WORLD_READ, err);
}

static bool has_host(const struct moor_str_list *list, const char *host)
{
    for (size_t i = 0; i < list->count; i++)
        if (moor_strcasecmp(list->items[i], host) == 0)
            return true;
    return false;
}

/* The given names first, then those by which this machine reaches itself. */
static struct moor_str_list host_list(struct cp_state *s, const struct cp_options *o)
{
    struct plat_host host;
    const char **items = moor_arena_array(&s->arena, o->host_count + 5, sizeof(*items));
    struct moor_str_list list = { items, 0 };
    if (!items)
        return list;
    plat_host_read(&host);
    const char *const own[] = { "localhost", "127.0.0.1", "::1", host.hostname, host.fqdn };
    for (size_t i = 0; i < o->host_count; i++)
        if (!has_host(&list, o->hosts[i]))
            items[list.count++] = o->hosts[i];
    for (size_t i = 0; i < MOOR_COUNTOF(own); i++)
        if (*own[i] && !has_host(&list, own[i]))
            items[list.count++] = moor_arena_str(&s->arena, moor_span_str(own[i]));
    return list;
}

static moor_code ensure_config(const struct cp_options *o, struct cp_state *s, bool *new_hosts,
                               struct moor_error *err)
{
    moor_code c = read_config(s, err);
    if (c && c != MOOR_E_NOTFOUND)
        return c;
    bool fresh = c == MOOR_E_NOTFOUND;
    bool changed = fresh || o->location;
    if (fresh)
        s->config = (struct cp_config){ .schema = 1,
                                        .cloud_name = "Mooring",
                                        .tenant_id = random_id(s),
                                        .subscription_id = random_id(s),
                                        .location = "local",
                                        .ingestion_requests = DEFAULT_REQUESTS,
                                        .ingestion_bytes = DEFAULT_BYTES,
                                        .max_waiters = DEFAULT_WAITERS,
                                        .lifecycle = MOOR_LIFECYCLE_DEFAULT,
                                        .admin_client_id = random_id(s),
                                        .admin_object_id = random_id(s) };
    if (o->location)
        s->config.location = o->location;
    *new_hosts = fresh || o->host_count > 0;
    if (*new_hosts)
        s->config.hosts = host_list(s, o);
    return changed || *new_hosts ? write_config(s, err) : MOOR_OK;
}

static moor_code ensure_dirs(struct cp_state *s, struct moor_error *err)
{
    moor_code c = plat_make_dirs(s->dir, PLAT_WORLD_READ, err);
    if (!c)
        c = plat_make_dirs(cp_state_path(s, "tls"), PLAT_WORLD_READ, err);
    if (!c)
        c = plat_make_dirs(cp_state_path(s, "keys"), PLAT_OWNER_ONLY, err);
    return c ? c : plat_make_dirs(cp_state_path(s, "packages"), PLAT_OWNER_ONLY, err);
}

static moor_code ensure_keys(struct cp_state *s, bool new_hosts, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) ca_key = NULL;
    const struct cp_ca tls = { cp_state_path(s, "tls/ca.pem"), cp_state_path(s, "tls/ca.key"),
                               "Mooring TLS CA", true, false };
    const struct cp_ca identity = { cp_state_path(s, "keys/identity-ca.pem"),
                                    cp_state_path(s, "keys/identity-ca.key"), "Mooring identity CA",
                                    true, false };
    const struct cp_ca gallery = { cp_state_path(s, "keys/gallery.pem"),
                                   cp_state_path(s, "keys/gallery.key"), "Mooring gallery", false,
                                   true };
    moor_code c = cp_keys_ensure_ca(&tls, &s->ca, &ca_key, err);
    if (!c)
        c = cp_keys_ensure_server(s, ca_key, new_hosts, err);
    if (!c)
        c = cp_keys_ensure_ca(&identity, &s->identity_ca, &s->identity_ca_key, err);
    if (!c)
        c = cp_keys_ensure_ca(&gallery, &s->gallery_cert, &s->gallery_key, err);
    if (!c)
        c = cp_keys_ensure_key(cp_state_path(s, "keys/token.key"), MOOR_KEY_RSA_2048, &s->token_key,
                               err);
    return c ? c
             : cp_keys_ensure_bytes(cp_state_path(s, "keys/sealing.key"), 32, &s->sealing_key, err);
}

static moor_code add_admin(struct cp_state *s, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    char id[37];
    plat_random_uuid(id);
    const struct moor_principal_row admin = { .kind = MOOR_PRINCIPAL_APPLICATION,
                                              .object_id = s->config.admin_object_id,
                                              .client_id = s->config.admin_client_id,
                                              .tenant_id = s->config.tenant_id,
                                              .name = "admin",
                                              .created_ms = plat_utc_ms() };
    const struct moor_role_assignment owner = {
        .id = id,
        .role_id = moor_role_find("Owner")->id,
        .principal_id = s->config.admin_object_id,
        .scope = moor_arena_fmt(&s->arena, "/subscriptions/%s", s->config.subscription_id),
        .created_ms = plat_utc_ms(),
    };
    moor_code c = moor_store_begin(s->store, &tx, err);
    if (!c)
        c = moor_principal_add(s->store, &admin, err);
    if (!c)
        c = moor_role_assign(s->store, &owner, err);
    return c ? c : moor_store_commit(&tx, err);
}

/* A fresh secret in its file; whatever was good before is not any more. */
static moor_code renew_secret(struct cp_state *s, const char *path, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    MOOR_AUTO(moor_secret) secret = MOOR_SECRET_INIT;
    moor_code c = moor_store_begin(s->store, &tx, err);
    if (!c)
        c = moor_secret_row_delete_all(s->store, s->config.admin_object_id, err);
    if (!c)
        c = moor_signin_new_secret(s->store, s->config.admin_object_id, 0, &secret, err);
    if (!c)
        c = moor_store_commit(&tx, err);
    return c ? c : plat_write_atomic(path, moor_secret_reveal(&secret), PLAT_OWNER_ONLY, err);
}

/* The administrator, and its secret in a file of its own; a lost file ends the lost secret. */
static moor_code ensure_admin(struct cp_state *s, struct moor_error *err)
{
    struct moor_principal_row row;
    const char *path = cp_state_path(s, "admin-secret");
    moor_code c =
        moor_principal_by_client(s->store, s->config.admin_client_id, &s->arena, &row, err);
    if (c == MOOR_E_NOTFOUND)
        c = add_admin(s, err);
    return c || plat_exists(path) ? c : renew_secret(s, path, err);
}

moor_code cp_state_may_write(const char *dir, struct moor_error *err)
{
    struct plat_stat st;
    if (plat_stat_path(dir, &st, NULL) != MOOR_OK || st.uid == plat_user_id())
        return MOOR_OK; /* what is not there is made; what cannot be seen fails by itself */
    return moor_fail(err, MOOR_E_DENIED,
                     "%s: belongs to another user (uid %u), who has to write it: "
                     "runuser -u USER -- mooring-controlplane ...",
                     dir, (unsigned)st.uid);
}

moor_code cp_state_ensure(const struct cp_options *o, struct cp_state *s, struct moor_error *err)
{
    MOOR_AUTO(plat_file) lock = PLAT_FILE_INIT;
    bool new_hosts = false;
    s->dir = o->state;
    moor_code c = cp_state_may_write(s->dir, err);
    if (!c)
        c = ensure_dirs(s, err);
    if (!c)
        c = plat_lock_file(cp_state_path(s, "lock"), &lock, err);
    if (c == MOOR_E_EXISTS)
        return moor_context(err, "another process is initialising %s", s->dir);
    if (!c)
        c = ensure_config(o, s, &new_hosts, err);
    if (!c)
        c = ensure_keys(s, new_hosts, err);
    if (!c)
        c = moor_store_open(cp_state_path(s, CP_DATABASE), &s->store, err);
    return c ? c : ensure_admin(s, err);
}

moor_code cp_state_open(const struct cp_options *o, struct cp_state *s, struct moor_error *err)
{
    s->dir = o->state;
    moor_code c = read_config(s, err);
    if (c == MOOR_E_NOTFOUND)
        return moor_fail(err, MOOR_E_NOTFOUND,
                         "%s: not initialised; run `mooring-controlplane init --state %s`", s->dir,
                         s->dir);
    return c ? c : moor_store_open(cp_state_path(s, CP_DATABASE), &s->store, err);
}

struct moor_app_config cp_state_app_config(struct cp_state *s, const char *base_url)
{
    const char *base = moor_arena_str(&s->arena, moor_span_str(base_url));
#define URL(suffix) moor_arena_fmt(&s->arena, "%s" suffix, base)
    return (struct moor_app_config){
        .state_dir = s->dir,
        .cloud_name = s->config.cloud_name,
        .tenant_id = s->config.tenant_id,
        .subscription_id = s->config.subscription_id,
        .location = s->config.location,
        .base_url = base,
        .arm_audience = URL("/"),
        .service_audience = URL("/mooring-service"),
        .his_url = URL("/his"),
        .gas_url = URL("/gas"),
        .notify_url = URL("/notify"),
        .ingestion_url = base,
        .query_url = URL("/v1"),
        .packages_dir = cp_state_path(s, "packages"),
        .lifecycle = s->config.lifecycle,
        .placement = s->config.placement,
    };
#undef URL
}
