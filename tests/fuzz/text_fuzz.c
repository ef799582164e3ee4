/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/timefmt.h"

#define TEXT_MAX (1 << 20)

/* What a decoder accepts, its encoder writes back letter by letter. */
static void decodes_one_form_only(struct moor_span in)
{
    static const struct {
        moor_code (*decode)(struct moor_span, struct moor_buf *, struct moor_error *);
        void (*encode)(struct moor_buf *, struct moor_span);
    } pairs[] = {
        { moor_base64_decode, moor_buf_base64 },
        { moor_base64url_decode, moor_buf_base64url },
        { moor_hex_decode, moor_buf_hex },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(pairs); i++) {
        MOOR_AUTO(moor_buf) bytes = MOOR_BUF(TEXT_MAX);
        MOOR_AUTO(moor_buf) text = MOOR_BUF(TEXT_MAX);
        if (pairs[i].decode(in, &bytes, NULL) != MOOR_OK)
            continue;
        pairs[i].encode(&text, moor_buf_view(&bytes));
        /* Hexadecimal digits may be of either case. */
        MOOR_ASSERT(i < 2 ? moor_span_eq(moor_buf_view(&text), in)
                          : moor_span_eq_nocase(moor_buf_view(&text), in));
    }
}

/* What an encoder writes, its decoder reads as the same bytes. */
static void codes_any_bytes(struct moor_span in)
{
    MOOR_AUTO(moor_buf) part = MOOR_BUF(TEXT_MAX);
    MOOR_AUTO(moor_buf) back = MOOR_BUF(TEXT_MAX);
    moor_buf_url_part(&part, in);
    bool has_nul = in.n > 0 && memchr(in.p, '\0', in.n);
    moor_code c = moor_percent_decode(moor_buf_view(&part), true, &back, NULL);
    MOOR_ASSERT(c == (has_nul ? MOOR_E_BADINPUT : MOOR_OK));
    MOOR_ASSERT(has_nul || moor_span_eq(moor_buf_view(&back), in));
    moor_buf_reset(&back);
    c = moor_percent_decode(in, false, &back, NULL);
    MOOR_ASSERT(c == MOOR_OK || back.len == 0);
}

static void repairs_utf8(struct moor_span in)
{
    MOOR_AUTO(moor_buf) whole = MOOR_BUF(TEXT_MAX);
    moor_utf8_repair(&whole, in);
    MOOR_ASSERT(moor_utf8_valid(moor_buf_view(&whole)));
    MOOR_ASSERT(moor_utf8_valid(in) == moor_span_eq(moor_buf_view(&whole), in));
    if (in.n > 0 && memchr(in.p, '\0', in.n))
        return;
    /* As a JSON string it reads as the repaired text. */
    MOOR_AUTO(moor_buf) quoted = MOOR_BUF(TEXT_MAX);
    moor_buf_json_str(&quoted, in);
    MOOR_AUTOPTR(moor_json) v = NULL;
    MOOR_ASSERT(moor_json_parse(moor_buf_view(&quoted), &v, NULL) == MOOR_OK);
    MOOR_ASSERT(moor_streq(moor_json_str(v), moor_buf_cstr(&whole)));
}

static void reads_numbers(struct moor_span in)
{
    uint64_t u = 0;
    int64_t i = 0;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(64);
    if (moor_parse_u64(in, 0, UINT64_MAX, &u, NULL) == MOOR_OK) {
        moor_buf_fmt(&b, "%" PRIu64, u);
        MOOR_ASSERT(moor_version_cmp(moor_buf_view(&b), in) == 0);
    }
    if (moor_parse_i64(in, -10, INT64_MAX, &i, NULL) == MOOR_OK)
        MOOR_ASSERT(i < 0 ? in.p[0] == '-' && i >= -10 : in.p[0] == '-' || (uint64_t)i == u);
}

static void reads_times(struct moor_span in)
{
    int64_t ms = 0, back = 0;
    uint64_t duration = 0;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(64);
    if (moor_rfc3339_parse(in, &ms, NULL) == MOOR_OK) {
        moor_buf_rfc3339(&b, ms);
        MOOR_ASSERT(moor_rfc3339_parse(moor_buf_view(&b), &back, NULL) == MOOR_OK && back == ms);
    }
    moor_buf_reset(&b);
    if (moor_http_date_parse(in, &ms, NULL) == MOOR_OK) {
        moor_buf_http_date(&b, ms);
        MOOR_ASSERT(moor_http_date_parse(moor_buf_view(&b), &back, NULL) == MOOR_OK && back == ms);
    }
    if (moor_duration_parse(in, &duration, NULL) == MOOR_OK)
        MOOR_ASSERT(in.n >= 3 && in.p[0] == 'P');
}

static void orders_versions(struct moor_span in)
{
    struct moor_span rest = in;
    struct moor_span first = moor_span_cut(&rest, ' ');
    int order = moor_version_cmp(first, rest);
    MOOR_ASSERT(order >= -1 && order <= 1 && moor_version_cmp(rest, first) == -order);
    MOOR_ASSERT(moor_version_cmp(in, in) == 0);
    MOOR_ASSERT(!moor_version_valid(in) || in.n <= 39);
    MOOR_ASSERT(!moor_uuid_valid(in) || in.n == MOOR_UUID_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    decodes_one_form_only(in);
    codes_any_bytes(in);
    repairs_utf8(in);
    reads_numbers(in);
    reads_times(in);
    orders_versions(in);
    return 0;
}
