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

/* As many rows of this many bytes as fit; letters: how many different ones, so how well they
 * compress. */
static void pack_full(const struct moor_pack_limits *limits, size_t row_bytes, unsigned letters,
                      struct moor_buf *body, uint32_t *rows, size_t *raw)
{
    MOOR_AUTOPTR(moor_packer) p = NULL;
    uint32_t state = 1;
    char *row = malloc(row_bytes);
    CHECK_INT(moor_packer_new(limits, &p, NULL), MOOR_OK);
    *raw = 2;
    while (moor_packer_room(p, row_bytes)) {
        for (size_t i = 0; i < row_bytes; i++)
            row[i] = (char)(' ' + noise(&state) % letters);
        row[0] = row[row_bytes - 1] = '"';
        moor_packer_add(p, moor_span(row, row_bytes));
        *raw += row_bytes + 2;
    }
    *rows = moor_packer_rows(p);
    CHECK_INT(moor_packer_end(p, body, NULL), MOOR_OK);
    free(row);
}

static void a_body_never_passes_its_limits_and_uses_them(void)
{
    static const unsigned letters[] = { 1, 2, 10, 90, 200 };
    static const size_t sizes[] = { 20, 300, 60000 };
    for (size_t i = 0; i < MOOR_COUNTOF(letters); i++) {
        for (size_t s = 0; s < MOOR_COUNTOF(sizes); s++) {
            const struct moor_pack_limits limits = { 300 * 1000, 2 * 1000 * 1000 };
            MOOR_AUTO(moor_buf) body = MOOR_BUF(1 << 24);
            uint32_t rows = 0;
            size_t raw = 0;
            pack_full(&limits, sizes[s], letters[i], &body, &rows, &raw);
            CHECK(body.len <= limits.wire_max && raw <= limits.raw_max);
            CHECK(body.len > limits.wire_max * 3 / 5 || raw > limits.raw_max * 9 / 10);
        }
    }
}

static void one_row_always_fits(void)
{
    const struct moor_pack_limits limits = { 10, 10 };
    MOOR_AUTOPTR(moor_packer) p = NULL;
    CHECK_INT(moor_packer_new(&limits, &p, NULL), MOOR_OK);
    CHECK(moor_packer_room(p, 1000));
    moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":1}"));
    CHECK(!moor_packer_room(p, 1));
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
    CHECK_INT(moor_packer_new(NULL, &p, NULL), MOOR_OK);
    moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":\"x,\"}"));
    moor_packer_add(p, MOOR_SPAN_LIT("{\"a\":2}"));
    moor_packer_add(p, MOOR_SPAN_LIT("{}"));
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

CHECK_MAIN(CHECK_TEST(a_body_never_passes_its_limits_and_uses_them),
           CHECK_TEST(one_row_always_fits), CHECK_TEST(rows_come_out_as_they_went_in),
           CHECK_TEST(a_body_is_cut_at_rows), CHECK_TEST(a_damaged_body_is_found))
