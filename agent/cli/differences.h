/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differences.h: what azcmagent has and mooring has not, as a table: verbs and options that
 * scripts of the field give. What a script can do without is accepted and said to do nothing; the
 * rest is refused with AZCM0003 naming the feature. docs/guide/differences.md is made from it and
 * from the table of settings.
 */
#ifndef MOOR_CLI_DIFFERENCES_H
#define MOOR_CLI_DIFFERENCES_H

#include "cli/cli.h"

typedef enum moor_effect { MOOR_EFFECT_REFUSED, MOOR_EFFECT_NONE } moor_effect;

struct moor_difference {
    const char *verb;
    struct moor_option option; /* name NULL: the verb itself; offset is not used */
    moor_effect effect;
    const char *feature;
    const char *instead; /* what to do, or why it is not needed; one sentence without full stop */
};

const struct moor_difference *moor_differences(size_t *count);

#define MOOR_DIFFERENCES_MAX 16 /* of one verb */

/* The options of a verb that are there to be refused or ignored, as a set for the parser. */
struct moor_foreign {
    struct moor_option table[MOOR_DIFFERENCES_MAX + 1];
    const struct moor_difference *rows[MOOR_DIFFERENCES_MAX];
    struct {
        const char *value;
    } given[MOOR_DIFFERENCES_MAX];
};
struct moor_option_set moor_foreign_options(const char *verb, struct moor_foreign *out);

/* After parsing: says what of them was given. AZCM_OK, or the number of what is refused. */
moor_azcm moor_foreign_check(struct moor_cli *cli, const struct moor_foreign *f);

/* A word that is no verb here: AZCM_UNSUPPORTED when it is one of azcmagent's, after it was told;
 * else AZCM_OK. */
moor_azcm moor_foreign_verb(struct moor_cli *cli, const char *verb);

#endif
