/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desired.h: the desired-state document as docs/protocol/service.md has it. Unknown members are
 * ignored; an item that breaks a rule is kept with its name and the reason, and never spoils its
 * neighbours. Pure; any thread.
 */
#ifndef MOOR_CORE_DESIRED_H
#define MOOR_CORE_DESIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

typedef enum moor_desired_state { MOOR_DESIRED_ENABLED, MOOR_DESIRED_UNINSTALL } moor_desired_state;

struct moor_desired_package {
    struct moor_str_list uris; /* https */
    uint64_t size;
    const char *sha256;                   /* 64 lower-case hexadecimal digits */
    struct moor_span signature;           /* the gallery's: detached CMS, DER; empty = none */
    const char *signature_format;         /* "cms-detached"; NULL = no signature */
    struct moor_span publisher_signature; /* the publisher's own; empty = none */
};

struct moor_desired_extension {
    const char *name;
    const char *bad; /* why the rest must not be used; NULL = fine */
    const char *publisher, *type;
    const char *version; /* "" only for uninstall: whatever is here */
    int state;           /* moor_desired_state */
    uint64_t settings_seq_no;
    const char *public_settings;      /* JSON object text; NULL = none */
    const char *protected_settings;   /* base64 CMS; NULL = none */
    const char *protected_thumbprint; /* NULL = none */
    const char *force_update_tag;     /* NULL = none */
    bool auto_upgrade_minor, enable_automatic_upgrade;
    struct moor_str_list depends_on;
    const char *instances;               /* JSON array text; NULL or "[]" = not multi-config */
    struct moor_desired_package package; /* absent (size 0) only for uninstall */
};

/* Whether there are any: {} is what a service makes of none. */
bool moor_desired_has_settings(const struct moor_desired_extension *e);

struct moor_desired_rule {
    const char *id;           /* ARM id of the data collection rule */
    const char *bad;          /* as above */
    const char *immutable_id; /* "dcr-" and 32 hexadecimal digits */
    const char *endpoint;     /* base URL of the ingestion endpoint */
    const char *properties;   /* JSON object text */
};

typedef enum moor_desired_run_state {
    MOOR_DESIRED_RUN,
    MOOR_DESIRED_CANCEL
} moor_desired_run_state;

struct moor_desired_parameter {
    const char *name, *value; /* name "": by its place */
};
extern const struct moor_json_shape moor_desired_parameter_shape;

struct moor_desired_run {
    const char *name;
    const char *bad;          /* as above */
    const char *execution_id; /* UUID, lower case */
    int64_t expires_ms;
    int state; /* moor_desired_run_state */
    struct moor_desired_source {
        const char *script;     /* or: */
        const char *script_uri; /* https, without query */
        const char *sha256;     /* of what is behind script_uri; NULL = not given */
    } source;
    struct moor_obj_list parameters; /* struct moor_desired_parameter */
    bool asynchronous, fail_deployment;
    const char *user;                   /* NULL = root */
    uint32_t timeout_s;                 /* at least 1 */
    const char *output_uri, *error_uri; /* https, without query; NULL = none */
    const char *protected_settings;     /* base64 CMS; NULL = none */
    const char *protected_thumbprint;   /* NULL = none */
};

struct moor_desired {
    const char *revision;
    const char *settings_thumbprint; /* of the certificate the service encrypts to; NULL = none */
    struct moor_desired_extension *extensions;
    size_t extension_count;
    struct moor_desired_rule *rules;
    size_t rule_count;
    struct moor_desired_run *runs;
    size_t run_count;
    const char *tags;           /* JSON object text; NULL = none */
    struct moor_str_list trust; /* the control plane's TLS CAs, base64 DER; may be empty */
};

/* Everything lands in the arena (allow 4 times the text). The whole document fails only when it
 * is no JSON object or has no revision. */
MOOR_NODISCARD moor_code moor_desired_parse(struct moor_span text, struct moor_desired *out,
                                            struct moor_arena *arena, struct moor_error *err);

#endif
