/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/watch.h"

#include "check.h"
#include "os.h"
#include "platform/file.h"

static struct moor_error err;

struct seen {
    int32_t id;
    unsigned count;
    char names[256];
};
static void note(void *ctx, int32_t id, const char *name)
{
    struct seen *s = ctx;
    if (id == s->id) {
        s->count++;
        (void)snprintf(s->names, sizeof(s->names), "%s", name);
    }
}

/* What came for id since the last call. */
static struct seen look(struct plat_watch *w, int32_t id)
{
    struct seen s = { .id = id };
    (void)os_wait_readable(plat_watch_fd(w), 2000);
    plat_watch_read(w, note, &s);
    return s;
}

static void folder_tells_of_files_that_come_and_go(void)
{
    MOOR_AUTOPTR(plat_watch) w = NULL;
    int32_t id = -2;
    CHECK_INT(plat_make_dirs(os_temp("folder"), PLAT_OWNER_ONLY, &err), MOOR_OK);
    CHECK_INT(plat_watch_new(&w, &err), MOOR_OK);
    CHECK_INT(plat_watch_add(w, os_temp("folder"), &id, &err), MOOR_OK);
    CHECK(!os_wait_readable(plat_watch_fd(w), 0));
    CHECK_INT(plat_write_atomic(os_temp("folder/file"), MOOR_SPAN_LIT("x"), PLAT_OWNER_ONLY, &err),
              MOOR_OK);
    struct seen s = look(w, id);
    CHECK(s.count > 0);
    CHECK_STR(s.names, "file");
    CHECK(!os_wait_readable(plat_watch_fd(w), 0));
    CHECK_INT(plat_remove(os_temp("folder/file"), &err), MOOR_OK);
    s = look(w, id);
    CHECK_INT(s.count, 1);
    CHECK_INT(plat_remove_tree(os_temp("folder"), &err), MOOR_OK);
    CHECK(look(w, id).count > 0);
}

static void file_tells_of_writes_truncation_and_deletion_while_open(void)
{
    MOOR_AUTOPTR(plat_watch) w = NULL;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    const char *path = os_temp("log");
    int32_t id = -2;
    os_write(path, "first\n");
    CHECK_INT(plat_watch_new(&w, &err), MOOR_OK);
    CHECK_INT(plat_watch_add(w, path, &id, &err), MOOR_OK);
    CHECK_INT(plat_open(path, PLAT_APPEND, &f, &err), MOOR_OK);
    CHECK_INT(plat_append(&f, MOOR_SPAN_LIT("second\n"), &err), MOOR_OK);
    struct seen s = look(w, id);
    CHECK(s.count > 0);
    CHECK_STR(s.names, "");
    CHECK_INT(plat_truncate(&f, 0, &err), MOOR_OK);
    CHECK(look(w, id).count > 0);
    CHECK_INT(plat_rename(path, os_temp("log.1"), &err), MOOR_OK);
    CHECK(look(w, id).count > 0);
    CHECK_INT(plat_remove(os_temp("log.1"), &err), MOOR_OK);
    CHECK(look(w, id).count > 0);
}

static void removed_watch_is_silent_and_a_missing_path_an_error(void)
{
    MOOR_AUTOPTR(plat_watch) w = NULL;
    int32_t id = -2;
    os_write(os_temp("quiet"), "");
    CHECK_INT(plat_watch_new(&w, &err), MOOR_OK);
    CHECK_INT(plat_watch_add(w, os_temp("none"), &id, &err), MOOR_E_NOTFOUND);
    CHECK(strstr(err.msg, os_temp("none")));
    CHECK_INT(plat_watch_add(w, os_temp("quiet"), &id, &err), MOOR_OK);
    plat_watch_remove(w, id);
    os_write(os_temp("quiet"), "noise");
    struct seen s = { .id = id };
    plat_watch_read(w, note, &s);
    CHECK_INT(s.count, 0);
}

CHECK_MAIN(CHECK_TEST(folder_tells_of_files_that_come_and_go),
           CHECK_TEST(file_tells_of_writes_truncation_and_deletion_while_open),
           CHECK_TEST(removed_watch_is_silent_and_a_missing_path_an_error))
