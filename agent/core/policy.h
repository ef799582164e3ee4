/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: what this machine's owner allows, whatever the cloud asks. Pure; any thread.
 *
 * One function decides about everything the cloud can ask for. Taking away is always allowed: an
 * uninstall, the end of a run command. As long as localconfig.json is refused nothing else is.
 * Block list wins over allow list; names are compared whole, without case. A run command is what
 * the handler MOOR_POLICY_RUN_PUBLISHER/MOOR_POLICY_RUN_TYPE does, so the lists hold for it under
 * that name. Rules: docs/protocol/files.md section 2.
 */
#ifndef MOOR_CORE_POLICY_H
#define MOOR_CORE_POLICY_H

#include <stdbool.h>

#include "base/buf.h"
#include "core/settings.h"

#define MOOR_POLICY_RUN_PUBLISHER "Microsoft.CPlat.Core"
#define MOOR_POLICY_RUN_TYPE      "RunCommandHandlerLinux"

typedef enum moor_policy_verb {
    MOOR_POLICY_INSTALL,
    MOOR_POLICY_UPDATE,    /* another version */
    MOOR_POLICY_CONFIGURE, /* new settings */
    MOOR_POLICY_ENABLE,    /* what is here, once more */
    MOOR_POLICY_UNINSTALL,
    MOOR_POLICY_RUN_COMMAND,
    MOOR_POLICY_END_COMMAND, /* its deletion */
    MOOR_POLICY_COLLECT      /* a data collection rule */
} moor_policy_verb;
const char *moor_policy_verb_name(moor_policy_verb v); /* "install", "runCommand", ... */

/* What else a run command asks for; may be combined. */
enum moor_policy_wish {
    MOOR_POLICY_SCRIPT_URI = 1, /* the script is fetched from somewhere */
    MOOR_POLICY_BLOBS = 2,      /* output is sent somewhere */
    MOOR_POLICY_AS_ROOT = 4     /* no runAsUser, or root */
};

struct moor_policy_request {
    moor_policy_verb verb;
    const char *publisher, *type; /* of extensions; NULL for the rest */
    unsigned wishes;              /* moor_policy_wish */
};

struct moor_policy_denial {
    const char *rule; /* the setting that refused, static */
    const char *why;  /* a sentence without the object's name, static */
};

/* true: allowed, *out untouched. */
bool moor_policy_allows(const struct moor_settings *s, const struct moor_policy_request *r,
                        struct moor_policy_denial *out);

/* Appends what the cloud is told: "WHAT is refused by this machine: ... (RULE)". */
void moor_policy_explain(struct moor_buf *b, const char *what, const struct moor_policy_denial *d);

/* Whose signature a package of this publisher needs: extensions.signatureByPublisher, of which the
 * entry that says most about the name counts and of equal ones the stricter, else
 * extensions.signatureRequired. */
moor_signature_rule moor_policy_signature(const struct moor_settings *s, const char *publisher);

/* For the table of settings: entries of policy.deny and of extensions.signatureByPublisher. */
MOOR_NODISCARD moor_code moor_policy_check_deny(const char *text, struct moor_error *err);
MOOR_NODISCARD moor_code moor_policy_check_signature(const char *text, struct moor_error *err);

#endif
