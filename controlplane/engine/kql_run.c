/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "engine/kql_internal.h"

#define SORT_BYTES_MAX ((size_t)256 << 20)
#define TOP_SLACK      1024u

/* Rows waiting to be sorted: copies, with their strings, in one arena. */
struct sorter {
    struct moor_arena arena;
    struct kql_value **rows;
    size_t count, room;
    uint64_t keep; /* only the first so many are wanted, 0 = all */
};

struct stage_state {
    struct kql_value *row; /* project: the row it makes */
    uint64_t count;        /* take: let through; count: seen */
    struct sorter sorter;  /* order */
};

struct moor_kql_run {
    struct moor_kql *q;
    struct moor_buf *out;
    struct kql_value *row;
    struct moor_arena texts; /* dynamic values of the row at hand */
    struct stage_state stages[KQL_STAGES_MAX];
    uint64_t rows;
    bool full;    /* no more rows are wanted */
    bool cut;     /* a limit of ours left rows out */
    bool no_room; /* the sort's memory */
};

static bool push(struct moor_kql_run *run, size_t stage, const struct kql_value *row);

/* Output. */
static void put_real(struct moor_buf *b, double r)
{
    if (!(r >= -1.7976931348623157e308 && r <= 1.7976931348623157e308)) {
        moor_buf_str(b, "null");
        return;
    }
    struct moor_json *v = moor_json_new_number(r);
    moor_buf_json(b, v);
    moor_json_free(v);
}

static void put_timespan(struct moor_buf *b, int64_t ms)
{
    uint64_t n = ms < 0 ? (uint64_t)0 - (uint64_t)ms : (uint64_t)ms;
    moor_buf_str(b, ms < 0 ? "\"-" : "\"");
    if (n >= 86400000)
        moor_buf_fmt(b, "%" PRIu64 ".", n / 86400000);
    moor_buf_fmt(b, "%02u:%02u:%02u", (unsigned)(n / 3600000 % 24), (unsigned)(n / 60000 % 60),
                 (unsigned)(n / 1000 % 60));
    if (n % 1000)
        moor_buf_fmt(b, ".%03u0000", (unsigned)(n % 1000));
    moor_buf_char(b, '"');
}

static void put_value(struct moor_buf *b, const struct kql_value *v)
{
    if (v->null && v->type != MOOR_KQL_STRING) {
        moor_buf_str(b, "null");
        return;
    }
    switch (v->type) {
    case MOOR_KQL_LONG:
    case MOOR_KQL_INT:
        moor_buf_fmt(b, "%" PRId64, v->i);
        break;
    case MOOR_KQL_REAL:
        put_real(b, v->r);
        break;
    case MOOR_KQL_BOOL:
        moor_buf_str(b, v->i ? "true" : "false");
        break;
    case MOOR_KQL_DATETIME:
        if (v->i < 0 || v->i > INT64_C(253402300799999)) {
            moor_buf_str(b, "null");
            break;
        }
        moor_buf_char(b, '"');
        moor_buf_rfc3339(b, v->i);
        moor_buf_char(b, '"');
        break;
    case MOOR_KQL_TIMESPAN:
        put_timespan(b, v->i);
        break;
    case MOOR_KQL_STRING:
    case MOOR_KQL_GUID:
    case MOOR_KQL_DYNAMIC:
    default:
        moor_buf_json_str(b, v->s);
        break;
    }
}

static bool emit(struct moor_kql_run *run, const struct kql_value *row)
{
    if (run->rows >= MOOR_KQL_ROWS_MAX) {
        run->cut = true;
        return false;
    }
    MOOR_AUTO(moor_buf) line = MOOR_BUF(run->out->max);
    moor_buf_char(&line, run->rows ? ',' : ' ');
    moor_buf_char(&line, '[');
    for (size_t i = 0; i < run->q->result.count; i++) {
        if (i)
            moor_buf_char(&line, ',');
        put_value(&line, &row[i]);
    }
    moor_buf_char(&line, ']');
    /* One byte stays free for the end of the array. */
    if (line.failed || run->out->len + line.len + 1 > run->out->max) {
        run->cut = true;
        return false;
    }
    moor_buf_span(run->out, moor_buf_view(&line));
    run->rows++;
    return true;
}

/* Sorting. */
static int compare_rows(const struct kql_stage *s, const struct kql_value *a,
                        const struct kql_value *b)
{
    for (size_t i = 0; i < s->item_count; i++) {
        const struct kql_item *item = &s->items[i];
        struct kql_value l, r;
        kql_eval(item->node, a, &l);
        kql_eval(item->node, b, &r);
        bool l_null = l.null && l.type != MOOR_KQL_STRING,
             r_null = r.null && r.type != MOOR_KQL_STRING;
        if (l_null != r_null)
            return l_null == item->nulls_first ? -1 : 1;
        int c = l_null ? 0 : kql_order(&l, &r);
        if (c)
            return item->ascending ? c : -c;
    }
    return 0;
}

