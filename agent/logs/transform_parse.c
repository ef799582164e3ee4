/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/attr.h"
#include "base/text.h"
#include "logs/transform.h"
#include "logs/transform_internal.h"

#define DEEP_MAX    64
#define STEPS_MAX   32
#define COLUMNS_MAX 10 /* of a parse: Azure's limit */
#define NUMBER_MAX  32

struct parser {
    struct moor_span text;
    size_t at; /* behind the token */
    struct token now;
    struct moor_arena *arena;
    struct moor_error *err;
    bool failed; /* err says why */
    unsigned depth;
};

/* Names the token that stopped us, and its column, from 1. */
static void *refuse(struct parser *p, const char *want)
{
    struct moor_span s = p->now.kind == T_END ? moor_span_str("the end") : p->now.text;
    if (!p->failed)
        (void)!moor_fail(p->err, MOOR_E_BADINPUT, "column %zu: %.*s: %s", p->now.at + 1,
                         (int)(s.n < 40 ? s.n : 40), s.n ? s.p : "", want);
    p->failed = true;
    return NULL;
}

static void *no_memory(struct parser *p)
{
    if (!p->failed)
        (void)!moor_fail(p->err, MOOR_E_NOMEM, "it is too long");
    p->failed = true;
    return NULL;
}

static void step_on(struct parser *p)
{
    p->now = moor_transform_token(p->text, &p->at);
}

static bool is(const struct parser *p, const char *what)
{
    return (p->now.kind == T_SIGN || p->now.kind == T_WORD) && moor_span_eq_str(p->now.text, what);
}

static bool take(struct parser *p, const char *what)
{
    bool found = is(p, what);
    if (found)
        step_on(p);
    return found;
}

static bool expect(struct parser *p, const char *what)
{
    if (p->failed || take(p, what))
        return !p->failed;
    MOOR_AUTO(moor_buf) want = MOOR_BUF(64);
    moor_buf_fmt(&want, "want '%s' here", what);
    (void)refuse(p, moor_buf_cstr(&want));
    return false;
}

static struct node *new_node(struct parser *p, node_fn eval, size_t args)
{
    struct node *n = moor_arena_alloc(p->arena, sizeof(*n));
    struct node **list = moor_arena_array(p->arena, args, sizeof(struct node *));
    if (!n || !list)
        return no_memory(p);
    n->eval = eval;
    n->args = list;
    n->count = args;
    return n;
}

static const char *unquote(struct parser *p)
{
    const char *text = moor_transform_unquote(&p->now, p->arena);
    if (!text)
        return refuse(p, "is no text: want \\\\ \\\" \\' \\n \\t or \\r behind a backslash");
    step_on(p);
    return text;
}

/* A column: name, or ["name"]. */
static const char *column_name(struct parser *p)
{
    const char *name = NULL;
    if (p->now.kind == T_WORD && p->now.text.p[0] != '!' && !moor_span_ends(p->now.text, "~")) {
        name = moor_arena_str(p->arena, p->now.text);
        step_on(p);
        return name ? name : no_memory(p);
    }
    if (!take(p, "[") || p->now.kind != T_TEXT)
        return refuse(p, "want a column");
    name = unquote(p);
    return expect(p, "]") ? name : NULL;
}

static struct node *expression(struct parser *p);

static struct node *number(struct parser *p)
{
    struct node *n = new_node(p, moor_transform_constant, 0);
    char text[NUMBER_MAX];
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (!n || p->now.text.n >= sizeof(text) || moor_json_parse(p->now.text, &v, NULL) != MOOR_OK ||
        !moor_json_number(v, &n->constant.real))
        return n ? refuse(p, "is no number") : NULL;
    bool whole = !memchr(p->now.text.p, '.', p->now.text.n);
    n->constant.kind = whole && moor_json_int(v, &n->constant.whole) ? V_LONG : V_REAL;
    step_on(p);
    return n;
}

static struct node *text(struct parser *p)
{
    struct node *n = new_node(p, moor_transform_constant, 0);
    const char *s = n ? unquote(p) : NULL;
    if (!s)
        return NULL;
    n->constant = (struct value){ .kind = V_TEXT, .text = moor_span_str(s) };
    return n;
}

