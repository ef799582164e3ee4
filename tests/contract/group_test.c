/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/group.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "os.h"
#include "platform/process.h"

#define GROUP "contract-test"

/* 0 when there are groups and it ran; the exit code of sh otherwise. */
static bool run(const char *script, struct plat_exit *how)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
    const struct plat_spawn spawn = { .argv = argv, .env = env, .group = GROUP };
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    bool ended = false;
    if (!CHECK_INT(plat_spawn(&spawn, &p, NULL), MOOR_OK))
        return false;
    for (int n = 0; n < 3000 && !ended; n++) {
        if (plat_process_poll(&p, &ended, how, NULL) != MOOR_OK)
            return false;
        os_sleep_ms(10);
    }
    return ended;
}

static bool have_groups(const struct plat_limits *limits)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = plat_group_set(GROUP, limits, &err);
    if (c == MOOR_E_UNSUPPORTED)
        printf("# no groups here: %s\n", err.msg);
    else if (!CHECK_INT(c, MOOR_OK))
        printf("# %s\n", err.msg);
    return c == MOOR_OK;
}

static void a_process_is_in_its_group_before_it_runs(void)
{
    const struct plat_limits none = { 0, 0, 0 };
    struct plat_exit how = { .code = -1 };
    if (!have_groups(&none))
        return;
    CHECK(run("grep -q mooring-extensions/" GROUP " /proc/self/cgroup", &how));
    CHECK(!how.signaled);
    CHECK_INT(how.code, 0);
}

static void what_a_group_used_is_told(void)
{
    const struct plat_limits none = { 0, 0, 0 };
    struct plat_exit how = { .code = -1 };
    struct plat_usage before, after;
    if (!have_groups(&none))
        return;
    if (!CHECK(plat_group_usage(GROUP, &before)))
        return;
    CHECK(run("i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done", &how));
    CHECK(plat_group_usage(GROUP, &after));
    CHECK(after.cpu_ms > before.cpu_ms);
}

static void more_memory_than_the_limit_is_not_given(void)
{
    const struct plat_limits limits = { 0, 32 << 20, 0 };
    struct plat_exit how = { .code = 0 };
    if (!have_groups(&limits))
        return;
    CHECK(run("head -c 200000000 /dev/zero | tail", &how));
    CHECK(how.signaled || how.code != 0);
}

static void more_tasks_than_the_limit_are_not_given(void)
{
    const struct plat_limits limits = { 0, 0, 4 };
    struct plat_exit how = { .code = 0 };
    if (!have_groups(&limits))
        return;
    CHECK(run("for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait", &how));
    CHECK(how.signaled || how.code != 0);
}

static void a_group_without_processes_goes(void)
{
    const struct plat_limits limits = { 50, 64 << 20, 16 };
    struct plat_usage usage;
    if (!have_groups(&limits))
        return;
    for (int n = 0; n < 300 && plat_group_usage(GROUP, &usage); n++) {
        plat_group_remove(GROUP); /* children of the tests before may be on their way out */
        os_sleep_ms(20);
    }
    CHECK(!plat_group_usage(GROUP, &usage));
}

CHECK_MAIN(CHECK_TEST(a_process_is_in_its_group_before_it_runs),
           CHECK_TEST(what_a_group_used_is_told),
           CHECK_TEST(more_memory_than_the_limit_is_not_given),
           CHECK_TEST(more_tasks_than_the_limit_are_not_given),
           CHECK_TEST(a_group_without_processes_goes))
