/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: local settings, <STATE>/localconfig.json: what may happen on this machine at all.
 * The cloud cannot widen them. One table holds every key with its default and its help; the file
 * holds only what differs from the defaults. Unknown keys and bad values refuse the whole file.
 * Keys and rules: docs/protocol/files.md. Blocking; a small file.
 */
#ifndef MOOR_CORE_SETTINGS_H
#define MOOR_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

typedef enum moor_config_mode { MOOR_MODE_FULL, MOOR_MODE_MONITOR } moor_config_mode;
typedef enum moor_signature_rule {
    MOOR_SIGNATURE_NO,
    MOOR_SIGNATURE_GALLERY,
    MOOR_SIGNATURE_PUBLISHER
} moor_signature_rule;

struct moor_settings {
    uint32_t schema;
    int config_mode; /* moor_config_mode */
    bool extensions_enabled;
    struct moor_str_list extensions_allowlist; /* empty = everything */
    struct moor_str_list extensions_blocklist;
    uint32_t extensions_cpu_limit; /* percent */
    int signature_required;        /* moor_signature_rule */
    bool guestconfiguration_enabled;
    uint32_t guestconfiguration_cpu_limit;
    bool incomingconnections_enabled;
    struct moor_str_list incomingconnections_ports;
    const char *connection_type; /* "direct" */
    const char *proxy_url;       /* "" = none */
    struct moor_str_list proxy_bypass;
    struct moor_str_list logs_allow_paths; /* empty = any path the role may read */
    struct moor_str_list logs_deny_paths;  /* wins */
    const char *logs_compression;          /* "fastest", ... */
};

struct moor_setting_info {
    const char *name;    /* "proxy.url" */
    const char *initial; /* default, as JSON text */
    bool preview;
    const char *help;
};

#define MOOR_LOCALCONFIG_NAME "localconfig.json" /* in plat_dir_path(PLAT_DIR_STATE) */

/* A missing file gives the defaults. Strings land in the arena. */
MOOR_NODISCARD moor_code moor_settings_load(struct moor_settings *out, struct moor_arena *arena,
                                            struct moor_error *err);
MOOR_NODISCARD moor_code moor_settings_parse(struct moor_span text, struct moor_settings *out,
                                             struct moor_arena *arena, struct moor_error *err);

/* One key's value as compact JSON in the arena; BADINPUT for an unknown key. */
MOOR_NODISCARD moor_code moor_settings_get(const struct moor_settings *s, const char *name,
                                           const char **json, struct moor_arena *arena,
                                           struct moor_error *err);

const struct moor_setting_info *moor_settings_table(size_t *count);

#endif
