/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/restore.h"

#include "base/span.h"
#include "engine/desired.h"

#define RESTORING_NAME "restoring"

moor_code moor_restore_begin(struct moor_store *s, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    moor_code c = moor_store_begin(s, &tx, err);
    if (!c)
        c = moor_desired_new_epoch(s, err);
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
