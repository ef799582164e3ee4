/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: the unit test harness. A test is a function; a table names them; main() runs the table
 * and prints TAP. Test names are sentences: expired_token_is_refreshed_once.
 *
 *   static void empty_span_equals_empty(void) { CHECK(moor_span_eq(a, b)); }
 *   CHECK_MAIN(CHECK_TEST(empty_span_equals_empty), CHECK_TEST(...))
 */
#ifndef MOOR_CHECK_H
#define MOOR_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct check_test {
    const char *name;
    void (*fn)(void);
};
static bool check_failed;
static const char *check_skip;

#define CHECK(cond)          check_that((cond), #cond, __FILE__, __LINE__)
#define CHECK_STR(got, want) check_str((got), (want), __FILE__, __LINE__)
#define CHECK_INT(got, want)                                                                       \
    check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        check_skip = (reason);                                                                     \
        return;                                                                                    \
    } while (0)

static inline bool check_that(bool ok, const char *what, const char *file, int line)
{
    if (!ok) {
        check_failed = true;
        printf("# %s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

static inline bool check_str(const char *got, const char *want, const char *file, int line)
{
    bool ok = got && want ? strcmp(got, want) == 0 : got == want;
    if (!ok)
        printf("# got  \"%s\"\n# want \"%s\"\n", got ? got : "(null)", want ? want : "(null)");
    return check_that(ok, "strings are equal", file, line);
}

static inline bool check_int(long long got, long long want, const char *what, const char *file,
                             int line)
{
    if (got != want)
        printf("# got %lld, want %lld\n", got, want);
    return check_that(got == want, what, file, line);
}

static inline int check_run(const struct check_test *tests, size_t count)
{
    size_t bad = 0;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        check_failed = false;
        check_skip = NULL;
        tests[i].fn();
        bad += check_failed;
        printf("%sok %zu - %s%s%s\n", check_failed ? "not " : "", i + 1, tests[i].name,
               check_skip ? " # SKIP " : "", check_skip ? check_skip : "");
        fflush(stdout);
    }
    return bad ? 1 : 0;
}

#define CHECK_TEST(fn)                                                                             \
    {                                                                                              \
#fn, fn                                                                                    \
    }
#define CHECK_MAIN(...)                                                                            \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct check_test tests[] = { __VA_ARGS__ };                                  \
        return check_run(tests, sizeof(tests) / sizeof(tests[0]));                                 \
    }

#endif