/* Behind the "(": expressions up to the ")". */
static struct node *arguments(struct parser *p, node_fn eval, struct node *first)
{
    struct node *list[MOOR_T_ITEMS_MAX];
    size_t count = 0;
    if (first)
        list[count++] = first;
    while (!p->failed && !is(p, ")")) {
        if (count == MOOR_T_ITEMS_MAX)
            return refuse(p, "is one too many");
        list[count++] = expression(p);
        if (!is(p, ")") && !expect(p, ","))
            return NULL;
    }
    if (!expect(p, ")"))
        return NULL;
    struct node *n = new_node(p, eval, count);
    for (size_t i = 0; n && i < count; i++)
        n->args[i] = list[i];
    return n;
}

static struct node *call(struct parser *p, const struct token *name)
{
    const struct function *f = moor_transform_function(name->text);
    if (!f) {
        p->now = *name;
        return refuse(p, "is no function that is run on the machine");
    }
    struct node *n = arguments(p, f->eval, NULL);
    if (n && (n->count < f->min || n->count > f->max)) {
        p->now = *name;
        return refuse(p, "has another number of arguments");
    }
    if (n)
        n->how = f->how;
    return n;
}

static struct node *word(struct parser *p)
{
    static const struct {
        const char *name;
        struct value value;
    } constants[] = { { "true", { .kind = V_BOOL, .truth = true } },
                      { "false", { .kind = V_BOOL } },
                      { "null", { .kind = V_NULL } } };
    struct token name = p->now;
    for (size_t i = 0; i < MOOR_COUNTOF(constants); i++) {
        if (!take(p, constants[i].name))
            continue;
        struct node *n = new_node(p, moor_transform_constant, 0);
        if (n)
            n->constant = constants[i].value;
        return n;
    }
    const char *column = column_name(p);
    if (column && name.kind == T_WORD && take(p, "("))
        return call(p, &name);
    struct node *n = column ? new_node(p, moor_transform_column, 0) : NULL;
    if (n)
        n->name = column;
    return n;
}

static struct node *primary(struct parser *p)
{
    if (p->now.kind == T_NUMBER)
        return number(p);
    if (p->now.kind == T_TEXT)
        return text(p);
    if (take(p, "(")) {
        struct node *n = expression(p);
        return expect(p, ")") ? n : NULL;
    }
    if (p->now.kind == T_WORD || is(p, "["))
        return word(p);
    return refuse(p, "want an expression");
}

/* Members: a.b["c"]. */
static struct node *postfix(struct parser *p)
{
    struct node *n = primary(p);
    while (n && !p->failed && (is(p, ".") || is(p, "["))) {
        bool dot = take(p, ".");
        if (dot && p->now.kind != T_WORD)
            return refuse(p, "want a member");
        const char *name = column_name(p);
        struct node *of = n;
        n = name ? new_node(p, moor_transform_member, 1) : NULL;
        if (!n)
            return NULL;
        n->args[0] = of;
        n->name = name;
    }
    return n;
}

static struct node *unary(struct parser *p)
{
    if (!is(p, "-"))
        return postfix(p);
    const struct function *minus = moor_transform_arithmetic(p->now.text, 0);
    step_on(p);
    struct node *n = new_node(p, minus->eval, 2);
    if (!n)
        return NULL;
    n->how = minus->how;
    n->args[0] = new_node(p, moor_transform_constant, 0);
    n->args[1] = postfix(p);
    if (!n->args[0])
        return NULL;
    n->args[0]->constant.kind = V_LONG;
    return n->args[1] ? n : NULL;
}

static struct node *binary(struct parser *p, const struct function *f, struct node *left,
                           struct node *(*operand)(struct parser *))
{
    step_on(p);
    struct node *n = new_node(p, f->eval, 2);
    struct node *right = n ? operand(p) : NULL;
    if (!right)
        return NULL;
    n->how = f->how;
    n->args[0] = left;
    n->args[1] = right;
    return n;
}

static struct node *product(struct parser *p)
{
    struct node *n = unary(p);
    const struct function *f = NULL;
    while (n && p->now.kind == T_SIGN && (f = moor_transform_arithmetic(p->now.text, 1)))
        n = binary(p, f, n, unary);
    return n;
}

static struct node *sum(struct parser *p)
{
    struct node *n = product(p);
    const struct function *f = NULL;
    while (n && p->now.kind == T_SIGN && (f = moor_transform_arithmetic(p->now.text, 0)))
        n = binary(p, f, n, product);
    return n;
}

