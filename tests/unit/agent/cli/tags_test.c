/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "check.h"
#include "cli/cli.h"

static void tags_are_read_with_quotes_and_backslashes(void)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        { "", "{}" },
        { "a=b", "{\"a\":\"b\"}" },
        { "a=b,c=d", "{\"a\":\"b\",\"c\":\"d\"}" },
        { "a", "{\"a\":\"\"}" },
        { "a=b=c", "{\"a\":\"b=c\"}" },
        { "a='x, y',b=\"'\"", "{\"a\":\"x, y\",\"b\":\"'\"}" },
        { "a=x\\,y", "{\"a\":\"x,y\"}" },
        { "'a b'=c", "{\"a b\":\"c\"}" },
        { "a=b,", "{\"a\":\"b\"}" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(1024);
        CHECK_INT(moor_tags_parse(cases[i].text, &out, NULL), MOOR_OK);
        CHECK_STR(moor_buf_cstr(&out), cases[i].json);
    }
}

static void broken_tags_are_refused(void)
{
    static const char *const bad[] = { "=b", "a=b,,c=d", "a='b", "a=b,A=c", "a=\xff" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(1024);
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(moor_tags_parse(bad[i], &out, &err), MOOR_E_BADINPUT);
        CHECK(strncmp(err.msg, "--tags", 6) == 0);
    }
}

static void every_verb_is_found_under_one_name(void)
{
    size_t n = 0;
    const struct moor_verb *const *verbs = moor_verbs(&n);
    for (size_t i = 0; i < n; i++) {
        CHECK(verbs[i]->run && *verbs[i]->summary);
        CHECK(verbs[i]->options_size <= 512);
        CHECK(verbs[i]->words_min <= verbs[i]->words_max);
        CHECK(i == 0 || strcmp(verbs[i - 1]->name, verbs[i]->name) < 0);
    }
}

CHECK_MAIN(CHECK_TEST(tags_are_read_with_quotes_and_backslashes),
           CHECK_TEST(broken_tags_are_refused), CHECK_TEST(every_verb_is_found_under_one_name))
