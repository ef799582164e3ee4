/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rules.h"

#include <stdarg.h>
#include <string.h>

#include "engine/tables.h"

#define STREAMS_MAX      10u
#define DESTINATIONS_MAX 10u
#define SOURCES_MAX      10u
#define NAME_LEN_MAX     128u

struct reader {
    const struct moor_json *properties;
    struct moor_arena *arena;
    struct moor_error *err;
    struct moor_rule_flow *flows;
    size_t count, room;
};

MOOR_PRINTF(2, 3) static moor_code refuse(struct reader *r, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(400);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    return moor_fail(r->err, MOOR_E_BADINPUT, "properties.%s", moor_buf_cstr(&b));
}

static bool is_custom(const char *stream)
{
    return strncmp(stream, "Custom-", 7) == 0 && stream[7];
}

/* The columns of a stream: declared, or those of the table Azure names it after. */
static moor_code columns_of(struct reader *r, const char *stream, struct moor_kql_columns *out)
{
    if (strncmp(stream, "Microsoft-", 10) == 0)
        return moor_table_builtin(stream + 10, out)
                   ? MOOR_OK
                   : refuse(r, "dataFlows: %.128s: no such stream", stream);
    const struct moor_json *declared =
        moor_json_get(moor_json_get(r->properties, "streamDeclarations"), stream);
    if (!is_custom(stream) || !declared)
        return refuse(r, "dataFlows: %.128s: not among streamDeclarations", stream);
    return moor_table_columns(
        moor_json_get(declared, "columns"),
        moor_arena_fmt(r->arena, "properties.streamDeclarations.%.128s", stream), r->arena, out,
        r->err);
}

/* outputStream, or the stream itself, as a table's name. NULL when it names none. */
static const char *table_of(struct reader *r, const char *stream, const char *output)
{
    const char *name = output && *output ? output : stream;
    struct moor_kql_columns ignored;
    if (strncmp(name, "Microsoft-", 10) == 0)
        return moor_table_builtin(name + 10, &ignored)
                   ? moor_arena_str(r->arena, moor_span_str(name + 10))
                   : NULL;
    size_t n = strlen(name);
    if (!is_custom(name) || n < 11 || n > NAME_LEN_MAX || strcmp(name + n - 3, "_CL") != 0)
        return NULL;
    for (const char *p = name + 7; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *p))
            return NULL;
    return moor_arena_str(r->arena, moor_span_str(name + 7));
}

static const char *workspace_of(const struct reader *r, const char *destination)
{
    MOOR_JSON_EACH(d, moor_json_path(r->properties, "destinations.logAnalytics"))
    {
        if (moor_streq(moor_json_get_str(d, "name"), destination))
            return moor_json_get_str(d, "workspaceResourceId");
    }
    return NULL;
}

static moor_code add_flow(struct reader *r, const struct moor_json *flow, const char *stream,
                          const char *destination)
{
    struct moor_kql_columns columns;
    moor_code c = columns_of(r, stream, &columns);
    if (c)
        return c;
    const char *workspace = workspace_of(r, destination);
    const char *table = table_of(r, stream, moor_json_get_str(flow, "outputStream"));
    if (!workspace)
        return refuse(r, "dataFlows: %.64s: not among destinations.logAnalytics", destination);
    if (!table)
        return refuse(
            r, "dataFlows: %.128s: want an outputStream Custom-NAME_CL or Microsoft-TABLE", stream);
    for (size_t i = 0; i < r->count; i++)
        if (moor_streq(r->flows[i].stream, stream) &&
            moor_strcasecmp(r->flows[i].workspace_id, workspace) == 0 &&
            moor_streq(r->flows[i].table, table))
            return refuse(r, "dataFlows: %.128s: goes to one table twice", stream);
    if (r->count == r->room)
        return refuse(r, "dataFlows: too many flows");
    struct moor_rule_flow *f = &r->flows[r->count];
    f->stream = moor_arena_str(r->arena, moor_span_str(stream));
    f->workspace_id = moor_arena_str(r->arena, moor_span_str(workspace));
    f->destination = moor_arena_str(r->arena, moor_span_str(destination));
    f->table = table;
    f->columns = columns;
    if (!f->stream || !f->workspace_id || !f->destination)
        return moor_fail(r->err, MOOR_E_NOMEM, "properties.dataFlows: no memory");
    r->count++;
    return MOOR_OK;
}

static moor_code check_transform(struct reader *r, const struct moor_json *flow)
{
    const char *text = moor_json_get_str(flow, "transformKql");
    if (!text || moor_span_eq_str(moor_span_trim(moor_span_str(text)), "source"))
        return MOOR_OK;
    return refuse(r, "dataFlows: transformKql: only \"source\" is supported");
}

