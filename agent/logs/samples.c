/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/samples.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/span.h"
#include "base/timefmt.h"

#define MIB        1048576.0
#define DETAILED   "VmInsights"
#define ORIGIN     "vm.azm.ms"
#define NAME_TOTAL "_Total"
#define FORWARDER  "Log Forwarder"
#define EXACT_MAX  9e15 /* whole numbers up to here are written as such */

/* What a counter is computed from. */
struct reading {
    const struct plat_counters *before, *now;
    const struct plat_volume *volume;
    const struct plat_link *link, *link_before;
    const struct moor_flow_sample *flow;
};

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Of the time since the sample before; member: of struct plat_cpu_times. */
static bool cpu_share(const struct reading *r, size_t member, bool rest, double *out)
{
    if (!r->before)
        return false;
    uint64_t now = 0, then = 0, total = r->now->cpu.total - r->before->cpu.total;
    memcpy(&now, (const char *)&r->now->cpu + member, sizeof(now));
    memcpy(&then, (const char *)&r->before->cpu + member, sizeof(then));
    double v = share(now > then ? now - then : 0, total);
    *out = rest ? 100 - v : v;
    return total > 0;
}

#define CPU(name, member, rest)                                                                    \
    static bool name(const struct reading *r, double *out)                                         \
    {                                                                                              \
        return cpu_share(r, offsetof(struct plat_cpu_times, member), rest, out);                   \
    }
CPU(cpu_busy, idle, true)
CPU(cpu_idle, idle, false)
CPU(cpu_iowait, iowait, false)
CPU(cpu_user, user, false)
CPU(cpu_system, system, false)

#define VALUE(name, expression)                                                                    \
    static bool name(const struct reading *r, double *out)                                         \
    {                                                                                              \
        *out = expression;                                                                         \
        return true;                                                                               \
    }
VALUE(memory_used_share, 100 - share(r->now->memory.available, r->now->memory.total))
VALUE(memory_free_share, share(r->now->memory.available, r->now->memory.total))
VALUE(memory_used, (double)(r->now->memory.total - r->now->memory.available) / MIB)
VALUE(memory_free, (double)r->now->memory.available / MIB)
VALUE(swap_used_share,
      share(r->now->memory.swap_total - r->now->memory.swap_free, r->now->memory.swap_total))
VALUE(swap_free_share, share(r->now->memory.swap_free, r->now->memory.swap_total))
VALUE(swap_used, (double)(r->now->memory.swap_total - r->now->memory.swap_free) / MIB)
VALUE(swap_free, (double)r->now->memory.swap_free / MIB)
VALUE(disk_used_share, share(r->volume->bytes - r->volume->bytes_free, r->volume->bytes))
VALUE(disk_free_share, share(r->volume->bytes_free, r->volume->bytes))
VALUE(disk_free, (double)r->volume->bytes_free / MIB)
VALUE(files_used_share, share(r->volume->files - r->volume->files_free, r->volume->files))
VALUE(files_free_share, share(r->volume->files_free, r->volume->files))
VALUE(link_bytes, (double)(r->link->rx_bytes + r->link->tx_bytes))
VALUE(link_rx_bytes, (double)r->link->rx_bytes)
VALUE(link_tx_bytes, (double)r->link->tx_bytes)
VALUE(link_rx_packets, (double)r->link->rx_packets)
VALUE(link_tx_packets, (double)r->link->tx_packets)
VALUE(link_rx_errors, (double)r->link->rx_errors)
VALUE(link_tx_errors, (double)r->link->tx_errors)
VALUE(uptime, (double)r->now->uptime_s)
VALUE(flow_received, (double)r->flow->counts.received)
VALUE(flow_acknowledged, (double)r->flow->counts.acknowledged)
VALUE(flow_queued, (double)r->flow->counts.queued)
VALUE(flow_dropped, (double)moor_log_counts_dropped(&r->flow->counts))
VALUE(flow_oldest, (double)r->flow->oldest_s)

/* A second's worth of what came and went since the sample before. */
static bool rate(const struct reading *r, uint64_t now, uint64_t then, double *out)
{
    uint64_t ms = r->before ? r->now->mono_ms - r->before->mono_ms : 0;
    if (ms == 0 || now < then)
        return false;
    *out = (double)(now - then) * 1000.0 / (double)ms;
    return true;
}

static bool link_rx_rate(const struct reading *r, double *out)
{
    return r->link_before && rate(r, r->link->rx_bytes, r->link_before->rx_bytes, out);
}

static bool link_tx_rate(const struct reading *r, double *out)
{
    return r->link_before && rate(r, r->link->tx_bytes, r->link_before->tx_bytes, out);
}

typedef enum each { ONCE, EACH_VOLUME, EACH_LINK, EACH_FLOW } each;

