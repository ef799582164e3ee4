/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/rule_transform.h"

#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"
#include "logs/transform.h"
#include "logs/transform_internal.h"

#define LIST_MAX 64

struct processor {
    const char *name;
    const char *configuration; /* JSON */
};
struct header {
    const char *name;
};
struct condition {
    const char *column, *operator_, *value;
};
struct group {
    struct moor_obj_list all;
};
struct filter {
    struct moor_obj_list any;
};
struct mapping {
    const char *column, *path, *name, *type;
};
struct mappings {
    const char *column;
    struct moor_obj_list all;
};
struct drop {
    struct moor_str_list columns;
};
struct expression {
    const char *text;
};

#define END                                                                                        \
    {                                                                                              \
        MOOR_F_END, NULL, 0, 0, 0, 0, NULL                                                         \
    }
#define STR(name, type, member, flags)                                                             \
    {                                                                                              \
        MOOR_F_STR, name, offsetof(struct type, member), flags, 1, 1024, NULL                      \
    }
#define LIST(name, type, member, shape)                                                            \
    {                                                                                              \
        MOOR_F_OBJ_LIST, name, offsetof(struct type, member), MOOR_F_REQUIRED, 1, LIST_MAX, shape  \
    }
#define SHAPE(type)                                                                                \
    static const struct moor_json_shape type##_shape = { sizeof(struct type), type##_fields,       \
                                                         MOOR_F_STRICT }

static const struct moor_json_field processor_fields[] = {
    STR("processor", processor, name, MOOR_F_REQUIRED),
    { MOOR_F_OBJ_JSON, "configuration", offsetof(struct processor, configuration), MOOR_F_REQUIRED,
      0, 0, NULL },
    END,
};
SHAPE(processor);
static const struct moor_json_field header_fields[] = {
    STR("processor", header, name, MOOR_F_REQUIRED),
    END,
};
static const struct moor_json_shape header_shape = { sizeof(struct header), header_fields, 0 };
static const struct moor_json_field pipeline_fields[] = {
    STR("name", moor_rule_pipeline, name, MOOR_F_REQUIRED),
    { MOOR_F_OBJ, "headerProcessor", offsetof(struct moor_rule_pipeline, header), 0, 0, 0,
      &header_shape },
    { MOOR_F_OBJ_LIST, "processors", offsetof(struct moor_rule_pipeline, processors), 0, 0,
      LIST_MAX, &processor_shape },
    END,
};
const struct moor_json_shape moor_rule_pipeline_shape = { sizeof(struct moor_rule_pipeline),
                                                          pipeline_fields, 0 };
static const struct moor_json_field condition_fields[] = {
    STR("columnName", condition, column, MOOR_F_REQUIRED),
    STR("operator", condition, operator_, MOOR_F_REQUIRED),
    { MOOR_F_JSON, "value", offsetof(struct condition, value), MOOR_F_REQUIRED, 0, 0, NULL },
    END,
};
SHAPE(condition);
static const struct moor_json_field group_fields[] = {
    LIST("all", group, all, &condition_shape),
    END,
};
SHAPE(group);
static const struct moor_json_field filter_fields[] = {
    LIST("any", filter, any, &group_shape),
    END,
};
SHAPE(filter);
static const struct moor_json_field mapping_fields[] = {
    STR("columnName", mapping, column, 0),
    STR("path", mapping, path, 0),
    STR("nameAs", mapping, name, 0),
    STR("typeAs", mapping, type, 0),
    END,
};
SHAPE(mapping);
static const struct moor_json_field mappings_fields[] = {
    STR("columnName", mappings, column, 0),
    LIST("all", mappings, all, &mapping_shape),
    END,
};
SHAPE(mappings);
static const struct moor_json_field drop_fields[] = {
    { MOOR_F_STR_LIST, "columnNames", offsetof(struct drop, columns), MOOR_F_REQUIRED, 1, LIST_MAX,
      NULL },
    END,
};
SHAPE(drop);
static const struct moor_json_field expression_fields[] = {
    { MOOR_F_STR, "expression", offsetof(struct expression, text), MOOR_F_REQUIRED, 1,
      (int64_t)MOOR_TRANSFORM_TEXT_MAX, NULL },
    END,
};
SHAPE(expression);

