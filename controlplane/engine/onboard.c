/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onboard.h"

#include <string.h>

#include "base/text.h"
#include "engine/incoming.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"
#define UUID    "0123456789abcdefABCDEF-"

struct rule {
    const char *name; /* in errors and in the script */
    size_t offset;
    const char *letters;
    size_t max;
};
#define RULE(name, letters, max)                                                                   \
    {                                                                                              \
#name, offsetof(struct moor_onboard, name), letters, max                                   \
    }
static const struct rule rules[] = {
    RULE(endpoint, LETTERS DIGITS ":/.-[]_", 255),
    RULE(cloud, LETTERS DIGITS "-_", 64),
    RULE(ca, LETTERS DIGITS "+/=- \n", 65536),
    RULE(tenant_id, UUID, 36),
    RULE(subscription_id, UUID, 36),
    RULE(resource_group, LETTERS DIGITS "-_.()", 90),
    RULE(location, LETTERS DIGITS, 64),
    RULE(service_principal_id, UUID, 36),
    RULE(tags, LETTERS DIGITS " -_.:=,/@+", 4096),
    RULE(correlation_id, UUID, 36),
};

#define SETTING(query, member)                                                                     \
    {                                                                                              \
        query, offsetof(struct moor_onboard, member)                                               \
    }
const struct moor_onboard_setting moor_onboard_settings[] = {
    SETTING("subscriptionId", subscription_id),
    SETTING("resourceGroup", resource_group),
    SETTING("location", location),
    SETTING("servicePrincipalId", service_principal_id),
    SETTING("tags", tags),
    SETTING("correlationId", correlation_id),
    { NULL, 0 },
};

static const char *value(const struct moor_onboard *o, size_t offset)
{
    const char *const *member = (const void *)((const char *)o + offset);
    return *member ? *member : "";
}

moor_code moor_onboard_check(const struct moor_onboard *o, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(rules); i++) {
        const char *s = value(o, rules[i].offset);
        const size_t good = strspn(s, rules[i].letters);
        if (s[good])
            return moor_fail(err, MOOR_E_BADINPUT, "%s: byte %zu is a letter it may not have",
                             rules[i].name, good);
        if (good > rules[i].max)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: longer than %zu bytes", rules[i].name,
                             rules[i].max);
    }
    return MOOR_OK;
}

void moor_onboard_query(const struct moor_onboard *o, struct moor_buf *out)
{
    const char *join = "";
    for (const struct moor_onboard_setting *s = moor_onboard_settings; s->query; s++) {
        const char *asked = value(o, s->offset);
        if (!*asked)
            continue;
        moor_buf_fmt(out, "%s%s=", join, s->query);
        moor_buf_url_part(out, moor_span_str(asked));
        join = "&";
    }
}

/* 'text', with each ' outside of the quotes. */
static void add_quoted(struct moor_buf *b, const char *s)
{
    moor_buf_char(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            moor_buf_str(b, "'\\'");
        moor_buf_char(b, *s);
    }
    moor_buf_char(b, '\'');
}

static void add_settings(struct moor_buf *b, const struct moor_onboard *o,
                         const struct moor_agent_list *packages)
{
    for (size_t i = 0; i < MOOR_COUNTOF(rules); i++) {
        moor_buf_fmt(b, "%s=", rules[i].name);
        add_quoted(b, value(o, rules[i].offset));
        moor_buf_char(b, '\n');
    }
    moor_buf_str(b, "packages='");
    for (size_t i = 0; i < packages->count; i++) {
        const struct moor_agent_package *p = &packages->items[i];
        moor_buf_fmt(b, "%s%s %s %s %s %s", i ? "\n" : "", p->format, p->arch, p->version,
                     p->sha256, p->name);
    }
    moor_buf_str(b, "'\n");
}

moor_code moor_onboard_script(const struct moor_onboard *o, const struct moor_agent_list *packages,
                              const char *template, struct moor_buf *out, struct moor_error *err)
{
    static const char begin[] = "#@settings\n", end[] = "#@end\n";
    moor_code c = moor_onboard_check(o, err);
    if (c)
        return c;
    const char *from = strstr(template, begin);
    const char *to = from ? strstr(from, end) : NULL;
    if (!to)
        return moor_fail(err, MOOR_E_BUG, "onboarding script: its marks are gone");
    moor_buf_add(out, template, (size_t)(from - template));
    add_settings(out, o, packages);
    moor_buf_str(out, to + sizeof end - 1);
    return moor_buf_ok(out, "onboarding script", err);
}

/* The file name's form: what stands before, between and behind version and architecture. */
struct form {
    const char *format, *prefix, *middle, *suffix;
    const char *const (*arches)[2]; /* as in the name, as we call it */
};
static const char *const debian[][2] = { { "amd64", "amd64" },
                                         { "arm64", "arm64" },
                                         { NULL, NULL } };
static const char *const gnu[][2] = { { "x86_64", "amd64" },
                                      { "aarch64", "arm64" },
                                      { NULL, NULL } };
static const struct form forms[] = {
    { "deb", "mooring_", "_", ".deb", debian },
    { "rpm", "mooring-", "-1.", ".rpm", gnu },
    { "tar", "mooring-", "-linux-", ".tar.gz", debian },
};

static bool matches(struct moor_span name, const struct form *f, struct moor_arena *arena,
                    struct moor_agent_package *out)
{
    for (size_t i = 0; f->arches[i][0]; i++) {
        MOOR_AUTO(moor_buf) tail = MOOR_BUF(256);
        moor_buf_fmt(&tail, "%s%s%s", f->middle, f->arches[i][0], f->suffix);
        const size_t head = strlen(f->prefix);
        if (!moor_span_starts(name, f->prefix) || name.n <= head + tail.len ||
            memcmp(name.p + name.n - tail.len, tail.data, tail.len) != 0)
            continue;
        const struct moor_span version = moor_span(name.p + head, name.n - head - tail.len);
        if (!moor_version_valid(version))
            return false;
        out->format = f->format;
        out->arch = f->arches[i][1];
        out->version = moor_arena_str(arena, version);
        return out->version != NULL;
    }
    return false;
}

moor_code moor_agent_name(const char *name, struct moor_arena *arena,
                          struct moor_agent_package *out, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(forms); i++)
        if (matches(moor_span_str(name), &forms[i], arena, out))
            return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT,
                     "%s: no agent package: want mooring_VERSION_ARCH.deb, "
                     "mooring-VERSION-1.ARCH.rpm or mooring-VERSION-linux-ARCH.tar.gz",
                     name);
}

moor_code moor_agent_publish(struct moor_store *s, const char *path, const char *folder,
                             int64_t now_ms, struct moor_arena *arena,
                             struct moor_agent_package *out, struct moor_error *err)
{
    MOOR_AUTO(moor_incoming) in = MOOR_INCOMING_INIT;
    const char *slash = strrchr(path, '/');
    struct moor_agent_package p = { .name = slash ? slash + 1 : path, .published_ms = now_ms };
    moor_code c;
    if ((c = moor_agent_name(p.name, arena, &p, err)) ||
        (c = moor_incoming_copy(path, folder, arena, &in, err)))
        return c;
    p.sha256 = in.sha256;
    p.size = in.size;
    const char *final = moor_arena_fmt(arena, "%s/%s", folder, p.name);
    if (!final)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", path);
    /* The file before its row: a script that was given out in between refuses the download. */
    if ((c = moor_incoming_keep(&in, folder, final, err)) || (c = moor_agent_add(s, &p, err)))
        return c;
    *out = p;
    return MOOR_OK;
}
