/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend.h: what the resource of a connected machine is to be like, beside being there: tags, private
 * link scope, and the subscription where it was given by name.
 */
#ifndef MOOR_CONNECT_MEND_H
#define MOOR_CONNECT_MEND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsontab.h"
#include "connect/connect.h"

/* What this machine can tell by itself. tags: the resource's as the identity role knows them, NULL
 * = not known. Appends to differs what is another than wanted ("; " between), and to unknown the
 * names of the options that only the cloud can compare (", " between). Pure. */
void moor_mend_compare(const struct moor_connect_params *want, const struct moor_json *tags,
                       struct moor_buf *differs, struct moor_buf *unknown);

/* Signs in, compares the resource with what is wanted and sets its tags and scope where they are
 * others; tags that are not named stay. changed lists what was set, in the arena. EXISTS with
 * AZCM_ALREADY_CONNECTED when it is a resource of another machine or subscription. */
MOOR_NODISCARD moor_code moor_mend(struct moor_session *s, const struct moor_agentconfig *is,
                                   const struct moor_connect_params *want,
                                   const struct moor_progress *progress,
                                   struct moor_str_list *changed, struct moor_arena *arena,
                                   moor_azcm *azcm, struct moor_error *err);

#endif
