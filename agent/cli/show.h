/* SPDX-License-Identifier: Apache-2.0 */
/* show.h: what mooring show knows of this machine. */
#ifndef MOOR_CLI_SHOW_H
#define MOOR_CLI_SHOW_H

#include "cli/cli.h"

/* Fills v with every fact by its JSON key: texts, dependentServiceStatus (an object of texts), and
 * for root, where there are some, extensions (a list of objects). A broken localconfig.json or a
 * silent identity role is a fact as well; only an agentconfig.json that cannot be read fails. */
MOOR_NODISCARD moor_code moor_show_collect(struct moor_cli *cli, struct moor_json *v,
                                           struct moor_error *err);

#endif
