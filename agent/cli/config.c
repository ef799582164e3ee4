/* SPDX-License-Identifier: Apache-2.0 */
/* mooring config */
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "core/settings_edit.h"

#define ARENA_MAX (1024 * 1024)

struct set_options {
    bool add, remove;
};
static const struct moor_option set_options[] = {
    { "add", 'a', NULL, offsetof(struct set_options, add), "add the value to a list" },
    { "remove", 'r', NULL, offsetof(struct set_options, remove), "take the value out of a list" },
    { NULL, 0, NULL, 0, NULL },
};

static const char *const states[] = {
    [MOOR_SETTING_HERE] = "",
    [MOOR_SETTING_PREVIEW] = " (preview)",
    [MOOR_SETTING_KEPT] = " (not available)",
};

const char *moor_cli_settings(struct moor_cli *cli, struct moor_settings *out,
                              struct moor_arena *arena)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_settings_load_closed(out, arena, &err) == MOOR_OK)
        return NULL;
    moor_warn(cli, "%s; until it is mended, local policy allows nothing", err.msg);
    const char *why = moor_arena_str(arena, moor_span_str(err.msg));
    return why ? why : MOOR_LOCALCONFIG_NAME;
}

static void append_list(struct moor_buf *out, const struct moor_json *list)
{
    if (moor_json_size(list) == 0)
        moor_buf_str(out, "[]");
    MOOR_JSON_EACH(item, list)
    {
        moor_buf_fmt(out, "%s%s", item == moor_json_first(list) ? "" : ",", moor_json_str(item));
    }
}

/* As people read it, and as they type it. */
static void append_value(struct moor_buf *out, const struct moor_json *v)
{
    if (moor_json_typeof(v) == MOOR_JSON_ARRAY)
        append_list(out, v);
    else if (moor_json_str(v))
        moor_buf_str(out, moor_json_str(v));
    else
        moor_buf_json(out, v);
}

static void say_value(const struct moor_setting *s, const struct moor_json *values)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    append_value(&text, moor_json_get(values, s->field.name));
    moor_say("%s\n", moor_buf_cstr(&text));
}

static struct moor_json *new_entry(const struct moor_setting *s, const struct moor_json *values)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "key", s->field.name);
    moor_json_set(o, "value", moor_json_copy(moor_json_get(values, s->field.name)));
    moor_json_set_bool(o, "available", s->state != MOOR_SETTING_KEPT);
    return o;
}

static moor_azcm find(struct moor_cli *cli, const char *name, const struct moor_setting **out)
{
    *out = moor_setting_find(name);
    if (*out)
        return AZCM_OK;
    return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%s: no such setting", name);
}

/* What holds, also when the file is broken: then it says so. */
static moor_azcm load(struct moor_cli *cli, struct moor_json **values)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_settings s;
    (void)moor_cli_settings(cli, &s, &arena);
    *values = moor_settings_values(&s);
    return *values ? AZCM_OK : moor_cli_refuse(cli, AZCM_CONFIG_READ, "out of memory");
}

static void list_text(const struct moor_json *values)
{
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    moor_say("Local Configuration Settings\n");
    for (size_t i = 0; i < n; i++) {
        MOOR_AUTO(moor_buf) line = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
        moor_buf_fmt(&line, "%s%s", table[i].field.name, states[table[i].state]);
        moor_say("  %-52s: ", moor_buf_cstr(&line));
        say_value(&table[i], values);
    }
}

static moor_azcm run_list(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) values = NULL;
    MOOR_AUTOPTR(moor_json) answer = moor_json_new_object();
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    moor_azcm bad = load(cli, &values);
    (void)options;
    (void)words;
    if (bad != AZCM_OK)
        return bad;
    if (!cli->json) {
        list_text(values);
        return AZCM_OK;
    }
    struct moor_json *list = moor_json_set(answer, "localsettings", moor_json_new_array());
    for (size_t i = 0; i < n; i++)
        moor_json_push(list, new_entry(&table[i], values));
    moor_say_json(answer);
    return AZCM_OK;
}

static moor_azcm run_get(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) values = NULL;
    const struct moor_setting *s = NULL;
    moor_azcm bad = find(cli, words->items[0], &s);
    (void)options;
    if (bad == AZCM_OK)
        bad = load(cli, &values);
    if (bad != AZCM_OK)
        return bad;
    if (!cli->json) {
        say_value(s, values);
        return AZCM_OK;
    }
    MOOR_AUTOPTR(moor_json) answer = new_entry(s, values);
    moor_say_json(answer);
    return AZCM_OK;
}

