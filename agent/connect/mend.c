/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/mend.h"

#include "base/text.h"
#include "connect/resource.h"
#include "connect/session.h"
#include "connect/steps.h"
#include "core/arm.h"

#define SCOPE       "privateLinkScopeResourceId"
#define CHANGES_MAX 2

struct work {
    struct moor_session *session;
    const struct moor_agentconfig *is;
    const struct moor_connect_params *want;
    const struct moor_progress *progress;
    struct moor_arena *arena;
    moor_azcm *azcm;
    struct moor_secret token;
    struct moor_arm arm;
    struct moor_json *patch; /* what is to be set; an empty object = nothing */
    const char **changes;    /* what patch is about */
    size_t change_count;
};

static bool is_text(const struct moor_json *v, const char *text)
{
    return v && moor_streq(moor_json_str(v), text);
}

/* The first of the wanted tags that is not so; NULL = all are. */
static const struct moor_json *differing_tag(const struct moor_json *want,
                                             const struct moor_json *is)
{
    MOOR_JSON_EACH(tag, want)
    {
        if (!is_text(moor_json_get_nocase(is, moor_json_name(tag)), moor_json_str(tag)))
            return tag;
    }
    return NULL;
}

static void say_tag(struct moor_buf *differs, const struct moor_json *want,
                    const struct moor_json *is)
{
    const char *name = moor_json_name(want);
    const struct moor_json *now = moor_json_get_nocase(is, name);
    moor_buf_fmt(differs, "%stag %s is ", differs->len > 0 ? "; " : "", name);
    moor_buf_fmt(differs, now ? "%s, not %s" : "%snot there, wanted: %s",
                 now ? moor_json_str(now) : "", moor_json_str(want));
}

static void add_unknown(struct moor_buf *unknown, const char *option)
{
    moor_buf_fmt(unknown, "%s%s", unknown->len > 0 ? ", " : "", option);
}

void moor_mend_compare(const struct moor_connect_params *want, const struct moor_json *tags,
                       struct moor_buf *differs, struct moor_buf *unknown)
{
    MOOR_AUTOPTR(moor_json) wanted = NULL;
    if (want->private_link_scope)
        add_unknown(unknown, "--private-link-scope");
    if (!want->tags || moor_json_parse(moor_span_str(want->tags), &wanted, NULL) != MOOR_OK)
        return;
    const struct moor_json *tag = differing_tag(wanted, tags);
    if (tag && !tags)
        add_unknown(unknown, "--tags");
    else if (tag)
        say_tag(differs, tag, tags);
}

static moor_code step_signin(void *work, struct moor_error *err)
{
    struct work *w = work;
    return moor_signin(w->session, w->want->cloud, &w->want->who, w->progress, &w->token, err);
}

static moor_code refuse(struct work *w, struct moor_error *err, const char *text)
{
    *w->azcm = AZCM_ALREADY_CONNECTED;
    return moor_fail(err, MOOR_E_EXISTS, "%s: %s", w->is->resource_id, text);
}

static moor_code check_subscription(struct work *w, struct moor_error *err)
{
    const char *id = NULL;
    if (!w->want->subscription)
        return MOOR_OK;
    moor_code c = moor_arm_find_subscription(&w->arm, w->want->subscription, &id, w->arena, err);
    if (c != MOOR_OK)
        *w->azcm = AZCM_SUBSCRIPTION_NAME;
    else if (moor_strcasecmp(id, w->is->subscription_id) != 0)
        c = refuse(w, err, "is of another subscription than the one of that name");
    return c;
}

static void mark(struct work *w, const char *what)
{
    w->changes[w->change_count++] = what;
}

