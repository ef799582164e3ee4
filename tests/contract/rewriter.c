/* SPDX-License-Identifier: Apache-2.0 */
/* contract_rewriter FILE: replaces FILE with one of two long texts, over and over, until killed. */
#include <stdio.h>
#include <string.h>

#include "platform/file.h"

int main(int argc, char **argv)
{
    static char text[65536];
    struct moor_error err = MOOR_ERROR_INIT;
    for (unsigned i = 0; argc == 2; i++) {
        memset(text, i % 2 ? 'a' : 'b', sizeof(text));
        if (plat_write_atomic(argv[1], moor_span(text, sizeof(text)), PLAT_OWNER_ONLY, &err) !=
            MOOR_OK) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
    }
    return 2;
}
