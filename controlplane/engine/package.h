/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package.h: what an extension package says it is.
 *
 * Three places may name a package's publisher, type and version: signingInfo in
 * HandlerManifest.json, manifest.xml, and a file name P.T__V.zip. Every one that is there must
 * agree with the others, and with what the publisher of the package asked for; one must be there.
 * Nothing is unpacked to disk.
 */
#ifndef MOOR_ENGINE_PACKAGE_H
#define MOOR_ENGINE_PACKAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct moor_package_name {
    char publisher[129]; /* "Microsoft.Azure.Extensions" */
    char type[129];      /* "CustomScript" */
    char version[44];    /* "2.1.10", two to four parts */
    bool multi_config;   /* the manifest's supportsMultipleExtensions */
};

/* Reads the zip at path. file_name is the name it was given by (no folder). asked: parts that are
 * "" are taken from the package. Errors are BADINPUT and name the file and the rule: too many or
 * unsafe entries, no manifest, names that disagree or are missing. */
MOOR_NODISCARD moor_code moor_package_inspect(const char *path, const char *file_name,
                                              const struct moor_package_name *asked,
                                              struct moor_package_name *out,
                                              struct moor_error *err);

/* Pure parts, for tests. A name that is not there leaves out as it was, with found false. */
MOOR_NODISCARD moor_code moor_package_from_manifest(struct moor_span json,
                                                    struct moor_package_name *out, bool *found,
                                                    struct moor_error *err);
MOOR_NODISCARD moor_code moor_package_from_xml(struct moor_span xml, struct moor_package_name *out,
                                               bool *found, struct moor_error *err);
MOOR_NODISCARD moor_code moor_package_from_file_name(const char *file_name,
                                                     struct moor_package_name *out, bool *found,
                                                     struct moor_error *err);
/* A relative path without "..", empty or "." segments, backslashes, colons, control characters. */
bool moor_package_entry_safe(const char *name);

#endif
