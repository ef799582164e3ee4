/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package.h: from a downloaded file to a handler's folder. Reads the package through one open
 * file from its digest to its last entry, so that nobody can swap it in between. Blocking: pool.
 *
 * An archive is refused whole when an entry has an absolute path, a "..", a backslash, a drive, a
 * control character or bad UTF-8 in its name; is a link, a device or anything but a file or
 * folder; stands twice, or twice but for case; is encrypted; says a wrong size; or when a limit
 * below is passed. Nothing of a refused archive stays on the disk.
 */
#ifndef MOOR_MANAGER_PACKAGE_H
#define MOOR_MANAGER_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "platform/file.h"

#define MOOR_PACKAGE_MAX          ((uint64_t)2 * 1024 * 1024 * 1024)
#define MOOR_PACKAGE_FILES_MAX    20000
#define MOOR_PACKAGE_DEPTH_MAX    32
#define MOOR_PACKAGE_UNPACKED_MAX ((uint64_t)2 * 1024 * 1024 * 1024)
#define MOOR_PACKAGE_RATIO_MAX    200 /* unpacked to packed, above the first 16 MiB */

#define MOOR_PACKAGE_SPARE ((uint64_t)64 * 1024 * 1024) /* of disk, left for everybody */

/* Size and SHA-256, read once. BADINPUT says which differs; service_code is PackageCorrupt. */
MOOR_NODISCARD moor_code moor_package_check_bytes(const struct plat_file *zip, uint64_t size,
                                                  const char *sha256_hex, struct moor_error *err);

struct moor_zip;
/* Judges names, kinds and sizes of all entries before one of them is read. */
MOOR_NODISCARD moor_code moor_package_check_archive(struct moor_zip *zip, struct moor_error *err);

/* What the package is installed as. Its own signingInfo, which a publisher's signature covers, must
 * say the same when it is there, and must be there when it is required. */
struct moor_package_claim {
    const char *publisher, *type, *version;
    bool signing_info_required;
};

/* Unpacks into a new folder beside target, checks that its manifest can be read, sets modes (0700
 * folders, files 0600, u+x for what may be a program), flushes, and renames it to target. A folder
 * at target is removed first. service_code is PackageInvalid; too little disk is found before
 * anything is written, and is an IO error without one. */
MOOR_NODISCARD moor_code moor_package_unpack(const struct plat_file *zip, const char *target,
                                             const struct moor_package_claim *claim,
                                             struct moor_error *err);

/* Removes folders that an interrupted unpack left below the handlers' root. */
MOOR_NODISCARD moor_code moor_package_clean(const char *handlers, struct moor_error *err);

#endif
