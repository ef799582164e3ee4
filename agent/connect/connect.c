/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/connect.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsontab.h"
#include "base/text.h"
#include "connect/himds.h"
#include "connect/patience.h"
#include "connect/resource.h"
#include "connect/session.h"
#include "connect/steps.h"
#include "core/arm.h"
#include "core/document.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/random.h"
#include "platform/self.h"

/*
 * What a killed run leaves for the next: the machine id under which the resource may exist
 * already. Written before the resource is made, removed when all is done or undone.
 */
#define PENDING_NAME "connect.pending.json"
#define PENDING_MAX  4096
#define AWAIT_MS     5000 /* between two tries while an administrator is at work */
struct pending {
    uint32_t schema;
    const char *resource_id;
    const char *vm_id;
};
#define PE(member) offsetof(struct pending, member)
static const struct moor_json_field pending_fields[] = {
    { MOOR_F_U32, "schema", PE(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_STR, "resourceId", PE(resource_id), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_UUID, "vmId", PE(vm_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape pending_shape = { sizeof(struct pending), pending_fields,
                                                      MOOR_F_STRICT };

struct work {
    struct moor_session *session;
    const struct moor_connect_params *params;
    const struct moor_progress *progress;
    struct moor_arena *arena;
    moor_azcm *azcm;
    struct moor_secret token;
    struct moor_arm arm;
    const char *subscription; /* id */
    const char *group_id, *resource_id;
    char vm_id[37];
    struct moor_buf public_key;
    struct moor_agentconfig config;
    bool principal_is_new; /* rights of it may still be on their way */
    bool strict;           /* see moor_connect_settle() */
    bool resuming;         /* vm_id is of a run that was killed */
    bool awaiting;         /* everything is there but the administrator's part */
    bool group_made, key_made, resource_made, config_written;
};

static moor_code pending_path(char **out, struct moor_error *err)
{
    return plat_path(PLAT_DIR_STATE, out, err, PENDING_NAME);
}

static bool is_pending(void)
{
    MOOR_AUTOSTR path = NULL;
    return pending_path(&path, NULL) == MOOR_OK && plat_exists(path);
}

static void forget_pending(void)
{
    MOOR_AUTOSTR path = NULL;
    /* A left-over file only makes the next run look for its own resource. */
    if (pending_path(&path, NULL) == MOOR_OK && plat_remove(path, NULL) != MOOR_OK)
        return;
}

/* Takes the machine id of a killed run for the same resource, or draws a new one. */
static void choose_vm_id(struct work *w)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(PENDING_MAX);
    struct pending p = { .schema = 0 };
    w->resuming = pending_path(&path, NULL) == MOOR_OK &&
                  plat_read_all(path, PENDING_MAX, &text, NULL) == MOOR_OK &&
                  moor_document_decode(moor_buf_view(&text), PENDING_NAME, &pending_shape, 1, &p,
                                       w->arena, NULL) == MOOR_OK &&
                  moor_strcasecmp(p.resource_id, w->resource_id) == 0;
    if (w->resuming)
        memcpy(w->vm_id, p.vm_id, sizeof(w->vm_id));
    else
        plat_random_uuid(w->vm_id);
}

static moor_code save_pending(const struct work *w, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    const struct pending p = { .schema = 1, .resource_id = w->resource_id, .vm_id = w->vm_id };
    moor_code c = pending_path(&path, err);
    return c == MOOR_OK ? moor_document_save(path, &pending_shape, &p, PENDING_MAX, err) : c;
}

static moor_code keep(struct work *w, struct moor_buf *b, const char **out, struct moor_error *err)
{
    moor_code c = moor_buf_ok(b, "resource id", err);
    if (c != MOOR_OK)
        return c;
    *out = moor_arena_str(w->arena, moor_buf_view(b));
    return *out ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "resource id: out of memory");
}

static moor_code step_service(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) status = NULL;
    moor_code c = moor_himds_settled_status(w->session, &status, err);
    const char *provider = moor_json_get_str(status, "cloudProvider");
    if (c != MOOR_OK || !moor_streq(provider, "Azure") ||
        moor_streq(plat_environment("MSFT_ARC_TEST"), "true"))
        return c;
    *w->azcm = AZCM_AZURE_VM;
    return moor_fail(err, MOOR_E_UNSUPPORTED, "Azure's metadata service answers on this machine");
}

static moor_code step_signin(void *work, struct moor_error *err)
{
    struct work *w = work;
    struct moor_credential who = w->params->who;
    who.awaited = &w->principal_is_new;
    moor_code c = moor_signin(w->session, w->params->cloud, &who, w->progress, &w->token, err);
    if (c == MOOR_OK || w->params->who.way != MOOR_SIGNIN_TOKEN)
        return c;
    *w->azcm = AZCM_ACCESS_TOKEN;
    return c;
}

static moor_code step_subscription(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTO(moor_buf) group = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) machine = MOOR_BUF(1024);
    moor_code c = moor_arm_find_subscription(&w->arm, w->params->subscription, &w->subscription,
                                             w->arena, err);
    if (c != MOOR_OK)
        return c;
    moor_arm_group_id(&group, w->subscription, w->params->group);
    moor_arm_machine_id(&machine, w->subscription, w->params->group, w->params->name);
    c = keep(w, &group, &w->group_id, err);
    return c == MOOR_OK ? keep(w, &machine, &w->resource_id, err) : c;
}

