/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_clock.h"
#include "platform/clock.h"
#include "run/loop.h"

void fake_run(struct moor_loop *l, uint64_t ms)
{
    uint64_t end = plat_mono_ms() + ms, next = 0;
    for (;;) {
        /* What is due now may arm more for now. */
        do {
            moor_loop_poll(l, &next);
        } while (next <= plat_mono_ms());
        if (next > end)
            break;
        fake_clock_advance(next - plat_mono_ms());
    }
    fake_clock_advance(end - plat_mono_ms());
}
