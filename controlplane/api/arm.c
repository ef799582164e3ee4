/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arm.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"

#define RESOURCES "Microsoft.Resources/"

struct parser {
    struct moor_arena *arena;
    struct moor_span rest;
    struct moor_buf id;   /* canonical id so far */
    struct moor_buf type; /* of the last provider */
    size_t parent_len;    /* length of id before the last type and name */
    struct moor_arm_id out;
};

static struct moor_span next_segment(struct parser *p)
{
    struct moor_span s = MOOR_SPAN_NONE;
    while (p->rest.p && s.n == 0)
        s = moor_span_cut(&p->rest, '/');
    return s;
}

/* A literal word and a name behind it: "/subscriptions/S". False when the word is another. */
static bool take_pair(struct parser *p, const char *word, const char *spelled, const char **name)
{
    struct moor_span before = p->rest;
    struct moor_span w = next_segment(p), n = next_segment(p);
    if (!moor_span_eq_nocase(w, moor_span_str(word)) || n.n == 0) {
        p->rest = before;
        return false;
    }
    p->parent_len = p->id.len;
    moor_buf_fmt(&p->id, "/%s/", spelled);
    moor_buf_span(&p->id, n);
    *name = moor_arena_str(p->arena, n);
    return *name != NULL;
}

/* "/providers/NS/T/N[/T2/N2...]" up to the next "/providers/" or the end. */
static bool take_provider(struct parser *p)
{
    size_t above = p->id.len;
    struct moor_span w = next_segment(p), ns = next_segment(p);
    if (!moor_span_eq_nocase(w, MOOR_SPAN_LIT("providers")) || ns.n == 0)
        return false;
    moor_buf_reset(&p->type);
    moor_buf_span(&p->type, ns);
    moor_buf_str(&p->id, "/providers/");
    moor_buf_span(&p->id, ns);
    for (bool first = true;; first = false) {
        struct moor_span before = p->rest;
        struct moor_span type = next_segment(p);
        if (type.n == 0 || (!first && moor_span_eq_nocase(type, MOOR_SPAN_LIT("providers")))) {
            p->rest = before;
            return !first;
        }
        struct moor_span name = next_segment(p);
        if (name.n == 0)
            return false;
        p->parent_len = first ? above : p->id.len;
        moor_buf_char(&p->type, '/');
        moor_buf_span(&p->type, type);
        moor_buf_char(&p->id, '/');
        moor_buf_span(&p->id, type);
        moor_buf_char(&p->id, '/');
        moor_buf_span(&p->id, name);
        p->out.name = moor_arena_str(p->arena, name);
    }
}

static bool at_end(const struct parser *p)
{
    struct moor_span rest = p->rest;
    while (rest.n && rest.p[0] == '/')
        rest = moor_span(rest.p + 1, rest.n - 1);
    return rest.n == 0;
}

static bool parse(struct parser *p)
{
    if (take_pair(p, "subscriptions", "subscriptions", &p->out.subscription)) {
        p->out.name = p->out.subscription;
        moor_buf_str(&p->type, RESOURCES "subscriptions");
        if (take_pair(p, "resourceGroups", "resourceGroups", &p->out.group)) {
            p->out.name = p->out.group;
            moor_buf_reset(&p->type);
            moor_buf_str(&p->type, RESOURCES "resourceGroups");
        }
    }
    while (!at_end(p))
        if (!take_provider(p))
            return false;
    return p->id.len > 0;
}

bool moor_arm_parse(const char *path, struct moor_arena *arena, struct moor_arm_id *out)
{
    struct parser p = {
        .arena = arena,
        .rest = moor_span_str(path),
        .id = MOOR_BUF(2048),
        .type = MOOR_BUF(1024),
        .out = { "", "", "", "", "", "" },
    };
    bool ok = parse(&p) && !p.id.failed && !p.type.failed;
    if (ok) {
        p.out.id = moor_arena_str(arena, moor_buf_view(&p.id));
        p.out.type = moor_arena_str(arena, moor_buf_view(&p.type));
        p.out.parent = moor_arena_str(arena, moor_span(p.id.data, p.parent_len));
        ok = p.out.id && p.out.type && p.out.parent && p.out.name;
    }
    if (ok)
        *out = p.out;
    moor_buf_drop(&p.id);
    moor_buf_drop(&p.type);
    return ok;
}

