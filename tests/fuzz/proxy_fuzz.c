/* SPDX-License-Identifier: Apache-2.0 */
/* A host on the first line, a bypass list behind it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/proxy.h"

#define TEXT_MAX (1 << 20)

static bool applies(char *list, struct moor_span host)
{
    char url[] = "http://p.example:1";
    const struct moor_proxy p = { .url = url, .bypass = list };
    return moor_proxy_applies(&p, host, 443);
}

static bool any_valid(const char *list)
{
    MOOR_AUTOSTR copy = moor_strdup(list);
    char *at = copy;
    while (at && *at) {
        size_t n = strcspn(at, ", \t");
        if (n > 0 && moor_proxy_entry_valid(moor_span(at, n)))
            return true;
        at += n + (at[n] != '\0');
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MOOR_AUTOSTR list = NULL;
    MOOR_AUTO(moor_buf) more = MOOR_BUF(TEXT_MAX);
    struct moor_span rest = moor_span(data, size);
    struct moor_span host = moor_span_cut(&rest, '\n');
    if (moor_span_dup(rest, &list, NULL) != MOOR_OK)
        return 0;
    bool proxied = applies(list, host);
    MOOR_ASSERT(proxied || any_valid(list));
    moor_buf_fmt(&more, "%s,*", list);
    MOOR_AUTOSTR all = moor_strdup(moor_buf_cstr(&more));
    MOOR_ASSERT(!applies(all, host));
    /* What is understood as a host's name stands for that host. */
    MOOR_AUTOSTR name = NULL;
    if (moor_span_dup(host, &name, NULL) == MOOR_OK && host.n > 0 && !strpbrk(name, ".*:/,[] \t") &&
        moor_proxy_entry_valid(host))
        MOOR_ASSERT(!applies(name, host));
    return 0;
}
