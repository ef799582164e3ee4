/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "engine/kql_internal.h"

#define HEIGHT_MAX 1000u /* of a tree: what evaluating it may recurse */

struct parser {
    struct kql_lexer lx;
    struct kql_token t; /* the one looked at */
    struct moor_kql *q;
    struct moor_kql_error *why;
    unsigned depth;
    bool failed; /* why is filled; every function then returns NULL */
};

static struct kql_node *parse_or(struct parser *p);

static void *fail(struct parser *p, size_t at, const char *message)
{
    if (p->failed)
        return NULL;
    p->failed = true;
    (void)kql_refuse(p->why, p->q->text, at, "SyntaxError", "SYN0002", "%s", message);
    (void)snprintf(p->why->message, sizeof p->why->message,
                   "Query could not be parsed at '%s' on line [%u,%u]: %s", p->why->token,
                   p->why->line, p->why->pos, message);
    return NULL;
}

static void advance(struct parser *p)
{
    if (p->failed)
        return;
    kql_next(&p->lx, &p->t);
    if (p->t.kind == T_BAD)
        fail(p, p->t.at, p->t.text.p);
}

static bool at_punct(const struct parser *p, const char *s)
{
    return !p->failed && p->t.kind == T_PUNCT && moor_span_eq_str(p->t.text, s);
}

static bool at_word(const struct parser *p, const char *s)
{
    return !p->failed && p->t.kind == T_NAME && moor_span_eq_str(p->t.text, s);
}

static bool take_punct(struct parser *p, const char *s)
{
    if (!at_punct(p, s))
        return false;
    advance(p);
    return !p->failed;
}

static bool take_word(struct parser *p, const char *s)
{
    if (!at_word(p, s))
        return false;
    advance(p);
    return !p->failed;
}

static struct kql_node *new_node(struct parser *p, enum kql_op op, size_t at)
{
    struct kql_node *n = p->failed ? NULL : moor_arena_alloc(p->q->arena, sizeof *n);
    if (!n)
        return fail(p, at, "query too large");
    n->op = op;
    n->at = at;
    return n;
}

static struct kql_node *pair(struct parser *p, enum kql_op op, size_t at, struct kql_node *left,
                             struct kql_node *right)
{
    struct kql_node *n = new_node(p, op, at);
    if (!n || !left || !right)
        return NULL;
    n->left = left;
    n->right = right;
    n->height = 1 + (left->height > right->height ? left->height : right->height);
    return n->height > HEIGHT_MAX ? fail(p, at, "expression too long") : n;
}

static struct kql_node *literal_int(struct parser *p, size_t at, moor_kql_type type, int64_t i)
{
    struct kql_node *n = new_node(p, N_LITERAL, at);
    if (n) {
        n->literal.type = type;
        n->literal.i = i;
    }
    return n;
}

/* "2026-11-22", "2026-11-22 17:19[:30]", RFC 3339 with or without an offset. */
static bool parse_datetime(struct moor_span s, int64_t *ms)
{
    char text[48];
    if (s.n < 10 || s.n > 35)
        return false;
    memcpy(text, s.p, s.n);
    size_t n = s.n;
    if (n == 10) {
        memcpy(text + n, "T00:00:00", 9);
        n += 9;
    }
    if (n == 16) {
        memcpy(text + n, ":00", 3);
        n += 3;
    }
    if (text[10] == ' ')
        text[10] = 'T';
    bool zone = text[n - 1] == 'Z' || text[n - 1] == 'z' || (n > 6 && strchr("+-", text[n - 6]));
    if (!zone)
        text[n++] = 'Z';
    return moor_rfc3339_parse(moor_span(text, n), ms, NULL) == MOOR_OK;
}

static struct kql_node *parse_number(struct parser *p)
{
    struct kql_token t = p->t;
    advance(p);
    uint64_t whole = 0;
    if (moor_parse_u64(t.text, 0, INT64_MAX, &whole, NULL) == MOOR_OK)
        return literal_int(p, t.at, MOOR_KQL_LONG, (int64_t)whole);
    /* json.h owns the reading of doubles. */
    MOOR_AUTOPTR(moor_json) v = NULL;
    double r = 0;
    struct kql_node *n = new_node(p, N_LITERAL, t.at);
    if (moor_json_parse(t.text, &v, NULL) || !moor_json_number(v, &r))
        return fail(p, t.at, "number out of range");
    if (n) {
        n->literal.type = MOOR_KQL_REAL;
        n->literal.r = r;
    }
    return n;
}

