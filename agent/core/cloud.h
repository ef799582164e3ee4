/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloud.h: clouds: a named set of endpoints and what is trusted to speak for them.
 *
 * AzureCloud, AzureUSGovernment and AzureChinaCloud are built in; `mooring cloud register` adds
 * others as <ETC>/clouds.d/<name>.json with the CA beside it in <name>.pem. What is registered is
 * what counts: no reply ever changes an authority, an audience or a host suffix.
 * Fields and rules: docs/protocol/files.md. Blocking; small files.
 */
#ifndef MOOR_CORE_CLOUD_H
#define MOOR_CORE_CLOUD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

struct moor_cloud {
    uint32_t schema; /* 1 */
    const char *name;
    const char *resource_manager;   /* base URL, no slash at the end */
    const char *login_endpoint;     /* base URL, no slash at the end */
    const char *token_endpoint;     /* may hold "{tenant}"; see moor_cloud_token_url() */
    const char *arm_audience;       /* byte for byte as the cloud says it */
    const char *his_endpoint;       /* base URL; NULL: the cloud has no Mooring service */
    const char *service_audience;   /* NULL as above */
    const char *ingestion_audience; /* NULL: "https://monitor.azure.com" was not overridden */
    const char *portal;             /* NULL = none */
    struct moor_str_list host_suffixes;
    const char *metadata; /* the raw document read at registration; NULL = none */
    /* Not in the file: */
    const char *ca_file; /* PEM that replaces the system store; NULL = system store */
    bool built_in;
};

/* 1 to 64 letters, digits, '.', '_', '-', starting with a letter or digit. */
MOOR_NODISCARD moor_code moor_cloud_check_name(const char *name, struct moor_error *err);

/* Built-in or registered, name without regard to case. NOTFOUND names the cloud. */
MOOR_NODISCARD moor_code moor_cloud_load(const char *name, struct moor_cloud *out,
                                         struct moor_arena *arena, struct moor_error *err);
MOOR_NODISCARD moor_code moor_cloud_parse(struct moor_span text, struct moor_cloud *out,
                                          struct moor_arena *arena, struct moor_error *err);

/* Names in the arena: registered ones sorted, then (when asked for) the built-in ones. */
MOOR_NODISCARD moor_code moor_cloud_list(bool built_in_too, struct moor_str_list *out,
                                         struct moor_arena *arena, struct moor_error *err);

/* Writes <name>.pem (ca_pem may be empty: system store) and then <name>.json. EXISTS for the name
 * of a built-in cloud. An earlier registration of the name is replaced. */
MOOR_NODISCARD moor_code moor_cloud_save(const struct moor_cloud *in, struct moor_span ca_pem,
                                         struct moor_error *err);

/* Removes the document, the CA and the gallery trust. NOTFOUND, or DENIED for a built-in one. */
MOOR_NODISCARD moor_code moor_cloud_remove(const char *name, struct moor_error *err);

/* Appends the token endpoint of the tenant; also the `aud` of client assertions. */
void moor_cloud_token_url(struct moor_buf *b, const struct moor_cloud *c, const char *tenant);

/* "https://monitor.azure.com" unless the document says otherwise. */
const char *moor_cloud_ingestion_audience(const struct moor_cloud *c);

/* Whether tokens may go to this URL: https, and its host[:port] is that of a registered endpoint
 * or its host lies within a host suffix. */
bool moor_cloud_allows_url(const struct moor_cloud *c, const char *url);

#endif
