/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document.h: small files of our own: one JSON object with a `schema` number, decoded strictly,
 * written whole. Blocking; small files.
 */
#ifndef MOOR_CORE_DOCUMENT_H
#define MOOR_CORE_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

/* As moor_json_decode(), but a schema above `newest` is UNSUPPORTED, said before anything else of
 * the document is looked at. */
MOOR_NODISCARD moor_code moor_document_decode(struct moor_span text, const char *what,
                                              const struct moor_json_shape *shape, uint32_t newest,
                                              void *out, struct moor_arena *arena,
                                              struct moor_error *err);

/* Writes the struct, indented, readable by all; makes the folder when it is missing. */
MOOR_NODISCARD moor_code moor_document_save(const char *path, const struct moor_json_shape *shape,
                                            const void *in, size_t max, struct moor_error *err);

/* The folder a path is in, made readable by all when missing. */
MOOR_NODISCARD moor_code moor_document_make_parent(const char *path, struct moor_error *err);

#endif