/* The first call that whoever connects must be allowed. */
static moor_code look_for_machine(struct work *w, struct moor_json **out, struct moor_error *err)
{
    struct moor_patience patience = moor_patience_start(w->session, w->progress);
    moor_code c;
    while ((c = moor_arm_get(&w->arm, w->resource_id, MOOR_ARM_API_VERSION, out, err)) != MOOR_OK &&
           w->principal_is_new && err->http == 403)
        if (!moor_patience_again(&patience, "the new service principal has no right yet", err))
            return err->code;
    return c;
}

/* A resource of this name is a conflict, unless a killed run of this machine made it. */
static moor_code step_conflict(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) machine = NULL;
    choose_vm_id(w);
    moor_code c = look_for_machine(w, &machine, err);
    if (c != MOOR_OK || !machine)
        return c;
    const char *vm_id = moor_json_str(moor_json_path(machine, "properties.vmId"));
    /* In a cloud without a Mooring service a resource has none. */
    const bool ours = vm_id ? moor_strcasecmp(vm_id, w->vm_id) == 0 : w->params->client_id != NULL;
    if (w->resuming && ours) {
        w->resource_made = true;
        return MOOR_OK;
    }
    *w->azcm = AZCM_RESOURCE_EXISTS;
    return moor_fail(err, MOOR_E_EXISTS, "%s: exists already", w->resource_id);
}

static moor_code step_group(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) group = NULL;
    moor_code c = moor_arm_get(&w->arm, w->group_id, MOOR_ARM_GROUP_API_VERSION, &group, err);
    /* The onboarding role may not look at groups: making the machine tells whether it is there. */
    if (c == MOOR_E_DENIED && err->http == 403)
        return MOOR_OK;
    if (c != MOOR_OK || group)
        return c;
    MOOR_AUTOPTR(moor_json) body = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) made = NULL;
    moor_json_set_str(body, "location", w->params->location);
    c = moor_arm_put(&w->arm, w->group_id, MOOR_ARM_GROUP_API_VERSION, body, &made, err);
    w->group_made = c == MOOR_OK;
    return c;
}

static moor_code step_key(void *work, struct moor_error *err)
{
    struct work *w = work;
    moor_code c = save_pending(w, err);
    if (c != MOOR_OK)
        return c;
    c = moor_himds_begin(w->session,
                         &(struct moor_himds_begin){ .vm_id = w->vm_id,
                                                     .resource_id = w->resource_id,
                                                     .tpm = w->params->key_in_tpm,
                                                     .client_id = w->params->client_id },
                         &w->public_key, err);
    /* Also after a failure that may have come behind the work. */
    w->key_made = true;
    return c;
}

/* The names of a resource that somebody else made. */
static moor_code step_names(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTO(moor_buf) machine = MOOR_BUF(1024);
    char *subscription = moor_arena_str(w->arena, moor_span_str(w->params->subscription));
    if (!subscription)
        return moor_fail(err, MOOR_E_NOMEM, "subscription: out of memory");
    moor_uuid_lower(subscription);
    w->subscription = subscription;
    memcpy(w->vm_id, w->params->vm_id, sizeof(w->vm_id));
    moor_uuid_lower(w->vm_id);
    moor_arm_machine_id(&machine, w->subscription, w->params->group, w->params->name);
    return keep(w, &machine, &w->resource_id, err);
}

static moor_code step_given_key(void *work, struct moor_error *err)
{
    struct work *w = work;
    w->key_made = true;
    return moor_himds_begin(w->session,
                            &(struct moor_himds_begin){ .vm_id = w->vm_id,
                                                        .resource_id = w->resource_id,
                                                        .tpm = w->params->key_in_tpm,
                                                        .given = w->params->private_key },
                            &w->public_key, err);
}

