/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/rules.h"

#include <string.h>

#include "core/url.h"
#include "logs/glob.h"

#define PATTERN_MAX 1024
#define SOURCES_MAX 10 /* the limits of Azure's own rules, as far as they have them */
#define LIST_MAX    64

struct text_settings {
    const char *record_start;
};
struct source_settings {
    struct text_settings text;
};
struct log_files {
    const char *name;
    struct moor_str_list streams;
    struct moor_str_list patterns;
    int format;
    struct source_settings settings;
};
struct sources {
    struct moor_obj_list log_files;
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
struct properties {
    struct sources sources;
    struct destinations destinations;
    struct moor_obj_list flows;
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
static const struct moor_json_field log_files_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct log_files, name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR_LIST, "streams", offsetof(struct log_files, streams), MOOR_F_REQUIRED, 1,
      SOURCES_MAX, NULL },
    { MOOR_F_STR_LIST, "filePatterns", offsetof(struct log_files, patterns), MOOR_F_REQUIRED, 1,
      LIST_MAX, NULL },
    { MOOR_F_ENUM, "format", offsetof(struct log_files, format), MOOR_F_REQUIRED, 0, 0, formats },
    { MOOR_F_OBJ, "settings", offsetof(struct log_files, settings), 0, 0, 0,
      &source_settings_shape },
    END,
};
SHAPE(log_files, log_files_fields);
static const struct moor_json_field sources_fields[] = {
    { MOOR_F_OBJ_LIST, "logFiles", offsetof(struct sources, log_files), 0, 0, SOURCES_MAX,
      &log_files_shape },
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
static const struct moor_json_field properties_fields[] = {
    { MOOR_F_OBJ, "dataSources", offsetof(struct properties, sources), 0, 0, 0, &sources_shape },
    { MOOR_F_OBJ, "destinations", offsetof(struct properties, destinations), 0, 0, 0,
      &destinations_shape },
    { MOOR_F_OBJ_LIST, "dataFlows", offsetof(struct properties, flows), 0, 0, LIST_MAX,
      &data_flow_shape },
    END,
};
SHAPE(properties, properties_fields);
static const struct moor_json_field document_fields[] = {
    { MOOR_F_U32, "schema", offsetof(struct document, schema), 0, 1, 1, NULL },
    { MOOR_F_STR, "immutableId", offsetof(struct document, immutable_id), MOOR_F_REQUIRED, 5, 64,
      NULL },
    { MOOR_F_STR, "endpoint", offsetof(struct document, endpoint), MOOR_F_REQUIRED, 1, 2048, NULL },
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
                         "%s: properties.dataSources.logFiles: streams: want letters, digits, "
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
static moor_code take_patterns(const struct log_files *s, const char *name,
                               struct moor_str_list *out, struct moor_buf *ignored,
                               struct moor_arena *arena, struct moor_error *err)
{
    const char **kept = moor_arena_array(arena, s->patterns.count, sizeof(*kept));
    if (!kept)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    out->items = kept;
    for (size_t i = 0; i < s->patterns.count; i++) {
        const char *pattern = s->patterns.items[i];
        if (windows_path(pattern)) {
            note_ignored(ignored, pattern);
            continue;
        }
        if (strlen(pattern) > PATTERN_MAX || !moor_glob_valid(pattern))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "%s: properties.dataSources.logFiles: %s: filePatterns[%zu]: want an "
                             "absolute path without . and .., '*' for any part of a name",
                             name, s->name, i);
        kept[out->count++] = pattern;
    }
    return MOOR_OK;
}

static moor_code add_flows(const struct document *d, const struct log_files *s, const char *name,
                           struct moor_rule *out, struct moor_buf *ignored,
                           struct moor_arena *arena, struct moor_error *err)
{
    struct moor_str_list patterns = { NULL, 0 };
    if (!plain_word(s->name))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: properties.dataSources.logFiles: name: want letters, digits, '.', "
                         "'_', '-'",
                         name);
    moor_code c = take_patterns(s, name, &patterns, ignored, arena, err);
    for (size_t i = 0; c == MOOR_OK && patterns.count > 0 && i < s->streams.count; i++) {
        c = check_stream(&d->properties, name, s->streams.items[i], err);
        if (c != MOOR_OK)
            break;
        struct moor_flow_spec *f = &out->flows[out->flow_count++];
        *f = (struct moor_flow_spec){ .rule = name,
                                      .endpoint = d->endpoint,
                                      .immutable_id = d->immutable_id,
                                      .stream = s->streams.items[i],
                                      .format = s->format,
                                      .patterns = patterns };
        f->key = moor_arena_fmt(arena, "%s/%s/%s", d->immutable_id, f->stream, s->name);
        if (!f->key)
            c = moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    }
    return c;
}

static moor_code check_document(struct document *d, const char *name, struct moor_arena *arena,
                                struct moor_error *err)
{
    struct moor_url url;
    if (!plain_word(d->immutable_id))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: immutableId: want dcr- and 32 hex digits",
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
    if (!moor_streq(moor_json_name(item), "logFiles") && moor_json_size(item) > 0)
        note_ignored(ignored, moor_json_name(item));
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
    const struct log_files *sources = d.properties.sources.log_files.items;
    size_t count = d.properties.sources.log_files.count;
    r.flows = moor_arena_array(arena, count * SOURCES_MAX, sizeof(*r.flows));
    if (!r.flows)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    for (size_t i = 0; c == MOOR_OK && i < count; i++)
        c = add_flows(&d, &sources[i], name, &r, &ignored, arena, err);
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
