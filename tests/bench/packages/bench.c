/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests/bench/extensions measures inside one process:
 *   verify FILE SHA256       size and digest, as before an unpack
 *   unpack ZIP FOLDER        into a new folder, durable
 *   plan COUNT ROUNDS        one plan over COUNT extensions, ROUNDS times
 * Prints seconds, as a decimal number.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "manager/package.h"
#include "manager/plan.h"
#include "platform/clock.h"
#include "platform/file.h"

static int fail(const struct moor_error *err)
{
    (void)fprintf(stderr, "%s\n", err->msg);
    return 1;
}

static int verify(const char *path, const char *sha256)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct plat_stat st;
    uint64_t start = plat_mono_ms();
    moor_code c = plat_open(path, PLAT_READ, &f, &err);
    if (c == MOOR_OK)
        c = plat_fstat(&f, &st, &err);
    if (c == MOOR_OK)
        c = moor_package_check_bytes(&f, st.size, sha256, &err);
    if (c != MOOR_OK)
        return fail(&err);
    (void)printf("%.3f\n", (double)(plat_mono_ms() - start) / 1000);
    return 0;
}

static int unpack(const char *zip, const char *folder)
{
    static const struct moor_package_claim claim = { "Bench", "Package", "1.0", false };
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    uint64_t start = plat_mono_ms();
    moor_code c = plat_open(zip, PLAT_READ, &f, &err);
    if (c == MOOR_OK)
        c = moor_package_unpack(&f, folder, &claim, &err);
    if (c != MOOR_OK)
        return fail(&err);
    (void)printf("%.3f\n", (double)(plat_mono_ms() - start) / 1000);
    return 0;
}

static moor_code add(struct moor_items *all, uint32_t n, struct moor_error *err)
{
    struct moor_item *i = NULL;
    char name[32];
    (void)snprintf(name, sizeof(name), "extension%u", (unsigned)n);
    moor_code c = moor_item_new(name, "Bench", name, &i, err);
    if (c == MOOR_OK)
        c = moor_item_set(&i->version, "1.0", err);
    if (c == MOOR_OK)
        c = moor_items_add(all, i, err);
    if (c != MOOR_OK)
        return c;
    i->phase = MOOR_PHASE_ENABLED;
    i->outcome = MOOR_OUTCOME_SUCCEEDED;
    i->settings_seq = i->enabled_seq = 0;
    return MOOR_OK;
}

static unsigned plan_all(const struct moor_items *all)
{
    unsigned steps = 0;
    for (size_t n = 0; n < all->count; n++) {
        const struct moor_item *i = all->list[n];
        const struct moor_desired_extension goal = { .name = i->name,
                                                     .publisher = i->publisher,
                                                     .type = i->type,
                                                     .version = n % 2 ? "2.0" : "1.0" };
        struct moor_plan_facts facts = { .update_installs = true };
        struct moor_step step;
        moor_plan_look_around(all, i, moor_plan_version(i, &goal), &facts);
        moor_plan(i, &goal, &facts, &step);
        steps += step.action != MOOR_ACT_NOTHING;
    }
    return steps;
}

static int plan(const char *count_text, const char *rounds_text)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    uint32_t count = 0, rounds = 0;
    moor_code c = moor_parse_u32(moor_span_str(count_text), 1, MOOR_ITEMS_MAX, &count, &err);
    if (c == MOOR_OK)
        c = moor_parse_u32(moor_span_str(rounds_text), 1, 1000000, &rounds, &err);
    for (uint32_t n = 0; n < count && c == MOOR_OK; n++)
        c = add(&all, n, &err);
    if (c != MOOR_OK)
        return fail(&err);
    uint64_t start = plat_mono_ms();
    unsigned steps = 0;
    for (uint32_t n = 0; n < rounds; n++)
        steps = plan_all(&all);
    (void)printf("%.9f\n", (double)(plat_mono_ms() - start) / 1000 / rounds);
    return steps == count / 2 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const char *a, const char *b);
    } verbs[] = { { "verify", verify }, { "unpack", unpack }, { "plan", plan } };
    for (size_t n = 0; n < MOOR_COUNTOF(verbs) && argc == 4; n++)
        if (strcmp(argv[1], verbs[n].name) == 0)
            return verbs[n].run(argv[2], argv[3]);
    (void)fprintf(stderr, "usage: extension_bench verify|unpack|plan A B\n");
    return 2;
}
