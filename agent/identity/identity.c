/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/identity.h"

#include <stdlib.h>

#include "base/timefmt.h"
#include "core/version.h"
#include "crypto/tpm.h"
#include "identity/direct.h"
#include "identity/guest.h"
#include "identity/machine.h"
#include "identity/registration.h"
#include "identity/runstate.h"
#include "identity/signing.h"
#include "platform/clock.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

struct begin_job; /* a key being made on the pool */

struct moor_identity {
    struct moor_loop *loop;
    struct moor_pool *pool;
    const char *(*endpoint)(void *ctx);
    void *endpoint_ctx;
    void (*on_change)(void *ctx);
    void *change_ctx;

    struct moor_guest *guest;
    struct moor_tokens *tokens;
    struct moor_keystore keys;
    struct moor_machine *machine;           /* NULL = not connected */
    struct moor_http_client *client;        /* NULL = not working, see problem */
    struct moor_registration *registration; /* as client; NULL in the other mode */
    struct moor_direct *direct;             /* the same, when the machine is an application */
    struct moor_error problem;              /* why there is a machine but no work, or no machine */
    int64_t problem_ms; /* when the problem, or those of the documents in use, was met */
    struct moor_json *tags;

    struct moor_signing *unlocking; /* the TPM is asked for the key of tokens.cache */
    struct moor_error tpm_problem;  /* what it said */
    int64_t tpm_problem_ms;

    struct begin_job *begin;
    moor_identity_begin_fn begin_done; /* NULL: the caller left */
    void *begin_ctx;
    moor_identity_finish_fn finish_done;
    void *finish_ctx;
};

static void changed(void *ctx)
{
    struct moor_identity *i = ctx;
    if (i->on_change)
        i->on_change(i->change_ctx);
}

/* ---- start and stop of the work ---- */

static void stop_work(struct moor_identity *i)
{
    moor_signing_cancel(MOOR_TAKE(i->unlocking));
    i->tpm_problem = (struct moor_error)MOOR_ERROR_INIT;
    moor_registration_free(i->registration);
    i->registration = NULL;
    moor_direct_free(i->direct);
    i->direct = NULL;
    moor_http_client_free(i->client);
    i->client = NULL;
    moor_tokens_clear(i->tokens);
    moor_keystore_drop(&i->keys);
    moor_machine_free(i->machine);
    i->machine = NULL;
}

static moor_code load_keys(struct moor_identity *i, struct moor_error *err)
{
    moor_code c = moor_keystore_load(&i->keys, err);
    if (c == MOOR_E_NOTFOUND)
        return moor_fail(err, c, "the machine's key is not there: disconnect and connect again");
    if (c)
        return c;
    if (!moor_streq(i->keys.doc.vm_id, i->machine->config.vm_id))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "the key in certs/ was made for another machine: connect again");
    return MOOR_OK;
}

/* What needs no TPM goes on without one: the next token that is due says so again. */
static void on_unlocked(void *ctx, struct moor_signed *made, const struct moor_error *err)
{
    struct moor_identity *i = ctx;
    (void)made;
    i->unlocking = NULL;
    if (!err->code) {
        moor_tokens_load(i->tokens, &i->keys);
        return;
    }
    i->tpm_problem = *err;
    i->tpm_problem_ms = plat_utc_ms();
    moor_log_error(MOOR_LOG_ERROR, "tpm.not_usable", err, NULL);
}

static moor_code load_tokens(struct moor_identity *i, struct moor_error *err)
{
    if (!i->keys.cert)
        return MOOR_OK;
    if (moor_key_in_tpm(i->keys.key))
        return moor_signing_unlock(i->pool, i->keys.key, on_unlocked, i, &i->unlocking, err);
    moor_tokens_load(i->tokens, &i->keys);
    return MOOR_OK;
}

