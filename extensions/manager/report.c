/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/report.h"

#include "base/sha256.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#define CONTENT_MAX ((size_t)900 * 1024) /* leaves room for the envelope in 1 MiB */

/* Handlers' statuses longer than this are left out, and scripts' outputs cut to it: the first limit
 * with which all else fits. */
static const size_t status_limits[] = { SIZE_MAX, 16 * 1024, 4 * 1024, 1024, 0 };

static const char *const running_states[MOOR_VERB_COUNT_] = {
    [MOOR_VERB_INSTALL] = "installing",     [MOOR_VERB_UPDATE] = "updating",
    [MOOR_VERB_ENABLE] = "enabling",        [MOOR_VERB_DISABLE] = "disabling",
    [MOOR_VERB_UNINSTALL] = "uninstalling",
};
static const struct {
    const char *state, *provisioning; /* while going on */
} phases[MOOR_PHASE_COUNT_] = {
    [MOOR_PHASE_ABSENT] = { "waiting", "Creating" },
    [MOOR_PHASE_UNPACKED] = { "installing", "Creating" },
    [MOOR_PHASE_INSTALLED] = { "enabling", "Creating" },
    [MOOR_PHASE_ENABLED] = { "enabling", "Updating" },
    [MOOR_PHASE_UPDATE_UNPACKED] = { "updating", "Updating" },
    [MOOR_PHASE_UPDATE_DISABLED] = { "updating", "Updating" },
    [MOOR_PHASE_UPDATE_COPIED] = { "updating", "Updating" },
    [MOOR_PHASE_UPDATE_DONE] = { "updating", "Updating" },
    [MOOR_PHASE_UNINSTALLED] = { "uninstalled", "Deleting" },
};

const char *moor_report_state(const struct moor_item *i)
{
    if (i->running.on)
        return running_states[i->running.verb];
    if (i->outcome == MOOR_OUTCOME_FAILED)
        return "failed";
    if (i->outcome == MOOR_OUTCOME_SUCCEEDED && i->phase == MOOR_PHASE_ENABLED)
        return "enabled";
    return phases[i->phase].state;
}

const char *moor_report_provisioning(const struct moor_item *i)
{
    if (i->outcome == MOOR_OUTCOME_GOING_ON)
        return phases[i->phase].provisioning;
    return i->outcome == MOOR_OUTCOME_FAILED ? "Failed" : "Succeeded";
}

/* What of the items is told. What they use changes all the time and is no reason for a report. */
struct limits {
    size_t status_max;
    bool usage;
};

static void add_str(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, ",\"%s\":", name);
    moor_buf_json_str(b, moor_span_str(value));
}

/* Nobody asked this control plane for it: it is known by its handler's name. */
static void add_unmanaged(struct moor_buf *b, const struct moor_item *i)
{
    moor_buf_str(b, "{\"name\":");
    MOOR_AUTO(moor_buf) name = MOOR_BUF(512);
    moor_buf_fmt(&name, "%s.%s", i->publisher, i->type);
    moor_buf_json_str(b, moor_buf_view(&name));
    add_str(b, "publisher", i->publisher);
    add_str(b, "type", i->type);
    add_str(b, "version", i->version);
    moor_buf_str(b, ",\"settingsSeqNo\":0,\"state\":\"unmanaged\"");
    add_str(b, "provisioningState", moor_report_provisioning(i));
    add_str(b, "message", i->message);
    moor_buf_char(b, '}');
}

