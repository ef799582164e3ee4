/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include "check.h"

struct opts {
    bool json, verbose;
    const char *name;
};
static const struct moor_option table[] = {
    { "json", 'j', NULL, offsetof(struct opts, json), "print JSON" },
    { "verbose", 'v', NULL, offsetof(struct opts, verbose), "say more" },
    { "name", 'n', "NAME", offsetof(struct opts, name), "the machine's name" },
    { NULL, 0, NULL, 0, NULL },
};

/* Up to five words; the rest NULL. */
static moor_code parse(struct opts *o, struct moor_words *words, struct moor_error *err,
                       const char *const *given)
{
    static char room[5][64];
    char *args[5];
    int n = 0;
    for (; n < 5 && given[n]; n++) {
        (void)snprintf(room[n], sizeof(room[n]), "%s", given[n]);
        args[n] = room[n];
    }
    *o = (struct opts){ .json = false };
    words->count = 0;
    const struct moor_option_set sets[] = { { NULL, NULL }, { table, o } };
    return moor_options_parse(sets, 2, n, args, words, err);
}

static void every_spelling_of_a_value_is_read(void)
{
    static const char *const spellings[][6] = {
        { "--name", "web" }, { "--name=web" }, { "-n", "web" }, { "-nweb" }, { "-jnweb" },
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        struct opts o;
        struct moor_words w;
        CHECK_INT(parse(&o, &w, NULL, spellings[i]), MOOR_OK);
        CHECK_STR(o.name, "web");
        CHECK_INT(o.json, i == 4);
    }
}

static void words_and_options_mix(void)
{
    struct opts o;
    struct moor_words w;
    CHECK_INT(parse(&o, &w, NULL, (const char *const[]){ "a", "-jv", "-", "--", "-n" }), MOOR_OK);
    CHECK(o.json && o.verbose && !o.name);
    CHECK_INT(w.count, 3);
    CHECK_STR(w.items[1], "-");
    CHECK_STR(w.items[2], "-n");
}

static void mistakes_name_the_option_and_not_the_value(void)
{
    static const struct {
        const char *args[6];
        const char *message;
    } cases[] = {
        { { "--nam", "x" }, "--nam: no such option" },
        { { "-x" }, "-x: no such option" },
        { { "--name" }, "--name: wants a value: NAME" },
        { { "-n" }, "--name: wants a value: NAME" },
        { { "--json=canary" }, "--json: takes no value" },
        { { "--name=canary", "-ncanary" }, "--name: given twice" },
        { { "--nope=canary" }, "--nope: no such option" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct opts o;
        struct moor_words w;
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(parse(&o, &w, &err, cases[i].args), MOOR_E_BADINPUT);
        CHECK_STR(err.msg, cases[i].message);
    }
}

static void help_has_a_line_an_option(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    moor_options_help(table, &b);
    CHECK(strstr(moor_buf_cstr(&b), "  -n, --name NAME "));
    CHECK(strstr(moor_buf_cstr(&b), "  -j, --json "));
}

CHECK_MAIN(CHECK_TEST(every_spelling_of_a_value_is_read), CHECK_TEST(words_and_options_mix),
           CHECK_TEST(mistakes_name_the_option_and_not_the_value),
           CHECK_TEST(help_has_a_line_an_option))
