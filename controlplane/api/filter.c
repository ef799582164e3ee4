/* SPDX-License-Identifier: Apache-2.0 */
#include "api/filter.h"

#include "base/buf.h"

static void skip_blanks(struct moor_span *s)
{
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = moor_span(s->p + 1, s->n - 1);
}

static struct moor_span take_word(struct moor_span *s)
{
    size_t n = 0;
    skip_blanks(s);
    while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t' && s->p[n] != '\'')
        n++;
    struct moor_span word = moor_span(s->p, n);
    *s = moor_span(s->p + n, s->n - n);
    return word;
}

/* 'it''s' is it's. */
static const char *take_text(struct moor_span *s, struct moor_arena *arena)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(2048);
    skip_blanks(s);
    if (s->n == 0 || s->p[0] != '\'')
        return NULL;
    for (size_t i = 1; i < s->n; i++) {
        if (s->p[i] != '\'') {
            moor_buf_char(&b, s->p[i]);
        } else if (i + 1 < s->n && s->p[i + 1] == '\'') {
            moor_buf_char(&b, '\'');
            i++;
        } else {
            *s = moor_span(s->p + i + 1, s->n - i - 1);
            return b.failed ? NULL : moor_arena_str(arena, moor_buf_view(&b));
        }
    }
    return NULL;
}

moor_code moor_filter_parse(const char *text, struct moor_arena *arena,
                            struct moor_resource_filter *out, const char **location,
                            struct moor_error *err)
{
    const struct {
        const char *name;
        const char **to;
    } fields[] = {
        { "resourceGroup", &out->group }, { "resourceType", &out->type },  { "name", &out->name },
        { "tagname", &out->tag_name },    { "tagvalue", &out->tag_value }, { "location", location },
    };
    struct moor_span rest = moor_span_trim(moor_span_str(text));
    while (rest.n > 0) {
        struct moor_span name = take_word(&rest), op = take_word(&rest);
        const char *value = take_text(&rest, arena);
        const char **to = NULL;
        for (size_t i = 0; i < MOOR_COUNTOF(fields); i++)
            if (moor_span_eq_nocase(name, moor_span_str(fields[i].name)))
                to = fields[i].to;
        if (!to || !value || !moor_span_eq_nocase(op, MOOR_SPAN_LIT("eq")))
            return moor_fail(err, MOOR_E_BADINPUT, "want \"field eq 'value'\" joined by \"and\"");
        *to = value;
        skip_blanks(&rest);
        if (rest.n == 0)
            return MOOR_OK;
        if (!moor_span_eq_nocase(take_word(&rest), MOOR_SPAN_LIT("and")) ||
            moor_span_trim(rest).n == 0)
            return moor_fail(err, MOOR_E_BADINPUT, "want \"and\" between conditions");
    }
    return MOOR_OK;
}
