/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/file.h"

#include "check.h"
#include "os.h"

static struct moor_error err;

static bool put(const char *path, const char *text)
{
    return plat_write_atomic(path, moor_span_str(text), PLAT_OWNER_ONLY, &err) == MOOR_OK;
}

static bool count_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    (void)name;
    (void)st;
    ++*(size_t *)ctx;
    return true;
}

static size_t entries(const char *path)
{
    size_t n = 0;
    CHECK_INT(plat_list_dir(path, count_entry, &n, &err), MOOR_OK);
    return n;
}

static void written_file_reads_back_with_its_mode(void)
{
    static const struct {
        plat_access access;
        uint32_t mode;
    } rows[] = { { PLAT_OWNER_ONLY, 0600 }, { PLAT_GROUP_READ, 0640 }, { PLAT_WORLD_READ, 0644 } };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        const char *path = os_temp("modes");
        CHECK_INT(plat_write_atomic(path, MOOR_SPAN_LIT("text"), rows[i].access, &err), MOOR_OK);
        struct plat_stat st;
        CHECK_INT(plat_stat_path(path, &st, &err), MOOR_OK);
        CHECK_INT(st.mode, rows[i].mode);
        CHECK(st.is_file && st.size == 4 && st.links == 1);
        MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
        CHECK_INT(plat_read_all(path, 4, &b, &err), MOOR_OK);
        CHECK_STR(moor_buf_cstr(&b), "text");
    }
}

static void file_over_the_limit_is_refused_by_name(void)
{
    const char *path = os_temp("long");
    CHECK(put(path, "12345"));
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    CHECK_INT(plat_read_all(path, 4, &b, &err), MOOR_E_NOMEM);
    CHECK(strstr(err.msg, path) && strstr(err.msg, "4 bytes"));
}

static void large_file_is_read_whole(void)
{
    static char big[100000];
    memset(big, 'x', sizeof(big) - 1);
    CHECK(put(os_temp("big"), big));
    MOOR_AUTO(moor_buf) b = MOOR_BUF(sizeof(big));
    CHECK_INT(plat_read_all(os_temp("big"), sizeof(big) - 1, &b, &err), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&b), big);
}

static void missing_file_is_not_found_and_named(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    CHECK_INT(plat_read_all(os_temp("none"), 4, &b, &err), MOOR_E_NOTFOUND);
    CHECK(strstr(err.msg, os_temp("none")));
    CHECK(!plat_exists(os_temp("none")));
}

static void link_in_any_component_is_refused(void)
{
    CHECK_INT(plat_make_dirs(os_temp("a/b/c"), PLAT_OWNER_ONLY, &err), MOOR_OK);
    CHECK(put(os_temp("a/b/c/file"), "text"));
    os_link("a", os_temp("la"));
    os_link("b", os_temp("a/lb"));
    os_link("c", os_temp("a/b/lc"));
    os_link("file", os_temp("a/b/c/lfile"));
    static const char *const paths[] = { "la/b/c/file", "a/lb/c/file", "a/b/lc/file",
                                         "a/b/c/lfile" };
    for (size_t i = 0; i < MOOR_COUNTOF(paths); i++) {
        const char *path = os_temp(paths[i]);
        MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        CHECK_INT(plat_read_all(path, 10, &b, &err), MOOR_E_DENIED);
        CHECK(strstr(err.msg, "a link"));
        CHECK_INT(plat_open(path, PLAT_WRITE, &f, &err), MOOR_E_DENIED);
        CHECK_INT(plat_open(path, PLAT_APPEND, &f, &err), MOOR_E_DENIED);
        CHECK_INT(plat_lock_file(path, &f, &err), MOOR_E_DENIED);
        CHECK(plat_set_mode(path, 0666, &err) == MOOR_E_DENIED);
    }
    for (size_t i = 0; i < 3; i++) {
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        const char *path = os_temp(paths[i]);
        struct plat_stat st;
        CHECK_INT(plat_write_atomic(path, MOOR_SPAN_LIT("new"), PLAT_OWNER_ONLY, &err),
                  MOOR_E_DENIED);
        CHECK_INT(plat_create_new(path, PLAT_OWNER_ONLY, &f, &err), MOOR_E_DENIED);
        CHECK_INT(plat_remove(path, &err), MOOR_E_DENIED);
        CHECK_INT(plat_remove_tree(path, &err), MOOR_E_DENIED);
        CHECK_INT(plat_rename(path, os_temp("elsewhere"), &err), MOOR_E_DENIED);
        CHECK_INT(plat_rename(os_temp("a/b/c/file"), path, &err), MOOR_E_DENIED);
        CHECK_INT(plat_stat_path(path, &st, &err), MOOR_E_DENIED);
        CHECK_INT(plat_make_dirs(path, PLAT_OWNER_ONLY, &err), MOOR_E_DENIED);
        CHECK_INT(plat_set_group(path, 0, &err), MOOR_E_DENIED);
        CHECK_INT(plat_sync_dir(path, &err), MOOR_E_DENIED);
    }
    CHECK_STR(os_read(os_temp("a/b/c/file")), "text");
}