static moor_code start_direct(struct moor_identity *i, struct moor_error *err)
{
    const struct moor_direct_opts opts = {
        .loop = i->loop,
        .pool = i->pool,
        .http = moor_http_client_transport(i->client),
        .config = &i->machine->config,
        .cloud = &i->machine->cloud,
        .settings = &i->machine->settings,
        .keys = &i->keys,
        .tokens = i->tokens,
        .changed = changed,
        .ctx = i,
    };
    return moor_direct_new(&opts, &i->direct, err);
}

static moor_code start_work(struct moor_identity *i, struct moor_error *err)
{
    moor_code c = load_keys(i, err);
    if (c)
        return c;
    c = load_tokens(i, err);
    if (!c)
        c = moor_machine_client(i->machine, i->loop, &i->client, err);
    if (c)
        return c;
    if (moor_streq(i->machine->config.identity_mode, MOOR_MODE_PRINCIPAL))
        return start_direct(i, err);
    const struct moor_registration_opts opts = {
        .loop = i->loop,
        .pool = i->pool,
        .http = moor_http_client_transport(i->client),
        .config = &i->machine->config,
        .cloud = &i->machine->cloud,
        .settings = &i->machine->settings,
        .keys = &i->keys,
        .tokens = i->tokens,
        .guest_of = moor_guest_cloud(i->guest),
        .changed = changed,
        .ctx = i,
    };
    return moor_registration_new(&opts, &i->registration, err);
}

static void set_problem(struct moor_identity *i, const struct moor_error *err)
{
    i->problem = *err;
    i->problem_ms = plat_utc_ms();
}

/* The documents are another than those in use: what they ask for is begun. */
static void take_machine(struct moor_identity *i, struct moor_machine *fresh)
{
    struct moor_error err = MOOR_ERROR_INIT;
    i->machine = fresh;
    i->problem_ms = plat_utc_ms();
    if (fresh->settings_error.code)
        moor_log_error(MOOR_LOG_ERROR, "settings.refused", &fresh->settings_error, NULL);
    if (start_work(i, &err)) {
        set_problem(i, &err);
        moor_log_error(MOOR_LOG_ERROR, "machine.not_started", &err, NULL);
        return;
    }
    moor_log(MOOR_LOG_NOTICE, "machine.connected", "resource", fresh->config.resource_id, NULL);
}

void moor_identity_reload(struct moor_identity *i)
{
    MOOR_AUTOPTR(moor_machine) fresh = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_machine_load(&fresh, &err);
    if (!c && i->machine)
        moor_machine_keep_proxy(fresh, i->machine);
    if (!c && (i->registration || i->direct) && moor_machine_unchanged(i->machine, fresh))
        return;
    if (c == MOOR_E_NOTFOUND && !i->machine && !i->problem.code)
        return;
    stop_work(i);
    i->problem = (struct moor_error)MOOR_ERROR_INIT;
    if (!c) {
        take_machine(i, MOOR_TAKE(fresh));
    } else if (c == MOOR_E_NOTFOUND) {
        moor_log(MOOR_LOG_NOTICE, "machine.not_connected", NULL);
    } else {
        set_problem(i, &err);
        moor_log_error(MOOR_LOG_ERROR, "machine.documents_refused", &err, NULL);
    }
    changed(i);
}

/* ---- connect ---- */

struct begin_job {
    struct moor_identity *owner; /* NULL: it went away */
    char vm_id[37];
    char *resource_id;
    bool tpm;
    moor_key_kind kind;
    struct moor_key *old;   /* in a TPM, and good if that still takes it; NULL = make a new one */
    struct moor_key *key;   /* NULL = the old one is good */
    struct moor_key *given; /* proves for it, once; NULL = none */
    char client_id[37];     /* of the application to be; "" = none */
    struct moor_error err;
};

static void free_job(struct begin_job *job)
{
    moor_key_free(job->old);
    moor_key_free(job->key);
    moor_key_free(job->given);
    free(job->resource_id);
    free(job);
}

