/* SPDX-License-Identifier: Apache-2.0 */
/* mooring ensure-connected */
#include "base/text.h"
#include "cli/joining.h"
#include "connect/session.h"

/* Appends what is another than it is wanted to be: "resource-group is a, not b". */
static void add_difference(struct moor_buf *b, const char *name, const char *is, const char *want)
{
    if (want && moor_strcasecmp(is, want) != 0)
        moor_buf_fmt(b, "%s%s is %s, not %s", b->len > 0 ? "; " : "", name, is, want);
}

static moor_azcm compare(struct moor_cli *cli, const struct moor_agentconfig *is,
                         const struct moor_joining *j)
{
    const struct moor_connect_params *want = &j->params;
    MOOR_AUTO(moor_buf) list = MOOR_BUF(4096);
    const bool by_id = want->subscription && moor_uuid_valid(moor_span_str(want->subscription));
    add_difference(&list, "cloud", is->cloud, j->o.cloud ? j->cloud.name : NULL);
    add_difference(&list, "tenant-id", is->tenant_id, want->tenant_id);
    add_difference(&list, "subscription-id", is->subscription_id,
                   by_id ? want->subscription : NULL);
    add_difference(&list, "resource-group", is->resource_group, want->group);
    add_difference(&list, "resource-name", is->resource_name, want->name);
    add_difference(&list, "location", is->location, want->location);
    if (list.len == 0)
        return AZCM_OK;
    return moor_cli_refuse(cli, AZCM_ALREADY_CONNECTED, "this machine is connected as %s: %s",
                           is->resource_id, moor_buf_cstr(&list));
}

static moor_azcm settle(struct moor_cli *cli, const struct moor_agentconfig *is,
                        struct moor_joining *j)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_connect_result result = { .was_connected = false };
    const struct moor_progress progress = moor_cli_progress(cli);
    moor_azcm number = compare(cli, is, j);
    if (number == AZCM_OK)
        number = moor_joining_cloud(cli, is->cloud, &j->cloud, &j->arena);
    if (number == AZCM_OK)
        number = moor_joining_session(cli, j, &session);
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
        "For configuration management: what is given is compared with what is; a machine that is\n"
        "not connected is connected, one that is connected otherwise is left alone and told\n"
        "with status 67. Status 0 means that the service has accepted a heartbeat. Credentials\n"
        "are used only when there is something to connect.\n",
    .options = moor_connect_options,
    .options_size = sizeof(struct moor_join_options),
    .admin = true,
    .run = run_ensure,
};
