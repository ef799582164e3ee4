/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/audit.h"

#include <string.h>

#include "identity/allow.h"
#include "rig.h"

static const struct plat_caller alice = { .known = true, .uid = 1001 };
static const struct plat_caller bob = { .known = true, .uid = 1002 };
static const struct plat_caller nobody = { .known = false };

struct bench {
    struct rig rig;
    struct moor_audit *audit;
    struct moor_buf text;
};

static void open_bench(struct bench *b)
{
    rig_open(&b->rig);
    b->text = (struct moor_buf)MOOR_BUF(8 * MOOR_AUDIT_FILE_MAX);
    CHECK(moor_audit_new(b->rig.loop, plat_dir_path(PLAT_DIR_LOG), &b->audit, NULL) == MOOR_OK);
}

static void close_bench(struct bench *b)
{
    moor_audit_free(b->audit);
    moor_buf_drop(&b->text);
    CHECK(plat_remove_tree(plat_dir_path(PLAT_DIR_LOG), NULL) == MOOR_OK);
    rig_close(&b->rig);
}

/* The file's text; how many lines it has. */
static size_t lines(struct bench *b, const char *name)
{
    MOOR_AUTOSTR path = NULL;
    size_t n = 0;
    moor_buf_reset(&b->text);
    CHECK(plat_path(PLAT_DIR_LOG, &path, NULL, "%s", name) == MOOR_OK);
    if (plat_read_all(path, 4 * MOOR_AUDIT_FILE_MAX, &b->text, NULL) != MOOR_OK)
        return 0;
    for (const char *p = moor_buf_cstr(&b->text); (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

static bool says(const struct bench *b, const char *what)
{
    return strstr(moor_buf_cstr(&b->text), what) != NULL;
}

static void equal_events_are_one_line_and_a_count(void)
{
    struct bench b;
    open_bench(&b);
    for (unsigned i = 0; i < 1000; i++)
        moor_audit_note(b.audit, &alice, "https://vault", "token");
    moor_audit_note(b.audit, &bob, "https://vault", "token");
    moor_audit_note(b.audit, &nobody, "https://vault", "denied");
    CHECK_INT(lines(&b, "tokens.log"), 3);
    CHECK(says(&b, "\"user\":1001") && says(&b, "\"user\":1002") && says(&b, "\"user\":null"));
    CHECK(!says(&b, "999"));
    fake_run(b.rig.loop, MOOR_AUDIT_WINDOW_MS);
    CHECK_INT(lines(&b, "tokens.log"), 4);
    CHECK(says(&b, "\"count\":999"));
    moor_audit_note(b.audit, &alice, "https://vault", "token");
    CHECK_INT(lines(&b, "tokens.log"), 5);
    close_bench(&b);
}

/* Who asks for ever other audiences does not push the others out of the log. */
static void one_user_writes_so_many_lines_a_minute(void)
{
    struct bench b;
    char audience[32];
    open_bench(&b);
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(audience, sizeof(audience), "https://a%u", i);
        moor_audit_note(b.audit, &alice, audience, "token");
    }
    moor_audit_note(b.audit, &bob, "https://vault", "token");
    fake_run(b.rig.loop, MOOR_AUDIT_WINDOW_MS);
    CHECK_INT(lines(&b, "tokens.log"), MOOR_AUDIT_PER_USER + 2);
    CHECK(says(&b, "\"user\":1002"));
    CHECK(says(&b, "\"audience\":\"(others)\",\"outcome\":\"(others)\",\"count\":4936"));
    close_bench(&b);
}

static void file_is_rotated_and_the_oldest_goes(void)
{
    struct bench b;
    char audience[256];
    open_bench(&b);
    memset(audience, 'a', sizeof(audience) - 1);
    audience[sizeof(audience) - 1] = '\0';
    for (unsigned minute = 0; minute < 1200; minute++) {
        for (unsigned user = 0; user < 10; user++) {
            const struct plat_caller who = { .known = true, .uid = user };
            moor_audit_note(b.audit, &who, audience, "token");
        }
        fake_run(b.rig.loop, MOOR_AUDIT_WINDOW_MS);
    }
    CHECK(lines(&b, "tokens.log") > 0);
    CHECK(lines(&b, "tokens.log.1") > 0);
    CHECK(b.text.len >= MOOR_AUDIT_FILE_MAX && b.text.len < MOOR_AUDIT_FILE_MAX + 4096);
    CHECK(lines(&b, "tokens.log.3") > 0);
    CHECK_INT(lines(&b, "tokens.log.4"), 0);
    close_bench(&b);
}

static void line_breaks_stay_inside_their_line(void)
{
    struct bench b;
    open_bench(&b);
    moor_audit_note(b.audit, &alice, "https://a\"\n{\"user\":0}", "token");
    CHECK_INT(lines(&b, "tokens.log"), 1);
    close_bench(&b);
}

static void audiences_are_allowed_by_rule(void)
{
    static const struct plat_caller root = { .known = true, .uid = 0 };
    const char *items[] = { "user:1001 https://vault/", "group:0 https://store", "user:1002 *" };
    const struct moor_str_list rules = { .items = items, .count = MOOR_COUNTOF(items) };
    const struct moor_str_list none = { .items = NULL, .count = 0 };
    static const struct {
        const struct plat_caller *who;
        const char *audience;
        bool may;
    } cases[] = {
        { &root, "https://any", true },      { &alice, "https://vault", true },
        { &alice, "HTTPS://VAULT//", true }, { &alice, "https://vault/x", false },
        { &alice, "https://store", false },  { &bob, "https://any", true },
        { &nobody, "https://vault", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        CHECK(moor_allow_audience(&rules, cases[i].who, cases[i].audience) == cases[i].may);
        CHECK(moor_allow_audience(&none, cases[i].who, cases[i].audience));
    }
}

RIG_MAIN(CHECK_TEST(equal_events_are_one_line_and_a_count),
         CHECK_TEST(one_user_writes_so_many_lines_a_minute),
         CHECK_TEST(file_is_rotated_and_the_oldest_goes),
         CHECK_TEST(line_breaks_stay_inside_their_line), CHECK_TEST(audiences_are_allowed_by_rule))
