/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/deadletter.h"

#include "base/timefmt.h"
#include "platform/file.h"

#define NAME      "dead-letter.jsonl"
#define PATH_MAX_ 4096

void moor_dead_record_add(struct moor_buf *b, const struct moor_dead_record *d)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF(8 * MOOR_DEAD_RECORD_MAX);
    struct moor_span record = d->record;
    char time[MOOR_RFC3339_LEN + 1];
    if (record.n > MOOR_DEAD_RECORD_MAX)
        record.n = MOOR_DEAD_RECORD_MAX;
    moor_rfc3339_format(d->now_ms, time);
    moor_buf_fmt(&line, "{\"time\":\"%s\",\"source\":", time);
    moor_buf_json_str(&line, moor_span_str(d->key));
    if (d->path) {
        moor_buf_str(&line, ",\"filePath\":");
        moor_buf_json_str(&line, moor_span_str(d->path));
        moor_buf_fmt(&line, ",\"offset\":%llu", (unsigned long long)d->offset);
    }
    moor_buf_str(&line, ",\"reason\":");
    moor_buf_json_str(&line, moor_span_str(d->reason));
    moor_buf_str(&line, ",\"record\":");
    moor_buf_json_str(&line, record);
    moor_buf_str(&line, "}\n");
    if (!line.failed && !b->failed && b->len + line.len <= b->max)
        moor_buf_span(b, moor_buf_view(&line));
}

moor_code moor_dead_write(const char *folder, struct moor_span lines, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_MAX_);
    MOOR_AUTO(moor_buf) old = MOOR_BUF(PATH_MAX_);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct plat_stat st;
    moor_buf_fmt(&path, "%s/" NAME, folder);
    moor_buf_fmt(&old, "%s/" NAME ".1", folder);
    moor_code c = MOOR_OK;
    if (plat_stat_path(moor_buf_cstr(&path), &st, NULL) == MOOR_OK &&
        st.size + lines.n > MOOR_DEAD_FILE_MAX)
        c = plat_rename(moor_buf_cstr(&path), moor_buf_cstr(&old), err);
    if (c == MOOR_OK)
        c = plat_open(moor_buf_cstr(&path), PLAT_APPEND, &f, err);
    if (c == MOOR_OK)
        c = plat_append(&f, lines, err);
    return c == MOOR_OK ? plat_sync(&f, err) : c;
}
