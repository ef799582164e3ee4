/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/rules.h"

#include <string.h>

#include "core/url.h"
#include "logs/glob.h"
#include "logs/rule_transform.h"
#include "logs/samples.h"

#define PATTERN_MAX       1024
#define SOURCES_MAX       10 /* the limits of Azure's own rules, as far as they have them */
#define LIST_MAX          64
#define ID_MIN            5
#define COUNTERS_MAX      100
#define FLOWS_MAX         (MOOR_COUNTOF(kinds) * SOURCES_MAX * SOURCES_MAX + 1)
#define HEARTBEAT_SECONDS 60
#define HEARTBEAT_STREAM  "Microsoft-Heartbeat"

struct text_settings {
    const char *record_start;
};
struct source_settings {
    struct text_settings text;
};
/* A data source of any kind; what a kind does not have stays empty. */
struct source {
    const char *name;
    const char *transform;
    struct moor_str_list streams;
    struct moor_str_list patterns; /* units, counter specifiers */
    int format;
    struct source_settings settings;
    struct moor_str_list facilities, levels;
    uint32_t seconds;
};
struct sources {
    struct moor_obj_list log_files, iis, syslog, journal, counters;
};
struct workspace {
    const char *name;
};
struct destinations {
    struct moor_obj_list workspaces;
};
struct data_flow {
    struct moor_str_list streams;
    struct moor_str_list destinations;
};
struct endpoints {
    const char *logs;
};
struct properties {
    const char *immutable_id;
    struct endpoints endpoints;
    struct sources sources;
    struct destinations destinations;
    struct moor_obj_list flows;
    struct moor_obj_list pipelines;
};
struct document {
    uint32_t schema;
    const char *immutable_id;
    const char *endpoint;
    struct properties properties;
};

#define END                                                                                        \
    {                                                                                              \
        MOOR_F_END, NULL, 0, 0, 0, 0, NULL                                                         \
    }
#define SHAPE(type, fields)                                                                        \
    static const struct moor_json_shape type##_shape = { sizeof(struct type), fields, 0 }

static const char *const formats[] = { "text", "json", NULL };

static const struct moor_json_field text_settings_fields[] = {
    { MOOR_F_STR, "recordStartTimestampFormat", offsetof(struct text_settings, record_start), 0, 0,
      64, NULL },
    END,
};
SHAPE(text_settings, text_settings_fields);
static const struct moor_json_field source_settings_fields[] = {
    { MOOR_F_OBJ, "text", offsetof(struct source_settings, text), 0, 0, 0, &text_settings_shape },
    END,
};
SHAPE(source_settings, source_settings_fields);
#define S(member) offsetof(struct source, member)
#define NAME_AND_STREAMS                                                                           \
    { MOOR_F_STR, "name", S(name), MOOR_F_REQUIRED, 1, 64, NULL },                                 \
        { MOOR_F_STR, "transform", S(transform), 0, 1, 64, NULL },                                 \
    {                                                                                              \
        MOOR_F_STR_LIST, "streams", S(streams), MOOR_F_REQUIRED, 1, SOURCES_MAX, NULL              \
    }
#define SOURCE_SHAPE(kind)                                                                         \
    static const struct moor_json_shape kind##_shape = { sizeof(struct source), kind##_fields, 0 }

