/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tables.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/differences.h"
#include "core/settings.h"

#define PART_MAX (1024 * 1024)

void moor_tables_settings(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    moor_buf_str(b, "| key | value | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        moor_buf_fmt(b, "| `%s` | ", table[i].field.name);
        moor_setting_type(&table[i], b);
        moor_buf_fmt(b, " | `%s` | %s%s |\n", table[i].initial, table[i].help,
                     table[i].state == MOOR_SETTING_KEPT      ? "; not available"
                     : table[i].state == MOOR_SETTING_PREVIEW ? "; preview"
                                                              : "");
    }
}

void moor_tables_differences(struct moor_buf *b)
{
    size_t n = 0, keys = 0;
    const struct moor_difference *rows = moor_differences(&n);
    const struct moor_setting *settings = moor_settings_table(&keys);
    moor_buf_str(b, "| azcmagent | feature | here | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        const struct moor_difference *d = &rows[i];
        moor_buf_fmt(b, "| `%s%s%s` | %s | %s | %s |\n", d->verb, d->option.name ? " --" : "",
                     d->option.name ? d->option.name : "", d->feature,
                     d->effect == MOOR_EFFECT_REFUSED ? "refused, AZCM0003" : "accepted, no effect",
                     d->instead);
    }
    for (size_t i = 0; i < keys; i++)
        if (settings[i].state == MOOR_SETTING_KEPT)
            moor_buf_fmt(b, "| `config set %s` | %s | kept, no effect | `config list` says so |\n",
                         settings[i].field.name, settings[i].help);
}

static const struct {
    const char *name;
    void (*append)(struct moor_buf *b);
} parts[] = {
    { "bash", moor_tables_bash },
    { "differences", moor_tables_differences },
    { "man-common", moor_tables_man_common },
    { "man-exit", moor_tables_man_exit },
    { "man-settings", moor_tables_man_settings },
    { "man-synopsis", moor_tables_man_synopsis },
    { "man-verbs", moor_tables_man_verbs },
    { "settings", moor_tables_settings },
    { "zsh", moor_tables_zsh },
};

int main(int argc, char **argv)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(PART_MAX);
    for (size_t i = 0; argc == 2 && i < MOOR_COUNTOF(parts); i++)
        if (moor_streq(parts[i].name, argv[1]))
            parts[i].append(&b);
    if (b.len == 0 || b.failed) {
        (void)fprintf(stderr, "usage: mooring-tables PART\n");
        return 2;
    }
    moor_say("%s", moor_buf_cstr(&b));
    return 0;
}
