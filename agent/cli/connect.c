/* SPDX-License-Identifier: Apache-2.0 */
/* mooring connect and mooring disconnect */
#include "connect/connect.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "cli/cli.h"
#include "connect/session.h"
#include "core/arm.h"
#include "core/settings.h"
#include "platform/dirs.h"
#include "platform/host.h"

#define ARENA_MAX (2 * 1024 * 1024)

struct connect_options {
    struct moor_credential_options who;
    const char *subscription, *group, *location, *name, *cloud, *tags, *correlation_id;
};
#define CO(member) offsetof(struct connect_options, member)
static const struct moor_option connect_options[] = {
    { "subscription-id", 's', "ID|NAME", CO(subscription), "subscription of the resource" },
    { "resource-group", 'g', "NAME", CO(group), "resource group; made when missing" },
    { "location", 'l', "NAME", CO(location), "location of the resource" },
    { "resource-name", 'n', "NAME", CO(name), "name of the resource; default: the host name" },
    { "cloud", 0, "CLOUD", CO(cloud), "registered cloud; may be left out when there is one" },
    { "tags", 0, "A=B,C=D", CO(tags), "tags of the resource" },
    { "correlation-id", 0, "UUID", CO(correlation_id), "sent along for telemetry" },
    MOOR_CREDENTIAL_OPTIONS(struct connect_options, who),
    { NULL, 0, NULL, 0, NULL },
};

/* What a connection needs besides the options. */
struct surroundings {
    struct moor_arena arena;
    struct moor_settings settings;
    struct moor_cloud cloud;
    struct moor_buf name, tags, location;
};

static void drop_surroundings(struct surroundings *w)
{
    moor_buf_drop(&w->name);
    moor_buf_drop(&w->tags);
    moor_buf_drop(&w->location);
    moor_arena_drop(&w->arena);
}

static moor_azcm load_settings(struct moor_cli *cli, struct surroundings *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_settings_load(&w->settings, &w->arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    return AZCM_OK;
}

static moor_azcm load_cloud(struct moor_cli *cli, const char *name, struct surroundings *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_str_list names;
    if (!name) {
        if (moor_cloud_list(false, &names, &w->arena, &err) != MOOR_OK)
            return moor_cli_fail(cli, AZCM_CLOUD, &err, NULL);
        if (names.count != 1)
            return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                                   names.count == 0
                                       ? "--cloud: no cloud is registered on this machine"
                                       : "--cloud: more than one cloud is registered");
        name = names.items[0];
    }
    if (moor_cloud_load(name, &w->cloud, &w->arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CLOUD, &err, NULL);
    return AZCM_OK;
}

static moor_azcm missing(struct moor_cli *cli, const struct connect_options *o)
{
    const struct {
        const char *name, *value;
    } needed[] = {
        { "--subscription-id", o->subscription },
        { "--resource-group", o->group },
        { "--location", o->location },
    };
    MOOR_AUTO(moor_buf) list = MOOR_BUF(256);
    for (size_t i = 0; i < MOOR_COUNTOF(needed); i++)
        if (!needed[i].value)
            moor_buf_fmt(&list, "%s%s", list.len > 0 ? ", " : "", needed[i].name);
    if (list.len == 0)
        return AZCM_OK;
    return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "%s", moor_buf_cstr(&list));
}

