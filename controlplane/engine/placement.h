/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placement.h: what the control plane asks of machines that call: the address their location is
 * served at, and an agent that is not too old. Both are in config.json. Pure.
 */
#ifndef MOOR_ENGINE_PLACEMENT_H
#define MOOR_ENGINE_PLACEMENT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/jsontab.h"

struct moor_region {
    const char *location;
    const char *url; /* https://host[:port], no slash at the end */
};

struct moor_placement {
    struct moor_obj_list regions; /* of struct moor_region; empty = everything is served here */
    const char *minimum_agent;    /* version; NULL = any */
};
extern const struct moor_json_shape moor_region_shape;

/* BADINPUT for a URL or version that is none. */
MOOR_NODISCARD moor_code moor_placement_check(const struct moor_placement *p,
                                              struct moor_error *err);

/* Where machines of the location belong; NULL = to the control plane's own address. */
const char *moor_placement_url(const struct moor_placement *p, const char *location);

/* Whether a call with this Host header, "" = none, came to where the location is served. */
bool moor_placement_is_here(const struct moor_placement *p, const char *location, const char *host);

/* version "" (no agent was heard of yet) is not too old. */
bool moor_placement_too_old(const struct moor_placement *p, const char *version);

#endif
