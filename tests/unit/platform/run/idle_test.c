/* SPDX-License-Identifier: Apache-2.0 */
/* An idle pool has no thread; on virtual time. */
#include "base/text.h"
#include "check.h"
#include "fake_clock.h"
#include "platform/file.h"
#include "platform/thread.h"
#include "run/loop.h"
#include "run/pool.h"

static struct moor_error err;

/* A number the kernel keeps of this process. */
static long status(const char *name)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(16384);
    CHECK_INT(plat_read_all("/proc/self/status", 16384, &b, &err), MOOR_OK);
    const char *at = strstr(moor_buf_cstr(&b), name);
    uint64_t n = 0;
    struct moor_span rest = moor_span_str(at ? at + strlen(name) : "");
    CHECK_INT(moor_parse_u64(moor_span_trim(moor_span_cut(&rest, '\n')), 0, UINT64_MAX, &n, &err),
              MOOR_OK);
    return (long)n;
}

/* The kernel takes a moment to forget a thread that was joined. */
static bool has_threads(long n)
{
    for (int i = 0; i < 10000 && status("Threads:") != n; i++)
        ;
    return status("Threads:") == n;
}

static void nothing(void *ctx)
{
    (void)ctx;
}
static void count_done(void *ctx, bool cancelled)
{
    *(unsigned *)ctx += !cancelled;
}

static void pool_threads_end_after_ten_seconds_without_a_job(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    MOOR_AUTOPTR(moor_pool) p = NULL;
    unsigned done = 0;
    /* The thread sanitizer starts a thread of its own with our first one. */
    struct plat_thread *first = NULL;
    CHECK_INT(plat_thread_start("first", nothing, NULL, &first, &err), MOOR_OK);
    plat_thread_join(first);
    long before = has_threads(1) ? 1 : 2;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, NULL, &p, &err), MOOR_OK);
    CHECK(has_threads(before));
    for (unsigned round = 1; round <= 2; round++) {
        CHECK_INT(moor_pool_submit(p, nothing, count_done, &done, &err), MOOR_OK);
        while (done < round)
            moor_loop_turn(l);
        fake_run(l, 9999);
        CHECK(status("Threads:") > before);
        fake_run(l, 1);
        CHECK(has_threads(before));
    }
}

CHECK_MAIN(CHECK_TEST(pool_threads_end_after_ten_seconds_without_a_job))
