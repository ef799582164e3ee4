/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs.h: what CustomScript does under each name it is started by. Each returns the exit code.
 *
 * `enable` takes the sequence number on, downloads, and starts `run`, which is the command: it
 * alone creates the file that says so, so that however often and wherever things are killed the
 * command starts once. What takes longer than `enable` may, `worker` waits for in the background.
 */
#ifndef MOOR_CUSTOMSCRIPT_VERBS_H
#define MOOR_CUSTOMSCRIPT_VERBS_H

#include <stdbool.h>

#include "place.h"

enum {
    CUSTOMSCRIPT_EXIT_OK = 0,
    CUSTOMSCRIPT_EXIT_FAILED = 1,   /* this machine: disk, processes */
    CUSTOMSCRIPT_EXIT_SETTINGS = 53 /* configuration error, as other handlers say it */
};

/* Codes in the status, as the reference handler's error clarification has them. */
enum {
    CUSTOMSCRIPT_CODE_COMMAND = 2,
    CUSTOMSCRIPT_CODE_SETTINGS = 20,
    CUSTOMSCRIPT_CODE_DOWNLOAD = 50,
    CUSTOMSCRIPT_CODE_IDENTITY = 70,
    CUSTOMSCRIPT_CODE_SYSTEM = -20
};

/* foreground: gives the waiting over to the background after a while. */
int customscript_worker(const struct customscript_place *p, char *const *env, bool foreground);
int customscript_run(const struct customscript_place *p, char *const *env);

#endif
