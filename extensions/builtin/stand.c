/* SPDX-License-Identifier: Apache-2.0 */
/* stand.c: how a command stands by the files it left, and ending it by them. */
#include "builtin/stand.h"

#include "base/text.h"
#include "builtin/handler.h"
#include "platform/clock.h"
#include "platform/file.h"

#include <inttypes.h>

#define LINE_SIZE 96

static const struct {
    const char *word;
    builtin_how how;
} words[] = {
    { "exit", BUILTIN_EXITED },
    { "signal", BUILTIN_SIGNALED },
    { "timeout", BUILTIN_TIMED_OUT },
    { "cancel", BUILTIN_CANCELED },
};

moor_code builtin_result_write(const struct builtin_place *p, builtin_how how, int64_t code,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_SIZE);
    for (size_t i = 0; i < MOOR_COUNTOF(words); i++)
        if (words[i].how == how)
            moor_buf_fmt(&text, "%s %" PRId64 " %" PRId64 "\n", words[i].word, code, plat_utc_ms());
    return plat_write_atomic(p->result, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

void builtin_buf_process(struct moor_buf *b, const struct plat_process_id *id)
{
    moor_buf_fmt(b, "%" PRId64 " %" PRIu64 " %" PRId64 "\n", id->pid, id->start, plat_utc_ms());
}

static bool read_process(const char *path, struct plat_process_id *id, int64_t *at_ms)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_SIZE);
    if (plat_read_all(path, LINE_SIZE, &text, NULL) != MOOR_OK)
        return false;
    struct moor_span rest = moor_span_trim(moor_buf_view(&text));
    struct moor_span pid = moor_span_cut(&rest, ' ');
    struct moor_span start = moor_span_cut(&rest, ' ');
    return moor_parse_i64(pid, 1, INT32_MAX, &id->pid, NULL) == MOOR_OK &&
           moor_parse_u64(start, 0, UINT64_MAX, &id->start, NULL) == MOOR_OK &&
           moor_parse_i64(rest, 0, INT64_MAX, at_ms, NULL) == MOOR_OK;
}

bool builtin_alive(const struct builtin_place *p)
{
    struct plat_process_id id;
    int64_t at_ms;
    return read_process(p->started, &id, &at_ms) && plat_process_alive(&id);
}

void builtin_stand_read(const struct builtin_place *p, struct builtin_stand *out)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_SIZE);
    struct builtin_stand s = { .how = BUILTIN_LOST };
    struct plat_process_id id;
    if (!read_process(p->started, &id, &s.start_ms))
        s.start_ms = 0;
    if (plat_read_all(p->result, LINE_SIZE, &text, NULL) == MOOR_OK) {
        struct moor_span rest = moor_span_trim(moor_buf_view(&text));
        struct moor_span word = moor_span_cut(&rest, ' ');
        struct moor_span code = moor_span_cut(&rest, ' ');
        for (size_t i = 0; i < MOOR_COUNTOF(words); i++)
            if (moor_span_eq_str(word, words[i].word) &&
                moor_parse_i64(code, 0, 255, &s.code, NULL) == MOOR_OK &&
                moor_parse_i64(rest, 0, INT64_MAX, &s.end_ms, NULL) == MOOR_OK)
                s.how = words[i].how;
    }
    *out = s;
}

moor_code builtin_kill(const struct builtin_place *p, struct moor_error *err)
{
    const char *const files[] = { p->started, p->child };
    if (!plat_exists(p->started) || plat_exists(p->result))
        return MOOR_OK;
    moor_code c = builtin_result_write(p, BUILTIN_CANCELED, 0, err);
    for (size_t i = 0; i < MOOR_COUNTOF(files) && c == MOOR_OK; i++) {
        struct plat_process_id id;
        int64_t at_ms;
        if (read_process(files[i], &id, &at_ms))
            plat_process_kill_tree_id(&id);
    }
    return c;
}
