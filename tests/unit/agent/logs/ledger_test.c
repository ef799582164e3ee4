/* SPDX-License-Identifier: Apache-2.0 */
/* Positions on a disk that dies at every step in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_disk.h"
#include "logs/ledger.h"
#include "platform/file.h"

#define FOLDER "/logs"
#define SAVES  24
#define WHOLES 10 /* every so many saves are of everything */

static struct moor_ledger ledger;

static bool start(void)
{
    bool made = plat_make_dirs(FOLDER, PLAT_OWNER_ONLY, NULL) == MOOR_OK;
    return moor_ledger_init(&ledger, FOLDER, NULL) == MOOR_OK && made;
}

/* Document n says that it was saved at n, and one file of its flow stands there. */
static moor_code save(int64_t n, bool whole)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    const struct moor_file_key key = { 1, (uint64_t)n % 3 };
    const struct moor_mark mark = { .offset = (uint64_t)n, .head_len = (uint32_t)n };
    struct moor_position p;
    struct moor_flow_record r = { .key = "flow", .cursor = "", .files = { &p, 1 } };
    struct moor_positions doc = { .schema = 1, .saved_ms = n * 1000, .flows = { &r, 1 } };
    struct moor_ledger_text text;
    CHECK(moor_position_write(&p, &arena, "/var/log/a", &key, &mark, n));
    moor_code c = moor_ledger_encode(&ledger, whole, &doc, &text, NULL);
    if (c == MOOR_OK)
        c = moor_ledger_write(&ledger, &text, NULL);
    moor_buf_drop(&text.text);
    return c;
}

/* Saves until one fails; how many did not. */
static int64_t save_until_it_fails(void)
{
    int64_t n = 0;
    while (n < SAVES && save(n + 1, moor_ledger_wants_whole(&ledger) || n % WHOLES == 0) == MOOR_OK)
        n++;
    return n;
}

/* What the next start reads: the newest, and how many there are of them. */
static int64_t read_back(size_t *count)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
    struct moor_positions *docs = NULL;
    struct moor_error e = MOOR_ERROR_INIT;
    *count = 0;
    moor_ledger_drop(&ledger);
    if (!start() || moor_ledger_read(&ledger, &docs, count, &arena, &e) != MOOR_OK) {
        printf("# %s\n", e.msg);
        return -1;
    }
    return *count ? docs[*count - 1].saved_ms / 1000 : 0;
}

static void what_was_saved_is_there_after_a_cut_at_every_step(void)
{
    static const fake_disk_loss losses[] = { FAKE_DISK_KEEPS_ALL, FAKE_DISK_KEEPS_NAMES,
                                             FAKE_DISK_KEEPS_SYNCED };
    size_t count = 0;
    for (size_t l = 0; l < MOOR_COUNTOF(losses); l++) {
        int64_t saved = 0;
        for (uint64_t die = 1; saved < SAVES; die++) {
            fake_disk_reset();
            if (!CHECK(start()))
                return;
            fake_disk_settle();
            fake_disk_die_before(die);
            saved = save_until_it_fails();
            fake_disk_cut(losses[l]);
            int64_t got = read_back(&count);
            if (!CHECK(got == saved || got == saved + 1))
                printf("# dead before step %d: %d saved, %d found\n", (int)die, (int)saved,
                       (int)got);
            /* It goes on from there. */
            CHECK_INT(save(100, moor_ledger_wants_whole(&ledger)), MOOR_OK);
            CHECK_INT(read_back(&count), 100);
            moor_ledger_drop(&ledger);
        }
    }
}

static void a_full_disk_is_got_over(void)
{
    size_t count = 0;
    for (uint64_t refused = 1; refused < 40; refused++) {
        fake_disk_reset();
        CHECK(start());
        fake_disk_settle();
        fake_disk_refuse(refused);
        int64_t n = 0;
        while (n < 12) {
            moor_code c = save(n + 1, moor_ledger_wants_whole(&ledger));
            CHECK(c == MOOR_OK || moor_ledger_wants_whole(&ledger));
            n += c == MOOR_OK;
        }
        CHECK_INT(read_back(&count), 12);
        moor_ledger_drop(&ledger);
    }
}

static void a_line_costs_what_changed(void)
{
    size_t count = 0;
    fake_disk_reset();
    CHECK(start());
    CHECK(moor_ledger_wants_whole(&ledger));
    CHECK_INT(save(1, true), MOOR_OK);
    int64_t n = 1;
    while (!moor_ledger_wants_whole(&ledger))
        CHECK_INT(save(++n, false), MOOR_OK);
    CHECK(ledger.journal_bytes >= MOOR_LEDGER_JOURNAL_MIN);
    CHECK_INT(read_back(&count), n);
    CHECK_INT((int)count, n);
    CHECK(moor_ledger_wants_whole(&ledger));
    CHECK_INT(save(++n, true), MOOR_OK);
    CHECK_INT(read_back(&count), n);
    CHECK_INT((int)count, 1);
    CHECK(!moor_ledger_wants_whole(&ledger));
    moor_ledger_drop(&ledger);
}

static void damaged_and_foreign_lines_count_for_nothing(void)
{
    MOOR_AUTO(moor_buf) old = MOOR_BUF(65536);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    size_t count = 0;
    fake_disk_reset();
    CHECK(start());
    CHECK_INT(save(1, true), MOOR_OK);
    CHECK_INT(save(2, false), MOOR_OK);
    uint64_t first = ledger.journal_bytes;
    CHECK_INT(save(3, false), MOOR_OK);
    CHECK_INT(plat_read_all(FOLDER "/positions.journal", 65536, &old, NULL), MOOR_OK);
    CHECK_INT(plat_open(FOLDER "/positions.journal", PLAT_READ_WRITE, &f, NULL), MOOR_OK);
    CHECK_INT(plat_write_at(&f, first + 20, moor_span_str("#"), NULL), MOOR_OK);
    CHECK_INT(read_back(&count), 2);
    /* What is written next takes the place of the damaged one. */
    CHECK_INT(save(4, false), MOOR_OK);
    CHECK_INT(read_back(&count), 4);
    CHECK_INT((int)count, 3);
    /* Lines of the document before, left behind. */
    CHECK_INT(save(5, true), MOOR_OK);
    CHECK_INT(
        plat_write_atomic(FOLDER "/positions.journal", moor_buf_view(&old), PLAT_OWNER_ONLY, NULL),
        MOOR_OK);
    CHECK_INT(read_back(&count), 5);
    CHECK_INT((int)count, 1);
    moor_ledger_drop(&ledger);
}

static const struct check_test tests[] = {
    CHECK_TEST(what_was_saved_is_there_after_a_cut_at_every_step),
    CHECK_TEST(a_full_disk_is_got_over),
    CHECK_TEST(a_line_costs_what_changed),
    CHECK_TEST(damaged_and_foreign_lines_count_for_nothing),
};

int main(void)
{
    return check_run(tests, MOOR_COUNTOF(tests));
}
