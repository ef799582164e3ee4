/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/item.h"

#include "base/buf.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "rooted.h"

#include <string.h>

static char *file_in_root(void)
{
    char *path = NULL;
    moor_code c = plat_make_dirs(plat_dir_path(PLAT_DIR_STATE), PLAT_OWNER_ONLY, NULL);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_STATE, &path, NULL, "items.json");
    if (c == MOOR_OK)
        c = plat_remove(path, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    return path;
}

static void what_is_kept_comes_back(void)
{
    MOOR_AUTOSTR path = file_in_root();
    MOOR_AUTO(moor_items) out = { .report_sequence = 77, .report_boot = "boot" };
    MOOR_AUTO(moor_items) in = { .count = 0 };
    struct moor_item *i = NULL;
    CHECK_INT(moor_item_new("n\"1", "P", "T", &i, NULL), MOOR_OK);
    CHECK_INT(moor_items_add(&out, i, NULL), MOOR_OK);
    CHECK_INT(moor_item_set(&i->version, "2.0", NULL), MOOR_OK);
    CHECK_INT(moor_item_set(&i->old_version, "1.0", NULL), MOOR_OK);
    CHECK_INT(moor_item_set(&i->status, "{\"a\":[1]}", NULL), MOOR_OK);
    moor_item_settle(i, MOOR_OUTCOME_FAILED, "HandlerTimeout", -3, "line\nline");
    i->phase = MOOR_PHASE_UPDATE_COPIED;
    i->seq = 5;
    i->settings_seq = 5;
    i->service_seq = 11;
    i->running.process = (struct plat_process_id){ 12, 34 };
    i->running.verb = MOOR_VERB_UPDATE;
    i->running.since_ms = 56;
    i->waiting_since_ms = 78;
    i->killed = 2;
    i->enabled_here = true;
    CHECK_INT(moor_items_save(path, &out, NULL), MOOR_OK);
    CHECK_INT(moor_items_load(path, &in, NULL), MOOR_OK);
    CHECK_INT(in.count, 1);
    CHECK_INT(in.report_sequence, 77);
    CHECK_STR(in.report_boot, "boot");
    const struct moor_item *got = moor_items_find(&in, "N\"1");
    if (!CHECK(got != NULL))
        return;
    CHECK_STR(got->version, "2.0");
    CHECK_STR(got->old_version, "1.0");
    CHECK_STR(got->status, "{\"a\":[1]}");
    CHECK_STR(got->message, "line\nline");
    CHECK_STR(got->error_code, "HandlerTimeout");
    CHECK_INT(got->outcome, MOOR_OUTCOME_FAILED);
    CHECK_INT(got->code, -3);
    CHECK_INT(got->phase, MOOR_PHASE_UPDATE_COPIED);
    CHECK_INT(got->seq, 5);
    CHECK_INT(got->settings_seq, 5);
    CHECK_INT(got->enabled_seq, -1);
    CHECK_INT(got->service_seq, 11);
    CHECK_INT(got->running.process.pid, 12);
    CHECK_INT(got->running.process.start, 34);
    CHECK_INT(got->running.verb, MOOR_VERB_UPDATE);
    CHECK_INT(got->running.since_ms, 56);
    CHECK_INT(got->waiting_since_ms, 78);
    CHECK_INT(got->killed, 0);
    CHECK(!got->enabled_here);
}

static void no_file_is_an_empty_memory(void)
{
    MOOR_AUTOSTR path = file_in_root();
    MOOR_AUTO(moor_items) in = { .count = 0 };
    CHECK_INT(moor_items_load(path, &in, NULL), MOOR_OK);
    CHECK_INT(in.count, 0);
}

