/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/lifetime/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "fakes/fake_clock.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/random.h"
#include "unit/lifetime/fake_dirs.h"

/* Memory where there is such a place: every beat is a file that is flushed. */
#define MEMORY_FOLDER "/dev/shm"
#define OTHER_FOLDER  "/tmp"

static struct {
    struct moor_loop *loops[SIDE_COUNT];
    unsigned roots[SIDE_COUNT];
    int64_t skew_ms[SIDE_COUNT];
    side present;
    uint64_t mono0_ms; /* the monotonic clock at WORLD_T0 */
    char folder[128];
} world;

static void need(moor_code c, const struct moor_error *err)
{
    if (!c)
        return;
    printf("# world: %s\n", err->msg);
    exit(1);
}

static void open_side(side s)
{
    static bool added[SIDE_COUNT];
    struct moor_error err = MOOR_ERROR_INIT;
    char root[160];
    if (!added[s]) {
        (void)snprintf(root, sizeof(root), "%s/%d", world.folder, (int)s);
        world.roots[s] = fake_dirs_add(root);
        added[s] = true;
    }
    fake_dirs_use(world.roots[s]);
    need(plat_make_dirs(plat_dir_path(PLAT_DIR_STATE), PLAT_OWNER_ONLY, &err), &err);
    need(plat_make_dirs(plat_dir_path(PLAT_DIR_RUN), PLAT_OWNER_ONLY, &err), &err);
    need(moor_loop_new(&world.loops[s], &err), &err);
    world.skew_ms[s] = 0;
}

void world_open(void)
{
    char id[37];
    if (!world.folder[0]) {
        plat_random_uuid(id);
        (void)snprintf(world.folder, sizeof(world.folder), "%s/mooring-%.13s",
                       plat_exists(MEMORY_FOLDER) ? MEMORY_FOLDER : OTHER_FOLDER, id);
    }
    world.mono0_ms = plat_mono_ms();
    for (side s = 0; s < SIDE_COUNT; s++)
        open_side(s);
    (void)world_enter(SIDE_PLANE);
}

void world_close(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    for (side s = 0; s < SIDE_COUNT; s++)
        moor_loop_free(world.loops[s]);
    need(plat_remove_tree(world.folder, &err), &err);
}

int64_t world_now(void)
{
    return WORLD_T0 + (int64_t)(plat_mono_ms() - world.mono0_ms);
}

struct moor_loop *world_loop(side s)
{
    return world.loops[s];
}

side world_side(void)
{
    return world.present;
}

side world_enter(side s)
{
    side before = world.present;
    world.present = s;
    fake_clock_set_utc(world_now() + world.skew_ms[s]);
    fake_dirs_use(world.roots[s]);
    return before;
}

void world_skew(side s, int64_t off_ms)
{
    world.skew_ms[s] = off_ms;
    (void)world_enter(world.present);
}

int64_t world_skew_of(side s)
{
    return world.skew_ms[s];
}

/* What is due now on any side; when the next is due. A side's work may make work for another. */
static uint64_t poll_all(void)
{
    uint64_t now = plat_mono_ms(), first = 0;
    do {
        first = UINT64_MAX;
        for (side s = 0; s < SIDE_COUNT; s++) {
            uint64_t next = 0;
            (void)world_enter(s);
            moor_loop_poll(world.loops[s], &next);
            if (next < first)
                first = next;
        }
    } while (first <= now);
    return first;
}

void world_run_until(int64_t utc_ms)
{
    uint64_t end = world.mono0_ms + (uint64_t)(utc_ms - WORLD_T0);
    side before = world.present;
    for (uint64_t next = poll_all(); next <= end; next = poll_all())
        fake_clock_advance(next - plat_mono_ms());
    fake_clock_advance(end - plat_mono_ms());
    (void)world_enter(before);
}
