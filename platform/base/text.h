/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h: numbers, identifiers and encodings, read whole or refused.
 *
 * Every parser takes the whole span: blanks, signs and anything behind the value are errors
 * unless its line says otherwise. Errors are BADINPUT and say what was wanted, not what was given,
 * so that a secret in the wrong place does not reach a log.
 */
#ifndef MOOR_BASE_TEXT_H
#define MOOR_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* Decimal digits only. */
MOOR_NODISCARD moor_code moor_parse_u64(struct moor_span s, uint64_t min, uint64_t max,
                                        uint64_t *out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_parse_u32(struct moor_span s, uint32_t min, uint32_t max,
                                        uint32_t *out, struct moor_error *err);
/* An optional '-' in front. */
MOOR_NODISCARD moor_code moor_parse_i64(struct moor_span s, int64_t min, int64_t max, int64_t *out,
                                        struct moor_error *err);

/* Appends the decoded bytes to out. Padding is required for base64 and refused for base64url;
 * white space and non-canonical tails are refused. */
MOOR_NODISCARD moor_code moor_base64_decode(struct moor_span s, struct moor_buf *out,
                                            struct moor_error *err);
MOOR_NODISCARD moor_code moor_base64url_decode(struct moor_span s, struct moor_buf *out,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code moor_hex_decode(struct moor_span s, struct moor_buf *out,
                                         struct moor_error *err);
/* %XX decoded; a broken escape or %00 is refused. '+' is left alone unless form is set. */
MOOR_NODISCARD moor_code moor_percent_decode(struct moor_span s, bool form, struct moor_buf *out,
                                             struct moor_error *err);

/* UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool moor_utf8_valid(struct moor_span s);
/* Length in bytes of the well-formed sequence at the start, 0 if there is none. */
size_t moor_utf8_sequence(struct moor_span s);
/* Appends s with every ill-formed byte replaced by U+FFFD. */
void moor_utf8_repair(struct moor_buf *out, struct moor_span s);

/* 8-4-4-4-12 hexadecimal digits, any case. */
#define MOOR_UUID_LEN 36
bool moor_uuid_valid(struct moor_span s);
void moor_uuid_lower(char *s); /* in place */
/* A version 4 UUID of 16 random bytes. out holds 37 bytes. */
void moor_uuid_format(const unsigned char bytes[16], char out[MOOR_UUID_LEN + 1]);

/* Dotted versions: any number of numeric parts, missing ones are 0. -1, 0, 1. */
bool moor_version_valid(struct moor_span s); /* 1..4 parts of up to 9 digits */
int moor_version_cmp(struct moor_span a, struct moor_span b);

#endif
