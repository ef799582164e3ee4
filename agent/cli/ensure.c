/* SPDX-License-Identifier: Apache-2.0 */
/* mooring ensure-connected */
#include "base/text.h"
#include "cli/joining.h"
#include "connect/himds.h"
#include "connect/mend.h"
#include "connect/session.h"

/* Appends what is another than it is wanted to be: "resource-group is a, not b". */
static void add_difference(struct moor_buf *b, const char *name, const char *is, const char *want)
{
    if (want && moor_strcasecmp(is, want) != 0)
        moor_buf_fmt(b, "%s%s is %s, not %s", b->len > 0 ? "; " : "", name, is, want);
}

/* What is settled by connecting and can only be changed by connecting anew. */
static void compare_identity(const struct moor_agentconfig *is, const char *key_store,
                             const struct moor_joining *j, struct moor_buf *list)
{
    const struct moor_connect_params *want = &j->params;
    const bool by_id = want->subscription && moor_uuid_valid(moor_span_str(want->subscription));
    add_difference(list, "cloud", is->cloud, j->o.cloud ? j->cloud.name : NULL);
    add_difference(list, "tenant-id", is->tenant_id, want->tenant_id);
    add_difference(list, "subscription-id", is->subscription_id, by_id ? want->subscription : NULL);
    add_difference(list, "resource-group", is->resource_group, want->group);
    add_difference(list, "resource-name", is->resource_name, want->name);
    add_difference(list, "location", is->location, want->location);
    add_difference(list, "identity-mode", is->identity_mode, j->o.mode);
    add_difference(list, "identity-client-id", is->client_id ? is->client_id : "none",
                   want->client_id);
    add_difference(list, "identity-key-store", key_store, j->o.key_store);
}

/* Brings the resource's tags and scope to what is wanted, when somebody may and there is need. */
static moor_azcm mend(struct moor_cli *cli, struct moor_session *session,
                      const struct moor_agentconfig *is, const struct moor_json *tags,
                      struct moor_joining *j, struct moor_connect_result *result)
{
    const struct moor_progress progress = moor_cli_progress(cli);
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) differs = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) unknown = MOOR_BUF(256);
    moor_azcm number = AZCM_OK;
    moor_mend_compare(&j->params, tags, &differs, &unknown);
    if (differs.len == 0 && unknown.len == 0)
        return AZCM_OK;
    if (!moor_credentials_given(&j->o.who))
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                               "%s: %s%s; somebody must sign in to %s it", is->resource_id,
                               differs.len > 0 ? moor_buf_cstr(&differs) : moor_buf_cstr(&unknown),
                               differs.len > 0 ? "" : " cannot be compared on this machine",
                               differs.len > 0 ? "mend" : "do");
    j->params.cloud = &j->cloud;
    if (!j->o.who.tenant)
        j->o.who.tenant = is->tenant_id;
    number = moor_joining_credentials(cli, j);
    if (number == AZCM_OK && moor_mend(session, is, &j->params, &progress, &result->changed,
                                       &j->arena, &number, &err) != MOOR_OK)
        return moor_cli_fail(cli, number, &err, NULL);
    return number;
}

/* Everything that is wanted against everything that is. */
static moor_azcm compare(struct moor_cli *cli, struct moor_session *session,
                         const struct moor_agentconfig *is, struct moor_joining *j,
                         struct moor_connect_result *result)
{
    MOOR_AUTOPTR(moor_json) status = NULL;
    MOOR_AUTO(moor_buf) list = MOOR_BUF(4096);
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_himds_status(session, &status, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_NO_HIMDS, &err, NULL);
    compare_identity(is, moor_json_get_str(status, "identityKeyStore"), j, &list);
    if (list.len > 0)
        return moor_cli_refuse(cli, AZCM_ALREADY_CONNECTED, "this machine is connected as %s: %s",
                               is->resource_id, moor_buf_cstr(&list));
    const struct moor_json *tags = moor_json_get(status, "tags");
    return mend(cli, session, is, moor_json_typeof(tags) == MOOR_JSON_OBJECT ? tags : NULL, j,
                result);
}

static moor_azcm settle(struct moor_cli *cli, const struct moor_agentconfig *is,
                        struct moor_joining *j)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_connect_result result = { .was_connected = false };
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number =
        j->o.cloud ? AZCM_OK : moor_joining_cloud(cli, is->cloud, &j->cloud, &j->arena);
    if (number == AZCM_OK)
        number = moor_joining_session(cli, j, &session);
    if (number == AZCM_OK)
        number = compare(cli, session, is, j, &result);
    if (number != AZCM_OK)
        return number;
    if (moor_connect_settle(session, is, true, &progress, &result, &j->arena, &number, &err) !=
        MOOR_OK)
        return moor_cli_fail(cli, number, &err, NULL);
    moor_joining_say(cli, &result, &j->cloud);
    return AZCM_OK;
}

static moor_azcm connect_now(struct moor_cli *cli, const void *options)
{
    MOOR_AUTO(moor_joining) j = MOOR_JOINING_INIT;
    moor_azcm number = moor_joining_prepare(cli, options, moor_connect_options, true, &j);
    return number == AZCM_OK ? moor_joining_connect(cli, &j) : number;
}

static moor_azcm run_ensure(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    MOOR_AUTO(moor_joining) j = MOOR_JOINING_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agentconfig is = { .schema = 0 };
    (void)words;
    moor_code c = moor_agentconfig_load(&is, &j.arena, &err);
    if (c == MOOR_E_NOTFOUND)
        return connect_now(cli, options);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    moor_azcm number = moor_joining_prepare(cli, options, moor_connect_options, false, &j);
    return number == AZCM_OK ? settle(cli, &is, &j) : number;
}

const struct moor_verb moor_verb_ensure_connected = {
    .name = "ensure-connected",
    .words = "",
    .summary = "connect unless it is so, and make sure that the service hears this machine",
    .text =
        "For configuration management: all that is given is compared with what is. A machine\n"
        "that is not connected is connected. Tags and the private link scope of its resource\n"
        "that are others are set (tags that are not named stay); whatever else differs is told\n"
        "with status 67, since only connecting anew would change it. Status 0 means that the\n"
        "service has accepted a heartbeat. Credentials are used only when there is something to\n"
        "connect or to set, or what only the cloud can compare: without them, status 16.\n",
    .options = moor_connect_options,
    .options_size = sizeof(struct moor_join_options),
    .admin = true,
    .run = run_ensure,
};
