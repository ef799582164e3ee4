/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/host.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/span.h"
#include "base/text.h"
#include "path.h"
#include "proc.h"

#define CPUS_MAX 4096

static void copy(char *out, size_t n, struct moor_span s)
{
    if (s.n >= n)
        s.n = n - 1;
    if (s.n > 0)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
}

/* NAME="value" as os-release(5) has it: a quoted value may escape with a backslash. */
static void unquote(struct moor_span value, char *out, size_t n)
{
    char quote = value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\'') ? value.p[0] : '\0';
    if (quote && value.p[value.n - 1] == quote)
        value = moor_span(value.p + 1, value.n - 2);
    size_t len = 0;
    for (size_t i = 0; i < value.n && len + 1 < n; i++) {
        if (quote == '"' && value.p[i] == '\\' && i + 1 < value.n)
            i++;
        out[len++] = value.p[i];
    }
    out[len] = '\0';
}

static void read_os_release(struct plat_host *h)
{
    const struct {
        const char *key;
        char *out;
        size_t n;
    } wanted[] = {
        { "NAME=", h->os_name, sizeof(h->os_name) },
        { "ID=", h->os_id, sizeof(h->os_id) },
        { "PRETTY_NAME=", h->os_sku, sizeof(h->os_sku) },
    };
    char text[4096];
    if (!posix_read_system("/etc/os-release", text, sizeof(text)))
        (void)posix_read_system("/usr/lib/os-release", text, sizeof(text));
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span line = moor_span_trim(moor_span_cut(&rest, '\n'));
        for (size_t i = 0; i < MOOR_COUNTOF(wanted); i++) {
            size_t k = strlen(wanted[i].key);
            if (moor_span_starts(line, wanted[i].key))
                unquote(moor_span(line.p + k, line.n - k), wanted[i].out, wanted[i].n);
        }
    }
}

/* The full name /etc/hosts gives for name. A resolver is not asked: it may take its time. */
static void find_fqdn(const char *name, char *out, size_t n)
{
    char text[16384];
    (void)posix_read_system("/etc/hosts", text, sizeof(text));
    struct moor_span rest = moor_span_str(text);
    while (rest.p && !strchr(name, '.')) {
        struct moor_span line = moor_span_cut(&rest, '\n'), full = MOOR_SPAN_NONE;
        line = moor_span_cut(&line, '#');
        bool named = false;
        while (line.p) {
            struct moor_span cell = line;
            size_t len = 0;
            while (len < line.n && line.p[len] != ' ' && line.p[len] != '\t')
                len++;
            cell.n = len;
            line = len < line.n ? moor_span(line.p + len + 1, line.n - len - 1) : MOOR_SPAN_NONE;
            named = named || moor_span_eq_nocase(cell, moor_span_str(name));
            if (cell.n > strlen(name) && cell.p[strlen(name)] == '.' &&
                moor_span_eq_nocase(moor_span(cell.p, strlen(name)), moor_span_str(name)))
                full = cell;
        }
        if (named && full.n > 0) {
            copy(out, n, full);
            return;
        }
    }
    copy(out, n, moor_span_str(name));
}

static void read_names(struct plat_host *h)
{
    struct utsname u;
    if (uname(&u) == 0) {
        copy(h->os_version, sizeof(h->os_version), moor_span_str(u.release));
        copy(h->architecture, sizeof(h->architecture), moor_span_str(u.machine));
    }
    if (gethostname(h->hostname, sizeof(h->hostname) - 1) != 0)
        h->hostname[0] = '\0';
    find_fqdn(h->hostname, h->fqdn, sizeof(h->fqdn));
}

static void read_firmware(struct plat_host *h)
{
    const struct {
        const char *path;
        char *out;
        size_t n;
    } wanted[] = {
        { "/sys/class/dmi/id/product_uuid", h->smbios_uuid, sizeof(h->smbios_uuid) },
        { "/sys/class/dmi/id/sys_vendor", h->manufacturer, sizeof(h->manufacturer) },
        { "/sys/class/dmi/id/product_name", h->model, sizeof(h->model) },
        { "/sys/class/dmi/id/product_serial", h->serial, sizeof(h->serial) },
        { "/sys/class/dmi/id/chassis_asset_tag", h->asset_tag, sizeof(h->asset_tag) },
        { "/etc/machine-id", h->machine_id, sizeof(h->machine_id) },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(wanted); i++)
        (void)posix_read_system(wanted[i].path, wanted[i].out, wanted[i].n);
    moor_uuid_lower(h->smbios_uuid);
    /* Boards without DMI name themselves in the device tree. */
    if (!h->model[0])
        (void)posix_read_system("/proc/device-tree/model", h->model, sizeof(h->model));
}

