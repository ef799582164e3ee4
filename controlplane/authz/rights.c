/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/rights.h"

#include <string.h>

#include "authz/authz.h"
#include "base/span.h"

bool moor_scope_covers(const char *scope, const char *path)
{
    struct moor_span s = moor_span_str(scope), p = moor_span_str(path);
    if (s.n == 0 || s.p[0] != '/')
        return false;
    while (s.n > 0 && s.p[s.n - 1] == '/')
        s.n--;
    if (p.n < s.n || !moor_span_eq_nocase(s, moor_span(p.p, s.n)))
        return false;
    return p.n == s.n || p.p[s.n] == '/';
}

bool moor_rights_allow(const struct moor_role_assignments *assignments, const char *action,
                       const char *path, bool data)
{
    for (size_t i = 0; i < assignments->count; i++) {
        const struct moor_role_assignment *a = &assignments->items[i];
        const struct moor_role *role = moor_role_find(a->role_id);
        if (role && moor_scope_covers(a->scope, path) && moor_role_allows(role, action, data))
            return true;
    }
    return false;
}
