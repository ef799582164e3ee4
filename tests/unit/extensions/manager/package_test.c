/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made here, byte by byte, since no archiver writes the ones that matter. */
#include "manager/package.h"

#include "base/buf.h"
#include "base/sha256.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "rooted.h"
#include "zip_made.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4
#define MANIFEST                                                                                   \
    "[{\"handlerManifest\":{\"installCommand\":\"i\",\"updateCommand\":\"u\","                     \
    "\"enableCommand\":\"e\",\"disableCommand\":\"d\",\"uninstallCommand\":\"n\"}}]"
#define SIGNED                                                                                     \
    "[{\"handlerManifest\":{\"installCommand\":\"i\",\"updateCommand\":\"u\","                     \
    "\"enableCommand\":\"e\",\"disableCommand\":\"d\",\"uninstallCommand\":\"n\"},"                \
    "\"signingInfo\":{\"publisher\":\"p\",\"type\":\"t\",\"version\":\"1.0\"}}]"

static char *path_below(const char *name)
{
    char *path = NULL;
    moor_code c = plat_make_dirs(plat_dir_path(PLAT_DIR_HANDLERS), PLAT_OWNER_ONLY, NULL);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_HANDLERS, &path, NULL, "%s", name);
    MOOR_ASSERT(c == MOOR_OK);
    return path;
}

static void open_bytes(struct moor_span bytes, struct plat_file *out)
{
    MOOR_AUTOSTR path = path_below("p.zip");
    moor_code c = plat_write_atomic(path, bytes, PLAT_OWNER_ONLY, NULL);
    if (c == MOOR_OK)
        c = plat_open(path, PLAT_READ, out, NULL);
    MOOR_ASSERT(c == MOOR_OK);
}

static moor_code unpack(struct moor_span bytes, bool signing_info, struct moor_error *err)
{
    MOOR_AUTO(plat_file) zip = PLAT_FILE_INIT;
    MOOR_AUTOSTR target = path_below("P.T-1.0");
    const struct moor_package_claim claim = { "P", "T", "1.0", signing_info };
    open_bytes(bytes, &zip);
    return moor_package_unpack(&zip, target, &claim, err);
}

static bool count_one(void *ctx, const char *name, const struct plat_stat *st)
{
    (void)name;
    *(size_t *)ctx += st->is_dir;
    return true;
}

static size_t folders(void)
{
    size_t n = 0;
    moor_code c = plat_list_dir(plat_dir_path(PLAT_DIR_HANDLERS), count_one, &n, NULL);
    return c == MOOR_OK || c == MOOR_E_NOTFOUND ? n : SIZE_MAX;
}

static void remove_target(void)
{
    MOOR_AUTOSTR target = path_below("P.T-1.0");
    CHECK_INT(plat_remove_tree(target, NULL), MOOR_OK);
}

#define GOOD                                                                                       \
    {                                                                                              \
        "HandlerManifest.json", MANIFEST, 0, 0, 0, false                                           \
    }

