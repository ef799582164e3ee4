/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/record.h"

#include "base/buf.h"
#include "run/log.h"

static bool add(const struct moor_trail_entry *e)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_trail_add(e, &err) == MOOR_OK)
        return true;
    moor_log_error(MOOR_LOG_ERROR, "audit.not-written", &err, "verb", e->verb, "object", e->object,
                   "verdict", e->verdict, NULL);
    return false;
}

bool moor_record_permitted(const char *by, moor_policy_verb verb, const char *object,
                           const char *detail)
{
    const struct moor_trail_entry e = { .by = by,
                                        .verb = moor_policy_verb_name(verb),
                                        .object = object,
                                        .detail = detail,
                                        .verdict = MOOR_TRAIL_PERMITTED };
    return add(&e);
}

void moor_record_tick(struct moor_record_budget *b, uint64_t now_ms)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    if (now_ms - b->since_ms < MOOR_RECORD_WINDOW_MS)
        return;
    moor_buf_fmt(&text, "%u more within an hour", b->left_out);
    const struct moor_trail_entry e = { .by = MOOR_TRAIL_BY_CLOUD,
                                        .verb = "several",
                                        .detail = moor_buf_cstr(&text),
                                        .verdict = MOOR_TRAIL_REFUSED };
    if (b->left_out == 0 || add(&e))
        *b = (struct moor_record_budget){ .since_ms = now_ms };
}

void moor_record_refused(struct moor_record_budget *b, uint64_t now_ms, moor_policy_verb verb,
                         const char *object, const char *detail, const char *rule)
{
    const struct moor_trail_entry e = { .by = MOOR_TRAIL_BY_CLOUD,
                                        .verb = moor_policy_verb_name(verb),
                                        .object = object,
                                        .detail = detail,
                                        .verdict = MOOR_TRAIL_REFUSED,
                                        .rule = rule };
    moor_record_tick(b, now_ms);
    if (b->lines < MOOR_RECORD_REFUSALS)
        b->lines += add(&e);
    else
        b->left_out++;
}
