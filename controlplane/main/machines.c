/* SPDX-License-Identifier: Apache-2.0 */
/* machine list, disable, enable, set; token-key rotate; restore. They work beside a running server.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "engine/lifecycle.h"
#include "engine/restore.h"
#include "main/commands.h"
#include "main/keys.h"
#include "main/state.h"
#include "platform/clock.h"
#include "store/machines.h"

#define RULES_MAX 1024

/* Looks for the machine that a word of the administrator's names. */
struct search {
    const char *word; /* vmId, resource id, or the resource's name */
    char vm_id[40];
    unsigned found;
};

static bool is_named(const struct moor_machine *m, const char *word)
{
    const char *name = strrchr(m->resource_id, '/');
    return moor_strcasecmp(m->vm_id, word) == 0 || moor_strcasecmp(m->resource_id, word) == 0 ||
           (name && moor_strcasecmp(name + 1, word) == 0);
}

static bool look(void *ctx, const struct moor_machine *m)
{
    struct search *s = ctx;
    if (is_named(m, s->word)) {
        (void)snprintf(s->vm_id, sizeof(s->vm_id), "%s", m->vm_id);
        s->found++;
    }
    return true;
}

static moor_code find_machine(struct moor_store *store, struct search *s, struct moor_error *err)
{
    moor_code c = moor_machine_each(store, look, s, err);
    if (c)
        return c;
    if (s->found == 0)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s: no machine has this name or id", s->word);
    if (s->found > 1)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: %u machines have this name; give the id",
                         s->word, s->found);
    return MOOR_OK;
}

/* Opens the state, finds the machine, changes it. */
static int on_machine(const struct cp_options *o,
                      moor_code (*change)(const struct cp_options *o, struct moor_store *store,
                                          const char *vm_id, struct moor_error *err))
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct search search = { .word = o->words[0] };
    int status = 0;
    if (cp_state_open(o, &s, &err) || find_machine(s.store, &search, &err) ||
        change(o, s.store, search.vm_id, &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

static moor_code disable(const struct cp_options *o, struct moor_store *store, const char *vm_id,
                         struct moor_error *err)
{
    (void)o;
    return moor_machine_disable(store, vm_id, true, err);
}

static moor_code enable(const struct cp_options *o, struct moor_store *store, const char *vm_id,
                        struct moor_error *err)
{
    (void)o;
    return moor_machine_disable(store, vm_id, false, err);
}

int cp_run_machine_disable(const struct cp_options *o)
{
    return on_machine(o, disable);
}

int cp_run_machine_enable(const struct cp_options *o)
{
    return on_machine(o, enable);
}

static moor_code read_bool(const char *text, bool *out, struct moor_error *err)
{
    *out = moor_streq(text, "true");
    if (*out || moor_streq(text, "false"))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "--accept-previous-key: want true or false");
}

static moor_code read_change(const struct cp_options *o, uint32_t *days, bool *previous,
                             struct moor_lifecycle_change *out, struct moor_error *err)
{
    *out = (struct moor_lifecycle_change){ o->reenrollment_days ? days : NULL,
                                           o->accept_previous ? previous : NULL };
    if (!out->reenrollment_days && !out->accept_previous_key)
        return moor_fail(err, MOOR_E_BADINPUT, "want --reenrollment-days or --accept-previous-key");
    if (o->reenrollment_days &&
        moor_parse_u32(moor_span_str(o->reenrollment_days), 0, MOOR_REENROLLMENT_MAX, days, err))
        return moor_context(err, "--reenrollment-days");
    return o->accept_previous ? read_bool(o->accept_previous, previous, err) : MOOR_OK;
}

static moor_code set_rules(const struct cp_options *o, struct moor_store *store, const char *vm_id,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 10);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RULES_MAX);
    struct moor_lifecycle_change change;
    const char *old = "";
    uint32_t days = 0;
    bool previous = false;
    moor_code c = read_change(o, &days, &previous, &change, err);
    if (c)
        return c;
    c = moor_machine_doc_get(store, vm_id, MOOR_LIFECYCLE_DOC, &arena, &old, NULL, err);
    if (!c || c == MOOR_E_NOTFOUND)
        c = moor_lifecycle_change(moor_span_str(old), &change, &text, err);
    return c ? c
             : moor_machine_doc_put(store, vm_id, MOOR_LIFECYCLE_DOC, moor_buf_cstr(&text),
                                    plat_utc_ms(), err);
}

int cp_run_machine_set(const struct cp_options *o)
{
    return on_machine(o, set_rules);
}

static bool push_machine(void *ctx, const struct moor_machine *m)
{
    struct moor_json *o = moor_json_push(ctx, moor_json_new_object());
    moor_json_set_str(o, "resourceId", m->resource_id);
    moor_json_set_str(o, "vmId", m->vm_id);
    moor_json_set_bool(o, "disabled", m->disabled);
    return true;
}

static bool print_machine(void *ctx, const struct moor_machine *m)
{
    (void)ctx;
    printf("%s  %-8s  %s\n", m->vm_id, m->disabled ? "disabled" : "enabled", m->resource_id);
    return true;
}

static moor_code list_json(struct moor_store *store, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) list = moor_json_new_array();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64u << 20);
    moor_code c = moor_machine_each(store, push_machine, list, err);
    if (c)
        return c;
    moor_buf_json_pretty(&text, list);
    c = moor_buf_ok(&text, "list of machines", err);
    if (!c)
        printf("%s\n", moor_buf_cstr(&text));
    return c;
}

int cp_run_machine_list(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) ||
        (o->json ? list_json(s.store, &err)
                 : moor_machine_each(s.store, print_machine, NULL, &err)))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

int cp_run_token_key_rotate(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) || cp_keys_rotate_token(&s, 0, &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

int cp_run_restore(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) ||
        (o->finish ? moor_restore_finish(s.store, &err) : moor_restore_begin(s.store, &err)))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}