static struct moor_json *machine_body(const struct work *w, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) tags = NULL;
    struct plat_host host;
    plat_host_read(&host);
    if (w->params->tags && moor_json_parse(moor_span_str(w->params->tags), &tags, err) != MOOR_OK)
        return NULL;
    struct moor_json *body = moor_json_new_object();
    moor_json_set_str(body, "location", w->params->location);
    if (tags)
        moor_json_set(body, "tags", MOOR_TAKE(tags));
    struct moor_json *p = moor_json_set(body, "properties", moor_json_new_object());
    if (!w->params->client_id) {
        struct moor_json *identity = moor_json_set(body, "identity", moor_json_new_object());
        moor_json_set_str(identity, "type", "SystemAssigned");
        moor_json_set_str(p, "vmId", w->vm_id);
        moor_json_set_str(p, "clientPublicKey", moor_buf_cstr(&w->public_key));
    }
    moor_json_set_str(p, "osName", host.os_name);
    moor_json_set_str(p, "osType", host.os_type);
    if (w->params->key_in_tpm)
        moor_json_set_str(p, "identityKeyStore", "TPM");
    if (w->params->private_link_scope)
        moor_json_set_str(p, "privateLinkScopeResourceId", w->params->private_link_scope);
    return body;
}

static moor_code keep_str(struct work *w, const struct moor_json *v, const char *path,
                          const char **out, struct moor_error *err)
{
    const char *s = moor_json_str(moor_json_path(v, path));
    if (!s || !*s)
        return MOOR_OK;
    *out = moor_arena_str(w->arena, moor_span_str(s));
    return *out ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
}

static moor_code step_resource(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) body = machine_body(w, err);
    MOOR_AUTOPTR(moor_json) made = NULL;
    if (!body)
        return err->code;
    moor_code c = moor_arm_put(&w->arm, w->resource_id, MOOR_ARM_API_VERSION, body, &made, err);
    if (c != MOOR_OK)
        return c;
    w->resource_made = true;
    c = keep_str(w, made, "identity.principalId", &w->config.principal_id, err);
    if (c == MOOR_OK)
        c = keep_str(w, made, "identity.tenantId", &w->config.tenant_id, err);
    return c;
}

static moor_code step_config(void *work, struct moor_error *err)
{
    struct work *w = work;
    struct moor_claims claims;
    struct moor_agentconfig *a = &w->config;
    moor_token_claims(&w->token, &claims);
    if (!a->tenant_id)
        a->tenant_id = w->params->tenant_id
                           ? w->params->tenant_id
                           : moor_arena_str(w->arena, moor_span_str(claims.tenant_id));
    a->schema = 1;
    a->cloud = w->params->cloud->name;
    a->subscription_id = w->subscription;
    a->resource_group = w->params->group;
    a->resource_name = w->params->name;
    a->location = w->params->location;
    a->resource_id = w->resource_id;
    a->vm_id = moor_arena_str(w->arena, moor_span_str(w->vm_id));
    a->identity_mode = w->params->client_id ? MOOR_MODE_PRINCIPAL : "mooring";
    if (w->params->client_id)
        a->client_id = w->params->client_id;
    a->correlation_id = w->params->correlation_id;
    if (!a->vm_id || !a->tenant_id)
        return moor_fail(err, MOOR_E_NOMEM, MOOR_AGENTCONFIG_NAME ": out of memory");
    if (!*a->tenant_id)
        return moor_fail(err, MOOR_E_PROTOCOL,
                         "neither the resource nor the token names the tenant: give --tenant-id");
    w->config_written = true; /* also when it may have been, behind a failure */
    return moor_agentconfig_save(a, err);
}

/* The service names the identity's client id only now. */
static moor_code step_finish(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOPTR(moor_json) answer = NULL;
    moor_code c = moor_himds_finish(w->session, &answer, err);
    if (c != MOOR_OK)
        return c;
    const char *before = w->config.client_id;
    c = keep_str(w, answer, "clientId", &w->config.client_id, err);
    if (c == MOOR_OK)
        c = keep_str(w, answer, "principalId", &w->config.principal_id, err);
    if (c == MOOR_OK && !moor_streq(before, w->config.client_id))
        c = moor_agentconfig_save(&w->config, err);
    if (c == MOOR_OK)
        forget_pending();
    return c;
}

MOOR_PRINTF(2, 3) static void note(const struct moor_progress *p, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2048);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&text, fmt, ap);
    va_end(ap);
    p->note(p->ctx, moor_buf_cstr(&text));
}

