/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/package.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"
#include "contract/manifest.h"
#include "crypto/digest.h"
#include "manager/zip_reader.h"
#include "platform/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK           (256 * 1024)
#define FLUSH_EACH_MAX  16 /* files */
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define TEMP_PREFIX     ".unpack-"
#define RATIO_FREE      ((uint64_t)16 * 1024 * 1024)

static moor_code invalid(struct moor_error *err, const char *service_code)
{
    if (err)
        (void)snprintf(err->service_code, sizeof(err->service_code), "%s", service_code);
    return MOOR_E_BADINPUT;
}

moor_code moor_package_check_bytes(const struct plat_file *zip, uint64_t size,
                                   const char *sha256_hex, struct moor_error *err)
{
    unsigned char sha[32];
    uint64_t got = 0;
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(64);
    moor_code c = moor_digest_file(zip, sha, &got, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_hex(&hex, moor_span(sha, sizeof(sha)));
    if (got != size)
        c = moor_fail(err, MOOR_E_BADINPUT,
                      "package: has %" PRIu64 " bytes, the service said %" PRIu64, got, size);
    else if (moor_strcasecmp(moor_buf_cstr(&hex), sha256_hex) != 0)
        c = moor_fail(err, MOOR_E_BADINPUT, "package: SHA-256 is %s, the service said %s",
                      moor_buf_cstr(&hex), sha256_hex);
    return c == MOOR_OK ? c : invalid(err, "PackageCorrupt");
}

/* Names are compared without case, so that a package means the same on every file system. */
static int by_name(const void *a, const void *b)
{
    return moor_strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static moor_code check_part(struct moor_span part, size_t index, struct moor_error *err)
{
    if (part.n == 0 || part.n > 255 || moor_span_eq_str(part, ".") || moor_span_eq_str(part, ".."))
        return moor_fail(err, MOOR_E_BADINPUT, "package: entry %zu: unsafe path", index);
    for (size_t i = 0; i < part.n; i++) {
        unsigned char ch = (unsigned char)part.p[i];
        if (ch < 0x20 || ch == 0x7F || ch == '\\' || ch == ':')
            return moor_fail(err, MOOR_E_BADINPUT, "package: entry %zu: unsafe character in name",
                             index);
    }
    return MOOR_OK;
}

static moor_code check_name(const struct moor_zip_entry *e, size_t index, struct moor_error *err)
{
    struct moor_span rest = moor_span_str(e->name);
    size_t depth = 0;
    if (rest.n == 0 || rest.n > 1024 || !moor_utf8_valid(rest))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "package: entry %zu: name is not 1..1024 bytes of "
                         "UTF-8",
                         index);
    if (e->is_dir)
        rest.n--; /* the slash at its end */
    while (rest.p) {
        moor_code c = check_part(moor_span_cut(&rest, '/'), index, err);
        if (c != MOOR_OK)
            return c;
        if (++depth > MOOR_PACKAGE_DEPTH_MAX)
            return moor_fail(err, MOOR_E_BADINPUT, "package: entry %zu: want at most %d folders",
                             index, MOOR_PACKAGE_DEPTH_MAX);
    }
    return MOOR_OK;
}

static moor_code check_sizes(const struct moor_zip_entry *e, uint64_t *unpacked, uint64_t *packed,
                             struct moor_error *err)
{
    if (e->size > MOOR_PACKAGE_UNPACKED_MAX || *unpacked + e->size > MOOR_PACKAGE_UNPACKED_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "package: want at most %" PRIu64 " bytes unpacked",
                         MOOR_PACKAGE_UNPACKED_MAX);
    *unpacked += e->size;
    *packed += e->packed;
    if (*unpacked > RATIO_FREE && *unpacked - RATIO_FREE > *packed * MOOR_PACKAGE_RATIO_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "package: unpacks to more than %d times its size",
                         MOOR_PACKAGE_RATIO_MAX);
    return MOOR_OK;
}

/* A file must not be a folder of another entry's. names is sorted. */
static moor_code check_parents(const char *const *names, size_t count, struct moor_error *err)
{
    char parent[1025];
    const char *key = parent;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        memcpy(parent, names[i], n + 1);
        while (n-- > 0) {
            if (parent[n] != '/')
                continue;
            parent[n] = 0;
            if (bsearch(&key, names, count, sizeof(*names), by_name))
                return moor_fail(err, MOOR_E_BADINPUT, "package: %s: is a file and a folder",
                                 parent);
        }
    }
    return MOOR_OK;
}