static moor_azcm choose_name(struct moor_cli *cli, const struct connect_options *o,
                             struct surroundings *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct plat_host host;
    if (o->name) {
        moor_buf_str(&w->name, o->name);
        if (moor_arm_check_machine_name(o->name, &err) != MOOR_OK)
            return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
        return AZCM_OK;
    }
    plat_host_read(&host);
    if (moor_arm_name_from_host(host.hostname, &w->name, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_RESOURCE_NAME, &err, NULL);
    return AZCM_OK;
}

static moor_azcm check_values(struct moor_cli *cli, const struct connect_options *o,
                              struct surroundings *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_arm_check_group_name(o->group, &err);
    if (c == MOOR_OK)
        c = moor_arm_check_location(o->location, &err);
    if (c == MOOR_OK && o->tags)
        c = moor_tags_parse(o->tags, &w->tags, &err);
    if (c == MOOR_OK && o->correlation_id && !moor_uuid_valid(moor_span_str(o->correlation_id)))
        c = moor_fail(&err, MOOR_E_BADINPUT, "--correlation-id: want a UUID");
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    moor_arm_normal_location(&w->location, o->location);
    return choose_name(cli, o, w);
}

static moor_azcm prepare(struct moor_cli *cli, const struct connect_options *o,
                         struct surroundings *w)
{
    moor_azcm bad = missing(cli, o);
    if (bad == AZCM_OK)
        bad = check_values(cli, o, w);
    if (bad == AZCM_OK)
        bad = load_settings(cli, w);
    if (bad == AZCM_OK)
        bad = load_cloud(cli, o->cloud, w);
    if (bad == AZCM_OK && !w->cloud.his_endpoint)
        bad = moor_cli_refuse(cli, AZCM_UNSUPPORTED,
                              "cloud %s: has no Mooring service, which gives machines their "
                              "identity",
                              w->cloud.name);
    return bad;
}

static void say_connected(struct moor_cli *cli, const struct moor_connect_result *r,
                          const struct moor_cloud *cloud)
{
    const struct moor_agentconfig *a = &r->config;
    if (!cli->json) {
        moor_say(r->was_connected ? "Machine is already connected: %s\n" : "Connected: %s\n",
                 a->resource_id);
        return;
    }
    const struct {
        const char *name, *value;
    } texts[] = {
        { "resourceId", a->resource_id },
        { "resourceName", a->resource_name },
        { "location", a->location },
        { "tenantId", a->tenant_id },
        { "vmId", a->vm_id },
        { "principalId", a->principal_id },
        { "clientId", a->client_id },
        { "cloud", a->cloud },
    };
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "status", r->was_connected ? "AlreadyConnected" : "Connected");
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        moor_json_set_str(v, texts[i].name, texts[i].value ? texts[i].value : "");
    if (cloud->portal) {
        MOOR_AUTO(moor_buf) portal = MOOR_BUF(4096);
        moor_buf_fmt(&portal, "%s/#resource%s", cloud->portal, a->resource_id);
        moor_json_set_str(v, "portalPage", moor_buf_cstr(&portal));
    }
    moor_say_json(v);
}

static moor_azcm connect_now(struct moor_cli *cli, const struct connect_options *o,
                             struct surroundings *w)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    MOOR_AUTOPTR(moor_credentials) secrets = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_connect_result result;
    struct moor_connect_params p = { .cloud = &w->cloud,
                                     .tenant_id = o->who.tenant,
                                     .subscription = o->subscription,
                                     .group = o->group,
                                     .location = moor_buf_cstr(&w->location),
                                     .name = moor_buf_cstr(&w->name),
                                     .tags = w->tags.len > 0 ? moor_buf_cstr(&w->tags) : NULL,
                                     .correlation_id = o->correlation_id };
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number = moor_credentials_read(cli, &o->who, &secrets, &p.who);
    if (number != AZCM_OK)
        return number;
    if (moor_session_new(&w->cloud, &w->settings, &session, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    if (cli->verbose && !cli->json)
        moor_tell(cli, "cloud %s: %s, proxy: %s, root: %s/", w->cloud.name,
                  w->cloud.resource_manager,
                  *w->settings.proxy_url ? w->settings.proxy_url : "none", plat_dirs_root());
    if (moor_connect(session, &p, &progress, &result, &w->arena, &number, &err) != MOOR_OK)
        return moor_cli_fail(cli, number, &err, NULL);
    say_connected(cli, &result, &w->cloud);
    return AZCM_OK;
}

static moor_azcm run_connect(struct moor_cli *cli, const void *options,
                             const struct moor_words *words)
{
    struct surroundings w = { .arena = MOOR_ARENA(ARENA_MAX),
                              .name = MOOR_BUF(256),
                              .tags = MOOR_BUF(64 * 1024),
                              .location = MOOR_BUF(128) };
    (void)words;
    moor_azcm number = prepare(cli, options, &w);
    if (number == AZCM_OK)
        number = connect_now(cli, options, &w);
    drop_surroundings(&w);
    return number;
}

struct disconnect_options {
    struct moor_credential_options who;
    bool local_only;
};
#define DO(member) offsetof(struct disconnect_options, member)
static const struct moor_option disconnect_options[] = {
    { "force-local-only", 'f', NULL, DO(local_only), "leave the resource in the cloud" },
    MOOR_CREDENTIAL_OPTIONS(struct disconnect_options, who),
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm disconnect_now(struct moor_cli *cli, const struct disconnect_options *o,
                                const struct moor_agentconfig *config, struct surroundings *w)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    MOOR_AUTOPTR(moor_credentials) secrets = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_credential_options given = o->who;
    struct moor_disconnect_params p = { .local_only = o->local_only };
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number = AZCM_OK;
    if (!o->local_only) {
        if (!given.tenant)
            given.tenant = config->tenant_id;
        number = load_cloud(cli, config->cloud, w);
        if (number == AZCM_OK)
            number = moor_credentials_read(cli, &given, &secrets, &p.who);
        p.cloud = &w->cloud;
    }
    if (number != AZCM_OK)
        return number;
    if (moor_session_new(p.cloud, &w->settings, &session, &err))
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    if (moor_disconnect(session, config, &p, &progress, &number, &err) != MOOR_OK)
        return moor_cli_fail(cli, number, &err, NULL);
    return AZCM_OK;
}

static moor_azcm say_disconnected(struct moor_cli *cli, const char *text, const char *resource_id)
{
    if (!cli->json) {
        moor_say("%s\n", text);
        return AZCM_OK;
    }
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "status", "Disconnected");
    moor_json_set_str(v, "resourceId", resource_id);
    moor_say_json(v);
    return AZCM_OK;
}