static const struct counter {
    const char *object, *name;
    each of;
    bool (*value)(const struct reading *r, double *out);
    const char *insights_namespace, *insights_name; /* NULL: none of InsightsMetrics */
} counters[] = {
    { "Processor", "% Processor Time", ONCE, cpu_busy, "Processor", "UtilizationPercentage" },
    { "Processor", "% Idle Time", ONCE, cpu_idle, NULL, NULL },
    { "Processor", "% IO Wait Time", ONCE, cpu_iowait, NULL, NULL },
    { "Processor", "% User Time", ONCE, cpu_user, NULL, NULL },
    { "Processor", "% Privileged Time", ONCE, cpu_system, NULL, NULL },
    { "Memory", "% Used Memory", ONCE, memory_used_share, NULL, NULL },
    { "Memory", "% Available Memory", ONCE, memory_free_share, "Memory", "AvailablePercentage" },
    { "Memory", "Used Memory MBytes", ONCE, memory_used, NULL, NULL },
    { "Memory", "Available MBytes Memory", ONCE, memory_free, "Memory", "AvailableMB" },
    { "Memory", "% Used Swap Space", ONCE, swap_used_share, NULL, NULL },
    { "Memory", "% Available Swap Space", ONCE, swap_free_share, NULL, NULL },
    { "Memory", "Used MBytes Swap Space", ONCE, swap_used, NULL, NULL },
    { "Memory", "Available MBytes Swap", ONCE, swap_free, NULL, NULL },
    { "Logical Disk", "% Used Space", EACH_VOLUME, disk_used_share, NULL, NULL },
    { "Logical Disk", "% Free Space", EACH_VOLUME, disk_free_share, "LogicalDisk",
      "FreeSpacePercentage" },
    { "Logical Disk", "Free Megabytes", EACH_VOLUME, disk_free, "LogicalDisk", "FreeSpaceMB" },
    { "Logical Disk", "% Used Inodes", EACH_VOLUME, files_used_share, NULL, NULL },
    { "Logical Disk", "% Free Inodes", EACH_VOLUME, files_free_share, NULL, NULL },
    { "Network", "Total Bytes", EACH_LINK, link_bytes, NULL, NULL },
    { "Network", "Total Bytes Received", EACH_LINK, link_rx_bytes, NULL, NULL },
    { "Network", "Total Bytes Transmitted", EACH_LINK, link_tx_bytes, NULL, NULL },
    { "Network", "Total Packets Received", EACH_LINK, link_rx_packets, NULL, NULL },
    { "Network", "Total Packets Transmitted", EACH_LINK, link_tx_packets, NULL, NULL },
    { "Network", "Total Rx Errors", EACH_LINK, link_rx_errors, NULL, NULL },
    { "Network", "Total Tx Errors", EACH_LINK, link_tx_errors, NULL, NULL },
    { "Network", "Bytes Received/sec", EACH_LINK, link_rx_rate, "Network", "ReadBytesPerSecond" },
    { "Network", "Bytes Sent/sec", EACH_LINK, link_tx_rate, "Network", "WriteBytesPerSecond" },
    { "System", "Uptime", ONCE, uptime, NULL, NULL },
    { FORWARDER, "Records Received", EACH_FLOW, flow_received, FORWARDER, "RecordsReceived" },
    { FORWARDER, "Records Acknowledged", EACH_FLOW, flow_acknowledged, FORWARDER,
      "RecordsAcknowledged" },
    { FORWARDER, "Records Queued", EACH_FLOW, flow_queued, FORWARDER, "RecordsQueued" },
    { FORWARDER, "Records Dropped", EACH_FLOW, flow_dropped, FORWARDER, "RecordsDropped" },
    { FORWARDER, "Oldest Unacknowledged Seconds", EACH_FLOW, flow_oldest, FORWARDER,
      "OldestUnacknowledgedSeconds" },
};

/* "Object(instance)\Counter" in its parts; a leading backslash is Windows' way. */
struct specifier {
    struct moor_span object, instance, counter;
};

static struct specifier split(const char *text)
{
    struct specifier s = { .instance = MOOR_SPAN_LIT("*") };
    struct moor_span rest = moor_span_str(text);
    while (rest.n > 0 && *rest.p == '\\') {
        rest.p++;
        rest.n--;
    }
    s.object = moor_span_cut(&rest, '\\');
    s.counter = rest;
    struct moor_span inside = s.object, object = moor_span_cut(&inside, '(');
    if (moor_span_ends(inside, ")")) {
        s.object = object;
        s.instance = (struct moor_span){ inside.p, inside.n - 1 };
    }
    return s;
}

static bool word_fits(struct moor_span pattern, const char *word)
{
    return moor_span_eq_str(pattern, "*") || moor_span_eq_nocase(pattern, moor_span_str(word));
}

static bool fits(const struct specifier *s, const struct counter *c)
{
    if (moor_span_eq_str(s->object, DETAILED))
        return c->insights_name && c->of != EACH_FLOW;
    return word_fits(s->object, c->object) && word_fits(s->counter, c->name);
}

bool moor_counter_known(const char *specifier)
{
    const struct specifier s = split(specifier);
    for (size_t i = 0; i < MOOR_COUNTOF(counters); i++)
        if (fits(&s, &counters[i]))
            return true;
    return false;
}

static void add(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, ",\"%s\":", name);
    moor_buf_json_str(b, moor_span_str(value));
}