static bool read_number(const char *path, uint32_t *out)
{
    char text[32];
    return posix_read_system(path, text, sizeof(text)) &&
           moor_parse_u32(moor_span_str(text), 0, UINT32_MAX, out, NULL) == MOOR_OK;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many different values there are; sorts. */
static uint32_t count_different(uint64_t *v, size_t n)
{
    uint32_t count = 0;
    qsort(v, n, sizeof(*v), compare_u64);
    for (size_t i = 0; i < n; i++)
        count += i == 0 || v[i] != v[i - 1];
    return count;
}

static void count_cpus(struct plat_host *h)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    h->cpu_logical = online > 0 ? (uint32_t)online : 0;
    uint64_t *cores = calloc(CPUS_MAX, sizeof(*cores));
    if (!cores)
        return;
    size_t n = 0;
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        char path[96];
        uint32_t package, core;
        (void)snprintf(path, sizeof(path),
                       "/sys/devices/system/cpu/cpu%u/topology/physical_package_id", i);
        if (!read_number(path, &package)) {
            if (i >= h->cpu_logical)
                break;
            continue;
        }
        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/core_id", i);
        if (read_number(path, &core))
            cores[n++] = (uint64_t)package << 32 | core;
    }
    h->cpu_cores = n ? count_different(cores, n) : h->cpu_logical;
    for (size_t i = 0; i < n; i++)
        cores[i] >>= 32;
    h->cpu_sockets = n ? count_different(cores, n) : 1;
    free(cores);
}

static void read_hardware(struct plat_host *h)
{
    count_cpus(h);
    char text[4096];
    (void)posix_read_system("/proc/cpuinfo", text, sizeof(text));
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span value = moor_span_cut(&rest, '\n');
        struct moor_span key = moor_span_trim(moor_span_cut(&value, ':'));
        if (moor_span_eq_str(key, "model name")) {
            copy(h->cpu_name, sizeof(h->cpu_name), moor_span_trim(value));
            break;
        }
    }
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0)
        h->memory_bytes = (uint64_t)pages * (uint64_t)size;
}

static int compare_mac(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_macs(struct plat_host *h)
{
    DIR *d = opendir("/sys/class/net");
    if (!d)
        return;
    const struct dirent *e;
    while ((e = posix_next_entry(d)) && h->mac_count < MOOR_COUNTOF(h->macs)) {
        char path[512], text[32];
        /* Only what hardware is behind has a device. */
        (void)snprintf(path, sizeof(path), "/sys/class/net/%s/device", e->d_name);
        if (access(path, F_OK) != 0)
            continue;
        (void)snprintf(path, sizeof(path), "/sys/class/net/%s/address", e->d_name);
        if (posix_read_system(path, text, sizeof(text)) && strlen(text) == 17 &&
            strcmp(text, "00:00:00:00:00:00") != 0)
            memcpy(h->macs[h->mac_count++], text, sizeof(h->macs[0]));
    }
    (void)closedir(d);
    qsort(h->macs, h->mac_count, sizeof(h->macs[0]), compare_mac);
}

const char *plat_host_os_type(void)
{
    return "linux";
}

void plat_host_read(struct plat_host *out)
{
    memset(out, 0, sizeof(*out));
    copy(out->os_type, sizeof(out->os_type), moor_span_str(plat_host_os_type()));
    read_os_release(out);
    read_names(out);
    read_firmware(out);
    read_hardware(out);
    read_macs(out);
}

void plat_host_boot_id(char out[40])
{
    char text[64];
    (void)posix_read_system("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    size_t n = 0;
    for (const char *p = text; *p && n < 32; p++)
        if (*p != '-')
            out[n++] = *p;
    out[n] = '\0';
}
