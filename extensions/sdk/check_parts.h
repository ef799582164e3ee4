/* SPDX-License-Identifier: Apache-2.0 */
/* check_parts.h: the rules about the bytes of single files; any bytes are fine. Pure, but for a
 * look whether an interpreter is on this machine. */
#ifndef MOOR_SDK_CHECK_PARTS_H
#define MOOR_SDK_CHECK_PARTS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/span.h"
#include "contract/manifest.h"
#include "sdk/check.h"

/* Where findings of one file go. */
struct moor_check {
    moor_finding_fn fn;
    void *ctx;
    const char *file;
};
MOOR_PRINTF(5, 6)
void moor_check_tell(const struct moor_check *c, const char *rule, moor_severity severity,
                     const char *remedy, const char *fmt, ...);

/* HandlerManifest.json. True, and *out filled, when it can be used; strings land in the arena. */
bool moor_check_manifest(const struct moor_check *c, struct moor_span text,
                         struct moor_manifest *out, struct moor_arena *arena);

/* The file behind a command's first word: name without "./", in the arena; NULL when out of
 * memory. */
const char *moor_check_program_of(const char *command, struct moor_arena *arena);

/* A file of the package by its first bytes. command: one of the five starts it. */
#define MOOR_CHECK_HEAD 4096
void moor_check_program(const struct moor_check *c, struct moor_span head, bool command);

/* The text of the first <Tag>...</Tag>; "" when there is none that fits. */
void moor_check_xml_text(struct moor_span xml, const char *tag, char *out, size_t room);

/* "P.T__V.zip": false when the name is not of this form. */
bool moor_check_split_name(const char *file_name, struct moor_check_name *out);

#endif
