/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/keystore.h"

#include <stdlib.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/tpm.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define KEY_NAME  "identity.key"
#define DOC_NAME  "identity.json"
#define CERT_NAME "myCert"

#define GIVEN_KEY_NAME "given.key"
#define NEXT_KEY_NAME  "next.key"
#define NEXT_CERT_NAME "next.cert"

#define KEY_MAX  16384
#define DOC_MAX  8192
#define CERT_MAX 131072
#define LEAF_MAX 16384

static const struct moor_json_field doc_fields[] = {
    { MOOR_F_U32, "schema", offsetof(struct moor_identity_doc, schema), MOOR_F_REQUIRED, 1, 1,
      NULL },
    { MOOR_F_UUID, "vmId", offsetof(struct moor_identity_doc, vm_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_STR, "resourceId", offsetof(struct moor_identity_doc, resource_id), MOOR_F_REQUIRED, 1,
      1024, NULL },
    { MOOR_F_STR, "clientId", offsetof(struct moor_identity_doc, client_id), 0, 1, 64, NULL },
    { MOOR_F_STR, "principalId", offsetof(struct moor_identity_doc, principal_id), 0, 1, 64, NULL },
    { MOOR_F_STR, "tenantId", offsetof(struct moor_identity_doc, tenant_id), 0, 1, 64, NULL },
    { MOOR_F_TIME, "notAfter", offsetof(struct moor_identity_doc, not_after_ms), 0, 0, 0, NULL },
    { MOOR_F_TIME, "renewAfter", offsetof(struct moor_identity_doc, renew_after_ms), 0, 0, 0,
      NULL },
    { MOOR_F_TIME, "keyMade", offsetof(struct moor_identity_doc, key_made_ms), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape doc_shape = { sizeof(struct moor_identity_doc), doc_fields,
                                                  MOOR_F_STRICT };

void moor_keystore_drop(struct moor_keystore *k)
{
    moor_key_free(k->key);
    moor_cert_free(k->cert);
    moor_key_free(k->next_key);
    moor_cert_free(k->next_cert);
    moor_key_free(k->given_key);
    moor_arena_drop(&k->arena);
    *k = (struct moor_keystore)MOOR_KEYSTORE_INIT;
}

static moor_code read_file(const char *name, size_t max, struct moor_buf *out,
                           struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_CERTS, &path, err, "%s", name);
    return c ? c : plat_read_all(path, max, out, err);
}

static moor_code write_file(const char *name, struct moor_span bytes, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_CERTS, &path, err, "%s", name);
    return c ? c : plat_write_atomic(path, bytes, PLAT_OWNER_ONLY, err);
}

static moor_code write_doc(const struct moor_identity_doc *doc, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOC_MAX);
    moor_json_encode(&text, &doc_shape, doc);
    moor_buf_char(&text, '\n');
    moor_code c = moor_buf_ok(&text, DOC_NAME, err);
    return c ? c : write_file(DOC_NAME, moor_buf_view(&text), err);
}

static moor_code load_key(const char *name, struct moor_key **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF_SECRET(KEY_MAX);
    moor_code c = read_file(name, KEY_MAX, &pem, err);
    if (c)
        return c;
    c = moor_tpm_is_pem(moor_buf_view(&pem)) ? moor_tpm_key_from_pem(moor_buf_view(&pem), out, err)
                                             : moor_key_from_pem(moor_buf_view(&pem), out, err);
    return c ? moor_context(err, "%s", name) : c;
}

static moor_code check_leaf(const struct moor_key *key, const struct moor_cert *leaf,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) public_half = NULL;
    moor_code c = moor_cert_key(leaf, &public_half, err);
    if (c)
        return c;
    if (!moor_key_same_public(public_half, key))
        return moor_fail(err, MOOR_E_BADINPUT, "certificate: not for this machine's key");
    return MOOR_OK;
}

/* A missing file leaves *out NULL. */
static moor_code load_cert(const char *name, const struct moor_key *key, struct moor_cert **out,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CERT_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    moor_code c = read_file(name, CERT_MAX, &pem, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (!c)
        c = moor_cert_from_pem(moor_buf_view(&pem), &cert, err);
    if (!c)
        c = check_leaf(key, cert, err);
    if (c)
        return moor_context(err, "%s", name);
    *out = MOOR_TAKE(cert);
    return MOOR_OK;
}

static moor_code remove_file(const char *name, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_CERTS, &path, err, "%s", name);
    return c ? c : plat_remove(path, err);
}

/* A next pair that cannot be read is as good as none. */
static void load_next(struct moor_keystore *k)
{
    if (load_key(NEXT_KEY_NAME, &k->next_key, NULL) == MOOR_OK &&
        load_cert(NEXT_CERT_NAME, k->next_key, &k->next_cert, NULL) != MOOR_OK)
        k->next_cert = NULL;
}

