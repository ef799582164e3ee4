/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_disk.h: platform/file.h in memory, with synced and unsynced bytes kept apart. A test that
 * names disk before posix gets it: moor_test(unit/.../x_test.c USES manager disk fakes run posix)
 *
 * Everything that changes the disk is a step. The disk can die before a step, after which nothing
 * changes any more and every change fails, or refuse one step. fake_disk_cut() is what the next
 * start finds. One thread.
 */
#ifndef MOOR_FAKE_DISK_H
#define MOOR_FAKE_DISK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fake_disk_loss {
    FAKE_DISK_KEEPS_ALL,   /* kill -9: the system goes on */
    FAKE_DISK_KEEPS_NAMES, /* power cut: bytes that were not synced are gone, names are there */
    FAKE_DISK_KEEPS_SYNCED /* power cut: names that were not synced are as they were, too */
} fake_disk_loss;

void fake_disk_reset(void);               /* empty, alive, no step done */
void fake_disk_die_before(uint64_t step); /* counted from 1; 0 = never */
void fake_disk_refuse(uint64_t step);     /* this one fails, as on a full disk; 0 = none */
void fake_disk_spare(bool on);            /* meanwhile no step is refused, only counted */
void fake_disk_uncounted(bool on);        /* meanwhile what is done is no step: it is another's */
uint64_t fake_disk_steps(void);           /* done or tried since the reset */
bool fake_disk_dead(void);
void fake_disk_settle(void);             /* all of it is synced; steps are counted from here */
void fake_disk_cut(fake_disk_loss loss); /* what is lost is lost; the disk is alive again */

#endif
