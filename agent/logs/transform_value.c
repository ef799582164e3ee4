/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/attr.h"
#include "base/text.h"
#include "logs/transform.h"
#include "logs/transform_internal.h"

#define SCRATCH_BYTES ((size_t)4 << 20)         /* texts made for one row */
#define EXACT         INT64_C(9007199254740991) /* a double holds every whole number up to it */

static const struct value nothing = { .kind = V_NULL };

/* Values */

static struct value of_bool(bool b)
{
    return (struct value){ .kind = V_BOOL, .truth = b };
}

static struct value of_long(int64_t n)
{
    return (struct value){ .kind = V_LONG, .whole = n, .real = (double)n };
}

static struct value of_real(double d)
{
    return d == d && d - d == 0 ? (struct value){ .kind = V_REAL, .real = d } : nothing;
}

static struct value of_text(struct moor_span s)
{
    return (struct value){ .kind = V_TEXT, .text = s };
}

static struct value of_json(const struct moor_json *v)
{
    int64_t whole = 0;
    double real = 0;
    switch (moor_json_typeof(v)) {
    case MOOR_JSON_BOOLEAN:
        return of_bool(moor_json_is_true(v));
    case MOOR_JSON_STRING:
        return of_text(moor_span_str(moor_json_str(v)));
    case MOOR_JSON_NUMBER:
        if (moor_json_int(v, &whole))
            return of_long(whole);
        return moor_json_number(v, &real) ? of_real(real) : nothing;
    case MOOR_JSON_ARRAY:
    case MOOR_JSON_OBJECT:
        return (struct value){ .kind = V_TREE, .tree = v };
    case MOOR_JSON_NULL:
        break;
    }
    return nothing;
}

struct moor_json *moor_transform_json(struct row_run *r, const struct value *v)
{
    const char *text = NULL;
    switch (v->kind) {
    case V_BOOL:
        return moor_json_new_bool(v->truth);
    case V_LONG:
        return v->whole >= -EXACT && v->whole <= EXACT ? moor_json_new_int(v->whole)
                                                       : moor_json_new_number((double)v->whole);
    case V_REAL:
        return moor_json_new_number(v->real);
    case V_TREE:
        return moor_json_copy(v->tree);
    case V_TEXT:
        text = moor_arena_str(&r->scratch, v->text);
        return text ? moor_json_new_str(text) : NULL;
    case V_NULL:
        break;
    }
    return moor_json_new_null();
}

/* Of a value's text what is needed to compare and join it; null is empty. */
struct moor_span moor_transform_text(struct row_run *r, const struct value *v)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SCRATCH_BYTES);
    if (v->kind == V_TEXT)
        return v->text;
    if (v->kind == V_NULL)
        return MOOR_SPAN_NONE;
    if (v->kind == V_BOOL)
        return moor_span_str(v->truth ? "true" : "false");
    MOOR_AUTOPTR(moor_json) tree = v->kind == V_TREE ? NULL : moor_transform_json(r, v);
    moor_buf_json(&b, v->kind == V_TREE ? v->tree : tree);
    return moor_span_str(moor_arena_str(&r->scratch, moor_buf_view(&b)));
}

static bool is_number(const struct value *v)
{
    return v->kind == V_LONG || v->kind == V_REAL;
}

static double real_of(const struct value *v)
{
    return v->kind == V_LONG ? (double)v->whole : v->real;
}

static struct value arg(struct row_run *r, const struct node *n, size_t i)
{
    return n->args[i]->eval(r, n->args[i]);
}

bool moor_transform_true(const struct value *v)
{
    return v->kind == V_BOOL && v->truth;
}

/* Nodes */

struct value moor_transform_constant(struct row_run *r, const struct node *n)
{
    (void)r;
    return n->constant;
}

struct value moor_transform_column(struct row_run *r, const struct node *n)
{
    return of_json(moor_json_get(r->row, n->name));
}

struct value moor_transform_member(struct row_run *r, const struct node *n)
{
    struct value of = arg(r, n, 0);
    return of.kind == V_TREE ? of_json(moor_json_get(of.tree, n->name)) : nothing;
}

struct value moor_transform_and(struct row_run *r, const struct node *n)
{
    struct value left = arg(r, n, 0), right = nothing;
    if (!moor_transform_true(&left))
        return of_bool(false);
    right = arg(r, n, 1);
    return of_bool(moor_transform_true(&right));
}

