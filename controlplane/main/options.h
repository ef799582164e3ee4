/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: commands and their options as tables: parsing and help come from the same rows. */
#ifndef MOOR_MAIN_OPTIONS_H
#define MOOR_MAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CP_WORDS_MAX 32
#define CP_PATHS_MAX 8

/* Everything any command takes; each command's table says which. */
struct cp_options {
    const char *state; /* absolute after parsing; the default when not given */
    const char *hosts[CP_WORDS_MAX];
    size_t host_count;
    const char *location;
    const char *listen;
    const char *public_url;
    bool json;
    bool verbose;
    bool finish;
    const char *reenrollment_days, *accept_previous;
    const char *role, *scope, *secret_file, *certificate, *expires_in, *as;
    const char *publisher, *type, *version, *signature;
    const char *resource_group, *service_principal_id, *tags;
    const char *words[CP_WORDS_MAX]; /* arguments that are no options */
    size_t word_count;
    char *owned[CP_PATHS_MAX]; /* paths made absolute */
    size_t owned_count;
};
void cp_options_drop(struct cp_options *o);

struct cp_option {
    const char *name;     /* "--state" */
    const char *also;     /* "-j", NULL = none */
    const char *argument; /* "DIR"; NULL = a switch */
    size_t offset;
    const char *help;
};

struct cp_command {
    const char *name;  /* "init", "principal create" */
    const char *words; /* "NAME", "" */
    size_t words_min, words_max;
    const char *help;
    const struct cp_option *const *options; /* NULL-terminated */
    int (*run)(const struct cp_options *o);
    bool word_is_path; /* the first word is */
};

/* argv[0] is the program. NULL and *status set when there is nothing to run: help was printed (0)
 * or the arguments are wrong (2, said on stderr). */
const struct cp_command *cp_options_parse(const struct cp_command *commands, size_t count, int argc,
                                          char *const *argv, struct cp_options *out, int *status);

#endif
