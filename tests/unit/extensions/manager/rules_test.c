/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rules.h"

#include "base/buf.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "rooted.h"

#define ID_A "dcr-0123456789abcdef0123456789abcdef"
#define ID_B "dcr-00000000000000000000000000000000"

static char *rule_path(const char *name)
{
    char *path = NULL;
    moor_code c = plat_path(PLAT_DIR_LIB, &path, NULL, "rules.d/%s", name);
    MOOR_ASSERT(c == MOOR_OK);
    return path;
}

static bool there(const char *name)
{
    MOOR_AUTOSTR path = rule_path(name);
    return plat_exists(path);
}

static const struct moor_desired_rule both[] = {
    { "/s/r\"1", NULL, ID_A, "https://e", "{\"dataFlows\":[]}" },
    { "/s/r2", NULL, ID_B, "https://e", "{}" },
};

static void a_rule_is_a_file_for_the_logs_role(void)
{
    MOOR_AUTOSTR path = rule_path(ID_A ".json");
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    struct plat_stat st;
    CHECK_INT(moor_rules_write(both, 2, NULL), MOOR_OK);
    CHECK_INT(plat_read_all(path, 4096, &text, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&text), "{\"schema\":1,\"id\":\"/s/r\\\"1\",\"immutableId\":\"" ID_A
                                    "\",\"endpoint\":\"https://e\",\"properties\":"
                                    "{\"dataFlows\":[]}}\n");
    CHECK_INT(plat_stat_path(path, &st, NULL), MOOR_OK);
    CHECK_INT(st.mode & 0777, 0644);
}

/* Every write wakes the logs role. */
static void an_equal_file_is_left_alone(void)
{
    MOOR_AUTOSTR path = rule_path(ID_A ".json");
    struct plat_stat before, after;
    CHECK_INT(moor_rules_write(both, 2, NULL), MOOR_OK);
    CHECK_INT(plat_stat_path(path, &before, NULL), MOOR_OK);
    CHECK_INT(moor_rules_write(both, 2, NULL), MOOR_OK);
    CHECK_INT(plat_stat_path(path, &after, NULL), MOOR_OK);
    CHECK_INT(after.inode, before.inode);
}

static void what_is_no_longer_wanted_goes_and_nothing_else(void)
{
    MOOR_AUTOSTR foreign = rule_path("local.json");
    CHECK_INT(moor_rules_write(both, 2, NULL), MOOR_OK);
    CHECK_INT(plat_write_atomic(foreign, moor_span_str("{}"), PLAT_WORLD_READ, NULL), MOOR_OK);
    CHECK_INT(moor_rules_write(both, 1, NULL), MOOR_OK);
    CHECK(there(ID_A ".json"));
    CHECK(!there(ID_B ".json"));
    CHECK_INT(moor_rules_write(NULL, 0, NULL), MOOR_OK);
    CHECK(!there(ID_A ".json"));
    CHECK(there("local.json"));
}

static void a_bad_rule_spoils_no_other(void)
{
    const struct moor_desired_rule rules[] = { { .id = "/s/bad", .bad = "endpoint: required" },
                                               both[1] };
    CHECK_INT(moor_rules_write(rules, 2, NULL), MOOR_OK);
    CHECK(there(ID_B ".json"));
}

ROOTED_MAIN(CHECK_TEST(a_rule_is_a_file_for_the_logs_role), CHECK_TEST(an_equal_file_is_left_alone),
            CHECK_TEST(what_is_no_longer_wanted_goes_and_nothing_else),
            CHECK_TEST(a_bad_rule_spoils_no_other))
