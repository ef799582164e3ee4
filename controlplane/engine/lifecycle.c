/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lifecycle.h"

#include "base/json.h"

#define DAYS_NAME     "reenrollmentDays"
#define PREVIOUS_NAME "acceptPreviousKey"

/* An object in any case. */
static struct moor_json *document_of(struct moor_span json)
{
    struct moor_json *v = NULL;
    if (json.n && moor_json_parse(json, &v, NULL) == MOOR_OK &&
        moor_json_typeof(v) == MOOR_JSON_OBJECT)
        return v;
    moor_json_free(v);
    return moor_json_new_object();
}

void moor_lifecycle_override(struct moor_lifecycle *rules, struct moor_span json)
{
    MOOR_AUTOPTR(moor_json) v = document_of(json);
    const struct moor_json *previous = moor_json_get(v, PREVIOUS_NAME);
    int64_t days = 0;
    if (moor_json_int(moor_json_get(v, DAYS_NAME), &days) && days >= 0 &&
        days <= MOOR_REENROLLMENT_MAX)
        rules->reenrollment_days = (uint32_t)days;
    if (previous && moor_json_typeof(previous) == MOOR_JSON_BOOLEAN)
        rules->accept_previous_key = moor_json_is_true(previous);
}

moor_code moor_lifecycle_change(struct moor_span json, const struct moor_lifecycle_change *change,
                                struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = document_of(json);
    if (change->reenrollment_days)
        moor_json_set_int(v, DAYS_NAME, *change->reenrollment_days);
    if (change->accept_previous_key)
        moor_json_set_bool(v, PREVIOUS_NAME, *change->accept_previous_key);
    moor_buf_json(out, v);
    return moor_buf_ok(out, "rules of the machine", err);
}
