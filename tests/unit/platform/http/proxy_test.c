/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection goes through a proxy, and which does not. */
#include "http/proxy.h"

#include "check.h"

struct row {
    const char *bypass; /* NULL = none */
    const char *host;
    uint16_t port;
    bool proxied;
};

static const struct row rows[] = {
    { NULL, "a.example", 443, true },
    { "", "a.example", 443, true },
    { "*", "a.example", 443, false },
    { "*", "::1", 1, false },
    /* names */
    { "a.example", "a.example", 443, false },
    { "A.Example", "a.eXAMPLE", 443, false },
    { "a.example", "b.a.example", 443, false },
    { "a.example", "ba.example", 443, true },
    { "a.example", "example", 443, true },
    { "a.example", "a.example.", 443, false },
    { "a.example", "a.example.evil", 443, true },
    { ".a.example", "a.example", 443, true },
    { ".a.example", "b.a.example", 443, false },
    { "*.a.example", "a.example", 443, true },
    { "*.a.example", "c.b.a.example", 443, false },
    { "a.*", "a.example", 443, true },
    { "", "", 443, true },
    /* ports */
    { "a.example:8443", "a.example", 8443, false },
    { "a.example:8443", "a.example", 443, true },
    { "a.example:0", "a.example", 443, true },
    { "a.example:", "a.example", 443, true },
    { "a.example:x", "a.example", 443, true },
    { "*:443", "a.example", 443, false },
    { "*:443", "a.example", 444, true },
    { ":443", "a.example", 443, true },
    /* addresses */
    { "10.1.2.3", "10.1.2.3", 443, false },
    { "10.1.2.3", "10.1.2.30", 443, true },
    { "2.3", "10.1.2.3", 443, true },
    { "10.0.0.0/8", "10.255.0.1", 443, false },
    { "10.0.0.0/8", "11.0.0.1", 443, true },
    { "10.0.0.0/8", "10.example", 443, true },
    { "192.168.4.0/22", "192.168.7.255", 443, false },
    { "192.168.4.0/22", "192.168.8.0", 443, true },
    { "0.0.0.0/0", "8.8.8.8", 443, false },
    { "0.0.0.0/0", "::1", 443, true },
    { "10.0.0.0/33", "10.0.0.1", 443, true },
    { "10.0.0.0/", "10.0.0.1", 443, true },
    { "10.0.0.0/x", "10.0.0.1", 443, true },
    { "a.example/8", "a.example", 443, true },
    { "::1", "::1", 443, false },
    { "::1", "[::1]", 443, false },
    { "[::1]", "::1", 443, false },
    { "[::1]:443", "::1", 443, false },
    { "[::1]:443", "::1", 444, true },
    { "0:0:0::1", "::1", 443, false },
    { "fd00::/8", "fdff::2", 443, false },
    { "fd00::/8", "fe00::2", 443, true },
    /* lists */
    { "x.example,a.example", "a.example", 443, false },
    { " x.example , a.example ", "a.example", 443, false },
    { "x.example a.example", "a.example", 443, false },
    { ",,,", "a.example", 443, true },
    { "http://a.example,", "a.example", 443, true },
    { "a.exam\xc3\xa9", "a.example", 443, true },
};

static void one_decision_for_every_connection(void)
{
    char url[] = "http://proxy.example:3128";
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOSTR bypass = rows[i].bypass ? moor_strdup(rows[i].bypass) : NULL;
        const struct moor_proxy p = { .url = url, .bypass = bypass };
        if (moor_proxy_applies(&p, moor_span_str(rows[i].host), rows[i].port) != rows[i].proxied)
            CHECK_STR(rows[i].bypass, rows[i].host);
    }
}

static void without_a_proxy_all_is_direct(void)
{
    const struct moor_proxy none = MOOR_PROXY_INIT;
    CHECK(!moor_proxy_applies(NULL, moor_span_str("a.example"), 443));
    CHECK(!moor_proxy_applies(&none, moor_span_str("a.example"), 443));
}

static void loopback_is_direct_only_where_that_is_the_rule(void)
{
    static const char *const self[] = { "localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9",
                                        "[::1]" };
    static const char *const other[] = { "localhost.example", "128.0.0.1", "::2", "127.example" };
    char url[] = "http://proxy.example:3128";
    struct moor_proxy p = { .url = url };
    for (size_t i = 0; i < MOOR_COUNTOF(self); i++) {
        p.direct_to_self = false;
        CHECK(moor_proxy_applies(&p, moor_span_str(self[i]), 443));
        p.direct_to_self = true;
        CHECK(!moor_proxy_applies(&p, moor_span_str(self[i]), 443));
    }
    for (size_t i = 0; i < MOOR_COUNTOF(other); i++)
        CHECK(moor_proxy_applies(&p, moor_span_str(other[i]), 443));
}

static void entries_that_match_nothing_are_known_as_such(void)
{
    static const char *const good[] = { "*",     "a.example",  ".a.example", "*.a.example:443",
                                        "::1",   "10.0.0.0/8", "[fd00::]:1", "fd00::/8",
                                        "a_b-c", "10.0.0.1:80" };
    static const char *const bad[] = { "",      "http://a", "a b",      "a.*",     "*a", "a:70000",
                                       "a/b/8", ":443",     "10.0.0/8", "a,b",     ".",  "[::1",
                                       "[a]:1", "*.",       "a.exa%",   "\xc3\xa9" };
    for (size_t i = 0; i < MOOR_COUNTOF(good); i++)
        if (!moor_proxy_entry_valid(moor_span_str(good[i])))
            CHECK_STR("valid", good[i]);
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        if (moor_proxy_entry_valid(moor_span_str(bad[i])))
            CHECK_STR("invalid", bad[i]);
}

static void copies_are_the_same_until_something_counts(void)
{
    char url[] = "http://p:1";
    char list[] = "a";
    MOOR_AUTO(moor_proxy) a = MOOR_PROXY_INIT;
    MOOR_AUTO(moor_proxy) b = MOOR_PROXY_INIT;
    const struct moor_proxy from = { .url = url, .bypass = list, .setting = "proxy.url" };
    CHECK_INT(moor_proxy_copy(&from, &a, NULL), MOOR_OK);
    CHECK_INT(moor_proxy_copy(&from, &b, NULL), MOOR_OK);
    CHECK(moor_proxy_same(&a, &b) && moor_proxy_same(&a, &from));
    CHECK_INT(moor_secret_set(&b.credentials, MOOR_SPAN_LIT("u:p"), NULL), MOOR_OK);
    CHECK(!moor_proxy_same(&a, &b));
    CHECK_INT(moor_secret_set(&a.credentials, MOOR_SPAN_LIT("u:q"), NULL), MOOR_OK);
    CHECK(!moor_proxy_same(&a, &b));
    moor_proxy_move(&a, &b);
    CHECK_STR(a.url, "http://p:1");
    CHECK(!b.url && moor_secret_empty(&b.credentials));
}

CHECK_MAIN(CHECK_TEST(one_decision_for_every_connection), CHECK_TEST(without_a_proxy_all_is_direct),
           CHECK_TEST(loopback_is_direct_only_where_that_is_the_rule),
           CHECK_TEST(entries_that_match_nothing_are_known_as_such),
           CHECK_TEST(copies_are_the_same_until_something_counts))
