/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/challenge.h"

#include "identity/keyfiles.h"
#include "rig.h"

#define MAX      16
#define PER_USER 12

static const struct plat_caller alice = { .known = true, .uid = 1001 };
static const struct plat_caller bob = { .known = true, .uid = 1002 };
static const struct plat_caller nobody = { .known = false };

struct bench {
    struct rig rig;
    struct moor_challenges *all;
};

static void start(struct bench *b)
{
    const struct moor_challenges_opts opts = { .loop = b->rig.loop,
                                               .folder = plat_dir_path(PLAT_DIR_TOKENS),
                                               .max = MAX,
                                               .per_user = PER_USER };
    CHECK(moor_challenges_new(&opts, &b->all, NULL) == MOOR_OK);
}

static void open_bench(struct bench *b)
{
    rig_open(&b->rig);
    start(b);
}

static void close_bench(struct bench *b)
{
    moor_challenges_free(b->all);
    rig_close(&b->rig);
}

static bool count(void *ctx, const char *name, const struct plat_stat *st)
{
    (void)name;
    (void)st;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned count_in(const char *folder)
{
    unsigned n = 0;
    CHECK(plat_list_dir(folder, count, &n, NULL) == MOOR_OK);
    return n;
}

static unsigned files(void)
{
    return count_in(plat_dir_path(PLAT_DIR_TOKENS));
}

static unsigned spares(void)
{
    MOOR_AUTOSTR path = NULL;
    CHECK(plat_path(PLAT_DIR_TOKENS, &path, NULL, ".spare") == MOOR_OK);
    return count_in(path);
}

/* The content of a new key file. */
static void issue(struct bench *b, struct moor_buf *key)
{
    const char *path = NULL;
    CHECK(moor_challenges_issue(b->all, &alice, &path, NULL) == MOOR_OK);
    CHECK(plat_read_all(path, 4096, key, NULL) == MOOR_OK);
}

static void key_file_is_what_sdks_demand(void)
{
    struct bench b;
    struct plat_stat st;
    const char *path = NULL;
    open_bench(&b);
    CHECK(moor_challenges_issue(b.all, &alice, &path, NULL) == MOOR_OK);
    struct moor_span p = moor_span_str(path);
    CHECK(moor_span_starts(p, plat_dir_path(PLAT_DIR_TOKENS)));
    CHECK(moor_span_ends(p, ".key"));
    CHECK(strchr(path, '=') == NULL);
    CHECK(plat_stat_path(path, &st, NULL) == MOOR_OK);
    CHECK_INT(st.mode & 07777, 0640);
    CHECK_INT(st.size, 48);
    close_bench(&b);
}

static void key_is_good_once(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    struct moor_challenge *one = moor_challenges_take(b.all, &alice, moor_buf_view(&key));
    CHECK(one != NULL);
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) == NULL); /* in use */
    moor_challenges_use_up(b.all, one);
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) == NULL);
    CHECK_INT(files(), 0);
    close_bench(&b);
}

static void key_given_back_can_be_sent_again(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    moor_challenges_give_back(b.all, moor_challenges_take(b.all, &alice, moor_buf_view(&key)));
    struct moor_challenge *one = moor_challenges_take(b.all, &alice, moor_buf_view(&key));
    CHECK(one != NULL);
    moor_challenges_use_up(b.all, one);
    close_bench(&b);
}

static void wrong_keys_open_nothing(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    CHECK(moor_challenges_take(b.all, &alice, MOOR_SPAN_NONE) == NULL);
    CHECK(moor_challenges_take(b.all, &alice, moor_span(key.data, key.len - 1)) == NULL);
    key.data[7] ^= 1;
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) == NULL);
    CHECK_INT(files(), 1);
    close_bench(&b);
}

static void key_runs_out_with_its_file(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    fake_run(b.rig.loop, MOOR_CHALLENGE_LIFE_MS - 1);
    CHECK_INT(files(), 1);
    fake_run(b.rig.loop, 2);
    CHECK_INT(files(), 0);
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) == NULL);
    close_bench(&b);
}

static void key_in_use_outlives_its_time_but_is_not_given_back(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    struct moor_challenge *one = moor_challenges_take(b.all, &alice, moor_buf_view(&key));
    fake_run(b.rig.loop, 2 * MOOR_CHALLENGE_LIFE_MS);
    moor_challenges_give_back(b.all, one);
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) == NULL);
    fake_run(b.rig.loop, 1);
    CHECK_INT(files(), 0);
    close_bench(&b);
}

static void key_is_of_no_use_to_another_user(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    CHECK(moor_challenges_take(b.all, &bob, moor_buf_view(&key)) == NULL);
    CHECK(moor_challenges_take(b.all, &nobody, moor_buf_view(&key)) == NULL);
    CHECK(moor_challenges_take(b.all, &alice, moor_buf_view(&key)) != NULL);
    close_bench(&b);
}

