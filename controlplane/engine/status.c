/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/status.h"

void moor_status_of(const struct moor_status_facts *f, int64_t now_ms, struct moor_status *out)
{
    *out = (struct moor_status){ "AwaitingConnection", "", 0 };
    if (!f->last_heartbeat_ms)
        return;
    int64_t silent_from = f->last_heartbeat_ms + MOOR_SILENT_PERIODS * f->period_ms;
    if (f->certificate_end_ms && now_ms >= f->certificate_end_ms) {
        *out = (struct moor_status){ "Expired", "", f->certificate_end_ms };
    } else if (now_ms >= silent_from) {
        *out = (struct moor_status){ "Disconnected", "", silent_from };
    } else if (f->error_since_ms) {
        *out = (struct moor_status){ "Error", "", f->error_since_ms };
    } else {
        *out = (struct moor_status){ "Connected", "", f->connected_since_ms };
    }
    if (f->forked)
        out->reason = "Cloned";
}
