/* SPDX-License-Identifier: Apache-2.0 */
/* rooted.h: a main() for tests that write files: they run below a root of their own or not at all.
 */
#ifndef MOOR_TESTS_ROOTED_H
#define MOOR_TESTS_ROOTED_H

#include "check.h"
#include "platform/dirs.h"

#define ROOTED_MAIN(...)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct check_test tests[] = { __VA_ARGS__ };                                  \
        if (plat_dirs_init(false, NULL) != MOOR_OK || !*plat_dirs_root()) {                        \
            printf("# want MOORING_ROOT\n");                                                       \
            return 2;                                                                              \
        }                                                                                          \
        return check_run(tests, sizeof(tests) / sizeof(tests[0]));                                 \
    }

#endif
