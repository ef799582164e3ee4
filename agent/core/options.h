/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h: command lines read by a table into a struct, for `mooring` and `mooringd`.
 *
 *   struct opts { bool json; const char *name; };
 *   static const struct moor_option table[] = {
 *       { "json", 'j', NULL, offsetof(struct opts, json), "print JSON" },
 *       { "name", 'n', "NAME", offsetof(struct opts, name), "the machine's name" },
 *       { NULL, 0, NULL, 0, NULL } };
 *
 * Understood: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags joined as -jv, and -- as the
 * end of options. Options and positional words may be mixed. An option given twice is an error:
 * one of the two would be silently ignored. Pure; any thread.
 */
#ifndef MOOR_CORE_OPTIONS_H
#define MOOR_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct moor_option {
    const char *name;     /* without dashes; NULL ends the table */
    char letter;          /* 0 = none */
    const char *argument; /* placeholder in help; NULL: a flag, the field is a bool */
    size_t offset;        /* of a bool or a const char * */
    const char *help; /* NULL: understood but not shown, as old names of another row's field are */
};

#define MOOR_WORDS_MAX 32

struct moor_words {
    const char *items[MOOR_WORDS_MAX];
    size_t count;
};

/* A table and the struct it fills: what all commands share, and what one command has. */
struct moor_option_set {
    const struct moor_option *table; /* NULL = empty */
    void *out;
};

/* args[0] is the first word to look at. Values point into args. Errors (BADINPUT) name the option
 * but never its value. */
MOOR_NODISCARD moor_code moor_options_parse(const struct moor_option_set *sets, size_t set_count,
                                            int count, char *const *args, struct moor_words *words,
                                            struct moor_error *err);

/* Appends one line an option: "  -n, --name NAME     the machine's name". */
void moor_options_help(const struct moor_option *table, struct moor_buf *b);

#endif
