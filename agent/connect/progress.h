/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h: how a command of many steps tells what it is doing. */
#ifndef MOOR_CONNECT_PROGRESS_H
#define MOOR_CONNECT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moor_progress {
    /* A step begins: its stable name, a sentence fragment, its place of how many. */
    void (*begin)(void *ctx, const char *step, const char *text, size_t at, size_t of);
    /* It ended, after ms; failed says how. Nothing follows a failed step but undo and remains. */
    void (*end)(void *ctx, const char *step, bool failed, uint64_t ms);
    /* Something worth saying that is no step: what was undone, what remains, a warning. */
    void (*note)(void *ctx, const char *text);
    /* A person is to open the page and type the code there, within the time. */
    void (*code)(void *ctx, const char *url, const char *code, uint64_t seconds);
    void *ctx;
};

#endif
