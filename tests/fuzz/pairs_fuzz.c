/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files in JSON and YAML. */
#include "cli/pairs.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MOOR_AUTO(moor_pairs) pairs = { .count = 0 };
    moor_code c = moor_pairs_read(moor_span(data, size), &pairs, NULL);
    MOOR_ASSERT(c == MOOR_OK || c == MOOR_E_BADINPUT || c == MOOR_E_NOMEM);
    return 0;
}
