/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h: all that the logs role is told, read at once: settings, connection, cloud, rules.
 * Blocking; small files.
 */
#ifndef MOOR_LOGS_CONFIG_H
#define MOOR_LOGS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "logs/rules.h"
#include "logs/squeeze.h"

struct moor_rule_file {
    const char *name; /* of the file, "dcr1.json" */
    bool good;        /* it could be read; else what it said before goes on */
};

struct moor_logs_config {
    struct moor_arena arena;
    struct moor_settings settings;
    struct moor_squeeze_way way; /* logs.compression */
    struct moor_agentconfig machine;
    struct moor_cloud cloud;
    struct moor_rule_file *files;
    size_t file_count;
    struct moor_flow_spec *flows;
    size_t flow_count;
};

/* NOTFOUND: not connected. Other errors: settings, connection or cloud cannot be read, and nothing
 * may be collected. A bad rule fails alone; it is logged. */
MOOR_NODISCARD moor_code moor_logs_config_load(struct moor_logs_config *out,
                                               struct moor_error *err);
void moor_logs_config_drop(struct moor_logs_config *c);

/* The folders that rules are in, as formatted by plat_path(): <LIB>/rules.d, <ETC>/logs.d. */
#define MOOR_RULE_FOLDERS 2
MOOR_NODISCARD moor_code moor_rule_folder(unsigned n, char **out, struct moor_error *err);

#endif
