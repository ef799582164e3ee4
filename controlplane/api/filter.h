/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h: the $filter forms of resource lists. Pure. */
#ifndef MOOR_API_FILTER_H
#define MOOR_API_FILTER_H

#include "base/arena.h"
#include "base/error.h"
#include "store/resources.h"

/*
 * "field eq 'value'" joined by "and": resourceGroup, resourceType, name, location, tagname,
 * tagvalue; '' inside quotes is a quote. Empty and NULL are no filter. Fills what it finds in
 * *out, location in *location; BADINPUT names the part that is not understood.
 */
MOOR_NODISCARD moor_code moor_filter_parse(const char *text, struct moor_arena *arena,
                                           struct moor_resource_filter *out, const char **location,
                                           struct moor_error *err);

#endif