static const struct {
    const char *said;
    struct entry entries[ENTRIES_MAX];
} bad[] = {
    { "want 1..20000 entries", { { NULL, NULL, 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "../e", "", 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "a/../../e", "", 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "/e", "", 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "a//e", "", 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "./e", "", 0, 0, 0, false } } },
    { "unsafe path", { GOOD, { "/", "", 0040755, 0, 0, false } } },
    { "unsafe character", { GOOD, { "a\\e", "", 0, 0, 0, false } } },
    { "unsafe character", { GOOD, { "c:e", "", 0, 0, 0, false } } },
    { "unsafe character", { GOOD, { "a\ne", "", 0, 0, 0, false } } },
    { "unsafe character", { GOOD, { "a\x7F", "", 0, 0, 0, false } } },
    { "is a link, a device", { GOOD, { "e", "/etc", 0120777, 0, 0, false } } },
    { "is a link, a device", { GOOD, { "e", "", 0020666, 0, 0, false } } },
    { "is a link, a device", { GOOD, { "e", "", 0060660, 0, 0, false } } },
    { "is a link, a device", { GOOD, { "e", "", 0140777, 0, 0, false } } },
    { "unsafe path", { GOOD, { "e/", "", 0120777, 0, 0, false } } },
    { "or encrypted", { GOOD, { "e", "0123456789abcdef", 0, 1, 0, false } } },
    { "stands twice", { GOOD, { "e", "a", 0, 0, 0, false }, { "e", "b", 0, 0, 0, false } } },
    { "stands twice", { GOOD, { "e/f", "a", 0, 0, 0, false }, { "E/F", "b", 0, 0, 0, false } } },
    { "stands twice", { GOOD, { "handlermanifest.JSON", "a", 0, 0, 0, false } } },
    { "is a file and a folder",
      { GOOD, { "e", "a", 0, 0, 0, false }, { "E/f", "b", 0, 0, 0, false } } },
    { "is a file and a folder",
      { GOOD, { "e/", "", 0040755, 0, 0, false }, { "e", "b", 0, 0, 0, false } } },
    { "entries overlap",
      { GOOD,
        { "a", MANIFEST MANIFEST, 0, 0, 0, true },
        { "b", MANIFEST MANIFEST, 0, 0, 0, true } } },
    { "holds no HandlerManifest.json", { { "e", "a", 0, 0, 0, false } } },
    { "HandlerManifest.json", { { "HandlerManifest.json", "[{", 0, 0, 0, false } } },
    { "installCommand: is required",
      { { "HandlerManifest.json", "[{\"handlerManifest\":{}}]", 0, 0, 0, false } } },
};

static void an_archive_that_breaks_a_rule_is_refused_and_leaves_nothing(void)
{
    CHECK_INT(plat_remove_tree(plat_dir_path(PLAT_DIR_HANDLERS), NULL), MOOR_OK); /* earlier run */
    for (size_t n = 0; n < MOOR_COUNTOF(bad); n++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(1024 * 1024);
        struct moor_error err = MOOR_ERROR_INIT;
        size_t count = 0;
        while (count < ENTRIES_MAX && bad[n].entries[count].name)
            count++;
        make_zip(&b, bad[n].entries, count);
        CHECK_INT(unpack(moor_buf_view(&b), false, &err), MOOR_E_BADINPUT);
        CHECK_STR(err.service_code, "PackageInvalid");
        if (!CHECK(strstr(err.msg, bad[n].said)))
            printf("# row %zu: \"%s\", want \"%s\"\n", n, err.msg, bad[n].said);
        CHECK_INT(folders(), 0);
    }
}

/* The same bytes are one archive to a reader that looks from the front, another from the back. */
static void an_archive_in_the_comment_of_another_is_refused(void)
{
    MOOR_AUTO(moor_buf) outer = MOOR_BUF(65536);
    MOOR_AUTO(moor_buf) inner = MOOR_BUF(65536);
    const struct entry list[] = { GOOD, { "e", "content", 0, 0, 0, false } };
    struct moor_error err = MOOR_ERROR_INIT;
    make_zip(&outer, list, 2);
    make_zip(&inner, list, 1);
    outer.data[outer.len - 2] = (char)(inner.len & 0xFF);
    outer.data[outer.len - 1] = (char)(inner.len >> 8);
    moor_buf_span(&outer, moor_buf_view(&inner));
    CHECK_INT(unpack(moor_buf_view(&outer), false, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "its comment holds another archive"));
    CHECK_INT(folders(), 0);
}

static void a_size_that_lies_is_found_while_unpacking(void)
{
    static const int32_t lies[] = { -1, 1, 1000 };
    for (size_t n = 0; n < MOOR_COUNTOF(lies); n++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
        const struct entry list[] = { GOOD, { "e", "0123456789", 0, 0, lies[n], false } };
        make_zip(&b, list, 2);
        CHECK_INT(unpack(moor_buf_view(&b), false, NULL), MOOR_E_BADINPUT);
        CHECK_INT(folders(), 0);
    }
}

static void every_cut_of_an_archive_is_refused(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    const struct entry list[] = { GOOD, { "e", "content", 0, 0, 0, false } };
    make_zip(&b, list, 2);
    for (size_t n = 0; n < b.len; n += 11)
        CHECK_INT(unpack(moor_span(b.data, n), false, NULL), MOOR_E_BADINPUT);
    CHECK_INT(folders(), 0);
}