static void add_item(struct moor_buf *b, const struct moor_item *i, const struct limits *l)
{
    bool installed = i->phase != MOOR_PHASE_ABSENT && i->phase != MOOR_PHASE_UNINSTALLED;
    moor_buf_str(b, "{\"name\":");
    moor_buf_json_str(b, moor_span_str(i->name));
    add_str(b, "publisher", i->publisher);
    add_str(b, "type", i->type);
    add_str(b, "version", installed ? i->version : "");
    moor_buf_fmt(b, ",\"settingsSeqNo\":%" PRIu64 ",\"code\":%" PRId64, i->service_seq, i->code);
    add_str(b, "state", moor_report_state(i));
    add_str(b, "provisioningState", moor_report_provisioning(i));
    add_str(b, "errorCode", i->error_code);
    add_str(b, "message", i->message);
    if (*i->status && strlen(i->status) <= l->status_max)
        moor_buf_fmt(b, ",\"status\":%s", i->status);
    if (l->usage && i->usage.cpu_ms)
        moor_buf_fmt(b, ",\"usage\":{\"cpuMilliseconds\":%" PRIu64 ",\"memoryBytes\":%" PRIu64 "}",
                     i->usage.cpu_ms, i->usage.memory_bytes);
    moor_buf_char(b, '}');
}

static void add_denial(struct moor_buf *b, const struct moor_denial *d)
{
    moor_buf_str(b, "{\"name\":");
    moor_buf_json_str(b, moor_span_str(d->name));
    add_str(b, "publisher", d->publisher);
    add_str(b, "type", d->type);
    moor_buf_fmt(b, ",\"settingsSeqNo\":%" PRIu64, d->service_seq);
    add_str(b, "rule", d->rule);
    add_str(b, "message", d->message);
    moor_buf_char(b, '}');
}

static bool is_unmanaged(const struct moor_item *i)
{
    return !i->listed && i->phase != MOOR_PHASE_ABSENT && i->phase != MOOR_PHASE_UNINSTALLED;
}

static void add_content(struct moor_buf *b, const struct moor_report *r, const struct limits *l)
{
    moor_buf_str(b, "\"extensions\":[");
    for (size_t n = 0; n < r->items->count; n++) {
        const struct moor_item *i = r->items->list[n];
        if (n > 0)
            moor_buf_char(b, ',');
        if (is_unmanaged(i))
            add_unmanaged(b, i);
        else
            add_item(b, i, l);
    }
    moor_buf_str(b, "],\"runCommands\":[");
    moor_buf_runs_report(b, r->runs, l->status_max);
    moor_buf_str(b, "],\"configurationAssignments\":[],\"denials\":[");
    for (size_t n = 0; n < r->denial_count; n++) {
        if (n > 0)
            moor_buf_char(b, ',');
        add_denial(b, &r->denials[n]);
    }
    moor_buf_char(b, ']');
}

static moor_code make_content(struct moor_buf *b, const struct moor_report *r, bool usage,
                              struct moor_error *err)
{
    moor_code c = MOOR_E_NOMEM;
    for (size_t n = 0; n < MOOR_COUNTOF(status_limits) && c != MOOR_OK; n++) {
        moor_buf_reset(b);
        const struct limits l = { status_limits[n], usage };
        add_content(b, r, &l);
        c = moor_buf_ok(b, "report", err);
    }
    return c;
}

moor_code moor_report_hash(const struct moor_report *r, char out[65], struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(CONTENT_MAX);
    moor_code c = make_content(&b, r, false, err);
    if (c == MOOR_OK)
        moor_sha256_hex(moor_buf_view(&b), out);
    return c;
}

void moor_buf_report(struct moor_buf *b, const struct moor_report *r)
{
    moor_buf_str(b, "{\"bootId\":");
    moor_buf_json_str(b, moor_span_str(r->boot_id));
    moor_buf_fmt(b, ",\"reportSequence\":%" PRIu64, r->sequence);
    add_str(b, "revision", r->revision);
    moor_buf_str(b, ",\"observedAt\":\"");
    moor_buf_rfc3339(b, r->observed_at_ms);
    moor_buf_str(b, "\",\"full\":true");
    add_str(b, "reportHash", r->hash);
    moor_buf_char(b, ',');
    MOOR_AUTO(moor_buf) content = MOOR_BUF(CONTENT_MAX);
    if (make_content(&content, r, true, NULL) != MOOR_OK)
        moor_buf_reset(&content); /* not here: moor_report_hash() of the same succeeded */
    moor_buf_span(b, moor_buf_view(&content));
    moor_buf_char(b, '}');
}
