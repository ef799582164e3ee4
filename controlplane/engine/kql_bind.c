/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kql_internal.h"

static const char *const type_names[] = {
    [MOOR_KQL_STRING] = "string",     [MOOR_KQL_LONG] = "long",
    [MOOR_KQL_INT] = "int",           [MOOR_KQL_REAL] = "real",
    [MOOR_KQL_BOOL] = "bool",         [MOOR_KQL_GUID] = "guid",
    [MOOR_KQL_DATETIME] = "datetime", [MOOR_KQL_TIMESPAN] = "timespan",
    [MOOR_KQL_DYNAMIC] = "dynamic"
};

struct binder {
    struct moor_kql *q;
    const struct kql_stage *stage;
    struct moor_kql_error *why;
};

const char *moor_kql_type_name(moor_kql_type t)
{
    return type_names[t];
}

bool moor_kql_type_find(const char *name, moor_kql_type *out)
{
    if (name && moor_strcasecmp(name, "boolean") == 0)
        name = "bool";
    for (size_t i = 0; name && i < MOOR_COUNTOF(type_names); i++) {
        if (moor_strcasecmp(name, type_names[i]) == 0) {
            *out = (moor_kql_type)i;
            return true;
        }
    }
    return false;
}

static bool is_number(moor_kql_type t)
{
    return t == MOOR_KQL_LONG || t == MOOR_KQL_INT || t == MOOR_KQL_REAL;
}

static bool is_text(moor_kql_type t)
{
    return t == MOOR_KQL_STRING || t == MOOR_KQL_GUID || t == MOOR_KQL_DYNAMIC;
}

static bool comparable(moor_kql_type a, moor_kql_type b)
{
    return a == b || (is_number(a) && is_number(b)) || (is_text(a) && is_text(b));
}

static moor_code type_error(struct binder *b, const struct kql_node *n)
{
    return kql_refuse(b->why, b->q->text, n->at, "SemanticError", "SEM0064",
                      "Cannot use an operator on values of types %s and %s",
                      moor_kql_type_name(n->left->type),
                      moor_kql_type_name(n->right ? n->right->type : n->left->type));
}

static moor_code bind_column(struct binder *b, struct kql_node *n)
{
    const struct moor_kql_columns *in = &b->stage->in;
    for (size_t i = 0; i < in->count; i++) {
        if (moor_streq(in->items[i].name, n->name)) {
            n->column = i;
            n->type = in->items[i].type;
            if (in->items == b->q->columns.items)
                b->q->used[i] = true;
            return MOOR_OK;
        }
    }
    return kql_refuse(b->why, b->q->text, n->at, "SemanticError", "SEM0100",
                      "Failed to resolve column or scalar expression named '%.64s'", n->name);
}

/* number+number, datetime+timespan, datetime-datetime, timespan+timespan. */
static moor_code bind_sum(struct binder *b, struct kql_node *n)
{
    moor_kql_type l = n->left->type, r = n->right->type;
    if (is_number(l) && is_number(r))
        n->type = l == MOOR_KQL_REAL || r == MOOR_KQL_REAL ? MOOR_KQL_REAL : MOOR_KQL_LONG;
    else if ((l == MOOR_KQL_DATETIME || l == MOOR_KQL_TIMESPAN) && r == MOOR_KQL_TIMESPAN)
        n->type = l;
    else if (l == MOOR_KQL_DATETIME && r == MOOR_KQL_DATETIME && n->op == N_SUB)
        n->type = MOOR_KQL_TIMESPAN;
    else
        return type_error(b, n);
    return MOOR_OK;
}

static moor_code bind_node(struct binder *b, struct kql_node *n);

static moor_code bind_in(struct binder *b, struct kql_node *n)
{
    for (size_t i = 0; i < n->list_count; i++) {
        moor_code c = bind_node(b, n->list[i]);
        if (c)
            return c;
        n->right = n->list[i];
        if (!comparable(n->left->type, n->list[i]->type))
            return type_error(b, n);
    }
    n->right = NULL;
    n->type = MOOR_KQL_BOOL;
    return MOOR_OK;
}