static void create_does_not_go_through_a_dangling_link(void)
{
    os_link("victim", os_temp("dangling"));
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    CHECK_INT(plat_create_new(os_temp("dangling"), PLAT_OWNER_ONLY, &f, &err), MOOR_E_EXISTS);
    CHECK_INT(plat_open(os_temp("dangling"), PLAT_APPEND, &f, &err), MOOR_E_DENIED);
    CHECK(!plat_exists(os_temp("victim")));
}

static void atomic_write_replaces_a_link_not_its_target(void)
{
    CHECK(put(os_temp("target"), "target"));
    os_link("target", os_temp("replaced"));
    CHECK(put(os_temp("replaced"), "new"));
    struct plat_stat st;
    CHECK_INT(plat_stat_path(os_temp("replaced"), &st, &err), MOOR_OK);
    CHECK(st.is_file && !st.is_link);
    CHECK_STR(os_read(os_temp("replaced")), "new");
    CHECK_STR(os_read(os_temp("target")), "target");
}

static void file_with_a_second_name_is_read_but_not_written(void)
{
    static const plat_open_mode writing[] = { PLAT_WRITE, PLAT_APPEND, PLAT_READ_WRITE };
    const char *path = os_temp("planted");
    os_write(os_temp("owned"), "x");
    os_hard_link(os_temp("owned"), path);
    for (size_t i = 0; i < MOOR_COUNTOF(writing); i++) {
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        CHECK_INT(plat_open(path, writing[i], &f, &err), MOOR_E_DENIED);
        CHECK(strstr(err.msg, "another name") && !plat_file_is_open(&f));
    }
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    CHECK_INT(plat_open(path, PLAT_READ, &f, &err), MOOR_OK);
    CHECK_STR(os_read(os_temp("owned")), "x");
}

static void rename_replaces_a_link_not_its_target(void)
{
    CHECK(put(os_temp("rename-target"), "target"));
    CHECK(put(os_temp("rename-from"), "from"));
    os_link("rename-target", os_temp("rename-to"));
    CHECK_INT(plat_rename(os_temp("rename-from"), os_temp("rename-to"), &err), MOOR_OK);
    CHECK_STR(os_read(os_temp("rename-to")), "from");
    CHECK_STR(os_read(os_temp("rename-target")), "target");
    CHECK(!plat_exists(os_temp("rename-from")));
}

static void failed_atomic_write_leaves_the_old_text_and_nothing_else(void)
{
    const char *folder = os_temp("full"), *path = os_temp("full/file");
    static char big[200000];
    memset(big, 'x', sizeof(big) - 1);
    CHECK_INT(plat_make_dirs(folder, PLAT_OWNER_ONLY, &err), MOOR_OK);
    CHECK(put(path, "old"));
    os_limit_file_size(100000);
    CHECK_INT(plat_write_atomic(path, moor_span_str(big), PLAT_OWNER_ONLY, &err), MOOR_E_IO);
    os_limit_file_size(0);
    CHECK(strstr(err.msg, path));
    CHECK_STR(os_read(path), "old");
    CHECK_INT(entries(folder), 1);
}

static void only_regular_files_are_opened(void)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    os_pipe_node(os_temp("pipe"));
    CHECK_INT(plat_open(os_temp("pipe"), PLAT_READ, &f, &err), MOOR_E_DENIED);
    CHECK(strstr(err.msg, "a pipe"));
    CHECK_INT(plat_open(os_temp("pipe"), PLAT_WRITE, &f, &err), MOOR_E_DENIED);
    CHECK_INT(plat_open("/dev/zero", PLAT_READ, &f, &err), MOOR_E_DENIED);
    CHECK(strstr(err.msg, "a device"));
    CHECK_INT(plat_open(os_temp_dir(), PLAT_READ, &f, &err), MOOR_E_DENIED);
    CHECK(strstr(err.msg, "a folder"));
}

static void odd_paths_are_refused(void)
{
    static const char *const paths[] = { "relative",           "",         "/",
                                         "/tmp/../etc/passwd", "/tmp/./x", "//etc/passwd" };
    for (size_t i = 0; i < MOOR_COUNTOF(paths); i++) {
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        CHECK_INT(plat_open(paths[i], PLAT_READ, &f, &err), MOOR_E_BADINPUT);
    }
}

