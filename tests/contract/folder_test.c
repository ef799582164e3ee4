/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "check.h"
#include "os.h"
#include "platform/file.h"

static struct moor_error err;

static void make(const char *path)
{
    CHECK_INT(plat_make_dirs(path, PLAT_OWNER_ONLY, &err), MOOR_OK);
}

static void folders_are_made_with_their_mode(void)
{
    static const struct {
        plat_access access;
        uint32_t mode;
        const char *name;
    } rows[] = { { PLAT_OWNER_ONLY, 0700, "m0/x" },
                 { PLAT_GROUP_READ, 0750, "m1/x/" },
                 { PLAT_WORLD_READ, 0755, "m2/x" } };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct plat_stat st;
        CHECK_INT(plat_make_dirs(os_temp(rows[i].name), rows[i].access, &err), MOOR_OK);
        CHECK_INT(plat_make_dirs(os_temp(rows[i].name), rows[i].access, &err), MOOR_OK);
        CHECK_INT(plat_stat_path(os_temp(rows[i].name), &st, &err), MOOR_OK);
        CHECK(st.is_dir);
        CHECK_INT(st.mode, rows[i].mode);
    }
}

static void file_in_the_way_of_a_folder_is_an_error(void)
{
    os_write(os_temp("file"), "");
    CHECK(plat_make_dirs(os_temp("file"), PLAT_OWNER_ONLY, &err) != MOOR_OK);
    CHECK(strstr(err.msg, os_temp("file")));
    CHECK(plat_make_dirs(os_temp("file/below"), PLAT_OWNER_ONLY, &err) != MOOR_OK);
}

static void system_links_of_the_administrator_are_followed(void)
{
    struct plat_stat real, linked;
    if (plat_stat_path("/lib", &linked, &err) != MOOR_OK || !linked.is_link)
        SKIP("/lib is no link here");
    CHECK_INT(plat_stat_path("/usr/lib/os-release", &real, &err), MOOR_OK);
    CHECK_INT(plat_stat_path("/lib/os-release", &linked, &err), MOOR_OK);
    CHECK(real.inode == linked.inode && real.device == linked.device);
}

