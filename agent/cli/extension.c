/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension list, mooring extension remove */
#include "cli/extension.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "manager/command.h"
#include "manager/item.h"
#include "manager/launch.h"
#include "manager/report.h"
#include "manager/requests.h"
#include "platform/dirs.h"

/* What its handler uses with all it started; left out where the system does not tell. */
static void add_usage(struct moor_json *e, const struct moor_item *i, const char *way)
{
    MOOR_AUTO(moor_buf) handler = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
    struct plat_usage usage;
    moor_buf_handler(&handler, i);
    if (!moor_launch_usage(way, moor_buf_cstr(&handler), &usage))
        return;
    struct moor_json *u = moor_json_new_object();
    moor_json_set_int(u, "cpuMilliseconds", (int64_t)usage.cpu_ms);
    moor_json_set_int(u, "memoryBytes", (int64_t)usage.memory_bytes);
    moor_json_set(e, "usage", u);
}

struct moor_json *moor_cli_extension_json(const struct moor_item *i, const char *way)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        { "name", i->name },
        { "publisher", i->publisher },
        { "type", i->type },
        { "version", i->version },
        { "state", moor_report_state(i) },
        { "provisioningState", moor_report_provisioning(i) },
        { "errorCode", i->error_code },
        { "message", i->message },
        { "commandsRunIn", way },
    };
    struct moor_json *e = moor_json_new_object();
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++)
        moor_json_set_str(e, texts[n].key, texts[n].value);
    add_usage(e, i, way);
    return e;
}

moor_code moor_cli_extension_items(struct moor_items *out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_GUESTCONFIG, &path, err, MOOR_ITEMS_FILE);
    return c == MOOR_OK ? moor_items_load(path, out, err) : c;
}

moor_code moor_cli_extensions(struct moor_json **out, struct moor_error *err)
{
    MOOR_AUTO(moor_items) items = { .count = 0 };
    moor_code c = moor_cli_extension_items(&items, err);
    if (c != MOOR_OK)
        return c;
    *out = moor_json_new_array();
    for (size_t n = 0; n < items.count; n++)
        moor_json_push(*out, moor_cli_extension_json(items.list[n], items.way));
    return MOOR_OK;
}

static bool is_called(const struct moor_item *i, const char *name)
{
    MOOR_AUTO(moor_buf) type = MOOR_BUF(512);
    moor_buf_fmt(&type, "%s.%s", i->publisher, i->type);
    return moor_strcasecmp(i->name, name) == 0 || moor_strcasecmp(moor_buf_cstr(&type), name) == 0;
}

const struct moor_item *moor_cli_extension_find(const struct moor_items *items, const char *name)
{
    for (size_t n = 0; n < items->count; n++)
        if (moor_strcasecmp(items->list[n]->name, name) == 0)
            return items->list[n];
    for (size_t n = 0; n < items->count; n++)
        if (is_called(items->list[n], name))
            return items->list[n];
    return NULL;
}

moor_azcm moor_cli_extension_named(struct moor_cli *cli, const struct moor_words *words,
                                   struct moor_items *items, const struct moor_item **out)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_cli_extension_items(items, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    *out = moor_cli_extension_find(items, words->items[0]);
    return *out ? AZCM_OK
                : moor_cli_refuse(cli, AZCM_EXTENSION_TOOL, "%s: no such extension here",
                                  words->items[0]);
}

static moor_azcm run_list(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) list = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    (void)options;
    (void)words;
    if (moor_cli_extensions(&list, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    if (cli->json) {
        moor_say_json(list);
        return AZCM_OK;
    }
    moor_say("%-32s %-48s %-12s %s\n", "NAME", "PUBLISHER.TYPE", "VERSION", "STATE");
    MOOR_JSON_EACH(e, list)
    {
        MOOR_AUTO(moor_buf) type = MOOR_BUF(512);
        moor_buf_fmt(&type, "%s.%s", moor_json_get_str(e, "publisher"),
                     moor_json_get_str(e, "type"));
        moor_say("%-32s %-48s %-12s %s\n", moor_json_get_str(e, "name"), moor_buf_cstr(&type),
                 moor_json_get_str(e, "version"), moor_json_get_str(e, "provisioningState"));
    }
    return AZCM_OK;
}

struct remove_options {
    const char *name;
    bool all;
};
static const struct moor_option remove_options[] = {
    { "name", 'n', "NAME", offsetof(struct remove_options, name),
      "the extension, by its name or Publisher.Type" },
    { "all", 'a', NULL, offsetof(struct remove_options, all), "every extension of this machine" },
    { NULL, 0, NULL, 0, NULL },
};

static bool is_meant(const struct moor_item *i, const struct remove_options *o)
{
    return i->phase != MOOR_PHASE_ABSENT && i->phase != MOOR_PHASE_UNINSTALLED &&
           (o->all || is_called(i, o->name));
}

static moor_azcm ask_removals(struct moor_cli *cli, const struct remove_options *o,
                              const struct moor_items *items)
{
    MOOR_AUTOPTR(moor_json) asked = moor_json_new_array();
    struct moor_error err = MOOR_ERROR_INIT;
    for (size_t n = 0; n < items->count; n++) {
        const char *name = items->list[n]->name;
        if (!is_meant(items->list[n], o))
            continue;
        if (moor_request_ask(MOOR_REQUEST_REMOVAL, name, &err) != MOOR_OK)
            return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
        moor_json_push(asked, moor_json_new_str(name));
        if (!cli->json)
            moor_say("Extension %s is to be removed\n", name);
    }
    if (!o->all && moor_json_size(asked) == 0)
        return moor_cli_refuse(cli, AZCM_EXTENSION_TOOL, "%s: no such extension here", o->name);
    if (cli->json)
        moor_say_json(asked);
    return AZCM_OK;
}

static moor_azcm run_remove(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    const struct remove_options *o = options;
    MOOR_AUTO(moor_items) items = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    (void)words;
    if (!o->name == !o->all)
        return moor_cli_refuse(cli, o->name ? AZCM_INVALID_ARGUMENT : AZCM_MISSING_PARAMETER,
                               "--name or --all: give one of them");
    if (moor_cli_extension_items(&items, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    return ask_removals(cli, o, &items);
}

const struct moor_verb moor_verb_extension_remove = {
    .name = "extension remove",
    .words = "",
    .summary = "remove extensions from this machine",
    .text = "The extensions role does it, now or when it starts, connected or not; extension list\n"
            "says how far it is. What the service still wants is installed again afterwards:\n"
            "delete it there, or put it on extensions.blocklist first.\n",
    .options = remove_options,
    .options_size = sizeof(struct remove_options),
    .admin = true,
    .run = run_remove,
};
const struct moor_verb moor_verb_extension_list = {
    .name = "extension list",
    .words = "",
    .summary = "list the extensions of this machine",
    .text =
        "What the extensions role knows, connected or not. -j also tells what each handler uses\n"
        "with all it started, and how its commands are run: as services of systemd, or as\n"
        "children in control groups (cgroup2, cgroup1) or with rlimits.\n",
    .admin = true,
    .run = run_list,
};
