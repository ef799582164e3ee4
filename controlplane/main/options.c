/* SPDX-License-Identifier: Apache-2.0 */
#include "main/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "platform/dirs.h"
#include "platform/self.h"

static void usage(const struct cp_command *commands, size_t count)
{
    printf("mooring-controlplane: the self-hosted control plane for Mooring agents\n\n"
           "usage: mooring-controlplane COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-18s %s\n", commands[i].name, commands[i].help);
    printf("\n`mooring-controlplane COMMAND --help` tells its options.\n");
}

static void command_usage(const struct cp_command *c)
{
    printf("usage: mooring-controlplane %s%s%s [OPTION...]\n\n%s\n\noptions:\n", c->name,
           *c->words ? " " : "", c->words, c->help);
    for (const struct cp_option *const *o = c->options; *o; o++) {
        char left[64];
        (void)snprintf(left, sizeof(left), "%s%s%s%s%s", (*o)->also ? (*o)->also : "",
                       (*o)->also ? ", " : "", (*o)->name, (*o)->argument ? " " : "",
                       (*o)->argument ? (*o)->argument : "");
        printf("  %-26s %s\n", left, (*o)->help);
    }
}

/* The command whose name the arguments begin with; *used counts its words. */
static const struct cp_command *find_command(const struct cp_command *commands, size_t count,
                                             int argc, char *const *argv, int *used)
{
    for (size_t i = 0; i < count; i++) {
        struct moor_span rest = moor_span_str(commands[i].name);
        int n = 0;
        bool same = true;
        while (rest.n && same) {
            struct moor_span word = moor_span_cut(&rest, ' ');
            same = 1 + n < argc && moor_span_eq_str(word, argv[1 + n]);
            n++;
        }
        if (same) {
            *used = n;
            return &commands[i];
        }
    }
    return NULL;
}

static const struct cp_option *find_option(const struct cp_command *c, struct moor_span name)
{
    for (const struct cp_option *const *o = c->options; *o; o++)
        if (moor_span_eq_str(name, (*o)->name) ||
            ((*o)->also && moor_span_eq_str(name, (*o)->also)))
            return *o;
    return NULL;
}

static bool store_value(struct cp_options *out, const struct cp_option *o, const char *value)
{
    void *at = (char *)out + o->offset;
    if (o->offset == offsetof(struct cp_options, hosts)) {
        if (out->host_count == CP_WORDS_MAX)
            return false;
        out->hosts[out->host_count++] = value;
    } else if (o->argument) {
        *(const char **)at = value;
    } else {
        *(bool *)at = true;
    }
    return true;
}

static bool wrong(const struct cp_command *c, const char *what, const char *which)
{
    fprintf(stderr, "mooring-controlplane: %s %s\nusage: mooring-controlplane %s --help\n", what,
            which, c->name);
    return false;
}

static bool take_word(const struct cp_command *c, const char *word, struct cp_options *out)
{
    if (out->word_count == CP_WORDS_MAX || out->word_count >= c->words_max)
        return wrong(c, "unexpected argument", word);
    out->words[out->word_count++] = word;
    return true;
}

/* argv[*at] is an option; *at moves on when its value is the next argument. */
static bool take_option(const struct cp_command *c, int argc, char *const *argv, int *at,
                        struct cp_options *out)
{
    const char *arg = argv[*at];
    struct moor_span value = moor_span_str(arg);
    struct moor_span name = arg[1] == '-' ? moor_span_cut(&value, '=') : value;
    const struct cp_option *o = find_option(c, name);
    bool inlined = arg[1] == '-' && value.p != NULL;
    if (!o)
        return wrong(c, "unknown option", arg);
    if (inlined && !o->argument)
        return wrong(c, "no value wanted:", arg);
    if (o->argument && !inlined && *at + 1 == argc)
        return wrong(c, "a value is missing behind", arg);
    const char *text = NULL;
    if (o->argument)
        text = inlined ? value.p : argv[++*at];
    return store_value(out, o, text) || wrong(c, "too many of", arg);
}

static bool parse_arguments(const struct cp_command *c, int argc, char *const *argv, int from,
                            struct cp_options *out)
{
    for (int i = from; i < argc; i++) {
        bool word = argv[i][0] != '-' || argv[i][1] == '\0';
        if (word ? !take_word(c, argv[i], out) : !take_option(c, argc, argv, &i, out))
            return false;
    }
    if (out->word_count < c->words_min)
        return wrong(c, "missing argument:", c->words);
    return true;
}

/* Paths are as the caller sees them; from here on they are absolute. Kept until the end. */
static bool resolve_paths(struct cp_options *o, const struct cp_command *c)
{
    const char **paths[] = { &o->state, &o->secret_file, &o->certificate, &o->signature,
                             c->word_is_path ? &o->words[0] : NULL };
    for (size_t i = 0; i < MOOR_COUNTOF(paths); i++) {
        struct moor_error err = MOOR_ERROR_INIT;
        char *absolute = NULL;
        if (!paths[i] || !*paths[i])
            continue;
        if (o->owned_count == CP_PATHS_MAX || plat_absolute_path(*paths[i], &absolute, &err))
            return wrong(c, "bad path", *paths[i]);
        o->owned[o->owned_count++] = absolute;
        *paths[i] = absolute;
    }
    return true;
}

void cp_options_drop(struct cp_options *o)
{
    while (o->owned_count > 0)
        free(o->owned[--o->owned_count]);
}

static bool is_help(const char *arg)
{
    return moor_streq(arg, "--help") || moor_streq(arg, "-h") || moor_streq(arg, "help");
}

const struct cp_command *cp_options_parse(const struct cp_command *commands, size_t count, int argc,
                                          char *const *argv, struct cp_options *out, int *status)
{
    int used = 0;
    *status = 0;
    if (argc < 2 || is_help(argv[1])) {
        usage(commands, count);
        *status = argc < 2 ? 2 : 0;
        return NULL;
    }
    const struct cp_command *c = find_command(commands, count, argc, argv, &used);
    if (!c) {
        fprintf(stderr, "mooring-controlplane: unknown command %s\n", argv[1]);
        *status = 2;
        return NULL;
    }
    for (int i = 1 + used; i < argc; i++)
        if (moor_streq(argv[i], "--help") || moor_streq(argv[i], "-h")) {
            command_usage(c);
            return NULL;
        }
    *out = (struct cp_options){ .state = NULL };
    if (!parse_arguments(c, argc, argv, 1 + used, out)) {
        *status = 2;
        return NULL;
    }
    if (!out->state)
        out->state = plat_dir_path(PLAT_DIR_CP_LIB);
    if (!resolve_paths(out, c)) {
        *status = 2;
        return NULL;
    }
    return c;
}