struct value moor_transform_or(struct row_run *r, const struct node *n)
{
    struct value left = arg(r, n, 0), right = nothing;
    if (moor_transform_true(&left))
        return of_bool(true);
    right = arg(r, n, 1);
    return of_bool(moor_transform_true(&right));
}

static struct value negate(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    return v.kind == V_BOOL ? of_bool(!v.truth) : nothing;
}

/* Comparisons */

enum { EQUAL, LESS, MORE, NOT = 8, NO_CASE = 16 };

static bool equal(struct row_run *r, const struct value *a, const struct value *b, bool no_case)
{
    if (a->kind == V_LONG && b->kind == V_LONG)
        return a->whole == b->whole;
    if (is_number(a) || is_number(b))
        return is_number(a) && is_number(b) && real_of(a) == real_of(b);
    if (a->kind == V_BOOL || b->kind == V_BOOL)
        return a->kind == b->kind && a->truth == b->truth;
    struct moor_span x = moor_transform_text(r, a), y = moor_transform_text(r, b);
    return no_case ? moor_span_eq_nocase(x, y) : moor_span_eq(x, y);
}

static struct value compare_equal(struct row_run *r, const struct node *n)
{
    struct value a = arg(r, n, 0), b = arg(r, n, 1);
    return of_bool(equal(r, &a, &b, n->how & NO_CASE) != ((n->how & NOT) != 0));
}

static struct value compare_in(struct row_run *r, const struct node *n)
{
    struct value a = arg(r, n, 0);
    bool found = false;
    for (size_t i = 1; !found && i < n->count; i++) {
        struct value b = arg(r, n, i);
        found = equal(r, &a, &b, n->how & NO_CASE);
    }
    return of_bool(found != ((n->how & NOT) != 0));
}

