/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/steps.h"

#include "platform/clock.h"

static moor_azcm number_of(const struct moor_step *step, const struct moor_error *err)
{
    const bool network = err->code == MOOR_E_TRANSIENT || err->code == MOOR_E_TIMEOUT ||
                         err->code == MOOR_E_PROXY || err->code == MOOR_E_UNTRUSTED;
    if (err->code == MOOR_E_CANCELED)
        return AZCM_INTERRUPTED;
    /* An answer, or the identity role's own socket, is not the network's fault. */
    return network && err->http == 0 && step->azcm != AZCM_NO_HIMDS ? AZCM_NETWORK : step->azcm;
}

moor_code moor_steps_run(const struct moor_step *table, size_t count, void *work,
                         const struct moor_progress *progress, moor_azcm *azcm,
                         struct moor_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t began = plat_mono_ms();
        *azcm = AZCM_OK;
        progress->begin(progress->ctx, table[i].name, table[i].text, i + 1, count);
        moor_code c = table[i].run(work, err);
        progress->end(progress->ctx, table[i].name, c != MOOR_OK, plat_mono_ms() - began);
        if (c == MOOR_OK)
            continue;
        if (*azcm == AZCM_OK)
            *azcm = number_of(&table[i], err);
        return c;
    }
    return MOOR_OK;
}
