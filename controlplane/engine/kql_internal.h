/* SPDX-License-Identifier: Apache-2.0 */
/* kql_internal.h: tokens and trees shared by kql_lex.c, kql_parse.c, kql_bind.c and kql_run.c. */
#ifndef MOOR_ENGINE_KQL_INTERNAL_H
#define MOOR_ENGINE_KQL_INTERNAL_H

#include "engine/kql.h"

#define KQL_STAGES_MAX 32
#define KQL_DEPTH_MAX  64

enum kql_token_kind {
    T_END,
    T_NAME,     /* identifier or keyword; "!contains" and "in~" are one token */
    T_QUOTED,   /* ['name']: a column, never a keyword */
    T_STRING,   /* text: unescaped, in the arena */
    T_NUMBER,   /* text as written: digits, perhaps a fraction and exponent */
    T_TIMESPAN, /* i: milliseconds */
    T_PUNCT,    /* one or two characters */
    T_BAD       /* text: what is wrong */
};

struct kql_token {
    enum kql_token_kind kind;
    struct moor_span text;
    int64_t i;
    size_t at; /* offset in the query */
};

struct kql_lexer {
    struct moor_span text;
    size_t at;
    struct moor_arena *arena;
};
void kql_next(struct kql_lexer *lx, struct kql_token *out);
/* Everything up to the next ')' as it is written, for datetime(...); false without one. */
bool kql_raw_argument(struct kql_lexer *lx, struct moor_span *out);
bool kql_timespan(struct moor_span s, int64_t *ms); /* "5m", "1.5h", "100ms" */

struct kql_value {
    moor_kql_type type;
    bool null;
    union {
        int64_t i; /* long, int, bool, datetime and timespan in ms */
        double r;
        struct moor_span s; /* string, guid, dynamic as JSON */
    };
};

enum kql_op {
    N_LITERAL,
    N_COLUMN,
    N_AND,
    N_OR,
    N_NOT,
    N_NEGATE,
    N_ADD,
    N_SUB,
    N_EQ,
    N_NE,
    N_LT,
    N_LE,
    N_GT,
    N_GE,
    N_EQ_NOCASE,
    N_NE_NOCASE,
    N_CONTAINS,
    N_HAS,
    N_STARTS,
    N_ENDS,
    N_IN
};

struct kql_node {
    enum kql_op op;
    bool negated; /* !contains ... */
    bool cased;   /* contains_cs ...; in against in~ */
    size_t at;    /* for errors */
    unsigned height;
    struct kql_node *left, *right;
    struct kql_node **list; /* N_IN */
    size_t list_count;
    struct kql_value literal;
    const char *name;   /* N_COLUMN */
    size_t column;      /* N_COLUMN, after bind */
    moor_kql_type type; /* after bind */
};

enum kql_stage_kind { S_WHERE, S_PROJECT, S_TAKE, S_COUNT, S_ORDER };

struct kql_item {     /* of project and order by */
    const char *name; /* project: name of the result, NULL = made at bind */
    struct kql_node *node;
    bool ascending, nulls_first;
};

struct kql_stage {
    enum kql_stage_kind kind;
    size_t at;
    struct kql_node *predicate;
    struct kql_item *items;
    size_t item_count;
    uint64_t limit;
    struct moor_kql_columns in, out; /* after bind */
};

struct moor_kql {
    struct moor_span text;
    struct moor_arena *arena;
    int64_t now_ms;
    const char *table;
    size_t table_at;
    struct kql_stage stages[KQL_STAGES_MAX];
    size_t stage_count;
    struct moor_kql_columns columns, result;
    bool *used; /* of columns, after bind */
};

/* Fills why for a place in the query and returns BADINPUT. */
MOOR_PRINTF(6, 7)
moor_code kql_refuse(struct moor_kql_error *why, struct moor_span query, size_t at,
                     const char *kind, const char *code, const char *fmt, ...);

/* 1, 0, or -1 for null. */
int kql_test(const struct kql_node *n, const struct kql_value *row);
void kql_eval(const struct kql_node *n, const struct kql_value *row, struct kql_value *out);
/* Order of two values of one kind; null is below everything. */
int kql_order(const struct kql_value *a, const struct kql_value *b);

#endif
