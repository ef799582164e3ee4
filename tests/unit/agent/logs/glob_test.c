/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/glob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/text.h"
#include "rooted.h"

static void make_dirs(const char *path)
{
    MOOR_ASSERT(plat_make_dirs(path, PLAT_OWNER_ONLY, NULL) == MOOR_OK);
}

struct visit {
    const char *below; /* made while its parent is told: too early for a watch on the parent */
    const char *parent;
    unsigned files;
    bool deep_told;
};

static void on_folder(void *ctx, const char *path)
{
    struct visit *v = ctx;
    if (moor_streq(path, v->parent))
        make_dirs(v->below);
    v->deep_told = v->deep_told || moor_streq(path, v->below);
}

static void on_file(void *ctx, const char *path, const struct plat_stat *st)
{
    struct visit *v = ctx;
    (void)path, (void)st;
    v->files++;
}

static void a_folder_made_while_its_parent_is_told_is_searched(void)
{
    MOOR_AUTOSTR parent = NULL;
    MOOR_AUTOSTR below = NULL;
    MOOR_AUTOSTR pattern = NULL;
    MOOR_ASSERT(!plat_path(PLAT_DIR_LIB, &parent, NULL, "glob/a") &&
                !plat_path(PLAT_DIR_LIB, &below, NULL, "glob/a/b/c") &&
                !plat_path(PLAT_DIR_LIB, &pattern, NULL, "glob/*/b/c/*.log"));
    (void)!plat_remove_tree(parent, NULL);
    make_dirs(parent);

    struct visit v = { .below = below, .parent = parent };
    const struct moor_glob_visitor visitor = { .on_file = on_file,
                                               .on_folder = on_folder,
                                               .ctx = &v };
    CHECK_INT(moor_glob_walk(pattern, &visitor, NULL), MOOR_OK);
    CHECK(v.deep_told);
    CHECK_INT(v.files, 0);
}

static void a_star_stands_within_one_component(void)
{
    CHECK(moor_glob_match_path("/var/log/*/x.log", "/var/log/a/x.log"));
    CHECK(!moor_glob_match_path("/var/log/*/x.log", "/var/log/a/b/x.log"));
    CHECK(!moor_glob_match_path("/var/log/*.log", "/var/log/.hidden.log"));
    CHECK(moor_glob_match_start("/var/log/*/x.log", "/var/log"));
    CHECK(!moor_glob_match_start("/var/log/*/x.log", "/var/lib"));
}

static void two_stars_stand_for_any_folders(void)
{
    static const struct {
        const char *pattern, *path;
        bool whole, start;
    } cases[] = {
        { "/var/**/x.log", "/var/x.log", true, true },
        { "/var/**/x.log", "/var/a/x.log", true, true },
        { "/var/**/x.log", "/var/a/b/c/x.log", true, true },
        { "/var/**/x.log", "/var/a/y.log", false, true },
        { "/var/**/x.log", "/var/.a/x.log", false, true },
        { "/var/**/x.log", "/usr/x.log", false, false },
        { "/**/*.log", "/a.log", true, true },
        { "/**/*.log", "/a/b.log", true, true },
        { "/**/*.log", "/a/.b.log", false, true },
        { "/a/**/b/*.log", "/a/b/c.log", true, true },
        { "/a/**/b/*.log", "/a/x/b/b/c.log", true, true },
        { "/a/**/b/*.log", "/a/x/c.log", false, true },
        { "/a/**/b/*.log", "/a", false, true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        if (!CHECK(moor_glob_match_path(cases[i].pattern, cases[i].path) == cases[i].whole) ||
            !CHECK(moor_glob_match_start(cases[i].pattern, cases[i].path) == cases[i].start))
            printf("# %s %s\n", cases[i].pattern, cases[i].path);
    CHECK(moor_glob_valid("/a/**/b") && !moor_glob_valid("/a/**"));
    CHECK(!moor_glob_valid("/**/a/**/b") && !moor_glob_valid("/a/../b"));
}

static void folders_at_any_depth_are_searched(void)
{
    static const char *const names[] = { "deep/x.log", "deep/a/x.log", "deep/a/b/x.log",
                                         "deep/a/b/y.txt", "deep/.no/x.log" };
    static const struct {
        const char *pattern;
        unsigned files;
    } cases[] = { { "deep/**/*.log", 3 }, { "deep/**/b/*.log", 1 }, { "deep/a/**/*", 3 } };
    struct moor_error e = MOOR_ERROR_INIT;
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++) {
        MOOR_AUTOSTR path = NULL;
        MOOR_ASSERT(!plat_path(PLAT_DIR_LIB, &path, NULL, "%s", names[i]));
        MOOR_AUTOSTR folder = NULL;
        MOOR_ASSERT(
            !moor_span_dup(moor_span(path, (size_t)(strrchr(path, '/') - path)), &folder, NULL));
        make_dirs(folder);
        MOOR_ASSERT(!plat_write_atomic(path, moor_span_str("x"), PLAT_OWNER_ONLY, NULL));
    }
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTOSTR pattern = NULL;
        struct visit v = { .below = "", .parent = "" };
        const struct moor_glob_visitor visitor = { on_file, on_folder, &v };
        MOOR_ASSERT(!plat_path(PLAT_DIR_LIB, &pattern, NULL, "%s", cases[i].pattern));
        CHECK_INT(moor_glob_walk(pattern, &visitor, &e), MOOR_OK);
        CHECK_INT(v.files, cases[i].files);
    }
}

ROOTED_MAIN(CHECK_TEST(a_folder_made_while_its_parent_is_told_is_searched),
            CHECK_TEST(a_star_stands_within_one_component),
            CHECK_TEST(two_stars_stand_for_any_folders),
            CHECK_TEST(folders_at_any_depth_are_searched))