static void a_good_archive_is_unpacked_for_its_owner_only(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    MOOR_AUTOSTR program = path_below("P.T-1.0/bin/run");
    MOOR_AUTOSTR stale = path_below("P.T-1.0/stale");
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    struct plat_stat st;
    const struct entry list[] = { GOOD,
                                  { "bin/", "", 0040777, 0, 0, false },
                                  { "bin/run", "echo", 0104777, 0, 0, false },
                                  { "only/a/folder/", "", 0, 0, 0, false } };
    make_zip(&b, list, 3);
    CHECK_INT(unpack(moor_buf_view(&b), false, NULL), MOOR_OK);
    CHECK_INT(plat_read_all(program, 64, &text, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&text), "echo");
    CHECK_INT(plat_stat_path(program, &st, NULL), MOOR_OK);
    CHECK_INT(st.mode, 0700); /* no setuid, nobody else */
    /* Once more, over what is there. */
    CHECK_INT(plat_write_atomic(stale, moor_span_str("x"), PLAT_OWNER_ONLY, NULL), MOOR_OK);
    CHECK_INT(unpack(moor_buf_view(&b), false, NULL), MOOR_OK);
    CHECK(!plat_exists(stale));
    CHECK_INT(folders(), 1);
    remove_target();
}

static void signing_info_must_say_what_is_installed(void)
{
    static const struct {
        const char *manifest;
        bool required, good;
    } rows[] = {
        { MANIFEST, false, true },
        { MANIFEST, true, false },
        { SIGNED, true, true },
        { SIGNED, false, true },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
        const struct entry list[] = { { "HandlerManifest.json", rows[n].manifest, 0, 0, 0,
                                        false } };
        make_zip(&b, list, 1);
        CHECK_INT(unpack(moor_buf_view(&b), rows[n].required, NULL),
                  rows[n].good ? MOOR_OK : MOOR_E_BADINPUT);
        remove_target();
    }
}

static void size_and_digest_are_checked(void)
{
    char hex[65];
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_sha256_hex(moor_span_str("bytes"), hex);
    open_bytes(moor_span_str("bytes"), &file);
    CHECK_INT(moor_package_check_bytes(&file, 5, hex, &err), MOOR_OK);
    CHECK_INT(moor_package_check_bytes(&file, 6, hex, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "package: has 5 bytes, the service said 6");
    CHECK_STR(err.service_code, "PackageCorrupt");
    hex[0] = hex[0] == '0' ? '1' : '0';
    CHECK_INT(moor_package_check_bytes(&file, 5, hex, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "SHA-256 is "));
}

static void what_an_interrupted_unpack_left_is_removed(void)
{
    MOOR_AUTOSTR left = path_below(".unpack-00000001/bin");
    MOOR_AUTOSTR other = path_below("Other-1.0");
    CHECK_INT(plat_make_dirs(left, PLAT_OWNER_ONLY, NULL), MOOR_OK);
    CHECK_INT(plat_make_dirs(other, PLAT_OWNER_ONLY, NULL), MOOR_OK);
    CHECK_INT(moor_package_clean(plat_dir_path(PLAT_DIR_HANDLERS), NULL), MOOR_OK);
    CHECK(!plat_exists(left));
    CHECK(plat_exists(other));
    CHECK_INT(plat_remove_tree(other, NULL), MOOR_OK);
}

ROOTED_MAIN(CHECK_TEST(an_archive_that_breaks_a_rule_is_refused_and_leaves_nothing),
            CHECK_TEST(an_archive_in_the_comment_of_another_is_refused),
            CHECK_TEST(a_size_that_lies_is_found_while_unpacking),
            CHECK_TEST(every_cut_of_an_archive_is_refused),
            CHECK_TEST(a_good_archive_is_unpacked_for_its_owner_only),
            CHECK_TEST(signing_info_must_say_what_is_installed),
            CHECK_TEST(size_and_digest_are_checked),
            CHECK_TEST(what_an_interrupted_unpack_left_is_removed))
