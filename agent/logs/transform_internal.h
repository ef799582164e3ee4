/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform_internal.h: a transform between its files: transform_lex.c (text to tokens),
 * transform_parse.c (tokens to steps), transform_value.c (expressions over
 * a row), transform_run.c (steps over rows).
 */
#ifndef MOOR_LOGS_TRANSFORM_INTERNAL_H
#define MOOR_LOGS_TRANSFORM_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"

#define MOOR_T_ITEMS_MAX 64 /* of a list, a project, an extend */
#define MOOR_T_TREES_MAX 32 /* texts of a row that are parsed */

/* Tokens */

enum token_kind { T_END, T_WORD, T_TEXT, T_NUMBER, T_SIGN, T_BAD };
struct token {
    enum token_kind kind;
    struct moor_span text; /* of a text: between its quotes */
    size_t at;             /* in the whole */
    bool verbatim;         /* @'...': a backslash is one */
};
/* The token at *at, which moves behind it. A word may begin with '!' and end with '~'. */
struct token moor_transform_token(struct moor_span whole, size_t *at);
/* What the text token says, in the arena; NULL: a bad escape, NUL, or no memory. */
const char *moor_transform_unquote(const struct token *t, struct moor_arena *arena);

/* Values */

enum value_kind { V_NULL, V_BOOL, V_LONG, V_REAL, V_TEXT, V_TREE };
struct value {
    enum value_kind kind;
    bool truth;
    int64_t whole;
    double real;
    struct moor_span text;
    const struct moor_json *tree; /* an object or array of the row */
};

/* One row being worked on. */
struct row_run {
    struct moor_json *row;
    struct moor_arena scratch;                 /* texts that were made for it */
    struct moor_json *trees[MOOR_T_TREES_MAX]; /* likewise */
    size_t tree_count;
};

struct node;
typedef struct value (*node_fn)(struct row_run *r, const struct node *n);
struct node {
    node_fn eval;
    struct node **args;
    size_t count;
    struct value constant;
    const char *name; /* of a column or member */
    int how;          /* a variant of eval's */
};

/* Operators and functions by name; NULL: there is none. */
struct function {
    const char *name;
    size_t min, max; /* arguments */
    node_fn eval;
    int how;
};
const struct function *moor_transform_function(struct moor_span name);
const struct function *moor_transform_comparison(struct moor_span name);
const struct function *moor_transform_arithmetic(struct moor_span name, int level); /* 0: + -, 1 */
struct value moor_transform_constant(struct row_run *r, const struct node *n);
struct value moor_transform_column(struct row_run *r, const struct node *n);
struct value moor_transform_member(struct row_run *r, const struct node *n);
struct value moor_transform_and(struct row_run *r, const struct node *n);
struct value moor_transform_or(struct row_run *r, const struct node *n);

enum value_type { TYPE_TEXT, TYPE_LONG, TYPE_REAL, TYPE_BOOL };

/* What a step needs of expressions. */
struct moor_json *moor_transform_json(struct row_run *r, const struct value *v);
struct moor_span moor_transform_text(struct row_run *r, const struct value *v); /* null is empty */
struct value moor_transform_convert(const struct value *v, enum value_type type);
bool moor_transform_true(const struct value *v);

/* Steps */

struct named {
    const char *name;
    struct node *expression; /* NULL: the column itself */
    const char *from;        /* of a rename */
};

/* Of a parse: a text, a column to be filled, or "*". */
struct piece {
    enum { PIECE_ANY, PIECE_TEXT, PIECE_COLUMN } kind;
    const char *text; /* or the column's name */
    enum value_type type;
};

struct step;
/* False: the row is filtered out. */
typedef bool (*step_fn)(struct row_run *r, const struct step *s);
struct step {
    struct step *next;
    step_fn run;
    struct node *expression;
    struct named *items;
    struct piece *pieces;
    size_t count;
};
bool moor_transform_where(struct row_run *r, const struct step *s);
bool moor_transform_extend(struct row_run *r, const struct step *s);
bool moor_transform_project(struct row_run *r, const struct step *s);
bool moor_transform_away(struct row_run *r, const struct step *s);
bool moor_transform_rename(struct row_run *r, const struct step *s);
bool moor_transform_pieces(struct row_run *r, const struct step *s);

struct moor_transform {
    struct step *first;
};

#endif
