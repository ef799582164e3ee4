/* SPDX-License-Identifier: Apache-2.0 */
/* handler.c: the verbs. */
#include "builtin/handler.h"

#include "platform/account.h"
#include "platform/file.h"
#include "platform/process.h"

#include <stdio.h>
#include <string.h>

static int failed(const struct builtin_handler *h, const struct moor_error *err, int code)
{
    fprintf(stderr, "%s: %s\n", h->program, err->msg);
    return code;
}

/* What ran for the number before, and what an instance of the same name left behind. */
static moor_code clear_old(const struct builtin_place *p, int64_t last, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    struct builtin_place old;
    if (last < 0)
        return builtin_forget(p, err);
    moor_code c = builtin_place_at(p, (uint32_t)last, &old, &arena, err);
    if (c == MOOR_OK)
        c = builtin_cancel(&old, err);
    return c == MOOR_OK ? builtin_forget(&old, err) : c;
}

static moor_code take_on(const struct builtin_place *p, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4 * MOOR_STATUS_MAX);
    const struct builtin_stand running = { .how = BUILTIN_RUNNING };
    struct moor_handler_status reported;
    int64_t last = builtin_last_seq(p);
    moor_code c = MOOR_OK;
    if (p->seq != last && p->handler->instances)
        c = clear_old(p, last, err);
    if (c == MOOR_OK && p->seq != last)
        c = builtin_set_last_seq(p, err);
    if (c == MOOR_OK && !builtin_reported(p, &reported, &arena))
        c = p->handler->report(p, &running, err);
    return c;
}

static int enable(const struct builtin_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (p->seq < builtin_last_seq(p))
        return BUILTIN_EXIT_OK; /* an older request; the newer one was taken on already */
    if (take_on(p, &err) != MOOR_OK)
        return failed(p->handler, &err, BUILTIN_EXIT_FAILED);
    return builtin_worker(p, env, true);
}

static int worker(const struct builtin_place *p, char *const *env)
{
    return builtin_worker(p, env, false);
}

static int install(const struct builtin_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)env;
    /* A folder that never took on a request: what lies here is of an installation that went
     * without `uninstall`, whose numbers mean nothing now. */
    moor_code c = builtin_last_seq(p) < 0 ? plat_remove_tree(p->data, &err) : MOOR_OK;
    if (c == MOOR_OK)
        c = plat_make_dirs(p->data, PLAT_OWNER_ONLY, &err);
    return c == MOOR_OK ? BUILTIN_EXIT_OK : failed(p->handler, &err, BUILTIN_EXIT_FAILED);
}

static int uninstall(const struct builtin_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)env;
    moor_code c = plat_remove_tree(p->data, &err);
    return c == MOOR_OK ? BUILTIN_EXIT_OK : failed(p->handler, &err, BUILTIN_EXIT_FAILED);
}

static int disable(const struct builtin_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)env;
    moor_code c = p->handler->instances ? builtin_cancel(p, &err) : MOOR_OK;
    if (c == MOOR_OK && p->handler->instances)
        c = builtin_forget(p, &err);
    return c == MOOR_OK ? BUILTIN_EXIT_OK : failed(p->handler, &err, BUILTIN_EXIT_FAILED);
}

static int nothing(const struct builtin_place *p, char *const *env)
{
    (void)p;
    (void)env;
    return BUILTIN_EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(const struct builtin_place *p, char *const *env);
} verbs[] = {
    { "install", install }, { "enable", enable },       { "update", nothing },
    { "disable", disable }, { "uninstall", uninstall }, { "worker", worker },
    { "run", builtin_run },
};

int builtin_main(const struct builtin_handler *h, int argc, char **argv, char **env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    struct builtin_place place;
    plat_protect_process();
    if (argc != 2 || !builtin_env(env, "AZURE_GUEST_AGENT_EXTENSION_PATH")) {
        fprintf(stderr,
                "%s: started by an extension manager with one verb and "
                "AZURE_GUEST_AGENT_EXTENSION_PATH\n",
                h->program);
        return BUILTIN_EXIT_SETTINGS;
    }
    if (builtin_place_find(h, env, &place, &arena, &err) != MOOR_OK)
        return failed(h, &err, BUILTIN_EXIT_SETTINGS);
    for (size_t i = 0; i < MOOR_COUNTOF(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(&place, env);
    }
    fprintf(stderr, "%s: %s: unknown verb\n", h->program, argv[1]);
    return BUILTIN_EXIT_SETTINGS;
}
