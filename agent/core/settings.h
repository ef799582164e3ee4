/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: local settings, <STATE>/localconfig.json: what may happen on this machine at all.
 * The cloud cannot widen them. One table holds every key: type, range, default, help; the file
 * holds only what differs from the defaults. Unknown keys and bad values refuse the whole file.
 * Keys and rules: docs/protocol/files.md. Changing them: settings_edit.h. Blocking; a small file.
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

typedef enum moor_body_limit { MOOR_BODY_WIRE, MOOR_BODY_STRICT } moor_body_limit;
typedef enum moor_key_size {
    MOOR_KEY_SIZE_2048,
    MOOR_KEY_SIZE_3072,
    MOOR_KEY_SIZE_4096
} moor_key_size;

extern const char *const moor_signature_rules[]; /* their names; NULL ends them */

struct moor_settings {
    uint32_t schema;
    bool refused;    /* moor_settings_parse_closed() found the file to break a rule */
    int config_mode; /* moor_config_mode */
    bool extensions_enabled;
    struct moor_str_list extensions_allowlist; /* empty = everything */
    struct moor_str_list extensions_blocklist;
    struct moor_str_list extensions_monitorlist; /* what monitor mode lets in */
    uint32_t extensions_cpu_limit;               /* percent */
    struct moor_str_list extensions_timeouts;    /* "install=900" */
    int signature_required;                      /* moor_signature_rule */
    struct moor_str_list signature_by_publisher; /* "Contoso.*=publisher" */
    struct moor_str_list policy_deny;            /* core/policy.h */
    bool guestconfiguration_enabled;
    uint32_t guestconfiguration_cpu_limit;
    bool incomingconnections_enabled;
    struct moor_str_list incomingconnections_ports;
    int key_size;                            /* moor_key_size */
    const char *tpm_device;                  /* crypto/tpm.h */
    struct moor_str_list identity_audiences; /* who may have tokens for what; empty = everybody */
    const char *connection_type;             /* "direct" */
    const char *proxy_url;                   /* "" = none */
    struct moor_str_list proxy_bypass;       /* groups and hosts: core/proxy.h */
    const char *proxy_credentials_file;      /* "" = none */
    const char *proxy_ca_file;               /* "" = none */
    /* Why the file does not tell which proxy is meant; NULL = it does. */
    const char *proxy_unknown;
    struct moor_str_list logs_allow_paths; /* empty = any path the role may read */
    struct moor_str_list logs_deny_paths;  /* wins */
    struct moor_str_list logs_syslog;      /* where syslog messages come from */
    const char *logs_syslog_certificate;   /* of tls: in logs.syslog; "" = none */
    const char *logs_syslog_key;           /* likewise */
    const char *logs_syslog_client_ca;     /* "" = senders need no certificate */
    const char *logs_compression;          /* "fastest", ... */
    int logs_body_limit;                   /* moor_body_limit */
};

/* A key. Local policy is a key with a closed value: what holds as long as the file cannot be
 * understood. */
struct moor_setting {
    struct moor_json_field field; /* name, type, range; where it goes in struct moor_settings */
    const char *initial;          /* default, as JSON text */
    const char *closed;           /* as JSON text; NULL: no policy, the default */
    enum moor_setting_state {
        MOOR_SETTING_HERE,
        MOOR_SETTING_PREVIEW,
        MOOR_SETTING_KEPT /* accepted and listed, "not available": nothing reads it */
    } state;
    /* Says whether a text, or each item of a list, may stand there; NULL: any. */
    moor_code (*check)(const char *text, struct moor_error *err);
    const char *help; /* begins in lower case, no full stop */
};

const struct moor_setting *moor_settings_table(size_t *count);
const struct moor_setting *moor_setting_find(const char *name); /* NULL: no such setting */

/* Appends what may be given: "true or false", "a whole number 1..100", "full or monitor". */
void moor_setting_type(const struct moor_setting *s, struct moor_buf *out);

#define MOOR_LOCALCONFIG_NAME "localconfig.json" /* in plat_dir_path(PLAT_DIR_STATE) */
#define MOOR_LOCALCONFIG_MAX  (256 * 1024)

/* A missing file gives the defaults. Strings land in the arena. */
MOOR_NODISCARD moor_code moor_settings_load(struct moor_settings *out, struct moor_arena *arena,
                                            struct moor_error *err);
MOOR_NODISCARD moor_code moor_settings_parse(struct moor_span text, struct moor_settings *out,
                                             struct moor_arena *arena, struct moor_error *err);

/* The same for those who have to go on whatever the file holds: *out is always filled. When the
 * file is refused, the error says why, all local policy is closed, and of the other keys those hold
 * that can be understood by themselves. */
MOOR_NODISCARD moor_code moor_settings_load_closed(struct moor_settings *out,
                                                   struct moor_arena *arena,
                                                   struct moor_error *err);
MOOR_NODISCARD moor_code moor_settings_parse_closed(struct moor_span text,
                                                    struct moor_settings *out,
                                                    struct moor_arena *arena,
                                                    struct moor_error *err);

/* Every key with its value in force, in the order of the table. NULL when out of memory. */
struct moor_json *moor_settings_values(const struct moor_settings *s);

#endif
