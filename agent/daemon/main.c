/* SPDX-License-Identifier: Apache-2.0 */
/* mooringd ROLE: one executable, one process a role. */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "core/options.h"
#include "core/version.h"
#include "crypto/memory.h"
#include "daemon/roles.h"
#include "http/forget.h"
#include "platform/account.h"
#include "platform/dirs.h"
#include "platform/self.h"
#include "run/log.h"
#include "run/loop.h"

#define OWN_BYTES  256
#define EXIT_USAGE 2

struct common_options {
    bool help, version, verbose, service;
};

static const struct moor_option common[] = {
    { "help", 'h', NULL, offsetof(struct common_options, help), "print this help" },
    { "version", 0, NULL, offsetof(struct common_options, version), "print the version" },
    { "verbose", 'v', NULL, offsetof(struct common_options, verbose), "log debug messages" },
    { "service", 0, NULL, offsetof(struct common_options, service),
      "started by the system: MOORING_ROOT is ignored" },
    { NULL, 0, NULL, 0, NULL },
};

static const struct moor_role *find_role(const char *name)
{
    size_t count = 0;
    const struct moor_role *const *roles = moor_roles_all(&count);
    for (size_t i = 0; i < count; i++)
        if (moor_streq(roles[i]->name, name))
            return roles[i];
    return NULL;
}

static int print_help(const struct moor_role *role)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(16384);
    size_t count = 0;
    const struct moor_role *const *roles = moor_roles_all(&count);
    if (role)
        moor_buf_fmt(&text, "usage: mooringd %s [options]\n%s\n\n", role->name, role->summary);
    else
        moor_buf_str(&text, "usage: mooringd ROLE [options]\n\nroles:\n");
    for (size_t i = 0; !role && i < count; i++)
        moor_buf_fmt(&text, "  %-12s %s\n", roles[i]->name, roles[i]->summary);
    moor_buf_str(&text, role ? "options:\n" : "\noptions:\n");
    moor_options_help(common, &text);
    if (role && role->options)
        moor_options_help(role->options, &text);
    return fputs(moor_buf_cstr(&text), stdout) < 0;
}

static int fail_usage(const char *message)
{
    (void)fprintf(stderr, "mooringd: %s\nusage: mooringd ROLE [options]; see mooringd --help\n",
                  message);
    return EXIT_USAGE;
}

static moor_code run_role(const struct moor_role *role, const struct common_options *o,
                          const void *own, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    moor_code c = role->confine ? role->confine(own, err) : MOOR_OK;
    if (c == MOOR_OK)
        c = plat_dirs_init(o->service, err);
    if (c == MOOR_OK)
        c = plat_dirs_check(err);
    if (c == MOOR_OK)
        c = moor_loop_new(&loop, err);
    return c == MOOR_OK ? role->run(loop, own, err) : c;
}

static int run_logged(const struct moor_role *role, const struct common_options *o, const void *own)
{
    struct moor_error err = MOOR_ERROR_INIT;
    char program[64];
    (void)snprintf(program, sizeof(program), "mooringd-%s", role->name);
    moor_log_init(program, o->verbose ? MOOR_LOG_DEBUG : MOOR_LOG_INFO);
    if (run_role(role, o, own, &err) == MOOR_OK)
        return 0;
    moor_log_error(MOOR_LOG_ERROR, "role.failed", &err, "role", role->name, NULL);
    return 1;
}

int main(int argc, char **argv)
{
    _Alignas(max_align_t) char own[OWN_BYTES] = { 0 };
    struct common_options o = { .help = false };
    struct moor_words words = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    plat_protect_process();
    moor_crypto_wipe_freed();
    moor_http_forget();
    plat_share_heap();

    const struct moor_role *role = argc > 1 ? find_role(argv[1]) : NULL;
    MOOR_ASSERT(!role || role->options_size <= sizeof(own));
    const struct moor_option_set sets[] = { { common, &o }, { role ? role->options : NULL, own } };
    int skip = role ? 2 : argc > 0 ? 1 : 0;
    if (moor_options_parse(sets, 2, argc - skip, argv + skip, &words, &err) != MOOR_OK)
        return fail_usage(err.msg);
    if (o.version)
        return printf("mooringd %s\n", moor_version()) < 0;
    if (o.help)
        return print_help(role);
    if (!role)
        return fail_usage(words.count > 0 ? "no such role" : "which role?");
    if (words.count > 0)
        return fail_usage("unexpected word behind the role");
    return run_logged(role, &o, own);
}