/* The whole directory is judged before the first byte is written. */
static moor_code check_entries(struct moor_zip *zip, const char **names, struct moor_error *err)
{
    uint64_t unpacked = 0, packed = 0;
    size_t count = moor_zip_count(zip);
    for (size_t i = 0; i < count; i++) {
        struct moor_zip_entry e;
        moor_code c = moor_zip_entry(zip, i, &e, err);
        if (c == MOOR_OK)
            c = check_name(&e, i, err);
        if (c == MOOR_OK)
            c = check_sizes(&e, &unpacked, &packed, err);
        if (c != MOOR_OK)
            return c;
        if (!e.is_file && !e.is_dir)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "package: entry %zu: is a link, a device or encrypted", i);
        names[i] = e.name;
    }
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 1; i < count; i++) {
        if (moor_strcasecmp(names[i - 1], names[i]) == 0)
            return moor_fail(err, MOOR_E_BADINPUT, "package: %s: stands twice", names[i]);
    }
    if (packed > moor_zip_size(zip))
        return moor_fail(err, MOOR_E_BADINPUT, "package: its entries overlap");
    return check_parents(names, count, err);
}

moor_code moor_package_check_archive(struct moor_zip *zip, struct moor_error *err)
{
    size_t count = moor_zip_count(zip);
    if (count == 0 || count > MOOR_PACKAGE_FILES_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "package: want 1..%d entries",
                         MOOR_PACKAGE_FILES_MAX);
    const char **names = calloc(count, sizeof(*names));
    if (!names)
        return moor_fail(err, MOOR_E_NOMEM, "package: out of memory");
    moor_code c = check_entries(zip, names, err);
    free(names);
    return c;
}

static moor_code write_entry(struct moor_zip *zip, size_t index, const struct moor_zip_entry *e,
                             const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    MOOR_AUTOPTR(moor_zip_stream) in = NULL;
    MOOR_AUTO(moor_buf) chunk = MOOR_BUF(CHUNK);
    uint64_t written = 0;
    moor_code c = moor_zip_open_entry(zip, index, &in, err);
    if (c == MOOR_OK)
        c = plat_create_new(path, PLAT_OWNER_ONLY, &out, err);
    char *room = moor_buf_room(&chunk, CHUNK);
    if (c == MOOR_OK && !room)
        c = moor_fail(err, MOOR_E_NOMEM, "package: out of memory");
    while (c == MOOR_OK) {
        size_t got = 0;
        c = moor_zip_read(in, room, CHUNK, &got, err);
        if (c != MOOR_OK || got == 0)
            break;
        written += got;
        if (written > e->size)
            c = moor_fail(err, MOOR_E_BADINPUT, "package: entry %zu: is longer than it says",
                          index);
        else
            c = plat_append(&out, moor_span(room, got), err);
    }
    if (c == MOOR_OK && written != e->size)
        c = moor_fail(err, MOOR_E_BADINPUT, "package: entry %zu: is shorter than it says", index);
    /* Packages made on other systems carry no execute bits; the reference agent sets u+x on all. */
    return c == MOOR_OK ? plat_set_mode(path, 0700, err) : c;
}