static const struct moor_json_field log_files_fields[] = {
    NAME_AND_STREAMS,
    { MOOR_F_STR_LIST, "filePatterns", S(patterns), MOOR_F_REQUIRED, 1, LIST_MAX, NULL },
    { MOOR_F_ENUM, "format", S(format), MOOR_F_REQUIRED, 0, 0, formats },
    { MOOR_F_OBJ, "settings", S(settings), 0, 0, 0, &source_settings_shape },
    END,
};
SOURCE_SHAPE(log_files);
static const struct moor_json_field iis_fields[] = {
    NAME_AND_STREAMS,
    { MOOR_F_STR_LIST, "logDirectories", S(patterns), MOOR_F_REQUIRED, 1, LIST_MAX, NULL },
    END,
};
SOURCE_SHAPE(iis);
static const struct moor_json_field syslog_fields[] = {
    NAME_AND_STREAMS,
    { MOOR_F_STR_LIST, "facilityNames", S(facilities), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "logLevels", S(levels), 0, 0, LIST_MAX, NULL },
    END,
};
SOURCE_SHAPE(syslog);
static const struct moor_json_field journal_fields[] = {
    NAME_AND_STREAMS,
    { MOOR_F_STR_LIST, "facilityNames", S(facilities), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "logLevels", S(levels), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "units", S(patterns), 0, 0, LIST_MAX, NULL },
    END,
};
SOURCE_SHAPE(journal);
static const struct moor_json_field counters_fields[] = {
    NAME_AND_STREAMS,
    { MOOR_F_U32, "samplingFrequencyInSeconds", S(seconds), MOOR_F_REQUIRED, 1, 86400, NULL },
    { MOOR_F_STR_LIST, "counterSpecifiers", S(patterns), MOOR_F_REQUIRED, 1, COUNTERS_MAX, NULL },
    END,
};
SOURCE_SHAPE(counters);
#undef S
#define S(member) offsetof(struct sources, member)
static const struct moor_json_field sources_fields[] = {
    { MOOR_F_OBJ_LIST, "logFiles", S(log_files), 0, 0, SOURCES_MAX, &log_files_shape },
    { MOOR_F_OBJ_LIST, "iisLogs", S(iis), 0, 0, SOURCES_MAX, &iis_shape },
    { MOOR_F_OBJ_LIST, "syslog", S(syslog), 0, 0, SOURCES_MAX, &syslog_shape },
    { MOOR_F_OBJ_LIST, "journal", S(journal), 0, 0, SOURCES_MAX, &journal_shape },
    { MOOR_F_OBJ_LIST, "performanceCounters", S(counters), 0, 0, SOURCES_MAX, &counters_shape },
    END,
};
SHAPE(sources, sources_fields);
static const struct moor_json_field workspace_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct workspace, name), MOOR_F_REQUIRED, 1, 64, NULL },
    END,
};
SHAPE(workspace, workspace_fields);
static const struct moor_json_field destinations_fields[] = {
    { MOOR_F_OBJ_LIST, "logAnalytics", offsetof(struct destinations, workspaces), 0, 0, SOURCES_MAX,
      &workspace_shape },
    END,
};
SHAPE(destinations, destinations_fields);
static const struct moor_json_field data_flow_fields[] = {
    { MOOR_F_STR_LIST, "streams", offsetof(struct data_flow, streams), MOOR_F_REQUIRED, 1, LIST_MAX,
      NULL },
    { MOOR_F_STR_LIST, "destinations", offsetof(struct data_flow, destinations), MOOR_F_REQUIRED, 1,
      LIST_MAX, NULL },
    END,
};
SHAPE(data_flow, data_flow_fields);
static const struct moor_json_field endpoints_fields[] = {
    { MOOR_F_STR, "logsIngestion", offsetof(struct endpoints, logs), 0, 0, 2048, NULL },
    END,
};
SHAPE(endpoints, endpoints_fields);
static const struct moor_json_field properties_fields[] = {
    { MOOR_F_STR, "immutableId", offsetof(struct properties, immutable_id), 0, 0, 64, NULL },
    { MOOR_F_OBJ, "endpoints", offsetof(struct properties, endpoints), 0, 0, 0, &endpoints_shape },
    { MOOR_F_OBJ, "dataSources", offsetof(struct properties, sources), 0, 0, 0, &sources_shape },
    { MOOR_F_OBJ, "destinations", offsetof(struct properties, destinations), 0, 0, 0,
      &destinations_shape },
    { MOOR_F_OBJ_LIST, "dataFlows", offsetof(struct properties, flows), 0, 0, LIST_MAX,
      &data_flow_shape },
    { MOOR_F_OBJ_LIST, "transformations", offsetof(struct properties, pipelines), 0, 0, LIST_MAX,
      &moor_rule_pipeline_shape },
    END,
};
SHAPE(properties, properties_fields);
static const struct moor_json_field document_fields[] = {
    { MOOR_F_U32, "schema", offsetof(struct document, schema), 0, 1, 1, NULL },
    { MOOR_F_STR, "immutableId", offsetof(struct document, immutable_id), 0, 0, 64, NULL },
    { MOOR_F_STR, "endpoint", offsetof(struct document, endpoint), 0, 0, 2048, NULL },
    { MOOR_F_OBJ, "properties", offsetof(struct document, properties), MOOR_F_REQUIRED, 0, 0,
      &properties_shape },
    END,
};
SHAPE(document, document_fields);