static moor_code compare_tags(struct work *w, const struct moor_json *machine,
                              struct moor_error *err)
{
    const struct moor_json *is = moor_json_get(machine, "tags");
    MOOR_AUTOPTR(moor_json) want = NULL;
    if (!w->want->tags)
        return MOOR_OK;
    moor_code c = moor_json_parse(moor_span_str(w->want->tags), &want, err);
    if (c != MOOR_OK || !differing_tag(want, is))
        return c;
    struct moor_json *all = moor_json_set(
        w->patch, "tags", moor_json_size(is) > 0 ? moor_json_copy(is) : moor_json_new_object());
    MOOR_JSON_EACH(tag, want)
    {
        const struct moor_json *now = moor_json_get_nocase(is, moor_json_name(tag));
        moor_json_set_str(all, moor_json_name(now ? now : tag), moor_json_str(tag));
    }
    mark(w, "tags");
    return MOOR_OK;
}

static void compare_scope(struct work *w, const struct moor_json *machine)
{
    const char *is = moor_json_str(moor_json_path(machine, "properties." SCOPE));
    const char *want = w->want->private_link_scope;
    if (!want || (is && moor_strcasecmp(is, want) == 0))
        return;
    struct moor_json *p = moor_json_set(w->patch, "properties", moor_json_new_object());
    moor_json_set_str(p, SCOPE, want);
    mark(w, SCOPE);
}

static moor_code step_compare(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) machine = NULL;
    moor_code c = check_subscription(w, err);
    if (c == MOOR_OK)
        c = moor_arm_get(&w->arm, w->is->resource_id, MOOR_ARM_API_VERSION, &machine, err);
    if (c != MOOR_OK)
        return c;
    if (!machine) {
        *w->azcm = AZCM_CONNECT;
        return moor_fail(err, MOOR_E_NOTFOUND,
                         "%s: is not there any more: disconnect --force-local-only, then connect",
                         w->is->resource_id);
    }
    const char *vm_id = moor_json_str(moor_json_path(machine, "properties.vmId"));
    if (vm_id && *vm_id && moor_strcasecmp(vm_id, w->is->vm_id) != 0 &&
        !moor_streq(w->is->identity_mode, MOOR_MODE_PRINCIPAL))
        return refuse(w, err, "belongs to another machine by now");
    compare_scope(w, machine);
    return compare_tags(w, machine, err);
}

static moor_code step_set(void *work, struct moor_error *err)
{
    struct work *w = work;
    return w->change_count == 0
               ? MOOR_OK
               : moor_arm_patch(&w->arm, w->is->resource_id, MOOR_ARM_API_VERSION, w->patch, err);
}

moor_code moor_mend(struct moor_session *s, const struct moor_agentconfig *is,
                    const struct moor_connect_params *want, const struct moor_progress *progress,
                    struct moor_str_list *changed, struct moor_arena *arena, moor_azcm *azcm,
                    struct moor_error *err)
{
    static const struct moor_step steps[] = {
        { "signIn", "Signing in", AZCM_NO_TOKEN, step_signin },
        { "compare", "Comparing the resource", AZCM_CREATE_RESOURCE, step_compare },
        { "mend", "Setting what differs", AZCM_CREATE_RESOURCE, step_set },
    };
    MOOR_AUTOPTR(moor_json) patch = moor_json_new_object();
    struct work w = { .session = s,
                      .is = is,
                      .want = want,
                      .progress = progress,
                      .arena = arena,
                      .azcm = azcm,
                      .patch = patch,
                      .changes = moor_arena_array(arena, CHANGES_MAX, sizeof(*w.changes)) };
    if (!w.changes)
        return moor_fail(err, MOOR_E_NOMEM, "resource: out of memory");
    w.arm = (struct moor_arm){ .session = s,
                               .base = want->cloud->resource_manager,
                               .token = &w.token,
                               .correlation_id = want->correlation_id };
    moor_code c = moor_steps_run(steps, MOOR_COUNTOF(steps), &w, progress, azcm, err);
    moor_secret_drop(&w.token);
    *changed = (struct moor_str_list){ w.changes, w.change_count };
    return c;
}
