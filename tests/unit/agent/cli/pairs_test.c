/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pairs.h"

#include "base/buf.h"
#include "check.h"

/* "name=value;..." of what was read, or the error's message. */
static void read(const char *text, struct moor_buf *out)
{
    MOOR_AUTO(moor_pairs) pairs = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    moor_buf_reset(out);
    if (moor_pairs_read(moor_span_str(text), &pairs, &err) != MOOR_OK) {
        CHECK_INT(err.code, MOOR_E_BADINPUT);
        moor_buf_str(out, err.msg);
        return;
    }
    for (size_t i = 0; i < pairs.count; i++) {
        moor_buf_fmt(out, "%s=", pairs.items[i].name);
        moor_buf_span(out, moor_secret_reveal(&pairs.items[i].value));
        moor_buf_char(out, ';');
    }
}

struct sample {
    const char *text, *want;
};

static void json_and_yaml_say_the_same(void)
{
    static const struct sample samples[] = {
        { "{}", "" },
        { "{\"a\":\"b\",\"n\":7,\"t\":true,\"z\":null}", "a=b;n=7;t=true;z=;" },
        { " \n{\"tags\":[\"A=1\",\"B=2\"]}\n", "tags=A=1,B=2;" },
        { "a: b\nn: 7\nt: true\nz: null\nq: ''\n", "a=b;n=7;t=true;z=;q=;" },
        { "--- # comment\ntags:\n  - A=1\n  - 'B=x y'\n...\n", "tags=A=1,B=x y;" },
        { "tags: [A=1, \"B=2\"]", "tags=A=1,B=2;" },
        { "a: \"~\"\nb: ~\n", "a=~;b=;" },
        { "secret: |\n  line\n", "secret=line\n;" },
    };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    for (size_t i = 0; i < MOOR_COUNTOF(samples); i++) {
        read(samples[i].text, &out);
        CHECK_STR(moor_buf_cstr(&out), samples[i].want);
    }
}

static void anything_but_one_flat_mapping_is_refused(void)
{
    static const struct sample samples[] = {
        { "", "line 1: want one mapping" },
        { "just text", "line 1: want one mapping" },
        { "- a\n- b\n", "line 1: want one mapping" },
        { "a: {b: c}", "line 1: want a scalar, or a list of scalars" },
        { "a:\n  - [b]\n", "line 2: want a scalar, or a list of scalars" },
        { "{\"a\":{\"b\":1}}", "a: want a scalar, or a list of scalars" },
        { "{\"a\":[[1]]}", "a: want a scalar, or a list of scalars" },
        { "a: &x b\n", "line 1: anchors and tags are not taken" },
        { "a: !!str b\n", "line 1: anchors and tags are not taken" },
        { "a: b\nc: *x\n", "line 2: aliases are not taken" },
        { "&x\na: b\n", "line 1: anchors and tags are not taken" },
        { "a: b\na: c\n", "a: given twice" },
        { "a: b\n---\nc: d\n", "line 2: want one document" },
        { "? [a]\n: b\n", "line 1: want a scalar, or a list of scalars" },
        { "a: \"x\\0y\"\n", "line 1: a NUL in a scalar" },
    };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    for (size_t i = 0; i < MOOR_COUNTOF(samples); i++) {
        read(samples[i].text, &out);
        CHECK_STR(moor_buf_cstr(&out), samples[i].want);
    }
}

static void broken_yaml_says_where_and_not_what(void)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    read("a: b\nsecret: \"canary\n", &out);
    CHECK(strncmp(moor_buf_cstr(&out), "line ", 5) == 0);
    CHECK(!strstr(moor_buf_cstr(&out), "canary"));
    read("a: b\n\tc: canary\n", &out);
    CHECK(!strstr(moor_buf_cstr(&out), "canary"));
}

static void names_and_values_have_a_limit(void)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTO(moor_pairs) pairs = { .count = 0 };
    for (int i = 0; i <= MOOR_PAIRS_MAX; i++)
        moor_buf_fmt(&text, "n%d: x\n", i);
    CHECK(moor_pairs_read(moor_buf_view(&text), &pairs, NULL) == MOOR_E_BADINPUT);
    moor_pairs_drop(&pairs);
    moor_buf_reset(&text);
    moor_buf_str(&text, "a: ");
    for (int i = 0; i <= MOOR_PAIR_VALUE_MAX; i++)
        moor_buf_char(&text, 'x');
    CHECK(moor_pairs_read(moor_buf_view(&text), &pairs, NULL) == MOOR_E_NOMEM);
}

CHECK_MAIN(CHECK_TEST(json_and_yaml_say_the_same),
           CHECK_TEST(anything_but_one_flat_mapping_is_refused),
           CHECK_TEST(broken_yaml_says_where_and_not_what),
           CHECK_TEST(names_and_values_have_a_limit))