static bool list_has(const struct moor_str_list *list, const char *s)
{
    for (size_t i = 0; i < list->count; i++)
        if (moor_streq(list->items[i], s))
            return true;
    return false;
}

/* A word that becomes part of a URL and of our own file names. */
static bool plain_word(const char *s)
{
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
           '\0';
}

/* Some flow must take the stream to a workspace the rule names: else the service would drop it. */
static moor_code check_stream(const struct properties *p, const char *name, const char *stream,
                              struct moor_error *err)
{
    const struct data_flow *flows = p->flows.items;
    const struct workspace *workspaces = p->destinations.workspaces.items;
    if (!plain_word(stream) || strlen(stream) > 128)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: properties.dataSources: streams: want letters, digits, "
                         "'.', '_', '-'",
                         name);
    for (size_t i = 0; i < p->flows.count; i++) {
        if (!list_has(&flows[i].streams, stream))
            continue;
        for (size_t w = 0; w < p->destinations.workspaces.count; w++)
            if (list_has(&flows[i].destinations, workspaces[w].name))
                return MOOR_OK;
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: properties.dataFlows[%zu].destinations: none is in "
                         "destinations.logAnalytics",
                         name, i);
    }
    return moor_fail(err, MOOR_E_BADINPUT, "%s: properties.dataFlows: no flow takes %s", name,
                     stream);
}

static bool windows_path(const char *s)
{
    return ((s[0] >= 'A' && s[0] <= 'Z') || (s[0] >= 'a' && s[0] <= 'z')) && s[1] == ':' &&
           (s[2] == '\\' || s[2] == '/');
}

static void note_ignored(struct moor_buf *b, const char *what)
{
    if (b->len > 0)
        moor_buf_str(b, ", ");
    moor_buf_str(b, what);
}

/* Keeps the patterns of this system. */
static moor_code prepare_files(const struct source *s, struct moor_flow_spec *f,
                               struct moor_buf *ignored, struct moor_arena *arena,
                               struct moor_error *err)
{
    const char **kept = moor_arena_array(arena, s->patterns.count, sizeof(*kept));
    if (!kept)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    f->patterns = (struct moor_str_list){ kept, 0 };
    f->format = s->format;
    for (size_t i = 0; i < s->patterns.count; i++) {
        const char *pattern = s->patterns.items[i];
        if (windows_path(pattern)) {
            note_ignored(ignored, pattern);
            continue;
        }
        if (strlen(pattern) > PATTERN_MAX || !moor_glob_valid(pattern))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "filePatterns[%zu]: want an absolute path without . and .., '*' for "
                             "any part of a name, '**' once for any folders",
                             i);
        kept[f->patterns.count++] = pattern;
    }
    const char *start = s->settings.text.record_start;
    f->record_start = start && s->format == MOOR_LOG_TEXT ? moor_stamp_find(start) : NULL;
    if (start && s->format == MOOR_LOG_TEXT && !f->record_start)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "settings.text.recordStartTimestampFormat: %s: is unknown", start);
    return MOOR_OK;
}

/* Every *.log in the folders and below them: IIS has a folder for each site. */
static moor_code prepare_iis(const struct source *s, struct moor_flow_spec *f,
                             struct moor_buf *ignored, struct moor_arena *arena,
                             struct moor_error *err)
{
    const char **kept = moor_arena_array(arena, s->patterns.count, sizeof(*kept));
    f->patterns = (struct moor_str_list){ kept, 0 };
    f->format = MOOR_LOG_W3C;
    for (size_t i = 0; kept && i < s->patterns.count; i++) {
        const char *folder = s->patterns.items[i];
        size_t n = strlen(folder);
        if (windows_path(folder)) {
            note_ignored(ignored, folder);
            continue;
        }
        while (n > 1 && folder[n - 1] == '/')
            n--;
        const char *pattern = moor_arena_fmt(arena, "%.*s/**/*.log", (int)n, folder);
        if (n > PATTERN_MAX || (pattern && !moor_glob_valid(pattern)))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "logDirectories[%zu]: want an absolute path without . and ..", i);
        kept[f->patterns.count++] = pattern;
        kept = pattern ? kept : NULL;
    }
    return kept ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "out of memory");
}