static void tell_begun(struct moor_identity *i, const struct moor_error *err)
{
    moor_identity_begin_fn done = i->begin_done;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2048);
    struct moor_error why = *err;
    i->begin_done = NULL;
    if (!done)
        return;
    if (!why.code && !i->keys.key)
        why.code = moor_fail(&why, MOOR_E_IO, "the new key cannot be read");
    if (!why.code && moor_key_public_pkcs1(i->keys.key, &text, &why))
        moor_buf_reset(&text);
    done(i->begin_ctx, moor_buf_cstr(&text), &why);
}

static void make_key(void *ctx)
{
    struct begin_job *job = ctx;
    if (job->old && moor_tpm_key_unlock(job->old, NULL) == MOOR_OK)
        return;
    if (moor_keystore_make_key(job->tpm, job->kind, &job->key, &job->err))
        job->key = NULL;
}

/* A machine that is connected already gets another key: its work begins anew with that. */
static moor_code take_key(struct moor_identity *i, struct begin_job *job, struct moor_error *err)
{
    bool connected = i->machine != NULL;
    if (connected)
        stop_work(i);
    moor_code c = moor_keystore_create(&i->keys, job->key, job->vm_id, job->resource_id, err);
    if (!c)
        job->key = NULL;
    if (connected)
        moor_identity_reload(i);
    return c;
}

static void on_key(void *ctx, bool cancelled)
{
    struct begin_job *job = ctx;
    struct moor_identity *i = job->owner;
    struct moor_error err = job->err;
    if (i && !cancelled && !err.code && job->key)
        err.code = take_key(i, job, &err);
    if (i && !cancelled && !err.code && job->given)
        err.code = moor_keystore_give(&i->keys, job->given, &err);
    if (i && !cancelled && !err.code && *job->client_id)
        err.code = moor_direct_certify(&i->keys, job->client_id, &err);
    free_job(job);
    if (!i)
        return;
    i->begin = NULL;
    if (cancelled)
        err.code = moor_fail(&err, MOOR_E_CANCELED, "the service is stopping");
    if (err.code)
        moor_log_error(MOOR_LOG_ERROR, "key.not_made", &err, NULL);
    else
        moor_log(MOOR_LOG_NOTICE, "key.made", "vm_id", i->keys.doc.vm_id, NULL);
    tell_begun(i, &err);
}

static moor_key_kind wanted_kind(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1024 * 1024);
    struct moor_settings settings;
    /* Settings that cannot be read are no reason for a weaker or a slower key. */
    return moor_settings_load(&settings, &arena, NULL) ? MOOR_KEY_RSA_2048
                                                       : moor_keystore_kind(&settings);
}

static void copy_uuid(char out[37], const char *in)
{
    for (size_t n = 0; in && n < 36 && in[n]; n++)
        out[n] = in[n];
}

static moor_code start_key(struct moor_identity *i, const struct moor_identity_begin *asked,
                           struct moor_key *old, struct moor_error *err)
{
    struct begin_job *job = calloc(1, sizeof(*job));
    if (job)
        job->resource_id = moor_strdup(asked->resource_id);
    if (!job || !job->resource_id) {
        free(job);
        return moor_fail(err, MOOR_E_NOMEM, "key: out of memory");
    }
    job->owner = i;
    job->tpm = asked->tpm;
    job->kind = wanted_kind();
    job->old = old ? moor_key_ref(old) : NULL;
    job->given = asked->given ? moor_key_ref(asked->given) : NULL;
    copy_uuid(job->vm_id, asked->vm_id);
    copy_uuid(job->client_id, asked->client_id);
    moor_code c = moor_pool_submit(i->pool, make_key, on_key, job, err);
    if (c)
        free_job(job);
    else
        i->begin = job;
    return c;
}

/* The key of an earlier begin for the same machine, ready to be named again. */
static bool has_key_for(struct moor_identity *i, const struct moor_identity_begin *asked)
{
    if (!i->keys.key && moor_keystore_load(&i->keys, NULL) != MOOR_OK)
        return false;
    return moor_streq(i->keys.doc.vm_id, asked->vm_id) &&
           moor_strcasecmp(i->keys.doc.resource_id, asked->resource_id) == 0 &&
           (!asked->client_id || moor_streq(i->keys.doc.client_id, asked->client_id)) &&
           moor_key_in_tpm(i->keys.key) == asked->tpm;
}

