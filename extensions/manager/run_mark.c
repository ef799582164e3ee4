/* SPDX-License-Identifier: Apache-2.0 */
/* run_mark.c: the keeper's first act: nobody else starts what it starts. */
#include <inttypes.h>

#include "manager/run_files.h"
#include "platform/file.h"

/* The file appears whole or not at all, and the first who makes it keeps it: a second name of a
 * file that is written already. */
static moor_code make_once(const char *folder_path, const char *name, struct moor_span bytes,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) folder = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) own = MOOR_BUF(64);
    struct plat_process_id self;
    moor_code c = plat_hold_folder(folder_path, &folder, err);
    if (c == MOOR_OK)
        c = plat_process_identify(0, &self, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_fmt(&own, ".%s-%" PRId64, name, self.pid);
    c = plat_remove_in(&folder, moor_buf_cstr(&own), err);
    if (c == MOOR_OK)
        c = plat_create_in(&folder, moor_buf_cstr(&own), PLAT_OWNER_ONLY, bytes, err);
    if (c != MOOR_OK)
        return c;
    c = plat_link_in(&folder, moor_buf_cstr(&own), &folder, name, err);
    moor_code left = plat_remove_in(&folder, moor_buf_cstr(&own), NULL);
    (void)left; /* goes with the folder */
    return c == MOOR_OK ? plat_sync_all(folder_path, err) : c;
}

moor_code moor_run_mark_started(const char *execution_id, int64_t now_ms, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_code c = moor_run_path(execution_id, NULL, &folder, err);
    if (c == MOOR_OK)
        c = moor_buf_run_started(&text, now_ms, err);
    return c == MOOR_OK ? make_once(folder, "started", moor_buf_view(&text), err) : c;
}
