/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h: data collection rules as this machine sees them: what goes to which stream.
 * Documents and their fields: docs/protocol/rules.md. Pure; any thread.
 */
#ifndef MOOR_LOGS_RULES_H
#define MOOR_LOGS_RULES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"
#include "logs/stamp.h"
#include "logs/syslog.h"

#define MOOR_RULE_BYTES_MAX ((size_t)512 * 1024)

typedef enum moor_log_format { MOOR_LOG_TEXT, MOOR_LOG_JSON_LINES, MOOR_LOG_W3C } moor_log_format;

typedef enum moor_flow_kind {
    MOOR_FLOW_FILES,
    MOOR_FLOW_SYSLOG,  /* what comes over the sockets of the setting logs.syslog */
    MOOR_FLOW_JOURNAL, /* the system's journal */
    MOOR_FLOW_COUNTERS,
    MOOR_FLOW_HEARTBEAT
} moor_flow_kind;

/* One stream of one data source: what is read together and delivered in order. */
struct moor_flow_spec {
    const char *key;  /* "<immutableId>/<stream>/<data source>": its name in positions and queue */
    const char *rule; /* the document's name */
    const char *endpoint;
    const char *immutable_id;
    const char *stream;
    int kind;                                     /* moor_flow_kind */
    int format;                                   /* of files: moor_log_format */
    const struct moor_stamp_format *record_start; /* of files, NULL = each line is a record */
    struct moor_str_list patterns; /* of files; units of the journal; counter specifiers */
    struct moor_syslog_filter filter;
    uint32_t seconds;      /* between two samples */
    const char *transform; /* what is done with rows (transform.h); NULL = nothing */
};

struct moor_rule {
    const char *endpoint;
    const char *immutable_id;
    struct moor_flow_spec *flows;
    size_t flow_count;
    const char *ignored; /* what of the rule is for others, "" = nothing: "syslog, C:\a.log" */
};

/* name is the document's in errors: "dcr1.json: properties.dataFlows: no flow takes Custom-A".
 * Everything lands in the arena; the text may go. */
MOOR_NODISCARD moor_code moor_rule_decode(struct moor_span text, const char *name,
                                          struct moor_rule *out, struct moor_arena *arena,
                                          struct moor_error *err);

/* Appends, separated by ", ", the members of a document that this version does not know. */
MOOR_NODISCARD moor_code moor_rule_unknown(struct moor_span text, struct moor_buf *out,
                                           struct moor_error *err);

/* Appends the URL that rows of the stream are posted to. */
void moor_buf_stream_url(struct moor_buf *b, const char *endpoint, const char *immutable_id,
                         const char *stream);

/* Whether path is one of these folders or below one. */
bool moor_path_within(const char *path, const struct moor_str_list *folders);

#endif
