/* SPDX-License-Identifier: Apache-2.0 */
/* The local audit log on a pretended disk: what is changed, lost, cut off or torn is noticed. */
#include <inttypes.h>

#include "core/trail_files.h"
#include "fake_disk.h"
#include "rooted.h"

#define FILE_LIMIT ((size_t)2 * 1024 * 1024)

static const struct moor_trail_entry install = {
    .by = MOOR_TRAIL_BY_CLOUD,
    .verb = "install",
    .object = "hello",
    .detail = "Contoso/Tool 1.0",
    .verdict = MOOR_TRAIL_PERMITTED,
};
static const struct moor_trail_entry refusal = {
    .by = MOOR_TRAIL_BY_CLOUD,
    .verb = "runCommand",
    .object = "two\nlines\x1b[2J",
    .detail = "\xff",
    .verdict = MOOR_TRAIL_REFUSED,
    .rule = "policy.deny",
};

static void add(const struct moor_trail_entry *e)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_trail_add(e, &err), MOOR_OK);
    CHECK_STR(err.msg, "");
}

static struct moor_trail_verdict verify(void)
{
    struct moor_trail_verdict v = { .reason = "not read" };
    CHECK_INT(moor_trail_read(NULL, NULL, &v, NULL), MOOR_OK);
    return v;
}

/* An empty log, then these. */
static void begin(unsigned lines)
{
    fake_disk_reset();
    CHECK_INT(plat_make_dirs(plat_dir_path(PLAT_DIR_LIB), PLAT_WORLD_READ, NULL), MOOR_OK);
    fake_disk_settle();
    for (unsigned n = 0; n < lines; n++)
        add(n % 2 ? &refusal : &install);
}

static void read_file(const char *name, struct moor_buf *out)
{
    MOOR_AUTOSTR path = NULL;
    moor_buf_reset(out);
    CHECK_INT(moor_trail_path(name, &path, NULL), MOOR_OK);
    CHECK_INT(plat_read_all(path, FILE_LIMIT, out, NULL), MOOR_OK);
}

static void write_file(const char *name, struct moor_span bytes)
{
    MOOR_AUTOSTR path = NULL;
    CHECK_INT(moor_trail_path(name, &path, NULL), MOOR_OK);
    CHECK_INT(plat_write_atomic(path, bytes, PLAT_OWNER_ONLY, NULL), MOOR_OK);
}

static void remove_file(const char *name)
{
    MOOR_AUTOSTR path = NULL;
    CHECK_INT(moor_trail_path(name, &path, NULL), MOOR_OK);
    CHECK_INT(plat_remove(path, NULL), MOOR_OK);
}

static bool print_line(void *ctx, const struct moor_trail_line *line)
{
    moor_buf_fmt(ctx, "%" PRIu64 " %s %s %s %s %s %s\n", line->number, line->by, line->verb,
                 line->object, line->detail, line->verdict, line->rule);
    return true;
}

static void lines_say_what_happened(void)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(65536);
    struct moor_trail_verdict v;
    begin(0);
    v = verify();
    CHECK(v.whole && v.first == 0 && v.last == 0);
    begin(2);
    CHECK_INT(moor_trail_read(print_line, &text, &v, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&text),
              "1 cloud install hello Contoso/Tool 1.0 permitted \n"
              "2 cloud runCommand two\nlines\x1b[2J \xEF\xBF\xBD refused policy.deny\n");
    CHECK(v.whole && v.first == 1 && v.last == 2 && v.seals == 0 && !v.unfinished);
    read_file("000000000001.log", &bytes);
    CHECK(memchr(bytes.data, '\x1b', bytes.len) == NULL);
}

static void only_root_reads_it(void)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR folder = NULL;
    struct plat_stat st;
    begin(1);
    CHECK_INT(moor_trail_folder(&folder, NULL), MOOR_OK);
    CHECK_INT(plat_stat_path(folder, &st, NULL), MOOR_OK);
    CHECK_INT(st.mode, 0700);
    CHECK_INT(moor_trail_path("000000000001.log", &path, NULL), MOOR_OK);
    CHECK_INT(plat_stat_path(path, &st, NULL), MOOR_OK);
    CHECK_INT(st.mode, 0600);
}

/* The line of the file that byte at belongs to, counted from 1. */
static uint64_t line_at(const struct moor_buf *b, size_t at)
{
    uint64_t line = 1;
    for (size_t n = 0; n < at; n++)
        line += b->data[n] == '\n';
    return line;
}

static void a_log_with_a_seal(void)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    begin(2);
    read_file("000000000001.log", &bytes);
    moor_buf_str(&bytes, "{\"number\":3,\"time\":\"20");
    write_file("000000000001.log", moor_buf_view(&bytes));
    add(&install);
    add(&refusal);
}

