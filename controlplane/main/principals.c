/* SPDX-License-Identifier: Apache-2.0 */
/* principal create, certify, list, delete. */
#include <stdio.h>

#include "authz/authz.h"
#include "authz/signin.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "crypto/cert.h"
#include "main/commands.h"
#include "main/state.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/random.h"

#define PEM_MAX (64u << 10)

struct creation {
    const struct cp_options *o;
    struct cp_state *s;
    const struct moor_role *role;
    const char *scope;
    int64_t expires_ms; /* 0 = never */
    char client_id[37], object_id[37];
    struct moor_secret secret;
    struct moor_cert *certificate; /* instead of a secret */
};

static moor_code read_certificate(const char *path, struct moor_cert **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    moor_code c = plat_read_all(path, PEM_MAX, &pem, err);
    if (c)
        return c;
    c = moor_cert_from_pem(moor_buf_view(&pem), out, err);
    return c ? moor_context(err, "%s", path) : c;
}

static moor_code check(struct creation *k, struct moor_error *err)
{
    uint64_t life_ms = 0;
    if (!k->o->role)
        return moor_fail(err, MOOR_E_BADINPUT, "--role is required");
    k->role = moor_role_find(k->o->role);
    if (!k->role)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "--role: unknown; one of Owner, Contributor, Reader, \"Azure Connected "
                         "Machine Onboarding\", \"Azure Connected Machine Resource "
                         "Administrator\", \"Monitoring Metrics Publisher\"");
    k->scope = k->o->scope ? k->o->scope
                           : moor_arena_fmt(&k->s->arena, "/subscriptions/%s",
                                            k->s->config.subscription_id);
    if (!k->scope || k->scope[0] != '/')
        return moor_fail(err, MOOR_E_BADINPUT, "--scope: want a resource id, or /");
    if (k->o->certificate && (k->o->secret_file || k->o->expires_in))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "--certificate: there is no secret then, and it ends when it says");
    if (k->o->certificate)
        return read_certificate(k->o->certificate, &k->certificate, err);
    if (!k->o->expires_in)
        return MOOR_OK;
    moor_code c = moor_duration_parse(moor_span_str(k->o->expires_in), &life_ms, err);
    if (c)
        return moor_context(err, "--expires-in");
    k->expires_ms = plat_utc_ms() + (int64_t)life_ms;
    return MOOR_OK;
}

/* Rows and file together: when the file cannot be written nothing was created. */
static moor_code create(struct creation *k, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *store = k->s->store;
    char assignment[37];
    plat_random_uuid(k->client_id);
    plat_random_uuid(k->object_id);
    plat_random_uuid(assignment);
    const struct moor_principal_row row = { .kind = MOOR_PRINCIPAL_APPLICATION,
                                            .object_id = k->object_id,
                                            .client_id = k->client_id,
                                            .tenant_id = k->s->config.tenant_id,
                                            .name = k->o->words[0],
                                            .created_ms = plat_utc_ms() };
    const struct moor_role_assignment a = { assignment, k->role->id, k->object_id, k->scope,
                                            plat_utc_ms() };
    moor_code c = moor_store_begin(store, &tx, err);
    if (!c)
        c = moor_principal_add(store, &row, err);
    if (!c)
        c = moor_role_assign(store, &a, err);
    if (!c && k->certificate)
        c = moor_signin_add_certificate(store, k->object_id, k->certificate, err);
    else if (!c)
        c = moor_signin_new_secret(store, k->object_id, k->expires_ms, &k->secret, err);
    if (!c && k->o->secret_file)
        c = plat_write_atomic(k->o->secret_file, moor_secret_reveal(&k->secret), PLAT_OWNER_ONLY,
                              err);
    return c ? c : moor_store_commit(&tx, err);
}

static void print_created(const struct creation *k)
{
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(8192);
    const bool shown = !k->o->secret_file && !k->certificate;
    const char *secret = shown ? moor_secret_reveal(&k->secret).p : NULL;
    if (!k->o->json) {
        printf("client id  %s\nobject id  %s\ntenant     %s\nrole       %s on %s\n", k->client_id,
               k->object_id, k->s->config.tenant_id, k->role->name, k->scope);
        if (secret)
            printf("secret     %s\n", secret);
        else if (k->certificate)
            printf("certificate  %s\n", k->o->certificate);
        else
            printf("secret     in %s\n", k->o->secret_file);
        return;
    }
    moor_json_set_str(o, "clientId", k->client_id);
    moor_json_set_str(o, "objectId", k->object_id);
    moor_json_set_str(o, "tenantId", k->s->config.tenant_id);
    moor_json_set_str(o, "role", k->role->name);
    moor_json_set_str(o, "scope", k->scope);
    if (secret)
        moor_json_set_str(o, "secret", secret);
    moor_buf_json_pretty(&text, o);
    printf("%s\n", moor_buf_cstr(&text));
}

