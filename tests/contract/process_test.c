/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "os.h"
#include "platform/clock.h"
#include "platform/net.h"
#include "platform/self.h"

static struct moor_error err;

static struct plat_exit wait_end(struct plat_process *p)
{
    struct plat_exit how = { .code = -1 };
    bool ended = false;
    CHECK(os_wait_readable(p->exit_fd_, 20000));
    CHECK_INT(plat_process_poll(p, &ended, &how, &err), MOOR_OK);
    CHECK(ended);
    return how;
}

/* Starts the child with its output in a file, waits for it and returns the output. */
static const char *output_of(struct plat_spawn how, struct plat_exit *end)
{
    static unsigned number;
    char name[32];
    (void)snprintf(name, sizeof(name), "out-%u", number++);
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    CHECK_INT(plat_create_new(os_temp(name), PLAT_OWNER_ONLY, &out, &err), MOOR_OK);
    how.out = &out;
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    if (!CHECK(plat_spawn(&how, &p, &err) == MOOR_OK))
        printf("# %s\n", err.msg);
    *end = wait_end(&p);
    return os_read(os_temp(name));
}

#define CHILD(...)                                                                                 \
    .argv = (const char *const[])                                                                  \
    {                                                                                              \
        CONTRACT_CHILD, __VA_ARGS__, NULL                                                          \
    }

static void exit_status_and_signal_are_told_apart(void)
{
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    CHECK_INT(plat_spawn(&(struct plat_spawn){ CHILD("exit", "7") }, &p, &err), MOOR_OK);
    struct plat_exit how = wait_end(&p);
    CHECK(!how.signaled && how.code == 7);
    bool ended;
    CHECK(plat_process_poll(&p, &ended, &how, &err) != MOOR_OK);

    MOOR_AUTO(plat_process) q = PLAT_PROCESS_INIT;
    CHECK_INT(plat_spawn(&(struct plat_spawn){ CHILD("raise", "9") }, &q, &err), MOOR_OK);
    how = wait_end(&q);
    CHECK(how.signaled && how.code == 9);
}

static void program_that_cannot_start_is_an_error_at_once(void)
{
    static const struct {
        const char *path;
        moor_code code;
    } rows[] = {
        { "/nowhere/program", MOOR_E_NOTFOUND },
        { "/etc/passwd", MOOR_E_DENIED },
        { "sh", MOOR_E_BADINPUT },
    };
    size_t before = os_open_descriptors();
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
        struct plat_spawn how = { .argv = (const char *const[]){ rows[i].path, NULL } };
        CHECK_INT(plat_spawn(&how, &p, &err), rows[i].code);
        CHECK(strstr(err.msg, rows[i].path));
    }
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    struct plat_spawn how = { CHILD("exit", "0"), .cwd = "/nowhere" };
    CHECK_INT(plat_spawn(&how, &p, &err), MOOR_E_NOTFOUND);
    CHECK_INT(os_open_descriptors(), before);
}

static void child_gets_no_descriptor_but_the_standard_ones(void)
{
    /* Some without close-on-exec, as a library might leave them. */
    int fds[3] = { -1, -1, -1 };
    os_leaky_descriptors(fds, MOOR_COUNTOF(fds));
    struct plat_exit end;
    CHECK_STR(output_of((struct plat_spawn){ CHILD("descriptors") }, &end), "0 1 2 \n");
    CHECK_INT(end.code, 0);
    for (size_t i = 0; i < MOOR_COUNTOF(fds); i++)
        plat_net_close(fds[i]);
}

static void extra_file_is_descriptor_three(void)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    CHECK_INT(plat_create_new(os_temp("extra"), PLAT_OWNER_ONLY, &f, &err), MOOR_OK);
    struct plat_exit end;
    CHECK_STR(output_of((struct plat_spawn){ CHILD("extra"), .extra = &f }, &end), "");
    CHECK_INT(end.code, 0);
    CHECK_STR(os_read(os_temp("extra")), "extra");
    CHECK_STR(output_of((struct plat_spawn){ CHILD("descriptors"), .extra = &f }, &end),
              "0 1 2 3 \n");
}

static void environment_is_what_was_given_and_nothing_else(void)
{
    os_setenv("MOORING_TEST_SECRET", "parent");
    struct plat_exit end;
    const char *const env[] = { "A=1", "B=two words", NULL };
    CHECK_STR(output_of((struct plat_spawn){ CHILD("environment"), .env = env }, &end),
              "A=1\nB=two words\n");
    CHECK_STR(output_of((struct plat_spawn){ CHILD("environment") }, &end), "");
}