/* a in (b, c): the first argument is what is looked for. */
static struct node *membership(struct parser *p, const struct function *f, struct node *left)
{
    step_on(p);
    if (!expect(p, "("))
        return NULL;
    struct node *n = arguments(p, f->eval, left);
    if (n)
        n->how = f->how;
    return n;
}

static struct node *comparison(struct parser *p)
{
    struct node *n = sum(p);
    const struct function *f = n ? moor_transform_comparison(p->now.text) : NULL;
    if (f && (p->now.kind == T_SIGN || p->now.kind == T_WORD))
        return f->max == 2 ? binary(p, f, n, sum) : membership(p, f, n);
    bool ends = p->now.kind != T_WORD || is(p, "and") || is(p, "or") || is(p, "with");
    return n && !ends ? refuse(p, "is no operator that is run on the machine") : n;
}

static struct node *chain(struct parser *p, const char *with, node_fn eval,
                          struct node *(*operand)(struct parser *))
{
    const struct function f = { with, 2, 2, eval, 0 };
    struct node *n = operand(p);
    while (n && is(p, with))
        n = binary(p, &f, n, operand);
    return n;
}

static struct node *conjunction(struct parser *p)
{
    return chain(p, "and", moor_transform_and, comparison);
}

static struct node *expression(struct parser *p)
{
    if (p->failed)
        return NULL;
    if (p->depth == DEEP_MAX)
        return refuse(p, "is nested too deep");
    p->depth++;
    struct node *n = chain(p, "or", moor_transform_or, conjunction);
    p->depth--;
    return p->failed ? NULL : n;
}

/* Steps */

static void parse_where(struct parser *p, struct step *s)
{
    s->expression = expression(p);
}

enum naming { NAMED_OR_COLUMN, NAMED, RENAMED, COLUMN_ONLY };

static bool parse_item(struct parser *p, enum naming how, struct named *out)
{
    out->name = column_name(p);
    if (!out->name || how == COLUMN_ONLY || (how == NAMED_OR_COLUMN && !is(p, "=")))
        return out->name;
    if (!expect(p, "="))
        return false;
    if (how == RENAMED)
        return (out->from = column_name(p));
    return (out->expression = expression(p));
}

static void parse_items(struct parser *p, struct step *s, enum naming how)
{
    struct named list[MOOR_T_ITEMS_MAX];
    do {
        if (s->count == MOOR_T_ITEMS_MAX) {
            (void)refuse(p, "is one too many");
            return;
        }
        list[s->count] = (struct named){ .name = NULL };
        if (!parse_item(p, how, &list[s->count++]))
            return;
    } while (take(p, ","));
    s->items = moor_arena_array(p->arena, s->count, sizeof(list[0]));
    if (s->items)
        memcpy(s->items, list, s->count * sizeof(list[0]));
    else
        (void)no_memory(p);
}

static void parse_project(struct parser *p, struct step *s)
{
    parse_items(p, s, NAMED_OR_COLUMN);
}

static void parse_extend(struct parser *p, struct step *s)
{
    parse_items(p, s, NAMED);
}

static void parse_rename(struct parser *p, struct step *s)
{
    parse_items(p, s, RENAMED);
}

static void parse_away(struct parser *p, struct step *s)
{
    parse_items(p, s, COLUMN_ONLY);
}

static bool parse_type(struct parser *p, enum value_type *out)
{
    static const struct {
        const char *name;
        enum value_type type;
    } types[] = { { "string", TYPE_TEXT }, { "datetime", TYPE_TEXT }, { "long", TYPE_LONG },
                  { "int", TYPE_LONG },    { "real", TYPE_REAL },     { "double", TYPE_REAL },
                  { "bool", TYPE_BOOL } };
    if (!take(p, ":"))
        return true;
    for (size_t i = 0; i < MOOR_COUNTOF(types); i++) {
        if (take(p, types[i].name)) {
            *out = types[i].type;
            return true;
        }
    }
    (void)refuse(p, "want string, datetime, long, int, real, double or bool");
    return false;
}

static bool parse_piece(struct parser *p, struct piece *out)
{
    if (take(p, "*"))
        return true;
    if (p->now.kind != T_TEXT) {
        out->kind = PIECE_COLUMN;
        out->text = column_name(p);
        return out->text && parse_type(p, &out->type);
    }
    if (p->now.text.n == 0)
        return refuse(p, "want a text that is not empty");
    out->kind = PIECE_TEXT;
    out->text = unquote(p);
    return out->text;
}