static void every_changed_byte_is_found_in_its_line(void)
{
    static const unsigned char changes[] = { 0x01, 0x20 };
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    a_log_with_a_seal();
    CHECK(verify().whole);
    CHECK_INT(verify().seals, 1);
    read_file("000000000001.log", &bytes);
    for (size_t n = 0; n < bytes.len * MOOR_COUNTOF(changes) && !check_failed; n++) {
        size_t at = n / MOOR_COUNTOF(changes);
        uint64_t line = line_at(&bytes, at);
        unsigned char change = changes[n % MOOR_COUNTOF(changes)];
        bytes.data[at] = (char)((unsigned char)bytes.data[at] ^ change);
        write_file("000000000001.log", moor_buf_view(&bytes));
        struct moor_trail_verdict v = verify();
        CHECK(!v.whole && *v.reason);
        CHECK_INT(v.broken, line);
        CHECK_INT(v.file_line, line);
        CHECK_STR(v.file, "000000000001.log");
        bytes.data[at] = (char)((unsigned char)bytes.data[at] ^ change);
    }
}

static void every_changed_byte_of_the_head_is_found(void)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    begin(2);
    read_file("head.json", &bytes);
    for (size_t at = 0; at < bytes.len && !check_failed; at++) {
        bytes.data[at] ^= 1;
        write_file("head.json", moor_buf_view(&bytes));
        CHECK(!verify().whole);
        bytes.data[at] ^= 1;
    }
}

static void every_lost_end_is_missed(void)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    begin(3);
    read_file("000000000001.log", &bytes);
    for (size_t n = 0; n < bytes.len && !check_failed; n++) {
        write_file("000000000001.log", moor_span(bytes.data, n));
        struct moor_trail_verdict v = verify();
        CHECK(!v.whole);
        CHECK_INT(v.broken, line_at(&bytes, n));
    }
    remove_file("000000000001.log");
    CHECK_INT(verify().broken, 1);
    write_file("000000000001.log", moor_buf_view(&bytes));
    CHECK(verify().whole);
    remove_file("head.json");
    CHECK_INT(verify().broken, 4);
}

static void lines_change_no_places(void)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    MOOR_AUTO(moor_buf) other = MOOR_BUF(FILE_LIMIT);
    begin(4);
    read_file("000000000001.log", &bytes);
    struct moor_span rest = moor_buf_view(&bytes), line[4];
    for (size_t n = 0; n < 4; n++)
        line[n] = moor_span_cut(&rest, '\n');
    static const struct {
        unsigned order[5]; /* 9 ends */
        unsigned broken;
    } rows[] = { { { 0, 2, 3, 9 }, 2 },    { { 1, 2, 3, 9 }, 1 },    { { 0, 2, 1, 3, 9 }, 2 },
                 { { 0, 1, 1, 2, 3 }, 3 }, { { 3, 2, 1, 0, 9 }, 1 }, { { 0, 1, 2, 9 }, 4 } };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        moor_buf_reset(&other);
        for (size_t i = 0; i < 5 && rows[n].order[i] != 9; i++) {
            moor_buf_span(&other, line[rows[n].order[i]]);
            moor_buf_char(&other, '\n');
        }
        write_file("000000000001.log", moor_buf_view(&other));
        CHECK_INT(verify().broken, rows[n].broken);
    }
    write_file("000000000002.log", moor_buf_view(&bytes));
    remove_file("000000000001.log");
    CHECK(!verify().whole);
}

/* What a writer that was killed leaves: any part of a line. */
static void an_unfinished_line_is_sealed_and_kept(void)
{
    MOOR_AUTO(moor_buf) before = MOOR_BUF(FILE_LIMIT);
    MOOR_AUTO(moor_buf) after = MOOR_BUF(FILE_LIMIT);
    MOOR_AUTO(moor_buf) head = MOOR_BUF(4096);
    begin(2);
    read_file("000000000001.log", &before);
    read_file("head.json", &head);
    add(&install);
    read_file("000000000001.log", &after);
    for (size_t n = before.len; n <= after.len && !check_failed; n++) {
        bool torn = n > before.len && n < after.len;
        write_file("head.json", moor_buf_view(&head));
        write_file("000000000001.log", moor_span(after.data, n));
        struct moor_trail_verdict v = verify();
        CHECK(v.whole);
        CHECK_INT(v.unfinished, torn);
        add(&refusal);
        v = verify();
        CHECK(v.whole && !v.unfinished);
        CHECK_INT(v.seals, torn);
        CHECK_INT(v.last, n == before.len ? 3 : 4);
    }
}