/* What Azure's agent calls columns before they are sent, and what they are called here, as in the
 * table. A header without any has the same names. */
static const struct alias {
    const char *header, *theirs, *ours;
} aliases[] = {
    { "header.Syslog", "Message", "SyslogMessage" },
    { "header.Syslog", "ProcessId", "ProcessID" },
    { "header.Syslog", "Severity", "SeverityLevel" },
    { "header.Syslog", "Host", "HostName" },
    { "header.Syslog", "Ident", "ProcessName" },
    { "header.Syslog", "Timestamp", "EventTime" },
    { "header.LinuxPerformanceCounters", "Value", "CounterValue" },
    { "header.LinuxPerformanceCounters", "Host", "Computer" },
    { "header.LinuxPerformanceCounters", "Timestamp", "TimeGenerated" },
    { "header.IISLog", "s_sitename", "sSiteName" },
    { "header.IISLog", "s_ip", "sIP" },
    { "header.IISLog", "cs_method", "csMethod" },
    { "header.IISLog", "cs_uri_stem", "csUriStem" },
    { "header.IISLog", "cs_uri_query", "csUriQuery" },
    { "header.IISLog", "s_port", "sPort" },
    { "header.IISLog", "cs_username", "csUserName" },
    { "header.IISLog", "c_ip", "cIP" },
    { "header.IISLog", "cs_version", "csVersion" },
    { "header.IISLog", "cs_User_Agent_", "csUserAgent" },
    { "header.IISLog", "cs_Cookie_", "csCookie" },
    { "header.IISLog", "cs_Referer_", "csReferer" },
    { "header.IISLog", "cs_host", "csHost" },
    { "header.IISLog", "sc_status", "scStatus" },
    { "header.IISLog", "sc_substatus", "scSubStatus" },
    { "header.IISLog", "sc_win32_status", "scWin32Status" },
    { "header.IISLog", "sc_bytes", "scBytes" },
    { "header.IISLog", "cs_bytes", "csBytes" },
    { "header.IISLog", "time_taken", "TimeTaken" },
    { "header.TextLog", "RawData", "RawData" },
};

struct writer {
    struct moor_buf *out;
    const char *header; /* NULL: columns are as they are called */
    struct moor_arena *arena;
};

/* ["name"] */
static void add_column(const struct writer *w, const char *name)
{
    for (size_t i = 0; w->header && i < MOOR_COUNTOF(aliases); i++)
        if (moor_streq(aliases[i].header, w->header) && moor_streq(aliases[i].theirs, name))
            name = aliases[i].ours;
    moor_buf_char(w->out, '[');
    moor_buf_json_str(w->out, moor_span_str(name));
    moor_buf_char(w->out, ']');
}

static moor_code decode(const char *configuration, const struct moor_json_shape *shape, void *out,
                        const struct writer *w, struct moor_error *err)
{
    return moor_json_decode(moor_span_str(configuration), "configuration", shape, out, w->arena,
                            err);
}

static moor_code add_condition(const struct writer *w, const struct condition *c,
                               struct moor_error *err)
{
    static const char *const operators[] = { "==", "!=", "contains", "!contains",
                                             ">",  "<",  ">=",       "<=" };
    bool known = false;
    for (size_t i = 0; i < MOOR_COUNTOF(operators); i++)
        known = known || moor_streq(operators[i], c->operator_);
    if (!known)
        return moor_fail(err, MOOR_E_BADINPUT, "operator: %s: is unknown", c->operator_);
    if (c->value[0] == '{' || c->value[0] == '[')
        return moor_fail(err, MOOR_E_BADINPUT, "value: want a text, a number or a boolean");
    add_column(w, c->column);
    moor_buf_fmt(w->out, " %s %s", c->operator_, c->value);
    return MOOR_OK;
}

