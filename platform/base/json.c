/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and reading; json_scan.c checks, json_build.c changes, json_print.c writes. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_internal.h"

void moor_json_memory(void *(*alloc)(size_t n), void (*release)(void *p))
{
    cJSON_InitHooks(&(cJSON_Hooks){ alloc, release });
}

/* Walks in the order of the text and gives the numbers of the list their digits. */
struct digits_walk {
    const struct moor_json_digits_list *list;
    size_t done;
    size_t numbers;
};

static bool attach_digits(struct digits_walk *w, cJSON *n)
{
    for (cJSON *child = n->child; child; child = child->next) {
        if (!attach_digits(w, child))
            return false;
    }
    if (!cJSON_IsNumber(n))
        return true;
    size_t index = w->numbers++;
    if (w->done == w->list->count || w->list->items[w->done].index != index)
        return true;
    struct moor_span text = w->list->items[w->done++].text;
    /* cJSON frees it with its own allocator. */
    n->valuestring = cJSON_malloc(text.n + 1);
    if (!n->valuestring)
        return false;
    memcpy(n->valuestring, text.p, text.n);
    n->valuestring[text.n] = '\0';
    return true;
}

moor_code moor_json_parse(struct moor_span text, struct moor_json **out, struct moor_error *err)
{
    MOOR_AUTO(moor_json_digits_list) digits = { 0 };
    moor_code c = moor_json_scan(text, &digits, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTOPTR(moor_json) root = json_edit(cJSON_ParseWithLength(text.p, text.n));
    struct digits_walk walk = { .list = &digits };
    if (!root || (digits.count > 0 && !attach_digits(&walk, node_edit(root))))
        return moor_fail(err, MOOR_E_NOMEM, "no memory for the document");
    *out = MOOR_TAKE(root);
    return MOOR_OK;
}

/* The length of the string at the start of text, both quotes counted, or all of it. */
static size_t string_length(struct moor_span text)
{
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '"')
            return i + 1;
        if (text.p[i] == '\\')
            i++;
    }
    return text.n;
}

/* The length of the comment at the start of text: 0 when there is none, SIZE_MAX without end. */
static size_t comment_length(struct moor_span text)
{
    if (moor_span_starts(text, "//")) {
        const char *lf = memchr(text.p, '\n', text.n);
        return lf ? (size_t)(lf - text.p) : text.n;
    }
    if (!moor_span_starts(text, "/*"))
        return 0;
    for (size_t i = 2; i + 1 < text.n; i++) {
        if (text.p[i] == '*' && text.p[i + 1] == '/')
            return i + 2;
    }
    return SIZE_MAX;
}

/* Comments become blanks, so that lines and columns stay. */
static void blank_out(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n')
            p[i] = ' ';
    }
}

static moor_code blank_comments(char *text, size_t n, struct moor_error *err)
{
    for (size_t i = 0; i < n;) {
        struct moor_span rest = { text + i, n - i };
        size_t len = comment_length(rest);
        if (len == SIZE_MAX)
            return moor_json_fail_at(moor_span(text, n), i, "comment without an end", err);
        if (len > 0)
            blank_out(text + i, len);
        else
            len = text[i] == '"' ? string_length(rest) : 1;
        i += len;
    }
    return MOOR_OK;
}

moor_code moor_json_parse_lenient(struct moor_span text, struct moor_json **out,
                                  struct moor_error *err)
{
    if (moor_span_starts(text, "\xef\xbb\xbf"))
        text = (struct moor_span){ text.p + 3, text.n - 3 };
    MOOR_AUTO(moor_buf) copy = MOOR_BUF(SIZE_MAX);
    moor_buf_span(&copy, text);
    moor_code c = moor_buf_ok(&copy, "document", err);
    if (c == MOOR_OK)
        c = blank_comments(copy.data, copy.len, err);
    return c == MOOR_OK ? moor_json_parse(moor_buf_view(&copy), out, err) : c;
}

void moor_json_free(struct moor_json *root)
{
    cJSON_Delete(node_edit(root));
}

moor_json_type moor_json_typeof(const struct moor_json *v)
{
    static const struct {
        int node_type;
        moor_json_type type;
    } types[] = {
        { cJSON_False, MOOR_JSON_BOOLEAN }, { cJSON_True, MOOR_JSON_BOOLEAN },
        { cJSON_Number, MOOR_JSON_NUMBER }, { cJSON_String, MOOR_JSON_STRING },
        { cJSON_Array, MOOR_JSON_ARRAY },   { cJSON_Object, MOOR_JSON_OBJECT },
    };
    for (size_t i = 0; v && i < MOOR_COUNTOF(types); i++) {
        if ((node_of(v)->type & 0xff) == types[i].node_type)
            return types[i].type;
    }
    return MOOR_JSON_NULL;
}

/* The member whose name is name, by the comparison given. */
static const struct moor_json *find(const struct moor_json *obj, struct moor_span name,
                                    bool (*same)(struct moor_span, struct moor_span))
{
    if (moor_json_typeof(obj) != MOOR_JSON_OBJECT)
        return NULL;
    for (const cJSON *n = node_of(obj)->child; n; n = n->next) {
        if (same(moor_span_str(n->string), name))
            return json_of(n);
    }
    return NULL;
}

