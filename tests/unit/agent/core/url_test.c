/* SPDX-License-Identifier: Apache-2.0 */
#include "core/url.h"

#include "check.h"

static void parts_of_a_url_are_found(void)
{
    struct moor_url u;
    CHECK_INT(moor_url_parse("https://Host.example:8443/a?b", &u, NULL), MOOR_OK);
    CHECK(u.https);
    CHECK(moor_span_eq_str(u.host, "Host.example"));
    CHECK_INT(u.port, 8443);
    CHECK(moor_span_eq_str(u.path, "/a?b"));
    CHECK_INT(moor_url_parse("http://[::1]?x", &u, NULL), MOOR_OK);
    CHECK(!u.https && u.ipv6);
    CHECK(moor_span_eq_str(u.host, "::1"));
    CHECK_INT(u.port, 80);
    CHECK(moor_span_eq_str(u.path, "?x"));
}

static void doubtful_urls_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "https://",
        "ftp://h",
        "//h",
        "h:80",
        "https:///x",
        "https://h:0",
        "https://h:65536",
        "https://h:",
        "https://h:8a",
        "https://user@h",
        "https://user:pw@h/x",
        "https://h x",
        "https://h\\x",
        "https://[::1",
        "https://[zz]",
        "https://h\n",
        "https://\xc3\xa4",
        "https://h\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct moor_url u;
        struct moor_error err = MOOR_ERROR_INIT;
        if (!CHECK_INT(moor_url_parse(bad[i], &u, &err), MOOR_E_BADINPUT))
            printf("# %s\n", bad[i]);
        CHECK(strstr(err.msg, "pw") == NULL);
    }
}

static void origins_compare_host_without_case_and_port(void)
{
    struct moor_url a, b;
    CHECK_INT(moor_url_parse("https://H", &a, NULL), MOOR_OK);
    CHECK_INT(moor_url_parse("https://h:443/x", &b, NULL), MOOR_OK);
    CHECK(moor_url_same_origin(&a, &b));
    CHECK_INT(moor_url_parse("https://h:444", &b, NULL), MOOR_OK);
    CHECK(!moor_url_same_origin(&a, &b));
    CHECK_INT(moor_url_parse("http://h:443", &b, NULL), MOOR_OK);
    CHECK(!moor_url_same_origin(&a, &b));
}

static void suffixes_match_whole_labels_only(void)
{
    CHECK(moor_host_within(moor_span_str("a.Example.com"), "example.com"));
    CHECK(moor_host_within(moor_span_str("example.com"), "example.com"));
    CHECK(!moor_host_within(moor_span_str("badexample.com"), "example.com"));
    CHECK(!moor_host_within(moor_span_str("com"), "example.com"));
    CHECK(!moor_host_within(moor_span_str("com"), ""));
}

static void base_and_origin_are_written_in_one_form(void)
{
    struct moor_url u;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    CHECK_INT(moor_url_parse("https://[::1]:443/x/", &u, NULL), MOOR_OK);
    moor_buf_origin(&b, &u);
    CHECK_STR(moor_buf_cstr(&b), "https://[::1]");
    CHECK(moor_span_eq_str(moor_url_base("https://h/x//"), "https://h/x"));
}

CHECK_MAIN(CHECK_TEST(parts_of_a_url_are_found), CHECK_TEST(doubtful_urls_are_refused),
           CHECK_TEST(origins_compare_host_without_case_and_port),
           CHECK_TEST(suffixes_match_whole_labels_only),
           CHECK_TEST(base_and_origin_are_written_in_one_form))
