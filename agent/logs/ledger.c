/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "platform/file.h"
#include "platform/random.h"
#include "run/log.h"

#define PATH_BYTES  4096
#define CRC_DIGITS  8
#define LINES_FIRST 64

static moor_code path_in(const char *folder, const char *name, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(PATH_BYTES);
    moor_buf_fmt(&b, "%s/%s", folder, name);
    return moor_buf_take(&b, "positions", out, err);
}

moor_code moor_ledger_init(struct moor_ledger *l, const char *folder, struct moor_error *err)
{
    *l = (struct moor_ledger){ .folder = moor_strdup(folder) };
    moor_code c = l->folder ? path_in(folder, "positions.json", &l->path, err)
                            : moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    if (c == MOOR_OK)
        c = path_in(folder, "positions.journal", &l->journal_path, err);
    if (c != MOOR_OK)
        moor_ledger_drop(l);
    return c;
}

void moor_ledger_drop(struct moor_ledger *l)
{
    free(l->folder);
    free(l->path);
    free(l->journal_path);
    *l = (struct moor_ledger){ .folder = NULL };
}

static void add_crc(struct moor_buf *b, struct moor_span text)
{
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)text.p, (uInt)text.n);
    moor_buf_fmt(b, "%0*" PRIx32, CRC_DIGITS, crc);
}

/* The JSON of one line; none when the line is torn or damaged. */
static struct moor_span good_line(struct moor_span line)
{
    MOOR_AUTO(moor_buf) crc = MOOR_BUF(CRC_DIGITS + 1);
    if (line.n < CRC_DIGITS + 2 || line.p[CRC_DIGITS] != ' ')
        return MOOR_SPAN_NONE;
    struct moor_span text = { line.p + CRC_DIGITS + 1, line.n - CRC_DIGITS - 1 };
    add_crc(&crc, text);
    return moor_span_starts(line, moor_buf_cstr(&crc)) ? text : MOOR_SPAN_NONE;
}

/* Documents as they are read. */
struct reading {
    struct moor_positions *docs;
    size_t count, room;
    struct moor_arena *arena;
};

static moor_code add_doc(struct reading *r, const struct moor_positions *doc,
                         struct moor_error *err)
{
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : LINES_FIRST;
        struct moor_positions *more = moor_arena_array(r->arena, room, sizeof(*more));
        if (!more)
            return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
        if (r->count > 0)
            memcpy(more, r->docs, r->count * sizeof(*more));
        r->docs = more;
        r->room = room;
    }
    r->docs[r->count++] = *doc;
    return MOOR_OK;
}

static moor_code read_journal(struct moor_ledger *l, struct reading *r, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_POSITIONS_MAX);
    struct moor_error e = MOOR_ERROR_INIT;
    moor_code c = plat_read_all(l->journal_path, MOOR_POSITIONS_MAX, &text, err);
    struct moor_span rest = moor_buf_view(&text);
    if (c != MOOR_OK)
        return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
    while (memchr(rest.p, '\n', rest.n)) {
        struct moor_positions doc = { .schema = 1 };
        struct moor_span line = moor_span_cut(&rest, '\n'), json = good_line(line);
        if (!json.p || moor_positions_decode(json, l->journal_path, &doc, r->arena, &e) != MOOR_OK)
            break;
        if (!moor_streq(doc.id, l->id))
            return MOOR_OK;
        c = add_doc(r, &doc, err);
        if (c != MOOR_OK)
            return c;
        l->journal_bytes += line.n + 1;
    }
    if (text.len > l->journal_bytes)
        moor_log(MOOR_LOG_NOTICE, "logs.journal_torn", "path", l->journal_path, NULL);
    return MOOR_OK;
}

