/* SPDX-License-Identifier: Apache-2.0 */
/* The query endpoint: GET and POST [/v1]/workspaces/{id}/query. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "api/service.h"
#include "base/timefmt.h"
#include "engine/kql.h"
#include "engine/tables.h"
#include "engine/timespan.h"
#include "store/logs.h"
#include "store/resources.h"

#define WORKSPACE_TYPE "Microsoft.OperationalInsights/workspaces"
#define RESULT_MAX     ((size_t)64 << 20)
#define ARENA_MAX      ((size_t)16 << 20)

struct job {
    struct moor_call *call; /* NULL: nobody waits */
    atomic_bool unwanted;   /* the client left: stop reading */
    struct moor_arena arena;
    const char *database;
    struct moor_kql *query;
    struct moor_log_scan scan;
    size_t tenant_column, type_column;
    struct moor_kql_run *run;
    struct moor_buf rows;
    bool cut;
    struct moor_error err;
};

static void job_free(struct job *j)
{
    if (!j)
        return;
    moor_kql_run_free(j->run);
    moor_buf_drop(&j->rows);
    moor_arena_drop(&j->arena);
    free(j);
}
static void job_autofree(struct job **j)
{
    job_free(*j);
}
#define JOB_AUTO __attribute__((cleanup(job_autofree))) struct job *

/* The error object of Azure's query service; inner may be NULL. */
static void refuse(struct moor_call *c, int status, const char *code, const char *message,
                   struct moor_json *inner)
{
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    struct moor_json *e = moor_json_set(o, "error", moor_json_new_object());
    moor_json_set_str(e, "message", message);
    moor_json_set_str(e, "code", code);
    moor_json_set_str(e, "correlationId", moor_http_request_id(c->ex));
    if (inner)
        moor_json_set(e, "innererror", inner);
    moor_call_json(c, status, o);
}

static void refuse_query(struct moor_call *c, const struct moor_kql_error *why)
{
    bool syntax = moor_streq(why->kind, "SyntaxError");
    struct moor_json *inner = moor_json_new_object(), *outer = moor_json_new_object();
    moor_json_set_str(inner, "code", why->code);
    moor_json_set_str(inner, "message", why->message);
    moor_json_set_int(inner, "line", why->line);
    moor_json_set_int(inner, "pos", why->pos);
    moor_json_set_str(inner, "token", why->token);
    moor_json_set_str(outer, "code", why->kind);
    moor_json_set_str(outer, "message",
                      syntax ? "A recognition error occurred in the query."
                             : "A semantic error occurred.");
    moor_json_set(outer, "innererror", inner);
    refuse(c, 400, "BadArgumentError", "The request had some invalid properties", outer);
}

static bool find_workspace(struct moor_call *c, struct moor_resource *out)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const char *id = moor_http_param(c->ex, "id");
    moor_code code = moor_resource_by_alias(c->app->store, WORKSPACE_TYPE, id, c->arena, out, &err);
    if (code && code != MOOR_E_NOTFOUND)
        moor_call_fail(c, &err);
    else if (code)
        refuse(c, 404, "WorkspaceNotFoundError", "The workspace could not be found", NULL);
    else if (moor_authz_allows(c->app->authz, &c->caller, WORKSPACE_TYPE "/query/read", out->id))
        return true;
    else
        refuse(c, 403, "InsufficientAccessError",
               "The provided credentials have insufficient access to perform the requested "
               "operation",
               NULL);
    return false;
}