static moor_code prepare_syslog(const struct source *s, struct moor_flow_spec *f,
                                struct moor_buf *ignored, struct moor_arena *arena,
                                struct moor_error *err)
{
    (void)ignored;
    (void)arena;
    f->patterns = s->patterns;
    return moor_syslog_filter_make(&s->facilities, &s->levels, &f->filter, err);
}

static moor_code prepare_counters(const struct source *s, struct moor_flow_spec *f,
                                  struct moor_buf *ignored, struct moor_arena *arena,
                                  struct moor_error *err)
{
    (void)arena;
    (void)err;
    for (size_t i = 0; i < s->patterns.count; i++)
        if (!moor_counter_known(s->patterns.items[i]))
            note_ignored(ignored, s->patterns.items[i]);
    f->patterns = s->patterns;
    f->seconds = s->seconds;
    return MOOR_OK;
}

static const struct kind {
    const char *member;
    size_t list; /* in struct sources */
    const struct moor_json_shape *shape;
    int kind;
    moor_code (*prepare)(const struct source *s, struct moor_flow_spec *f, struct moor_buf *ignored,
                         struct moor_arena *arena, struct moor_error *err);
} kinds[] = {
    { "logFiles", S(log_files), &log_files_shape, MOOR_FLOW_FILES, prepare_files },
    { "iisLogs", S(iis), &iis_shape, MOOR_FLOW_FILES, prepare_iis },
    { "syslog", S(syslog), &syslog_shape, MOOR_FLOW_SYSLOG, prepare_syslog },
    { "journal", S(journal), &journal_shape, MOOR_FLOW_JOURNAL, prepare_syslog },
    { "performanceCounters", S(counters), &counters_shape, MOOR_FLOW_COUNTERS, prepare_counters },
};

static const struct moor_obj_list *list_of(const struct document *d, const struct kind *k)
{
    return (const void *)((const char *)&d->properties.sources + k->list);
}

/* One flow, of this stream, more. */
static moor_code add_flow(const struct document *d, const struct moor_flow_spec *like,
                          const char *stream, const char *source, struct moor_rule *out,
                          struct moor_arena *arena, struct moor_error *err)
{
    moor_code c = check_stream(&d->properties, like->rule, stream, err);
    if (c != MOOR_OK)
        return c;
    struct moor_flow_spec *f = &out->flows[out->flow_count++];
    *f = *like;
    f->endpoint = d->endpoint;
    f->immutable_id = d->immutable_id;
    f->stream = stream;
    f->key = moor_arena_fmt(arena, "%s/%s/%s", d->immutable_id, stream, source);
    return f->key ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", like->rule);
}

/* The text of the pipeline that the source names. */
static moor_code find_transform(const struct document *d, const struct source *s, const char **out,
                                struct moor_arena *arena, struct moor_error *err)
{
    const struct moor_rule_pipeline *pipelines = d->properties.pipelines.items;
    for (size_t i = 0; s->transform && i < d->properties.pipelines.count; i++) {
        if (!moor_streq(pipelines[i].name, s->transform))
            continue;
        moor_code c = moor_rule_pipeline_text(&pipelines[i], arena, out, err);
        return c == MOOR_OK ? c : moor_context(err, "transformations[%zu]", i);
    }
    return s->transform
               ? moor_fail(err, MOOR_E_BADINPUT,
                           "transform: %s: is not in properties.transformations", s->transform)
               : MOOR_OK;
}

static moor_code add_source(const struct document *d, const struct kind *k, const struct source *s,
                            const char *name, struct moor_rule *out, struct moor_buf *ignored,
                            struct moor_arena *arena, struct moor_error *err)
{
    struct moor_flow_spec f = { .rule = name, .kind = k->kind };
    if (!plain_word(s->name))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: properties.dataSources.%s: name: want letters, digits, '.', '_', '-'",
                         name, k->member);
    if (k->prepare(s, &f, ignored, arena, err) != MOOR_OK ||
        find_transform(d, s, &f.transform, arena, err) != MOOR_OK)
        return moor_context(err, "%s: properties.dataSources.%s: %s", name, k->member, s->name);
    moor_code c = MOOR_OK;
    bool nothing = k->kind == MOOR_FLOW_FILES && f.patterns.count == 0;
    for (size_t i = 0; c == MOOR_OK && !nothing && i < s->streams.count; i++)
        c = add_flow(d, &f, s->streams.items[i], s->name, out, arena, err);
    return c;
}

