/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check.h"
#include "logs/pack.h"

static uint32_t noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static const char *const ways[] = {
    "zlib-1",
#ifdef MOOR_WITH_ISAL
    "isal-1",
    "isal-3",
#endif
#ifdef MOOR_WITH_LIBDEFLATE
    "libdeflate-1",
#endif
};

/* As many rows of this many bytes as fit; letters: how many different ones, so how well they
 * compress. */
static void pack_full(struct moor_packer *p, size_t row_bytes, unsigned letters,
                      struct moor_buf *body, uint32_t *rows, size_t *raw)
{
    uint32_t state = 1;
    char *row = malloc(row_bytes);
    *raw = 2;
    do {
        for (size_t i = 0; i < row_bytes; i++)
            row[i] = (char)(' ' + noise(&state) % letters);
        row[0] = row[row_bytes - 1] = '"';
        *raw += row_bytes + 2;
    } while (moor_packer_add(p, moor_span(row, row_bytes)));
    *raw -= row_bytes + 2;
    *rows = moor_packer_rows(p);
    CHECK_INT(moor_packer_end(p, body, NULL), MOOR_OK);
    free(row);
}

static bool count_row(void *ctx, uint32_t index, struct moor_span row)
{
    (void)row;
    *(uint32_t *)ctx = index + 1;
    return true;
}

static void fill_bodies(const struct moor_squeeze_way *way, size_t row_bytes, unsigned letters)
{
    const struct moor_pack_limits limits = { 200 * 1000, 1000 * 1000 };
    MOOR_AUTOPTR(moor_packer) p = NULL;
    CHECK_INT(moor_packer_new(&limits, way, &p, NULL), MOOR_OK);
    /* The first body teaches a library that does not stream what to expect. */
    for (int turn = 0; turn < 2; turn++) {
        MOOR_AUTO(moor_buf) body = MOOR_BUF(1 << 24);
        uint32_t rows = 0, seen = 0;
        size_t raw = 0;
        pack_full(p, row_bytes, letters, &body, &rows, &raw);
        CHECK(raw <= limits.raw_max);
        CHECK(body.len <= limits.wire_max || (turn == 0 && !way->library->streams));
        CHECK(body.len > limits.wire_max * 3 / 5 || raw > limits.raw_max * 9 / 10 ||
              (turn == 0 && !way->library->streams));
        CHECK_INT(moor_pack_each(moor_buf_view(&body), count_row, &seen, NULL), MOOR_OK);
        CHECK_INT(seen, rows);
    }
}

static void a_body_never_passes_its_limits_and_uses_them(void)
{
    static const unsigned letters[] = { 1, 10, 200 };
    static const size_t sizes[] = { 20, 300, 60000 };
    for (size_t w = 0; w < MOOR_COUNTOF(ways); w++) {
        struct moor_squeeze_way way = { NULL, 0 };
        CHECK_INT(moor_squeeze_choose(ways[w], &way, NULL), MOOR_OK);
        for (size_t i = 0; i < MOOR_COUNTOF(letters); i++)
            for (size_t s = 0; s < MOOR_COUNTOF(sizes); s++)
                fill_bodies(&way, sizes[s], letters[i]);
    }
}

static void the_setting_names_what_there_is(void)
{
    static const char *const bad[] = { "", "fast", "zlib", "zlib-0", "zlib-10", "zlib-1x", "-1" };
    struct moor_squeeze_way way = { NULL, 0 };
    CHECK_INT(moor_squeeze_choose("smallest", &way, NULL), MOOR_OK);
    CHECK_INT(way.level, 9);
    CHECK_INT(moor_squeeze_choose("balanced", &way, NULL), MOOR_OK);
    CHECK_INT(way.level, 4);
    CHECK_INT(moor_squeeze_choose("fastest", &way, NULL), MOOR_OK);
    CHECK_INT(way.level, 1);
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        CHECK_INT(moor_squeeze_choose(bad[i], &way, NULL), MOOR_E_BADINPUT);
}

static void one_row_always_fits(void)
{
    const struct moor_pack_limits limits = { 10, 10 };
    MOOR_AUTOPTR(moor_packer) p = NULL;
    CHECK_INT(moor_packer_new(&limits, NULL, &p, NULL), MOOR_OK);
    CHECK(moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":1}")));
    CHECK(!moor_packer_add(p, MOOR_SPAN_LIT("{}")));
    CHECK_INT(moor_packer_rows(p), 1);
}

static bool collect(void *ctx, uint32_t index, struct moor_span row)
{
    struct moor_buf *b = ctx;
    moor_buf_fmt(b, "%u=", index);
    moor_buf_span(b, row);
    moor_buf_char(b, ';');
    return true;
}

static void pack_some(struct moor_buf *body)
{
    MOOR_AUTOPTR(moor_packer) p = NULL;
    CHECK_INT(moor_packer_new(NULL, NULL, &p, NULL), MOOR_OK);
    CHECK(moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":\"x,\"}")));
    CHECK(moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":2}")));
    CHECK(moor_packer_add(p, MOOR_SPAN_LIT("{}")));
    CHECK_INT(moor_packer_end(p, body, NULL), MOOR_OK);
}

static void rows_come_out_as_they_went_in(void)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) got = MOOR_BUF(4096);
    pack_some(&body);
    CHECK_INT(moor_pack_each(moor_buf_view(&body), collect, &got, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&got), "0={\"a\":\"x,\"};1={\"a\":2};2={};");
}

static void a_body_is_cut_at_rows(void)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) part = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) got = MOOR_BUF(4096);
    pack_some(&body);
    CHECK_INT(moor_pack_cut(moor_buf_view(&body), 1, 2, &part, NULL), MOOR_OK);
    CHECK_INT(moor_pack_each(moor_buf_view(&part), collect, &got, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&got), "0={\"a\":2};1={};");
    CHECK_INT(moor_pack_cut(moor_buf_view(&body), 2, 5, &part, NULL), MOOR_E_PROTOCOL);
}

static void a_damaged_body_is_found(void)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF(4096);
    pack_some(&body);
    for (size_t n = 0; n < body.len; n++) {
        MOOR_AUTO(moor_buf) got = MOOR_BUF(4096);
        CHECK_INT(moor_pack_each(moor_span(body.data, n), collect, &got, NULL), MOOR_E_PROTOCOL);
    }
    body.data[body.len - 6] ^= 1;
    MOOR_AUTO(moor_buf) got = MOOR_BUF(4096);
    CHECK_INT(moor_pack_each(moor_buf_view(&body), collect, &got, NULL), MOOR_E_PROTOCOL);
}

CHECK_MAIN(CHECK_TEST(the_setting_names_what_there_is),
           CHECK_TEST(a_body_never_passes_its_limits_and_uses_them),
           CHECK_TEST(one_row_always_fits), CHECK_TEST(rows_come_out_as_they_went_in),
           CHECK_TEST(a_body_is_cut_at_rows), CHECK_TEST(a_damaged_body_is_found))