/* Bottom-up merge sort: stable, and needs no state beside its arguments. */
static bool sort_rows(const struct kql_stage *s, struct kql_value **rows, size_t count)
{
    struct kql_value **other = calloc(count ? count : 1, sizeof *other);
    if (!other)
        return false;
    struct kql_value **from = rows, **to = other;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t lo = 0; lo < count; lo += 2 * width) {
            size_t mid = lo + width < count ? lo + width : count;
            size_t end = lo + 2 * width < count ? lo + 2 * width : count;
            size_t i = lo, j = mid;
            for (size_t k = lo; k < end; k++)
                to[k] = i < mid && (j == end || compare_rows(s, from[i], from[j]) <= 0) ? from[i++]
                                                                                        : from[j++];
        }
        struct kql_value **swap = from;
        from = to;
        to = swap;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof *rows);
    free(other);
    return true;
}

static struct kql_value *copy_row(struct moor_arena *arena, const struct kql_value *row,
                                  size_t width)
{
    struct kql_value *copy = moor_arena_array(arena, width, sizeof *copy);
    for (size_t i = 0; copy && i < width; i++) {
        copy[i] = row[i];
        bool text = row[i].type == MOOR_KQL_STRING || row[i].type == MOOR_KQL_GUID ||
                    row[i].type == MOOR_KQL_DYNAMIC;
        if (text && row[i].s.n && !(copy[i].s.p = moor_arena_str(arena, row[i].s)))
            return NULL;
    }
    return copy;
}

/* Keeps the first rows only, in a fresh arena. */
static bool shrink(const struct kql_stage *s, struct sorter *t)
{
    struct moor_arena fresh = MOOR_ARENA(SORT_BYTES_MAX);
    bool ok = sort_rows(s, t->rows, t->count);
    for (size_t i = 0; ok && i < t->keep; i++)
        ok = (t->rows[i] = copy_row(&fresh, t->rows[i], s->in.count)) != NULL;
    moor_arena_drop(&t->arena);
    t->arena = fresh;
    t->count = ok ? (size_t)t->keep : 0;
    return ok;
}

static bool sorter_add(const struct kql_stage *s, struct sorter *t, const struct kql_value *row)
{
    if (t->keep && t->count >= t->keep * 2 + TOP_SLACK && !shrink(s, t))
        return false;
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 256;
        void *rows = room > MOOR_KQL_ROWS_MAX * 8 ? NULL : realloc(t->rows, room * sizeof *t->rows);
        if (!rows)
            return false;
        t->rows = rows;
        t->room = room;
    }
    struct kql_value *copy = copy_row(&t->arena, row, s->in.count);
    if (!copy)
        return false;
    t->rows[t->count++] = copy;
    return true;
}

static bool push_project(struct moor_kql_run *run, size_t stage, const struct kql_value *row)
{
    const struct kql_stage *s = &run->q->stages[stage];
    struct kql_value *made = run->stages[stage].row;
    for (size_t i = 0; i < s->item_count; i++)
        kql_eval(s->items[i].node, row, &made[i]);
    return push(run, stage + 1, made);
}

static bool push(struct moor_kql_run *run, size_t stage, const struct kql_value *row)
{
    if (stage == run->q->stage_count)
        return emit(run, row);
    const struct kql_stage *s = &run->q->stages[stage];
    struct stage_state *st = &run->stages[stage];
    switch (s->kind) {
    case S_WHERE:
        return kql_test(s->predicate, row) == 1 ? push(run, stage + 1, row) : true;
    case S_PROJECT:
        return push_project(run, stage, row);
    case S_TAKE:
        if (st->count >= s->limit)
            return false;
        st->count++;
        return push(run, stage + 1, row) && st->count < s->limit;
    case S_COUNT:
        st->count++;
        return true;
    case S_ORDER:
    default:
        if (sorter_add(s, &st->sorter, row))
            return true;
        run->no_room = true;
        return false;
    }
}

/* The stages that hold rows back give them on, first to last. */
static void drain(struct moor_kql_run *run, size_t stage)
{
    const struct kql_stage *s = &run->q->stages[stage];
    struct stage_state *st = &run->stages[stage];
    if (s->kind == S_COUNT) {
        struct kql_value n = { .type = MOOR_KQL_LONG, .i = (int64_t)st->count };
        (void)push(run, stage + 1, &n);
    } else if (s->kind == S_ORDER) {
        if (!sort_rows(s, st->sorter.rows, st->sorter.count)) {
            run->no_room = true;
            return;
        }
        for (size_t i = 0; i < st->sorter.count; i++)
            if (!push(run, stage + 1, st->sorter.rows[i]))
                break;
        moor_arena_drop(&st->sorter.arena);
    }
}