const char *moor_arm_location(struct moor_call *c, const char *text)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(64);
    for (const char *s = text ? text : ""; *s; s++) {
        if (*s == ' ')
            continue;
        if (*s >= 'A' && *s <= 'Z')
            moor_buf_char(&b, (char)(*s + ('a' - 'A')));
        else if ((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-')
            moor_buf_char(&b, *s);
        else
            return NULL;
    }
    if (b.failed || b.len == 0)
        return NULL;
    return moor_arena_str(c->arena, moor_buf_view(&b));
}

bool moor_arm_name_ok(const char *name, size_t max, const char *others)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char ch = name[i];
        bool plain =
            (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!plain && !strchr(others, ch))
            return false;
    }
    return n >= 1 && n <= max && name[n - 1] != '.';
}

bool moor_arm_tags_ok(struct moor_call *c, const struct moor_json *tags)
{
    bool ok = !tags || moor_json_typeof(tags) == MOOR_JSON_NULL ||
              moor_json_typeof(tags) == MOOR_JSON_OBJECT;
    ok = ok && moor_json_size(tags) <= 50;
    for (const struct moor_json *t = ok ? moor_json_first(tags) : NULL; t && ok;
         t = moor_json_next(t)) {
        const char *value = moor_json_str(t), *name = moor_json_name(t);
        ok = value && name && *name && strlen(name) <= 512 && strlen(value) <= 256 &&
             !strpbrk(name, "<>%&\\?/");
    }
    if (!ok)
        moor_call_error(c, 400, "InvalidTags",
                        "The tags are invalid: at most 50, names of 1 to 512 characters without "
                        "<>%%&\\?/ and values of at most 256 characters.");
    return ok;
}

const char *moor_arm_text(struct moor_call *c, const struct moor_json *object)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1u << 20);
    if (moor_json_typeof(object) != MOOR_JSON_OBJECT)
        return "{}";
    moor_buf_json(&b, object);
    const char *s = b.failed ? NULL : moor_arena_str(c->arena, moor_buf_view(&b));
    return s ? s : "{}";
}

void moor_arm_stamp(struct moor_call *c, struct moor_resource *r, const struct moor_resource *old)
{
    const char *type = c->caller.kind == MOOR_PRINCIPAL_MACHINE ? "ManagedIdentity" : "Application";
    r->created_ms = old ? old->created_ms : c->now_ms;
    r->created_by = old ? old->created_by : c->caller.client_id;
    r->created_by_type = old ? old->created_by_type : type;
    r->updated_ms = c->now_ms;
    r->updated_by = c->caller.client_id;
    r->updated_by_type = type;
}

static void set_stored(struct moor_json *o, const char *name, const char *text)
{
    struct moor_json *v = NULL;
    if (moor_json_parse(moor_span_str(text), &v, NULL))
        v = moor_json_new_object();
    moor_json_set(o, name, v);
}

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    moor_json_set_str(o, name, text);
}

static struct moor_json *system_data(const struct moor_resource *r)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "createdBy", r->created_by);
    moor_json_set_str(o, "createdByType", r->created_by_type);
    set_time(o, "createdAt", r->created_ms);
    moor_json_set_str(o, "lastModifiedBy", r->updated_by);
    moor_json_set_str(o, "lastModifiedByType", r->updated_by_type);
    set_time(o, "lastModifiedAt", r->updated_ms);
    return o;
}

static void add_envelope(struct moor_json *o, const struct moor_resource *r)
{
    MOOR_AUTOPTR(moor_json) envelope = NULL;
    if (moor_json_parse(moor_span_str(r->envelope), &envelope, NULL))
        return;
    MOOR_JSON_EACH(item, envelope)
    moor_json_set(o, moor_json_name(item), moor_json_copy(item));
}

struct moor_json *moor_arm_json_brief(const struct moor_resource *r)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "id", r->id);
    moor_json_set_str(o, "name", r->name);
    moor_json_set_str(o, "type", r->type);
    if (*r->location)
        moor_json_set_str(o, "location", r->location);
    set_stored(o, "tags", r->tags);
    add_envelope(o, r);
    return o;
}

