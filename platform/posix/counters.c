/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/counters.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/span.h"
#include "base/text.h"
#include "platform/clock.h"
#include "proc.h"

#define FILE_BYTES 32768

/* Numbers with blanks before them; how many there were. */
static size_t numbers(struct moor_span s, uint64_t *out, size_t max)
{
    size_t n = 0;
    while (n < max && (s = moor_span_trim(s)).n > 0) {
        struct moor_span word = moor_span_cut(&s, ' ');
        if (moor_parse_u64(word, 0, UINT64_MAX, &out[n], NULL) != MOOR_OK)
            break;
        n++;
    }
    return n;
}

static void read_cpu(struct plat_cpu_times *c)
{
    char text[FILE_BYTES];
    uint64_t v[8] = { 0 };
    (void)posix_read_system("/proc/stat", text, sizeof(text));
    struct moor_span rest = moor_span_str(text), line = moor_span_cut(&rest, '\n');
    if (!moor_span_starts(line, "cpu "))
        return;
    /* user nice system idle iowait irq softirq steal */
    size_t n = numbers(moor_span(line.p + 4, line.n - 4), v, MOOR_COUNTOF(v));
    *c = (struct plat_cpu_times){
        .user = v[0] + v[1], .system = v[2] + v[5] + v[6], .idle = v[3], .iowait = v[4]
    };
    for (size_t i = 0; i < n; i++)
        c->total += v[i];
}

static void read_memory(struct plat_memory *m)
{
    const struct {
        const char *name;
        uint64_t *to;
    } rows[] = { { "MemTotal:", &m->total },
                 { "MemAvailable:", &m->available },
                 { "SwapTotal:", &m->swap_total },
                 { "SwapFree:", &m->swap_free } };
    char text[FILE_BYTES];
    (void)posix_read_system("/proc/meminfo", text, sizeof(text));
    for (struct moor_span rest = moor_span_str(text), line; rest.n > 0;) {
        line = moor_span_cut(&rest, '\n');
        for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
            size_t n = strlen(rows[i].name);
            if (moor_span_starts(line, rows[i].name) &&
                numbers(moor_span(line.p + n, line.n - n), rows[i].to, 1) == 1)
                *rows[i].to *= 1024;
        }
    }
}

static void read_links(struct plat_counters *c)
{
    char text[FILE_BYTES];
    (void)posix_read_system("/proc/net/dev", text, sizeof(text));
    for (struct moor_span rest = moor_span_str(text); rest.n > 0;) {
        struct moor_span line = moor_span_cut(&rest, '\n');
        struct moor_span name = moor_span_trim(moor_span_cut(&line, ':'));
        struct plat_link *l = &c->links[c->link_count];
        uint64_t v[16] = { 0 };
        if (numbers(line, v, MOOR_COUNTOF(v)) != MOOR_COUNTOF(v) || name.n >= sizeof(l->name) ||
            moor_span_eq_str(name, "lo"))
            continue;
        *l = (struct plat_link){ .rx_bytes = v[0],
                                 .rx_packets = v[1],
                                 .rx_errors = v[2],
                                 .tx_bytes = v[8],
                                 .tx_packets = v[9],
                                 .tx_errors = v[10] };
        memcpy(l->name, name.p, name.n);
        if (++c->link_count == PLAT_LINKS_MAX)
            return;
    }
}

/* File systems on disks; the same disk mounted twice is one volume. */
static void add_volume(struct plat_counters *c, struct moor_span mount, dev_t *seen)
{
    struct plat_volume *v = &c->volumes[c->volume_count];
    struct statvfs fs;
    struct stat st;
    if (mount.n >= sizeof(v->mount))
        return;
    memcpy(v->mount, mount.p, mount.n);
    v->mount[mount.n] = '\0';
    if (stat(v->mount, &st) != 0 || statvfs(v->mount, &fs) != 0 || fs.f_blocks == 0)
        return;
    for (size_t i = 0; i < c->volume_count; i++)
        if (seen[i] == st.st_dev)
            return;
    v->bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    v->bytes_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    v->files = fs.f_files;
    v->files_free = fs.f_favail;
    seen[c->volume_count++] = st.st_dev;
}

static void read_volumes(struct plat_counters *c)
{
    char text[FILE_BYTES];
    dev_t seen[PLAT_VOLUMES_MAX];
    (void)posix_read_system("/proc/self/mounts", text, sizeof(text));
    for (struct moor_span rest = moor_span_str(text); rest.n > 0;) {
        struct moor_span line = moor_span_cut(&rest, '\n');
        struct moor_span device = moor_span_cut(&line, ' '), mount = moor_span_cut(&line, ' ');
        if (moor_span_starts(device, "/dev/") && c->volume_count < PLAT_VOLUMES_MAX)
            add_volume(c, mount, seen);
    }
}

void plat_counters_read(struct plat_counters *out)
{
    char text[64];
    memset(out, 0, sizeof(*out));
    out->mono_ms = plat_mono_ms();
    (void)posix_read_system("/proc/uptime", text, sizeof(text));
    struct moor_span rest = moor_span_str(text);
    (void)numbers(moor_span_cut(&rest, '.'), &out->uptime_s, 1);
    read_cpu(&out->cpu);
    read_memory(&out->memory);
    read_links(out);
    read_volumes(out);
}
