/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h: ARM resources that are a record with a few members of the service's own: data
 * collection rules, their associations, workspaces, tables. One table row says what is special
 * about a kind; records.c does PUT, PATCH, GET, DELETE and lists.
 */
#ifndef MOOR_API_RECORDS_H
#define MOOR_API_RECORDS_H

#include "api/app.h"
#include "api/arm.h"

struct moor_record_change;

struct moor_record_kind {
    const char *type; /* "Microsoft.Insights/dataCollectionRules" */
    bool tracked;     /* location required, tags */
    const char *name_chars;
    size_t name_max;
    /* Checks change->properties and completes them and alias. An error is answered as it is
     * (moor_service_refuse for codes of its own). In the transaction of the write. */
    moor_code (*complete)(struct moor_record_change *change, struct moor_error *err);
    /* What else is to do when it was written (change->row) or is about to go (change->old only). */
    moor_code (*written)(struct moor_record_change *change, struct moor_error *err);
    moor_code (*removing)(struct moor_record_change *change, struct moor_error *err);
};

struct moor_touched {
    const char *vm_id;
    uint64_t revision;
    struct moor_touched *next;
};

struct moor_record_change {
    struct moor_call *call;
    const struct moor_record_kind *kind;
    struct moor_arm_id id;
    const struct moor_resource *old; /* NULL = new */
    const struct moor_json *body;    /* NULL when removing */
    struct moor_json *properties;    /* to be completed */
    const char *alias;
    struct moor_resource row;
    struct moor_touched *touched; /* told after the commit */
};

/* The endpoint's handler: by the method, for a resource named by the path. kinds[] ends with one
 * without type. */
void moor_record_serve(struct moor_call *c, const struct moor_record_kind *kind);
/* Lists what the caller may read, by the path's group or subscription. */
void moor_record_list(struct moor_call *c, const char *type);

/* Raises the desired state of the machine with that resource id, if there is one. */
MOOR_NODISCARD moor_code moor_record_touch(struct moor_record_change *change,
                                           const char *machine_id, struct moor_error *err);

extern const struct moor_record_kind moor_kind_rule, moor_kind_association, moor_kind_workspace,
    moor_kind_table;

#endif
