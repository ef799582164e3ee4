/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "logs/mark.h"
#include "logs/positions.h"
#include "logs/queue.h"

static void encode(struct moor_buf *b)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
    const struct moor_file_key key = { 1, 2 };
    const struct moor_mark mark = { .offset = 9, .head_len = 9 };
    struct moor_position p;
    CHECK(moor_position_write(&p, &arena, "/a.log", &key, &mark, 5));
    const struct moor_queue_head head = { .key = "k",
                                          .endpoint = "https://a.example",
                                          .immutable_id = "dcr-1",
                                          .stream = "Custom-A",
                                          .rows = 3,
                                          .created_ms = 7,
                                          .sources = { &p, 1 } };
    moor_queue_encode(b, &head, MOOR_SPAN_LIT("the body"));
    CHECK(!b->failed);
}

static moor_code decode(struct moor_span text, bool head_only, struct moor_queue_head *head,
                        struct moor_span *body, struct moor_arena *arena)
{
    return moor_queue_decode(text, head_only, head, body, arena, NULL);
}

static void an_entry_is_written_and_read(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 16);
    struct moor_queue_head head;
    struct moor_span body;
    encode(&b);
    CHECK_INT(decode(moor_buf_view(&b), false, &head, &body, &arena), MOOR_OK);
    CHECK(moor_span_eq_str(body, "the body"));
    CHECK_STR(head.key, "k");
    CHECK_STR(head.stream, "Custom-A");
    CHECK_INT(head.rows, 3);
    const struct moor_position *p = head.sources.items;
    CHECK_INT(head.sources.count, 1);
    CHECK_STR(p->id, "1:2");
    CHECK_INT(p->offset, 9);
}

static void a_torn_entry_is_found(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 16);
    encode(&b);
    for (size_t n = 0; n < b.len; n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
        struct moor_queue_head head;
        struct moor_span body;
        char *exact = malloc(n ? n : 1); /* so that a byte too far is seen */
        memcpy(exact, b.data, n);
        CHECK_INT(decode(moor_span(exact, n), false, &head, &body, &arena), MOOR_E_PROTOCOL);
        free(exact);
    }
}

static void a_flipped_bit_is_found(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 16);
    encode(&b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
        struct moor_queue_head head;
        struct moor_span body;
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << (bit % 8)));
        CHECK_INT(decode(moor_buf_view(&b), false, &head, &body, &arena), MOOR_E_PROTOCOL);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << (bit % 8)));
    }
}

static void the_head_alone_needs_no_body(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 16);
    struct moor_queue_head head;
    encode(&b);
    moor_buf_cut(&b, b.len - 8);
    CHECK_INT(decode(moor_buf_view(&b), true, &head, NULL, &arena), MOOR_OK);
    CHECK_INT(head.rows, 3);
    moor_buf_cut(&b, b.len - 1);
    CHECK_INT(decode(moor_buf_view(&b), true, &head, NULL, &arena), MOOR_E_PROTOCOL);
}

CHECK_MAIN(CHECK_TEST(an_entry_is_written_and_read), CHECK_TEST(a_torn_entry_is_found),
           CHECK_TEST(a_flipped_bit_is_found), CHECK_TEST(the_head_alone_needs_no_body))
