/* SPDX-License-Identifier: Apache-2.0 */
/* The one place of libyaml: its events, of which few are taken. */
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "cli/pairs.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    struct moor_error *err;
};

MOOR_NODISCARD static moor_code refuse(struct reader *r, const char *what)
{
    return moor_fail(r->err, MOOR_E_BADINPUT, "line %zu: %s", r->event.start_mark.line + 1, what);
}

/* The next event, which must be of this type when type is not YAML_NO_EVENT. */
MOOR_NODISCARD static moor_code next(struct reader *r, yaml_event_type_t type, const char *want)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return moor_fail(r->err, MOOR_E_BADINPUT, "line %zu: cannot be read as YAML: %s",
                         r->parser.problem_mark.line + 1,
                         r->parser.problem ? r->parser.problem : "unknown");
    if (r->event.type == YAML_ALIAS_EVENT)
        return refuse(r, "aliases are not taken");
    return type == YAML_NO_EVENT || r->event.type == type ? MOOR_OK : refuse(r, want);
}

static bool is_null(struct moor_span s)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    for (size_t i = 0; i < MOOR_COUNTOF(nulls); i++)
        if (moor_span_eq_str(s, nulls[i]))
            return true;
    return false;
}

/* The text of the scalar at hand, appended. A plain null is nothing. */
MOOR_NODISCARD static moor_code take_scalar(struct reader *r, struct moor_buf *out)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return refuse(r, "want a scalar, or a list of scalars");
    if (r->event.data.scalar.anchor || r->event.data.scalar.tag)
        return refuse(r, "anchors and tags are not taken");
    struct moor_span s = moor_span(r->event.data.scalar.value, r->event.data.scalar.length);
    if (memchr(s.p, '\0', s.n))
        return refuse(r, "a NUL in a scalar");
    if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !is_null(s))
        moor_buf_span(out, s);
    moor_wipe(r->event.data.scalar.value, s.n);
    return MOOR_OK;
}

MOOR_NODISCARD static moor_code take_list(struct reader *r, struct moor_buf *out)
{
    if (r->event.data.sequence_start.anchor || r->event.data.sequence_start.tag)
        return refuse(r, "anchors and tags are not taken");
    for (;;) {
        moor_code c = next(r, YAML_NO_EVENT, "");
        if (c != MOOR_OK || r->event.type == YAML_SEQUENCE_END_EVENT)
            return c;
        moor_buf_str(out, out->len > 0 ? "," : "");
        c = take_scalar(r, out);
        if (c != MOOR_OK)
            return c;
    }
}

MOOR_NODISCARD static moor_code take_pair(struct reader *r, struct moor_pairs *out)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(MOOR_PAIR_NAME_MAX);
    MOOR_AUTO(moor_buf) value = MOOR_BUF_SECRET(MOOR_PAIR_VALUE_MAX);
    struct moor_pair *pair = NULL;
    moor_code c = take_scalar(r, &name);
    if (c == MOOR_OK)
        c = moor_pairs_add(out, moor_buf_view(&name), &pair, r->err);
    if (c == MOOR_OK)
        c = next(r, YAML_NO_EVENT, "");
    if (c == MOOR_OK)
        c = r->event.type == YAML_SEQUENCE_START_EVENT ? take_list(r, &value)
                                                       : take_scalar(r, &value);
    if (c == MOOR_OK)
        c = moor_buf_ok(&value, pair->name, r->err);
    return c == MOOR_OK ? moor_secret_take(&pair->value, &value, r->err) : c;
}

MOOR_NODISCARD static moor_code take_mapping(struct reader *r, struct moor_pairs *out)
{
    if (r->event.data.mapping_start.anchor || r->event.data.mapping_start.tag)
        return refuse(r, "anchors and tags are not taken");
    for (;;) {
        moor_code c = next(r, YAML_NO_EVENT, "");
        if (c != MOOR_OK || r->event.type == YAML_MAPPING_END_EVENT)
            return c;
        c = take_pair(r, out);
        if (c != MOOR_OK)
            return c;
    }
}

MOOR_NODISCARD static moor_code take_document(struct reader *r, struct moor_pairs *out)
{
    moor_code c = next(r, YAML_STREAM_START_EVENT, "want one mapping");
    if (c == MOOR_OK)
        c = next(r, YAML_DOCUMENT_START_EVENT, "want one mapping");
    if (c == MOOR_OK)
        c = next(r, YAML_MAPPING_START_EVENT, "want one mapping");
    if (c == MOOR_OK)
        c = take_mapping(r, out);
    if (c == MOOR_OK)
        c = next(r, YAML_DOCUMENT_END_EVENT, "want one mapping");
    return c == MOOR_OK ? next(r, YAML_STREAM_END_EVENT, "want one document") : c;
}

moor_code moor_pairs_read_yaml(struct moor_span text, struct moor_pairs *out,
                               struct moor_error *err)
{
    struct reader r = { .err = err };
    if (!yaml_parser_initialize(&r.parser))
        return moor_fail(err, MOOR_E_NOMEM, "YAML: out of memory");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
    moor_code c = take_document(&r, out);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return c;
}