static moor_code read_flow(struct reader *r, const struct moor_json *flow)
{
    const struct moor_json *streams = moor_json_get(flow, "streams");
    const struct moor_json *destinations = moor_json_get(flow, "destinations");
    if (moor_json_typeof(streams) != MOOR_JSON_ARRAY || !moor_json_size(streams) ||
        moor_json_size(streams) > STREAMS_MAX)
        return refuse(r, "dataFlows: streams: want a list of 1..%u names", STREAMS_MAX);
    if (moor_json_typeof(destinations) != MOOR_JSON_ARRAY || !moor_json_size(destinations) ||
        moor_json_size(destinations) > DESTINATIONS_MAX)
        return refuse(r, "dataFlows: destinations: want a list of 1..%u names", DESTINATIONS_MAX);
    moor_code c = check_transform(r, flow);
    if (c)
        return c;
    MOOR_JSON_EACH(stream, streams)
    {
        MOOR_JSON_EACH(destination, destinations)
        {
            if (!moor_json_str(stream) || !moor_json_str(destination))
                return refuse(r, "dataFlows: streams and destinations are lists of texts");
            if ((c = add_flow(r, flow, moor_json_str(stream), moor_json_str(destination))))
                return c;
        }
    }
    return MOOR_OK;
}

static moor_code check_destinations(struct reader *r)
{
    const struct moor_json *list = moor_json_path(r->properties, "destinations.logAnalytics");
    if (moor_json_size(list) > DESTINATIONS_MAX)
        return refuse(r, "destinations.logAnalytics: at most %u", DESTINATIONS_MAX);
    MOOR_JSON_EACH(d, list)
    {
        const char *name = moor_json_get_str(d, "name");
        const char *id = moor_json_get_str(d, "workspaceResourceId");
        if (!name || !*name || strlen(name) > 64 || !id || strlen(id) > 1024)
            return refuse(r, "destinations.logAnalytics: want name and workspaceResourceId");
    }
    return MOOR_OK;
}

static moor_code check_declarations(struct reader *r)
{
    const struct moor_json *all = moor_json_get(r->properties, "streamDeclarations");
    struct moor_kql_columns ignored;
    moor_code c = MOOR_OK;
    if (all && moor_json_typeof(all) != MOOR_JSON_OBJECT)
        return refuse(r, "streamDeclarations: want an object");
    MOOR_JSON_EACH(declared, all)
    {
        const char *name = moor_json_name(declared);
        if (!is_custom(name) || strlen(name) > NAME_LEN_MAX)
            return refuse(r, "streamDeclarations.%.128s: want a name Custom-NAME", name);
        if ((c = columns_of(r, name, &ignored)))
            return c;
    }
    return MOOR_OK;
}

static moor_code check_sources(struct reader *r)
{
    const struct moor_json *all = moor_json_get(r->properties, "dataSources");
    size_t count = 0;
    if (all && moor_json_typeof(all) != MOOR_JSON_OBJECT)
        return refuse(r, "dataSources: want an object");
    MOOR_JSON_EACH(kind, all)
    {
        if (moor_json_typeof(kind) != MOOR_JSON_ARRAY)
            return refuse(r, "dataSources.%.64s: want a list", moor_json_name(kind));
        count += moor_json_size(kind);
    }
    return count > SOURCES_MAX ? refuse(r, "dataSources: at most %u", SOURCES_MAX) : MOOR_OK;
}

moor_code moor_rule_flows(const struct moor_json *properties, struct moor_arena *arena,
                          struct moor_rule_flows *out, struct moor_error *err)
{
    struct reader r = { .properties = properties, .arena = arena, .err = err };
    const struct moor_json *flows = moor_json_get(properties, "dataFlows");
    r.room = (size_t)STREAMS_MAX * MOOR_RULE_FLOWS_MAX;
    r.flows = moor_arena_array(arena, r.room, sizeof(*r.flows));
    if (!r.flows)
        return moor_fail(err, MOOR_E_NOMEM, "properties.dataFlows: no memory");
    if (flows &&
        (moor_json_typeof(flows) != MOOR_JSON_ARRAY || moor_json_size(flows) > MOOR_RULE_FLOWS_MAX))
        return refuse(&r, "dataFlows: want a list of at most %d", MOOR_RULE_FLOWS_MAX);
    moor_code c = check_declarations(&r);
    if (c || (c = check_sources(&r)) || (c = check_destinations(&r)))
        return c;
    MOOR_JSON_EACH(flow, flows)
    {
        if ((c = read_flow(&r, flow)))
            return c;
    }
    *out = (struct moor_rule_flows){ r.flows, r.count };
    return MOOR_OK;
}
