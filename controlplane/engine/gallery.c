/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/gallery.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "engine/incoming.h"
#include "platform/file.h"
#include "store/extensions.h"

#define SIGNATURE_MAX ((size_t)64 * 1024)
#define DER_SEQUENCE  0x30

static const char *base_name(const char *path)
{
    const char *name = path;
    for (const char *p = path; *p; p++)
        if (*p == '/')
            name = p + 1;
    return name;
}

/* The version may be there already: with the same bytes that is fine. */
static moor_code check_not_taken(struct moor_store *s, const struct moor_package *p,
                                 struct moor_arena *arena, struct moor_error *err)
{
    struct moor_package_list list;
    moor_code c = moor_package_list(s, p->publisher, p->type, arena, &list, err);
    if (c)
        return c;
    for (size_t i = 0; i < list.count; i++)
        if (moor_version_cmp(moor_span_str(list.items[i].version), moor_span_str(p->version)) ==
                0 &&
            !moor_streq(list.items[i].sha256, p->sha256))
            return moor_fail(err, MOOR_E_EXISTS, "%s.%s %s: published with other content",
                             p->publisher, p->type, p->version);
    return MOOR_OK;
}

static moor_code store_publisher_signature(const struct moor_publish *p, const char *final,
                                           struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(SIGNATURE_MAX);
    moor_code c = plat_read_all(p->signature_path, SIGNATURE_MAX, &der, err);
    if (c)
        return c;
    if (der.len < 2 || (unsigned char)der.data[0] != DER_SEQUENCE)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a CMS signature in DER",
                         p->signature_path);
    const char *path = moor_arena_fmt(arena, "%s" MOOR_PUBLISHER_SIGNATURE, final);
    return plat_write_atomic(path ? path : "", moor_buf_view(&der), PLAT_OWNER_ONLY, err);
}

static moor_code store_gallery_signature(const struct moor_publish *p, const char *incoming,
                                         const char *final, struct moor_arena *arena,
                                         struct moor_error *err)
{
    MOOR_AUTO(plat_file) zip = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(SIGNATURE_MAX);
    const char *path = moor_arena_fmt(arena, "%s" MOOR_GALLERY_SIGNATURE, final);
    moor_code c;
    if ((c = plat_open(incoming, PLAT_READ, &zip, err)) ||
        (c = moor_cms_sign_file(p->gallery_cert, p->gallery_key, &zip, &der, err)) ||
        (c = moor_buf_ok(&der, "signature", err)))
        return c;
    return plat_write_atomic(path ? path : "", moor_buf_view(&der), PLAT_OWNER_ONLY, err);
}

moor_code moor_gallery_publish(struct moor_store *s, const struct moor_publish *p,
                               struct moor_arena *arena, struct moor_package *out,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_incoming) in = MOOR_INCOMING_INIT;
    struct moor_package_name *name = moor_arena_alloc(arena, sizeof *name);
    moor_code c;
    if (!name)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", p->zip_path);
    if ((c = moor_incoming_copy(p->zip_path, p->packages_dir, arena, &in, err)) ||
        (c = moor_package_inspect(in.path, base_name(p->zip_path), &p->asked, name, err)))
        return c;

    const struct moor_package pkg = { .publisher = name->publisher,
                                      .type = name->type,
                                      .version = name->version,
                                      .sha256 = in.sha256,
                                      .size = in.size,
                                      .multi_config = name->multi_config,
                                      .publisher_signature = p->signature_path != NULL,
                                      .published_ms = p->now_ms };
    const char *final = moor_arena_fmt(arena, "%s/%s.zip", p->packages_dir, pkg.sha256);
    if (!final)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", p->zip_path);
    if ((c = check_not_taken(s, &pkg, arena, err)) ||
        (c = store_gallery_signature(p, in.path, final, arena, err)) ||
        (p->signature_path && (c = store_publisher_signature(p, final, arena, err))) ||
        (c = moor_incoming_keep(&in, p->packages_dir, final, err)))
        return c;
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    if ((c = moor_store_begin(s, &tx, err)) || (c = moor_package_add(s, &pkg, err)) ||
        (c = moor_extension_published(s, pkg.publisher, pkg.type, err)) ||
        (c = moor_store_commit(&tx, err)))
        return c;
    *out = pkg;
    return MOOR_OK;
}

/* Versions. */
static unsigned parts_of(const char *version)
{
    unsigned n = version[0] ? 1 : 0;
    for (const char *p = version; *p; p++)
        n += *p == '.';
    return n;
}

/* The first n parts of both are the same numbers. */
static bool same_start(const char *a, const char *b, unsigned n)
{
    struct moor_span left = moor_span_str(a), right = moor_span_str(b);
    for (unsigned i = 0; i < n; i++)
        if (moor_version_cmp(moor_span_cut(&left, '.'), moor_span_cut(&right, '.')) != 0)
            return false;
    return true;
}

bool moor_version_wanted(const char *asked, bool auto_minor, const char *candidate)
{
    unsigned parts = parts_of(asked);
    if (parts == 0)
        return true;
    if (parts > 2 || !auto_minor)
        return same_start(asked, candidate, parts);
    return same_start(asked, candidate, 1) &&
           moor_version_cmp(moor_span_str(candidate), moor_span_str(asked)) >= 0;
}

const struct moor_package *moor_gallery_choose(const struct moor_package_list *list,
                                               const char *asked, bool auto_minor)
{
    const struct moor_package *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct moor_package *p = &list->items[i];
        if (!moor_version_wanted(asked, auto_minor, p->version))
            continue;
        if (parts_of(asked) > 2 &&
            moor_version_cmp(moor_span_str(p->version), moor_span_str(asked)) == 0)
            return p;
        if (!best || moor_version_cmp(moor_span_str(p->version), moor_span_str(best->version)) > 0)
            best = p;
    }
    return best;
}

moor_code moor_gallery_signature(const char *packages_dir, const char *sha256, const char *suffix,
                                 struct moor_arena *arena, const char **base64,
                                 struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(SIGNATURE_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SIGNATURE_MAX * 2);
    const char *path = moor_arena_fmt(arena, "%s/%s.zip%s", packages_dir, sha256, suffix);
    moor_code c = plat_read_all(path ? path : "", SIGNATURE_MAX, &der, err);
    if (c)
        return c;
    moor_buf_base64(&text, moor_buf_view(&der));
    if ((c = moor_buf_ok(&text, "signature", err)))
        return c;
    const char *copy = moor_arena_str(arena, moor_buf_view(&text));
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "signature of %s: no memory", sha256);
    *base64 = copy;
    return MOOR_OK;
}