static bool is_unknown_certificate(const struct moor_error *err)
{
    return moor_streq(err->service_code, "invalid_client") ||
           moor_streq(err->service_code, "unauthorized_client");
}

/* The directory takes the certificate only after somebody has added it to the application. */
static moor_code step_await(void *work, struct moor_error *err)
{
    struct work *w = work;
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_CERTS, &path, err, "myCert");
    while (c == MOOR_OK) {
        c = step_finish(w, err);
        if (c == MOOR_OK || !is_unknown_certificate(err))
            return c;
        if (!w->awaiting && moor_is_unknown_principal(err))
            note(w->progress, "the application %s is not known (yet): once it is there,",
                 w->config.client_id);
        if (!w->awaiting)
            note(w->progress,
                 "add the certificate %s to the application %s (docs/guide/azure.md); waiting",
                 path, w->config.client_id);
        w->awaiting = true;
        c = moor_session_pause(w->session, AWAIT_MS, err);
    }
    return c;
}

#define COMMON_STEPS                                                                               \
    { "service", "Reaching the identity service", AZCM_NO_HIMDS, step_service },                   \
        { "signIn", "Signing in", AZCM_NO_TOKEN, step_signin },                                    \
        { "subscription", "Finding the subscription", AZCM_SUBSCRIPTION_NAME, step_subscription }, \
        { "conflict", "Checking that the name is free", AZCM_CREATE_RESOURCE, step_conflict },     \
        { "resourceGroup", "Finding or making the resource group", AZCM_CREATE_RESOURCE,           \
          step_group },                                                                            \
        { "key", "Making the machine's key", AZCM_KEYS, step_key },                                \
        { "resource", "Making the machine's resource", AZCM_CREATE_RESOURCE, step_resource },      \
    {                                                                                              \
        "config", "Writing agentconfig.json", AZCM_SAVE_PARAMETERS, step_config                    \
    }
static const struct moor_step steps[] = {
    COMMON_STEPS,
    { "identity", "Getting the certificate, sending the first heartbeat", AZCM_CERTIFICATE,
      step_finish },
};
static const struct moor_step principal_steps[] = {
    COMMON_STEPS,
    { "identity", "Signing in with the machine's certificate", AZCM_CERTIFICATE, step_await },
};
static const struct moor_step existing_steps[] = {
    { "service", "Reaching the identity service", AZCM_NO_HIMDS, step_service },
    { "names", "Naming the resource", AZCM_INVALID_ARGUMENT, step_names },
    { "key", "Making the machine's key, to be vouched for by the given one", AZCM_KEYS,
      step_given_key },
    { "config", "Writing agentconfig.json", AZCM_SAVE_PARAMETERS, step_config },
    { "identity", "Getting the certificate, sending the first heartbeat", AZCM_CERTIFICATE,
      step_finish },
};

/* Backwards through what was made. What cannot be undone is named with its reason. */
static void undo(struct work *w)
{
    struct moor_error e = MOOR_ERROR_INIT;
    const struct moor_progress *p = w->progress;
    bool existed = false;
    bool clean = true;
    moor_session_revive(w->session);
    moor_session_set_patience(w->session, 5000);
    if (w->config_written && moor_agentconfig_remove(&e) != MOOR_OK) {
        clean = false;
        note(p, "remains: %s/" MOOR_AGENTCONFIG_NAME " (%s)", plat_dir_path(PLAT_DIR_STATE), e.msg);
    }
    if (w->resource_made) {
        if (moor_arm_delete(&w->arm, w->resource_id, MOOR_ARM_API_VERSION, &existed, &e) ==
            MOOR_OK) {
            note(p, "undone: %s deleted", w->resource_id);
        } else {
            clean = false;
            note(p, "remains: %s (%s)", w->resource_id, e.msg);
        }
    }
    if (w->key_made && moor_himds_disconnect(w->session, &e) != MOOR_OK) {
        clean = false;
        note(p, "remains: the key in %s (%s)", plat_dir_path(PLAT_DIR_CERTS), e.msg);
    }
    if (w->group_made)
        note(p, "remains: the new resource group %s", w->group_id);
    if (clean)
        forget_pending();
    else
        note(p, "the same command run again goes on from here");
}

/* The same resource, as far as the parameters say. */
static bool asks_for(const struct moor_connect_params *p, const struct moor_agentconfig *a,
                     struct moor_arena *arena)
{
    struct moor_arm_id id;
    return moor_strcasecmp(p->cloud->name, a->cloud) == 0 &&
           moor_strcasecmp(p->group, a->resource_group) == 0 &&
           moor_strcasecmp(p->name, a->resource_name) == 0 &&
           (!p->vm_id || moor_strcasecmp(p->vm_id, a->vm_id) == 0) &&
           (!p->tenant_id || moor_strcasecmp(p->tenant_id, a->tenant_id) == 0) &&
           moor_arm_id_parse(moor_span_str(a->resource_id), &id, arena, NULL) == MOOR_OK &&
           (strlen(p->subscription) != 36 ||
            moor_strcasecmp(p->subscription, id.subscription) == 0);
}

