/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/glob.h"

#include <stdlib.h>

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

ROOTED_MAIN(CHECK_TEST(a_folder_made_while_its_parent_is_told_is_searched),
            CHECK_TEST(a_star_stands_within_one_component))