static void child_leads_a_session_with_clean_signals(void)
{
    os_block_signals(true);
    struct plat_exit end;
    CHECK_STR(output_of((struct plat_spawn){ CHILD("setup"), .memory_max = (uint64_t)1 << 30,
                                             .files_max = 64 },
                        &end),
              "leader=1 cwd=/ umask=022 memory=1073741824 files=64\n"
              "SigBlk:\t0000000000000000\n"
              "SigIgn:\t0000000000000000\n");
    os_block_signals(false);
    CHECK(
        strstr(output_of((struct plat_spawn){ CHILD("setup"), .cwd = "/tmp" }, &end), "cwd=/tmp "));
}

static void input_output_and_errors_are_the_given_files(void)
{
    os_write(os_temp("in"), "hello");
    MOOR_AUTO(plat_file) in = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) e = PLAT_FILE_INIT;
    CHECK_INT(plat_open(os_temp("in"), PLAT_READ, &in, &err), MOOR_OK);
    CHECK_INT(plat_open(os_temp("err"), PLAT_APPEND, &e, &err), MOOR_OK);
    struct plat_exit end;
    CHECK_STR(output_of((struct plat_spawn){ CHILD("echo"), .in = &in, .err = &e }, &end), "hello");
    CHECK_INT(end.code, 0);
    CHECK_STR(os_read(os_temp("err")), "err");
}

static void child_may_open_its_output_again_by_name(void)
{
    struct plat_exit end;
    CHECK_STR(output_of((struct plat_spawn){ CHILD("dev-stdout") }, &end), "again\n");
    CHECK_INT(end.code, 0);
}

static void process_left_in_the_background_does_not_delay_the_end(void)
{
    uint64_t before = plat_mono_ms();
    struct plat_exit end;
    const char *pid = output_of((struct plat_spawn){ CHILD("leave-behind", "30000") }, &end);
    CHECK(plat_mono_ms() - before < 15000);
    struct plat_process_id id = { 0 };
    CHECK_INT(plat_process_identify(strtoll(pid, NULL, 10), &id, &err), MOOR_OK);
    CHECK(plat_process_alive(&id));
    plat_process_kill_tree_id(&id);
    CHECK(!plat_process_alive(&id));
}

static struct plat_process start_tree(const char *name)
{
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    struct plat_process p = PLAT_PROCESS_INIT;
    CHECK_INT(plat_create_new(os_temp(name), PLAT_OWNER_ONLY, &out, &err), MOOR_OK);
    CHECK_INT(
        plat_spawn(&(struct plat_spawn){ CHILD("tree", os_temp(name)), .out = &out }, &p, &err),
        MOOR_OK);
    for (int i = 0; i < 2000 && !strstr(os_read(os_temp(name)), "ready"); i++)
        os_sleep_ms(5);
    return p;
}

static void killing_a_tree_ends_every_process_of_it(void)
{
    struct plat_process p = start_tree("tree-1");
    CHECK_INT(os_count_processes(os_temp("tree-1")), 4);
    plat_process_kill_tree(&p);
    struct plat_exit how = wait_end(&p);
    CHECK(how.signaled && how.code == SIGKILL);
    CHECK_INT(os_count_processes(os_temp("tree-1")), 0);
    plat_process_drop(&p);
}

static void tree_is_killed_by_identity_but_not_with_a_wrong_one(void)
{
    struct plat_process p = start_tree("tree-2");
    struct plat_process_id id = { 0 };
    CHECK_INT(plat_process_identify(p.pid, &id, &err), MOOR_OK);
    CHECK(id.start < (uint64_t)1 << 53);
    struct plat_process_id wrong = { id.pid, id.start + 1 };
    CHECK(!plat_process_alive(&wrong));
    plat_process_kill_tree_id(&wrong);
    wrong.start = id.start ^ (uint64_t)1 << 50; /* another boot */
    plat_process_kill_tree_id(&wrong);
    CHECK_INT(os_count_processes(os_temp("tree-2")), 4);
    plat_process_kill_tree_id(&id);
    CHECK(!plat_process_alive(&id));
    CHECK_INT(os_count_processes(os_temp("tree-2")), 0);
    (void)wait_end(&p);
    plat_process_drop(&p);
}

static void ended_process_has_no_identity(void)
{
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    struct plat_process_id id = { 0 };
    CHECK_INT(plat_spawn(&(struct plat_spawn){ CHILD("exit", "0") }, &p, &err), MOOR_OK);
    CHECK(os_wait_readable(p.exit_fd_, 20000));
    CHECK_INT(plat_process_identify(p.pid, &id, &err), MOOR_E_NOTFOUND);
    CHECK_INT(plat_process_identify(-1, &id, &err), MOOR_E_NOTFOUND);
    (void)wait_end(&p);
}

static void process_knows_itself_as_number_zero(void)
{
    struct plat_process_id self = { 0 }, again = { 0 };
    CHECK_INT(plat_process_identify(0, &self, &err), MOOR_OK);
    CHECK(self.pid > 0 && plat_process_alive(&self));
    CHECK_INT(plat_process_identify(self.pid, &again, &err), MOOR_OK);
    CHECK(again.pid == self.pid && again.start == self.start);
}

