/* SPDX-License-Identifier: Apache-2.0 */
/* What the log forwarder reads: lines and records, rule documents, entries of its queue. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/text.h"
#include "logs/glob.h"
#include "logs/lines.h"
#include "logs/queue.h"
#include "logs/rules.h"
#include "logs/wide.h"

static const char *const formats[] = {
    "ISO 8601",        "YYYY-MM-DD HH:MM:SS", "M/D/YYYY HH:MM:SS AM/PM", "Mon DD, YYYY HH:MM:SS",
    "yyMMdd HH:mm:ss", "ddMMyy HH:mm:ss",     "MMM d HH:mm:ss",          "dd/MMM/yyyy:HH:mm:ss zzz",
};

/* Records are made of whole lines: both ways take the file to the same place. */
static void records_take_what_lines_take(struct moor_span in, const struct moor_stamp_format *start)
{
    struct moor_span rest = in, record;
    bool skipping = false;
    size_t records = 0, lines = 0;
    while (moor_cut_record(&rest, start, true, true, &skipping, &record) != MOOR_CUT_NONE)
        records++;
    MOOR_ASSERT(rest.n == 0 && !skipping);
    rest = in;
    while (moor_cut_line(&rest, true, &skipping, &record) != MOOR_CUT_NONE)
        lines++;
    MOOR_ASSERT(rest.n == 0 && records <= lines);
}

static void any_line_makes_a_row(struct moor_span in)
{
    const struct moor_row_context x = { 0, "box", "/a", MOOR_LOG_JSON_LINES };
    struct moor_row_frame f;
    MOOR_AUTO(moor_buf) b = MOOR_BUF((size_t)8 << 20);
    moor_row_frame_init(&f, &x);
    if (moor_row_add(&b, &f, in, false, NULL) != MOOR_OK)
        MOOR_ASSERT(b.len == 0);
    f.format = MOOR_LOG_TEXT;
    MOOR_ASSERT(moor_row_add(&b, &f, in, false, NULL) == MOOR_OK);
    moor_row_frame_drop(&f);
}

static void rules_are_decoded_or_refused(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA((size_t)8 << 20);
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_rule r;
    if (moor_rule_decode(in, "a.json", &r, &arena, &e) != MOOR_OK) {
        MOOR_ASSERT(e.msg[0]);
        return;
    }
    for (size_t i = 0; i < r.flow_count; i++) {
        MOOR_ASSERT(r.flows[i].key && r.flows[i].stream && r.flows[i].endpoint);
        for (size_t p = 0; r.flows[i].kind == MOOR_FLOW_FILES && p < r.flows[i].patterns.count; p++)
            MOOR_ASSERT(moor_glob_valid(r.flows[i].patterns.items[p]));
    }
}

static void entries_are_whole_or_damaged(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA((size_t)8 << 20);
    struct moor_queue_head head;
    struct moor_span body = MOOR_SPAN_NONE;
    if (moor_queue_decode(in, false, &head, &body, &arena, NULL) == MOOR_OK)
        MOOR_ASSERT(head.key && body.n <= in.n);
}

/* Whatever the bytes are, the UTF-8 is well-formed and says where in them it came from. */
static void wide_text_keeps_its_length(struct moor_span in, moor_wide order)
{
    MOOR_AUTOSTR out = malloc(in.n / 2 * 3 + 1);
    MOOR_ASSERT(out);
    struct moor_span whole = { out, moor_wide_decode(order, in, true, out) };
    MOOR_ASSERT(whole.n <= in.n / 2 * 3 && moor_utf8_valid(whole));
    MOOR_ASSERT(moor_wide_length(whole) == in.n / 2 * 2);
    struct moor_span part = { out, moor_wide_decode(order, in, false, out) };
    MOOR_ASSERT(moor_wide_length(part) + 3 >= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    for (size_t i = 0; i < MOOR_COUNTOF(formats); i++)
        records_take_what_lines_take(in, moor_stamp_find(formats[i]));
    any_line_makes_a_row(in);
    rules_are_decoded_or_refused(in);
    entries_are_whole_or_damaged(in);
    wide_text_keeps_its_length(in, MOOR_WIDE_LE);
    wide_text_keeps_its_length(in, MOOR_WIDE_BE);
    return 0;
}
