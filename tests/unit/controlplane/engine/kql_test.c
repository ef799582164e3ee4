/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/kql.h"

#define NOW INT64_C(1795366800000) /* 2026-11-22T17:00:00Z */

static const struct moor_kql_column columns[] = {
    { "TimeGenerated", MOOR_KQL_DATETIME },
    { "Computer", MOOR_KQL_STRING },
    { "Level", MOOR_KQL_INT },
    { "Size", MOOR_KQL_LONG },
    { "Ratio", MOOR_KQL_REAL },
    { "Ok", MOOR_KQL_BOOL },
    { "Props", MOOR_KQL_DYNAMIC },
    { "Id", MOOR_KQL_GUID },
    { "order", MOOR_KQL_STRING },
};
static const struct moor_kql_columns table = { columns, sizeof columns / sizeof columns[0] };

static const char *const rows[] = {
    "{\"TimeGenerated\":\"2026-11-22T16:59:00Z\",\"Computer\":\"web01\",\"Level\":3,\"Size\":10,"
    "\"Ratio\":0.5,\"Ok\":true,\"Props\":{\"a\":1},\"order\":\"x\"}",
    "{\"TimeGenerated\":\"2026-11-22T15:00:00.250Z\",\"Computer\":\"WEB02\",\"Level\":6,\"Size\":5,"
    "\"Ratio\":1.25,\"Ok\":false,\"Props\":\"text\",\"Id\":\"7a9d9e2b-0000-4000-8000-"
    "000000000000\"}",
    "{\"TimeGenerated\":\"2026-11-20T00:00:00Z\",\"Computer\":\"db-web 1\",\"Size\":5}",
    "{\"TimeGenerated\":\"2026-11-22T16:00:00Z\",\"Computer\":\"\",\"Level\":-1,\"Size\":7,"
    "\"Ok\":true}",
};

static char answer[4096];
static struct moor_kql_error why;

/* The answer's JSON, or the error's code and position. */
static const char *ask(const char *query)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 22);
    MOOR_AUTO(moor_buf) out = MOOR_BUF(sizeof answer - 1);
    MOOR_AUTOPTR(moor_kql_run) run = NULL;
    struct moor_kql *q = NULL;
    bool cut = false;
    if (moor_kql_parse(moor_span_str(query), NOW, &arena, &q, &why) ||
        moor_kql_bind(q, &table, &why)) {
        snprintf(answer, sizeof answer, "%s [%u,%u] '%s'", why.code, why.line, why.pos, why.token);
        return answer;
    }
    if (moor_kql_run_new(q, &out, &run, NULL))
        return "no run";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        MOOR_AUTOPTR(moor_json) row = NULL;
        if (moor_json_parse(moor_span_str(rows[i]), &row, NULL))
            return "bad row";
        if (!moor_kql_feed(run, row))
            break;
    }
    if (moor_kql_finish(run, &cut, NULL))
        return "no answer";
    snprintf(answer, sizeof answer, "%s", moor_buf_cstr(&out));
    for (char *p = answer; *p; p++) /* "[ [" reads badly below */
        if (*p == ' ' && p[-1] == '[')
            memmove(p, p + 1, strlen(p));
    return answer;
}

static void where_compares_by_type(void)
{
    CHECK_STR(ask("T | where Size == 5 | count"), "[[2]]");
    CHECK_STR(ask("T | where Size != 5 | count"), "[[2]]");
    CHECK_STR(ask("T | where Size >= 7 and Ratio < 1 | project Size"), "[[10]]");
    CHECK_STR(ask("T | where Ratio > 1 | project Ratio"), "[[1.25]]");
    CHECK_STR(ask("T | where Ok | project Size"), "[[10],[7]]");
    CHECK_STR(ask("T | where Ok == false | project Size"), "[[5]]");
    CHECK_STR(ask("T | where not(Ok) | project Size"), "[[5]]");
    CHECK_STR(ask("T | where Level == -1 | project Size"), "[[7]]");
    CHECK_STR(ask("T | where Size > 4.5 and Size <= 5 | count"), "[[2]]");
}

static void text_operators_follow_kusto(void)
{
    CHECK_STR(ask("T | where Computer == 'web01' | count"), "[[1]]");
    CHECK_STR(ask("T | where Computer =~ \"web02\" | count"), "[[1]]");
    CHECK_STR(ask("T | where Computer !~ 'web02' | count"), "[[3]]");
    CHECK_STR(ask("T | where Computer contains 'web' | count"), "[[3]]");
    CHECK_STR(ask("T | where Computer contains_cs 'web' | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer !contains 'web' | count"), "[[1]]");
    CHECK_STR(ask("T | where Computer has 'web' | count"), "[[1]]");
    CHECK_STR(ask("T | where Computer startswith 'web' | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer endswith '1' | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer in ('web01', 'WEB02') | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer in~ ('WEB01', 'web02') | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer !in ('web01') | count"), "[[3]]");
    CHECK_STR(ask("T | where Size in (10, 7) | count"), "[[2]]");
    CHECK_STR(ask("T | where Computer == @'db-web 1' | count"), "[[1]]");
    CHECK_STR(ask("T | where Props == 'text' | project Props"), "[[\"text\"]]");
}

