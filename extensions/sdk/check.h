/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: judges somebody's package against the handler contract, as an author wants it before it
 * is published: everything that is wrong at once, each with what to do. Nothing is unpacked or run;
 * neither rights nor a connection are needed. What the manager would refuse is found by the
 * manager's own rules. Blocking; memory is bounded, whatever the package.
 */
#ifndef MOOR_SDK_CHECK_H
#define MOOR_SDK_CHECK_H

#include "base/error.h"
#include "platform/file.h"

typedef enum moor_severity {
    MOOR_SEVERITY_ERROR,   /* it is refused, or cannot work */
    MOOR_SEVERITY_WARNING, /* it fails on some machines, or with some agents */
    MOOR_SEVERITY_NOTE
} moor_severity;
const char *moor_severity_name(moor_severity s); /* "error" ... */

struct moor_finding {
    const char *rule; /* "command-missing": static, for scripts */
    moor_severity severity;
    const char *file; /* entry of the package; "" = the package */
    const char *message, *remedy;
};
/* The texts are good during the call. */
typedef void (*moor_finding_fn)(void *ctx, const struct moor_finding *f);

/* What the package says it is; "" when it does not. */
struct moor_check_name {
    char publisher[129], type[129], version[44];
};

/* file_name: without folders. Findings are told in the order of the rules; an error of its own
 * means that the file cannot be read at all. */
MOOR_NODISCARD moor_code moor_check_package(const struct plat_file *zip, const char *file_name,
                                            moor_finding_fn fn, void *ctx,
                                            struct moor_check_name *out, struct moor_error *err);

#endif