/* datetime(...), timespan(...): the argument is raw text. */
static struct kql_node *parse_raw_literal(struct parser *p, size_t at, bool is_datetime)
{
    struct moor_span raw;
    struct kql_node *n = literal_int(p, at, is_datetime ? MOOR_KQL_DATETIME : MOOR_KQL_TIMESPAN, 0);
    if (!n || !kql_raw_argument(&p->lx, &raw))
        return fail(p, at, "want )");
    if (moor_span_eq_str(raw, "null"))
        n->literal.null = true;
    else if (!(is_datetime ? parse_datetime(raw, &n->literal.i) : kql_timespan(raw, &n->literal.i)))
        return fail(p, at, is_datetime ? "not a datetime" : "not a timespan");
    advance(p);
    return n;
}

static struct kql_node *parse_call(struct parser *p, struct kql_token name)
{
    /* p->t is the opening parenthesis: the lexer stands behind it. */
    if (moor_span_eq_str(name.text, "datetime") || moor_span_eq_str(name.text, "timespan") ||
        moor_span_eq_str(name.text, "time"))
        return parse_raw_literal(p, name.at, moor_span_eq_str(name.text, "datetime"));
    advance(p);
    if (moor_span_eq_str(name.text, "not")) {
        struct kql_node *n = new_node(p, N_NOT, name.at);
        struct kql_node *inner = parse_or(p);
        if (!n || !inner || !take_punct(p, ")"))
            return fail(p, p->t.at, "want )");
        n->left = inner;
        n->height = inner->height + 1;
        return n;
    }
    bool ago = moor_span_eq_str(name.text, "ago");
    if (!ago && !moor_span_eq_str(name.text, "now"))
        return fail(p, name.at, "unknown function: want datetime, timespan, now, ago or not");
    struct kql_node *now = literal_int(p, name.at, MOOR_KQL_DATETIME, p->q->now_ms);
    if (!ago && take_punct(p, ")"))
        return now;
    struct kql_node *offset = parse_or(p);
    if (!offset || !take_punct(p, ")"))
        return fail(p, p->t.at, "want )");
    return pair(p, ago ? N_SUB : N_ADD, name.at, now, offset);
}

static struct kql_node *parse_name(struct parser *p)
{
    struct kql_token name = p->t;
    advance(p);
    if (name.kind == T_NAME && at_punct(p, "("))
        return parse_call(p, name);
    if (name.kind == T_NAME &&
        (moor_span_eq_str(name.text, "true") || moor_span_eq_str(name.text, "false")))
        return literal_int(p, name.at, MOOR_KQL_BOOL, name.text.n == 4);
    struct kql_node *n = new_node(p, N_COLUMN, name.at);
    if (n && !(n->name = moor_arena_str(p->q->arena, name.text)))
        return fail(p, name.at, "query too large");
    return n;
}

static struct kql_node *parse_primary(struct parser *p)
{
    struct kql_token t = p->t;
    struct kql_node *n = NULL;
    switch (t.kind) {
    case T_STRING:
        if ((n = new_node(p, N_LITERAL, t.at))) {
            n->literal.type = MOOR_KQL_STRING;
            n->literal.s = t.text;
        }
        advance(p);
        return n;
    case T_NUMBER:
        return parse_number(p);
    case T_TIMESPAN:
        advance(p);
        return literal_int(p, t.at, MOOR_KQL_TIMESPAN, t.i);
    case T_NAME:
    case T_QUOTED:
        return parse_name(p);
    case T_PUNCT:
        if (take_punct(p, "(")) {
            n = parse_or(p);
            if (!n || !take_punct(p, ")"))
                return fail(p, p->t.at, "want )");
            return n;
        }
        if (take_punct(p, "-")) {
            if (++p->depth > KQL_DEPTH_MAX)
                return fail(p, t.at, "nested too deeply");
            struct kql_node *inner = parse_primary(p);
            p->depth--;
            if (inner && (n = new_node(p, N_NEGATE, t.at))) {
                n->left = inner;
                n->height = inner->height + 1;
            }
            return n;
        }
        return fail(p, t.at, "want an expression");
    case T_END:
    case T_BAD:
    default:
        return fail(p, t.at, "want an expression");
    }
}

static struct kql_node *parse_sum(struct parser *p)
{
    struct kql_node *left = parse_primary(p);
    while (at_punct(p, "+") || at_punct(p, "-")) {
        size_t at = p->t.at;
        enum kql_op op = at_punct(p, "+") ? N_ADD : N_SUB;
        advance(p);
        left = pair(p, op, at, left, parse_primary(p));
    }
    return left;
}

