/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onboard.h: the onboarding script as an administrator gets it, and the agent's packages it names.
 *
 * The script is packaging/onboard.sh with its settings filled in. What is filled in comes from a
 * stranger's query: each value must have the letters its row allows, none of which mean anything
 * to a shell, and is quoted nevertheless.
 */
#ifndef MOOR_ENGINE_ONBOARD_H
#define MOOR_ENGINE_ONBOARD_H

#include "base/buf.h"
#include "base/error.h"
#include "store/agents.h"

/* NULL or "" = not filled in. */
struct moor_onboard {
    const char *endpoint, *cloud, *ca, *tenant_id; /* the control plane's own */
    const char *subscription_id, *resource_group, *location;
    const char *service_principal_id, *tags, *correlation_id;
};

/* What may be asked for: names of the query, and where the value goes. */
struct moor_onboard_setting {
    const char *query;
    size_t offset; /* of a const char * in struct moor_onboard */
};
extern const struct moor_onboard_setting moor_onboard_settings[]; /* ends with a NULL query */

/* BADINPUT names the value that has a letter it may not have, or too many. */
MOOR_NODISCARD moor_code moor_onboard_check(const struct moor_onboard *o, struct moor_error *err);

/* Appends the filled-in script. BUG when the template has lost its marks. */
MOOR_NODISCARD moor_code moor_onboard_script(const struct moor_onboard *o,
                                             const struct moor_agent_list *packages,
                                             const char *template, struct moor_buf *out,
                                             struct moor_error *err);

/* Appends what is asked for as a query of /his/onboard/linux: "subscriptionId=...&...". */
void moor_onboard_query(const struct moor_onboard *o, struct moor_buf *out);

/* packaging/onboard.sh, as it was when this program was built. */
extern const char moor_onboard_template[];

/* Format, architecture and version from a file's name (no folder):
 *   mooring_VERSION_ARCH.deb  mooring-VERSION-RELEASE.ARCH.rpm  mooring-VERSION-linux-ARCH.tar.gz
 * Texts in the arena. BADINPUT for any other. */
MOOR_NODISCARD moor_code moor_agent_name(const char *name, struct moor_arena *arena,
                                         struct moor_agent_package *out, struct moor_error *err);

/* Copies a package to <folder>/<its name> and lists it. Blocking. */
MOOR_NODISCARD moor_code moor_agent_publish(struct moor_store *s, const char *path,
                                            const char *folder, int64_t now_ms,
                                            struct moor_arena *arena,
                                            struct moor_agent_package *out, struct moor_error *err);

#endif