moor_code moor_identity_begin(struct moor_identity *i, const struct moor_identity_begin *asked,
                              moor_identity_begin_fn done, void *ctx, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    if (i->begin || i->finish_done)
        return moor_fail(err, MOOR_E_EXISTS, "another connect is under way");
    if (i->machine && !moor_streq(i->machine->config.vm_id, asked->vm_id))
        return moor_fail(err, MOOR_E_EXISTS, "this machine is connected as %s: disconnect first",
                         i->machine->config.resource_id);
    /* A key from outside for a machine that has had its own is a new beginning. */
    if (asked->given && i->machine)
        stop_work(i);
    bool had = has_key_for(i, asked) && !(asked->given && i->keys.doc.client_id);
    i->begin_done = done;
    i->begin_ctx = ctx;
    if (had && !asked->tpm) {
        if (asked->given)
            why.code = moor_keystore_give(&i->keys, asked->given, &why);
        tell_begun(i, &why);
        return MOOR_OK;
    }
    moor_code c = start_key(i, asked, had ? i->keys.key : NULL, err);
    if (c)
        i->begin_done = NULL;
    return c;
}

static void on_finished(void *ctx, const struct moor_error *err)
{
    struct moor_identity *i = ctx;
    moor_identity_finish_fn done = i->finish_done;
    i->finish_done = NULL;
    if (done)
        done(i->finish_ctx, err);
}

moor_code moor_identity_finish(struct moor_identity *i, moor_identity_finish_fn done, void *ctx,
                               struct moor_error *err)
{
    if (i->begin || i->finish_done)
        return moor_fail(err, MOOR_E_EXISTS, "another connect is under way");
    moor_identity_reload(i);
    if (i->problem.code) {
        if (err)
            *err = i->problem;
        return i->problem.code;
    }
    if (!i->registration && !i->direct)
        return moor_fail(err, MOOR_E_NOTFOUND, "agentconfig.json is not there");
    i->finish_done = done;
    i->finish_ctx = ctx;
    moor_code c = i->direct ? moor_direct_now(i->direct, on_finished, i, err)
                            : moor_registration_now(i->registration, on_finished, i, err);
    if (c)
        i->finish_done = NULL;
    return c;
}

void moor_identity_forget_caller(struct moor_identity *i)
{
    i->begin_done = NULL;
    i->finish_done = NULL;
}

moor_code moor_identity_disconnect(struct moor_identity *i, struct moor_error *err)
{
    if (i->begin || i->finish_done)
        return moor_fail(err, MOOR_E_EXISTS, "a connect is under way");
    stop_work(i);
    moor_tokens_forget(i->tokens);
    moor_runstate_forget();
    moor_json_free(MOOR_TAKE(i->tags));
    i->problem = (struct moor_error)MOOR_ERROR_INIT;
    moor_code c = moor_keystore_wipe(&i->keys, err);
    moor_log(MOOR_LOG_NOTICE, "machine.wiped", NULL);
    changed(i);
    return c;
}

/* ---- what others ask ---- */

const struct moor_agentconfig *moor_identity_config(const struct moor_identity *i)
{
    return i->machine ? &i->machine->config : NULL;
}

const struct moor_settings *moor_identity_settings(const struct moor_identity *i)
{
    return i->machine ? &i->machine->settings : NULL;
}

const struct moor_cloud *moor_identity_cloud(const struct moor_identity *i)
{
    return i->machine ? &i->machine->cloud : NULL;
}

