/* SPDX-License-Identifier: Apache-2.0 */
/* The loop on virtual time: a day passes in no time, and an idle loop is never woken. */
#include "check.h"
#include "fake_clock.h"
#include "platform/clock.h"
#include "run/loop.h"

static struct moor_error err;

struct beat {
    struct moor_timer *t;
    uint64_t every, due;
    unsigned count, early, late;
};
static void on_beat(void *ctx)
{
    struct beat *b = ctx;
    uint64_t now = plat_mono_ms();
    b->count++;
    b->early += now < b->due;
    b->late += now > b->due;
    b->due = now + b->every;
    moor_timer_arm(b->t, b->every);
}

static void a_day_of_heartbeats_is_exact(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct beat beats[] = { { .every = 300000 }, { .every = 3600000 }, { .every = 7 * 3600000 } };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(beats); i++) {
        CHECK_INT(moor_timer_new(l, on_beat, &beats[i], &beats[i].t, &err), MOOR_OK);
        beats[i].due = plat_mono_ms() + beats[i].every;
        moor_timer_arm(beats[i].t, beats[i].every);
    }
    fake_run(l, 24 * 3600000);
    CHECK_INT(beats[0].count, 288);
    CHECK_INT(beats[1].count, 24);
    CHECK_INT(beats[2].count, 3);
    for (size_t i = 0; i < MOOR_COUNTOF(beats); i++) {
        CHECK(beats[i].early == 0 && beats[i].late == 0);
        moor_timer_free(beats[i].t);
    }
}

static void jump_of_the_wall_clock_moves_no_timer(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct beat b = { .every = 1000 };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_timer_new(l, on_beat, &b, &b.t, &err), MOOR_OK);
    b.due = plat_mono_ms() + b.every;
    moor_timer_arm(b.t, b.every);
    fake_clock_set_utc(0);
    fake_run(l, 500);
    CHECK_INT(plat_utc_ms(), 500);
    fake_clock_set_utc(4000000000000);
    fake_run(l, 499);
    CHECK_INT(b.count, 0);
    fake_run(l, 1);
    CHECK_INT(b.count, 1);
    moor_timer_free(b.t);
}

CHECK_MAIN(CHECK_TEST(a_day_of_heartbeats_is_exact),
           CHECK_TEST(jump_of_the_wall_clock_moves_no_timer))