/* The query's text and the time it is about: of a POST both places count. */
static bool read_request(struct moor_call *c, const char **text, struct moor_timespan *span)
{
    MOOR_AUTOPTR(moor_json) body = NULL;
    const char *in_body = NULL, *in_query = moor_http_query(c->ex, "timespan");
    *text = moor_http_query(c->ex, "query");
    if (moor_streq(moor_http_method(c->ex), "POST")) {
        if (!(body = moor_call_body(c)))
            return false;
        const char *query = moor_json_get_str(body, "query");
        *text = query ? moor_arena_str(c->arena, moor_span_str(query)) : NULL;
        in_body = moor_json_get_str(body, "timespan");
    }
    if (!*text) {
        refuse(c, 400, "BadArgumentError", "The request had some invalid properties: query", NULL);
        return false;
    }
    *span = MOOR_TIMESPAN_ALL;
    if ((in_query && !moor_timespan_narrow(span, in_query, c->now_ms)) ||
        (in_body && !moor_timespan_narrow(span, in_body, c->now_ms))) {
        refuse(c, 400, "BadArgumentError",
               "The request had some invalid properties: timespan: want an ISO 8601 duration or "
               "interval",
               NULL);
        return false;
    }
    return true;
}

/* The table's columns as stored with the workspace, or Azure's own. */
static bool columns_of(struct moor_call *c, struct job *j, const struct moor_resource *workspace,
                       struct moor_kql_columns *out)
{
    struct moor_resource table;
    struct moor_kql_columns own;
    MOOR_AUTOPTR(moor_json) p = NULL;
    const char *name = moor_kql_table(j->query);
    if (!moor_table_builtin(name, &own) &&
        (moor_resource_get(c->app->store, moor_call_fmt(c, "%s/tables/%s", workspace->id, name),
                           &j->arena, &table, NULL) ||
         !moor_streq(table.name, name) ||
         moor_json_parse(moor_span_str(table.properties), &p, NULL) ||
         moor_table_columns(moor_json_path(p, "schema.columns"), "schema", &j->arena, &own, NULL)))
        return false;
    return moor_table_query_columns(&own, &j->arena, out, NULL) == MOOR_OK;
}

static bool prepare(struct moor_call *c, struct job *j, const struct moor_resource *workspace)
{
    const char *text = NULL;
    struct moor_timespan span;
    struct moor_kql_columns columns;
    struct moor_kql_error why;
    if (!read_request(c, &text, &span))
        return false;
    const char *copy = moor_arena_str(&j->arena, moor_span_str(text));
    bool good = copy && moor_kql_parse(moor_span_str(copy), c->now_ms, &j->arena, &j->query,
                                       &why) == MOOR_OK;
    if (copy && good && !columns_of(c, j, workspace, &columns)) {
        moor_kql_unknown_table(j->query, &why);
        good = false;
    }
    if (!copy || !good || moor_kql_bind(j->query, &columns, &why)) {
        if (copy)
            refuse_query(c, &why);
        else
            refuse(c, 400, "BadArgumentError", "The query is too long", NULL);
        return false;
    }
    j->tenant_column = 0;
    j->type_column = columns.count - 2;
    j->scan = (struct moor_log_scan){
        .workspace_id = moor_arena_str(&j->arena, moor_span_str(workspace->alias)),
        .table = moor_kql_table(j->query),
        .from_ms = span.from_ms,
        .to_ms = span.to_ms,
        .newest_first = true,
    };
    return true;
}

/* On a pool thread, with a handle of its own. */
static bool on_row(void *ctx, int64_t time_ms, struct moor_span json)
{
    (void)time_ms;
    struct job *j = ctx;
    struct moor_json *row = NULL;
    if (atomic_load(&j->unwanted))
        return false;
    if (moor_json_parse(json, &row, NULL))
        return true; /* not one of ours: left out */
    if (moor_kql_uses(j->query, j->tenant_column))
        moor_json_set_str(row, "TenantId", j->scan.workspace_id);
    if (moor_kql_uses(j->query, j->type_column))
        moor_json_set_str(row, "Type", j->scan.table);
    bool more = moor_kql_feed(j->run, row);
    moor_json_free(row);
    return more;
}

static void work(void *ctx)
{
    struct job *j = ctx;
    MOOR_AUTOPTR(moor_store) store = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    j->rows = (struct moor_buf)MOOR_BUF(RESULT_MAX);
    if (moor_store_open_reader(j->database, &store, &err) ||
        moor_kql_run_new(j->query, &j->rows, &j->run, &err) ||
        moor_log_scan(store, &j->scan, on_row, j, &err) || moor_kql_finish(j->run, &j->cut, &err))
        j->err = err;
}