/* Else nobody could tell where one ends. */
static bool may_follow(const struct piece *before, const struct piece *now)
{
    if (before->kind == PIECE_TEXT || now->kind == PIECE_TEXT)
        return true;
    return before->kind == PIECE_COLUMN && before->type != TYPE_TEXT && now->kind == PIECE_ANY;
}

/* Returns how many; 0: refused. */
static size_t parse_list(struct parser *p, struct piece list[MOOR_T_ITEMS_MAX])
{
    size_t n = 0, columns = 0;
    for (; p->now.kind != T_END && !is(p, "|"); n++) {
        struct token at = p->now;
        if (n == MOOR_T_ITEMS_MAX || columns > COLUMNS_MAX) {
            (void)refuse(p, "is one too many");
            return 0;
        }
        list[n] = (struct piece){ .kind = PIECE_ANY };
        if (!parse_piece(p, &list[n]))
            return 0;
        if (n > 0 && !may_follow(&list[n - 1], &list[n])) {
            p->now = at;
            (void)refuse(p, "want a text between");
            return 0;
        }
        columns += list[n].kind == PIECE_COLUMN;
    }
    if (columns == 0)
        (void)refuse(p, "want a column to fill");
    return p->failed ? 0 : n;
}

static void parse_pieces(struct parser *p, struct step *s)
{
    struct piece list[MOOR_T_ITEMS_MAX];
    if (take(p, "kind") && (!expect(p, "=") || !expect(p, "simple")))
        return;
    s->expression = expression(p);
    if (!s->expression || !expect(p, "with"))
        return;
    s->count = parse_list(p, list);
    s->pieces = moor_arena_array(p->arena, s->count, sizeof(list[0]));
    if (s->pieces && s->count > 0)
        memcpy(s->pieces, list, s->count * sizeof(list[0]));
    else
        (void)no_memory(p);
}

static const struct operator_of {
    const char *name;
    void (*parse)(struct parser *p, struct step *s);
    step_fn run;
} operators[] = {
    { "where", parse_where, moor_transform_where },
    { "filter", parse_where, moor_transform_where },
    { "extend", parse_extend, moor_transform_extend },
    { "project", parse_project, moor_transform_project },
    { "project-away", parse_away, moor_transform_away },
    { "project-rename", parse_rename, moor_transform_rename },
    { "parse", parse_pieces, moor_transform_pieces },
};

/* The name of an operator, which may have a hyphen in it. */
static void join_hyphen(struct parser *p)
{
    size_t at = p->at;
    struct token hyphen = moor_transform_token(p->text, &at);
    struct token more = moor_transform_token(p->text, &at);
    if (p->now.kind == T_WORD && moor_span_eq_str(hyphen.text, "-") && hyphen.at == p->at &&
        more.kind == T_WORD && more.at == hyphen.at + 1) {
        p->now.text.n = at - p->now.at;
        p->at = at;
    }
}

static struct step *parse_step(struct parser *p)
{
    struct step *s = moor_arena_alloc(p->arena, sizeof(*s));
    if (!s)
        return no_memory(p);
    join_hyphen(p);
    for (size_t i = 0; i < MOOR_COUNTOF(operators); i++) {
        if (!take(p, operators[i].name))
            continue;
        s->run = operators[i].run;
        operators[i].parse(p, s);
        return p->failed ? NULL : s;
    }
    return refuse(p, "is no operator that is run on the machine: want where, extend, project, "
                     "project-away, project-rename or parse");
}

moor_code moor_transform_parse(struct moor_span in, struct moor_arena *arena,
                               struct moor_transform **out, struct moor_error *err)
{
    struct moor_error ignored = MOOR_ERROR_INIT;
    struct parser p = { .text = in, .arena = arena, .err = err ? err : &ignored };
    struct moor_transform *t = moor_arena_alloc(arena, sizeof(*t));
    size_t count = 0;
    if (in.n > MOOR_TRANSFORM_TEXT_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "want at most %zu bytes", MOOR_TRANSFORM_TEXT_MAX);
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    step_on(&p);
    struct step **end = &t->first;
    (void)expect(&p, "source");
    while (!p.failed && p.now.kind != T_END) {
        if (!expect(&p, "|"))
            break;
        if (count++ == STEPS_MAX)
            (void)refuse(&p, "is one step too many");
        else if ((*end = parse_step(&p)))
            end = &(*end)->next;
    }
    if (p.failed)
        return p.err->code;
    *out = t;
    return MOOR_OK;
}
