/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/attr.h"
#include "base/text.h"

void plat_random(void *p, size_t n)
{
    unsigned char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        MOOR_ASSERT(got > 0);
        at += got;
        n -= (size_t)got;
    }
}

uint32_t plat_random_below(uint32_t limit)
{
    MOOR_ASSERT(limit > 0);
    /* The 2^32 mod limit lowest values would make the small results more likely. */
    uint32_t skip = (uint32_t)(0x100000000ULL % limit);
    uint32_t r;
    do {
        plat_random(&r, sizeof(r));
    } while (r < skip);
    return r % limit;
}

void plat_random_uuid(char out[37])
{
    unsigned char bytes[16];
    plat_random(bytes, sizeof(bytes));
    moor_uuid_format(bytes, out);
}
