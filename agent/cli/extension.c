/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension list */
#include "cli/extension.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "manager/item.h"
#include "manager/report.h"
#include "platform/dirs.h"

static struct moor_json *new_extension(const struct moor_item *i)
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
    };
    struct moor_json *e = moor_json_new_object();
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++)
        moor_json_set_str(e, texts[n].key, texts[n].value);
    return e;
}

moor_code moor_cli_extensions(struct moor_json **out, struct moor_error *err)
{
    MOOR_AUTO(moor_items) items = { .count = 0 };
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_GUESTCONFIG, &path, err, MOOR_ITEMS_FILE);
    if (c == MOOR_OK)
        c = moor_items_load(path, &items, err);
    if (c != MOOR_OK)
        return c;
    *out = moor_json_new_array();
    for (size_t n = 0; n < items.count; n++)
        moor_json_push(*out, new_extension(items.list[n]));
    return MOOR_OK;
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

const struct moor_verb moor_verb_extension_list = {
    .name = "extension list",
    .words = "",
    .summary = "list the extensions of this machine",
    .text = "What the extensions role knows, connected or not.\n",
    .admin = true,
    .run = run_list,
};