/* Both sides are bound. */
static moor_code bind_operator(struct binder *b, struct kql_node *n)
{
    moor_kql_type l = n->left->type, r = n->right ? n->right->type : n->left->type;
    bool fits = false;
    n->type = MOOR_KQL_BOOL;
    switch (n->op) {
    case N_AND:
    case N_OR:
    case N_NOT:
        fits = l == MOOR_KQL_BOOL && r == MOOR_KQL_BOOL;
        break;
    case N_NEGATE:
        fits = is_number(l) || l == MOOR_KQL_TIMESPAN;
        n->type = l;
        break;
    case N_ADD:
    case N_SUB:
        return bind_sum(b, n);
    case N_EQ:
    case N_NE:
    case N_LT:
    case N_LE:
    case N_GT:
    case N_GE:
        fits = comparable(l, r);
        break;
    case N_EQ_NOCASE:
    case N_NE_NOCASE:
    case N_CONTAINS:
    case N_HAS:
    case N_STARTS:
    case N_ENDS:
        fits = is_text(l) && is_text(r);
        break;
    case N_IN:
        return bind_in(b, n);
    case N_LITERAL:
    case N_COLUMN:
    default:
        break;
    }
    return fits ? MOOR_OK : type_error(b, n);
}

static moor_code bind_node(struct binder *b, struct kql_node *n)
{
    if (n->op == N_LITERAL) {
        n->type = n->literal.type;
        return MOOR_OK;
    }
    if (n->op == N_COLUMN)
        return bind_column(b, n);
    moor_code c = bind_node(b, n->left);
    if (c || (n->right && (c = bind_node(b, n->right))))
        return c;
    return bind_operator(b, n);
}

static bool has_column(const struct moor_kql_column *items, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (moor_streq(items[i].name, name))
            return true;
    return false;
}

static moor_code bind_project(struct binder *b, struct kql_stage *s)
{
    struct moor_kql_column *out =
        moor_arena_array(b->q->arena, s->item_count, sizeof(struct moor_kql_column));
    if (!out)
        return kql_refuse(b->why, b->q->text, s->at, "SyntaxError", "SYN0001", "query too large");
    unsigned unnamed = 0;
    for (size_t i = 0; i < s->item_count; i++) {
        struct kql_item *item = &s->items[i];
        moor_code c = bind_node(b, item->node);
        if (c)
            return c;
        out[i].type = item->node->type;
        out[i].name = item->name ? item->name : moor_arena_fmt(b->q->arena, "Column%u", ++unnamed);
        if (has_column(out, i, out[i].name))
            return kql_refuse(b->why, b->q->text, item->node->at, "SemanticError", "SEM0101",
                              "A column named '%.64s' is there already", out[i].name);
    }
    s->out = (struct moor_kql_columns){ out, s->item_count };
    return MOOR_OK;
}

static const struct moor_kql_column count_column = { "Count", MOOR_KQL_LONG };

static moor_code bind_stage(struct binder *b, struct kql_stage *s)
{
    moor_code c = MOOR_OK;
    s->out = s->in;
    switch (s->kind) {
    case S_WHERE:
        c = bind_node(b, s->predicate);
        if (!c && s->predicate->type != MOOR_KQL_BOOL)
            c = kql_refuse(b->why, b->q->text, s->predicate->at, "SemanticError", "SEM0064",
                           "'where' wants a condition, not a value of type %s",
                           moor_kql_type_name(s->predicate->type));
        return c;
    case S_PROJECT:
        return bind_project(b, s);
    case S_ORDER:
        for (size_t i = 0; !c && i < s->item_count; i++)
            c = bind_node(b, s->items[i].node);
        return c;
    case S_COUNT:
        s->out = (struct moor_kql_columns){ &count_column, 1 };
        return MOOR_OK;
    case S_TAKE:
    default:
        return MOOR_OK;
    }
}

moor_code moor_kql_bind(struct moor_kql *q, const struct moor_kql_columns *columns,
                        struct moor_kql_error *why)
{
    q->columns = *columns;
    q->used = moor_arena_array(q->arena, columns->count, sizeof(bool));
    if (!q->used)
        return kql_refuse(why, q->text, 0, "SyntaxError", "SYN0001", "query too large");
    struct moor_kql_columns now = *columns;
    bool whole = true; /* the table's own columns come out at the end */
    for (size_t i = 0; i < q->stage_count; i++) {
        struct kql_stage *s = &q->stages[i];
        struct binder b = { q, s, why };
        s->in = now;
        moor_code c = bind_stage(&b, s);
        if (c)
            return c;
        whole = whole && s->kind != S_PROJECT && s->kind != S_COUNT;
        now = s->out;
    }
    for (size_t i = 0; whole && i < columns->count; i++)
        q->used[i] = true;
    q->result = now;
    return MOOR_OK;
}

const struct moor_kql_columns *moor_kql_result(const struct moor_kql *q)
{
    return &q->result;
}

bool moor_kql_uses(const struct moor_kql *q, size_t column)
{
    return column < q->columns.count && q->used[column];
}

void moor_kql_unknown_table(const struct moor_kql *q, struct moor_kql_error *why)
{
    (void)kql_refuse(why, q->text, q->table_at, "SemanticError", "SEM0100",
                     "Failed to resolve table or column expression named '%.64s'", q->table);
}
