/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/placement.h"

#include <string.h>

#include "base/text.h"

#define SCHEME "https://"

static const struct moor_json_field region_fields[] = {
    { MOOR_F_STR, "location", offsetof(struct moor_region, location), MOOR_F_REQUIRED, 1, 64,
      NULL },
    { MOOR_F_STR, "url", offsetof(struct moor_region, url), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
const struct moor_json_shape moor_region_shape = { sizeof(struct moor_region), region_fields,
                                                   MOOR_F_STRICT };

static struct moor_span authority_of(const char *url)
{
    struct moor_span s = moor_span_str(url);
    return moor_span_starts(s, SCHEME) ? moor_span(s.p + strlen(SCHEME), s.n - strlen(SCHEME))
                                       : MOOR_SPAN_NONE;
}

static bool is_base(const char *url)
{
    struct moor_span a = authority_of(url);
    return a.n > 0 && !memchr(a.p, '/', a.n) && !memchr(a.p, '@', a.n);
}

moor_code moor_placement_check(const struct moor_placement *p, struct moor_error *err)
{
    const struct moor_region *regions = p->regions.items;
    const char *v = p->minimum_agent;
    for (size_t i = 0; i < p->regions.count; i++)
        if (!is_base(regions[i].url))
            return moor_fail(err, MOOR_E_BADINPUT, "regions[%zu].url: want https://host[:port]", i);
    if (v && (!*v || strspn(v, "0123456789.") < strlen(v)))
        return moor_fail(err, MOOR_E_BADINPUT, "minimumAgentVersion: want dotted numbers");
    return MOOR_OK;
}

const char *moor_placement_url(const struct moor_placement *p, const char *location)
{
    const struct moor_region *regions = p->regions.items;
    for (size_t i = 0; location && i < p->regions.count; i++)
        if (moor_strcasecmp(regions[i].location, location) == 0)
            return regions[i].url;
    return NULL;
}

bool moor_placement_is_here(const struct moor_placement *p, const char *location, const char *host)
{
    const char *url = moor_placement_url(p, location);
    return !url || moor_span_eq_nocase(authority_of(url), moor_span_str(host));
}

bool moor_placement_too_old(const struct moor_placement *p, const char *version)
{
    return p->minimum_agent && *version &&
           moor_version_cmp(moor_span_str(version), moor_span_str(p->minimum_agent)) < 0;
}