struct seen {
    size_t count, folders, links, stop_after;
};
static bool see(void *ctx, const char *name, const struct plat_stat *st)
{
    struct seen *s = ctx;
    CHECK(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    s->folders += st->is_dir;
    s->links += st->is_link;
    return ++s->count != s->stop_after;
}

static void listing_shows_every_entry_once_and_links_as_links(void)
{
    make(os_temp("list/folder"));
    os_write(os_temp("list/file"), "");
    os_link("/etc", os_temp("list/link"));
    struct seen s = { 0 };
    CHECK_INT(plat_list_dir(os_temp("list"), see, &s, &err), MOOR_OK);
    CHECK(s.count == 3 && s.folders == 1 && s.links == 1);
    s = (struct seen){ .stop_after = 2 };
    CHECK_INT(plat_list_dir(os_temp("list"), see, &s, &err), MOOR_OK);
    CHECK_INT(s.count, 2);
    CHECK_INT(plat_list_dir(os_temp("list/none"), see, &s, &err), MOOR_E_NOTFOUND);
    CHECK_INT(plat_list_dir(os_temp("list/link"), see, &s, &err), MOOR_E_DENIED);
}

static void removing_a_tree_spares_what_links_point_to(void)
{
    make(os_temp("kept"));
    os_write(os_temp("kept/file"), "kept");
    make(os_temp("tree/a/b"));
    make(os_temp("tree/c"));
    os_write(os_temp("tree/a/b/file"), "");
    os_link("../../kept", os_temp("tree/a/link"));
    os_link("../kept/file", os_temp("tree/file-link"));
    os_pipe_node(os_temp("tree/pipe"));
    CHECK_INT(plat_remove_tree(os_temp("tree"), &err), MOOR_OK);
    CHECK(!plat_exists(os_temp("tree")));
    CHECK_STR(os_read(os_temp("kept/file")), "kept");
    CHECK_INT(plat_remove_tree(os_temp("tree"), &err), MOOR_OK);
    CHECK_INT(plat_remove_tree(os_temp("none/none"), &err), MOOR_OK);

    os_link("kept", os_temp("tree-link"));
    CHECK_INT(plat_remove_tree(os_temp("tree-link"), &err), MOOR_OK);
    CHECK(!plat_exists(os_temp("tree-link")));
    CHECK_STR(os_read(os_temp("kept/file")), "kept");
}

static void deep_tree_is_removed_with_few_descriptors(void)
{
    char path[1500];
    int n = snprintf(path, sizeof(path), "%s", os_temp("deep"));
    for (int i = 0; i < 600; i++) {
        path[n++] = '/';
        path[n++] = 'd';
    }
    path[n] = '\0';
    make(path);
    CHECK_INT(plat_remove_tree(os_temp("deep"), &err), MOOR_OK);
    CHECK(!plat_exists(os_temp("deep")));
}

static void removing_what_is_missing_is_fine(void)
{
    CHECK_INT(plat_remove(os_temp("missing"), &err), MOOR_OK);
    make(os_temp("empty"));
    CHECK_INT(plat_remove(os_temp("empty"), &err), MOOR_OK);
    CHECK(!plat_exists(os_temp("empty")));
}

static void mode_and_group_are_set(void)
{
    os_write(os_temp("changed"), "");
    CHECK_INT(plat_set_mode(os_temp("changed"), 0604, &err), MOOR_OK);
    struct plat_stat st;
    CHECK_INT(plat_stat_path(os_temp("changed"), &st, &err), MOOR_OK);
    CHECK_INT(st.mode, 0604);
    CHECK_INT(plat_set_group(os_temp("changed"), st.gid, &err), MOOR_OK);
}

static void file_system_facts_are_known(void)
{
    uint64_t bytes = 0;
    CHECK_INT(plat_free_space(os_temp_dir(), &bytes, &err), MOOR_OK);
    CHECK(bytes > 0);
    CHECK_INT(plat_free_space(os_temp("nowhere"), &bytes, &err), MOOR_E_NOTFOUND);
    CHECK(!plat_noexec("/"));
    CHECK_INT(plat_sync_all(os_temp_dir(), NULL), MOOR_OK);
    CHECK_INT(plat_sync_all(os_temp("missing"), NULL), MOOR_E_NOTFOUND);
    CHECK_INT(plat_sync_dir(os_temp_dir(), &err), MOOR_OK);
}

static void no_call_leaves_a_descriptor_open(void)
{
    CHECK_INT(os_new_descriptors(), 0);
}

static void file_in_a_held_folder_is_whole_and_has_its_mode(void)
{
    static const unsigned masks[] = { 000, 022, 077 };
    const char *folder = os_temp("held");
    MOOR_AUTO(plat_file) held = PLAT_FILE_INIT;
    CHECK_INT(plat_make_dirs(folder, PLAT_GROUP_READ, &err), MOOR_OK);
    CHECK_INT(plat_hold_folder(folder, &held, &err), MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(masks); i++) {
        struct plat_stat st;
        unsigned before = os_umask(masks[i]);
        CHECK_INT(plat_create_in(&held, "key", PLAT_GROUP_READ, MOOR_SPAN_LIT("text"), &err),
                  MOOR_OK);
        (void)os_umask(before);
        CHECK_INT(plat_stat_path(os_temp("held/key"), &st, &err), MOOR_OK);
        CHECK_INT(st.mode, 0640);
        CHECK_STR(os_read(os_temp("held/key")), "text");
        CHECK_INT(plat_remove_in(&held, "key", &err), MOOR_OK);
        CHECK_INT(plat_remove_in(&held, "key", &err), MOOR_OK);
    }
}

static void what_is_there_is_not_written_into(void)
{
    const char *folder = os_temp("planted");
    MOOR_AUTO(plat_file) held = PLAT_FILE_INIT;
    CHECK_INT(plat_make_dirs(folder, PLAT_GROUP_READ, &err), MOOR_OK);
    CHECK_INT(plat_hold_folder(folder, &held, &err), MOOR_OK);
    os_write(os_temp("victim"), "before");
    os_write(os_temp("planted/file"), "before");
    os_link(os_temp("victim"), os_temp("planted/link"));
    os_link(os_temp("nowhere"), os_temp("planted/dangling"));
    static const char *const names[] = { "file", "link", "dangling" };
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++)
        CHECK_INT(plat_create_in(&held, names[i], PLAT_GROUP_READ, MOOR_SPAN_LIT("after"), &err),
                  MOOR_E_EXISTS);
    CHECK_INT(plat_link_in(&held, "file", &held, "link", &err), MOOR_E_EXISTS);
    CHECK_STR(os_read(os_temp("victim")), "before");
    CHECK_STR(os_read(os_temp("planted/file")), "before");
    CHECK(!plat_exists(os_temp("nowhere")));
    CHECK_INT(plat_remove_in(&held, "link", &err), MOOR_OK);
    CHECK(plat_exists(os_temp("victim")));
}

static void held_folder_that_was_removed_says_so(void)
{
    const char *folder = os_temp("gone");
    MOOR_AUTO(plat_file) held = PLAT_FILE_INIT;
    CHECK_INT(plat_make_dirs(folder, PLAT_GROUP_READ, &err), MOOR_OK);
    CHECK_INT(plat_hold_folder(folder, &held, &err), MOOR_OK);
    CHECK_INT(plat_remove_tree(folder, &err), MOOR_OK);
    CHECK_INT(plat_create_in(&held, "key", PLAT_GROUP_READ, MOOR_SPAN_LIT("x"), &err),
              MOOR_E_NOTFOUND);
}

CHECK_MAIN(CHECK_TEST(file_in_a_held_folder_is_whole_and_has_its_mode),
           CHECK_TEST(what_is_there_is_not_written_into),
           CHECK_TEST(held_folder_that_was_removed_says_so),
           CHECK_TEST(folders_are_made_with_their_mode),
           CHECK_TEST(file_in_the_way_of_a_folder_is_an_error),
           CHECK_TEST(system_links_of_the_administrator_are_followed),
           CHECK_TEST(listing_shows_every_entry_once_and_links_as_links),
           CHECK_TEST(removing_a_tree_spares_what_links_point_to),
           CHECK_TEST(deep_tree_is_removed_with_few_descriptors),
           CHECK_TEST(removing_what_is_missing_is_fine), CHECK_TEST(mode_and_group_are_set),
           CHECK_TEST(file_system_facts_are_known), CHECK_TEST(no_call_leaves_a_descriptor_open))