static int order_of_texts(struct moor_span a, struct moor_span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Numbers, or texts (times as we write them are in the order of their texts). */
static struct value compare_order(struct row_run *r, const struct node *n)
{
    struct value a = arg(r, n, 0), b = arg(r, n, 1);
    int order = 0;
    if (a.kind == V_LONG && b.kind == V_LONG)
        order = (a.whole > b.whole) - (a.whole < b.whole);
    else if (is_number(&a) && is_number(&b))
        order = (real_of(&a) > real_of(&b)) - (real_of(&a) < real_of(&b));
    else if (a.kind == V_TEXT && b.kind == V_TEXT)
        order = order_of_texts(a.text, b.text);
    else
        return of_bool(false);
    bool wanted = (n->how & ~NOT) == LESS ? order < 0 : order > 0;
    return of_bool(wanted != ((n->how & NOT) != 0));
}

static bool same_bytes(const char *a, const char *b, size_t n, bool no_case)
{
    return no_case ? moor_span_eq_nocase(moor_span(a, n), moor_span(b, n)) : memcmp(a, b, n) == 0;
}

static bool is_term(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum { CONTAINS, HAS, STARTS, ENDS, WHERE_MASK = 3 };

static bool found_at(struct moor_span s, struct moor_span what, size_t i, int how)
{
    size_t end = i + what.n;
    bool whole = (i == 0 || !is_term((unsigned char)s.p[i - 1])) &&
                 (end == s.n || !is_term((unsigned char)s.p[end]));
    return ((how & WHERE_MASK) != HAS || whole) &&
           same_bytes(s.p + i, what.p, what.n, how & NO_CASE);
}

static bool find_text(struct moor_span s, struct moor_span what, int how)
{
    if (what.n > s.n)
        return false;
    if (what.n == 0)
        return true;
    size_t first = (how & WHERE_MASK) == ENDS ? s.n - what.n : 0;
    size_t last = (how & WHERE_MASK) == STARTS ? 0 : s.n - what.n;
    for (size_t i = first; i <= last; i++)
        if (found_at(s, what, i, how))
            return true;
    return false;
}

static struct value compare_text(struct row_run *r, const struct node *n)
{
    struct value a = arg(r, n, 0), b = arg(r, n, 1);
    bool found = find_text(moor_transform_text(r, &a), moor_transform_text(r, &b), n->how);
    return of_bool(found != ((n->how & NOT) != 0));
}

/* The variants of one operator over texts. */
#define TEXTS(name, how)                                                                           \
    { name, 2, 2, compare_text, (how) | NO_CASE },                                                 \
        { "!" name, 2, 2, compare_text, (how) | NO_CASE | NOT },                                   \
        { name "_cs", 2, 2, compare_text, how },                                                   \
    {                                                                                              \
        "!" name "_cs", 2, 2, compare_text, (how) | NOT                                            \
    }

const struct function *moor_transform_comparison(struct moor_span name)
{
    static const struct function list[] = {
        { "==", 2, 2, compare_equal, 0 },
        { "!=", 2, 2, compare_equal, NOT },
        { "=~", 2, 2, compare_equal, NO_CASE },
        { "!~", 2, 2, compare_equal, NO_CASE | NOT },
        { "<", 2, 2, compare_order, LESS },
        { ">", 2, 2, compare_order, MORE },
        { "<=", 2, 2, compare_order, MORE | NOT },
        { ">=", 2, 2, compare_order, LESS | NOT },
        { "in", 2, MOOR_T_ITEMS_MAX, compare_in, 0 },
        { "!in", 2, MOOR_T_ITEMS_MAX, compare_in, NOT },
        { "in~", 2, MOOR_T_ITEMS_MAX, compare_in, NO_CASE },
        { "!in~", 2, MOOR_T_ITEMS_MAX, compare_in, NO_CASE | NOT },
        TEXTS("contains", CONTAINS),
        TEXTS("has", HAS),
        TEXTS("startswith", STARTS),
        TEXTS("endswith", ENDS),
    };
    for (size_t i = 0; i < MOOR_COUNTOF(list); i++)
        if (moor_span_eq_str(name, list[i].name))
            return &list[i];
    return NULL;
}

/* Arithmetic */

enum { PLUS, MINUS, TIMES, OVER, MODULO };

static double real_result(int how, double a, double b)
{
    return how == PLUS ? a + b : how == MINUS ? a - b : how == TIMES ? a * b : a / b;
}

/* What whole numbers of a double cannot hold becomes one: nothing overflows. */
static struct value whole_result(int how, int64_t a, int64_t b)
{
    if (how == OVER || how == MODULO) {
        if (b == 0)
            return nothing;
        if (b == -1)
            return how == OVER ? of_real(-(double)a) : of_long(0);
        return of_long(how == OVER ? a / b : a % b);
    }
    double d = real_result(how, (double)a, (double)b);
    if (d > (double)EXACT || d < -(double)EXACT)
        return of_real(d);
    return of_long(how == PLUS ? a + b : how == MINUS ? a - b : a * b);
}

static struct value calculate(struct row_run *r, const struct node *n)
{
    struct value a = arg(r, n, 0), b = arg(r, n, 1);
    if (a.kind == V_LONG && b.kind == V_LONG)
        return whole_result(n->how, a.whole, b.whole);
    if (!is_number(&a) || !is_number(&b))
        return nothing;
    if (n->how == MODULO || (n->how == OVER && real_of(&b) == 0))
        return nothing;
    return of_real(real_result(n->how, real_of(&a), real_of(&b)));
}

const struct function *moor_transform_arithmetic(struct moor_span name, int level)
{
    static const struct function list[][3] = {
        { { "+", 2, 2, calculate, PLUS }, { "-", 2, 2, calculate, MINUS }, { "", 0, 0, NULL, 0 } },
        { { "*", 2, 2, calculate, TIMES },
          { "/", 2, 2, calculate, OVER },
          { "%", 2, 2, calculate, MODULO } },
    };
    for (size_t i = 0; i < 3; i++)
        if (moor_span_eq_str(name, list[level][i].name))
            return &list[level][i];
    return NULL;
}

/* Functions */

struct value moor_transform_convert(const struct value *v, enum value_type type)
{
    MOOR_AUTOPTR(moor_json) number = NULL;
    struct value n = *v;
    if (v->kind == V_TEXT && type != TYPE_TEXT) {
        struct moor_span s = moor_span_trim(v->text);
        if (type == TYPE_BOOL)
            return moor_span_eq_nocase(s, moor_span_str("true"))    ? of_bool(true)
                   : moor_span_eq_nocase(s, moor_span_str("false")) ? of_bool(false)
                                                                    : nothing;
        n = moor_json_parse(s, &number, NULL) == MOOR_OK ? of_json(number) : nothing;
    }
    if (type == TYPE_BOOL)
        return n.kind == V_BOOL ? n : is_number(&n) ? of_bool(real_of(&n) != 0) : nothing;
    if (n.kind == V_BOOL)
        n = of_long(n.truth);
    if (!is_number(&n))
        return nothing;
    if (type == TYPE_REAL)
        return of_real(real_of(&n));
    if (n.kind == V_LONG)
        return n;
    return n.real > -(double)EXACT && n.real < (double)EXACT ? of_long((int64_t)n.real) : nothing;
}

static struct value to_type(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    if (n->how == TYPE_TEXT)
        return of_text(moor_transform_text(r, &v));
    return moor_transform_convert(&v, (enum value_type)n->how);
}

static struct value join(struct row_run *r, const struct node *n)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SCRATCH_BYTES);
    for (size_t i = 0; i < n->count; i++) {
        struct value v = arg(r, n, i);
        moor_buf_span(&b, moor_transform_text(r, &v));
    }
    return of_text(moor_span_str(moor_arena_str(&r->scratch, moor_buf_view(&b))));
}