static moor_code add_filter(const struct writer *w, const char *configuration,
                            struct moor_error *err)
{
    struct filter f = { .any = { NULL, 0 } };
    moor_code c = decode(configuration, &filter_shape, &f, w, err);
    const struct group *groups = f.any.items;
    moor_buf_str(w->out, " | where ");
    for (size_t i = 0; c == MOOR_OK && i < f.any.count; i++) {
        const struct condition *all = groups[i].all.items;
        moor_buf_str(w->out, i ? " or (" : "(");
        for (size_t k = 0; c == MOOR_OK && k < groups[i].all.count; k++) {
            moor_buf_str(w->out, k ? " and " : "");
            c = add_condition(w, &all[k], err);
        }
        moor_buf_char(w->out, ')');
    }
    return c;
}

/* The function that makes the type; "" = none is needed; NULL: it is unknown. */
static const char *converter(const char *type)
{
    static const struct {
        const char *type, *function;
    } types[] = { { "string", "tostring" }, { "int", "toint" },   { "long", "tolong" },
                  { "real", "toreal" },     { "bool", "tobool" }, { "datetime", "tostring" } };
    for (size_t i = 0; type && i < MOOR_COUNTOF(types); i++)
        if (moor_streq(type, types[i].type))
            return types[i].function;
    return type ? NULL : "";
}

static moor_code add_rename(const struct writer *w, const char *configuration,
                            struct moor_error *err)
{
    struct mappings m = { .column = NULL };
    moor_code c = decode(configuration, &mappings_shape, &m, w, err);
    const struct mapping *all = m.all.items;
    for (size_t i = 0; c == MOOR_OK && i < m.all.count; i++) {
        const char *function = converter(all[i].type);
        if (!all[i].column || !function || all[i].path)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "all[%zu]: want columnName, nameAs, typeAs of a known type", i);
        const struct writer plain = { w->out, all[i].name ? NULL : w->header, w->arena };
        const char *name = all[i].name ? all[i].name : all[i].column;
        if (all[i].name) {
            moor_buf_str(w->out, " | project-rename ");
            add_column(&plain, name);
            moor_buf_str(w->out, " = ");
            add_column(w, all[i].column);
        }
        if (*function) {
            moor_buf_str(w->out, " | extend ");
            add_column(&plain, name);
            moor_buf_fmt(w->out, " = %s(", function);
            add_column(&plain, name);
            moor_buf_char(w->out, ')');
        }
    }
    return c;
}

static moor_code add_drop(const struct writer *w, const char *configuration, struct moor_error *err)
{
    struct drop d = { .columns = { NULL, 0 } };
    moor_code c = decode(configuration, &drop_shape, &d, w, err);
    for (size_t i = 0; c == MOOR_OK && i < d.columns.count; i++) {
        moor_buf_str(w->out, i ? ", " : " | project-away ");
        add_column(w, d.columns.items[i]);
    }
    return c;
}

/* "$.a.b" as ["a"]["b"] */
static moor_code add_path(const struct writer *w, const char *path, struct moor_error *err)
{
    const struct writer plain = { w->out, NULL, w->arena };
    struct moor_span rest = moor_span_str(path), root = moor_span_cut(&rest, '.');
    if (!moor_span_eq_str(root, "$") || !rest.p || strpbrk(path, "[]*?@ "))
        return moor_fail(err, MOOR_E_BADINPUT, "path: %s: want $.name or $.name.name", path);
    while (rest.p) {
        const char *name = moor_arena_str(w->arena, moor_span_cut(&rest, '.'));
        if (!name || !*name)
            return moor_fail(err, MOOR_E_BADINPUT, "path: %s: want $.name or $.name.name", path);
        add_column(&plain, name);
    }
    return MOOR_OK;
}

