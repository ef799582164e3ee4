/* SPDX-License-Identifier: Apache-2.0 */
/* CustomScript: runs what an administrator asked for, once per sequence number. */
#include "verbs.h"

#include "platform/account.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/process.h"

#include <stdio.h>
#include <string.h>

static int failed(const struct moor_error *err, int code)
{
    fprintf(stderr, "customscript: %s\n", err->msg);
    return code;
}

static int enable(const struct customscript_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    int64_t last = customscript_last_seq(p);
    if (p->seq < last)
        return CUSTOMSCRIPT_EXIT_OK; /* an older request; the newer one was taken on already */
    moor_code c = p->seq == last ? MOOR_OK : customscript_set_last_seq(p, &err);
    if (c == MOOR_OK && customscript_reported(p) == MOOR_STATUS_NONE)
        c = customscript_report(p, MOOR_STATUS_TRANSITIONING, 0, "Execution in progress", &err);
    if (c != MOOR_OK)
        return failed(&err, CUSTOMSCRIPT_EXIT_FAILED);
    return customscript_worker(p, env, true);
}

static int worker(const struct customscript_place *p, char *const *env)
{
    return customscript_worker(p, env, false);
}

static int install(const struct customscript_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)env;
    /* A folder that never took on a request: what lies here is of an installation that went
     * without `uninstall`, whose numbers mean nothing now. */
    moor_code c = customscript_last_seq(p) < 0 ? plat_remove_tree(p->data, &err) : MOOR_OK;
    if (c == MOOR_OK)
        c = plat_make_dirs(p->data, PLAT_OWNER_ONLY, &err);
    return c == MOOR_OK ? CUSTOMSCRIPT_EXIT_OK : failed(&err, CUSTOMSCRIPT_EXIT_FAILED);
}

static int uninstall(const struct customscript_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)env;
    moor_code c = plat_remove_tree(p->data, &err);
    return c == MOOR_OK ? CUSTOMSCRIPT_EXIT_OK : failed(&err, CUSTOMSCRIPT_EXIT_FAILED);
}

/* A running command is left alone: it was asked for, and half of a script helps nobody. */
static int nothing(const struct customscript_place *p, char *const *env)
{
    (void)p;
    (void)env;
    return CUSTOMSCRIPT_EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(const struct customscript_place *p, char *const *env);
} verbs[] = {
    { "install", install },      { "enable", enable },       { "update", nothing },
    { "disable", nothing },      { "uninstall", uninstall }, { "worker", worker },
    { "run", customscript_run },
};

int main(int argc, char **argv, char **env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    struct customscript_place place;
    const char *folder = customscript_env(env, "AZURE_GUEST_AGENT_EXTENSION_PATH");
    plat_protect_process();
    if (argc != 2 || !folder) {
        fprintf(stderr, "customscript: started by an extension manager with one verb and "
                        "AZURE_GUEST_AGENT_EXTENSION_PATH\n");
        return CUSTOMSCRIPT_EXIT_SETTINGS;
    }
    if (customscript_place_find(folder, customscript_env(env, "ConfigSequenceNumber"), &place,
                                &arena, &err) != MOOR_OK)
        return failed(&err, CUSTOMSCRIPT_EXIT_SETTINGS);
    for (size_t i = 0; i < MOOR_COUNTOF(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(&place, env);
    }
    fprintf(stderr, "customscript: %s: unknown verb\n", argv[1]);
    return CUSTOMSCRIPT_EXIT_SETTINGS;
}
