/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler.h: what our handlers have in common: each runs one command for each sequence number.
 *
 * `enable` takes the number on, prepares, and starts `run`, which is the command: it alone creates
 * the file that says so, so that however often and wherever things are killed the command starts
 * once. What takes longer than `enable` may, `worker` waits for in the background. A handler of
 * several instances ends an instance's command when that is disabled or asked for something newer,
 * and forgets what is disabled; the command of the others is left alone: half of a script helps
 * nobody.
 */
#ifndef MOOR_BUILTIN_HANDLER_H
#define MOOR_BUILTIN_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "builtin/place.h"
#include "platform/account.h"
#include "platform/file.h"
#include "run/child.h"

enum {
    BUILTIN_EXIT_OK = 0,
    BUILTIN_EXIT_FAILED = 1,   /* this machine: disk, processes */
    BUILTIN_EXIT_SETTINGS = 53 /* configuration error, as other handlers say it */
};

/* Codes in the status, as the reference handlers' error clarification has them. */
enum {
    BUILTIN_CODE_COMMAND = 2,
    BUILTIN_CODE_SETTINGS = 20,
    BUILTIN_CODE_DOWNLOAD = 50,
    BUILTIN_CODE_IDENTITY = 70,
    BUILTIN_CODE_SYSTEM = -20
};

typedef enum builtin_how {
    BUILTIN_RUNNING,
    BUILTIN_REFUSED,  /* never started: code and why */
    BUILTIN_EXITED,   /* code: exit code */
    BUILTIN_SIGNALED, /* code: signal */
    BUILTIN_TIMED_OUT,
    BUILTIN_CANCELED,
    BUILTIN_LOST /* started once; how it ended is unknown */
} builtin_how;

struct builtin_stand {
    builtin_how how;
    int64_t code;
    const char *why;          /* REFUSED */
    int64_t start_ms, end_ms; /* 0 = unknown */
};

/* What `run` starts; opts point into the rest and the arena. */
struct builtin_command {
    struct moor_child_opts opts; /* output is filled in */
    struct plat_account user;
    struct plat_file script;
};

struct builtin_handler {
    const char *program; /* its file in bin/, its name on standard error */
    const char *data;    /* folder beside the handlers' */
    bool instances;
    uint64_t foreground_ms; /* what enable waits for, of the five minutes it has */
    uint64_t refresh_ms;    /* how often a running command's status is written */
    /* Brings together what the command needs, p->script for one. *code is that of a failure. */
    moor_code (*prepare)(const struct builtin_place *p, char *const *env, int64_t *code,
                         struct moor_error *err);
    moor_code (*command)(const struct builtin_place *p, char *const *env,
                         struct builtin_command *out, struct moor_arena *arena,
                         struct moor_error *err);
    moor_code (*report)(const struct builtin_place *p, const struct builtin_stand *stand,
                        struct moor_error *err);
    /* Whether the status tells an end, or that there will be none. */
    bool (*ended)(const struct moor_handler_status *reported);
};

/* The main() of a handler, by argv[1]; returns the exit code. */
int builtin_main(const struct builtin_handler *h, int argc, char **argv, char **env);

/* Verbs of worker.c and run.c. foreground: gives the waiting over to the background after a while.
 */
int builtin_worker(const struct builtin_place *p, char *const *env, bool foreground);
int builtin_run(const struct builtin_place *p, char *const *env);

/* Ends what runs for the number, with all it started, and sees to it that this is told. */
MOOR_NODISCARD moor_code builtin_cancel(const struct builtin_place *p, struct moor_error *err);

#endif
