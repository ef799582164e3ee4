/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joining.h: what the verbs that join a cloud share: their options, what is checked before anything
 * is asked of anybody, and what is said at the end.
 */
#ifndef MOOR_CLI_JOINING_H
#define MOOR_CLI_JOINING_H

#include "base/arena.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/pairs.h"
#include "connect/connect.h"
#include "core/settings.h"

/* Of connect, connect existing and ensure-connected; each has a table of those it takes. */
struct moor_join_options {
    struct moor_credential_options who;
    const char *config, *subscription, *group, *location, *name, *cloud, *tags, *correlation_id;
    const char *key_store;
    const char *private_link_scope, *timeout;
    const char *mode, *mode_client;              /* identity-mode and what it needs */
    const char *vm_id, *key_file, *key_argument; /* connect existing */
};
#define MOOR_JOIN(member) offsetof(struct moor_join_options, member)
#define MOOR_JOIN_WHERE                                                                            \
    { "config", 0, "FILE", MOOR_JOIN(config), "JSON or YAML file with options; these here win" },  \
        { "subscription-id", 's', "ID|NAME", MOOR_JOIN(subscription),                              \
          "subscription of the resource" },                                                        \
        { "resource-group", 'g', "NAME", MOOR_JOIN(group), "resource group; made when missing" },  \
        { "location", 'l', "NAME", MOOR_JOIN(location), "location of the resource" },              \
        { "resource-name", 'n', "NAME", MOOR_JOIN(name),                                           \
          "name of the resource; default: the host name" },                                        \
        { "cloud", 0, "CLOUD", MOOR_JOIN(cloud),                                                   \
          "registered cloud; may be left out when there is one" },                                 \
        { "identity-key-store", 0, "default|tpm", MOOR_JOIN(key_store),                            \
          "where the machine's key is made and stays: a file, or the TPM" },                       \
        { "correlation-id", 0, "UUID", MOOR_JOIN(correlation_id), "sent along for telemetry" },    \
    {                                                                                              \
        "timeout", 0, "SECONDS", MOOR_JOIN(timeout), "limit of the whole command; default 600"     \
    }
#define MOOR_JOIN_RESOURCE                                                                         \
    { "identity-mode", 0, "MODE", MOOR_JOIN(mode),                                                 \
      "service-principal: the machine is an application of the directory" },                       \
        { "identity-client-id", 0, "ID", MOOR_JOIN(mode_client),                                   \
          "client id of that application" },                                                       \
        { "tags", 0, "A=B,C=D", MOOR_JOIN(tags), "tags of the resource" },                         \
    {                                                                                              \
        "private-link-scope", 0, "ARMID", MOOR_JOIN(private_link_scope),                           \
            "private link scope of the resource, passed on"                                        \
    }

extern const struct moor_option moor_connect_options[]; /* of connect and ensure-connected */

/* Options are given as the command line gave them; drop it in every case. */
struct moor_joining {
    struct moor_join_options o; /* with what the file adds */
    struct moor_pairs pairs;    /* the file */
    struct moor_arena arena;
    struct moor_settings settings;
    struct moor_cloud cloud;
    struct moor_buf name, tags, location;
    uint64_t limit_ms;
    struct moor_credentials *secrets;
    struct moor_connect_params params; /* who is empty until moor_joining_credentials() */
};
void moor_joining_drop(struct moor_joining *j);
MOOR_DEFINE_AUTO(moor_joining)
#define MOOR_JOINING_INIT                                                                          \
    {                                                                                              \
        .arena = MOOR_ARENA(2 * 1024 * 1024), .name = MOOR_BUF(256), .tags = MOOR_BUF(64 * 1024),  \
        .location = MOOR_BUF(128)                                                                  \
    }

/* Reads the file and checks what is there of the options; whole: all that connect needs must be.
 * Each returns AZCM_OK, or the number after the failure was told. */
moor_azcm moor_joining_prepare(struct moor_cli *cli, const struct moor_join_options *given,
                               const struct moor_option *table, bool whole, struct moor_joining *j);
moor_azcm moor_joining_credentials(struct moor_cli *cli, struct moor_joining *j);
/* The session of the command, within its time limit. */
moor_azcm moor_joining_session(struct moor_cli *cli, const struct moor_joining *j,
                               struct moor_session **out);
/* The cloud named, or the only registered one. */
moor_azcm moor_joining_cloud(struct moor_cli *cli, const char *name, struct moor_cloud *out,
                             struct moor_arena *arena);

/* Connects as the prepared options say, and says so. With a given private key nobody signs in. */
moor_azcm moor_joining_connect(struct moor_cli *cli, struct moor_joining *j);
void moor_joining_say(struct moor_cli *cli, const struct moor_connect_result *r,
                      const struct moor_cloud *cloud);

#endif
