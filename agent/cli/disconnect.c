/* SPDX-License-Identifier: Apache-2.0 */
/* mooring disconnect */
#include "cli/config_file.h"
#include "cli/joining.h"
#include "connect/session.h"

#define ARENA_MAX (2 * 1024 * 1024)
#define LIMIT_MS  (600 * 1000)

struct leaving {
    struct moor_arena arena;
    struct moor_settings settings;
    struct moor_cloud cloud;
    struct moor_pairs pairs;
};

struct disconnect_options {
    struct moor_credential_options who;
    const char *config;
    bool local_only, remove_extensions;
};
#define DO(member) offsetof(struct disconnect_options, member)
static const struct moor_option disconnect_options[] = {
    { "config", 0, "FILE", DO(config), "JSON or YAML file with options; these here win" },
    { "remove-extensions", 0, NULL, DO(remove_extensions),
      "uninstall the extensions first, and wait for it" },
    { "force-local-only", 'f', NULL, DO(local_only), "leave the resource in the cloud" },
    MOOR_CREDENTIAL_OPTIONS(struct disconnect_options, who),
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm disconnect_now(struct moor_cli *cli, const struct disconnect_options *o,
                                const struct moor_agentconfig *config, struct leaving *w)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    MOOR_AUTOPTR(moor_credentials) secrets = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_credential_options given = o->who;
    struct moor_disconnect_params p = { .local_only = o->local_only,
                                        .remove_extensions = o->remove_extensions };
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number = AZCM_OK;
    if (o->local_only && o->remove_extensions)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--remove-extensions and --force-local-only: give one of them");
    if (!o->local_only) {
        if (!given.tenant)
            given.tenant = config->tenant_id;
        number = moor_joining_cloud(cli, config->cloud, &w->cloud, &w->arena);
        if (number == AZCM_OK)
            number = moor_credentials_read(cli, &given, &secrets, &p.who);
        p.cloud = &w->cloud;
    }
    if (number != AZCM_OK)
        return number;
    if (moor_session_new(p.cloud, &w->settings, &session, &err))
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    moor_session_limit(session, LIMIT_MS);
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
                               struct leaving *w)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agentconfig config = { .resource_id = "" };
    moor_code c = moor_agentconfig_load(&config, &w->arena, &err);
    if (c == MOOR_E_NOTFOUND && !o->local_only)
        return say_disconnected(cli, "Machine is not connected", "");
    if (c != MOOR_OK && !o->local_only)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    moor_azcm number = AZCM_OK;
    if (moor_settings_load(&w->settings, &w->arena, &err) != MOOR_OK)
        number = moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
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
    struct leaving w = { .arena = MOOR_ARENA(ARENA_MAX) };
    const struct disconnect_options *given = options;
    struct disconnect_options o = *given;
    (void)words;
    moor_azcm number = moor_config_file_apply(cli, given->config, disconnect_options,
                                              moor_connect_options, &o, &w.pairs);
    o.who.from_file = !given->who.secret && !given->who.token;
    if (number == AZCM_OK)
        number = disconnect_in(cli, &o, &w);
    moor_arena_drop(&w.arena);
    moor_pairs_drop(&w.pairs);
    return number;
}

const struct moor_verb moor_verb_disconnect = {
    .name = "disconnect",
    .words = "",
    .summary = "delete the resource and this machine's identity",
    .text = "Then key, certificates and tokens of this machine are removed. Installed extensions\n"
            "stay, unless --remove-extensions deletes their resources first and waits until this\n"
            "machine has uninstalled them. With --force-local-only neither cloud nor identity "
            "service need to answer.\n"
            "Credentials are given as for connect.\n",
    .options = disconnect_options,
    .options_size = sizeof(struct disconnect_options),
    .admin = true,
    .run = run_disconnect,
};
