/* SPDX-License-Identifier: Apache-2.0 */
/* <seq>.status and the heartbeat file: what handlers write, and goes on to the service. */
#include "fuzz.h"

#include <string.h>

#include "contract/names.h"
#include "contract/status.h"

static void passes_on_what_reads_the_same_again(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8 * (size_t)MOOR_STATUS_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_STATUS_REPORT_MAX + 2);
    MOOR_AUTOPTR(moor_json) doc = NULL;
    struct moor_handler_status s, again;
    if (moor_status_parse(in, &s, &arena, NULL) != MOOR_OK || s.state == MOOR_STATUS_NONE)
        return;
    /* It is put into a report as it is. */
    MOOR_ASSERT(strlen(s.json) <= MOOR_STATUS_REPORT_MAX);
    MOOR_ASSERT(moor_json_parse(moor_span_str(s.json), &doc, NULL) == MOOR_OK);
    moor_buf_fmt(&text, "[%s]", s.json);
    MOOR_ASSERT(moor_status_parse(moor_buf_view(&text), &again, &arena, NULL) == MOOR_OK);
    MOOR_ASSERT(again.state == s.state && again.code == s.code);
    /* What was cut is longer than the limit by the mark of the cut. */
    MOOR_ASSERT(strstr(s.operation, "[TRUNCATED]") || strcmp(again.operation, s.operation) == 0);
}

static void reads_a_heartbeat(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8 * (size_t)MOOR_STATUS_MAX);
    struct moor_handler_heartbeat h;
    if (moor_heartbeat_parse(in, &h, &arena, NULL) == MOOR_OK)
        MOOR_ASSERT(h.message != NULL);
}

static void redacts_signatures(struct moor_span in)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(16 * (size_t)MOOR_STATUS_MAX);
    moor_buf_redacted(&out, in);
    MOOR_ASSERT(moor_buf_ok(&out, "text", NULL) == MOOR_OK || in.n > MOOR_STATUS_MAX);
}

static void takes_names_apart(struct moor_span in)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(4096);
    struct moor_span full, version;
    uint32_t seq = 0;
    moor_buf_span(&name, in);
    if (moor_buf_ok(&name, "name", NULL) != MOOR_OK)
        return;
    const char *s = moor_buf_cstr(&name);
    if (moor_status_name_seq(s, &seq))
        MOOR_ASSERT(!strchr(s, '/') && strstr(s, ".status"));
    if (moor_handler_folder_split(s, &full, &version))
        MOOR_ASSERT(full.n > 0 && full.n + 1 + version.n == strlen(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    passes_on_what_reads_the_same_again(in);
    reads_a_heartbeat(in);
    redacts_signatures(in);
    takes_names_apart(in);
    return 0;
}
