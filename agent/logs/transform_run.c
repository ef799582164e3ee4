/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/attr.h"
#include "logs/transform.h"
#include "logs/transform_internal.h"

#define SCRATCH_BYTES ((size_t)8 << 20) /* texts made for one row */

static struct moor_json *item_value(struct row_run *r, const struct named *item)
{
    const struct node *n = item->expression;
    const char *column = item->from ? item->from : item->name;
    if (n && n->eval != moor_transform_column) {
        struct value v = n->eval(r, n);
        return moor_transform_json(r, &v);
    }
    /* A column as it is: numbers keep their digits. */
    const struct moor_json *v = moor_json_get(r->row, n ? n->name : column);
    return v ? moor_json_copy(v) : moor_json_new_null();
}

bool moor_transform_where(struct row_run *r, const struct step *s)
{
    struct value v = s->expression->eval(r, s->expression);
    return moor_transform_true(&v);
}

/* All are of the row as it was before. */
bool moor_transform_extend(struct row_run *r, const struct step *s)
{
    struct moor_json *values[MOOR_T_ITEMS_MAX];
    for (size_t i = 0; i < s->count; i++)
        values[i] = item_value(r, &s->items[i]);
    for (size_t i = 0; i < s->count; i++)
        (void)moor_json_set(r->row, s->items[i].name, values[i]);
    return true;
}

bool moor_transform_project(struct row_run *r, const struct step *s)
{
    struct moor_json *row = moor_json_new_object();
    for (size_t i = 0; i < s->count; i++) {
        const struct named *item = &s->items[i];
        if (item->expression || moor_json_get(r->row, item->name))
            (void)moor_json_set(row, item->name, item_value(r, item));
    }
    moor_json_free(r->row);
    r->row = row;
    return true;
}

bool moor_transform_away(struct row_run *r, const struct step *s)
{
    for (size_t i = 0; i < s->count; i++)
        moor_json_remove(r->row, s->items[i].name);
    return true;
}

bool moor_transform_rename(struct row_run *r, const struct step *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct moor_json *v = NULL;
        if (!moor_json_get(r->row, s->items[i].from))
            continue;
        v = item_value(r, &s->items[i]);
        moor_json_remove(r->row, s->items[i].from);
        (void)moor_json_set(r->row, s->items[i].name, v);
    }
    return true;
}

/* Where text is in s, or s.n + 1. */
static size_t find(struct moor_span s, struct moor_span text)
{
    for (size_t i = 0; i + text.n <= s.n; i++) {
        const char *at = memchr(s.p + i, text.p[0], s.n - i - text.n + 1);
        if (!at)
            break;
        i = (size_t)(at - s.p);
        if (memcmp(at, text.p, text.n) == 0)
            return i;
    }
    return s.n + 1;
}

static size_t number_length(struct moor_span s)
{
    size_t i = 0;
    while (i < s.n && strchr("+-.0123456789eE", s.p[i]) && s.p[i])
        i++;
    return i;
}

struct matching {
    const struct step *step;
    struct moor_span rest;
    struct moor_span found[MOOR_T_ITEMS_MAX]; /* of the columns */
};

/* What a column or "*" takes before the piece that follows it. */
static bool take_up_to(struct matching *m, size_t i)
{
    const struct step *s = m->step;
    const struct piece *next = i + 1 < s->count ? &s->pieces[i + 1] : NULL;
    size_t n = m->rest.n;
    if (next && next->kind == PIECE_TEXT)
        n = find(m->rest, moor_span_str(next->text));
    else if (next)
        n = number_length(m->rest);
    if (n > m->rest.n)
        return false;
    m->found[i] = moor_span(m->rest.p, n);
    m->rest = moor_span(m->rest.p + n, m->rest.n - n);
    return true;
}

static bool take_piece(struct matching *m, size_t i)
{
    const struct piece *p = &m->step->pieces[i];
    if (p->kind != PIECE_TEXT)
        return take_up_to(m, i);
    size_t n = strlen(p->text);
    if (!moor_span_starts(m->rest, p->text))
        return false;
    m->rest = moor_span(m->rest.p + n, m->rest.n - n);
    return true;
}

/* All columns are filled, or none: then they are null. */
bool moor_transform_pieces(struct row_run *r, const struct step *s)
{
    struct value v = s->expression->eval(r, s->expression);
    struct moor_json *values[MOOR_T_ITEMS_MAX];
    struct matching m = { .step = s, .rest = moor_transform_text(r, &v) };
    bool fits = true;
    for (size_t i = 0; fits && i < s->count; i++)
        fits = take_piece(&m, i);
    fits = fits && m.rest.n == 0;
    for (size_t i = 0; i < s->count; i++) {
        struct value part = { .kind = fits ? V_TEXT : V_NULL, .text = m.found[i] };
        if (s->pieces[i].type != TYPE_TEXT)
            part = moor_transform_convert(&part, s->pieces[i].type);
        values[i] = s->pieces[i].kind == PIECE_COLUMN ? moor_transform_json(r, &part) : NULL;
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->pieces[i].kind == PIECE_COLUMN)
            (void)moor_json_set(r->row, s->pieces[i].text, values[i]);
    return true;
}

static void row_run_drop(struct row_run *r)
{
    moor_json_free(r->row);
    for (size_t i = 0; i < r->tree_count; i++)
        moor_json_free(r->trees[i]);
    moor_arena_drop(&r->scratch);
}
MOOR_DEFINE_AUTO(row_run)

moor_code moor_transform_row(const struct moor_transform *t, struct moor_span row,
                             struct moor_buf *out, bool *kept, struct moor_error *err)
{
    MOOR_AUTO(row_run) r = { .scratch = MOOR_ARENA(SCRATCH_BYTES) };
    moor_code c = moor_json_parse(row, &r.row, err);
    if (c == MOOR_OK && moor_json_typeof(r.row) != MOOR_JSON_OBJECT)
        c = moor_fail(err, MOOR_E_BADINPUT, "want an object");
    if (c != MOOR_OK)
        return c;
    *kept = true;
    for (const struct step *s = t->first; *kept && s; s = s->next)
        *kept = s->run(&r, s);
    if (*kept)
        moor_buf_json(out, r.row);
    return MOOR_OK;
}