static const struct moor_step *last_step(const struct work *w)
{
    return moor_streq(w->config.identity_mode, MOOR_MODE_PRINCIPAL)
               ? &principal_steps[MOOR_COUNTOF(principal_steps) - 1]
               : &steps[MOOR_COUNTOF(steps) - 1];
}

/* Connected already with these parameters: at most the last step of a killed run is missing. */
static moor_code go_on(struct work *w, struct moor_connect_result *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) status = NULL;
    moor_code c = moor_himds_status(w->session, &status, err);
    if (c != MOOR_OK) {
        *w->azcm = AZCM_NO_HIMDS;
        return c;
    }
    const char *state = moor_json_get_str(status, "status");
    bool usable = true; /* the TPM may have lost the key of a machine that was heard just now */
    (void)moor_json_bool(moor_json_get(status, "keyUsable"), &usable);
    out->was_connected = moor_streq(state, "Connected") && usable && !is_pending();
    if (!out->was_connected && w->params && w->params->vm_id)
        c = moor_steps_run(existing_steps, MOOR_COUNTOF(existing_steps), w, w->progress, w->azcm,
                           err);
    else if (!out->was_connected || w->strict)
        c = moor_steps_run(last_step(w), 1, w, w->progress, w->azcm, err);
    if (c == MOOR_OK)
        out->config = w->config;
    return c;
}

/* All steps, and back when one fails. */
static moor_code start_anew(struct work *w, moor_azcm *azcm, struct moor_error *err)
{
    const struct moor_connect_params *p = w->params;
    w->config = (struct moor_agentconfig){ .schema = 1 };
    w->arm = (struct moor_arm){ .session = w->session,
                                .base = p->cloud->resource_manager,
                                .token = &w->token,
                                .correlation_id = p->correlation_id };
    const struct moor_step *table = p->client_id ? principal_steps : steps;
    size_t count = MOOR_COUNTOF(steps);
    if (p->vm_id) {
        table = existing_steps;
        count = MOOR_COUNTOF(existing_steps);
    }
    moor_code c = moor_steps_run(table, count, w, w->progress, azcm, err);
    if (c != MOOR_OK && moor_session_late(w->session))
        *azcm = AZCM_CONNECT;
    if (c != MOOR_OK && w->awaiting)
        note(w->progress, "nothing is undone: once the certificate is added, the same command goes "
                          "on from here");
    else if (c != MOOR_OK)
        undo(w);
    return c;
}

moor_code moor_connect(struct moor_session *s, const struct moor_connect_params *params,
                       const struct moor_progress *progress, struct moor_connect_result *out,
                       struct moor_arena *arena, moor_azcm *azcm, struct moor_error *err)
{
    struct work w = { .session = s,
                      .params = params,
                      .progress = progress,
                      .arena = arena,
                      .azcm = azcm,
                      .public_key = MOOR_BUF(4096) };
    *out = (struct moor_connect_result){ .was_connected = false };
    moor_code c = moor_agentconfig_load(&w.config, arena, err);
    if (c == MOOR_OK && asks_for(params, &w.config, arena)) {
        c = go_on(&w, out, err);
    } else if (c == MOOR_OK) {
        *azcm = AZCM_ALREADY_CONNECTED;
        c = moor_fail(err, MOOR_E_EXISTS, "this machine is connected as %s", w.config.resource_id);
    } else if (c != MOOR_E_NOTFOUND) {
        *azcm = AZCM_CONFIG_READ;
    } else {
        c = start_anew(&w, azcm, err);
    }
    if (c == MOOR_OK)
        out->config = w.config;
    moor_buf_drop(&w.public_key);
    moor_secret_drop(&w.token);
    return c;
}

moor_code moor_connect_settle(struct moor_session *s, const struct moor_agentconfig *config,
                              bool strict, const struct moor_progress *progress,
                              struct moor_connect_result *out, struct moor_arena *arena,
                              moor_azcm *azcm, struct moor_error *err)
{
    struct work w = { .session = s,
                      .progress = progress,
                      .arena = arena,
                      .azcm = azcm,
                      .config = *config,
                      .strict = strict };
    return go_on(&w, out, err);
}