/* Losing what ran already is worse than not starting, so nothing is guessed. */
static void a_memory_that_cannot_be_read_is_refused_with_its_name(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"schema\":2,\"items\":[]}",
        "{\"schema\":1}",
        "{\"schema\":1,\"items\":[{}]}",
        "{\"schema\":1,\"items\":[]} ",
        "{\"schema\":1,\"items\":[],\"items\":[]}",
    };
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++) {
        MOOR_AUTOSTR path = file_in_root();
        MOOR_AUTO(moor_items) in = { .count = 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        bool spaced = n == 6; /* a space behind is no harm */
        CHECK_INT(plat_write_atomic(path, moor_span_str(texts[n]), PLAT_OWNER_ONLY, NULL), MOOR_OK);
        CHECK_INT(moor_items_load(path, &in, &err), spaced ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK_INT(in.count, 0);
        CHECK(spaced || strstr(err.msg, "items.json"));
    }
}

static void every_cut_of_the_file_is_refused(void)
{
    MOOR_AUTOSTR path = file_in_root();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTO(moor_items) out = { .count = 0 };
    struct moor_item *i = NULL;
    CHECK_INT(moor_item_new("n", "P", "T", &i, NULL), MOOR_OK);
    CHECK_INT(moor_items_add(&out, i, NULL), MOOR_OK);
    CHECK_INT(moor_items_save(path, &out, NULL), MOOR_OK);
    CHECK_INT(plat_read_all(path, 65536, &text, NULL), MOOR_OK);
    for (size_t n = 0; n + 1 < text.len; n += 7) {
        MOOR_AUTO(moor_items) in = { .count = 0 };
        CHECK_INT(plat_write_atomic(path, moor_span(text.data, n), PLAT_OWNER_ONLY, NULL), MOOR_OK);
        CHECK_INT(moor_items_load(path, &in, NULL), MOOR_E_BADINPUT);
    }
}

static void there_is_a_limit_and_room_after_removal(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    MOOR_AUTOPTR(moor_item) over = NULL;
    char name[16];
    for (int n = 0; n < MOOR_ITEMS_MAX; n++) {
        struct moor_item *i = NULL;
        (void)snprintf(name, sizeof(name), "x%d", n);
        CHECK_INT(moor_item_new(name, "P", "T", &i, NULL), MOOR_OK);
        CHECK_INT(moor_items_add(&all, i, NULL), MOOR_OK);
    }
    CHECK_INT(moor_item_new("over", "P", "T", &over, NULL), MOOR_OK);
    CHECK_INT(moor_items_add(&all, over, NULL), MOOR_E_NOMEM);
    moor_items_remove(&all, moor_items_find(&all, "x5"));
    CHECK(moor_items_find(&all, "x5") == NULL);
    CHECK_INT(moor_items_add(&all, over, NULL), MOOR_OK);
    over = NULL;
    CHECK_INT(all.count, MOOR_ITEMS_MAX);
}

static void long_messages_are_cut_between_characters(void)
{
    MOOR_AUTOPTR(moor_item) i = NULL;
    char text[MOOR_ITEM_MESSAGE_MAX + 8];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    CHECK_INT(moor_item_new("n", "P", "T", &i, NULL), MOOR_OK);
    memcpy(text + MOOR_ITEM_MESSAGE_MAX - 1, "\xE2\x82\xAC", 3);
    moor_item_settle(i, MOOR_OUTCOME_FAILED, "X", 0, text);
    CHECK_INT(strlen(i->message), MOOR_ITEM_MESSAGE_MAX - 1);
    CHECK_INT(i->message[MOOR_ITEM_MESSAGE_MAX - 2], 'x');
}

ROOTED_MAIN(CHECK_TEST(what_is_kept_comes_back), CHECK_TEST(no_file_is_an_empty_memory),
            CHECK_TEST(a_memory_that_cannot_be_read_is_refused_with_its_name),
            CHECK_TEST(every_cut_of_the_file_is_refused),
            CHECK_TEST(there_is_a_limit_and_room_after_removal),
            CHECK_TEST(long_messages_are_cut_between_characters))
