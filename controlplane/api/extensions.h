/* SPDX-License-Identifier: Apache-2.0 */
/* extensions.h: what the report handler and the settings certificate need of machines/extensions.
 */
#ifndef MOOR_API_EXTENSIONS_H
#define MOOR_API_EXTENSIONS_H

#include "api/app.h"
#include "store/extensions.h"
#include "store/machines.h"

/* Of its handler with all that started; zero = not told. */
struct moor_extension_usage {
    uint64_t cpu_ms, memory_bytes;
};

/* What an agent said about one extension, already checked. */
struct moor_extension_report {
    const char *name;
    uint64_t settings_seq;          /* settingsSeqNo it speaks of */
    const char *provisioning_state; /* Creating, Updating, Deleting, Succeeded, Failed, Canceled,
                                       Deleted */
    const char *installed_version;  /* "" = not installed */
    const char *error_code;         /* of a failure: "HandlerCommandFailed"; becomes error.code */
    const char *status_code;        /* "0", or the handler's number or name */
    const char *status_level;       /* "Information", "Warning", "Error" */
    const char *status_message;     /* shown to the administrator */
    struct moor_extension_usage usage;
    int64_t observed_ms;
};

/*
 * Takes one item of a report: stores it as the resource's instance view and, when it is about the
 * settings last PUT, sets the provisioning state and ends the long-running operation: Succeeded,
 * or Failed with the message. "Deleted" removes rows and resource. Reports about older settings
 * change the instance view only. In the caller's transaction. NOTFOUND: no such extension.
 */
MOOR_NODISCARD moor_code moor_extension_settle(struct moor_app *app, const struct moor_machine *m,
                                               const struct moor_extension_report *r,
                                               struct moor_arena *arena, struct moor_error *err);

/* The machine's settings certificate came or changed: encrypts what was sealed to it, wipes the
 * sealed copies, raises the desired revision if anything changed. In the caller's transaction. */
MOOR_NODISCARD moor_code moor_extension_protect_all(struct moor_app *app,
                                                    const struct moor_machine *m,
                                                    struct moor_error *err);

#endif
