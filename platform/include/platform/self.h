/* SPDX-License-Identifier: Apache-2.0 */
/* self.h: this process: how it was started, by what, and giving up what it does not need. */
#ifndef PLAT_SELF_H
#define PLAT_SELF_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/file.h"

/* The absolute path of the running program, as a heap string. */
MOOR_NODISCARD moor_code plat_program_path(char **out, struct moor_error *err);

/* A path as a person gave it, seen from the current folder, as an absolute one on the heap. */
MOOR_NODISCARD moor_code plat_absolute_path(const char *path, char **out, struct moor_error *err);

/* A variable of the environment; NULL when absent, or when the program has more rights than the
 * caller. Valid until the environment changes, which no program of ours does. */
const char *plat_environment(const char *name);

/* Sets one, for libraries that take a setting no other way. Before the first thread. */
MOOR_NODISCARD moor_code plat_set_environment(const char *name, const char *value,
                                              struct moor_error *err);

/* How many descriptors this process may have; their numbers are below it. */
unsigned plat_files_max(void);

/* Whether somebody looks at what is written to standard error. */
bool plat_on_terminal(void);

/* Asks the person at the controlling terminal, without showing what is typed. NOTFOUND without a
 * terminal. */
struct moor_secret;
MOOR_NODISCARD moor_code plat_ask_secret(const char *prompt, struct moor_secret *out,
                                         struct moor_error *err);

/* plat_spawn.extra, seen from the child: descriptor 3, once. BADINPUT when it is no socket that
 * keeps the borders of messages. */
MOOR_NODISCARD moor_code plat_inherited(struct plat_file *out, struct moor_error *err);

/* All threads take memory from one heap: for programs that mostly sleep, a heap per thread costs
 * more than waiting for each other. Before the first thread. */
void plat_share_heap(void);

/* Gives freed memory back to the system: for the end of a burst of work. Any thread. */
void plat_release_memory(void);

/* What this process starts stays below it when the process in between ends, until it ends itself:
 * plat_process_kill_tree_id() of this process then finds everything. */
MOOR_NODISCARD moor_code plat_keep_orphans(struct moor_error *err);

/* From root to this user for good: its groups, no capabilities, nothing back by exec. */
MOOR_NODISCARD moor_code plat_become_user(const char *name, struct moor_error *err);

#endif