static moor_code write_all(struct moor_zip *zip, const char *folder, struct moor_error *err)
{
    for (size_t i = 0; i < moor_zip_count(zip); i++) {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(8192);
        struct moor_zip_entry e;
        moor_code c = moor_zip_entry(zip, i, &e, err);
        if (c != MOOR_OK)
            return c;
        moor_buf_fmt(&path, "%s/%s", folder, e.name);
        size_t end = path.len;
        while (end > 0 && path.data[end - 1] != '/')
            end--;
        MOOR_AUTO(moor_buf) parent = MOOR_BUF(8192);
        moor_buf_add(&parent, path.data, end - 1);
        c = plat_make_dirs(moor_buf_cstr(&parent), PLAT_OWNER_ONLY, err);
        if (c == MOOR_OK && e.is_file)
            c = write_entry(zip, i, &e, moor_buf_cstr(&path), err);
        if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

/* A flush of the file system costs as much as those of some files; with what others write, more. */
static bool flushed_at_once(const struct moor_zip *zip)
{
    return moor_zip_count(zip) > FLUSH_EACH_MAX;
}

/* All are written before the first is flushed: that takes the others along. */
static moor_code sync_files(struct moor_zip *zip, const char *folder, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    for (size_t i = 0; i < moor_zip_count(zip) && c == MOOR_OK; i++) {
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        MOOR_AUTO(moor_buf) path = MOOR_BUF(8192);
        struct moor_zip_entry e;
        c = moor_zip_entry(zip, i, &e, err);
        if (c != MOOR_OK || !e.is_file)
            continue;
        moor_buf_fmt(&path, "%s/%s", folder, e.name);
        c = plat_open(moor_buf_cstr(&path), PLAT_WRITE, &f, err);
        if (c == MOOR_OK)
            c = plat_sync(&f, err);
    }
    return c;
}

/* Names in folders below the first are not durable by the sync of the first. */
static moor_code sync_folders(struct moor_zip *zip, const char *folder, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) last = MOOR_BUF(8192);
    for (size_t i = 0; i < moor_zip_count(zip); i++) {
        struct moor_zip_entry e;
        moor_code c = moor_zip_entry(zip, i, &e, err);
        if (c != MOOR_OK)
            return c;
        for (const char *slash = strchr(e.name, '/'); slash; slash = strchr(slash + 1, '/')) {
            MOOR_AUTO(moor_buf) path = MOOR_BUF(8192);
            moor_buf_fmt(&path, "%s/%.*s", folder, (int)(slash - e.name), e.name);
            if (moor_span_starts(moor_buf_view(&last), moor_buf_cstr(&path)))
                continue; /* entries of one folder mostly stand together */
            c = plat_sync_dir(moor_buf_cstr(&path), err);
            if (c != MOOR_OK)
                return c;
            moor_buf_reset(&last);
            moor_buf_span(&last, moor_buf_view(&path));
        }
    }
    return MOOR_OK;
}

static moor_code check_claim(const struct moor_manifest *m, const struct moor_package_claim *claim,
                             struct moor_error *err)
{
    bool any = *m->signing_publisher || *m->signing_type || *m->signing_version;
    if (!any && claim->signing_info_required)
        return moor_fail(err, MOOR_E_BADINPUT, "package: its manifest holds no signingInfo");
    if (any &&
        (moor_strcasecmp(m->signing_publisher, claim->publisher) != 0 ||
         moor_strcasecmp(m->signing_type, claim->type) != 0 ||
         moor_version_cmp(moor_span_str(m->signing_version), moor_span_str(claim->version)) != 0))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "package: its signingInfo names another publisher, type or version than "
                         "%s.%s %s",
                         claim->publisher, claim->type, claim->version);
    return MOOR_OK;
}

/* The name of an entry without its folders. */
static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* A manifest that lies deeper, or begins with a byte order mark, is put where handlers and later
 * readers look for it, as they read it: the one with the shortest name, as the reference agent
 * finds it. */
static moor_code place_manifest(struct moor_zip *zip, const char *folder, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) from = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) to = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_MANIFEST_MAX);
    const char *best = NULL;
    for (size_t i = 0; i < moor_zip_count(zip); i++) {
        struct moor_zip_entry e;
        moor_code c = moor_zip_entry(zip, i, &e, err);
        if (c != MOOR_OK)
            return c;
        if (e.is_file && strcmp(base_name(e.name), MOOR_MANIFEST_NAME) == 0 &&
            (!best || strlen(e.name) < strlen(best)))
            best = e.name;
    }
    if (!best)
        return MOOR_OK;
    moor_buf_fmt(&from, "%s/%s", folder, best);
    moor_buf_fmt(&to, "%s/%s", folder, MOOR_MANIFEST_NAME);
    moor_code c = plat_read_all(moor_buf_cstr(&from), MOOR_MANIFEST_MAX, &text, err);
    struct moor_span clean = moor_buf_view(&text);
    bool marked = moor_span_starts(clean, BYTE_ORDER_MARK);
    if (c != MOOR_OK || (!marked && strcmp(best, MOOR_MANIFEST_NAME) == 0))
        return c;
    if (marked)
        clean =
            moor_span(clean.p + sizeof(BYTE_ORDER_MARK) - 1, clean.n - sizeof(BYTE_ORDER_MARK) + 1);
    return plat_write_atomic(moor_buf_cstr(&to), clean, PLAT_OWNER_ONLY, err);
}

