/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: what CustomScript is asked to do. Pure.
 *
 * Source: the public documentation of Microsoft.Azure.Extensions/CustomScript. Public and
 * protected settings are merged; the command and the script may stand in one of them only.
 */
#ifndef MOOR_CUSTOMSCRIPT_SETTINGS_H
#define MOOR_CUSTOMSCRIPT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/secret.h"
#include "base/span.h"

#define CUSTOMSCRIPT_FILES_MAX  64
#define CUSTOMSCRIPT_SCRIPT_MAX (256 * 1024) /* decoded, as documented */

struct customscript_job {
    struct moor_secret command; /* command line for /bin/sh; empty when there is a script */
    struct moor_secret script;  /* its text; empty when there is a command */
    const char **uris;          /* what to download first, in order */
    size_t uri_count;
    bool keep_line_ends; /* skipDos2Unix */
    /* How files in Azure's blob storage are read that are not everybody's: with a key of the
     * account (in the arena; NULL = not), or as this machine. Not both. */
    const char *storage_account;
    struct moor_secret storage_key;
    bool identity;
};
void customscript_job_drop(struct customscript_job *j);
MOOR_DEFINE_AUTO(customscript_job)

/* public_text and protected_text are JSON object texts, empty for none. Errors never quote
 * values. URIs land in the arena. */
MOOR_NODISCARD moor_code customscript_job_read(struct moor_span public_text,
                                               struct moor_span protected_text,
                                               struct customscript_job *out,
                                               struct moor_arena *arena, struct moor_error *err);

#endif