/* Whoever sends Heartbeat rows somewhere wants some: no data source is needed for them. */
static moor_code add_heartbeat(const struct document *d, const char *name, struct moor_rule *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    const struct moor_flow_spec f = { .rule = name,
                                      .kind = MOOR_FLOW_HEARTBEAT,
                                      .seconds = HEARTBEAT_SECONDS };
    const struct data_flow *flows = d->properties.flows.items;
    for (size_t i = 0; i < d->properties.flows.count; i++)
        if (list_has(&flows[i].streams, HEARTBEAT_STREAM))
            return add_flow(d, &f, HEARTBEAT_STREAM, "heartbeat", out, arena, err);
    return MOOR_OK;
}

static moor_code add_sources(const struct document *d, const char *name, struct moor_rule *out,
                             struct moor_buf *ignored, struct moor_arena *arena,
                             struct moor_error *err)
{
    moor_code c = MOOR_OK;
    out->flows = moor_arena_array(arena, FLOWS_MAX, sizeof(*out->flows));
    if (!out->flows)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    for (size_t k = 0; k < MOOR_COUNTOF(kinds); k++) {
        const struct moor_obj_list *list = list_of(d, &kinds[k]);
        const struct source *items = list->items;
        for (size_t i = 0; c == MOOR_OK && i < list->count; i++)
            c = add_source(d, &kinds[k], &items[i], name, out, ignored, arena, err);
    }
    return c == MOOR_OK ? add_heartbeat(d, name, out, arena, err) : c;
}

static moor_code check_document(struct document *d, const char *name, struct moor_arena *arena,
                                struct moor_error *err)
{
    struct moor_url url;
    /* As Azure writes a rule, they are among its properties. */
    if (!d->immutable_id || !*d->immutable_id)
        d->immutable_id = d->properties.immutable_id;
    if (!d->endpoint || !*d->endpoint)
        d->endpoint = d->properties.endpoints.logs;
    if (!d->immutable_id || strlen(d->immutable_id) < ID_MIN || !plain_word(d->immutable_id))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: immutableId: want dcr- and 32 hex digits",
                         name);
    if (!d->endpoint)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: endpoint: is missing, as is properties.endpoints.logsIngestion",
                         name);
    if (moor_url_parse(d->endpoint, &url, err) != MOOR_OK)
        return moor_context(err, "%s: endpoint", name);
    if (!url.https)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: endpoint: want https", name);
    d->endpoint = moor_arena_str(arena, moor_url_base(d->endpoint));
    return d->endpoint ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
}

/* Names what this version does not collect. */
static void note_other_sources(const struct moor_json *root, struct moor_buf *ignored)
{
    const struct moor_json *sources = moor_json_path(root, "properties.dataSources");
    if (moor_json_typeof(sources) != MOOR_JSON_OBJECT)
        return;
    MOOR_JSON_EACH(item, sources)
    {
        bool known = false;
        for (size_t k = 0; k < MOOR_COUNTOF(kinds); k++)
            known = known || moor_streq(moor_json_name(item), kinds[k].member);
        if (!known && moor_json_size(item) > 0)
            note_ignored(ignored, moor_json_name(item));
    }
}

moor_code moor_rule_decode(struct moor_span text, const char *name, struct moor_rule *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    MOOR_AUTO(moor_buf) ignored = MOOR_BUF(4096);
    struct document d = { .schema = 1 };
    struct moor_rule r = { .flows = NULL };
    if (moor_json_parse(text, &v, err) != MOOR_OK)
        return moor_context(err, "%s", name);
    name = moor_arena_str(arena, moor_span_str(name));
    if (!name)
        return moor_fail(err, MOOR_E_NOMEM, "rule: out of memory");
    moor_code c = moor_json_decode_value(v, name, &document_shape, &d, arena, err);
    if (c == MOOR_OK)
        c = check_document(&d, name, arena, err);
    if (c != MOOR_OK)
        return c;
    c = add_sources(&d, name, &r, &ignored, arena, err);
    if (c != MOOR_OK)
        return c;
    note_other_sources(v, &ignored);
    r.endpoint = d.endpoint;
    r.immutable_id = d.immutable_id;
    r.ignored = moor_arena_str(arena, moor_span_str(moor_buf_cstr(&ignored)));
    if (!r.ignored)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    *out = r;
    return MOOR_OK;
}

