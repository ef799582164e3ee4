/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_file.h"

#include <string.h>

#include "base/buf.h"

static const struct moor_option *find(const struct moor_option *table, const char *name)
{
    for (const struct moor_option *o = table; o && o->name; o++)
        if (moor_streq(o->name, name) && !moor_streq(name, "config"))
            return o;
    return NULL;
}

static moor_code set_flag(const struct moor_pair *pair, char *field, struct moor_error *err)
{
    const char *text = moor_secret_reveal(&pair->value).p;
    const bool yes = moor_strcasecmp(text, "true") == 0;
    if (!yes && moor_strcasecmp(text, "false") != 0)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want true or false", pair->name);
    if (yes)
        memcpy(field, &yes, sizeof(yes));
    return MOOR_OK;
}

static moor_code apply(const struct moor_pair *pair, const struct moor_option *table,
                       const struct moor_option *also, void *out, struct moor_error *err)
{
    const struct moor_option *o = find(table, pair->name);
    const char *given = NULL;
    if (!o && find(also, pair->name))
        return MOOR_OK;
    if (!o)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: no such option", pair->name);
    if (moor_secret_empty(&pair->value))
        return MOOR_OK;
    char *field = (char *)out + o->offset;
    if (!o->argument)
        return set_flag(pair, field, err);
    memcpy(&given, field, sizeof(given));
    if (!given) /* the command line wins */
        memcpy(field, &(const char *){ moor_secret_reveal(&pair->value).p }, sizeof(given));
    return MOOR_OK;
}

static moor_code read_file(const char *file, struct moor_pairs *pairs, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_INPUT_MAX / 4);
    moor_code c = moor_read_input(file, &text, err);
    return c == MOOR_OK ? moor_pairs_read(moor_buf_view(&text), pairs, err) : c;
}

moor_azcm moor_config_file_apply(struct moor_cli *cli, const char *file,
                                 const struct moor_option *table, const struct moor_option *also,
                                 void *out, struct moor_pairs *pairs)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (!file)
        return AZCM_OK;
    moor_code c = read_file(file, pairs, &err);
    if (c == MOOR_E_NOTFOUND)
        return moor_cli_fail(cli, AZCM_NO_CONFIG_FILE, &err, NULL);
    for (size_t i = 0; c == MOOR_OK && i < pairs->count; i++)
        c = apply(&pairs->items[i], table, also, out, &err);
    if (c == MOOR_OK)
        return AZCM_OK;
    err.code = moor_context(&err, "%s", file);
    return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
}
