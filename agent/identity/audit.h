/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h: who was given tokens: <LOG>/tokens.log, one JSON object on a line (docs/protocol/
 * himds.md "Who asked").
 *
 * The first of equal events within a minute is written at once, the others as a count when the
 * minute is over. What one user can make it write is bounded (MOOR_AUDIT_PER_USER lines a minute,
 * then a count of the rest), and so is the file: at MOOR_AUDIT_FILE_MAX bytes it becomes
 * tokens.log.1, and so on to MOOR_AUDIT_OLD. Loop thread.
 */
#ifndef MOOR_IDENTITY_AUDIT_H
#define MOOR_IDENTITY_AUDIT_H

#include "base/error.h"
#include "platform/caller.h"

struct moor_loop;
struct moor_audit;

#define MOOR_AUDIT_WINDOW_MS 60000
#define MOOR_AUDIT_ENTRIES   256
#define MOOR_AUDIT_PER_USER  64
#define MOOR_AUDIT_FILE_MAX  (1024 * 1024)
#define MOOR_AUDIT_OLD       3

/* folder is copied and made if missing. */
MOOR_NODISCARD moor_code moor_audit_new(struct moor_loop *l, const char *folder,
                                        struct moor_audit **out, struct moor_error *err);
void moor_audit_free(struct moor_audit *a); /* writes the counts */
MOOR_DEFINE_AUTOPTR(moor_audit)

/* outcome: "token", or the error's code. Failures to write are logged. */
void moor_audit_note(struct moor_audit *a, const struct plat_caller *who, const char *audience,
                     const char *outcome);

#endif
