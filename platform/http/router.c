/* SPDX-License-Identifier: Apache-2.0 */
#include "http/router.h"

#include <string.h>

#include "base/span.h"

static bool is_param(struct moor_span part)
{
    return part.n > 2 && part.p[0] == '{' && part.p[part.n - 1] == '}';
}

static bool is_rest(struct moor_span part)
{
    return is_param(part) && moor_span_ends(part, "...}");
}

/* The next part of a pattern that is not empty; n is 0 at the end. */
static struct moor_span next_part(struct moor_span *pattern)
{
    struct moor_span part = MOOR_SPAN_NONE;
    while (pattern->p && part.n == 0)
        part = moor_span_cut(pattern, '/');
    return part;
}

static bool path_matches(const char *pattern, const struct moor_target *t)
{
    struct moor_span rest = moor_span_str(pattern);
    size_t i = 0;
    for (;;) {
        struct moor_span part = next_part(&rest);
        if (part.n == 0)
            return i == t->segment_count;
        if (is_rest(part))
            return true;
        if (i == t->segment_count)
            return false;
        if (!is_param(part) && !moor_span_eq_nocase(part, moor_span_str(t->segments[i])))
            return false;
        i++;
    }
}

/* A GET route serves HEAD too: the server leaves the body out. */
static bool method_matches(const struct moor_http_route *r, const char *method)
{
    return (r->flags & MOOR_ROUTE_ANY_METHOD) || moor_streq(r->method, method) ||
           (moor_streq(r->method, "GET") && moor_streq(method, "HEAD"));
}

static const char *rest_of_path(const struct moor_target *t, size_t from)
{
    const char *at = t->path + 1;
    for (size_t i = 0; i < from; i++)
        at += strlen(t->segments[i]) + 1;
    return from < t->segment_count ? at : "";
}

static bool take_params(const char *pattern, const struct moor_target *t, struct moor_arena *arena,
                        struct moor_route_match *m)
{
    struct moor_target_pair *params =
        moor_arena_array(arena, t->segment_count + 1, sizeof(*params));
    if (!params)
        return false;
    struct moor_span rest = moor_span_str(pattern);
    struct moor_span part;
    for (size_t i = 0; (part = next_part(&rest)).n > 0; i++) {
        if (!is_param(part))
            continue;
        bool all = is_rest(part);
        struct moor_target_pair *p = &params[m->param_count++];
        p->name = moor_arena_str(arena, moor_span(part.p + 1, part.n - (all ? 5 : 2)));
        p->value = all ? rest_of_path(t, i) : t->segments[i];
        if (!p->name)
            return false;
        if (all)
            break;
    }
    m->params = params;
    return true;
}

static void add_allowed(struct moor_buf *allow, const char *method)
{
    struct moor_span have = moor_buf_view(allow);
    while (have.p)
        if (moor_span_eq_str(moor_span_trim(moor_span_cut(&have, ',')), method))
            return;
    if (allow->len > 0)
        moor_buf_str(allow, ", ");
    moor_buf_str(allow, method);
    if (moor_streq(method, "GET"))
        add_allowed(allow, "HEAD");
}

moor_refusal moor_route_find(const struct moor_http_route *routes, size_t count, const char *method,
                             const struct moor_target *t, struct moor_arena *arena,
                             struct moor_route_match *out, struct moor_buf *allow)
{
    moor_refusal r = MOOR_REFUSE_NO_ROUTE;
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(routes[i].pattern, t))
            continue;
        if (method_matches(&routes[i], method)) {
            struct moor_route_match m = { .route = &routes[i] };
            if (!take_params(routes[i].pattern, t, arena, &m))
                return MOOR_REFUSE_NO_MEMORY;
            moor_buf_reset(allow);
            *out = m;
            return MOOR_REFUSE_NOTHING;
        }
        add_allowed(allow, routes[i].method);
        r = MOOR_REFUSE_NOT_ALLOWED;
    }
    return r;
}