static void put_columns(const struct moor_kql_columns *columns, struct moor_buf *b)
{
    moor_buf_char(b, '[');
    for (size_t i = 0; i < columns->count; i++) {
        moor_buf_str(b, i ? ",{\"name\":" : "{\"name\":");
        moor_buf_json_str(b, moor_span_str(columns->items[i].name));
        moor_buf_fmt(b, ",\"type\":\"%s\"}", moor_kql_type_name(columns->items[i].type));
    }
    moor_buf_char(b, ']');
}

static void answer(struct job *j)
{
    struct moor_call *c = j->call;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RESULT_MAX * 2);
    if (j->err.code == MOOR_E_NOMEM) {
        refuse(c, 400, "QueryLimitsExceeded", j->err.msg, NULL);
        return;
    }
    if (j->err.code) {
        moor_call_fail(c, &j->err);
        return;
    }
    moor_buf_str(&text, "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":");
    put_columns(moor_kql_result(j->query), &text);
    moor_buf_str(&text, ",\"rows\":");
    moor_buf_span(&text, moor_buf_view(&j->rows));
    moor_buf_str(&text, "}]");
    if (j->cut)
        moor_buf_str(&text,
                     ",\"error\":{\"code\":\"PartialError\",\"message\":\"There were some "
                     "errors when processing your query.\",\"details\":[{\"code\":"
                     "\"EngineError\",\"message\":\"The result was cut at 500,000 rows or 64 "
                     "MiB.\"}]}");
    moor_buf_char(&text, '}');
    if (text.failed)
        refuse(c, 400, "QueryLimitsExceeded", "The result is too large", NULL);
    else
        moor_http_reply(c->ex, 200, "application/json; charset=utf-8", moor_buf_view(&text));
}

static void done(void *ctx, bool cancelled)
{
    JOB_AUTO j = ctx;
    if (!j->call)
        return;
    moor_http_on_gone(j->call->ex, NULL, NULL);
    if (cancelled)
        moor_call_error(j->call, 503, "ServiceUnavailable", "The server stops.");
    else
        answer(j);
}

static void on_gone(void *ctx)
{
    struct job *j = ctx;
    atomic_store(&j->unwanted, true);
    j->call = NULL;
}

static void on_query(struct moor_call *c)
{
    struct moor_resource workspace;
    struct moor_error err = MOOR_ERROR_INIT;
    JOB_AUTO j = NULL;
    if (!find_workspace(c, &workspace))
        return;
    j = calloc(1, sizeof(*j));
    if (j) {
        j->call = c;
        j->arena = (struct moor_arena)MOOR_ARENA(ARENA_MAX);
        j->database = moor_arena_fmt(&j->arena, "%s/controlplane.db", c->app->config.state_dir);
    }
    if (j && j->database && !prepare(c, j, &workspace))
        return;
    if (!j || !j->database || moor_pool_submit(c->app->pool, work, done, j, &err)) {
        moor_http_reply_header(c->ex, "Retry-After", "1");
        refuse(c, 429, "ThrottledError", "Too many queries run.", NULL);
        return;
    }
    moor_http_on_gone(c->ex, on_gone, j);
    (void)MOOR_TAKE(j);
}

static const struct moor_endpoint query = { MOOR_AUD_QUERY, on_query, NULL };

const struct moor_http_route moor_query_routes[] = {
    MOOR_ROUTE("GET", "/v1/workspaces/{id}/query", query, 0),
    MOOR_ROUTE("POST", "/v1/workspaces/{id}/query", query, (size_t)256 << 10),
    MOOR_ROUTE("GET", "/workspaces/{id}/query", query, 0),
    MOOR_ROUTE("POST", "/workspaces/{id}/query", query, (size_t)256 << 10),
};
const size_t moor_query_route_count = MOOR_COUNTOF(moor_query_routes);