static moor_code check_manifest(const char *folder, const struct moor_package_claim *claim,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_MANIFEST_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8 * MOOR_MANIFEST_MAX);
    struct moor_manifest m;
    moor_buf_fmt(&path, "%s/%s", folder, MOOR_MANIFEST_NAME);
    moor_code c = plat_read_all(moor_buf_cstr(&path), MOOR_MANIFEST_MAX, &text, err);
    if (c == MOOR_E_NOTFOUND)
        return moor_fail(err, MOOR_E_BADINPUT, "package: holds no %s", MOOR_MANIFEST_NAME);
    if (c == MOOR_OK)
        c = moor_manifest_parse(moor_buf_view(&text), &m, &arena, err);
    return c == MOOR_OK ? check_claim(&m, claim, err) : c;
}

/* Found out before the first file is written: a disk that is nearly full hurts everybody. */
static moor_code check_space(struct moor_zip *zip, const char *root, struct moor_error *err)
{
    uint64_t unpacked = 0, space = 0;
    moor_code c = plat_free_space(root, &space, err);
    for (size_t i = 0; i < moor_zip_count(zip) && c == MOOR_OK; i++) {
        struct moor_zip_entry e;
        c = moor_zip_entry(zip, i, &e, err);
        unpacked += c == MOOR_OK ? e.size : 0;
    }
    if (c == MOOR_OK && space < unpacked + MOOR_PACKAGE_SPARE)
        c = moor_fail(err, MOOR_E_IO,
                      "package: needs %" PRIu64 " bytes of disk in %s, %" PRIu64 " are free",
                      unpacked + MOOR_PACKAGE_SPARE, root, space);
    return c;
}

static moor_code unpack_to(const struct plat_file *file, const char *root, const char *folder,
                           const struct moor_package_claim *claim, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_zip) zip = NULL;
    moor_code c = moor_zip_open(file, &zip, err);
    if (c == MOOR_OK)
        c = moor_package_check_archive(zip, err);
    if (c == MOOR_OK)
        c = check_space(zip, root, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = write_all(zip, folder, err);
    if (c == MOOR_OK && flushed_at_once(zip))
        c = plat_sync_all(folder, err);
    else if (c == MOOR_OK && (c = sync_files(zip, folder, err)) == MOOR_OK)
        c = sync_folders(zip, folder, err);
    if (c == MOOR_OK)
        c = place_manifest(zip, folder, err);
    return c == MOOR_OK ? check_manifest(folder, claim, err) : c;
}

moor_code moor_package_unpack(const struct plat_file *zip, const char *target,
                              const struct moor_package_claim *claim, struct moor_error *err)
{
    const char *slash = strrchr(target, '/');
    MOOR_ASSERT(slash && slash != target);
    MOOR_AUTO(moor_buf) root = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) temp = MOOR_BUF(4200);
    moor_buf_add(&root, target, (size_t)(slash - target));
    moor_buf_fmt(&temp, "%s/" TEMP_PREFIX "%08" PRIx32, moor_buf_cstr(&root),
                 plat_random_below(UINT32_MAX));
    moor_code c = unpack_to(zip, moor_buf_cstr(&root), moor_buf_cstr(&temp), claim, err);
    if (c == MOOR_OK)
        c = plat_sync_dir(moor_buf_cstr(&temp), err);
    if (c == MOOR_OK)
        c = plat_remove_tree(target, err);
    if (c == MOOR_OK)
        c = plat_rename(moor_buf_cstr(&temp), target, err);
    if (c == MOOR_OK)
        return plat_sync_dir(moor_buf_cstr(&root), err);
    if (c == MOOR_E_BADINPUT)
        (void)invalid(err, "PackageInvalid");
    moor_code ignored = plat_remove_tree(moor_buf_cstr(&temp), NULL);
    (void)ignored;
    return c;
}

struct clean {
    const char *handlers;
    moor_code code;
    struct moor_error *err;
};

static bool clean_one(void *ctx, const char *name, const struct plat_stat *st)
{
    struct clean *clean = ctx;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(8192);
    if (!st->is_dir || strncmp(name, TEMP_PREFIX, sizeof(TEMP_PREFIX) - 1) != 0)
        return true;
    moor_buf_fmt(&path, "%s/%s", clean->handlers, name);
    clean->code = plat_remove_tree(moor_buf_cstr(&path), clean->err);
    return clean->code == MOOR_OK;
}

moor_code moor_package_clean(const char *handlers, struct moor_error *err)
{
    struct clean clean = { handlers, MOOR_OK, err };
    moor_code c = plat_list_dir(handlers, clean_one, &clean, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    return c == MOOR_OK ? clean.code : c;
}
