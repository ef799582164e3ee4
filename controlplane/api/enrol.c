/* SPDX-License-Identifier: Apache-2.0 */
#include "api/enrol.h"

#include <string.h>

#include "api/service.h"
#include "authz/signin.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "engine/live.h"
#include "engine/proof.h"
#include "run/log.h"
#include "store/principals.h"

#define LAST_DOC        "certificate"
#define CERT_TEXT_MAX   ((size_t)16 << 10)
#define PREVIOUS_KEY_MS (30 * MOOR_DAY_MS)

struct request {
    struct moor_span csr;
    const char *proof;
    struct moor_service_print print;
};
static const struct moor_json_field request_fields[] = {
    { MOOR_F_BYTES, "csr", offsetof(struct request, csr), MOOR_F_REQUIRED, 1, 8192, NULL },
    { MOOR_F_STR, "proof", offsetof(struct request, proof), MOOR_F_REQUIRED, 1, 8192, NULL },
    { MOOR_F_OBJ, "fingerprint", offsetof(struct request, print), 0, 0, 0,
      &moor_service_print_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape request_shape = { sizeof(struct request), request_fields, 0 };

struct enrolment {
    struct moor_machine machine;
    struct moor_lifecycle rules;
    struct request request;
    struct moor_fingerprint print;
    struct moor_machine_keys keys;
    size_t signer;                 /* among keys */
    char proof_hash[65];           /* of the proof: a repeated one is answered alike */
    char subject[CERT_TEXT_MAX];   /* the CSR's key as clientPublicKey */
    struct moor_cert *certificate; /* owned */
    struct moor_span der;          /* of it, in the arena */
};

static moor_code check_proof(struct moor_call *c, struct enrolment *e, struct moor_error *err)
{
    struct moor_proof_facts facts = { c->app->config.service_audience, e->machine.vm_id,
                                      e->machine.resource_id, c->now_ms };
    moor_code code =
        moor_machine_keys_get(c->app->store, e->machine.vm_id, c->arena, &e->keys, err);
    const char **texts = moor_arena_array(c->arena, e->keys.count, sizeof(*texts));
    if (code || !texts)
        return code ? code : moor_fail(err, MOOR_E_NOMEM, "keys: no memory");
    for (size_t i = 0; i < e->keys.count; i++)
        texts[i] = e->keys.items[i].public_key;
    moor_sha256_hex(moor_span_str(e->request.proof), e->proof_hash);
    return moor_proof_check(moor_span_str(e->request.proof), e->request.csr, &facts, texts,
                            e->keys.count, c->arena, &e->signer, err);
}

/* A key that a newer one replaced may come back with a reverted snapshot, not with a thief. */
static moor_code check_previous(struct moor_call *c, const struct enrolment *e,
                                const struct moor_machine_key *key, struct moor_error *err)
{
    int64_t heard_ms = moor_live_newest_key_ms(c->app->live, e->machine.vm_id);
    bool fits = !moor_fingerprint_empty(&e->print) &&
                moor_live_fingerprint_fits(c->app->live, e->machine.vm_id, &e->print);
    bool silent = heard_ms <= c->now_ms - INT64_C(2000) * e->rules.heartbeat_s;
    /* The rotation that ended a fork is the one that shut the other side out. */
    bool forked =
        moor_live_forked(c->app->live, e->machine.vm_id, c->now_ms) ||
        moor_live_settled_ms(c->app->live, e->machine.vm_id) >= key->since_ms / 1000 * 1000;
    if (fits && silent && !forked && e->rules.accept_previous_key &&
        key->since_ms >= c->now_ms - PREVIOUS_KEY_MS)
        return MOOR_OK;
    return moor_service_refuse(err, 403, "KeySuperseded",
                               "a newer key was registered for this machine: an administrator can "
                               "reconnect it");
}

static moor_code check_signer(struct moor_call *c, const struct enrolment *e,
                              struct moor_error *err)
{
    const struct moor_machine_key *key = &e->keys.items[e->signer];
    switch (key->state) {
    case MOOR_KEY_CURRENT:
    case MOOR_KEY_GIVEN:
        return MOOR_OK;
    case MOOR_KEY_PREVIOUS:
        return check_previous(c, e, key, err);
    case MOOR_KEY_NEXT:
    default:
        return moor_service_refuse(err, 403, "ProofInvalid",
                                   "proof: this key proves nothing before its first use");
    }
}

/* After the last certificate ran out. */
static moor_code check_expiry(struct moor_call *c, const struct enrolment *e,
                              struct moor_error *err)
{
    struct moor_live_status s;
    moor_live_status(c->app->live, e->machine.vm_id, c->now_ms, &s);
    if (!moor_streq(s.status, "Expired"))
        return MOOR_OK;
    if (s.last_change_ms > c->now_ms - e->rules.reenrollment_days * MOOR_DAY_MS &&
        !moor_fingerprint_empty(&e->print) &&
        moor_live_fingerprint_fits(c->app->live, e->machine.vm_id, &e->print) &&
        !moor_live_forked(c->app->live, e->machine.vm_id, c->now_ms)) {
        moor_log(MOOR_LOG_NOTICE, "machine.reenrolled", "id", e->machine.resource_id, NULL);
        return MOOR_OK;
    }
    return moor_service_refuse(err, 403, "ReenrollmentNotAllowed",
                               "the last certificate ended too long ago, or on another machine: "
                               "connect it again");
}

/* The same proof got a certificate before: it is that one. */
static bool find_repeated(struct moor_call *c, struct enrolment *e)
{
    const char *text = NULL;
    MOOR_AUTOPTR(moor_json) doc = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(CERT_TEXT_MAX);
    if (moor_machine_doc_get(c->app->store, e->machine.vm_id, LAST_DOC, c->arena, &text, NULL,
                             NULL) ||
        moor_json_parse(moor_span_str(text), &doc, NULL) ||
        !moor_streq(moor_json_get_str(doc, "proof"), e->proof_hash) ||
        moor_base64_decode(moor_span_str(moor_json_get_str(doc, "certificate")), &der, NULL) ||
        moor_cert_from_der(moor_buf_view(&der), &e->certificate, NULL))
        return false;
    const char *copy = moor_arena_str(c->arena, moor_buf_view(&der));
    e->der = moor_span(copy, copy ? der.len : 0);
    return copy != NULL;
}

static moor_code read_subject(struct enrolment *e, struct moor_key **key, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(sizeof(e->subject) - 1);
    if (moor_csr_key(e->request.csr, key, err) || moor_key_public_pkcs1(*key, &text, err))
        return moor_service_refuse(err, 403, "ProofInvalid",
                                   "csr: not a PKCS#10 request of an RSA key");
    moor_code code = moor_buf_ok(&text, "public key", err);
    if (!code)
        memcpy(e->subject, moor_buf_cstr(&text), text.len + 1);
    return code;
}

static moor_code issue(struct moor_call *c, struct enrolment *e, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) subject = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(CERT_TEXT_MAX);
    moor_code code = read_subject(e, &subject, err);
    if (code)
        return code;
    struct moor_issue i = {
        e->machine.client_id,    subject,   c->app->identity_ca,
        c->app->identity_ca_key, c->now_ms, e->rules.certificate_s * INT64_C(1000)
    };
    if ((code = moor_certificate_issue(&i, &e->certificate, err)) ||
        (code = moor_cert_to_der(e->certificate, &der, err)) ||
        (code = moor_buf_ok(&der, "certificate", err)))
        return code;
    char *copy = moor_arena_str(c->arena, moor_buf_view(&der));
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "certificate: no memory");
    e->der = moor_span(copy, der.len);
    return MOOR_OK;
}

