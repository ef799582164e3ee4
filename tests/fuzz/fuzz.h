/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h: what every fuzz target has. A target feeds one input to the code and asserts what must
 * hold for any input: no crash, no leak, and that encoding and decoding agree.
 */
#ifndef MOOR_FUZZ_H
#define MOOR_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
