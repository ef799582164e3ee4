/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chunked.h"

#include "check.h"

static moor_chunked_result feed(struct moor_span text, size_t piece, struct moor_buf *out,
                                size_t *used, moor_refusal *why)
{
    struct moor_chunked c = { 0 };
    moor_chunked_result r = MOOR_CHUNKED_MORE;
    *used = 0;
    *why = MOOR_REFUSE_NOTHING;
    while (r == MOOR_CHUNKED_MORE && *used < text.n) {
        size_t n = text.n - *used < piece ? text.n - *used : piece;
        size_t took = 0;
        r = moor_chunked_feed(&c, moor_span(text.p + *used, n), out, &took, why);
        *used += took;
    }
    return r;
}

static void chunks_are_joined(void)
{
    static const char text[] = "5\r\nhello\r\n00A\r\n, world...\r\n1\r\n!\r\n0\r\n\r\nnext";
    for (size_t piece = 1; piece < 20; piece++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(100);
        size_t used;
        moor_refusal why;
        CHECK_INT(feed(MOOR_SPAN_LIT(text), piece, &out, &used, &why), MOOR_CHUNKED_DONE);
        CHECK_STR(moor_buf_cstr(&out), "hello, world...!");
        CHECK_INT(used, sizeof(text) - 1 - 4);
    }
}

static void breaches_are_refused(void)
{
    static const struct {
        moor_refusal why;
        const char *text;
    } rows[] = {
        { MOOR_REFUSE_CHUNK, "\r\n" },
        { MOOR_REFUSE_CHUNK, "g\r\n" },
        { MOOR_REFUSE_CHUNK, "+1\r\na\r\n" },
        { MOOR_REFUSE_CHUNK, "-1\r\n" },
        { MOOR_REFUSE_CHUNK, "0x1\r\na\r\n" },
        { MOOR_REFUSE_CHUNK, " 1\r\na\r\n" },
        { MOOR_REFUSE_CHUNK, "1 \r\na\r\n" },
        { MOOR_REFUSE_CHUNK, "1;a=b\r\na\r\n" },
        { MOOR_REFUSE_CHUNK, "1\na\r\n" },
        { MOOR_REFUSE_CHUNK, "1\rXa" },
        { MOOR_REFUSE_CHUNK, "1\r\nab\r\n" },
        { MOOR_REFUSE_CHUNK, "1\r\na\n" },
        { MOOR_REFUSE_CHUNK, "1\r\na\r0" },
        { MOOR_REFUSE_CHUNK, "000000001\r\na\r\n" },
        { MOOR_REFUSE_CHUNK, "0\r\nTrailer: x\r\n\r\n" },
        { MOOR_REFUSE_CHUNK, "0\r\n\n" },
        { MOOR_REFUSE_CHUNK, "0\r\n\rX" },
        { MOOR_REFUSE_BODY_LONG, "5\r\n12345\r\n" },
        { MOOR_REFUSE_BODY_LONG, "4\r\n1234\r\n1\r\n5\r\n" },
        { MOOR_REFUSE_BODY_LONG, "ffffffff\r\n12345" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            MOOR_AUTO(moor_buf) out = MOOR_BUF(4);
            size_t used;
            moor_refusal why;
            CHECK_INT(feed(moor_span_str(rows[i].text), piece, &out, &used, &why),
                      MOOR_CHUNKED_REFUSED);
            if (!CHECK_INT(why, rows[i].why))
                printf("# row %zu\n", i);
        }
    }
}

static void empty_body_is_one_chunk(void)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(0);
    size_t used;
    moor_refusal why;
    CHECK_INT(feed(MOOR_SPAN_LIT("0\r\n\r\n"), 2, &out, &used, &why), MOOR_CHUNKED_DONE);
    CHECK_INT(out.len, 0);
}

CHECK_MAIN(CHECK_TEST(chunks_are_joined), CHECK_TEST(breaches_are_refused),
           CHECK_TEST(empty_body_is_one_chunk))
