/* SPDX-License-Identifier: Apache-2.0 */
/* Making and changing trees. */
#include <float.h>

#include "base/json_internal.h"

struct moor_json *moor_json_new_object(void)
{
    return json_edit(cJSON_CreateObject());
}

struct moor_json *moor_json_new_array(void)
{
    return json_edit(cJSON_CreateArray());
}

struct moor_json *moor_json_new_str(const char *s)
{
    return json_edit(s ? cJSON_CreateString(s) : cJSON_CreateNull());
}

struct moor_json *moor_json_new_int(int64_t n)
{
    MOOR_ASSERT(n > -MOOR_JSON_INT_LIMIT && n < MOOR_JSON_INT_LIMIT);
    return json_edit(cJSON_CreateNumber((double)n));
}

struct moor_json *moor_json_new_number(double n)
{
    MOOR_ASSERT(n >= -DBL_MAX && n <= DBL_MAX);
    return json_edit(cJSON_CreateNumber(n));
}

struct moor_json *moor_json_new_bool(bool b)
{
    return json_edit(cJSON_CreateBool(b));
}

struct moor_json *moor_json_new_null(void)
{
    return json_edit(cJSON_CreateNull());
}

struct moor_json *moor_json_copy(const struct moor_json *v)
{
    cJSON *copy = v ? cJSON_Duplicate(node_of(v), true) : NULL;
    /* The name belongs to the place that v has, not to v. */
    if (copy)
        cJSON_free(MOOR_TAKE(copy->string));
    return json_edit(copy);
}

/* v is lost: it goes, and the container it was meant for remembers. */
static struct moor_json *lose(cJSON *container, struct moor_json *v)
{
    if (container)
        container->type |= NODE_INCOMPLETE;
    moor_json_free(v);
    return NULL;
}

/* The name moves from the old node to the new one, in the same place. */
static bool replace(cJSON *obj, cJSON *old, cJSON *v)
{
    v->string = MOOR_TAKE(old->string);
    return cJSON_ReplaceItemViaPointer(obj, old, v);
}

struct moor_json *moor_json_set(struct moor_json *obj, const char *name, struct moor_json *v)
{
    MOOR_ASSERT(name && (!obj || moor_json_typeof(obj) == MOOR_JSON_OBJECT));
    cJSON *o = node_edit(obj);
    if (!o || !v)
        return lose(o, v);
    cJSON *old = node_edit(moor_json_edit(obj, name));
    bool ok = old ? replace(o, old, node_edit(v)) : cJSON_AddItemToObject(o, name, node_edit(v));
    return ok ? v : lose(o, v);
}

struct moor_json *moor_json_push(struct moor_json *arr, struct moor_json *v)
{
    MOOR_ASSERT(!arr || moor_json_typeof(arr) == MOOR_JSON_ARRAY);
    cJSON *a = node_edit(arr);
    if (!a || !v || !cJSON_AddItemToArray(a, node_edit(v)))
        return lose(a, v);
    return v;
}

void moor_json_set_str(struct moor_json *obj, const char *name, const char *s)
{
    moor_json_set(obj, name, moor_json_new_str(s));
}

void moor_json_set_int(struct moor_json *obj, const char *name, int64_t n)
{
    moor_json_set(obj, name, moor_json_new_int(n));
}

void moor_json_set_bool(struct moor_json *obj, const char *name, bool b)
{
    moor_json_set(obj, name, moor_json_new_bool(b));
}

void moor_json_remove(struct moor_json *obj, const char *name)
{
    struct moor_json *v = moor_json_edit(obj, name);
    if (v)
        moor_json_free(json_edit(cJSON_DetachItemViaPointer(node_edit(obj), node_edit(v))));
}

struct moor_json *moor_json_edit(struct moor_json *obj, const char *name)
{
    if (moor_json_typeof(obj) != MOOR_JSON_OBJECT)
        return NULL;
    return json_edit(cJSON_GetObjectItemCaseSensitive(node_edit(obj), name));
}

static bool merge(struct moor_json *target, const struct moor_json *patch);

/* One member of a patch that is not null. */
static bool merge_member(struct moor_json *target, const char *name, const struct moor_json *patch)
{
    if (moor_json_typeof(patch) != MOOR_JSON_OBJECT)
        return moor_json_set(target, name, moor_json_copy(patch)) != NULL;
    struct moor_json *member = moor_json_edit(target, name);
    if (moor_json_typeof(member) != MOOR_JSON_OBJECT)
        member = moor_json_set(target, name, moor_json_new_object());
    return member && merge(member, patch);
}

static bool merge(struct moor_json *target, const struct moor_json *patch)
{
    MOOR_JSON_EACH(item, patch)
    {
        const char *name = moor_json_name(item);
        if (moor_json_typeof(item) == MOOR_JSON_NULL)
            moor_json_remove(target, name);
        else if (!merge_member(target, name, item))
            return false;
    }
    return true;
}

moor_code moor_json_merge_patch(struct moor_json *target, const struct moor_json *patch,
                                struct moor_error *err)
{
    if (moor_json_typeof(target) != MOOR_JSON_OBJECT || moor_json_typeof(patch) != MOOR_JSON_OBJECT)
        return moor_fail(err, MOOR_E_BADINPUT, "want an object as merge patch and as its target");
    if (!merge(target, patch))
        return moor_fail(err, MOOR_E_NOMEM, "no memory for the merge patch");
    return MOOR_OK;
}