static struct value change_case(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    char from = n->how ? 'a' : 'A', *s = moor_arena_str(&r->scratch, moor_transform_text(r, &v));
    for (char *c = s; c && *c; c++)
        if (*c >= from && *c < from + 26)
            *c ^= 0x20;
    return of_text(moor_span_str(s));
}

/* The bytes of the first n characters; *n is what was not there. */
static size_t characters(struct moor_span s, uint64_t *n)
{
    size_t i = 0;
    for (; i<s.n && * n> 0; (*n)--) {
        size_t whole = moor_utf8_sequence(moor_span(s.p + i, s.n - i));
        i += whole ? whole : 1;
    }
    return i;
}

static struct value length_of(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    uint64_t left = UINT64_MAX;
    (void)characters(moor_transform_text(r, &v), &left);
    return of_long((int64_t)(UINT64_MAX - left));
}

static struct value substring(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0), from = arg(r, n, 1), count = nothing;
    struct moor_span s = moor_transform_text(r, &v);
    if (n->count > 2)
        count = arg(r, n, 2);
    if (from.kind != V_LONG || from.whole < 0 || (n->count > 2 && count.kind != V_LONG))
        return nothing;
    uint64_t skip = (uint64_t)from.whole;
    size_t start = characters(s, &skip);
    s = moor_span(s.p + start, s.n - start);
    uint64_t keep = n->count < 3 ? UINT64_MAX : count.whole > 0 ? (uint64_t)count.whole : 0;
    return of_text(moor_span(s.p, characters(s, &keep)));
}

static struct value is_empty(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    return of_bool((moor_transform_text(r, &v).n == 0) != (n->how == NOT));
}

static struct value is_null(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    return of_bool((v.kind == V_NULL) != (n->how == NOT));
}

static struct value choose(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    return arg(r, n, moor_transform_true(&v) ? 1 : 2);
}

static struct value parse_tree(struct row_run *r, const struct node *n)
{
    struct value v = arg(r, n, 0);
    if (v.kind != V_TEXT)
        return v;
    if (r->tree_count == MOOR_T_TREES_MAX ||
        moor_json_parse(v.text, &r->trees[r->tree_count], NULL) != MOOR_OK)
        return nothing;
    return of_json(r->trees[r->tree_count++]);
}

const struct function *moor_transform_function(struct moor_span name)
{
    static const struct function list[] = {
        { "not", 1, 1, negate, 0 },
        { "tostring", 1, 1, to_type, TYPE_TEXT },
        { "tolong", 1, 1, to_type, TYPE_LONG },
        { "toint", 1, 1, to_type, TYPE_LONG },
        { "todouble", 1, 1, to_type, TYPE_REAL },
        { "toreal", 1, 1, to_type, TYPE_REAL },
        { "tobool", 1, 1, to_type, TYPE_BOOL },
        { "strcat", 1, MOOR_T_ITEMS_MAX, join, 0 },
        { "tolower", 1, 1, change_case, 0 },
        { "toupper", 1, 1, change_case, 1 },
        { "strlen", 1, 1, length_of, 0 },
        { "substring", 2, 3, substring, 0 },
        { "isempty", 1, 1, is_empty, 0 },
        { "isnotempty", 1, 1, is_empty, NOT },
        { "isnull", 1, 1, is_null, 0 },
        { "isnotnull", 1, 1, is_null, NOT },
        { "iif", 3, 3, choose, 0 },
        { "iff", 3, 3, choose, 0 },
        { "parse_json", 1, 1, parse_tree, 0 },
        { "todynamic", 1, 1, parse_tree, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(list); i++)
        if (moor_span_eq_str(name, list[i].name))
            return &list[i];
    return NULL;
}
