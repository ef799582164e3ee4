/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/joining.h"

#include "base/text.h"
#include "cli/config_file.h"
#include "connect/session.h"
#include "core/arm.h"
#include "platform/dirs.h"
#include "platform/host.h"

#define LIMIT_S     600
#define LIMIT_MIN_S 1

void moor_joining_drop(struct moor_joining *j)
{
    moor_credentials_free(j->secrets);
    j->secrets = NULL;
    moor_pairs_drop(&j->pairs);
    moor_buf_drop(&j->name);
    moor_buf_drop(&j->tags);
    moor_buf_drop(&j->location);
    moor_arena_drop(&j->arena);
}

moor_azcm moor_joining_cloud(struct moor_cli *cli, const char *name, struct moor_cloud *out,
                             struct moor_arena *arena)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_str_list names;
    if (!name) {
        if (moor_cloud_list(false, &names, arena, &err) != MOOR_OK)
            return moor_cli_fail(cli, AZCM_CLOUD, &err, NULL);
        if (names.count != 1)
            return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                                   names.count == 0
                                       ? "--cloud: no cloud is registered on this machine"
                                       : "--cloud: more than one cloud is registered");
        name = names.items[0];
    }
    if (moor_cloud_load(name, out, arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CLOUD, &err, NULL);
    return AZCM_OK;
}

static moor_azcm check_missing(struct moor_cli *cli, const struct moor_join_options *o)
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
    return list.len == 0 ? AZCM_OK
                         : moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "%s", moor_buf_cstr(&list));
}

static moor_azcm choose_name(struct moor_cli *cli, struct moor_joining *j)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct plat_host host;
    if (j->o.name) {
        moor_buf_str(&j->name, j->o.name);
        if (moor_arm_check_machine_name(j->o.name, &err) != MOOR_OK)
            return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
        return AZCM_OK;
    }
    plat_host_read(&host);
    if (moor_arm_name_from_host(host.hostname, &j->name, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_RESOURCE_NAME, &err, NULL);
    return AZCM_OK;
}

static moor_code check_limit(struct moor_joining *j, struct moor_error *err)
{
    uint32_t seconds = LIMIT_S;
    if (j->o.timeout &&
        moor_parse_u32(moor_span_str(j->o.timeout), LIMIT_MIN_S, LIMIT_S, &seconds, err) != MOOR_OK)
        return moor_context(err, "--timeout");
    j->limit_ms = (uint64_t)seconds * 1000;
    return MOOR_OK;
}

/* The reference spells it TPM in what it shows. */
static bool is_tpm(const struct moor_join_options *o)
{
    return o->key_store && moor_strcasecmp(o->key_store, "tpm") == 0;
}

static moor_code check_mode(const struct moor_join_options *o, struct moor_error *err)
{
    const bool principal = moor_streq(o->mode, MOOR_MODE_PRINCIPAL);
    if (o->mode && !principal && !moor_streq(o->mode, "mooring"))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "--identity-mode: want mooring or " MOOR_MODE_PRINCIPAL);
    if (principal != (o->mode_client != NULL))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "--identity-mode " MOOR_MODE_PRINCIPAL " and --identity-client-id: give "
                         "both or none");
    if (o->mode_client && !moor_uuid_valid(moor_span_str(o->mode_client)))
        return moor_fail(err, MOOR_E_BADINPUT, "--identity-client-id: want a UUID");
    return MOOR_OK;
}

static moor_code check_values(struct moor_joining *j, struct moor_error *err)
{
    const struct moor_join_options *o = &j->o;
    moor_code c = check_limit(j, err);
    if (c == MOOR_OK)
        c = check_mode(o, err);
    if (c == MOOR_OK && o->group)
        c = moor_arm_check_group_name(o->group, err);
    if (c == MOOR_OK && o->location)
        c = moor_arm_check_location(o->location, err);
    if (c == MOOR_OK && o->tags)
        c = moor_tags_parse(o->tags, &j->tags, err);
    if (c == MOOR_OK && o->correlation_id && !moor_uuid_valid(moor_span_str(o->correlation_id)))
        c = moor_fail(err, MOOR_E_BADINPUT, "--correlation-id: want a UUID");
    if (c == MOOR_OK && o->key_store && !moor_streq(o->key_store, "default") && !is_tpm(o))
        c = moor_fail(err, MOOR_E_BADINPUT, "--identity-key-store: want default or tpm");
    if (c == MOOR_OK && o->private_link_scope &&
        !moor_span_starts(moor_span_str(o->private_link_scope), "/subscriptions/"))
        c = moor_fail(err, MOOR_E_BADINPUT, "--private-link-scope: want a resource id");
    if (c == MOOR_OK && o->location)
        moor_arm_normal_location(&j->location, o->location);
    return c;
}

