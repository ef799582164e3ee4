/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/placement.h"

#include "check.h"

static const struct moor_region regions[] = {
    { "westeurope", "https://west.example:8443" },
    { "mars", "https://mars.example" },
};
static const struct moor_placement rules = { .regions = { (void *)(uintptr_t)regions, 2 },
                                             .minimum_agent = "1.10" };

static void a_location_is_served_at_its_own_address_only(void)
{
    static const struct {
        const char *location, *host;
        bool here;
    } cases[] = {
        { "westeurope", "west.example:8443", true },
        { "WestEurope", "WEST.example:8443", true },
        { "westeurope", "west.example", false },
        { "westeurope", "", false },
        { "mars", "mars.example", true },
        { "mars", "west.example:8443", false },
        { "venus", "anything", true },
        { "", "", true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        if (!CHECK_INT(moor_placement_is_here(&rules, cases[i].location, cases[i].host),
                       cases[i].here))
            printf("# %s at %s\n", cases[i].location, cases[i].host);
    CHECK_STR(moor_placement_url(&rules, "MARS"), "https://mars.example");
    CHECK(!moor_placement_url(&rules, NULL));
}

static void versions_compare_by_number(void)
{
    static const struct moor_placement none = { .minimum_agent = NULL };
    CHECK(moor_placement_too_old(&rules, "1.9.7"));
    CHECK(moor_placement_too_old(&rules, "0.99"));
    CHECK(!moor_placement_too_old(&rules, "1.10"));
    CHECK(!moor_placement_too_old(&rules, "1.10.1"));
    CHECK(!moor_placement_too_old(&rules, ""));
    CHECK(!moor_placement_too_old(&none, "0.1"));
}

static void a_url_is_https_and_a_host(void)
{
    static const char *const bad[] = { "http://h", "https://", "https://h/", "https://u@h", "h" };
    CHECK_INT(moor_placement_check(&rules, NULL), MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        struct moor_region r = { "x", bad[i] };
        const struct moor_placement p = { .regions = { &r, 1 } };
        if (!CHECK_INT(moor_placement_check(&p, NULL), MOOR_E_BADINPUT))
            printf("# %s\n", bad[i]);
    }
    const struct moor_placement v = { .minimum_agent = "1.x" };
    CHECK_INT(moor_placement_check(&v, NULL), MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(a_location_is_served_at_its_own_address_only),
           CHECK_TEST(versions_compare_by_number), CHECK_TEST(a_url_is_https_and_a_host))
