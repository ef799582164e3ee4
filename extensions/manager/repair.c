/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/repair.h"

#include <inttypes.h>

#include "manager/disk.h"
#include "manager/folder.h"
#include "manager/package.h"
#include "manager/requests.h"
#include "platform/dirs.h"
#include "run/log.h"

static void forget_failure(struct moor_item *i)
{
    i->killed = i->fetch_failures = 0;
    i->half_since_ms = i->not_before_ms = 0;
    i->waiting_since_ms = 0;
    i->held_version[0] = 0;
    i->held_count = 0;
    moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
}

/* Its package is fetched again; a folder that is there is replaced as a whole. */
static void begin_anew(struct moor_item *i)
{
    i->phase = MOOR_PHASE_ABSENT;
    i->version[0] = 0;
    i->settings_seq = i->enabled_seq = -1;
}

static void repair_there(struct moor_item *i, bool whole, struct moor_buf *said)
{
    bool update = i->phase >= MOOR_PHASE_UPDATE_UNPACKED && i->phase <= MOOR_PHASE_UPDATE_DONE;
    if (update) {
        i->redo = true;
        moor_buf_fmt(said, "the update from version %s to %s begins again", i->old_version,
                     i->version);
    } else if (i->phase == MOOR_PHASE_ABSENT || i->phase == MOOR_PHASE_UNPACKED || !whole) {
        begin_anew(i);
        moor_buf_str(said, "its package is downloaded, unpacked and installed again");
    } else {
        i->enabled_seq = -1;
        i->enabled_here = false;
        moor_buf_fmt(said, "enable is given again, with number %" PRIu32, i->seq);
    }
}

void moor_repair_item(struct moor_item *i, moor_wish wish, bool whole, struct moor_buf *said)
{
    if (i->phase == MOOR_PHASE_UNINSTALLED) {
        moor_buf_str(said, "it is gone, and nothing is left to be done");
        return;
    }
    if (wish == MOOR_WISH_NONE) {
        moor_buf_str(said, "the service does not want it here, so nothing is done: mooring "
                           "extension remove removes it");
        return;
    }
    forget_failure(i);
    if (wish == MOOR_WISH_GONE)
        moor_buf_str(said, "its removal goes on");
    else
        repair_there(i, whole, said);
}

static moor_wish wish_for(const struct moor_manager *m, const struct moor_item *i)
{
    struct moor_desired_extension goal;
    if (!moor_manager_goal(m, i, &goal))
        return MOOR_WISH_NONE;
    return goal.state == MOOR_DESIRED_UNINSTALL ? MOOR_WISH_GONE : MOOR_WISH_THERE;
}

static bool is_whole(const struct moor_item *i)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_manifest manifest;
    return *i->version && moor_folder_manifest(i, false, &manifest, &arena, NULL) == MOOR_OK;
}

static void repair(struct moor_manager *m, struct moor_item *i)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) said = MOOR_BUF(MOOR_REQUEST_ANSWER_MAX);
    if (i->outcome == MOOR_OUTCOME_FAILED)
        moor_buf_fmt(&said, "it failed with %s; ", *i->error_code ? i->error_code : "no reason");
    moor_repair_item(i, wish_for(m, i), is_whole(i), &said);
    moor_manager_unwatch(m, i);
    moor_log(MOOR_LOG_NOTICE, "extension.repair", "name", i->name, "done", moor_buf_cstr(&said),
             NULL);
    if (moor_request_answer(MOOR_REQUEST_REPAIR, i->name, moor_buf_view(&said), &err) != MOOR_OK) {
        moor_log_error(MOOR_LOG_WARNING, "repair.not-told", &err, "name", i->name, NULL);
        (void)moor_request_drop(MOOR_REQUEST_REPAIR, i->name);
    }
}

/* What killed processes left; a download that goes on has such folders of its own. */
static void clean_orphans(struct moor_manager *m)
{
    const char *handlers = plat_dir_path(PLAT_DIR_HANDLERS);
    struct moor_error err = MOOR_ERROR_INIT;
    for (size_t n = 0; n < m->items.count; n++)
        if (m->items.list[n]->work && m->items.list[n]->work->step.action == MOOR_ACT_FETCH)
            return;
    moor_fetch_clean(m);
    moor_code c = moor_package_clean(handlers, &err);
    if (c == MOOR_OK)
        c = moor_disk_clean(handlers, &m->items, &err);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "orphans.not-removed", &err, NULL);
}

void moor_repair_asked(struct moor_manager *m)
{
    bool any = false, left = false;
    if (!m->repairs_due)
        return;
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        if (!moor_request_asked(MOOR_REQUEST_REPAIR, i->name))
            continue;
        bool busy = i->work || i->running.on;
        if (!busy)
            repair(m, i);
        any = any || !busy;
        left = left || busy;
    }
    if (any)
        clean_orphans(m);
    m->repairs_due = left;
}
