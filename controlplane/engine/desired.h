/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desired.h: the desired-state document of a machine (docs/protocol/service.md 4.2): what the
 * store says it shall have, as the agent reads it.
 */
#ifndef MOOR_ENGINE_DESIRED_H
#define MOOR_ENGINE_DESIRED_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "store/extensions.h"
#include "store/machines.h"
#include "store/packages.h"
#include "store/resources.h"
#include "store/run_commands.h"
#include "store/store.h"

#define MOOR_DESIRED_MAX ((size_t)4 << 20)

/* "<epoch>.<counter>": 16 hexadecimal digits drawn once, and the machine's counter. In the arena;
 * draws and stores the epoch when there is none. */
MOOR_NODISCARD moor_code moor_desired_revision(struct moor_store *s, uint64_t counter,
                                               struct moor_arena *arena, const char **out,
                                               struct moor_error *err);

/* Draws another epoch: every machine takes its document whole. */
MOOR_NODISCARD moor_code moor_desired_new_epoch(struct moor_store *s, struct moor_error *err);

struct moor_desired_site {
    const char *packages_url; /* "https://host:port/packages" */
    const char *packages_dir;
    const char *ingestion_url;
    struct moor_span ca_der; /* of the TLS CA; empty = no trustBundle */
};

/* Everything from the store, as one JSON text. */
MOOR_NODISCARD moor_code moor_desired_document(struct moor_store *s, const struct moor_machine *m,
                                               const struct moor_desired_site *site,
                                               struct moor_arena *arena, struct moor_buf *out,
                                               struct moor_error *err);

/* The pure parts. package NULL: none is published; signatures NULL: none. An extension that waits
 * for a settings certificate gives NULL, which is not an error. */
struct moor_desired_package {
    const struct moor_package *package;
    const char *signature, *publisher_signature; /* base64 */
};
struct moor_json *moor_desired_extension(const struct moor_extension *e,
                                         const struct moor_desired_package *p,
                                         const struct moor_desired_site *site);
/* The same of a run command; NULL also when there is nothing left to do. */
struct moor_json *moor_desired_run_command(const struct moor_run_command *r);
struct moor_json *moor_desired_rule(const struct moor_resource *rule, const char *ingestion_url);

/* Rules associated with a resource: rows of type dataCollectionRules, in the arena. */
MOOR_NODISCARD moor_code moor_desired_rules(struct moor_store *s, const char *resource_id,
                                            struct moor_arena *arena,
                                            struct moor_resource_list *out, struct moor_error *err);

#endif