const struct moor_json *moor_json_get(const struct moor_json *obj, const char *name)
{
    return find(obj, moor_span_str(name), moor_span_eq);
}

const struct moor_json *moor_json_get_nocase(const struct moor_json *obj, const char *name)
{
    return find(obj, moor_span_str(name), moor_span_eq_nocase);
}

const struct moor_json *moor_json_path(const struct moor_json *v, const char *dotted)
{
    struct moor_span rest = moor_span_str(dotted);
    while (v && rest.p)
        v = find(v, moor_span_cut(&rest, '.'), moor_span_eq);
    return v;
}

const char *moor_json_str(const struct moor_json *v)
{
    return moor_json_typeof(v) == MOOR_JSON_STRING ? node_of(v)->valuestring : NULL;
}

const char *moor_json_get_str(const struct moor_json *obj, const char *name)
{
    return moor_json_str(moor_json_get(obj, name));
}

bool moor_json_number(const struct moor_json *v, double *out)
{
    if (moor_json_typeof(v) != MOOR_JSON_NUMBER)
        return false;
    *out = node_of(v)->valuedouble;
    return true;
}

bool moor_json_int(const struct moor_json *v, int64_t *out)
{
    double d = 0;
    if (!moor_json_number(v, &d))
        return false;
    double limit = (double)MOOR_JSON_INT_LIMIT;
    if (!(d > -limit && d < limit) || (double)(int64_t)d != d)
        return false;
    /* A fraction too fine for a double was rounded off. */
    const char *digits = node_of(v)->valuestring;
    if (digits && strpbrk(digits, ".eE"))
        return false;
    *out = (int64_t)d;
    return true;
}

bool moor_json_bool(const struct moor_json *v, bool *out)
{
    if (moor_json_typeof(v) != MOOR_JSON_BOOLEAN)
        return false;
    *out = cJSON_IsTrue(node_of(v));
    return true;
}

bool moor_json_is_true(const struct moor_json *v)
{
    bool b = false;
    return moor_json_bool(v, &b) && b;
}

size_t moor_json_size(const struct moor_json *v)
{
    size_t count = 0;
    MOOR_JSON_EACH(item, v)
    count++;
    return count;
}

const struct moor_json *moor_json_first(const struct moor_json *v)
{
    return v ? json_of(node_of(v)->child) : NULL;
}

const struct moor_json *moor_json_next(const struct moor_json *item)
{
    return item ? json_of(node_of(item)->next) : NULL;
}

const char *moor_json_name(const struct moor_json *item)
{
    return item ? node_of(item)->string : NULL;
}

static int order_members(const void *a, const void *b)
{
    const cJSON *const *x = a;
    const cJSON *const *y = b;
    return strcmp((*x)->string, (*y)->string);
}

const cJSON **moor_json_sorted(const cJSON *obj, size_t *count)
{
    size_t n = moor_json_size(json_of(obj));
    const cJSON **members = calloc(n + 1, sizeof(const cJSON *));
    if (!members)
        return NULL;
    size_t i = 0;
    for (const cJSON *child = obj->child; child; child = child->next)
        members[i++] = child;
    qsort(members, n, sizeof(const cJSON *), order_members);
    *count = n;
    return members;
}

static bool arrays_equal(const cJSON *a, const cJSON *b)
{
    const cJSON *x = a->child;
    const cJSON *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        if (!moor_json_equal(json_of(x), json_of(y)))
            return false;
    }
    return !x && !y;
}

static bool members_equal(const cJSON **a, const cJSON **b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(a[i]->string, b[i]->string) != 0 ||
            !moor_json_equal(json_of(a[i]), json_of(b[i])))
            return false;
    }
    return true;
}

static bool objects_equal(const cJSON *a, const cJSON *b)
{
    size_t count_a = 0, count_b = 0;
    const cJSON **x = moor_json_sorted(a, &count_a);
    const cJSON **y = moor_json_sorted(b, &count_b);
    bool equal = x && y && count_a == count_b && members_equal(x, y, count_a);
    free(x);
    free(y);
    return equal;
}

static bool numbers_equal(const cJSON *a, const cJSON *b)
{
    if (a->valuestring || b->valuestring)
        return moor_streq(a->valuestring, b->valuestring);
    return a->valuedouble >= b->valuedouble && a->valuedouble <= b->valuedouble;
}

bool moor_json_equal(const struct moor_json *a, const struct moor_json *b)
{
    if (!a || !b)
        return a == b;
    const cJSON *x = node_of(a);
    const cJSON *y = node_of(b);
    if ((x->type & 0xff) != (y->type & 0xff))
        return false;
    if (cJSON_IsObject(x))
        return objects_equal(x, y);
    if (cJSON_IsArray(x))
        return arrays_equal(x, y);
    if (cJSON_IsNumber(x))
        return numbers_equal(x, y);
    return !cJSON_IsString(x) || strcmp(x->valuestring, y->valuestring) == 0;
}
