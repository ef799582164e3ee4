/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/differences.h"

#include <string.h>

#define REFUSED MOOR_EFFECT_REFUSED
#define NONE    MOOR_EFFECT_NONE
#define VERB                                                                                       \
    {                                                                                              \
        NULL, 0, NULL, 0, NULL                                                                     \
    }

static const struct moor_difference rows[] = {
    { "check",
      { "enable-pls-check", 'p', NULL, 0, NULL },
      NONE,
      "private link",
      "the column PRIVATE says of every endpoint whether its address is a private one" },
    { "check",
      { "use-private-link", 0, NULL, 0, NULL },
      NONE,
      "private link",
      "the column PRIVATE says of every endpoint whether its address is a private one" },
    { "check",
      { "extensions", 'e', "all|sql", 0, NULL },
      NONE,
      "endpoints of extensions",
      "extensions come from the control plane, whose endpoints are always checked" },
    { "check",
      { "include-all", 0, NULL, 0, NULL },
      NONE,
      "endpoints of extensions",
      "extensions come from the control plane, whose endpoints are always checked" },
    { "connect",
      { "gateway-id", 0, "ARMID", 0, NULL },
      REFUSED,
      "Azure Arc gateway",
      "use a proxy: mooring config set proxy.url" },
    { "connect",
      { "automanage-profile", 0, "ARMID", 0, NULL },
      REFUSED,
      "Automanage",
      "assign what the profile held after connecting" },
    { "connect",
      { "enable-automatic-upgrade", 0, NULL, 0, NULL },
      NONE,
      "automatic upgrade of the agent",
      "the distribution's package manager upgrades Mooring" },
    { "connect",
      { "use-aws-ec2-hostname", 0, NULL, 0, NULL },
      NONE,
      "names from EC2",
      "the host name is used unless --resource-name gives another" },
    { "connect",
      { "ignore-network-check", 0, NULL, 0, NULL },
      NONE,
      "a check before connecting",
      "run mooring check first" },
    { "connect",
      { "skip-network-check", 0, NULL, 0, NULL },
      NONE,
      "a check before connecting",
      "run mooring check first" },
    { "license", VERB, REFUSED, "Extended Security Updates", "there are none for Linux" },
    { "partnerconfig", VERB, REFUSED, "partner configuration", "it is internal to azcmagent" },
    { "reconnect", VERB, REFUSED, "reconnect", "run mooring connect again" },
    { "upgrade", VERB, REFUSED, "upgrade of the agent by itself",
      "the distribution's package manager upgrades Mooring" },
};

const struct moor_difference *moor_differences(size_t *count)
{
    *count = MOOR_COUNTOF(rows);
    return rows;
}

struct moor_option_set moor_foreign_options(const char *verb, struct moor_foreign *out)
{
    size_t n = 0;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < MOOR_COUNTOF(rows) && n < MOOR_DIFFERENCES_MAX; i++) {
        if (!rows[i].option.name || !moor_streq(rows[i].verb, verb))
            continue;
        out->rows[n] = &rows[i];
        out->table[n] = rows[i].option;
        out->table[n].offset = n * sizeof(out->given[0]);
        n++;
    }
    return (struct moor_option_set){ out->table, out->given };
}

moor_azcm moor_foreign_check(struct moor_cli *cli, const struct moor_foreign *f)
{
    static const char absent[sizeof(f->given[0])];
    for (size_t i = 0; i < MOOR_DIFFERENCES_MAX && f->rows[i]; i++) {
        const struct moor_difference *d = f->rows[i];
        if (memcmp(&f->given[i], absent, sizeof(absent)) == 0)
            continue;
        if (d->effect == REFUSED)
            return moor_cli_refuse(cli, AZCM_UNSUPPORTED, "--%s: %s is not available: %s",
                                   d->option.name, d->feature, d->instead);
        moor_warn(cli, "--%s: %s is not available: %s", d->option.name, d->feature, d->instead);
    }
    return AZCM_OK;
}

moor_azcm moor_foreign_verb(struct moor_cli *cli, const char *verb)
{
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++)
        if (!rows[i].option.name && moor_streq(rows[i].verb, verb))
            return moor_cli_refuse(cli, AZCM_UNSUPPORTED, "%s: %s is not available: %s", verb,
                                   rows[i].feature, rows[i].instead);
    return AZCM_OK;
}