moor_code moor_ledger_read(struct moor_ledger *l, struct moor_positions **docs, size_t *count,
                           struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_POSITIONS_MAX);
    struct moor_positions doc = { .schema = 1 };
    struct reading r = { .arena = arena };
    l->id[0] = '\0';
    l->whole_bytes = l->journal_bytes = 0;
    moor_code c = plat_read_all(l->path, MOOR_POSITIONS_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_positions_decode(moor_buf_view(&text), l->path, &doc, arena, err);
    if (c == MOOR_OK)
        c = add_doc(&r, &doc, err);
    /* A document without one was never journalled. */
    if (c == MOOR_OK && doc.id) {
        memcpy(l->id, doc.id, strlen(doc.id) + 1);
        l->whole_bytes = text.len;
        c = read_journal(l, &r, err);
    }
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return c;
    *docs = r.docs;
    *count = r.count;
    return MOOR_OK;
}

moor_code moor_ledger_set_aside(struct moor_ledger *l, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) bad = MOOR_BUF(PATH_BYTES);
    moor_buf_fmt(&bad, "%s.bad", l->path);
    l->id[0] = '\0';
    return plat_rename(l->path, moor_buf_cstr(&bad), err);
}

bool moor_ledger_wants_whole(const struct moor_ledger *l)
{
    uint64_t most =
        l->whole_bytes > MOOR_LEDGER_JOURNAL_MIN ? l->whole_bytes : MOOR_LEDGER_JOURNAL_MIN;
    return !l->id[0] || l->broken || l->journal_bytes >= most;
}

moor_code moor_ledger_encode(const struct moor_ledger *l, bool whole, struct moor_positions *doc,
                             struct moor_ledger_text *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) crc = MOOR_BUF(CRC_DIGITS + 1);
    *out = (struct moor_ledger_text){ .whole = whole, .text = MOOR_BUF(MOOR_POSITIONS_MAX) };
    if (whole)
        plat_random_uuid(out->id);
    else
        memcpy(out->id, l->id, sizeof(out->id));
    doc->id = out->id;
    moor_buf_str(&out->text, whole ? "" : "00000000 ");
    moor_positions_encode(&out->text, doc);
    moor_buf_str(&out->text, whole ? "" : "\n");
    moor_code c = moor_buf_ok(&out->text, whole ? l->path : l->journal_path, err);
    if (c != MOOR_OK || whole)
        return c;
    struct moor_span json = moor_buf_view(&out->text);
    json.p += CRC_DIGITS + 1;
    json.n -= CRC_DIGITS + 2;
    add_crc(&crc, json);
    memcpy(out->text.data, moor_buf_cstr(&crc), CRC_DIGITS);
    return MOOR_OK;
}

/* Behind the good lines; whatever stood there goes. */
static moor_code append(struct moor_ledger *l, struct moor_span line, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct plat_stat st;
    bool is_new = !plat_exists(l->journal_path);
    moor_code c = plat_open(l->journal_path, PLAT_READ_WRITE, &f, err);
    if (c == MOOR_OK)
        c = plat_fstat(&f, &st, err);
    if (c == MOOR_OK && st.size > l->journal_bytes)
        c = plat_truncate(&f, l->journal_bytes, err);
    if (c == MOOR_OK)
        c = plat_write_at(&f, l->journal_bytes, line, err);
    if (c == MOOR_OK)
        c = plat_sync(&f, err);
    if (c == MOOR_OK && is_new)
        c = plat_sync_dir(l->folder, err);
    return c;
}

moor_code moor_ledger_write(struct moor_ledger *l, const struct moor_ledger_text *t,
                            struct moor_error *err)
{
    struct moor_span text = moor_buf_view(&t->text);
    /* A replacement that failed may have been made all the same. */
    l->broken = true;
    moor_code c =
        t->whole ? plat_write_atomic(l->path, text, PLAT_OWNER_ONLY, err) : append(l, text, err);
    if (c != MOOR_OK)
        return c;
    memcpy(l->id, t->id, sizeof(l->id));
    l->broken = false;
    l->whole_bytes = t->whole ? text.n : l->whole_bytes;
    l->journal_bytes = t->whole ? 0 : l->journal_bytes + text.n;
    return MOOR_OK;
}