static void times_are_literals_or_relative(void)
{
    CHECK_STR(ask("T | where TimeGenerated > ago(5m) | count"), "[[1]]");
    CHECK_STR(ask("T | where TimeGenerated > now(-3h) | count"), "[[3]]");
    CHECK_STR(ask("T | where TimeGenerated >= now() - 1d - 1ms | count"), "[[3]]");
    CHECK_STR(ask("T | where TimeGenerated < datetime(2026-11-21) | count"), "[[1]]");
    CHECK_STR(ask("T | where TimeGenerated == datetime(2026-11-22T15:00:00.250Z) | count"),
              "[[1]]");
    CHECK_STR(ask("T | where TimeGenerated == datetime('2026-11-22 16:00') | count"), "[[1]]");
    CHECK_STR(ask("T | take 1 | project d = now() - TimeGenerated"), "[[\"00:01:00\"]]");
    CHECK_STR(ask("T | where TimeGenerated == datetime(2026-11-20) | project TimeGenerated"),
              "[[\"2026-11-20T00:00:00Z\"]]");
}

static void rows_are_ordered_stably_and_nulls_have_their_place(void)
{
    CHECK_STR(ask("T | order by Size | project Size, Computer"),
              "[[10,\"web01\"],[7,\"\"],[5,\"WEB02\"],[5,\"db-web 1\"]]");
    CHECK_STR(ask("T | sort by Size asc, Computer desc | project Size, Computer"),
              "[[5,\"db-web 1\"],[5,\"WEB02\"],[7,\"\"],[10,\"web01\"]]");
    CHECK_STR(ask("T | order by Level | project Level"), "[[6],[3],[-1],[null]]");
    CHECK_STR(ask("T | order by Level asc | project Level"), "[[null],[-1],[3],[6]]");
    CHECK_STR(ask("T | order by Level asc nulls last | project Level"), "[[-1],[3],[6],[null]]");
    CHECK_STR(ask("T | order by TimeGenerated desc | take 2 | project Size"), "[[10],[7]]");
    CHECK_STR(ask("T | order by Size | take 3 | where Size == 5 | count"), "[[1]]");
}

static void operators_chain_and_names_may_be_quoted(void)
{
    CHECK_STR(ask("T | project A = Size + 1, Size | where A > 7 | project A"), "[[11],[8]]");
    CHECK_STR(ask("T | take 1 | project ['order'], Size * 0"), "SYN0002 [1,38] '*'");
    CHECK_STR(ask("T | limit 1 | project ['order'], 1 + 1.5"), "[[\"x\",2.5]]");
    CHECK_STR(ask("T // all of it\n| take 2\n| count ;"), "[[2]]");
    CHECK_STR(ask("T | take 0"), "[]");
    CHECK_STR(ask("T | project Props | take 1"), "[[\"{\\\"a\\\":1}\"]]");
}

static void errors_say_where_and_what(void)
{
    CHECK_STR(ask("T | where Nope == 1"), "SEM0100 [1,11] 'Nope'");
    CHECK_STR(why.message, "Failed to resolve column or scalar expression named 'Nope'");
    CHECK_STR(ask("T\n| where Size == 'x'"), "SEM0064 [2,14] '=='");
    CHECK_STR(ask("T | where Size"), "SEM0064 [1,11] 'Size'");
    CHECK_STR(ask("T | summarize count()"), "SYN0002 [1,5] 'summarize'");
    CHECK_STR(why.message, "Query could not be parsed at 'summarize' on line [1,5]: unknown "
                           "operator: want where, project, take, limit, count, order or sort");
    CHECK_STR(ask("T | where Computer == 'open"), "SYN0002 [1,23] ''open'");
    CHECK_STR(ask("T | where (Size == 5"), "SYN0002 [1,21] ''");
    CHECK_STR(ask("T | take x"), "SYN0002 [1,10] 'x'");
    CHECK_STR(ask("T | where TimeGenerated > datetime(yesterday)"), "SYN0002 [1,27] 'datetime'");
    CHECK_STR(ask("T |"), "SYN0002 [1,4] ''");
    CHECK_STR(ask(""), "SYN0002 [1,1] ''");
    CHECK_STR(ask("T | where 5q > 1"), "SYN0002 [1,11] '5q'");
    CHECK_STR(ask("T | where Size == 99999999999999999999999999"), "[]");
    CHECK_STR(ask("T | project Size, Size"), "SEM0101 [1,19] 'Size'");
}

static void depth_is_limited(void)
{
    char deep[3000] = "T | where ";
    memset(deep + 10, '(', 2000);
    CHECK_STR(ask(deep), "SYN0002 [1,75] '('");
    memset(deep + 10, '-', 2000);
    CHECK(strncmp(ask(deep), "SYN0002", 7) == 0);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(60000);
    moor_buf_str(&b, "T | where Ok");
    for (int i = 0; i < 2000; i++)
        moor_buf_str(&b, " or Ok");
    CHECK(strncmp(ask(moor_buf_cstr(&b)), "SYN0002", 7) == 0);
}

CHECK_MAIN(CHECK_TEST(where_compares_by_type), CHECK_TEST(text_operators_follow_kusto),
           CHECK_TEST(times_are_literals_or_relative),
           CHECK_TEST(rows_are_ordered_stably_and_nulls_have_their_place),
           CHECK_TEST(operators_chain_and_names_may_be_quoted),
           CHECK_TEST(errors_say_where_and_what), CHECK_TEST(depth_is_limited))
