/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/json.h"
#include "logs/syslog.h"

#define NOW INT64_C(1795366800000)

/* Every message makes a row that is a JSON object. */
static void any_message_is_a_row(struct moor_span in)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF((size_t)8 << 20);
    MOOR_AUTOPTR(moor_json) row = NULL;
    const struct moor_syslog_origin from = { NOW, "box", "" };
    struct moor_syslog m;
    moor_syslog_parse(in, NOW, 3600 * 1000, &m);
    MOOR_ASSERT(m.facility < 24 && m.severity < 8);
    MOOR_ASSERT(m.text.n <= in.n);
    moor_syslog_row_add(&b, &m, &from, false);
    MOOR_ASSERT(moor_json_parse(moor_buf_view(&b), &row, NULL) == MOOR_OK);
}

/* However a stream is cut into pieces, the messages are the same. */
static uint64_t digest_of(struct moor_span in, size_t piece)
{
    struct moor_syslog_frames f = { 0, false };
    MOOR_AUTO(moor_buf) have = MOOR_BUF((size_t)8 << 20);
    uint64_t digest = 0;
    size_t at = 0;
    do {
        size_t n = in.n - at < piece ? in.n - at : piece;
        moor_buf_add(&have, in.n ? in.p + at : NULL, n);
        at += n;
        struct moor_span rest = moor_buf_view(&have), m = MOOR_SPAN_NONE;
        bool cut = false;
        while (moor_syslog_frame(&f, &rest, at == in.n, &m, &cut)) {
            digest = digest * 31 + m.n + cut;
            for (size_t i = 0; i < m.n; i++)
                digest = digest * 31 + (unsigned char)m.p[i];
        }
        moor_buf_eat(&have, have.len - rest.n);
    } while (at < in.n);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    any_message_is_a_row(in);
    MOOR_ASSERT(digest_of(in, 1) == digest_of(in, in.n + 1));
    return 0;
}