static moor_code check_standing(const struct moor_identity *i, struct moor_error *err)
{
    static const char *const refusals[] = {
        [MOOR_STANDING_GONE] = "the control plane does not know this machine any more",
        [MOOR_STANDING_DISABLED] = "this machine is disabled",
        [MOOR_STANDING_CLONED] = "this machine is a copy of another one: connect it anew",
    };
    if (!i->machine)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "this machine is not connected");
    if (i->direct)
        return MOOR_OK;
    if (!i->registration)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "%s", i->problem.msg);
    moor_standing s = moor_registration_state(i->registration)->standing;
    return s == MOOR_STANDING_GOOD ? MOOR_OK : moor_fail(err, MOOR_E_DENIED, "%s", refusals[s]);
}

moor_code moor_identity_token(struct moor_identity *i, const char *audience, bool fresh,
                              moor_token_fn done, void *ctx, struct moor_token_wait **wait,
                              struct moor_error *err)
{
    moor_code c = check_standing(i, err);
    return c ? c : moor_tokens_get(i->tokens, audience, fresh, done, ctx, wait, err);
}

void moor_identity_token_cancel(struct moor_identity *i, struct moor_token_wait *wait)
{
    moor_tokens_cancel(i->tokens, wait);
}

static void set_time(struct moor_json *v, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1] = "";
    if (ms)
        moor_rfc3339_format(ms, text);
    moor_json_set_str(v, name, text);
}

static void set_error(struct moor_json *v, const struct moor_error *err, int64_t ms)
{
    bool none = err->code == MOOR_OK;
    const char *code = err->service_code[0] ? err->service_code : moor_code_name(err->code);
    moor_json_set_str(v, "errorCode", none ? "" : code);
    moor_json_set_str(v, "errorDetails", none ? "" : err->msg);
    set_time(v, "errorTimestamp", none ? 0 : ms);
}

static void set_names(struct moor_json *v, const struct moor_identity *i)
{
    const struct moor_agentconfig *c = moor_identity_config(i);
    const struct moor_identity_doc *d = &i->keys.doc;
    const struct {
        const char *name, *value;
    } names[] = {
        { "resourceId", c ? c->resource_id : NULL },   { "vmId", c ? c->vm_id : NULL },
        { "tenantId", c ? c->tenant_id : NULL },       { "clientId", c ? d->client_id : NULL },
        { "principalId", c ? d->principal_id : NULL },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(names); n++)
        moor_json_set_str(v, names[n].name, names[n].value ? names[n].value : "");
}

static void set_cloud(struct moor_json *v, const struct moor_guest *g)
{
    const struct moor_host_cloud *c = moor_guest_cloud(g);
    const char *provider = moor_guest_looking(g) ? "" : *c->provider ? c->provider : "N/A";
    moor_json_set_str(v, "cloudProvider", provider);
    struct moor_json *facts = moor_json_set(v, "cloudMetadata", moor_json_new_object());
    for (size_t n = 0; n < c->fact_count; n++)
        moor_json_set_str(facts, c->facts[n].name, c->facts[n].value);
}

void moor_identity_endpoint(struct moor_identity *i, const char *(*fn)(void *ctx), void *ctx)
{
    i->endpoint = fn;
    i->endpoint_ctx = ctx;
}

/* False while the TPM that has the key refuses it. */
static bool key_usable(const struct moor_identity *i, const struct moor_registration_state *s)
{
    return !i->tpm_problem.code || s->last_beat_ms > i->tpm_problem_ms;
}

static void set_next(struct moor_json *v, const struct moor_identity *i)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = i->direct ? moor_direct_next(i->direct, &path, NULL) : MOOR_OK;
    moor_json_set_str(v, "certificateToAdd", !c && path ? path : "");
}

