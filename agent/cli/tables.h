/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h: mooring-tables, a program of the build: prints the verbs, options, settings, exit
 * statuses and differences of the code as parts of manual page, completion and guide. docs/generate
 * puts them there, and a test compares.
 */
#ifndef MOOR_CLI_TABLES_H
#define MOOR_CLI_TABLES_H

#include "cli/cli.h"

/* Each appends one part. */
void moor_tables_man_synopsis(struct moor_buf *b);
void moor_tables_man_common(struct moor_buf *b);
void moor_tables_man_verbs(struct moor_buf *b);
void moor_tables_man_settings(struct moor_buf *b);
void moor_tables_man_exit(struct moor_buf *b);
void moor_tables_bash(struct moor_buf *b);
void moor_tables_zsh(struct moor_buf *b);
void moor_tables_settings(struct moor_buf *b);    /* Markdown */
void moor_tables_differences(struct moor_buf *b); /* Markdown */

/* An option that help and completion show; others are old names. */
static inline bool moor_option_shown(const struct moor_option *o)
{
    return o->help != NULL;
}

#endif
