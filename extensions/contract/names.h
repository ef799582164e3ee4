/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h: the names of a handler and of the files around it. Pure.
 * Source: the public handler contract, as the Azure Linux agent implements it.
 */
#ifndef MOOR_CONTRACT_NAMES_H
#define MOOR_CONTRACT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* Publisher and type: 1..128 of A-Z a-z 0-9 . _ -, not starting with a dot or hyphen, not ending
 * with a dot, no "..": both become part of a folder's name. what names the value in the error. */
MOOR_NODISCARD moor_code moor_handler_check_part(const char *what, const char *value,
                                                 struct moor_error *err);

/* "<publisher>.<type>-<version>", the handler's folder below the handlers' root. */
MOOR_NODISCARD moor_code moor_handler_folder(const char *publisher, const char *type,
                                             const char *version, char **out,
                                             struct moor_error *err);

/* Takes a folder's name apart at its last '-'; false when it is none. Spans point into name. */
bool moor_handler_folder_split(const char *name, struct moor_span *full_name,
                               struct moor_span *version);

/* What a multi-config handler calls an extension of this name: letters, digits and "_", everything
 * else becomes "_". */
#define MOOR_INSTANCE_MAX 64
void moor_buf_instance_name(struct moor_buf *b, const char *extension);

/* "<seq>.settings" and "<seq>.status", with "<instance>." in front for multi-config handlers;
 * instance NULL or "" for the others. */
void moor_buf_settings_name(struct moor_buf *b, const char *instance, uint32_t seq);
void moor_buf_status_name(struct moor_buf *b, const char *instance, uint32_t seq);

/* Whether name is a status or settings file (temporary files beside them are not), and its
 * sequence number. */
bool moor_status_name_seq(const char *name, uint32_t *seq);
bool moor_settings_name_seq(const char *name, uint32_t *seq);

#endif