static void open_modes_do_what_they_say(void)
{
    const char *path = os_temp("mode");
    MOOR_AUTO(plat_file) w = PLAT_FILE_INIT;
    CHECK_INT(plat_open(path, PLAT_WRITE, &w, &err), MOOR_E_NOTFOUND);
    CHECK_INT(plat_open(path, PLAT_READ_WRITE, &w, &err), MOOR_OK);
    struct plat_stat st;
    CHECK_INT(plat_fstat(&w, &st, &err), MOOR_OK);
    CHECK_INT(st.mode, 0600);
    CHECK_INT(plat_write_at(&w, 0, MOOR_SPAN_LIT("0123456789"), &err), MOOR_OK);
    CHECK_INT(plat_write_at(&w, 2, MOOR_SPAN_LIT("xx"), &err), MOOR_OK);
    CHECK_INT(plat_append(&w, MOOR_SPAN_LIT("end"), &err), MOOR_OK);
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    CHECK_INT(plat_open(path, PLAT_APPEND, &a, &err), MOOR_OK);
    CHECK_INT(plat_append(&a, MOOR_SPAN_LIT("!"), &err), MOOR_OK);
    CHECK_INT(plat_sync(&a, &err), MOOR_OK);
    CHECK_STR(os_read(path), "01xx456789end!");
    char text[8];
    size_t got;
    CHECK_INT(plat_read_at(&w, 10, text, 8, &got, &err), MOOR_OK);
    CHECK_INT(got, 4);
    CHECK_INT(plat_truncate(&w, 2, &err), MOOR_OK);
    CHECK_STR(os_read(path), "01");
    CHECK_INT(plat_read_at(&a, 0, text, 1, &got, &err), MOOR_E_IO);
    CHECK(strstr(err.msg, path));
}

static void second_lock_on_a_file_is_refused(void)
{
    const char *path = os_temp("lock");
    {
        MOOR_AUTO(plat_file) first = PLAT_FILE_INIT;
        MOOR_AUTO(plat_file) second = PLAT_FILE_INIT;
        CHECK_INT(plat_lock_file(path, &first, &err), MOOR_OK);
        CHECK_INT(plat_lock_file(path, &second, &err), MOOR_E_EXISTS);
        CHECK(!plat_file_is_open(&second));
    }
    MOOR_AUTO(plat_file) again = PLAT_FILE_INIT;
    CHECK_INT(plat_lock_file(path, &again, &err), MOOR_OK);
}

static void no_call_leaves_a_descriptor_open(void)
{
    CHECK_INT(os_new_descriptors(), 0);
}

static void duplicate_outlives_the_first_descriptor(void)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) same = PLAT_FILE_INIT;
    CHECK_INT(plat_create_new(os_temp("doubled"), PLAT_OWNER_ONLY, &f, &err), MOOR_OK);
    CHECK_INT(plat_file_dup(&f, &same, &err), MOOR_OK);
    plat_file_drop(&f);
    CHECK_INT(plat_append(&same, MOOR_SPAN_LIT("kept"), &err), MOOR_OK);
    CHECK_STR(os_read(os_temp("doubled")), "kept");
    plat_file_drop(&same);
    CHECK(plat_file_dup(&f, &same, &err) != MOOR_OK);
    CHECK(!plat_file_is_open(&same));
}

CHECK_MAIN(CHECK_TEST(duplicate_outlives_the_first_descriptor),
           CHECK_TEST(written_file_reads_back_with_its_mode),
           CHECK_TEST(file_over_the_limit_is_refused_by_name), CHECK_TEST(large_file_is_read_whole),
           CHECK_TEST(missing_file_is_not_found_and_named),
           CHECK_TEST(link_in_any_component_is_refused),
           CHECK_TEST(create_does_not_go_through_a_dangling_link),
           CHECK_TEST(atomic_write_replaces_a_link_not_its_target),
           CHECK_TEST(file_with_a_second_name_is_read_but_not_written),
           CHECK_TEST(rename_replaces_a_link_not_its_target),
           CHECK_TEST(failed_atomic_write_leaves_the_old_text_and_nothing_else),
           CHECK_TEST(only_regular_files_are_opened), CHECK_TEST(odd_paths_are_refused),
           CHECK_TEST(open_modes_do_what_they_say), CHECK_TEST(second_lock_on_a_file_is_refused),
           CHECK_TEST(no_call_leaves_a_descriptor_open))
