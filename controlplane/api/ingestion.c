/* SPDX-License-Identifier: Apache-2.0 */
/* The Logs Ingestion endpoint: POST /dataCollectionRules/{immutableId}/streams/{stream}. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "api/service.h"
#include "base/text.h"
#include "engine/desired.h"
#include "engine/ingest.h"
#include "engine/rules.h"
#include "run/log.h"
#include "store/logs.h"
#include "store/resources.h"

#define RULE_TYPE   "Microsoft.Insights/dataCollectionRules"
#define BODY_MAX    (4u << 20) /* more than is taken, so that the refusal can say so */
#define ARENA_MAX   ((size_t)4 << 20)
#define TARGETS_MAX 10

struct target {
    const char *workspace_id; /* customerId */
    const char *table;
};

/* A request's work away from the loop. Owns all it needs: the client may leave meanwhile. */
struct job {
    struct moor_call *call; /* NULL: nobody waits */
    struct moor_app *app;
    struct moor_arena arena;
    char *body;
    struct moor_ingest in;
    struct target targets[TARGETS_MAX];
    size_t target_count;
    struct moor_ingested rows;
    struct moor_error err;
};

static void job_free(struct job *j)
{
    if (!j)
        return;
    moor_ingested_drop(&j->rows);
    moor_arena_drop(&j->arena);
    free(j->body);
    free(j);
}
static void job_autofree(struct job **j)
{
    job_free(*j);
}
#define JOB_AUTO __attribute__((cleanup(job_autofree))) struct job *

/* Errors carry their code in a header, too. */
MOOR_PRINTF(4, 5)
static void refuse(struct moor_call *c, int status, const char *code, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&text, fmt, ap);
    va_end(ap);
    moor_http_reply_header(c->ex, "x-ms-error-code", code);
    moor_call_error(c, status, code, "%s", moor_buf_cstr(&text));
}

/* A machine may send by the rules that are associated with it. */
static bool is_associated(struct moor_call *c, const char *rule_id)
{
    struct moor_resource_list rules;
    if (c->caller.kind != MOOR_PRINCIPAL_MACHINE ||
        moor_desired_rules(c->app->store, c->caller.resource_id, c->arena, &rules, NULL))
        return false;
    for (size_t i = 0; i < rules.count; i++)
        if (moor_strcasecmp(rules.items[i].id, rule_id) == 0)
            return true;
    return false;
}

/* The data action, or the right to give it to oneself. */
static bool may_send(struct moor_call *c, const char *rule_id)
{
    return is_associated(c, rule_id) ||
           moor_authz_allows_data(c->app->authz, &c->caller, "Microsoft.Insights/Telemetry/Write",
                                  rule_id) ||
           moor_authz_allows(c->app->authz, &c->caller,
                             "Microsoft.Authorization/roleAssignments/write", rule_id);
}

static bool find_rule(struct moor_call *c, struct moor_resource *rule)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const char *id = moor_http_param(c->ex, "rule");
    moor_code code = moor_resource_by_alias(c->app->store, RULE_TYPE, id, c->arena, rule, &err);
    if (code == MOOR_E_NOTFOUND) {
        refuse(c, 404, "NotFound", "Data collection rule with immutable Id '%.64s' not found.", id);
        return false;
    }
    if (code) {
        moor_call_fail(c, &err);
        return false;
    }
    if (may_send(c, rule->id))
        return true;
    refuse(c, 403, "OperationFailed",
           "The authentication token provided does not have access to ingest data for the data "
           "collection rule with immutable Id '%s'.",
           rule->alias);
    return false;
}

static bool within_limits(struct moor_call *c, const struct moor_resource *rule)
{
    size_t size = moor_http_body(c->ex).n;
    if (size > MOOR_INGEST_WIRE_MAX) {
        refuse(c, 413, "ContentLengthLimitExceeded",
               "Maximum allowed content length: %u bytes (1 MB). Provided content length: %zu "
               "bytes.",
               MOOR_INGEST_WIRE_MAX, size);
        return false;
    }
    uint32_t wait = moor_quotas_take(c->app->quotas, rule->alias, size, c->now_ms);
    if (!wait)
        return true;
    moor_http_reply_header(c->ex, "Retry-After", moor_call_fmt(c, "%u", (unsigned)wait));
    refuse(c, 429, "TooManyRequests", "The data collection rule '%s' has reached its limit.",
           rule->alias);
    return false;
}

static bool read_encoding(struct moor_call *c, bool *gzip)
{
    const char *encoding = moor_http_header(c->ex, "Content-Encoding");
    *gzip = encoding && moor_strcasecmp(encoding, "gzip") == 0;
    if (!encoding || *gzip || moor_strcasecmp(encoding, "identity") == 0)
        return true;
    refuse(c, 415, "UnsupportedContentEncoding", "Content-Encoding: want gzip or none.");
    return false;
}

