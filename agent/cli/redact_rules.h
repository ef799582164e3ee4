/* SPDX-License-Identifier: Apache-2.0 */
/* redact_rules.h: what is secret by its place in a text, whatever its value. Pure; any thread. */
#ifndef MOOR_CLI_REDACT_RULES_H
#define MOOR_CLI_REDACT_RULES_H

#include "base/span.h"

struct moor_redaction {
    size_t keep; /* bytes from here that stay */
    size_t drop; /* bytes behind them that go; 0 = no rule applies here */
};

/* What the rules say of the text from this position on; they look at what stands before it. */
struct moor_redaction moor_redact_rule(struct moor_span text, size_t at);

#endif
