/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: what this machine's owner allows, whatever the cloud asks. Pure.
 * Deleting is always allowed; block list wins over allow list; names are compared whole, without
 * case.
 */
#ifndef MOOR_MANAGER_POLICY_H
#define MOOR_MANAGER_POLICY_H

#include <stdbool.h>

#include "core/desired.h"
#include "core/settings.h"

struct moor_policy_denial {
    const char *rule; /* the setting that refused */
    const char *why;  /* a sentence without the extension's name */
};

/* true: allowed. */
bool moor_policy_allows(const struct moor_settings *s, const struct moor_desired_extension *goal,
                        struct moor_policy_denial *out);

#endif
