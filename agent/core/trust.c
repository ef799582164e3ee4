/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trust.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/document.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define DOCUMENT_MAX    (256 * 1024)
#define CERTIFICATE_MAX (16 * 1024)
#define FILES_MAX       128

static const char *const purposes[] = { "extension", "agent", "gallery", NULL };

#define AT(member) offsetof(struct moor_trust, member)
static const struct moor_json_field fields[] = {
    { MOOR_F_U32, "schema", AT(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_STR_LIST, "certificates", AT(certificates), MOOR_F_REQUIRED, 0, 64, NULL },
    { MOOR_F_STR_LIST, "publishers", AT(publishers), MOOR_F_REQUIRED, 1, 256, NULL },
    { MOOR_F_ENUM, "purpose", AT(purpose), MOOR_F_REQUIRED, 0, 0, purposes },
    { MOOR_F_STR_LIST, "revoked", AT(revoked), 0, 0, 1024, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_trust), fields, MOOR_F_STRICT };

static moor_code check(const struct moor_trust *t, struct moor_error *err)
{
    for (size_t i = 0; i < t->certificates.count; i++) {
        MOOR_AUTO(moor_buf) der = MOOR_BUF(CERTIFICATE_MAX);
        if (moor_base64_decode(moor_span_str(t->certificates.items[i]), &der, err) != MOOR_OK)
            return moor_context(err, "trust document: certificates[%zu]", i);
    }
    for (size_t i = 0; i < t->revoked.count; i++) {
        const char *digest = t->revoked.items[i];
        if (strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "trust document: revoked[%zu]: want 64 lower-case hexadecimal digits",
                             i);
    }
    return MOOR_OK;
}

moor_code moor_trust_parse(struct moor_span text, struct moor_trust *out, struct moor_arena *arena,
                           struct moor_error *err)
{
    struct moor_trust t = { .schema = 0 };
    moor_code c = moor_document_decode(text, "trust document", &shape, 1, &t, arena, err);
    if (c == MOOR_OK)
        c = check(&t, err);
    if (c == MOOR_OK)
        *out = t;
    return c;
}

struct found {
    struct moor_arena *arena;
    const char *names[FILES_MAX];
    size_t count;
    bool failed;
};

static bool add(void *ctx, const char *name, const struct plat_stat *st)
{
    struct found *f = ctx;
    struct moor_span s = moor_span_str(name);
    if (!st->is_file || name[0] == '.' || !moor_span_ends(s, ".json"))
        return true;
    const char *copy = moor_arena_str(f->arena, moor_span(s.p, s.n - strlen(".json")));
    f->failed = !copy || f->count == FILES_MAX;
    if (f->failed)
        return false;
    size_t at = f->count++;
    for (; at > 0 && strcmp(f->names[at - 1], copy) > 0; at--)
        f->names[at] = f->names[at - 1];
    f->names[at] = copy;
    return true;
}

static moor_code load(const char *name, struct moor_trust *out, struct moor_arena *arena,
                      struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOCUMENT_MAX);
    moor_code c = plat_path(PLAT_DIR_ETC, &path, err, "trust.d/%s.json", name);
    if (c == MOOR_OK)
        c = plat_read_all(path, DOCUMENT_MAX, &text, err);
    if (c != MOOR_OK)
        return c;
    if (moor_trust_parse(moor_buf_view(&text), out, arena, err) != MOOR_OK)
        return moor_context(err, "%s", path);
    out->name = name;
    return MOOR_OK;
}

moor_code moor_trust_load_all(struct moor_trust **out, size_t *count, struct moor_arena *arena,
                              struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    struct found f = { .arena = arena };
    moor_code c = plat_path(PLAT_DIR_ETC, &folder, err, "trust.d");
    if (c == MOOR_OK)
        c = plat_list_dir(folder, add, &f, err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return c;
    struct moor_trust *all = moor_arena_array(arena, f.count, sizeof(*all));
    if (f.failed || !all)
        return moor_fail(err, MOOR_E_NOMEM, "%s: more than %d files, or out of memory", folder,
                         FILES_MAX);
    for (size_t i = 0; i < f.count; i++) {
        c = load(f.names[i], &all[i], arena, err);
        if (c != MOOR_OK)
            return c;
    }
    *out = all;
    *count = f.count;
    return MOOR_OK;
}

moor_code moor_trust_save(const struct moor_trust *in, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = check(in, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_ETC, &path, err, "trust.d/%s.json", in->name);
    return c == MOOR_OK ? moor_document_save(path, &shape, in, DOCUMENT_MAX, err) : c;
}

bool moor_publisher_matches(struct moor_span pattern, const char *publisher)
{
    struct moor_span name = moor_span_str(publisher);
    if (moor_span_eq_nocase(pattern, name))
        return true;
    return moor_span_ends(pattern, "*") && name.n >= pattern.n - 1 &&
           moor_span_eq_nocase(moor_span(pattern.p, pattern.n - 1),
                               moor_span(name.p, pattern.n - 1));
}

bool moor_trust_covers(const struct moor_trust *t, const char *publisher)
{
    for (size_t i = 0; i < t->publishers.count; i++) {
        if (moor_publisher_matches(moor_span_str(t->publishers.items[i]), publisher))
            return true;
    }
    return false;
}
