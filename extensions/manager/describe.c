/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/describe.h"

#include <inttypes.h>

/* What the shell means, and what handlers agreed on. */
static const struct {
    int code;
    const char *meaning;
} meanings[] = {
    { 51, "by convention: this operating system is not supported" },
    { 52, "by convention: something it needs is missing" },
    { 53, "by convention: its configuration is wrong" },
    { 56, "by convention: another process holds the package manager" },
    { 64, "by convention: its folder is on a file system with the noexec flag" },
    { 126, "a program was found that cannot be run: see its first line, its format and the flags "
           "of its file system" },
    { 127, "a program that it needs is not on this machine: see [stderr]" },
};

static void add_meaning(struct moor_buf *b, int code)
{
    for (size_t n = 0; n < MOOR_COUNTOF(meanings); n++)
        if (meanings[n].code == code)
            moor_buf_fmt(b, " (%s)", meanings[n].meaning);
}

void moor_buf_command_end(struct moor_buf *b, moor_handler_verb verb, uint64_t timeout_ms,
                          const struct moor_command_result *r)
{
    const char *name = moor_handler_verb_name(verb);
    if (r->oom) {
        moor_buf_fmt(b, "%s was ended: its limit on memory was reached", name);
        return;
    }
    if (r->timed_out) {
        moor_buf_fmt(b, "%s took longer than %" PRIu64 " seconds and was ended", name,
                     timeout_ms / 1000);
        return;
    }
    if (r->signaled) {
        moor_buf_fmt(b, "%s was ended by signal %d", name, r->code);
        return;
    }
    moor_buf_fmt(b, "%s ended with exit code %d", name, r->code);
    add_meaning(b, r->code);
}
