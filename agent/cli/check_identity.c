/* SPDX-License-Identifier: Apache-2.0 */
/* mooring check identity */
#include "cli/cli.h"
#include "connect/check_local.h"

#define ARENA_MAX (256 * 1024)

struct identity_options {
    const char *resource;
};
static const struct moor_option identity_options[] = {
    { "resource", 0, "AUDIENCE", offsetof(struct identity_options, resource),
      "whom the token is for; default: Azure Resource Manager" },
    { NULL, 0, NULL, 0, NULL },
};

static void say_table(struct moor_cli *cli, const struct moor_local_check *check)
{
    moor_say("%-20s|%-6s|%s\n", "CHECK", "OK", "FOUND");
    for (size_t i = 0; i < check->count; i++)
        moor_say("%-20s|%-6s|%s\n", check->items[i].name, check->items[i].good ? "true" : "false",
                 check->items[i].detail);
    for (size_t i = 0; i < check->count; i++)
        if (*check->items[i].remedy)
            moor_tell(cli, "%s: %s", check->items[i].name, check->items[i].remedy);
}

static void say_objects(const struct moor_local_check *check)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_bool(v, "allGood", check->all_good);
    struct moor_json *list = moor_json_set(v, "findings", moor_json_new_array());
    for (size_t i = 0; i < check->count; i++) {
        struct moor_json *o = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(o, "name", check->items[i].name);
        moor_json_set_bool(o, "good", check->items[i].good);
        moor_json_set_str(o, "found", check->items[i].detail);
        moor_json_set_str(o, "remedy", check->items[i].remedy);
    }
    moor_say_json(v);
}

static moor_azcm run_identity(struct moor_cli *cli, const void *options,
                              const struct moor_words *words)
{
    const struct identity_options *o = options;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_local_check check;
    (void)words;
    if (moor_check_local(o->resource, &check, &arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    if (cli->json)
        say_objects(&check);
    else
        say_table(cli, &check);
    return check.all_good ? AZCM_OK : AZCM_AGENT_TALK;
}

const struct moor_verb moor_verb_check_identity = {
    .name = "check identity",
    .words = "",
    .summary = "test whether the caller gets tokens from this machine's identity endpoint",
    .text = "Looks at the variables that libraries read, the identity service, who holds its\n"
            "port, and the right to read challenge files; then asks for one token, which is\n"
            "thrown away. Run it as the user, and in the environment, of the program that gets\n"
            "none: what it lacks is said with the remedy.\n",
    .options = identity_options,
    .options_size = sizeof(struct identity_options),
    .run = run_identity,
};