/* Where the stream goes. False after an answer. */
static bool find_targets(struct moor_call *c, struct job *j, const struct moor_resource *rule)
{
    MOOR_AUTOPTR(moor_json) properties = NULL;
    struct moor_rule_flows flows;
    const char *stream = moor_http_param(c->ex, "stream");
    if (moor_json_parse(moor_span_str(rule->properties), &properties, &j->err) ||
        moor_rule_flows(properties, &j->arena, &flows, &j->err)) {
        moor_call_fail(c, &j->err);
        return false;
    }
    for (size_t i = 0; i < flows.count && j->target_count < TARGETS_MAX; i++) {
        struct moor_resource workspace;
        if (!moor_streq(flows.items[i].stream, stream) ||
            moor_resource_get(c->app->store, flows.items[i].workspace_id, &j->arena, &workspace,
                              NULL))
            continue;
        j->in.columns = flows.items[i].columns;
        j->targets[j->target_count++] = (struct target){ workspace.alias, flows.items[i].table };
    }
    if (j->target_count)
        return true;
    refuse(c, 400, "InvalidStream",
           "The stream '%.128s' was not configured in the data collection rule '%s'.", stream,
           rule->alias);
    return false;
}

static bool take_body(struct moor_call *c, struct job *j)
{
    struct moor_span body = moor_http_body(c->ex);
    const char *named = moor_http_header(c->ex, "azure-monitor-source-resourceid");
    MOOR_AUTO(moor_buf) resource = MOOR_BUF(2048);
    /* A machine speaks for itself; others name the resource, percent-coded. */
    if (c->caller.kind == MOOR_PRINCIPAL_MACHINE)
        moor_buf_str(&resource, c->caller.resource_id);
    else if (named && moor_percent_decode(moor_span_str(named), false, &resource, NULL))
        moor_buf_reset(&resource);
    j->body = malloc(body.n + 1);
    j->in.resource_id = moor_arena_str(&j->arena, moor_buf_view(&resource));
    if (!j->body || !j->in.resource_id)
        return false;
    if (body.n)
        memcpy(j->body, body.p, body.n);
    j->in.body = moor_span(j->body, body.n);
    j->in.now_ms = c->now_ms;
    return true;
}

/* On a pool thread. */
static void work(void *ctx)
{
    struct job *j = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_ingest_rows(&j->in, &j->rows, &err))
        j->err = err;
}

static moor_code append(struct job *j, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *s = j->app->store;
    if (!j->rows.count)
        return MOOR_OK;
    moor_code code = moor_store_begin(s, &tx, err);
    for (size_t i = 0; !code && i < j->target_count; i++)
        code = moor_log_append(s, j->targets[i].workspace_id, j->targets[i].table, j->rows.rows,
                               j->rows.count, j->in.now_ms, err);
    return code ? code : moor_store_commit(&tx, err);
}

static void answer(struct job *j)
{
    struct moor_call *c = j->call;
    if (j->err.code == MOOR_E_BADINPUT)
        refuse(c, 400, j->err.service_code, "%s", j->err.msg);
    else if (moor_streq(j->err.service_code, "ContentLengthLimitExceeded"))
        refuse(c, 413, j->err.service_code, "%s", j->err.msg);
    else if (j->err.code)
        moor_call_fail(c, &j->err);
    else
        moor_call_empty(c, 204);
}

static void done(void *ctx, bool cancelled)
{
    JOB_AUTO j = ctx;
    if (cancelled && !j->err.code)
        (void)!moor_fail(&j->err, MOOR_E_TRANSIENT, "the server stops");
    if (!j->call)
        return; /* nothing was acknowledged: the sender sends again */
    moor_http_on_gone(j->call->ex, NULL, NULL);
    if (!j->err.code && append(j, &j->err))
        moor_log_error(MOOR_LOG_ERROR, "ingestion.append", &j->err, NULL);
    answer(j);
}

static void on_gone(void *ctx)
{
    struct job *j = ctx;
    j->call = NULL;
}

static struct job *new_job(struct moor_call *c)
{
    struct job *j = calloc(1, sizeof(*j));
    if (j) {
        j->call = c;
        j->app = c->app;
        j->arena = (struct moor_arena)MOOR_ARENA(ARENA_MAX);
    }
    return j;
}

static void on_ingest(struct moor_call *c)
{
    struct moor_resource rule;
    struct moor_error err = MOOR_ERROR_INIT;
    JOB_AUTO j = NULL;
    if (!*c->api_version) {
        refuse(c, 400, "MissingApiVersionParameter",
               "The api-version query parameter is required.");
        return;
    }
    if (!find_rule(c, &rule) || !within_limits(c, &rule))
        return;
    j = new_job(c);
    if (j && (!read_encoding(c, &j->in.gzip) || !find_targets(c, j, &rule)))
        return;
    if (!j || !take_body(c, j) || moor_pool_submit(c->app->pool, work, done, j, &err)) {
        moor_http_reply_header(c->ex, "Retry-After", "1");
        refuse(c, 503, "ServiceUnavailable", "The server is busy.");
        return;
    }
    moor_http_on_gone(c->ex, on_gone, j);
    (void)MOOR_TAKE(j);
}

static const struct moor_endpoint ingest = { MOOR_AUD_INGESTION, on_ingest, NULL };

const struct moor_http_route moor_ingestion_routes[] = {
    MOOR_ROUTE("POST", "/dataCollectionRules/{rule}/streams/{stream}", ingest, BODY_MAX),
};
const size_t moor_ingestion_route_count = MOOR_COUNTOF(moor_ingestion_routes);
