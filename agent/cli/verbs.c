/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, and the verbs that are about the command itself. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/differences.h"
#include "core/version.h"
#include "platform/account.h"
#include "platform/dirs.h"
#include "platform/self.h"
#include "run/log.h"

#define OWN_BYTES 512

static const struct moor_verb *const verbs[] = {
    &moor_verb_audit_list,
    &moor_verb_audit_verify,
    &moor_verb_check,
    &moor_verb_check_identity,
    &moor_verb_cloud_list,
    &moor_verb_cloud_register,
    &moor_verb_cloud_remove,
    &moor_verb_cloud_show,
    &moor_verb_config_clear,
    &moor_verb_config_get,
    &moor_verb_config_info,
    &moor_verb_config_list,
    &moor_verb_config_set,
    &moor_verb_connect,
    &moor_verb_connect_existing,
    &moor_verb_disconnect,
    &moor_verb_ensure_connected,
    &moor_verb_extension_check,
    &moor_verb_extension_list,
    &moor_verb_extension_logs,
    &moor_verb_extension_remove,
    &moor_verb_extension_repair,
    &moor_verb_extension_show,
    &moor_verb_genkey,
    &moor_verb_help,
    &moor_verb_logs,
    &moor_verb_logs_check,
    &moor_verb_logs_queue,
    &moor_verb_logs_status,
    &moor_verb_show,
    &moor_verb_version,
};

const struct moor_option moor_common_options[] = {
    { "help", 'h', NULL, offsetof(struct moor_cli, help), "print this help" },
    { "json", 'j', NULL, offsetof(struct moor_cli, json), "print the answer as JSON" },
    { "verbose", 'v', NULL, offsetof(struct moor_cli, verbose), "say more" },
    { "no-color", 0, NULL, offsetof(struct moor_cli, no_color), "no colors on a terminal" },
    { "log-stderr", 0, NULL, offsetof(struct moor_cli, log_stderr),
      "messages in the form of the log" },
    { "useStderr", 0, NULL, offsetof(struct moor_cli, log_stderr), NULL },
    { NULL, 0, NULL, 0, NULL },
};

const struct moor_verb *const *moor_verbs(size_t *count)
{
    *count = MOOR_COUNTOF(verbs);
    return verbs;
}

/* The verb that the first two words name, else the first one; *used is how many. */
static const struct moor_verb *find_verb(int count, char *const *words, int *used)
{
    const struct moor_verb *one = NULL;
    for (size_t i = 0; count > 0 && i < MOOR_COUNTOF(verbs); i++) {
        struct moor_span rest = moor_span_str(verbs[i]->name);
        struct moor_span first = moor_span_cut(&rest, ' ');
        if (!moor_span_eq_str(first, words[0]))
            continue;
        if (rest.p && count > 1 && moor_span_eq_str(rest, words[1])) {
            *used = 2;
            return verbs[i];
        }
        one = rest.p ? one : verbs[i];
    }
    *used = one ? 1 : 0;
    return one;
}

static void print_overview(const struct moor_cli *cli)
{
    moor_say("usage: %s VERB [options]\n\nverbs:\n", cli->program);
    for (size_t i = 0; i < MOOR_COUNTOF(verbs); i++)
        moor_say("  %-18s %s\n", verbs[i]->name, verbs[i]->summary);
    moor_say("\n%s help VERB says more. Exit status: 0, or the AZCM number of the error.\n",
             cli->program);
}

static void print_help(const struct moor_cli *cli, const struct moor_verb *verb)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(16384);
    moor_buf_fmt(&text, "usage: %s %s%s%s [options]\n%s\n", cli->program, verb->name,
                 *verb->words ? " " : "", verb->words, verb->summary);
    if (verb->text)
        moor_buf_fmt(&text, "\n%s", verb->text);
    moor_buf_str(&text, "\noptions:\n");
    if (verb->options)
        moor_options_help(verb->options, &text);
    moor_options_help(moor_common_options, &text);
    moor_say("%s", moor_buf_cstr(&text));
}

static moor_azcm run_help(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    char *given[2] = { NULL, NULL };
    int used = 0;
    (void)options;
    if (words->count == 0) {
        print_overview(cli);
        return AZCM_OK;
    }
    for (size_t i = 0; i < words->count; i++)
        given[i] = (char *)(uintptr_t)words->items[i];
    const struct moor_verb *verb = find_verb((int)words->count, given, &used);
    if (!verb || (size_t)used != words->count)
        return moor_cli_refuse(cli, AZCM_COMMAND, "%s: no such verb", words->items[0]);
    print_help(cli, verb);
    return AZCM_OK;
}

