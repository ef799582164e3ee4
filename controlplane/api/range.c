/* SPDX-License-Identifier: Apache-2.0 */
#include "api/range.h"

#include "base/text.h"

static moor_range_kind last_bytes(struct moor_span count, uint64_t size, struct moor_range *out)
{
    uint64_t n = 0;
    if (moor_parse_u64(count, 0, UINT64_MAX, &n, NULL))
        return MOOR_RANGE_ALL;
    if (n == 0 || size == 0)
        return MOOR_RANGE_NONE;
    out->length = n < size ? n : size;
    out->offset = size - out->length;
    return MOOR_RANGE_PART;
}

moor_range_kind moor_range_read(const char *header, uint64_t size, struct moor_range *out)
{
    struct moor_span rest = moor_span_str(header);
    struct moor_span unit = moor_span_cut(&rest, '=');
    uint64_t first = 0, last = UINT64_MAX;
    if (!moor_span_eq_nocase(moor_span_trim(unit), MOOR_SPAN_LIT("bytes")) || !rest.p)
        return MOOR_RANGE_ALL;
    struct moor_span from = moor_span_trim(moor_span_cut(&rest, '-'));
    if (!rest.p) /* no dash */
        return MOOR_RANGE_ALL;
    struct moor_span to = moor_span_trim(rest);
    if (from.n == 0)
        return last_bytes(to, size, out);
    if (moor_parse_u64(from, 0, UINT64_MAX, &first, NULL) ||
        (to.n && moor_parse_u64(to, first, UINT64_MAX, &last, NULL)))
        return MOOR_RANGE_ALL;
    if (first >= size)
        return MOOR_RANGE_NONE;
    if (last >= size)
        last = size - 1;
    out->offset = first;
    out->length = last - first + 1;
    return MOOR_RANGE_PART;
}
