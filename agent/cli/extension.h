/* SPDX-License-Identifier: Apache-2.0 */
/* extension.h: what the extensions role keeps of this machine's extensions, for the verbs that show
 * it. Works without the role and without a connection. */
#ifndef MOOR_CLI_EXTENSION_H
#define MOOR_CLI_EXTENSION_H

#include "base/error.h"
#include "base/json.h"
#include "cli/cli.h"
#include "manager/item.h"

/* A list of objects: name, publisher, type, version, state, provisioningState, errorCode, message,
 * commandsRunIn, and usage where it is known. Empty when there are none; DENIED unless root calls.
 * The caller frees. */
MOOR_NODISCARD moor_code moor_cli_extensions(struct moor_json **out, struct moor_error *err);

/* One of them; way is that of the items it is among. The caller frees; NULL when out of memory. */
struct moor_json *moor_cli_extension_json(const struct moor_item *i, const char *way);

MOOR_NODISCARD moor_code moor_cli_extension_items(struct moor_items *out, struct moor_error *err);

/* By the extension's name or Publisher.Type, without case; of several extensions of one handler the
 * first. NULL: there is none. */
const struct moor_item *moor_cli_extension_find(const struct moor_items *items, const char *name);

/* The same for the one word of a verb, which fails when there is none: what is shown is one
 * extension. AZCM_OK, or the number after the failure was told. */
moor_azcm moor_cli_extension_named(struct moor_cli *cli, const struct moor_words *words,
                                   struct moor_items *items, const struct moor_item **out);

#endif
