/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "platform/oserr.h"
#include "platform/self.h"

static moor_code read_stream(FILE *f, const char *name, struct moor_buf *out,
                             struct moor_error *err)
{
    char piece[4096];
    size_t n;
    errno = 0;
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        moor_buf_add(out, piece, n);
    moor_wipe(piece, sizeof(piece));
    if (ferror(f))
        return plat_fail(err, errno, "%s", name);
    return moor_buf_ok(out, name, err);
}

moor_code moor_read_input(const char *file, struct moor_buf *out, struct moor_error *err)
{
    if (moor_streq(file, "-"))
        return read_stream(stdin, "standard input", out, err);
    FILE *f = fopen(file, "rbe");
    if (!f)
        return plat_fail(err, errno, "%s", file);
    /* What was read ahead may be a secret: no buffer is left behind. */
    (void)setvbuf(f, NULL, _IONBF, 0);
    moor_code c = read_stream(f, file, out, err);
    (void)fclose(f);
    return c;
}

moor_code moor_read_secret(const char *file, const char *variable, struct moor_secret *out,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_INPUT_MAX);
    const char *given = file ? NULL : plat_environment(variable);
    if (!file && !given)
        return MOOR_OK;
    moor_code c = MOOR_OK;
    if (file)
        c = moor_read_input(file, &text, err);
    else
        moor_buf_str(&text, given);
    if (c != MOOR_OK)
        return c;
    struct moor_span s = moor_buf_view(&text);
    if (moor_span_ends(s, "\n"))
        s.n--;
    if (moor_span_ends(s, "\r"))
        s.n--;
    if (s.n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: is empty", file ? file : variable);
    if (memchr(s.p, '\n', s.n) || memchr(s.p, '\0', s.n))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want one line of text", file ? file : variable);
    return moor_secret_set(out, s, err);
}

moor_code moor_take_argument(struct moor_cli *cli, const char *argument, const char *what,
                             struct moor_secret *out, struct moor_error *err)
{
    /* Other users saw it from the start of the process; at least they do not see it any longer. */
    moor_warn(cli, "a secret on the command line is seen by every user of this machine; use %s",
              what);
    moor_code c = moor_secret_set(out, moor_span_str(argument), err);
    moor_wipe((char *)(uintptr_t)argument, strlen(argument));
    return c;
}