/* Every member that is looked at, or known to be for others; "[]" is any item, "**" all below. */
static const char *const members[] = {
    "schema",
    "id",
    "name",
    "type",
    "etag",
    "kind",
    "location",
    "tags.**",
    "systemData.**",
    "immutableId",
    "endpoint",
    "properties",
    "properties.immutableId",
    "properties.description",
    "properties.provisioningState",
    "properties.dataCollectionEndpointId",
    "properties.endpoints.**",
    "properties.streamDeclarations.**",
    "properties.destinations.**",
    "properties.transformations.**",
    "properties.dataSources",
    "properties.dataFlows",
    "properties.dataFlows[]",
    "properties.dataFlows[].streams.**",
    "properties.dataFlows[].destinations.**",
    "properties.dataFlows[].transform",
    "properties.dataFlows[].transformKql",
    "properties.dataFlows[].outputStream",
};

static bool is_member(const char *path)
{
    for (size_t i = 0; i < MOOR_COUNTOF(members); i++) {
        size_t n = strlen(members[i]);
        bool below = n > 3 && strcmp(members[i] + n - 3, ".**") == 0;
        if (below ? strncmp(path, members[i], n - 3) == 0 : moor_streq(path, members[i]))
            return true;
    }
    return false;
}

static void name_unknown(const struct moor_json *v, struct moor_buf *path, struct moor_buf *out)
{
    size_t at = path->len;
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT && moor_json_typeof(v) != MOOR_JSON_ARRAY)
        return;
    MOOR_JSON_EACH(item, v)
    {
        if (moor_json_typeof(v) == MOOR_JSON_ARRAY)
            moor_buf_str(path, "[]");
        else
            moor_buf_fmt(path, "%s%s", at ? "." : "", moor_json_name(item));
        const char *text = moor_buf_cstr(path);
        /* Data sources are judged by their kinds. */
        if (!moor_span_starts(moor_buf_view(path), "properties.dataSources.")) {
            if (is_member(text))
                name_unknown(item, path, out);
            else
                note_ignored(out, text);
        }
        moor_buf_cut(path, at);
    }
}

/* Members of one data source that its kind does not have. */
static void name_unknown_source(const struct kind *k, const struct moor_json *source,
                                struct moor_buf *out)
{
    MOOR_JSON_EACH(item, source)
    {
        bool known = false;
        for (const struct moor_json_field *f = k->shape->fields; f->name; f++)
            known = known || moor_streq(f->name, moor_json_name(item));
        MOOR_AUTO(moor_buf) path = MOOR_BUF(512);
        moor_buf_fmt(&path, "properties.dataSources.%s[].%s", k->member, moor_json_name(item));
        if (!known)
            note_ignored(out, moor_buf_cstr(&path));
    }
}

moor_code moor_rule_unknown(struct moor_span text, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_code c = moor_json_parse(text, &v, err);
    if (c != MOOR_OK)
        return c;
    name_unknown(v, &path, out);
    for (size_t k = 0; k < MOOR_COUNTOF(kinds); k++) {
        moor_buf_reset(&path);
        moor_buf_fmt(&path, "properties.dataSources.%s", kinds[k].member);
        const struct moor_json *list = moor_json_path(v, moor_buf_cstr(&path));
        if (moor_json_typeof(list) != MOOR_JSON_ARRAY)
            continue;
        MOOR_JSON_EACH(source, list)
        name_unknown_source(&kinds[k], source, out);
    }
    return MOOR_OK;
}

void moor_buf_stream_url(struct moor_buf *b, const char *endpoint, const char *immutable_id,
                         const char *stream)
{
    moor_buf_str(b, endpoint);
    moor_buf_str(b, "/dataCollectionRules/");
    moor_buf_url_part(b, moor_span_str(immutable_id));
    moor_buf_str(b, "/streams/");
    moor_buf_url_part(b, moor_span_str(stream));
    moor_buf_str(b, "?api-version=2023-01-01");
}

bool moor_path_within(const char *path, const struct moor_str_list *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        size_t n = strlen(folders->items[i]);
        while (n > 0 && folders->items[i][n - 1] == '/')
            n--;
        if (strncmp(path, folders->items[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}
