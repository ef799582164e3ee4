/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: <seq>.settings, what the administrator asked of a handler. Pure.
 */
#ifndef MOOR_CONTRACT_SETTINGS_H
#define MOOR_CONTRACT_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_SETTINGS_MAX (2 * 1024 * 1024)

struct moor_handler_settings {
    const char *public_settings;      /* JSON object text; NULL = none */
    const char *protected_settings;   /* base64 of CMS EnvelopedData; NULL = none */
    const char *protected_thumbprint; /* NULL = none */
};

/* The three members are always written, null when there is nothing. public_settings is trusted to
 * be JSON: it was decoded before. */
void moor_buf_handler_settings(struct moor_buf *b, const struct moor_handler_settings *s);

/* For handlers. Empty text is legal and means no settings. Strings land in the arena. */
MOOR_NODISCARD moor_code moor_handler_settings_parse(struct moor_span text,
                                                     struct moor_handler_settings *out,
                                                     struct moor_arena *arena,
                                                     struct moor_error *err);

#endif