struct moor_json *moor_arm_json(const struct moor_resource *r)
{
    struct moor_json *o = moor_arm_json_brief(r);
    set_stored(o, "properties", r->properties);
    moor_json_set(o, "systemData", system_data(r));
    return o;
}

static void add_next_link(struct moor_call *c, struct moor_json *body, const char *next_key)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(16u << 10);
    MOOR_AUTO(moor_buf) query = MOOR_BUF(8u << 10);
    struct moor_span target = moor_span_str(moor_http_target(c->ex));
    struct moor_span path = moor_span_cut(&target, '?');
    /* The rest of the query stays as it came, but an older token. */
    while (target.n > 0) {
        struct moor_span pair = moor_span_cut(&target, '&');
        if (!moor_span_starts(pair, "$skipToken=") && !moor_span_starts(pair, "%24skipToken=") &&
            pair.n) {
            moor_buf_span(&query, pair);
            moor_buf_char(&query, '&');
        }
    }
    moor_buf_str(&url, c->app->config.base_url);
    moor_buf_span(&url, path);
    moor_buf_char(&url, '?');
    moor_buf_span(&url, moor_buf_view(&query));
    moor_buf_str(&url, "$skipToken=");
    moor_buf_base64url(&url, moor_span_str(next_key));
    moor_json_set_str(body, "nextLink", moor_buf_cstr(&url));
}

void moor_arm_reply_list(struct moor_call *c, struct moor_json *items, const char *next_key)
{
    MOOR_AUTOPTR(moor_json) body = moor_json_new_object();
    moor_json_set(body, "value", items);
    if (next_key)
        add_next_link(c, body, next_key);
    moor_call_json(c, 200, body);
}

const char *moor_arm_skip_key(struct moor_call *c)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    const char *token = moor_http_query(c->ex, "$skipToken");
    if (!token || moor_base64url_decode(moor_span_str(token), &b, NULL))
        return NULL;
    return moor_arena_str(c->arena, moor_buf_view(&b));
}

bool moor_arm_group_exists(struct moor_call *c, const struct moor_arm_id *id)
{
    struct moor_resource group;
    if (moor_strcasecmp(id->subscription, c->app->config.subscription_id) != 0) {
        moor_call_error(c, 404, "SubscriptionNotFound", "The subscription '%s' could not be found.",
                        id->subscription);
        return false;
    }
    const char *key =
        moor_call_fmt(c, "/subscriptions/%s/resourceGroups/%s", id->subscription, id->group);
    if (!*id->group || moor_resource_get(c->app->store, key, c->arena, &group, NULL)) {
        moor_call_error(c, 404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
                        id->group);
        return false;
    }
    return true;
}

void moor_arm_not_found(struct moor_call *c, const struct moor_arm_id *id)
{
    moor_call_error(c, 404, "ResourceNotFound",
                    "The Resource '%s/%s' under resource group '%s' was not found. For more "
                    "details please go to https://aka.ms/ARMResourceNotFoundFix",
                    id->type, id->name, *id->group ? id->group : "<null>");
}

void moor_arm_accepted(struct moor_call *c, const struct moor_arm_id *id, const char *operation)
{
    bool hybrid = moor_span_starts(moor_span_str(id->type), "Microsoft.HybridCompute/") ||
                  moor_span_starts(moor_span_str(id->type), "microsoft.hybridcompute/");
    const char *base =
        hybrid
            ? moor_call_fmt(c, "%s/subscriptions/%s/providers/Microsoft.HybridCompute/locations/%s",
                            c->app->config.base_url, id->subscription, c->app->config.location)
            : moor_call_fmt(c, "%s/subscriptions/%s", c->app->config.base_url, id->subscription);
    moor_http_reply_header(
        c->ex, "Location",
        moor_call_fmt(c, "%s/operationresults/%s?api-version=%s", base, operation, c->api_version));
    if (hybrid)
        moor_http_reply_header(c->ex, "Azure-AsyncOperation",
                               moor_call_fmt(c, "%s/operationstatus/%s?api-version=%s", base,
                                             operation, c->api_version));
    moor_http_reply_header(c->ex, "Retry-After", "2");
}