static void begin_row(struct moor_buf *b, int64_t utc_ms, const char *computer)
{
    char time[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(utc_ms, time);
    moor_buf_fmt(b, "{\"TimeGenerated\":\"%s\"", time);
    add(b, "Computer", computer);
}

static void add_number(struct moor_buf *b, const char *name, double value)
{
    bool whole = value >= 0 && value < EXACT_MAX && (double)(uint64_t)value == value;
    moor_buf_fmt(b, whole ? ",\"%s\":%.0f" : ",\"%s\":%.6g", name, value);
}

static void add_perf(struct moor_buf *b, const struct moor_sample *s, const struct counter *c,
                     const char *instance, double value)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(1024);
    moor_buf_fmt(&path, "\\\\%s\\%s(%s)\\%s", s->computer, c->object, instance, c->name);
    add(b, "ObjectName", c->object);
    add(b, "CounterName", c->name);
    add(b, "InstanceName", instance);
    add(b, "CounterPath", moor_buf_cstr(&path));
    add_number(b, "CounterValue", value);
    moor_buf_char(b, '}');
}

static void add_insights(struct moor_buf *b, const struct counter *c, const char *instance,
                         double value)
{
    MOOR_AUTO(moor_buf) tags = MOOR_BUF(1024);
    static const char *const tag[] = { NULL, "vm.azm.ms/mountId", "vm.azm.ms/networkDeviceId",
                                       "flow" };
    add(b, "Origin", ORIGIN);
    add(b, "Namespace", c->insights_namespace);
    add(b, "Name", c->insights_name);
    add_number(b, "Val", value);
    if (tag[c->of]) {
        moor_buf_fmt(&tags, "{\"%s\":", tag[c->of]);
        moor_buf_json_str(&tags, moor_span_str(instance));
        moor_buf_char(&tags, '}');
        add(b, "Tags", moor_buf_cstr(&tags));
    }
    moor_buf_char(b, '}');
}

static const struct plat_link *same_link(const struct plat_counters *c, const char *name)
{
    for (size_t i = 0; c && i < c->link_count; i++)
        if (moor_streq(c->links[i].name, name))
            return &c->links[i];
    return NULL;
}

static size_t instances(const struct moor_sample *s, each of)
{
    const size_t count[] = { [ONCE] = 1,
                             [EACH_VOLUME] = s->now->volume_count,
                             [EACH_LINK] = s->now->link_count,
                             [EACH_FLOW] = s->flow_count };
    return count[of];
}

/* The reading of instance i; its name. */
static const char *instance_of(const struct moor_sample *s, each of, size_t i, struct reading *r)
{
    *r = (struct reading){ .before = s->before, .now = s->now };
    if (of == ONCE)
        return NAME_TOTAL;
    if (of == EACH_VOLUME) {
        r->volume = &s->now->volumes[i];
        return r->volume->mount;
    }
    if (of == EACH_FLOW) {
        r->flow = &s->flows[i];
        return r->flow->key;
    }
    r->link = &s->now->links[i];
    r->link_before = same_link(s->before, r->link->name);
    return r->link->name;
}

void moor_sample_rows(const struct moor_sample *s, const struct moor_str_list *specifiers,
                      struct moor_buf *(*row)(void *ctx), void (*end)(void *ctx), void *ctx)
{
    for (size_t k = 0; k < specifiers->count; k++) {
        const struct specifier spec = split(specifiers->items[k]);
        for (size_t c = 0; c < MOOR_COUNTOF(counters); c++) {
            if (!fits(&spec, &counters[c]) || (s->insights && !counters[c].insights_name))
                continue;
            for (size_t i = 0; i < instances(s, counters[c].of); i++) {
                struct reading r;
                double value = 0;
                const char *name = instance_of(s, counters[c].of, i, &r);
                if (!word_fits(spec.instance, name) || !counters[c].value(&r, &value))
                    continue;
                struct moor_buf *b = row(ctx);
                begin_row(b, s->utc_ms, s->computer);
                if (s->insights)
                    add_insights(b, &counters[c], name, value);
                else
                    add_perf(b, s, &counters[c], name, value);
                end(ctx);
            }
        }
    }
}

void moor_heartbeat_row_add(struct moor_buf *b, const struct moor_heartbeat_facts *f,
                            int64_t utc_ms)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        { "Category", "Azure Monitor Agent" },
        { "ComputerEnvironment", "Non-Azure" },
        { "OSType", "Linux" },
        { "OSName", f->os_name },
        { "OSMajorVersion", f->os_major },
        { "OSMinorVersion", f->os_minor },
        { "Version", f->version },
        { "VMUUID", f->vm_id },
        { "SubscriptionId", f->subscription_id },
        { "ResourceGroup", f->resource_group },
        { "ResourceProvider", "Microsoft.HybridCompute" },
        { "ResourceType", "machines" },
        { "Resource", f->resource_name },
        { "ResourceId", f->resource_id },
    };
    begin_row(b, utc_ms, f->computer);
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        if (texts[i].value && *texts[i].value)
            add(b, texts[i].name, texts[i].value);
    moor_buf_char(b, '}');
}
