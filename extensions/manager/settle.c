/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/span.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "platform/clock.h"

#define FINAL_STATUS_MS     ((int64_t)90 * 60 * 1000)
#define STALE_MS            ((int64_t)10 * 60 * 1000)
#define HALF_READ_MS        10000 /* a file that is being written gets whole within this time */
#define HALF_READ_LOOK_MS   2000
#define OTHER_ANSWER_MS     ((int64_t)60 * 1000)
#define HEARTBEAT_ARENA_MAX (512 * 1024)
#define STATUS_ARENA_MAX    (5 * (size_t)MOOR_STATUS_MAX)

/* A status without the time it was written: residents write the same again every few seconds, which
 * is no news. */
static const char *said(const char *status)
{
    const char *p = strstr(status, "\"status\":");
    return p ? p : status;
}

static bool update(struct moor_item *i, moor_item_outcome outcome, const char *error_code,
                   int64_t code, const char *message, const char *status)
{
    bool same = i->outcome == outcome && i->code == code && moor_streq(i->error_code, error_code) &&
                moor_streq(said(i->status), said(status)) &&
                strncmp(i->message, message, strlen(i->message)) == 0 && (*i->message || !*message);
    if (same)
        return false;
    moor_item_settle(i, outcome, error_code, code, message);
    moor_code c = moor_item_set(&i->status, status, NULL);
    (void)c; /* out of memory: the older status stays until the next look */
    return true;
}

/* A final failure, unless it is an automatic update's, which is taken back. */
static bool fail(struct moor_manager *m, struct moor_item *i, const char *error_code, int64_t code,
                 const char *message, const char *status)
{
    struct moor_desired_extension goal;
    if (moor_manager_goal(m, i, &goal) && moor_plan_go_back(i, &goal, plat_utc_ms(), message)) {
        moor_manager_later(m, 0);
        return update(i, MOOR_OUTCOME_GOING_ON, "", 0, message, status);
    }
    return update(i, MOOR_OUTCOME_FAILED, error_code, code, message, status);
}

/* No final word yet: how long is that acceptable? */
static bool still_waiting(struct moor_manager *m, struct moor_item *i, const char *message,
                          const char *status)
{
    int64_t now = plat_utc_ms();
    if (i->waiting_since_ms == 0 || i->waiting_since_ms > now)
        i->waiting_since_ms = now;
    if (now - i->waiting_since_ms > FINAL_STATUS_MS)
        return fail(m, i, "HandlerTimeout", 0,
                    "the handler reported no final status within 90 minutes", status);
    int64_t written = moor_folder_status_time_ms(i);
    if (written && now - written > STALE_MS && now - i->waiting_since_ms > STALE_MS)
        i->enabled_here = false; /* perhaps its worker is gone: enable is asked again */
    return update(i, MOOR_OUTCOME_GOING_ON, "", 0, message, status);
}

static bool on_malformed(struct moor_manager *m, struct moor_item *i, const struct moor_error *err)
{
    uint64_t now = plat_mono_ms();
    if (i->half_since_ms == 0)
        i->half_since_ms = now;
    if (now - i->half_since_ms < HALF_READ_MS) {
        moor_manager_later(m, HALF_READ_LOOK_MS);
        return false;
    }
    return update(i, MOOR_OUTCOME_FAILED, "HandlerStatusMalformed", 1012, err->msg, "");
}

/* Of a command that is not enable. */
static bool is_other(const struct moor_handler_status *s)
{
    static const moor_handler_verb others[] = { MOOR_VERB_INSTALL, MOOR_VERB_UPDATE,
                                                MOOR_VERB_DISABLE, MOOR_VERB_UNINSTALL };
    for (size_t n = 0; n < MOOR_COUNTOF(others); n++)
        if (moor_strcasecmp(s->operation, moor_handler_verb_name(others[n])) == 0)
            return true;
    return false;
}

/* Many handlers write a final status of disable and update into the file of the same number. It
 * does not answer enable, whose own may be on its way. One that never comes is no reason to wait
 * for ever: a handler that did this number's work before has nothing to add, and most say that they
 * did. */