/* Takes the keys one user may have, or what is left. */
static unsigned issue_all(struct bench *b, const struct plat_caller *who)
{
    const char *path = NULL;
    unsigned n = 0;
    while (moor_challenges_issue(b->all, who, &path, NULL) == MOOR_OK)
        n++;
    return n;
}

static void greedy_user_leaves_room_for_others_and_loses_nothing_of_theirs(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) first = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &first);
    CHECK_INT(issue_all(&b, &bob), PER_USER);
    CHECK_INT(issue_all(&b, &nobody), MAX - PER_USER - 1);
    CHECK_INT(issue_all(&b, &alice), 0);
    CHECK_INT(files(), MAX);
    struct moor_challenge *one = moor_challenges_take(b.all, &alice, moor_buf_view(&first));
    CHECK(one != NULL);
    moor_challenges_use_up(b.all, one);
    CHECK_INT(issue_all(&b, &bob), 0);
    CHECK_INT(issue_all(&b, &alice), 1);
    fake_run(b.rig.loop, MOOR_CHALLENGE_LIFE_MS);
    CHECK_INT(files(), 0);
    CHECK_INT(issue_all(&b, &alice), PER_USER);
    close_bench(&b);
}

static void folder_that_was_made_anew_is_used(void)
{
    struct bench b;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    open_bench(&b);
    issue(&b, &key);
    CHECK(plat_remove_tree(plat_dir_path(PLAT_DIR_TOKENS), NULL) == MOOR_OK);
    CHECK(plat_make_dirs(plat_dir_path(PLAT_DIR_TOKENS), PLAT_GROUP_READ, NULL) == MOOR_OK);
    moor_buf_reset(&key);
    issue(&b, &key);
    CHECK_INT(files(), 1);
    close_bench(&b);
}

/* One key after the other, many within a second: files are used again, for a while. */
static void busy_endpoint_uses_files_again_for_a_minute(void)
{
    struct bench b;
    open_bench(&b);
    for (unsigned i = 0; i < 4 * MOOR_KEYFILES_RATE; i++) {
        MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
        struct plat_stat st;
        const char *path = NULL;
        CHECK(moor_challenges_issue(b.all, &alice, &path, NULL) == MOOR_OK);
        CHECK(plat_stat_path(path, &st, NULL) == MOOR_OK);
        CHECK_INT(st.mode & 07777, 0640);
        CHECK_INT(st.links, i < MOOR_KEYFILES_RATE ? 1 : 2);
        CHECK(plat_read_all(path, 4096, &key, NULL) == MOOR_OK);
        struct moor_challenge *one = moor_challenges_take(b.all, &alice, moor_buf_view(&key));
        CHECK(one != NULL);
        moor_challenges_use_up(b.all, one);
        CHECK(!plat_exists(path));
    }
    CHECK_INT(files(), 1); /* the folder of spare ones */
    CHECK_INT(spares(), 1);
    fake_run(b.rig.loop, MOOR_KEYFILE_LIFE_MS + 1);
    CHECK_INT(spares(), 0);
    moor_challenges_free(b.all);
    CHECK_INT(files(), 0);
    start(&b);
    close_bench(&b);
}

static void files_of_an_earlier_run_are_removed(void)
{
    struct bench b;
    MOOR_AUTOSTR key = NULL;
    MOOR_AUTOSTR other = NULL;
    open_bench(&b);
    CHECK(plat_path(PLAT_DIR_TOKENS, &key, NULL, "left.key") == MOOR_OK);
    CHECK(plat_path(PLAT_DIR_TOKENS, &other, NULL, "note.txt") == MOOR_OK);
    CHECK(plat_write_atomic(key, MOOR_SPAN_LIT("x"), PLAT_GROUP_READ, NULL) == MOOR_OK);
    CHECK(plat_write_atomic(other, MOOR_SPAN_LIT("x"), PLAT_GROUP_READ, NULL) == MOOR_OK);
    moor_challenges_free(b.all);
    start(&b);
    CHECK(!plat_exists(key));
    CHECK(plat_exists(other));
    close_bench(&b);
}

RIG_MAIN(CHECK_TEST(key_file_is_what_sdks_demand), CHECK_TEST(key_is_good_once),
         CHECK_TEST(key_given_back_can_be_sent_again), CHECK_TEST(wrong_keys_open_nothing),
         CHECK_TEST(key_runs_out_with_its_file),
         CHECK_TEST(key_in_use_outlives_its_time_but_is_not_given_back),
         CHECK_TEST(key_is_of_no_use_to_another_user),
         CHECK_TEST(greedy_user_leaves_room_for_others_and_loses_nothing_of_theirs),
         CHECK_TEST(folder_that_was_made_anew_is_used),

         CHECK_TEST(busy_endpoint_uses_files_again_for_a_minute),
         CHECK_TEST(files_of_an_earlier_run_are_removed))