static void fill_params(struct moor_joining *j)
{
    const struct moor_join_options *o = &j->o;
    j->params = (struct moor_connect_params){
        .cloud = &j->cloud,
        .tenant_id = o->who.tenant,
        .subscription = o->subscription,
        .group = o->group,
        .location = j->location.len > 0 ? moor_buf_cstr(&j->location) : NULL,
        .name = j->name.len > 0 ? moor_buf_cstr(&j->name) : NULL,
        .tags = j->tags.len > 0 ? moor_buf_cstr(&j->tags) : NULL,
        .correlation_id = o->correlation_id,
        .private_link_scope = o->private_link_scope,
        .client_id = o->mode_client,
        .key_in_tpm = is_tpm(o),
    };
}

static moor_azcm load_surroundings(struct moor_cli *cli, bool whole, struct moor_joining *j)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_settings_load(&j->settings, &j->arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    if (!whole && !j->o.cloud)
        return AZCM_OK;
    moor_azcm bad = moor_joining_cloud(cli, j->o.cloud, &j->cloud, &j->arena);
    if (bad == AZCM_OK && !j->cloud.his_endpoint && !j->o.mode_client)
        bad = moor_cli_refuse(cli, AZCM_UNSUPPORTED,
                              "cloud %s: has no Mooring service, which gives machines their "
                              "identity: use --identity-mode service-principal",
                              j->cloud.name);
    return bad;
}

moor_azcm moor_joining_prepare(struct moor_cli *cli, const struct moor_join_options *given,
                               const struct moor_option *table, bool whole, struct moor_joining *j)
{
    struct moor_error err = MOOR_ERROR_INIT;
    j->o = *given;
    moor_azcm bad = moor_config_file_apply(cli, given->config, table, NULL, &j->o, &j->pairs);
    j->o.who.from_file = !given->who.secret && !given->who.token;
    if (bad == AZCM_OK && whole)
        bad = check_missing(cli, &j->o);
    if (bad == AZCM_OK && check_values(j, &err) != MOOR_OK)
        bad = moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (bad == AZCM_OK && (whole || j->o.name))
        bad = choose_name(cli, j);
    if (bad == AZCM_OK)
        bad = load_surroundings(cli, whole, j);
    if (bad == AZCM_OK)
        fill_params(j);
    return bad;
}

moor_azcm moor_joining_credentials(struct moor_cli *cli, struct moor_joining *j)
{
    return moor_credentials_read(cli, &j->o.who, &j->secrets, &j->params.who);
}

moor_azcm moor_joining_session(struct moor_cli *cli, const struct moor_joining *j,
                               struct moor_session **out)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_session_new(j->cloud.name ? &j->cloud : NULL, &j->settings, out, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    moor_session_limit(*out, j->limit_ms);
    if (cli->verbose && !cli->json)
        moor_tell(cli, "cloud %s: %s, proxy: %s, root: %s/", j->cloud.name,
                  j->cloud.resource_manager,
                  *j->settings.proxy_url ? j->settings.proxy_url : "none", plat_dirs_root());
    return AZCM_OK;
}

static struct moor_json *result_json(const struct moor_connect_result *r,
                                     const struct moor_cloud *cloud)
{
    const struct moor_agentconfig *a = &r->config;
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
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "status", r->was_connected ? "AlreadyConnected" : "Connected");
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        moor_json_set_str(v, texts[i].name, texts[i].value ? texts[i].value : "");
    if (r->changed.count > 0) {
        struct moor_json *list = moor_json_set(v, "changed", moor_json_new_array());
        for (size_t i = 0; i < r->changed.count; i++)
            moor_json_push(list, moor_json_new_str(r->changed.items[i]));
    }
    if (cloud->portal) {
        MOOR_AUTO(moor_buf) portal = MOOR_BUF(4096);
        moor_buf_fmt(&portal, "%s/#resource%s", cloud->portal, a->resource_id);
        moor_json_set_str(v, "portalPage", moor_buf_cstr(&portal));
    }
    return v;
}

void moor_joining_say(struct moor_cli *cli, const struct moor_connect_result *r,
                      const struct moor_cloud *cloud)
{
    if (!cli->json) {
        moor_say(r->was_connected ? "Machine is already connected: %s\n" : "Connected: %s\n",
                 r->config.resource_id);
        for (size_t i = 0; i < r->changed.count; i++)
            moor_say("Changed: %s\n", r->changed.items[i]);
        return;
    }
    MOOR_AUTOPTR(moor_json) v = result_json(r, cloud);
    moor_say_json(v);
}

moor_azcm moor_joining_connect(struct moor_cli *cli, struct moor_joining *j)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_connect_result result;
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number = j->params.private_key ? AZCM_OK : moor_joining_credentials(cli, j);
    if (number == AZCM_OK)
        number = moor_joining_session(cli, j, &session);
    if (number != AZCM_OK)
        return number;
    if (moor_connect(session, &j->params, &progress, &result, &j->arena, &number, &err) != MOOR_OK)
        return moor_cli_fail(cli, number, &err, NULL);
    moor_joining_say(cli, &result, &j->cloud);
    return AZCM_OK;
}
