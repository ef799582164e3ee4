/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/proc.h"

#include <unistd.h>

#include "check.h"
#include "platform/process.h"

static struct moor_error err;

static void without_pidfd_a_thread_reports_the_end(void)
{
    const char *const argv[] = { "/bin/sleep", "100", NULL };
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    CHECK_INT(plat_spawn(&(struct plat_spawn){ .argv = argv }, &p, &err), MOOR_OK);
    MOOR_AUTO(plat_file) event = PLAT_FILE_INIT;
    event.fd_ = posix_exit_fd_by_thread((int)p.pid);
    CHECK(plat_file_is_open(&event));
    struct plat_process_id id = { 0 };
    CHECK_INT(plat_process_identify(p.pid, &id, &err), MOOR_OK);
    plat_process_kill_tree(&p);
    /* Nothing is ever written: the end of the pipe is the event. */
    char c;
    CHECK_INT(read(event.fd_, &c, 1), 0);
    CHECK(!plat_process_alive(&id));
    bool ended = false;
    struct plat_exit how = { .code = -1 };
    CHECK_INT(plat_process_poll(&p, &ended, &how, &err), MOOR_OK);
    CHECK(ended && how.signaled);
}

static void stamp_is_below_two_to_the_53_and_grows_with_time(void)
{
    CHECK(posix_proc_stamp(UINT64_MAX) < (uint64_t)1 << 53);
    CHECK(posix_proc_stamp(1000) < posix_proc_stamp(1001));
}

static void system_file_is_cut_not_overflowed(void)
{
    char small[4];
    CHECK(posix_read_system("/proc/cpuinfo", small, sizeof(small)));
    CHECK_INT(strlen(small), 3);
    CHECK(!posix_read_system("/nowhere", small, sizeof(small)));
    CHECK_STR(small, "");
}

CHECK_MAIN(CHECK_TEST(without_pidfd_a_thread_reports_the_end),
           CHECK_TEST(stamp_is_below_two_to_the_53_and_grows_with_time),
           CHECK_TEST(system_file_is_cut_not_overflowed))