/* The disk dies before every step in turn. What was added before is there, what was not may be. */
static void no_crash_breaks_the_chain(void)
{
    for (int loss = FAKE_DISK_KEEPS_ALL; loss <= FAKE_DISK_KEEPS_SYNCED; loss++) {
        bool died = true;
        for (uint64_t step = 1; died && !check_failed; step++) {
            uint64_t added = 0;
            begin(0);
            fake_disk_die_before(step);
            for (unsigned n = 0; n < 4; n++)
                added += moor_trail_add(n % 2 ? &refusal : &install, NULL) == MOOR_OK;
            died = fake_disk_dead();
            fake_disk_cut((fake_disk_loss)loss);
            struct moor_trail_verdict v = verify();
            CHECK(v.whole);
            CHECK(v.last == added || v.last == added + 1);
            add(&install);
            CHECK(verify().whole);
        }
    }
}

/* As long as a line gets. */
static void add_long(void)
{
    char object[300], detail[600];
    memset(object, 1, sizeof(object) - 1);
    memset(detail, 1, sizeof(detail) - 1);
    object[sizeof(object) - 1] = detail[sizeof(detail) - 1] = 0;
    const struct moor_trail_entry e = { .by = "cloud",
                                        .verb = "install",
                                        .object = object,
                                        .detail = detail,
                                        .verdict = "refused",
                                        .rule = detail };
    add(&e);
}

static struct moor_trail_list files(void)
{
    struct moor_trail_list l = { .count = 0 };
    CHECK_INT(moor_trail_list(&l, NULL), MOOR_OK);
    return l;
}

static void old_files_go_and_the_chain_stays(void)
{
    struct moor_trail_verdict v;
    begin(0);
    for (unsigned n = 0; n < 950 && !check_failed; n++)
        add_long();
    CHECK_INT(files().count, MOOR_TRAIL_FILES);
    v = verify();
    CHECK(v.whole && v.first > 1);
    CHECK_INT(v.last, 950);
    CHECK_INT(v.first, files().first[0]);
    char name[MOOR_TRAIL_NAME_MAX];
    moor_trail_name(files().first[0], name);
    remove_file(name);
    CHECK_INT(verify().broken, v.first);
}

static void no_crash_while_a_file_begins_breaks_the_chain(void)
{
    MOOR_AUTO(moor_buf) full = MOOR_BUF(FILE_LIMIT);
    MOOR_AUTO(moor_buf) head = MOOR_BUF(4096);
    bool died = true;
    begin(0);
    while (full.len < MOOR_TRAIL_FILE_MAX && !check_failed) {
        add_long();
        read_file("000000000001.log", &full);
    }
    read_file("head.json", &head);
    for (uint64_t step = 1; died && !check_failed; step++) {
        begin(1);
        write_file("head.json", moor_buf_view(&head));
        write_file("000000000001.log", moor_buf_view(&full));
        fake_disk_settle();
        fake_disk_die_before(step);
        bool added = moor_trail_add(&install, NULL) == MOOR_OK;
        died = fake_disk_dead();
        fake_disk_cut(FAKE_DISK_KEEPS_SYNCED);
        CHECK(verify().whole);
        add(&install);
        CHECK(verify().whole && (!added || files().count == 2));
    }
}

/* Damage is told, not mended: the log goes on and never verifies again. */
static void damage_stays_visible(void)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF(FILE_LIMIT);
    begin(3);
    read_file("000000000001.log", &bytes);
    write_file("000000000001.log", moor_span(bytes.data, bytes.len - 10));
    add(&install);
    CHECK_INT(verify().broken, 3);
    begin(3);
    remove_file("head.json");
    add(&install);
    struct moor_trail_verdict v = verify();
    CHECK_INT(v.broken, 4);
    CHECK_STR(v.reason, "the chain was taken up again: head.json was gone");
    add(&install);
    CHECK_INT(verify().broken, 4);
    begin(3);
    moor_buf_reset(&bytes);
    read_file("000000000001.log", &bytes);
    moor_buf_str(&bytes, "{}\n");
    write_file("000000000001.log", moor_buf_view(&bytes));
    add(&install);
    CHECK_INT(verify().broken, 4);
}

ROOTED_MAIN(CHECK_TEST(lines_say_what_happened), CHECK_TEST(only_root_reads_it),
            CHECK_TEST(every_changed_byte_is_found_in_its_line),
            CHECK_TEST(every_changed_byte_of_the_head_is_found),
            CHECK_TEST(every_lost_end_is_missed), CHECK_TEST(lines_change_no_places),
            CHECK_TEST(an_unfinished_line_is_sealed_and_kept),
            CHECK_TEST(no_crash_breaks_the_chain), CHECK_TEST(old_files_go_and_the_chain_stays),
            CHECK_TEST(no_crash_while_a_file_begins_breaks_the_chain),
            CHECK_TEST(damage_stays_visible))