int cp_run_principal_create(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct creation k = { .o = o, .s = &s, .secret = MOOR_SECRET_INIT };
    int status = 0;
    if (cp_state_open(o, &s, &err) || check(&k, &err) || create(&k, &err))
        status = cp_complain(&err);
    else
        print_created(&k);
    moor_secret_drop(&k.secret);
    moor_cert_free(k.certificate);
    cp_state_drop(&s);
    return status;
}

static moor_code certify(struct cp_state *s, const char *client_id, const char *path,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    struct moor_principal_row row;
    if (!path)
        return moor_fail(err, MOOR_E_BADINPUT, "--certificate is required");
    moor_code c = read_certificate(path, &cert, err);
    if (!c)
        c = moor_principal_by_client(s->store, client_id, &s->arena, &row, err);
    if (!c && row.kind != MOOR_PRINCIPAL_APPLICATION)
        c = moor_fail(err, MOOR_E_DENIED, "%s is a machine: the service issues its certificates",
                      client_id);
    return c ? c : moor_signin_add_certificate(s->store, row.object_id, cert, err);
}

int cp_run_principal_certify(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) || certify(&s, o->words[0], o->certificate, &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

struct listing {
    struct cp_state *s;
    struct moor_json *items;
};

static void list_one(void *ctx, const struct moor_principal_row *p)
{
    struct listing *l = ctx;
    struct moor_role_assignments a = { NULL, 0 };
    struct moor_json *o = moor_json_push(l->items, moor_json_new_object());
    moor_json_set_str(o, "name", p->name);
    moor_json_set_str(o, "clientId", p->client_id);
    moor_json_set_str(o, "objectId", p->object_id);
    struct moor_json *roles = moor_json_set(o, "roles", moor_json_new_array());
    if (moor_role_assignments_of(l->s->store, p->object_id, &l->s->arena, &a, NULL))
        return;
    for (size_t i = 0; i < a.count; i++) {
        const struct moor_role *r = moor_role_find(a.items[i].role_id);
        struct moor_json *role = moor_json_push(roles, moor_json_new_object());
        moor_json_set_str(role, "role", r ? r->name : a.items[i].role_id);
        moor_json_set_str(role, "scope", a.items[i].scope);
    }
}

static void print_list(const struct moor_json *items)
{
    MOOR_JSON_EACH(p, items)
    {
        printf("%s  %s\n", moor_json_get_str(p, "clientId"), moor_json_get_str(p, "name"));
        MOOR_JSON_EACH(r, moor_json_get(p, "roles"))
        printf("    %s on %s\n", moor_json_get_str(r, "role"), moor_json_get_str(r, "scope"));
    }
}

int cp_run_principal_list(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_json) items = moor_json_new_array();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1u << 20);
    struct listing l = { &s, items };
    int status = 0;
    if (cp_state_open(o, &s, &err) ||
        moor_principal_each(s.store, MOOR_PRINCIPAL_APPLICATION, list_one, &l, &err)) {
        status = cp_complain(&err);
    } else if (o->json) {
        moor_buf_json_pretty(&text, items);
        printf("%s\n", moor_buf_cstr(&text));
    } else {
        print_list(items);
    }
    cp_state_drop(&s);
    return status;
}

static moor_code remove_principal(struct cp_state *s, const char *client_id, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_principal_row row;
    moor_code c = moor_store_begin(s->store, &tx, err);
    if (!c)
        c = moor_principal_by_client(s->store, client_id, &s->arena, &row, err);
    if (!c && row.kind != MOOR_PRINCIPAL_APPLICATION)
        c = moor_fail(err, MOOR_E_DENIED, "%s is a machine: delete its resource instead",
                      client_id);
    if (!c)
        c = moor_principal_delete(s->store, row.object_id, err);
    return c ? c : moor_store_commit(&tx, err);
}

int cp_run_principal_delete(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) || remove_principal(&s, o->words[0], &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}