struct moor_json *moor_identity_status(const struct moor_identity *i)
{
    static const struct moor_registration_state none = { 0 };
    const struct moor_registration_state *s =
        i->registration ? moor_registration_state(i->registration) : &none;
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "status",
                      i->registration ? moor_registration_status(i->registration)
                      : i->direct     ? moor_direct_status(i->direct)
                                      : "Disconnected");
    moor_json_set_bool(v, "connected", i->machine != NULL);
    moor_json_set_str(v, "agentVersion", moor_version());
    set_time(v, "lastHeartbeat", s->last_beat_ms);
    int64_t error_ms = s->error_ms;
    set_error(v, i->direct ? moor_direct_error(i->direct, &error_ms) : &s->error, error_ms);
    if (i->problem.code)
        set_error(v, &i->problem, i->problem_ms);
    else if (!s->error.code && !key_usable(i, s))
        set_error(v, &i->tpm_problem, i->tpm_problem_ms);
    else if (!s->error.code && i->machine && i->machine->settings_error.code)
        set_error(v, &i->machine->settings_error, i->problem_ms);
    moor_json_set_str(v, "endpointProblem", i->endpoint ? i->endpoint(i->endpoint_ctx) : "");
    set_names(v, i);
    set_time(v, "certificateNotAfter", i->keys.doc.not_after_ms);
    set_next(v, i);
    moor_json_set_str(v, "desiredStateRevision", s->revision);
    moor_json_set_str(v, "identityKeyStore",
                      !i->keys.key                   ? ""
                      : moor_key_in_tpm(i->keys.key) ? "TPM"
                                                     : "Default");
    moor_json_set_bool(v, "keyUsable", key_usable(i, s));
    set_cloud(v, i->guest);
    moor_json_set(v, "tags", i->tags ? moor_json_copy(i->tags) : moor_json_new_null());
    moor_json_set_bool(v, "upgradeRequired", s->upgrade_required);
    return v;
}

const char *moor_identity_revision(const struct moor_identity *i)
{
    return i->registration ? moor_registration_state(i->registration)->revision : "";
}

bool moor_identity_report_wanted(const struct moor_identity *i)
{
    return i->registration && moor_registration_state(i->registration)->report_wanted;
}

bool moor_identity_connected(const struct moor_identity *i)
{
    return i->machine != NULL;
}

void moor_identity_hashes(struct moor_identity *i, const char *settings_hash,
                          const char *report_hash)
{
    if (i->registration)
        moor_registration_hashes(i->registration, settings_hash, report_hash);
}

const struct moor_json *moor_identity_tags(const struct moor_identity *i)
{
    return i->tags;
}

void moor_identity_set_tags(struct moor_identity *i, const struct moor_json *tags)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_json_equal(i->tags, tags))
        return;
    moor_json_free(i->tags);
    i->tags = moor_json_copy(tags);
    if (moor_runstate_save_tags(tags, &err))
        moor_log_error(MOOR_LOG_WARNING, "tags.not_written", &err, NULL);
}

void moor_identity_on_change(struct moor_identity *i, void (*fn)(void *ctx), void *ctx)
{
    i->on_change = fn;
    i->change_ctx = ctx;
}

/* ---- life ---- */

static void on_guest(void *ctx)
{
    struct moor_identity *i = ctx;
    if (i->registration)
        moor_registration_look_again(i->registration);
}

moor_code moor_identity_new(struct moor_loop *l, struct moor_pool *pool, struct moor_identity **out,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_identity) i = calloc(1, sizeof(*i));
    if (!i)
        return moor_fail(err, MOOR_E_NOMEM, "identity: out of memory");
    i->loop = l;
    i->pool = pool;
    i->keys = (struct moor_keystore)MOOR_KEYSTORE_INIT;
    i->tags = moor_runstate_tags();
    moor_code c = moor_tokens_new(l, &i->tokens, err);
    if (!c)
        c = moor_guest_new(l, pool, on_guest, i, &i->guest, err);
    if (!c)
        *out = MOOR_TAKE(i);
    return c;
}

void moor_identity_free(struct moor_identity *i)
{
    if (!i)
        return;
    i->on_change = NULL;
    if (i->begin)
        i->begin->owner = NULL;
    if (i->tokens)
        stop_work(i);
    moor_tokens_free(i->tokens);
    moor_guest_free(i->guest);
    moor_json_free(i->tags);
    free(i);
}
