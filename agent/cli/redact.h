/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h: takes secrets out of text that leaves the machine. Two ways at once: values that are
 * known to be secret, in every form they may have been written in (as they are, in JSON, base64
 * at any alignment, percent-coded, hexadecimal, UTF-16), and what looks like a secret by its place:
 * tokens, private keys, user information of URLs, values behind names such as password or sig.
 * Pure; one thread.
 */
#ifndef MOOR_CLI_REDACT_H
#define MOOR_CLI_REDACT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_REDACTED   "[removed]"
#define MOOR_SECRET_MIN 6 /* shorter ones would take away half of every text */

struct moor_redactor;
MOOR_NODISCARD moor_code moor_redactor_new(struct moor_redactor **out, struct moor_error *err);
void moor_redactor_free(struct moor_redactor *r); /* wipes what was added */
MOOR_DEFINE_AUTOPTR(moor_redactor)

/* A value and its forms; shorter than MOOR_SECRET_MIN is left alone. Failure is kept and told by
 * moor_redact(). */
void moor_redactor_add(struct moor_redactor *r, struct moor_span secret);

/* Appends in without its secrets. UTF-16 becomes one byte a character. NOMEM also when a secret
 * could not be added: nothing may then leave. */
MOOR_NODISCARD moor_code moor_redact(const struct moor_redactor *r, struct moor_span in,
                                     struct moor_buf *out, struct moor_error *err);

#endif
