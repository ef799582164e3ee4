/* SPDX-License-Identifier: Apache-2.0 */
/* extension_rules.h: what a PUT or PATCH on an extension changes. Pure. */
#ifndef MOOR_API_EXTENSION_RULES_H
#define MOOR_API_EXTENSION_RULES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "store/extensions.h"

/* protectedSettings of a body: absent means "as before", since a GET never shows them and az
 * writes back what it read; null or {} means none. */
typedef enum moor_protected_given {
    MOOR_PROTECTED_ABSENT,
    MOOR_PROTECTED_NONE,
    MOOR_PROTECTED_SET
} moor_protected_given;

struct moor_extension_change {
    struct moor_extension row; /* the new row but for protected settings and sequence */
    moor_protected_given protected_given;
    const struct moor_json *protected_settings; /* within body */
    bool differs; /* public settings, tag, version or upgrade flags are others */
};

/* old is NULL for a new extension; installed is the version last reported ("" = none): az writes
 * it back as typeHandlerVersion, which then changes nothing. patch keeps what is absent. BADINPUT
 * names the member; publisher and type never change. Texts land in the arena. */
MOOR_NODISCARD moor_code moor_extension_change(const struct moor_json *body,
                                               const struct moor_extension *old,
                                               const char *installed, bool patch,
                                               struct moor_arena *arena,
                                               struct moor_extension_change *out,
                                               struct moor_error *err);

#endif
