/* SPDX-License-Identifier: Apache-2.0 */
/* run_command_rules.h: what a PUT or PATCH on a run command asks for. Pure. */
#ifndef MOOR_API_RUN_COMMAND_RULES_H
#define MOOR_API_RUN_COMMAND_RULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#define MOOR_RUN_SCRIPT_MAX     (256u << 10)
#define MOOR_RUN_PARAMETERS_MAX 64u
#define MOOR_RUN_TIMEOUT        5400u   /* seconds, when none is given */
#define MOOR_RUN_TIMEOUT_MAX    604800u /* a week */

/* Protected parameters of a body: absent means "as before", since a GET never shows them and az
 * writes back what it read; null or [] means none. A query of a URI is protected, too. */
typedef enum moor_run_secrets {
    MOOR_RUN_SECRETS_ABSENT,
    MOOR_RUN_SECRETS_NONE,
    MOOR_RUN_SECRETS_SET
} moor_run_secrets;

struct moor_run_command_change {
    const char
        *spec;    /* all properties that callers own, defaults filled in, URIs without queries */
    bool differs; /* from old_spec */
    moor_run_secrets secrets;
};

/* old_spec is NULL for a new run command; patch keeps what is absent. BADINPUT names the member.
 * What is protected is appended to secret (wiped when dropped): {"protectedParameters":[...],
 * "scriptUri", "outputBlobUri", "errorBlobUri": with their queries}. Other texts land in the arena.
 */
MOOR_NODISCARD moor_code moor_run_command_change(const struct moor_json *body, const char *old_spec,
                                                 bool patch, struct moor_arena *arena,
                                                 struct moor_buf *secret,
                                                 struct moor_run_command_change *out,
                                                 struct moor_error *err);

#endif
