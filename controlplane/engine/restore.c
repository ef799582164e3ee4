/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/restore.h"

#include "base/span.h"
#include "engine/desired.h"
#include "platform/clock.h"
#include "store/operations.h"
#include "store/run_commands.h"

#define RESTORING_NAME "restoring"
#define ROWS_MAX       ((size_t)96 << 20)
#define CANCELED_STATE "{\"provisioningState\":\"Canceled\"}"
#define CANCELED_VIEW                                                                              \
    "{\"executionState\":\"Canceled\",\"executionMessage\":\"The control plane was restored from " \
    "a backup; whether this ran is not known.\"}"

/* Whether they ran meanwhile cannot be known from a backup: they are not given again. */
static moor_code cancel_run_commands(struct moor_store *s, int64_t now_ms, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ROWS_MAX);
    struct moor_run_command_list open = { NULL, 0 };
    moor_code c = moor_run_command_list_open(s, &arena, &open, err);
    for (size_t i = 0; !c && i < open.count; i++) {
        struct moor_run_command *r = &open.items[i];
        struct moor_resource row;
        r->finished = true;
        r->reported = CANCELED_VIEW;
        c = moor_run_command_put(s, r, err);
        if (!c)
            c = moor_resource_get(s, r->resource_id, &arena, &row, err);
        row.properties = CANCELED_STATE;
        if (!c)
            c = moor_resource_put(s, &row, err);
        if (!c)
            c = moor_operation_end(s, r->resource_id, MOOR_OP_CANCELED, "Restored",
                                   "The control plane was restored from a backup.", now_ms, err);
    }
    return c;
}

moor_code moor_restore_begin(struct moor_store *s, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    moor_code c = moor_store_begin(s, &tx, err);
    if (!c)
        c = moor_desired_new_epoch(s, err);
    if (!c)
        c = cancel_run_commands(s, plat_utc_ms(), err);
    if (!c)
        c = moor_store_meta_set(s, RESTORING_NAME, "1", err);
    return c ? c : moor_store_commit(&tx, err);
}

moor_code moor_restore_finish(struct moor_store *s, struct moor_error *err)
{
    return moor_store_meta_set(s, RESTORING_NAME, "0", err);
}

bool moor_restoring(struct moor_store *s)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1024);
    const char *value = NULL;
    return moor_store_meta_get(s, RESTORING_NAME, &arena, &value, NULL) == MOOR_OK &&
           moor_streq(value, "1");
}
