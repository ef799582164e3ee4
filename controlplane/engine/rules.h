/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h: data collection rules: whether one makes sense, and where a stream of it goes. Pure.
 */
#ifndef MOOR_ENGINE_RULES_H
#define MOOR_ENGINE_RULES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "engine/kql.h"

#define MOOR_RULE_FLOWS_MAX 10

/* One dataFlow to one workspace, for each of its streams. */
struct moor_rule_flow {
    const char *stream;              /* "Custom-App" */
    const char *workspace_id;        /* ARM id of the workspace */
    const char *destination;         /* name of it in the rule */
    const char *table;               /* "App_CL", "Syslog" */
    struct moor_kql_columns columns; /* of the stream */
};
struct moor_rule_flows {
    struct moor_rule_flow *items;
    size_t count;
};

/* Checks a rule's properties and lists its flows, all strings in the arena. BADINPUT names the
 * path and the rule that is broken. */
MOOR_NODISCARD moor_code moor_rule_flows(const struct moor_json *properties,
                                         struct moor_arena *arena, struct moor_rule_flows *out,
                                         struct moor_error *err);

#endif
