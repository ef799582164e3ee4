/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_file.h: --config FILE: options out of a file, for those the command line does not give.
 * Keys are the long names of options; flags want true or false.
 */
#ifndef MOOR_CLI_CONFIG_FILE_H
#define MOOR_CLI_CONFIG_FILE_H

#include "cli/cli.h"
#include "cli/pairs.h"

/* Fills the fields of out that the table's options left NULL or false; strings live in *pairs. A
 * key that no option of this table has is an error, unless it is one of also (NULL = none): what
 * another verb takes from the same file. AZCM_OK, or the number after the failure was told. */
moor_azcm moor_config_file_apply(struct moor_cli *cli, const char *file,
                                 const struct moor_option *table, const struct moor_option *also,
                                 void *out, struct moor_pairs *pairs);

#endif