static moor_azcm run_version(struct moor_cli *cli, const void *options,
                             const struct moor_words *words)
{
    (void)options;
    (void)words;
    if (!cli->json) {
        moor_say("%s version %s\n", cli->program, moor_version());
        return AZCM_OK;
    }
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "version", moor_version());
    moor_say_json(v);
    return AZCM_OK;
}

const struct moor_verb moor_verb_help = {
    .name = "help",
    .words = "[VERB]",
    .summary = "say what a verb does and which options it has",
    .words_max = 2,
    .run = run_help,
};
const struct moor_verb moor_verb_version = {
    .name = "version",
    .words = "",
    .summary = "print the version",
    .run = run_version,
};

static moor_azcm check_rights(struct moor_cli *cli, const struct moor_verb *verb)
{
    if (!verb->admin || plat_is_admin() || *plat_dirs_root())
        return AZCM_OK;
    return moor_cli_refuse(cli, AZCM_NOT_ADMIN, "%s %s", cli->program, verb->name);
}

static moor_azcm run_verb(struct moor_cli *cli, const struct moor_verb *verb, const void *own,
                          const struct moor_words *words)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (cli->help) {
        print_help(cli, verb);
        return AZCM_OK;
    }
    if (words->count < verb->words_min || words->count > verb->words_max)
        return moor_cli_refuse(cli, AZCM_COMMAND, "usage: %s %s %s", cli->program, verb->name,
                               verb->words);
    if (plat_dirs_init(false, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    moor_azcm number = check_rights(cli, verb);
    if (number != AZCM_OK)
        return number;
    if (verb->admin && plat_dirs_check(&err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INIT, &err, NULL);
    if (verb->admin)
        moor_cli_begin_log(cli);
    number = verb->run(cli, own, words);
    if (verb->admin)
        moor_cli_end_log(cli, number);
    return number;
}

/* Without a verb only --help and --version of other programs make sense. */
static moor_azcm without_verb(struct moor_cli *cli, int argc, char **argv)
{
    if (argc < 2 || moor_streq(argv[1], "--help") || moor_streq(argv[1], "-h")) {
        print_overview(cli);
        return argc < 2 ? AZCM_COMMAND : AZCM_OK;
    }
    if (moor_streq(argv[1], "--version"))
        return run_version(cli, NULL, NULL);
    moor_azcm foreign = moor_foreign_verb(cli, argv[1]);
    if (foreign != AZCM_OK)
        return foreign;
    return moor_cli_refuse(cli, AZCM_COMMAND, "%s%s%s: no such verb", argv[1],
                           argc > 2 && argv[1][0] != '-' && argv[2][0] != '-' ? " " : "",
                           argc > 2 && argv[1][0] != '-' && argv[2][0] != '-' ? argv[2] : "");
}

int moor_cli_main(int argc, char **argv)
{
    _Alignas(max_align_t) char own[OWN_BYTES] = { 0 };
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *called = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    struct moor_cli cli = { .program = moor_streq(called, "azcmagent") ? "azcmagent" : "mooring",
                            .terminal = plat_on_terminal(),
                            .log = PLAT_FILE_INIT };
    struct moor_words words = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    int used = 0;
    moor_log_init("mooring", MOOR_LOG_WARNING);
    const struct moor_verb *verb = find_verb(argc - 1, argv + 1, &used);
    if (!verb)
        return (int)without_verb(&cli, argc, argv);
    MOOR_ASSERT(verb->options_size <= sizeof(own));
    cli.verb = verb->name;
    struct moor_foreign foreign;
    const struct moor_option_set sets[] = { { moor_common_options, &cli },
                                            { verb->options, own },
                                            moor_foreign_options(verb->name, &foreign) };
    int skip = 1 + used;
    moor_code c =
        moor_options_parse(sets, MOOR_COUNTOF(sets), argc - skip, argv + skip, &words, &err);
    if (c != MOOR_OK)
        return (int)moor_cli_fail(&cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    moor_azcm number = moor_foreign_check(&cli, &foreign);
    if (number == AZCM_OK)
        number = run_verb(&cli, verb, own, &words);
    if (fflush(stdout) != 0 && number == AZCM_OK)
        number = AZCM_UNKNOWN;
    return (int)number;
}