/* The key is the next one already: what comes after it in a promotion is done now. */
static moor_code finish_promotion(struct moor_keystore *k, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) chain = MOOR_BUF(CERT_MAX);
    moor_code c = read_file(NEXT_CERT_NAME, CERT_MAX, &chain, err);
    if (!c)
        c = write_file(CERT_NAME, moor_buf_view(&chain), err);
    return c ? c : moor_keystore_drop_next(k, err);
}

static moor_code load_certs(struct moor_keystore *k, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    load_next(k);
    if (k->next_cert && moor_key_same_public(k->next_key, k->key))
        c = finish_promotion(k, err);
    if (!c)
        c = load_cert(CERT_NAME, k->key, &k->cert, err);
    if (!c && k->cert)
        k->doc.not_after_ms = moor_cert_not_after_ms(k->cert);
    return c;
}

moor_key_kind moor_keystore_kind(const struct moor_settings *s)
{
    static const moor_key_kind kinds[] = { [MOOR_KEY_SIZE_2048] = MOOR_KEY_RSA_2048,
                                           [MOOR_KEY_SIZE_3072] = MOOR_KEY_RSA_3072,
                                           [MOOR_KEY_SIZE_4096] = MOOR_KEY_RSA_4096 };
    return kinds[s->key_size];
}

moor_code moor_keystore_make_key(bool tpm, moor_key_kind kind, struct moor_key **out,
                                 struct moor_error *err)
{
    return tpm ? moor_tpm_key_generate(kind, out, err) : moor_key_generate(kind, out, err);
}

moor_code moor_keystore_load(struct moor_keystore *k, struct moor_error *err)
{
    moor_keystore_drop(k);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOC_MAX);
    moor_code c = load_key(KEY_NAME, &k->key, err);
    if (!c)
        c = read_file(DOC_NAME, DOC_MAX, &text, err);
    if (!c)
        c = moor_json_decode(moor_buf_view(&text), DOC_NAME, &doc_shape, &k->doc, &k->arena, err);
    /* A document without a client id is from before the first certificate: an older machine's
     * certificate may still lie beside it, and does not count. */
    if (!c && k->doc.client_id)
        c = load_certs(k, err);
    else if (!c && load_key(GIVEN_KEY_NAME, &k->given_key, NULL) != MOOR_OK)
        k->given_key = NULL;
    if (c)
        moor_keystore_drop(k);
    return c;
}

/* Reads everything again; the old content stays when that fails. */
static moor_code reload(struct moor_keystore *k, struct moor_error *err)
{
    MOOR_AUTO(moor_keystore) fresh = MOOR_KEYSTORE_INIT;
    moor_code c = moor_keystore_load(&fresh, err);
    if (c)
        return c;
    moor_keystore_drop(k);
    *k = fresh;
    fresh = (struct moor_keystore)MOOR_KEYSTORE_INIT;
    return MOOR_OK;
}

moor_code moor_keystore_create(struct moor_keystore *k, struct moor_key *key, const char *vm_id,
                               const char *resource_id, struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    const struct moor_identity_doc doc = {
        .schema = 1, .vm_id = vm_id, .resource_id = resource_id, .key_made_ms = plat_utc_ms()
    };
    moor_code c = plat_make_dirs(plat_dir_path(PLAT_DIR_CERTS), PLAT_OWNER_ONLY, err);
    if (!c)
        c = moor_key_to_pem(key, &pem, err);
    if (!c)
        c = moor_keystore_drop_next(k, err);
    if (!c)
        c = remove_file(GIVEN_KEY_NAME, err);
    /* A document without its key is harmless, so the document goes first. */
    if (!c)
        c = write_doc(&doc, err);
    if (!c)
        c = write_file(KEY_NAME, moor_secret_reveal(&pem), err);
    if (!c)
        c = reload(k, err);
    if (!c)
        moor_key_free(key);
    return c;
}

moor_code moor_keystore_give(struct moor_keystore *k, struct moor_key *given,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    moor_code c = moor_key_to_pem(given, &pem, err);
    if (!c)
        c = write_file(GIVEN_KEY_NAME, moor_secret_reveal(&pem), err);
    if (c)
        return c;
    moor_key_free(k->given_key);
    k->given_key = moor_key_ref(given);
    return MOOR_OK;
}

/* The PEM chain of a reply; *leaf is the first certificate. */
static moor_code read_chain(const struct moor_enrolment *e, struct moor_buf *pem,
                            struct moor_cert **leaf, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) first = NULL;
    for (size_t i = 0; i < e->certificates.count; i++) {
        MOOR_AUTO(moor_buf) der = MOOR_BUF(LEAF_MAX);
        MOOR_AUTOPTR(moor_cert) cert = NULL;
        moor_code c = moor_base64_decode(moor_span_str(e->certificates.items[i]), &der, err);
        if (!c)
            c = moor_cert_from_der(moor_buf_view(&der), &cert, err);
        if (!c)
            c = moor_cert_to_pem(cert, pem, err);
        if (c)
            return moor_context(err, "certificate %zu of the answer", i);
        if (!first)
            first = MOOR_TAKE(cert);
    }
    if (!first)
        return moor_fail(err, MOOR_E_BADINPUT, "the answer has no certificate");
    *leaf = MOOR_TAKE(first);
    return MOOR_OK;
}