static bool is_next(const struct enrolment *e, const char *public_key)
{
    for (size_t i = 0; i < e->keys.count; i++)
        if (e->keys.items[i].state == MOOR_KEY_NEXT &&
            moor_streq(e->keys.items[i].public_key, public_key))
            return true;
    return false;
}

/* A key under which no certificate was ever issued, and that proves for another one, was made
 * elsewhere for this: it is good for that one, as often as the answer gets lost. */
static moor_code store_given(struct moor_call *c, const struct enrolment *e,
                             const struct moor_machine_key *signer, struct moor_error *err)
{
    bool any = false;
    if (signer->state == MOOR_KEY_GIVEN)
        return is_next(e, e->subject)
                   ? MOOR_OK
                   : moor_service_refuse(err, 403, "KeySuperseded",
                                         "the given key proved already, for another key: an "
                                         "administrator can reconnect the machine");
    moor_code code = moor_credential_any(c->app->store, e->machine.principal_id, &any, err);
    if (code || any || signer->state != MOOR_KEY_CURRENT)
        return code;
    return moor_machine_key_set(c->app->store, e->machine.vm_id, signer->public_key, MOOR_KEY_GIVEN,
                                c->now_ms, err);
}

/* A renewal leaves the keys as they are. A returned previous key is the current one again; any
 * other key becomes the next. */
