/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/kql_internal.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_bytes(const char *a, const char *b, size_t n, bool cased)
{
    if (cased)
        return memcmp(a, b, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

/* A term ends where letters and digits do; bytes of other scripts count as letters. */
static bool is_term_byte(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || (unsigned char)c > 127;
}

static bool found_in(struct moor_span hay, struct moor_span needle, bool cased, bool term)
{
    if (needle.n == 0)
        return true;
    if (needle.n > hay.n)
        return false;
    char first = lower(needle.p[0]);
    for (size_t i = 0; i + needle.n <= hay.n; i++) {
        if (lower(hay.p[i]) != first || !same_bytes(hay.p + i, needle.p, needle.n, cased))
            continue;
        size_t end = i + needle.n;
        if (!term || ((i == 0 || !is_term_byte(hay.p[i - 1])) &&
                      (end == hay.n || !is_term_byte(hay.p[end]))))
            return true;
    }
    return false;
}

static bool text_matches(const struct kql_node *n, struct moor_span a, struct moor_span b)
{
    switch (n->op) {
    case N_CONTAINS:
        return found_in(a, b, n->cased, false);
    case N_HAS:
        return found_in(a, b, n->cased, true);
    case N_STARTS:
        return a.n >= b.n && (b.n == 0 || same_bytes(a.p, b.p, b.n, n->cased));
    case N_ENDS:
        return a.n >= b.n && (b.n == 0 || same_bytes(a.p + (a.n - b.n), b.p, b.n, n->cased));
    case N_EQ_NOCASE:
    case N_NE_NOCASE:
        return a.n == b.n && (a.n == 0 || same_bytes(a.p, b.p, a.n, false));
    case N_LITERAL:
    case N_COLUMN:
    case N_AND:
    case N_OR:
    case N_NOT:
    case N_NEGATE:
    case N_ADD:
    case N_SUB:
    case N_EQ:
    case N_NE:
    case N_LT:
    case N_LE:
    case N_GT:
    case N_GE:
    case N_IN:
    default:
        return false;
    }
}

static bool is_text(const struct kql_value *v)
{
    return v->type == MOOR_KQL_STRING || v->type == MOOR_KQL_GUID || v->type == MOOR_KQL_DYNAMIC;
}

static int order_text(struct moor_span a, struct moor_span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static double as_real(const struct kql_value *v)
{
    return v->type == MOOR_KQL_REAL ? v->r : (double)v->i;
}

int kql_order(const struct kql_value *a, const struct kql_value *b)
{
    if (a->null || b->null)
        return (int)b->null - (int)a->null;
    if (is_text(a))
        return order_text(a->s, b->s);
    if (a->type == MOOR_KQL_REAL || b->type == MOOR_KQL_REAL) {
        double l = as_real(a), r = as_real(b);
        return (l > r) - (l < r);
    }
    return (a->i > b->i) - (a->i < b->i);
}

/* Null and a value: unequal. Two nulls, or an order with a null: null. A text is never null. */
static int compare(enum kql_op op, const struct kql_value *a, const struct kql_value *b)
{
    if (a->null && b->null)
        return -1;
    if (a->null || b->null)
        return op == N_EQ ? 0 : op == N_NE ? 1 : -1;
    int c = kql_order(a, b);
    switch (op) {
    case N_EQ:
        return c == 0;
    case N_NE:
        return c != 0;
    case N_LT:
        return c < 0;
    case N_LE:
        return c <= 0;
    case N_GT:
        return c > 0;
    case N_GE:
    case N_LITERAL:
    case N_COLUMN:
    case N_AND:
    case N_OR:
    case N_NOT:
    case N_NEGATE:
    case N_ADD:
    case N_SUB:
    case N_EQ_NOCASE:
    case N_NE_NOCASE:
    case N_CONTAINS:
    case N_HAS:
    case N_STARTS:
    case N_ENDS:
    case N_IN:
    default:
        return c >= 0;
    }
}

static int test_in(const struct kql_node *n, const struct kql_value *row)
{
    struct kql_value left, item;
    bool found = false;
    kql_eval(n->left, row, &left);
    for (size_t i = 0; !found && i < n->list_count; i++) {
        kql_eval(n->list[i], row, &item);
        if (!n->cased && is_text(&left))
            found = left.s.n == item.s.n &&
                    (left.s.n == 0 || same_bytes(left.s.p, item.s.p, left.s.n, false));
        else
            found = compare(N_EQ, &left, &item) == 1;
    }
    return found != n->negated;
}

int kql_test(const struct kql_node *n, const struct kql_value *row)
{
    struct kql_value a, b;
    int l, r;
    switch (n->op) {
    case N_AND:
        l = kql_test(n->left, row);
        if (l == 0)
            return 0;
        r = kql_test(n->right, row);
        return r == 0 ? 0 : (l < 0 || r < 0) ? -1 : 1;
    case N_OR:
        l = kql_test(n->left, row);
        if (l == 1)
            return 1;
        r = kql_test(n->right, row);
        return r == 1 ? 1 : (l < 0 || r < 0) ? -1 : 0;
    case N_NOT:
        l = kql_test(n->left, row);
        return l < 0 ? -1 : !l;
    case N_IN:
        return test_in(n, row);
    case N_EQ:
    case N_NE:
    case N_LT:
    case N_LE:
    case N_GT:
    case N_GE:
        kql_eval(n->left, row, &a);
        kql_eval(n->right, row, &b);
        return compare(n->op, &a, &b);
    case N_EQ_NOCASE:
    case N_NE_NOCASE:
    case N_CONTAINS:
    case N_HAS:
    case N_STARTS:
    case N_ENDS:
        kql_eval(n->left, row, &a);
        kql_eval(n->right, row, &b);
        return text_matches(n, a.s, b.s) != (n->negated || n->op == N_NE_NOCASE);
    case N_LITERAL:
    case N_COLUMN:
    case N_NEGATE:
    case N_ADD:
    case N_SUB:
    default:
        kql_eval(n, row, &a);
        return a.null ? -1 : a.i != 0;
    }
}

/* Wraps at the ends instead of overflowing: a time that far out equals nothing. */
static int64_t add_wrapped(int64_t a, int64_t b, bool minus)
{
    uint64_t sum = minus ? (uint64_t)a - (uint64_t)b : (uint64_t)a + (uint64_t)b;
    int64_t out;
    memcpy(&out, &sum, sizeof out);
    return out;
}

static void eval_sum(const struct kql_node *n, const struct kql_value *row, struct kql_value *out)
{
    struct kql_value a = { .i = 0 }, b;
    if (n->op != N_NEGATE)
        kql_eval(n->left, row, &a);
    kql_eval(n->op == N_NEGATE ? n->left : n->right, row, &b);
    bool minus = n->op != N_ADD;
    *out = (struct kql_value){ .type = n->type, .null = a.null || b.null };
    if (out->null)
        return;
    if (n->type == MOOR_KQL_REAL) {
        double left = n->op == N_NEGATE ? 0 : as_real(&a);
        out->r = minus ? left - as_real(&b) : left + as_real(&b);
    } else {
        out->i = add_wrapped(a.i, b.i, minus);
    }
}

void kql_eval(const struct kql_node *n, const struct kql_value *row, struct kql_value *out)
{
    if (n->op == N_LITERAL) {
        *out = n->literal;
    } else if (n->op == N_COLUMN) {
        *out = row[n->column];
    } else if (n->op == N_ADD || n->op == N_SUB || n->op == N_NEGATE) {
        eval_sum(n, row, out);
    } else {
        int truth = kql_test(n, row);
        *out = (struct kql_value){ .type = MOOR_KQL_BOOL, .null = truth < 0, .i = truth == 1 };
    }
}
