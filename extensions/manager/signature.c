/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/signature.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/sha256.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/cms.h"

#include <stdio.h>
#include <string.h>

#define ROOTS_MAX 64

struct roots {
    struct moor_cert *list[ROOTS_MAX];
    size_t count;
};

static void roots_drop(struct roots *r)
{
    for (size_t i = 0; i < r->count; i++)
        moor_cert_free(r->list[i]);
    r->count = 0;
}
MOOR_DEFINE_AUTO(roots)

static bool is_revoked(const struct moor_signature_request *r, const struct moor_cert *cert)
{
    unsigned char sha[32];
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(64);
    moor_cert_sha256(cert, sha);
    moor_buf_hex(&hex, moor_span(sha, sizeof(sha)));
    for (size_t i = 0; i < r->trust_count; i++) {
        for (size_t n = 0; n < r->trust[i].revoked.count; n++) {
            if (moor_strcasecmp(r->trust[i].revoked.items[n], moor_buf_cstr(&hex)) == 0)
                return true;
        }
    }
    return false;
}

static moor_code add_root(const struct moor_signature_request *r, const char *base64,
                          struct roots *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16 * 1024);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    moor_code c = moor_base64_decode(moor_span_str(base64), &der, err);
    if (c == MOOR_OK)
        c = moor_cert_from_der(moor_buf_view(&der), &cert, err);
    if (c != MOOR_OK || is_revoked(r, cert))
        return c;
    if (out->count == ROOTS_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "trust.d: want at most %d certificates", ROOTS_MAX);
    out->list[out->count++] = MOOR_TAKE(cert);
    return MOOR_OK;
}

static moor_code collect(const struct moor_signature_request *r, moor_trust_purpose purpose,
                         struct roots *out, struct moor_error *err)
{
    for (size_t i = 0; i < r->trust_count; i++) {
        const struct moor_trust *t = &r->trust[i];
        if (t->purpose != (int)purpose || !moor_trust_covers(t, r->publisher))
            continue;
        for (size_t n = 0; n < t->certificates.count; n++) {
            moor_code c = add_root(r, t->certificates.items[n], out, err);
            if (c != MOOR_OK)
                return moor_context(err, "trust.d/%s.json", t->name);
        }
    }
    return MOOR_OK;
}

static moor_code refuse(struct moor_error *err, const char *code)
{
    if (err)
        (void)snprintf(err->service_code, sizeof(err->service_code), "%s", code);
    return err ? err->code : MOOR_E_DENIED;
}

static moor_code check_one(const struct moor_signature_request *r, moor_trust_purpose purpose,
                           const char *what, const struct plat_file *zip,
                           struct moor_span signature, bool *good, struct moor_error *err)
{
    MOOR_AUTO(roots) roots = { .count = 0 };
    *good = false;
    if (signature.n == 0)
        return MOOR_OK;
    moor_code c = collect(r, purpose, &roots, err);
    if (c != MOOR_OK)
        return c;
    if (roots.count == 0)
        return MOOR_OK; /* signed by somebody unknown here: as if unsigned */
    c = moor_cms_verify_file(signature, zip, (const struct moor_cert *const *)roots.list,
                             roots.count, err);
    if (c != MOOR_OK) {
        c = moor_context(err, "package of %s.%s: signature of the %s", r->publisher, r->type, what);
        refuse(err, "PackageSignatureInvalid");
        return c;
    }
    *good = true;
    return MOOR_OK;
}

moor_code moor_signature_check(const struct moor_signature_request *r, const struct plat_file *zip,
                               struct moor_error *err)
{
    bool by_gallery = false, by_publisher = false;
    moor_code c = check_one(r, MOOR_TRUST_GALLERY, "gallery", zip, r->gallery, &by_gallery, err);
    if (c == MOOR_OK)
        c = check_one(r, MOOR_TRUST_EXTENSION, "publisher", zip, r->by_publisher, &by_publisher,
                      err);
    if (c != MOOR_OK)
        return c;
    if (r->rule == MOOR_SIGNATURE_NO || by_publisher ||
        (r->rule == MOOR_SIGNATURE_GALLERY && by_gallery))
        return MOOR_OK;
    c = moor_fail(err, MOOR_E_DENIED,
                  "package of %s.%s: this machine wants a signature of the %s, and none is by a "
                  "certificate in trust.d",
                  r->publisher, r->type,
                  r->rule == MOOR_SIGNATURE_PUBLISHER ? "publisher" : "gallery or publisher");
    refuse(err, "PackageSignatureInvalid");
    return c;
}
