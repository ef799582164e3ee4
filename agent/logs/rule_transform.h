/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_transform.h: the pipelines of a rule's "transformations" that run on the machine, made into
 * the text of transform.h: filter.Basic, map.Rename, map.Drop, parse.JsonPath, and transform.KQL
 * as far as transform.h has it. Column names of a header that are not ours are translated. Pure.
 */
#ifndef MOOR_LOGS_RULE_TRANSFORM_H
#define MOOR_LOGS_RULE_TRANSFORM_H

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"

/* An item of properties.transformations. */
struct moor_rule_pipeline {
    const char *name;
    const char *header; /* "header.Syslog"; NULL = none */
    struct moor_obj_list processors;
};
extern const struct moor_json_shape moor_rule_pipeline_shape;

/* The text, in the arena, checked. Errors say which processor and where in it:
 * "processors[1]: transform.KQL: column 10: summarize: ...". */
MOOR_NODISCARD moor_code moor_rule_pipeline_text(const struct moor_rule_pipeline *p,
                                                 struct moor_arena *arena, const char **out,
                                                 struct moor_error *err);

#endif
