/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "logs/mark.h"
#include "logs/positions.h"
#include "platform/random.h"

static void kinship_is_decided_by_inode_then_proof(void)
{
    static const struct {
        struct moor_kin_facts facts;
        moor_kinship want;
    } cases[] = {
        { { true, MOOR_MARK_FITS, 10, false, false }, MOOR_KIN_SAME },
        { { true, MOOR_MARK_SHORT, 10, false, false }, MOOR_KIN_EMPTIED },
        { { true, MOOR_MARK_OTHER, 5000, true, true }, MOOR_KIN_EMPTIED },
        { { false, MOOR_MARK_FITS, 10, true, true }, MOOR_KIN_COPY },
        { { false, MOOR_MARK_FITS, 5000, true, false }, MOOR_KIN_COPY },
        /* Little was read, and the known file still has it: two files that begin alike. */
        { { false, MOOR_MARK_FITS, 10, true, false }, MOOR_KIN_NONE },
        { { false, MOOR_MARK_FITS, 5000, false, true }, MOOR_KIN_NONE },
        { { false, MOOR_MARK_FITS, 0, true, true }, MOOR_KIN_NONE },
        { { false, MOOR_MARK_OTHER, 5000, true, true }, MOOR_KIN_NONE },
        { { false, MOOR_MARK_SHORT, 5000, true, true }, MOOR_KIN_NONE },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        CHECK_INT(moor_mark_kinship(&cases[i].facts), cases[i].want);
}

static void rotation_names_are_known(void)
{
    static const struct {
        const char *leaf, *candidate;
        bool loose, strict;
    } cases[] = {
        { "app.log", "app.log.1", true, true },
        { "app.log", "app.log-20261122", true, true },
        { "app.log", "app-20261122.log", true, true },
        { "app.log", "app.log.2026-11-22", true, true },
        { "app.log", "app.1.log", true, true },
        { "app.log", "app.log.old", true, false },
        { "app.log", "app.log~", true, false },
        { "app.log", "app-errors.log", true, false },
        { "app.log", "app.log", false, false },
        { "app.log", "app.logx", false, false },
        { "app.log", "app.log1", false, false },
        { "app.log", "other.log", false, false },
        { "app.log", "app2.log", false, false },
        { "messages", "messages.1", true, true },
        { "messages", "messages-20261122", true, true },
        { "a1.log", "a11.log", false, false },
        { "app.log", "app.log.1.gz", true, true },
        { "app.log", "app.log-20261122.zst", true, true },
        { "app.log", "app-20261122.log.gz", true, true },
        { "app.log", "app.log.gz", true, false },
        { "app.log", "app-errors.log.xz", true, false },
        { "app.log", "other.log.gz", false, false },
        { "app.log", "app.gz", false, false },
        { "app.log", ".gz", false, false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        bool ok = CHECK(moor_rotation_name(cases[i].leaf, cases[i].candidate) == cases[i].loose);
        ok = CHECK(moor_rotation_name_strict(cases[i].leaf, cases[i].candidate) ==
                   cases[i].strict) &&
             ok;
        if (!ok)
            printf("# %s %s\n", cases[i].leaf, cases[i].candidate);
    }
}

static char path[64];

static void write_file(const char *mode, const char *text, size_t times)
{
    FILE *f = fopen(path, mode);
    for (size_t i = 0; i < times; i++)
        (void)fputs(text, f);
    (void)fclose(f);
}

static moor_mark_fit fit_of(const struct moor_mark *m)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_mark_fit fit = MOOR_MARK_OTHER;
    CHECK_INT(plat_open(path, PLAT_READ, &f, NULL), MOOR_OK);
    CHECK_INT(moor_mark_check(&f, m, &fit, NULL), MOOR_OK);
    return fit;
}

static void a_mark_sees_truncation_and_rewriting(void)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct moor_mark m, start;
    write_file("w", "0123456789", 500);
    CHECK_INT(plat_open(path, PLAT_READ, &f, NULL), MOOR_OK);
    CHECK_INT(moor_mark_make(&f, 4000, false, &m, NULL), MOOR_OK);
    CHECK_INT(moor_mark_start(&f, &start, NULL), MOOR_OK);
    CHECK(start.offset == 0 && start.head_len == MOOR_MARK_HEAD);
    CHECK_INT(moor_mark_make(&f, 5001, false, &m, NULL), MOOR_E_BADINPUT);
    CHECK_INT(fit_of(&m), MOOR_MARK_FITS);
    write_file("a", "more", 100);
    CHECK_INT(fit_of(&m), MOOR_MARK_FITS);
    CHECK_INT(fit_of(&start), MOOR_MARK_FITS);
    MOOR_AUTO(plat_file) shorter = PLAT_FILE_INIT;
    CHECK_INT(plat_open(path, PLAT_WRITE, &shorter, NULL), MOOR_OK);
    CHECK_INT(plat_truncate(&shorter, 3999, NULL), MOOR_OK);
    CHECK_INT(fit_of(&m), MOOR_MARK_SHORT);
    /* The same beginning, another middle. */
    write_file("a", "abcdefghij", 500);
    CHECK_INT(fit_of(&m), MOOR_MARK_OTHER);
    CHECK_INT(fit_of(&start), MOOR_MARK_FITS);
    write_file("w", "x", 8000);
    CHECK_INT(fit_of(&m), MOOR_MARK_OTHER);
    CHECK_INT(fit_of(&start), MOOR_MARK_OTHER);
}

static void a_position_is_written_and_read(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
    const struct moor_file_key key = { UINT64_MAX, UINT64_C(0xfedcba9876543210) };
    struct moor_file_key key_back;
    struct moor_mark m = { .offset = 77, .skipping = true, .head_len = 77, .head = { 1, 2 } };
    struct moor_mark back;
    struct moor_position p;
    CHECK(moor_position_write(&p, &arena, "/a", &key, &m, 5));
    CHECK(moor_position_read(&p, &key_back, &back));
    CHECK(key_back.device == key.device && key_back.inode == key.inode);
    CHECK(back.offset == 77 && back.skipping && back.head[1] == 2);
    p.id = "12:xyz";
    CHECK(!moor_position_read(&p, &key_back, &back));
    p.id = "1:2";
    p.head_len = 5;
    CHECK(!moor_position_read(&p, &key_back, &back));
    p.head_len = 77;
    p.path = "a";
    CHECK(!moor_position_read(&p, &key_back, &back));
}

static const struct check_test tests[] = {
    CHECK_TEST(kinship_is_decided_by_inode_then_proof),
    CHECK_TEST(rotation_names_are_known),
    CHECK_TEST(a_mark_sees_truncation_and_rewriting),
    CHECK_TEST(a_position_is_written_and_read),
};

int main(void)
{
    char unique[37];
    plat_random_uuid(unique);
    (void)snprintf(path, sizeof(path), "/tmp/moor-%s", unique);
    int r = check_run(tests, MOOR_COUNTOF(tests));
    (void)!plat_remove(path, NULL);
    return r;
}
