/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest.h: a body sent to the ingestion endpoint becomes rows (docs/protocol/ingestion.md).
 * Touches no store: runs on a pool thread.
 */
#ifndef MOOR_ENGINE_INGEST_H
#define MOOR_ENGINE_INGEST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "engine/kql.h"
#include "store/logs.h"

#define MOOR_INGEST_WIRE_MAX     1048576u           /* a body as it is sent */
#define MOOR_INGEST_UNPACKED_MAX ((size_t)50 << 20) /* and decompressed */
#define MOOR_INGEST_FIELD_MAX    ((size_t)64 << 10) /* longer texts are cut */

struct moor_ingest {
    struct moor_span body;
    bool gzip;
    struct moor_kql_columns columns; /* of the stream: others are dropped */
    const char *resource_id;         /* becomes _ResourceId, "" = none */
    int64_t now_ms;                  /* TimeGenerated where there is none, or one too far off */
};

struct moor_ingested {
    struct moor_buf text; /* the rows' JSON, one behind the other */
    struct moor_log_row *rows;
    size_t count;
};
void moor_ingested_drop(struct moor_ingested *i);
MOOR_DEFINE_AUTO(moor_ingested)

/* BADINPUT with service_code InvalidJson, or NOMEM with ContentLengthLimitExceeded when the body
 * unpacks to too much. out is zeroed storage of the caller's; drop it in any case. */
MOOR_NODISCARD moor_code moor_ingest_rows(const struct moor_ingest *in, struct moor_ingested *out,
                                          struct moor_error *err);

/* Pure parts. The next element of a JSON array's text: *rest begins behind '[' or behind the last
 * element. False at the end (*rest is then what follows ']') or when it is no array (*ok false). */
bool moor_ingest_next(struct moor_span *rest, struct moor_span *item, bool *ok);

/* How much a rule may take: fixed windows of a minute. */
struct moor_quota {
    int64_t window_ms; /* start of the window */
    uint64_t requests, bytes;
};
/* Counts one request of so many bytes; 0 = let it in, else seconds until the next window. */
uint32_t moor_quota_take(struct moor_quota *q, uint64_t bytes, uint64_t requests_max,
                         uint64_t bytes_max, int64_t now_ms);

/* The quotas of all rules in use: entries of rules without a request for a minute are reused. */
struct moor_quotas;
MOOR_NODISCARD moor_code moor_quotas_new(uint64_t requests_max, uint64_t bytes_max,
                                         struct moor_quotas **out, struct moor_error *err);
void moor_quotas_free(struct moor_quotas *q);
MOOR_DEFINE_AUTOPTR(moor_quotas)
/* As moor_quota_take(), for the rule of that immutableId. */
uint32_t moor_quotas_take(struct moor_quotas *q, const char *rule, uint64_t bytes, int64_t now_ms);

#endif
