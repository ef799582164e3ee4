/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "logs/kin.h"
#include "platform/random.h"

static char folder[64];

/* A file of numbered lines in the folder; its path is good until the next call. */
static const char *make(const char *name, int lines)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < lines; i++)
        (void)fprintf(f, "%s %07d\n", name, i);
    (void)fclose(f);
    return path;
}

static void look(const char *path, uint64_t offset, struct moor_file_key *key,
                 struct moor_mark *mark)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct plat_stat st = { .inode = 0 };
    CHECK_INT(plat_open(path, PLAT_READ, &f, NULL), MOOR_OK);
    CHECK_INT(plat_fstat(&f, &st, NULL), MOOR_OK);
    CHECK_INT(offset ? moor_mark_make(&f, offset, false, mark, NULL)
                     : moor_mark_start(&f, mark, NULL),
              MOOR_OK);
    *key = (struct moor_file_key){ st.device, st.inode };
}

static bool found_at(const char *asked, const struct moor_file_key *key,
                     const struct moor_mark *mark, const char *want)
{
    struct moor_candidate c = { .file = PLAT_FILE_INIT };
    bool found = moor_candidate_search(asked, key, mark, &c);
    bool right = want ? found && moor_streq(strrchr(c.path, '/') + 1, want) : !found;
    moor_candidate_drop(&c);
    return right;
}

static void a_file_is_found_under_another_name_and_under_its_own(void)
{
    static const uint64_t offsets[] = { 0, 40, 4000 };
    char base[128];
    struct moor_file_key key;
    struct moor_mark mark;
    (void)snprintf(base, sizeof(base), "%s/app.log", folder);
    for (size_t i = 0; i < MOOR_COUNTOF(offsets); i++) {
        const char *path = make("app.log.0004133", 500);
        look(path, offsets[i], &key, &mark);
        CHECK(found_at(base, &key, &mark, "app.log.0004133"));
        CHECK(found_at(path, &key, &mark, "app.log.0004133"));
    }
    /* Emptied and written anew, it is not the file that the mark is of. */
    const char *path = make("app.log.0004133", 0);
    CHECK(found_at(path, &key, &mark, NULL));
}

static void a_copy_is_found_when_the_file_is_emptied(void)
{
    struct moor_file_key key;
    struct moor_mark mark;
    const char *path = make("web.log", 500);
    char base[128], copy[140];
    (void)snprintf(base, sizeof(base), "%s", path);
    (void)snprintf(copy, sizeof(copy), "%s/web.log.1", folder);
    look(base, 4000, &key, &mark);
    CHECK(rename(base, copy) == 0);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    CHECK_INT(plat_read_all(copy, 65536, &text, NULL), MOOR_OK);
    CHECK_INT(plat_write_atomic(base, moor_buf_view(&text), PLAT_OWNER_ONLY, NULL), MOOR_OK);
    look(base, 4000, &key, &mark);
    CHECK_INT(plat_open(base, PLAT_WRITE, &f, NULL), MOOR_OK);
    CHECK_INT(plat_truncate(&f, 0, NULL), MOOR_OK);
    CHECK(found_at(base, &key, &mark, "web.log.1"));
}

static const struct check_test tests[] = {
    CHECK_TEST(a_file_is_found_under_another_name_and_under_its_own),
    CHECK_TEST(a_copy_is_found_when_the_file_is_emptied),
};

int main(void)
{
    char unique[37];
    plat_random_uuid(unique);
    (void)snprintf(folder, sizeof(folder), "/tmp/moor-%s", unique);
    (void)!plat_make_dirs(folder, PLAT_OWNER_ONLY, NULL);
    int r = check_run(tests, MOOR_COUNTOF(tests));
    (void)!plat_remove_tree(folder, NULL);
    return r;
}
