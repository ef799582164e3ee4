/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostfile.h (private to posix/): files that describe this machine, for host.h and inventory.h.
 * Each path is taken below <MOORING_ROOT>/host when that folder exists.
 */
#ifndef MOOR_POSIX_HOSTFILE_H
#define MOOR_POSIX_HOSTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

#define POSIX_HOST_PATH_MAX 512

/* The path to be opened. */
void posix_host_path(char out[POSIX_HOST_PATH_MAX], const char *path);

/* The start of the file, terminated, cut at n - 1 bytes, without white space at its end; "" and
 * false when it cannot be read. fmt makes the path. */
MOOR_PRINTF(3, 4) bool posix_host_read(char *out, size_t n, const char *fmt, ...);
MOOR_PRINTF(2, 3) bool posix_host_number(uint64_t *out, const char *fmt, ...);
MOOR_PRINTF(1, 2) bool posix_host_exists(const char *fmt, ...);

/* A word of the firmware, by its name in /sys/class/dmi/id: cleaned, "" for a placeholder. */
void posix_host_dmi(const char *name, char *out, size_t n);

/* Copies s, cut at n - 1 bytes, never inside a character; what is no printable text becomes a
 * blank, blanks at the ends go. */
void posix_host_text(char *out, size_t n, struct moor_span s);

/* The names in a folder, at most max of them, sorted. For folders of the kernel's. */
struct posix_names {
    char (*items)[64];
    size_t count, max;
};
void posix_host_list(const char *folder, struct posix_names *out);

#endif