/* Input. */
static struct moor_span dynamic_text(struct moor_kql_run *run, const struct moor_json *v)
{
    const char *s = moor_json_str(v);
    if (s)
        return moor_span_str(s);
    MOOR_AUTO(moor_buf) text = MOOR_BUF((size_t)1 << 20);
    moor_buf_json(&text, v);
    return moor_span_str(moor_arena_str(&run->texts, moor_buf_view(&text)));
}

static void load_value(struct moor_kql_run *run, moor_kql_type type, const struct moor_json *v,
                       struct kql_value *out)
{
    const char *s = moor_json_str(v);
    bool truth = false;
    *out = (struct kql_value){ .type = type, .null = true };
    switch (type) {
    case MOOR_KQL_STRING:
        out->s = moor_span_str(s);
        out->null = false;
        break;
    case MOOR_KQL_GUID:
        out->s = moor_span_str(s);
        out->null = !s;
        break;
    case MOOR_KQL_DYNAMIC:
        out->null = moor_json_typeof(v) == MOOR_JSON_NULL;
        if (!out->null)
            out->s = dynamic_text(run, v);
        break;
    case MOOR_KQL_REAL:
        out->null = !moor_json_number(v, &out->r);
        break;
    case MOOR_KQL_BOOL:
        out->null = !moor_json_bool(v, &truth);
        out->i = truth;
        break;
    case MOOR_KQL_DATETIME:
        out->null = !s || moor_rfc3339_parse(moor_span_str(s), &out->i, NULL) != MOOR_OK;
        break;
    case MOOR_KQL_LONG:
    case MOOR_KQL_INT:
    case MOOR_KQL_TIMESPAN:
    default:
        out->null = !moor_json_int(v, &out->i);
        break;
    }
}

bool moor_kql_feed(struct moor_kql_run *run, const struct moor_json *row)
{
    if (run->full)
        return false;
    if (run->texts.used)
        moor_arena_drop(&run->texts);
    const struct moor_kql_columns *columns = &run->q->columns;
    for (size_t i = 0; i < columns->count; i++)
        if (run->q->used[i])
            load_value(run, columns->items[i].type, moor_json_get(row, columns->items[i].name),
                       &run->row[i]);
    run->full = !push(run, 0, run->row);
    return !run->full;
}

static bool prepare_stages(struct moor_kql_run *run)
{
    for (size_t i = 0; i < run->q->stage_count; i++) {
        const struct kql_stage *s = &run->q->stages[i];
        struct stage_state *st = &run->stages[i];
        st->sorter.arena = (struct moor_arena)MOOR_ARENA(SORT_BYTES_MAX);
        if (s->kind == S_ORDER && i + 1 < run->q->stage_count && s[1].kind == S_TAKE &&
            s[1].limit > 0 && s[1].limit < MOOR_KQL_ROWS_MAX)
            st->sorter.keep = s[1].limit;
        if (s->kind == S_PROJECT && !(st->row = calloc(s->item_count, sizeof *st->row)))
            return false;
    }
    return true;
}

moor_code moor_kql_run_new(struct moor_kql *q, struct moor_buf *out, struct moor_kql_run **run,
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_kql_run) r = calloc(1, sizeof *r);
    if (r) {
        r->q = q;
        r->out = out;
        r->texts = (struct moor_arena)MOOR_ARENA((size_t)16 << 20);
        r->row = calloc(q->columns.count + 1, sizeof *r->row);
    }
    if (!r || !r->row || !prepare_stages(r))
        return moor_fail(err, MOOR_E_NOMEM, "query: no memory");
    for (size_t i = 0; i < q->columns.count; i++)
        r->row[i] = (struct kql_value){ .type = q->columns.items[i].type, .null = true };
    moor_buf_char(out, '[');
    *run = MOOR_TAKE(r);
    return MOOR_OK;
}

moor_code moor_kql_finish(struct moor_kql_run *run, bool *cut, struct moor_error *err)
{
    for (size_t i = 0; i < run->q->stage_count && !run->no_room; i++)
        drain(run, i);
    if (run->no_room)
        return moor_fail(err, MOOR_E_NOMEM,
                         "query: more than %zu MiB to sort: narrow it with where or take",
                         SORT_BYTES_MAX >> 20);
    moor_buf_char(run->out, ']');
    *cut = run->cut;
    return moor_buf_ok(run->out, "query result", err);
}

void moor_kql_run_free(struct moor_kql_run *run)
{
    if (!run)
        return;
    for (size_t i = 0; i < run->q->stage_count; i++) {
        free(run->stages[i].row);
        free(run->stages[i].sorter.rows);
        moor_arena_drop(&run->stages[i].sorter.arena);
    }
    moor_arena_drop(&run->texts);
    free(run->row);
    free(run);
}