static moor_azcm failed(struct moor_cli *cli, const struct moor_error *err)
{
    static const struct {
        moor_code code;
        moor_azcm number;
        const char *hint;
    } rows[] = {
        { MOOR_E_BADINPUT, AZCM_INVALID_ARGUMENT, "see mooring config info" },
        { MOOR_E_EXISTS, AZCM_CONFIG_CONFLICT, "mooring config set config.mode full first" },
        { MOOR_E_PROTOCOL, AZCM_CONFIG_READ,
          "mend the file, or put " MOOR_LOCALCONFIG_BACKUP " in its place" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++)
        if (rows[i].code == err->code)
            return moor_cli_fail(cli, rows[i].number, err, rows[i].hint);
    return moor_cli_fail(cli, AZCM_CONFIG_UPDATE, err, NULL);
}

static moor_azcm edit(struct moor_cli *cli, const char *name, moor_edit how, const char *text)
{
    MOOR_AUTOPTR(moor_json) values = NULL;
    MOOR_AUTO(moor_buf) value = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_setting *s = NULL;
    moor_azcm bad = find(cli, name, &s);
    if (bad != AZCM_OK)
        return bad;
    if (moor_settings_edit(s, how, text, &values, &err) != MOOR_OK)
        return failed(cli, &err);
    if (s->state == MOOR_SETTING_KEPT)
        moor_warn(cli, "%s: kept, but not available here: nothing reads it", s->field.name);
    if (cli->json) {
        MOOR_AUTOPTR(moor_json) answer = new_entry(s, values);
        moor_say_json(answer);
        return AZCM_OK;
    }
    append_value(&value, moor_json_get(values, s->field.name));
    moor_say(how == MOOR_EDIT_CLEAR ? "Config property %s cleared, is now %s\n"
                                    : "Config property %s set to value %s\n",
             s->field.name, moor_buf_cstr(&value));
    return AZCM_OK;
}

static moor_azcm run_set(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    const struct set_options *o = options;
    if (o->add && o->remove)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--add and --remove: give one of them");
    moor_edit how = o->add ? MOOR_EDIT_ADD : o->remove ? MOOR_EDIT_REMOVE : MOOR_EDIT_SET;
    return edit(cli, words->items[0], how, words->items[1]);
}

static moor_azcm run_clear(struct moor_cli *cli, const void *options,
                           const struct moor_words *words)
{
    (void)options;
    return edit(cli, words->items[0], MOOR_EDIT_CLEAR, NULL);
}

static struct moor_json *new_info(const struct moor_setting *s)
{
    MOOR_AUTO(moor_buf) type = MOOR_BUF(256);
    struct moor_json *o = moor_json_new_object();
    struct moor_json *initial = NULL;
    moor_setting_type(s, &type);
    moor_json_set_str(o, "key", s->field.name);
    moor_json_set_str(o, "type", moor_buf_cstr(&type));
    if (moor_json_parse(moor_span_str(s->initial), &initial, NULL) == MOOR_OK)
        moor_json_set(o, "default", initial);
    moor_json_set_bool(o, "available", s->state != MOOR_SETTING_KEPT);
    moor_json_set_bool(o, "preview", s->state == MOOR_SETTING_PREVIEW);
    moor_json_set_bool(o, "localPolicy", s->closed != NULL);
    moor_json_set_str(o, "description", s->help);
    return o;
}

static void say_info(const struct moor_setting *s)
{
    MOOR_AUTO(moor_buf) type = MOOR_BUF(256);
    moor_setting_type(s, &type);
    moor_say("%s%s\n    %s\n    type: %s, default: %s\n", s->field.name, states[s->state], s->help,
             moor_buf_cstr(&type), s->initial);
}

static moor_azcm run_info(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) answer = moor_json_new_array();
    const struct moor_setting *s = NULL;
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    moor_azcm bad = words->count > 0 ? find(cli, words->items[0], &s) : AZCM_OK;
    (void)options;
    for (size_t i = 0; bad == AZCM_OK && i < n; i++) {
        if (s && s != &table[i])
            continue;
        if (cli->json)
            moor_json_push(answer, new_info(&table[i]));
        else
            say_info(&table[i]);
    }
    if (bad == AZCM_OK && cli->json)
        moor_say_json(answer);
    return bad;
}

const struct moor_verb moor_verb_config_list = {
    .name = "config list",
    .words = "",
    .summary = "show the local settings",
    .run = run_list,
};
const struct moor_verb moor_verb_config_get = {
    .name = "config get",
    .words = "KEY",
    .summary = "show one local setting",
    .words_min = 1,
    .words_max = 1,
    .run = run_get,
};
const struct moor_verb moor_verb_config_set = {
    .name = "config set",
    .words = "KEY VALUE",
    .summary = "change a local setting",
    .text = "Items of lists are parted by commas. Services that run take the change at once.\n"
            "What the file held before is kept as " MOOR_LOCALCONFIG_BACKUP ".\n",
    .options = set_options,
    .options_size = sizeof(struct set_options),
    .words_min = 2,
    .words_max = 2,
    .admin = true,
    .run = run_set,
};
const struct moor_verb moor_verb_config_clear = {
    .name = "config clear",
    .words = "KEY",
    .summary = "set a local setting back to its default",
    .words_min = 1,
    .words_max = 1,
    .admin = true,
    .run = run_clear,
};
const struct moor_verb moor_verb_config_info = {
    .name = "config info",
    .words = "[KEY]",
    .summary = "say what the local settings mean",
    .words_max = 1,
    .run = run_info,
};