static moor_code add_json_path(const struct writer *w, const char *configuration,
                               struct moor_error *err)
{
    const struct writer plain = { w->out, NULL, w->arena };
    struct mappings m = { .column = NULL };
    moor_code c = decode(configuration, &mappings_shape, &m, w, err);
    const struct mapping *all = m.all.items;
    if (c == MOOR_OK && !m.column)
        return moor_fail(err, MOOR_E_BADINPUT, "columnName: is missing");
    for (size_t i = 0; c == MOOR_OK && i < m.all.count; i++) {
        const char *function = converter(all[i].type);
        if (!all[i].path || !all[i].name || !function || all[i].column)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "all[%zu]: want path, nameAs, typeAs of a known type", i);
        moor_buf_str(w->out, i ? ", " : " | extend ");
        add_column(&plain, all[i].name);
        moor_buf_fmt(w->out, " = %s(parse_json(", function);
        add_column(w, m.column);
        moor_buf_char(w->out, ')');
        c = add_path(w, all[i].path, err);
        moor_buf_char(w->out, ')');
    }
    return c;
}

/* It was parsed: the first word is "source", behind blanks and comments at most. */
static const char *behind_source(const char *text)
{
    size_t at = 0;
    (void)moor_transform_token(moor_span_str(text), &at);
    return text + at;
}

static moor_code add_expression(const struct writer *w, const char *configuration,
                                struct moor_error *err)
{
    struct expression x = { .text = NULL };
    struct moor_transform *t = NULL;
    moor_code c = decode(configuration, &expression_shape, &x, w, err);
    if (c == MOOR_OK)
        c = moor_transform_parse(moor_span_str(x.text), w->arena, &t, err);
    if (c == MOOR_OK)
        moor_buf_str(w->out, behind_source(x.text));
    moor_buf_char(w->out, '\n'); /* it may end with a comment */
    return c;
}

static const struct {
    const char *name;
    moor_code (*add)(const struct writer *w, const char *configuration, struct moor_error *err);
} kinds[] = {
    { "filter.Basic", add_filter },
    { "map.Rename", add_rename },
    { "map.Drop", add_drop },
    { "parse.JsonPath", add_json_path },
    { "transform.KQL", add_expression },
};

static moor_code add_processor(const struct writer *w, const struct processor *p,
                               struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++)
        if (moor_streq(kinds[i].name, p->name))
            return kinds[i].add(w, p->configuration, err);
    return moor_fail(err, MOOR_E_BADINPUT, "is no processor that is run on the machine");
}

static moor_code check_header(const char *name, struct moor_error *err)
{
    for (size_t i = 0; name && i < MOOR_COUNTOF(aliases); i++)
        if (moor_streq(aliases[i].header, name))
            return MOOR_OK;
    if (!name)
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "headerProcessor: %s: is none of this machine", name);
}

moor_code moor_rule_pipeline_text(const struct moor_rule_pipeline *p, struct moor_arena *arena,
                                  const char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_TRANSFORM_TEXT_MAX);
    MOOR_AUTO(moor_arena) scratch = MOOR_ARENA(2 * MOOR_TRANSFORM_BYTES);
    const struct writer w = { &text, p->header, &scratch };
    const struct processor *processors = p->processors.items;
    struct moor_transform *t = NULL;
    moor_code c = check_header(p->header, err);
    moor_buf_str(&text, "source");
    for (size_t i = 0; c == MOOR_OK && i < p->processors.count; i++) {
        c = add_processor(&w, &processors[i], err);
        if (c != MOOR_OK)
            return moor_context(err, "processors[%zu]: %s", i, processors[i].name);
    }
    if (c == MOOR_OK && text.failed)
        c = moor_fail(err, MOOR_E_BADINPUT, "want at most %zu bytes", MOOR_TRANSFORM_TEXT_MAX);
    if (c == MOOR_OK)
        c = moor_transform_parse(moor_buf_view(&text), &scratch, &t, err);
    if (c != MOOR_OK)
        return c;
    *out = moor_arena_str(arena, moor_buf_view(&text));
    return *out ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "out of memory");
}
