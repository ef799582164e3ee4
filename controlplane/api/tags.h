/* SPDX-License-Identifier: Apache-2.0 */
/* tags.h: Microsoft.Resources/tags/default of any resource. */
#ifndef MOOR_API_TAGS_H
#define MOOR_API_TAGS_H

#include "api/arm.h"

/* Checks the right and answers GET, PUT, PATCH (Merge, Replace, Delete) and DELETE. id is the
 * tags' own id; its parent is what is tagged. */
void moor_tags_handle(struct moor_call *c, const struct moor_arm_id *id);

#endif