static moor_code store_key(struct moor_call *c, const struct enrolment *e, struct moor_error *err)
{
    const struct moor_machine_key *signer = &e->keys.items[e->signer];
    struct moor_store *s = c->app->store;
    moor_code code = MOOR_OK;
    if (signer->state == MOOR_KEY_PREVIOUS)
        code = moor_machine_key_set(s, e->machine.vm_id, signer->public_key, MOOR_KEY_CURRENT,
                                    c->now_ms, err);
    if (code || (moor_streq(signer->public_key, e->subject) && signer->state != MOOR_KEY_GIVEN))
        return code;
    code = store_given(c, e, signer, err);
    if (code)
        return code;
    for (size_t i = 0; i < e->keys.count; i++)
        if (e->keys.items[i].state != MOOR_KEY_NEXT &&
            moor_streq(e->keys.items[i].public_key, e->subject))
            return moor_service_refuse(err, 403, "KeySuperseded", "csr: this key was replaced");
    return moor_machine_key_set(s, e->machine.vm_id, e->subject, MOOR_KEY_NEXT, c->now_ms, err);
}

static moor_code store_last(struct moor_call *c, const struct enrolment *e, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CERT_TEXT_MAX);
    MOOR_AUTOPTR(moor_json) doc = moor_json_new_object();
    MOOR_AUTOSTR printed = NULL;
    moor_buf_base64(&text, e->der);
    moor_json_set_str(doc, "proof", e->proof_hash);
    moor_json_set_str(doc, "certificate", moor_buf_cstr(&text));
    moor_code code = moor_json_print(doc, CERT_TEXT_MAX * 2, &printed, err);
    if (code)
        return code;
    return moor_machine_doc_put(c->app->store, e->machine.vm_id, LAST_DOC, printed, c->now_ms, err);
}

static moor_code store_all(struct moor_call *c, const struct enrolment *e, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    moor_code code = moor_store_begin(c->app->store, &tx, err);
    if (!code)
        code = store_key(c, e, err);
    if (!code)
        code = moor_signin_add_certificate(c->app->store, e->machine.principal_id, e->certificate,
                                           err);
    if (!code)
        code = store_last(c, e, err);
    if (!code)
        code = moor_store_commit(&tx, err);
    if (code)
        return code;
    moor_live_certificate_issued(c->app->live, e->machine.vm_id,
                                 moor_cert_not_after_ms(e->certificate));
    moor_log(MOOR_LOG_NOTICE, "certificate.issued", "id", e->machine.resource_id, NULL);
    return MOOR_OK;
}

static void push_certificate(struct moor_json *list, struct moor_span der)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CERT_TEXT_MAX);
    moor_buf_base64(&text, der);
    moor_json_push(list, text.failed ? NULL : moor_json_new_str(moor_buf_cstr(&text)));
}

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_RFC3339_LEN);
    moor_buf_rfc3339(&text, ms);
    moor_json_set_str(o, name, moor_buf_cstr(&text));
}

static void reply(struct moor_call *c, const struct enrolment *e)
{
    MOOR_AUTO(moor_buf) ca = MOOR_BUF(CERT_TEXT_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_cert_to_der(c->app->identity_ca, &ca, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    int64_t end = moor_cert_not_after_ms(e->certificate);
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    struct moor_json *list = moor_json_new_array();
    push_certificate(list, e->der);
    push_certificate(list, moor_buf_view(&ca));
    moor_json_set(o, "certificates", list);
    moor_json_set_str(o, "clientId", e->machine.client_id);
    moor_json_set_str(o, "principalId", e->machine.principal_id);
    moor_json_set_str(o, "tenantId", e->machine.tenant_id);
    set_time(o, "notAfter", end);
    set_time(o, "renewAfter", end - e->rules.certificate_s * INT64_C(1000) / 2);
    moor_call_json(c, 200, o);
}

static void load_rules(struct moor_call *c, struct enrolment *e)
{
    const char *own = "";
    e->rules = c->app->config.lifecycle;
    if (!moor_machine_doc_get(c->app->store, e->machine.vm_id, MOOR_LIFECYCLE_DOC, c->arena, &own,
                              NULL, NULL))
        moor_lifecycle_override(&e->rules, moor_span_str(own));
}

void moor_enrol(struct moor_call *c)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct enrolment *e = moor_arena_alloc(c->arena, sizeof(*e));
    if (!e) {
        moor_call_error(c, 503, "ServiceUnavailable", "The server is short of memory.");
        return;
    }
    if (!moor_service_machine(c, &e->machine) ||
        !moor_service_decode(c, &request_shape, &e->request) ||
        !moor_service_fingerprint(c, &e->request.print, &e->print))
        return;
    load_rules(c, e);
    moor_code code = check_proof(c, e, &err);
    if (!code && !find_repeated(c, e) &&
        ((code = check_signer(c, e, &err)) || (code = check_expiry(c, e, &err)) ||
         (code = issue(c, e, &err)) || (code = store_all(c, e, &err)))) {
        moor_log_error(MOOR_LOG_INFO, "certificate.refused", &err, "id", e->machine.resource_id,
                       NULL);
    }
    if (code)
        moor_call_fail(c, &err);
    else
        reply(c, e);
    moor_cert_free(e->certificate);
}
