/* SPDX-License-Identifier: Apache-2.0 */
/* device list, approve, deny: the administrator's half of a sign-in by device code. */
#include <stdio.h>

#include "authz/device.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "main/commands.h"
#include "main/state.h"
#include "platform/clock.h"

static const char *const state_names[] = { [MOOR_DEVICE_PENDING] = "pending",
                                           [MOOR_DEVICE_APPROVED] = "approved",
                                           [MOOR_DEVICE_DENIED] = "denied" };

static struct moor_json *device_json(const struct moor_device_row *d)
{
    char asked[MOOR_RFC3339_LEN + 1], until[MOOR_RFC3339_LEN + 1];
    struct moor_json *o = moor_json_new_object();
    moor_rfc3339_format(d->created_ms, asked);
    moor_rfc3339_format(d->expires_ms, until);
    moor_json_set_str(o, "userCode", d->user_code);
    moor_json_set_str(o, "state", state_names[d->state]);
    moor_json_set_str(o, "address", d->peer);
    moor_json_set_str(o, "clientId", d->client_id);
    moor_json_set_str(o, "resource", d->resource);
    moor_json_set_str(o, "askedAt", asked);
    moor_json_set_str(o, "expiresAt", until);
    return o;
}

static void print_devices(const struct cp_options *o, const struct moor_json *items)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1u << 20);
    if (o->json) {
        moor_buf_json_pretty(&text, items);
        printf("%s\n", moor_buf_cstr(&text));
        return;
    }
    MOOR_JSON_EACH(d, items)
    {
        const char *code = moor_json_get_str(d, "userCode");
        printf("%.4s-%s  %-8s  from %s at %s, until %s\n", code, code + 4,
               moor_json_get_str(d, "state"), moor_json_get_str(d, "address"),
               moor_json_get_str(d, "askedAt"), moor_json_get_str(d, "expiresAt"));
    }
}

int cp_run_device_list(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_json) items = moor_json_new_array();
    struct moor_device_rows rows = { NULL, 0 };
    const int64_t now = plat_utc_ms();
    int status = 0;
    if (cp_state_open(o, &s, &err) || moor_device_list(s.store, &s.arena, &rows, &err))
        status = cp_complain(&err);
    for (size_t i = 0; i < rows.count; i++)
        if (rows.items[i].expires_ms > now)
            moor_json_push(items, device_json(&rows.items[i]));
    if (status == 0)
        print_devices(o, items);
    cp_state_drop(&s);
    return status;
}

/* The application as which the device is to sign in. */
static moor_code find_principal(struct cp_state *s, const char *client_id,
                                struct moor_principal_row *out, struct moor_error *err)
{
    if (!client_id)
        return moor_fail(err, MOOR_E_BADINPUT, "--as is required: the client id of an application");
    moor_code c = moor_principal_by_client(s->store, client_id, &s->arena, out, err);
    if (!c && out->kind != MOOR_PRINCIPAL_APPLICATION)
        c = moor_fail(err, MOOR_E_DENIED, "%s is a machine, not an application", client_id);
    return c;
}

static moor_code decide(struct cp_state *s, const struct cp_options *o, moor_device_state state,
                        struct moor_error *err)
{
    char code[MOOR_USER_CODE_LETTERS + 1];
    struct moor_principal_row as = { .object_id = "" };
    moor_code c = moor_user_code_read(o->words[0], code, err);
    if (!c && state == MOOR_DEVICE_APPROVED)
        c = find_principal(s, o->as, &as, err);
    return c ? c : moor_device_decide(s->store, code, state, as.object_id, plat_utc_ms(), err);
}

static int run_decision(const struct cp_options *o, moor_device_state state)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) || decide(&s, o, state, &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

int cp_run_device_approve(const struct cp_options *o)
{
    return run_decision(o, MOOR_DEVICE_APPROVED);
}

int cp_run_device_deny(const struct cp_options *o)
{
    return run_decision(o, MOOR_DEVICE_DENIED);
}