static bool await_answer(struct moor_manager *m, const struct moor_item *i)
{
    int64_t waited = plat_utc_ms() - i->waiting_since_ms;
    if (i->had_number || i->outcome != MOOR_OUTCOME_GOING_ON || waited < 0 ||
        waited >= OTHER_ANSWER_MS)
        return false;
    moor_manager_later(m, (uint64_t)(OTHER_ANSWER_MS - waited));
    return true;
}

/* What a resident handler says of itself, or that it is silent: behind the message, since its work
 * for the settings is done all the same. */
static void add_heartbeat(struct moor_buf *b, const struct moor_item *i)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(HEARTBEAT_ARENA_MAX);
    struct moor_handler_heartbeat beat;
    struct moor_error err = MOOR_ERROR_INIT;
    int64_t age_ms = 0;
    moor_code c = moor_folder_heartbeat(i, &beat, &age_ms, &arena, &err);
    if (c == MOOR_E_UNSUPPORTED)
        return;
    if (c != MOOR_OK)
        moor_buf_fmt(b, "\nHeartbeat: NotReady: %s", err.msg);
    else if (age_ms > STALE_MS)
        moor_buf_str(b, "\nHeartbeat: Unresponsive: none for ten minutes");
    else if (!beat.ready || *beat.message)
        moor_buf_fmt(b, "\nHeartbeat: %s: %s", beat.ready ? "Ready" : "NotReady", beat.message);
}

static bool settle_from(struct moor_manager *m, struct moor_item *i,
                        const struct moor_handler_status *s)
{
    if (s->state == MOOR_STATUS_NONE || s->state == MOOR_STATUS_TRANSITIONING)
        return still_waiting(m, i, s->message, s->json);
    bool other = is_other(s);
    if (other && await_answer(m, i))
        return still_waiting(m, i, s->message, "");
    i->waiting_since_ms = 0;
    if (s->state == MOOR_STATUS_ERROR)
        return fail(m, i, "HandlerCommandFailed", s->code, s->message, s->json);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2 * MOOR_ITEM_MESSAGE_MAX);
    if (other) /* of no interest to who asked for enable, but all that is said */
        moor_buf_fmt(&text, "%s: ", s->operation);
    moor_buf_str(&text, s->message);
    add_heartbeat(&text, i);
    if (!*i->held_version)
        return update(i, MOOR_OUTCOME_SUCCEEDED, "", s->code, moor_buf_cstr(&text), s->json);
    /* The last good version works; the one that was taken back is told of. */
    moor_buf_reset(&text);
    moor_buf_fmt(&text, "the automatic upgrade to version %s failed and was taken back: %s",
                 i->held_version, i->held_reason);
    bool final = i->held_count > 1;
    return update(i, final ? MOOR_OUTCOME_FAILED : MOOR_OUTCOME_SUCCEEDED,
                  final ? "HandlerCommandFailed" : "", s->code, moor_buf_cstr(&text), s->json);
}

/* A status file speaks for the goal when this version was enabled for it with success. Failures
 * of others than the handler are not its to take back. */
static bool may_change(const struct moor_item *i, const struct moor_desired_extension *goal)
{
    static const char handlers_own[] = "Handler";
    if (i->phase != MOOR_PHASE_ENABLED || i->enabled_seq != (int64_t)i->seq || i->running.on)
        return false;
    if (goal && (goal->state == MOOR_DESIRED_UNINSTALL ||
                 strcmp(moor_plan_version(i, goal), i->version) != 0))
        return false;
    return i->outcome != MOOR_OUTCOME_FAILED ||
           strncmp(i->error_code, handlers_own, sizeof(handlers_own) - 1) == 0;
}

bool moor_settle(struct moor_manager *m, struct moor_item *i,
                 const struct moor_desired_extension *goal)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(STATUS_ARENA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_handler_status s;
    if (!may_change(i, goal))
        return false;
    moor_code c = moor_folder_status(i, &s, &arena, &err);
    if (c == MOOR_E_BADINPUT)
        return on_malformed(m, i, &err);
    i->half_since_ms = 0;
    if (c == MOOR_OK)
        return settle_from(m, i, &s);
    if (c == MOOR_E_NOTFOUND && goal && moor_desired_has_settings(goal))
        return still_waiting(m, i, "the handler has not reported yet", "");
    if (c == MOOR_E_NOTFOUND)
        return update(i, MOOR_OUTCOME_SUCCEEDED, "", 0, "Plugin enabled", "");
    return still_waiting(m, i, err.msg, "");
}