static const struct {
    const char *text;
    enum kql_op op;
    bool negated, cased;
} comparisons[] = { { "==", N_EQ, false, true },
                    { "!=", N_NE, false, true },
                    { "<>", N_NE, false, true },
                    { "=~", N_EQ_NOCASE, false, false },
                    { "!~", N_NE_NOCASE, false, false },
                    { "<", N_LT, false, true },
                    { "<=", N_LE, false, true },
                    { ">", N_GT, false, true },
                    { ">=", N_GE, false, true },
                    { "contains", N_CONTAINS, false, false },
                    { "!contains", N_CONTAINS, true, false },
                    { "contains_cs", N_CONTAINS, false, true },
                    { "!contains_cs", N_CONTAINS, true, true },
                    { "has", N_HAS, false, false },
                    { "!has", N_HAS, true, false },
                    { "has_cs", N_HAS, false, true },
                    { "!has_cs", N_HAS, true, true },
                    { "startswith", N_STARTS, false, false },
                    { "!startswith", N_STARTS, true, false },
                    { "startswith_cs", N_STARTS, false, true },
                    { "!startswith_cs", N_STARTS, true, true },
                    { "endswith", N_ENDS, false, false },
                    { "!endswith", N_ENDS, true, false },
                    { "endswith_cs", N_ENDS, false, true },
                    { "!endswith_cs", N_ENDS, true, true },
                    { "in", N_IN, false, true },
                    { "!in", N_IN, true, true },
                    { "in~", N_IN, false, false },
                    { "!in~", N_IN, true, false } };

/* "(" expression, ... ")" */
static bool parse_list(struct parser *p, struct kql_node *n)
{
    size_t room = 0;
    if (!take_punct(p, "("))
        return fail(p, p->t.at, "want ( behind in") != NULL;
    do {
        if (n->list_count == room) {
            size_t bigger = room ? room * 2 : 8;
            struct kql_node **list = moor_arena_array(p->q->arena, bigger, sizeof(void *));
            if (!list)
                return fail(p, p->t.at, "query too large") != NULL;
            for (size_t i = 0; i < n->list_count; i++)
                list[i] = n->list[i];
            n->list = list;
            room = bigger;
        }
        struct kql_node *item = parse_sum(p);
        if (!item)
            return false;
        n->list[n->list_count++] = item;
    } while (take_punct(p, ","));
    if (!take_punct(p, ")"))
        return fail(p, p->t.at, "want , or )") != NULL;
    return true;
}

static struct kql_node *parse_comparison(struct parser *p)
{
    struct kql_node *left = parse_sum(p);
    if (!left || (p->t.kind != T_PUNCT && p->t.kind != T_NAME))
        return left;
    for (size_t i = 0; i < MOOR_COUNTOF(comparisons); i++) {
        if (!moor_span_eq_str(p->t.text, comparisons[i].text))
            continue;
        struct kql_node *n = new_node(p, comparisons[i].op, p->t.at);
        advance(p);
        if (!n)
            return NULL;
        n->left = left;
        n->height = left->height + 1;
        n->negated = comparisons[i].negated;
        n->cased = comparisons[i].cased;
        if (n->op == N_IN)
            return parse_list(p, n) ? n : NULL;
        if ((n->right = parse_sum(p)) && n->right->height >= n->height)
            n->height = n->right->height + 1;
        return n->right ? n : NULL;
    }
    return left;
}

static struct kql_node *parse_and(struct parser *p)
{
    struct kql_node *left = parse_comparison(p);
    while (at_word(p, "and")) {
        size_t at = p->t.at;
        advance(p);
        left = pair(p, N_AND, at, left, parse_comparison(p));
    }
    return left;
}

static struct kql_node *parse_or(struct parser *p)
{
    if (++p->depth > KQL_DEPTH_MAX)
        return fail(p, p->t.at, "nested too deeply");
    struct kql_node *left = parse_and(p);
    while (at_word(p, "or")) {
        size_t at = p->t.at;
        advance(p);
        left = pair(p, N_OR, at, left, parse_and(p));
    }
    p->depth--;
    return left;
}

/* Operators. */
static void parse_where(struct parser *p, struct kql_stage *s)
{
    s->kind = S_WHERE;
    s->predicate = parse_or(p);
}

static void parse_take(struct parser *p, struct kql_stage *s)
{
    s->kind = S_TAKE;
    if (p->t.kind != T_NUMBER || moor_parse_u64(p->t.text, 0, INT64_MAX, &s->limit, NULL)) {
        fail(p, p->t.at, "want a whole number of rows");
        return;
    }
    advance(p);
}

