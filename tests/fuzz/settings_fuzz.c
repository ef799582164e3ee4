/* SPDX-License-Identifier: Apache-2.0 */
/* <seq>.settings as handlers read it, and what our handlers make of both halves. */
#include "fuzz.h"

#include <string.h>

#include "builtin/text.h"
#include "contract/settings.h"
#include "customscript/settings.h"
#include "runcommand/settings.h"

#define ARENA_MAX ((size_t)16 * MOOR_SETTINGS_MAX)

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void reads_back_what_it_wrote(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4 * (size_t)MOOR_SETTINGS_MAX);
    struct moor_handler_settings s, again;
    if (moor_handler_settings_parse(in, &s, &arena, NULL) != MOOR_OK)
        return;
    moor_buf_handler_settings(&text, &s);
    MOOR_ASSERT(moor_handler_settings_parse(moor_buf_view(&text), &again, &arena, NULL) == MOOR_OK);
    MOOR_ASSERT(same(s.public_settings, again.public_settings));
    MOOR_ASSERT(same(s.protected_settings, again.protected_settings));
    MOOR_ASSERT(same(s.protected_thumbprint, again.protected_thumbprint));
}

/* The first line is the public half, the rest the protected one. */
static void reads_a_job(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(ARENA_MAX);
    MOOR_AUTO(customscript_job) job = { 0 };
    struct moor_span rest = in;
    struct moor_span pub = moor_span_cut(&rest, '\n');
    if (customscript_job_read(pub, rest, &job, &arena, NULL) != MOOR_OK)
        return;
    MOOR_ASSERT(moor_secret_empty(&job.command) || moor_secret_empty(&job.script));
    MOOR_ASSERT(job.uri_count <= CUSTOMSCRIPT_FILES_MAX);
    for (size_t i = 0; i < job.uri_count; i++) {
        MOOR_AUTOSTR name = NULL;
        if (builtin_file_name(job.uris[i], &name, NULL) == MOOR_OK)
            MOOR_ASSERT(*name && !strchr(name, '/') && strcmp(name, "..") != 0);
    }
}

static void reads_a_run(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(ARENA_MAX);
    struct runcommand_job job;
    struct moor_span rest = in;
    struct moor_span pub = moor_span_cut(&rest, '\n');
    if (runcommand_job_read(pub, rest, &job, &arena, NULL) != MOOR_OK)
        return;
    const struct runcommand_parameter *p = job.secrets.items;
    MOOR_ASSERT(!job.script != !job.script_uri);
    MOOR_ASSERT(job.timeout_s > 0);
    for (size_t i = 0; i < job.secrets.count; i++)
        MOOR_ASSERT(*p[i].name && !strchr(p[i].name, '='));
}

static void mends_lines(struct moor_span in)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024 * 1024);
    moor_buf_span(&text, in);
    if (!text.data || moor_buf_ok(&text, "text", NULL) != MOOR_OK)
        return;
    MOOR_ASSERT(builtin_unix_lines(text.data, text.len) <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    reads_back_what_it_wrote(in);
    reads_a_job(in);
    reads_a_run(in);
    mends_lines(in);
    return 0;
}