moor_code moor_keystore_enrol(struct moor_keystore *k, const struct moor_enrolment *e,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CERT_MAX);
    MOOR_AUTOPTR(moor_cert) leaf = NULL;
    moor_code c = read_chain(e, &pem, &leaf, err);
    if (!c)
        c = check_leaf(k->key, leaf, err);
    if (c)
        return c;
    struct moor_identity_doc doc = {
        .schema = 1,
        .vm_id = k->doc.vm_id,
        .resource_id = k->doc.resource_id,
        .client_id = e->client_id,
        .principal_id = e->principal_id,
        .tenant_id = e->tenant_id,
        .not_after_ms = moor_cert_not_after_ms(leaf),
        .renew_after_ms = e->renew_after_ms,
        .key_made_ms = k->doc.key_made_ms,
    };
    c = write_file(CERT_NAME, moor_buf_view(&pem), err);
    if (!c)
        c = write_doc(&doc, err);
    if (!c)
        c = remove_file(GIVEN_KEY_NAME, err);
    return c ? c : reload(k, err);
}

moor_code moor_keystore_add_next(struct moor_keystore *k, struct moor_key *key,
                                 struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    moor_code c = moor_keystore_drop_next(k, err);
    if (!c)
        c = moor_key_to_pem(key, &pem, err);
    if (!c)
        c = write_file(NEXT_KEY_NAME, moor_secret_reveal(&pem), err);
    if (!c)
        k->next_key = key;
    return c;
}

moor_code moor_keystore_enrol_next(struct moor_keystore *k, const struct moor_enrolment *e,
                                   struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CERT_MAX);
    MOOR_AUTOPTR(moor_cert) leaf = NULL;
    moor_code c = read_chain(e, &pem, &leaf, err);
    if (!c)
        c = check_leaf(k->next_key, leaf, err);
    if (!c)
        c = write_file(NEXT_CERT_NAME, moor_buf_view(&pem), err);
    if (c)
        return c;
    moor_cert_free(k->next_cert);
    k->next_cert = MOOR_TAKE(leaf);
    return MOOR_OK;
}

/* The document first: it only gets later times. Then the key, and from there on a load finishes
 * what was begun. */
moor_code moor_keystore_promote(struct moor_keystore *k, struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    struct moor_identity_doc doc = k->doc;
    doc.key_made_ms = plat_utc_ms();
    doc.renew_after_ms = doc.key_made_ms / 2 + moor_cert_not_after_ms(k->next_cert) / 2;
    moor_code c = moor_key_to_pem(k->next_key, &pem, err);
    if (!c)
        c = write_doc(&doc, err);
    if (!c)
        c = write_file(KEY_NAME, moor_secret_reveal(&pem), err);
    return c ? c : reload(k, err);
}

moor_code moor_keystore_drop_next(struct moor_keystore *k, struct moor_error *err)
{
    moor_key_free(MOOR_TAKE(k->next_key));
    moor_cert_free(MOOR_TAKE(k->next_cert));
    moor_code c = remove_file(NEXT_CERT_NAME, err);
    return c ? c : remove_file(NEXT_KEY_NAME, err);
}

static bool remove_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    struct moor_error *err = ctx;
    MOOR_AUTOSTR path = NULL;
    if (st->is_dir)
        return true;
    return plat_path(PLAT_DIR_CERTS, &path, err, "%s", name) == MOOR_OK &&
           plat_remove(path, err) == MOOR_OK;
}

moor_code moor_keystore_wipe(struct moor_keystore *k, struct moor_error *err)
{
    moor_keystore_drop(k);
    const char *folder = plat_dir_path(PLAT_DIR_CERTS);
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = plat_list_dir(folder, remove_entry, &why, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (c)
        return c;
    if (why.code)
        return moor_fail(err, why.code, "%s", why.msg);
    return plat_sync_dir(folder, err);
}

moor_code moor_keystore_sealing_key(const struct moor_keystore *k, unsigned char out[32],
                                    struct moor_error *err)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    if (moor_key_in_tpm(k->key))
        return moor_tpm_key_secret(k->key, out, err);
    moor_code c = moor_key_to_pem(k->key, &pem, err);
    if (!c)
        moor_hmac_sha256(moor_secret_reveal(&pem), MOOR_SPAN_LIT("mooring tokens.cache 1"), out);
    return c;
}
