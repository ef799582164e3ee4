/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources.h: ARM resources of every type, resource groups among them, as rows of one shape.
 *
 * A row is found by its id without regard to case; the casing first given is what is returned.
 * Ids have one slash between segments and none at the end. Extension resources (associations,
 * role assignments ...) are rows too: their id is "<scope>/providers/NS/type/name".
 */
#ifndef MOOR_STORE_RESOURCES_H
#define MOOR_STORE_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct moor_resource {
    const char *id;           /* "/subscriptions/S/resourceGroups/G/providers/NS/T/N" */
    const char *type;         /* "Microsoft.HybridCompute/machines"; "NS/T/T2" for children */
    const char *subscription; /* "" = none */
    const char *group;        /* name of the resource group, "" = none */
    const char *name;         /* last segment; "a/b" for children as ARM's name is not used */
    const char *location;     /* normalised ("westeurope"), "" = none */
    const char *alias;        /* second unique name within the type: immutableId, customerId, "" */
    const char *tags;         /* JSON object */
    const char *properties;   /* JSON object */
    const char *envelope;     /* JSON object of further top-level members: kind, identity, sku */
    int64_t created_ms, updated_ms;
    const char *created_by, *created_by_type; /* object id; User, Application, ManagedIdentity */
    const char *updated_by, *updated_by_type;
    uint64_t version; /* raised by every put; the ETag */
};

/* NOTFOUND names the id. */
MOOR_NODISCARD moor_code moor_resource_get(struct moor_store *s, const char *id,
                                           struct moor_arena *arena, struct moor_resource *out,
                                           struct moor_error *err);
MOOR_NODISCARD moor_code moor_resource_by_alias(struct moor_store *s, const char *type,
                                                const char *alias, struct moor_arena *arena,
                                                struct moor_resource *out, struct moor_error *err);

/* Inserts, or replaces all but id, created_* and version, which the row keeps (version + 1). NULL
 * members are stored as "" or "{}". */
MOOR_NODISCARD moor_code moor_resource_put(struct moor_store *s, const struct moor_resource *r,
                                           struct moor_error *err);

/* Removes the row and every row whose id is below it. *removed (may be NULL) counts rows. */
MOOR_NODISCARD moor_code moor_resource_delete(struct moor_store *s, const char *id,
                                              uint64_t *removed, struct moor_error *err);

/* Every member narrows; NULL does not. Comparisons ignore case. */
struct moor_resource_filter {
    const char *subscription;
    const char *group;
    const char *type;
    const char *name;
    const char *under; /* rows whose id is below this one */
    const char *tag_name, *tag_value;
    const char *after; /* only ids behind this one: paging */
    unsigned limit;    /* rows at most, 0 = 1000 */
};
struct moor_resource_list {
    struct moor_resource *items; /* in the order of their ids, lower-cased */
    size_t count;
    bool more; /* the limit cut the list */
};
MOOR_NODISCARD moor_code moor_resource_list(struct moor_store *s,
                                            const struct moor_resource_filter *filter,
                                            struct moor_arena *arena,
                                            struct moor_resource_list *out, struct moor_error *err);

#endif
