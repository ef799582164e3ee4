/* SPDX-License-Identifier: Apache-2.0 */
/* arm.h: what the ARM routes share: ids, tags, locations, and resources as JSON. */
#ifndef MOOR_API_ARM_H
#define MOOR_API_ARM_H

#include <stdbool.h>

#include "api/app.h"
#include "store/operations.h"
#include "store/resources.h"

/* Bytes of rows that one request may hold at once, beside its own small arena. */
#define MOOR_ROWS_MAX (96u << 20)

struct moor_arm_id {
    const char *id;           /* with "resourceGroups" and "providers" spelled so, names as given */
    const char *subscription; /* "" for tenant level */
    const char *group;        /* "" = none */
    const char *type;   /* "NS/T/T2", "Microsoft.Resources/resourceGroups", ".../subscriptions" */
    const char *name;   /* last segment */
    const char *parent; /* id of the resource this one is a child or extension of */
};
/* Takes a path (one slash each, decoded) apart. False when it is no id. */
bool moor_arm_parse(const char *path, struct moor_arena *arena, struct moor_arm_id *out);

/* "West Europe" is "westeurope". NULL when it is no location: letters, digits, blanks; 1..64. */
const char *moor_arm_location(struct moor_call *c, const char *text);

/* 1..max of letters, digits and the given others, not ending in a dot. */
bool moor_arm_name_ok(const char *name, size_t max, const char *others);

/* Tags are an object of texts: at most 50, names 1..512, values 0..256 bytes. Answers 400
 * InvalidTags and returns false otherwise. NULL is fine. */
bool moor_arm_tags_ok(struct moor_call *c, const struct moor_json *tags);

/* The value as text in the call's arena, "{}" when it is no object. */
const char *moor_arm_text(struct moor_call *c, const struct moor_json *object);

/* Fills created_* and updated_* for a write by the caller; old is NULL for a new row. */
void moor_arm_stamp(struct moor_call *c, struct moor_resource *r, const struct moor_resource *old);

/* The resource with all its stored members; list items are without properties. */
struct moor_json *moor_arm_json(const struct moor_resource *r);
struct moor_json *moor_arm_json_brief(const struct moor_resource *r);

/* Wraps {"value":[...],"nextLink"}; next_key NULL = the last page. */
void moor_arm_reply_list(struct moor_call *c, struct moor_json *items, const char *next_key);
/* $skipToken of the request as the key to go on behind; NULL when there is none. */
const char *moor_arm_skip_key(struct moor_call *c);

/* The group of the id exists, or answers 404 ResourceGroupNotFound (SubscriptionNotFound). */
bool moor_arm_group_exists(struct moor_call *c, const struct moor_arm_id *id);
void moor_arm_not_found(struct moor_call *c, const struct moor_arm_id *id);

/* 202 for an operation: Azure-AsyncOperation, Location, Retry-After. */
void moor_arm_accepted(struct moor_call *c, const struct moor_arm_id *id, const char *operation);

#endif