static moor_azcm disconnect_in(struct moor_cli *cli, const struct disconnect_options *o,
                               struct surroundings *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agentconfig config = { .resource_id = "" };
    moor_code c = moor_agentconfig_load(&config, &w->arena, &err);
    if (c == MOOR_E_NOTFOUND && !o->local_only)
        return say_disconnected(cli, "Machine is not connected", "");
    if (c != MOOR_OK && !o->local_only)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    moor_azcm number = load_settings(cli, w);
    if (number == AZCM_OK)
        number = disconnect_now(cli, o, c == MOOR_OK ? &config : NULL, w);
    if (number != AZCM_OK)
        return number;
    if (o->local_only && c == MOOR_OK && !cli->json)
        moor_tell(cli, "remains in the cloud: %s", config.resource_id);
    return say_disconnected(cli, "Machine is disconnected", config.resource_id);
}

static moor_azcm run_disconnect(struct moor_cli *cli, const void *options,
                                const struct moor_words *words)
{
    struct surroundings w = { .arena = MOOR_ARENA(ARENA_MAX) };
    (void)words;
    moor_azcm number = disconnect_in(cli, options, &w);
    drop_surroundings(&w);
    return number;
}

const struct moor_verb moor_verb_connect = {
    .name = "connect",
    .words = "",
    .summary = "make this machine a resource of a cloud",
    .text = "The secret of the service principal comes from a file, standard input (-), or the\n"
            "variable MOORING_SERVICE_PRINCIPAL_SECRET; an access token from a file or\n"
            "MOORING_ACCESS_TOKEN.\n"
            "\n"
            "The steps are told one by one. When one fails, what was made is undone, and what\n"
            "could not be undone is named. The same command run again after a crash goes on\n"
            "where it stopped; run on a connected machine it changes nothing and succeeds.\n",
    .options = connect_options,
    .options_size = sizeof(struct connect_options),
    .admin = true,
    .run = run_connect,
};
const struct moor_verb moor_verb_disconnect = {
    .name = "disconnect",
    .words = "",
    .summary = "delete the resource and this machine's identity",
    .text = "Then key, certificates and tokens of this machine are removed. Installed extensions\n"
            "stay. With --force-local-only neither cloud nor identity service need to answer.\n"
            "Credentials are given as for connect.\n",
    .options = disconnect_options,
    .options_size = sizeof(struct disconnect_options),
    .admin = true,
    .run = run_disconnect,
};