static void dropped_process_goes_on_and_leaves_no_zombie(void)
{
    struct plat_process p = PLAT_PROCESS_INIT;
    struct plat_process_id id = { 0 };
    CHECK_INT(plat_spawn(&(struct plat_spawn){ CHILD("sleep", "50") }, &p, &err), MOOR_OK);
    CHECK_INT(plat_process_identify(p.pid, &id, &err), MOOR_OK);
    plat_process_drop(&p);
    CHECK(plat_process_alive(&id));
    for (int i = 0; i < 2000 && plat_process_alive(&id); i++)
        os_sleep_ms(5);
    struct plat_exit end;
    (void)output_of((struct plat_spawn){ CHILD("exit", "0") }, &end);
    CHECK_INT(os_count_zombies(), 0);
}

static void killed_writer_leaves_a_whole_file(void)
{
    const char *path = os_temp("whole");
    os_write(path, "");
    for (unsigned round = 0; round < 20; round++) {
        struct plat_process p = PLAT_PROCESS_INIT;
        struct plat_spawn how = { .argv = (const char *const[]){ CONTRACT_REWRITER, path, NULL } };
        CHECK_INT(plat_spawn(&how, &p, &err), MOOR_OK);
        os_sleep_ms(20 + 3 * round);
        plat_process_kill_tree(&p);
        (void)wait_end(&p);
        plat_process_drop(&p);
        MOOR_AUTO(moor_buf) b = MOOR_BUF(100000);
        CHECK_INT(plat_read_all(path, 100000, &b, &err), MOOR_OK);
        CHECK(b.len == 0 || b.len == 65536);
        CHECK(b.len == 0 || memcmp(b.data, b.data + 1, b.len - 1) == 0);
    }
}

/* Root only: nobody else may become another user. */
static void another_user_has_its_own_groups_and_no_way_back(void)
{
    MOOR_AUTO(plat_account) nobody = PLAT_ACCOUNT_INIT;
    struct plat_exit end;
    CHECK(plat_find_account("no-such-user-here", &nobody, &err) == MOOR_E_NOTFOUND);
    if (!CHECK(plat_find_account("nobody", &nobody, &err) == MOOR_OK) || !plat_is_admin())
        return;
    CHECK(nobody.uid != 0 && nobody.group_count >= 1 && *nobody.home == '/');
    const char *text =
        output_of((struct plat_spawn){ .argv = (const char *const[]){ "/usr/bin/id", NULL },
                                       .user = &nobody },
                  &end);
    CHECK(!end.signaled && end.code == 0);
    CHECK(strstr(text, "(nobody)") && !strstr(text, "root"));
}

static void orphans_of_a_process_that_keeps_them_are_killed_with_it(void)
{
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    struct plat_process_id self, orphan;
    CHECK(plat_keep_orphans(&err) == MOOR_OK);
    CHECK(plat_process_identify(0, &self, &err) == MOOR_OK);
    struct plat_exit end;
    /* It leaves the session and its parent. */
    const char *pid = output_of(
        (struct plat_spawn){
            .argv = (const char *const[]){ "/bin/sh", "-c", "setsid sleep 600 & echo $!", NULL },
            .env = (const char *const[]){ "PATH=/usr/bin:/bin", NULL } },
        &end);
    CHECK(plat_process_identify(strtoll(pid, NULL, 10), &orphan, &err) == MOOR_OK);
    plat_process_kill_tree_id(&self);
    CHECK(!plat_process_alive(&orphan));
}

CHECK_MAIN(CHECK_TEST(exit_status_and_signal_are_told_apart),
           CHECK_TEST(program_that_cannot_start_is_an_error_at_once),
           CHECK_TEST(child_gets_no_descriptor_but_the_standard_ones),
           CHECK_TEST(extra_file_is_descriptor_three),
           CHECK_TEST(environment_is_what_was_given_and_nothing_else),
           CHECK_TEST(child_leads_a_session_with_clean_signals),
           CHECK_TEST(input_output_and_errors_are_the_given_files),
           CHECK_TEST(child_may_open_its_output_again_by_name),
           CHECK_TEST(process_left_in_the_background_does_not_delay_the_end),
           CHECK_TEST(killing_a_tree_ends_every_process_of_it),
           CHECK_TEST(tree_is_killed_by_identity_but_not_with_a_wrong_one),
           CHECK_TEST(ended_process_has_no_identity),
           CHECK_TEST(another_user_has_its_own_groups_and_no_way_back),
           CHECK_TEST(process_knows_itself_as_number_zero),
           CHECK_TEST(dropped_process_goes_on_and_leaves_no_zombie),
           CHECK_TEST(killed_writer_leaves_a_whole_file),
           CHECK_TEST(orphans_of_a_process_that_keeps_them_are_killed_with_it))