static void parse_count(struct parser *p, struct kql_stage *s)
{
    (void)p;
    s->kind = S_COUNT;
}

static struct kql_item *add_item(struct parser *p, struct kql_stage *s)
{
    if ((s->item_count & (s->item_count - 1)) == 0) { /* full: 0, 1, 2, 4, 8 ... */
        struct kql_item *items =
            moor_arena_array(p->q->arena, s->item_count ? s->item_count * 2 : 1, sizeof *items);
        if (!items)
            return fail(p, p->t.at, "query too large");
        for (size_t i = 0; i < s->item_count; i++)
            items[i] = s->items[i];
        s->items = items;
    }
    return &s->items[s->item_count++];
}

static void parse_project(struct parser *p, struct kql_stage *s)
{
    s->kind = S_PROJECT;
    do {
        struct kql_item *item = add_item(p, s);
        struct kql_node *n = parse_or(p);
        if (!item || !n)
            return;
        if (n->op == N_COLUMN && take_punct(p, "=")) {
            item->name = n->name;
            n = parse_or(p);
        } else if (n->op == N_COLUMN) {
            item->name = n->name;
        }
        item->node = n;
    } while (take_punct(p, ","));
}

static void parse_order(struct parser *p, struct kql_stage *s)
{
    s->kind = S_ORDER;
    if (!take_word(p, "by")) {
        fail(p, p->t.at, "want by");
        return;
    }
    do {
        struct kql_item *item = add_item(p, s);
        struct kql_node *n = parse_or(p);
        if (!item || !n)
            return;
        item->node = n;
        item->ascending = take_word(p, "asc");
        if (!item->ascending)
            (void)take_word(p, "desc");
        item->nulls_first = item->ascending;
        if (take_word(p, "nulls")) {
            item->nulls_first = take_word(p, "first");
            if (!item->nulls_first && !take_word(p, "last")) {
                fail(p, p->t.at, "want first or last");
                return;
            }
        }
    } while (take_punct(p, ","));
}

static const struct {
    const char *name;
    void (*parse)(struct parser *p, struct kql_stage *s);
} operators[] = { { "where", parse_where },     { "filter", parse_where }, { "take", parse_take },
                  { "limit", parse_take },      { "count", parse_count },  { "order", parse_order },
                  { "project", parse_project }, { "sort", parse_order } };

static void parse_stage(struct parser *p)
{
    for (size_t i = 0; i < MOOR_COUNTOF(operators); i++) {
        if (!at_word(p, operators[i].name))
            continue;
        if (p->q->stage_count == KQL_STAGES_MAX) {
            fail(p, p->t.at, "too many operators");
            return;
        }
        struct kql_stage *s = &p->q->stages[p->q->stage_count++];
        s->at = p->t.at;
        advance(p);
        operators[i].parse(p, s);
        return;
    }
    fail(p, p->t.at, "unknown operator: want where, project, take, limit, count, order or sort");
}

moor_code moor_kql_parse(struct moor_span text, int64_t now_ms, struct moor_arena *arena,
                         struct moor_kql **out, struct moor_kql_error *why)
{
    if (text.n > MOOR_KQL_TEXT_MAX || !moor_utf8_valid(text) ||
        (text.n && memchr(text.p, '\0', text.n)))
        return kql_refuse(why, MOOR_SPAN_NONE, 0, "SyntaxError", "SYN0001",
                          "want UTF-8 text without NUL, of at most 64 KiB");
    struct moor_kql *q = moor_arena_alloc(arena, sizeof *q);
    if (!q)
        return kql_refuse(why, text, 0, "SyntaxError", "SYN0001", "query too large");
    q->text = text;
    q->arena = arena;
    q->now_ms = now_ms;
    struct parser p = { .lx = { text, 0, arena }, .q = q, .why = why };
    advance(&p);
    q->table_at = p.t.at;
    if (!p.failed && p.t.kind != T_NAME && p.t.kind != T_QUOTED)
        fail(&p, p.t.at, "want the name of a table");
    q->table = p.failed ? NULL : moor_arena_str(arena, p.t.text);
    advance(&p);
    while (take_punct(&p, "|"))
        parse_stage(&p);
    (void)take_punct(&p, ";");
    if (!p.failed && p.t.kind != T_END)
        fail(&p, p.t.at, "want | or the end of the query");
    if (!p.failed && !q->table)
        fail(&p, 0, "query too large");
    if (p.failed)
        return MOOR_E_BADINPUT;
    *out = q;
    return MOOR_OK;
}

const char *moor_kql_table(const struct moor_kql *q)
{
    return q->table;
}
