/* SPDX-License-Identifier: Apache-2.0 */
/* Trees as text: compact, canonical, pretty. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_internal.h"

struct printer {
    struct moor_buf *buf;
    bool sorted;
    bool pretty;
    int depth;
};

static void print_value(struct printer *p, const cJSON *n);

void moor_json_number_text(double n, char out[MOOR_JSON_NUMBER_SIZE])
{
    double limit = (double)MOOR_JSON_INT_LIMIT;
    if (n > -limit && n < limit) {
        int64_t whole = (int64_t)n;
        if (!((double)whole < n) && !((double)whole > n)) {
            snprintf(out, MOOR_JSON_NUMBER_SIZE, "%" PRId64, whole);
            return;
        }
    }
    snprintf(out, MOOR_JSON_NUMBER_SIZE, "%.15g", n);
    double back = strtod(out, NULL);
    if (back < n || back > n)
        snprintf(out, MOOR_JSON_NUMBER_SIZE, "%.17g", n);
}

static void new_line(struct printer *p)
{
    if (p->pretty)
        moor_buf_fmt(p->buf, "\n%*s", 2 * p->depth, "");
}

static void print_null(struct printer *p, const cJSON *n)
{
    (void)n;
    moor_buf_str(p->buf, "null");
}

static void print_boolean(struct printer *p, const cJSON *n)
{
    moor_buf_str(p->buf, cJSON_IsTrue(n) ? "true" : "false");
}

static void print_number(struct printer *p, const cJSON *n)
{
    char text[MOOR_JSON_NUMBER_SIZE];
    moor_json_number_text(n->valuedouble, text);
    moor_buf_str(p->buf, n->valuestring ? n->valuestring : text);
}

static void print_string(struct printer *p, const cJSON *n)
{
    moor_buf_json_str(p->buf, moor_span_str(n->valuestring));
}

static void print_array(struct printer *p, const cJSON *n)
{
    moor_buf_char(p->buf, '[');
    p->depth++;
    for (const cJSON *item = n->child; item; item = item->next) {
        if (item != n->child)
            moor_buf_char(p->buf, ',');
        new_line(p);
        print_value(p, item);
    }
    p->depth--;
    if (n->child)
        new_line(p);
    moor_buf_char(p->buf, ']');
}

static void print_member(struct printer *p, const cJSON *member, bool first)
{
    if (!first)
        moor_buf_char(p->buf, ',');
    new_line(p);
    moor_buf_json_str(p->buf, moor_span_str(member->string));
    moor_buf_str(p->buf, p->pretty ? ": " : ":");
    print_value(p, member);
}

static void print_sorted(struct printer *p, const cJSON *n)
{
    size_t count = 0;
    const cJSON **members = moor_json_sorted(n, &count);
    if (!members) {
        moor_buf_fail(p->buf);
        return;
    }
    for (size_t i = 0; i < count; i++)
        print_member(p, members[i], i == 0);
    free(members);
}

static void print_object(struct printer *p, const cJSON *n)
{
    moor_buf_char(p->buf, '{');
    p->depth++;
    if (p->sorted)
        print_sorted(p, n);
    for (const cJSON *m = p->sorted ? NULL : n->child; m; m = m->next)
        print_member(p, m, m == n->child);
    p->depth--;
    if (n->child)
        new_line(p);
    moor_buf_char(p->buf, '}');
}

static void print_value(struct printer *p, const cJSON *n)
{
    static void (*const printers[])(struct printer *, const cJSON *) = {
        [MOOR_JSON_NULL] = print_null,     [MOOR_JSON_BOOLEAN] = print_boolean,
        [MOOR_JSON_NUMBER] = print_number, [MOOR_JSON_STRING] = print_string,
        [MOOR_JSON_ARRAY] = print_array,   [MOOR_JSON_OBJECT] = print_object,
    };
    if (!n || (n->type & NODE_INCOMPLETE))
        moor_buf_fail(p->buf);
    if (!p->buf->failed)
        printers[moor_json_typeof(json_of(n))](p, n);
}

void moor_buf_json(struct moor_buf *b, const struct moor_json *v)
{
    struct printer p = { .buf = b };
    print_value(&p, node_of(v));
}

void moor_buf_json_canonical(struct moor_buf *b, const struct moor_json *v)
{
    struct printer p = { .buf = b, .sorted = true };
    print_value(&p, node_of(v));
}

void moor_buf_json_pretty(struct moor_buf *b, const struct moor_json *v)
{
    struct printer p = { .buf = b, .pretty = true };
    print_value(&p, node_of(v));
}

moor_code moor_json_print(const struct moor_json *v, size_t max, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(max);
    moor_buf_json(&b, v);
    return moor_buf_take(&b, "JSON document", out, err);
}
