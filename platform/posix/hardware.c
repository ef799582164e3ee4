/* SPDX-License-Identifier: Apache-2.0 */
#include "hardware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/span.h"
#include "base/text.h"
#include "hostfile.h"

#define CPUS_MAX 4096
#define NETS_MAX 256

/* ---- processors ---- */

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

/* How many numbers "0-3,8" stands for, each of them marked; 0 when it is malformed. */
static uint32_t count_list(struct moor_span list, bool marks[CPUS_MAX])
{
    uint32_t count = 0;
    while (list.p && list.n > 0) {
        struct moor_span last = moor_span_trim(moor_span_cut(&list, ','));
        struct moor_span first = moor_span_cut(&last, '-');
        uint32_t a, b;
        if (moor_parse_u32(first, 0, CPUS_MAX - 1, &a, NULL))
            return 0;
        if (moor_parse_u32(last.p ? last : first, a, CPUS_MAX - 1, &b, NULL))
            return 0;
        for (uint32_t i = a; i <= b; i++) {
            count += !marks[i];
            marks[i] = true;
        }
    }
    return count;
}

static uint32_t online(bool marks[CPUS_MAX])
{
    char text[1024];
    (void)posix_host_read(text, sizeof(text), "/sys/devices/system/cpu/online");
    uint32_t count = count_list(moor_span_str(text), marks);
    if (count)
        return count;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 0;
}

static void count_cpus(struct plat_host *h)
{
    bool *marks = calloc(CPUS_MAX, sizeof(*marks));
    uint64_t *cores = calloc(CPUS_MAX, sizeof(*cores));
    size_t n = 0;
    if (marks && cores) {
        h->cpu_logical = online(marks);
        for (unsigned i = 0; i < CPUS_MAX; i++) {
            uint64_t package, core;
            if (marks[i] &&
                posix_host_number(
                    &package, "/sys/devices/system/cpu/cpu%u/topology/physical_package_id", i) &&
                posix_host_number(&core, "/sys/devices/system/cpu/cpu%u/topology/core_id", i))
                cores[n++] = package << 32 | (core & UINT32_MAX);
        }
        h->cpu_cores = n ? count_different(cores, n) : h->cpu_logical;
        for (size_t i = 0; i < n; i++)
            cores[i] >>= 32;
        h->cpu_sockets = n ? count_different(cores, n) : 1;
    }
    free(cores);
    free(marks);
}

/* The first value of a "key : value" file. */
static struct moor_span value_of(const char *text, const char *key)
{
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span value = moor_span_cut(&rest, '\n');
        if (moor_span_eq_str(moor_span_trim(moor_span_cut(&value, ':')), key))
            return moor_span_trim(value);
    }
    return MOOR_SPAN_NONE;
}

/* Arm's processors say numbers where others say names. */
static const char *arm_name(struct moor_span implementer, struct moor_span part)
{
    static const struct {
        const char *implementer, *part, *name;
    } known[] = {
        { "0x41", "0xd03", "ARM Cortex-A53" },    { "0x41", "0xd05", "ARM Cortex-A55" },
        { "0x41", "0xd08", "ARM Cortex-A72" },    { "0x41", "0xd0b", "ARM Cortex-A76" },
        { "0x41", "0xd0c", "ARM Neoverse-N1" },   { "0x41", "0xd40", "ARM Neoverse-V1" },
        { "0x41", "0xd49", "ARM Neoverse-N2" },   { "0x41", "0xd4f", "ARM Neoverse-V2" },
        { "0xc0", "0xac3", "Ampere-1" },          { "0xc0", "0xac4", "Ampere-1a" },
        { "0x46", "0x001", "Fujitsu A64FX" },     { "0x48", "0xd01", "HiSilicon TaiShan-v110" },
        { "0x43", "0x0af", "Marvell ThunderX2" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(known); i++)
        if (moor_span_eq_str(implementer, known[i].implementer) &&
            moor_span_eq_str(part, known[i].part))
            return known[i].name;
    return "";
}

static void name_cpu(struct plat_host *h)
{
    static const char *const keys[] = { "model name", "cpu model", "cpu", "Processor" };
    char text[4096];
    (void)posix_host_read(text, sizeof(text), "/proc/cpuinfo");
    for (size_t i = 0; i < MOOR_COUNTOF(keys) && !h->cpu_name[0]; i++)
        posix_host_text(h->cpu_name, sizeof(h->cpu_name), value_of(text, keys[i]));
    if (!h->cpu_name[0])
        posix_host_text(
            h->cpu_name, sizeof(h->cpu_name),
            moor_span_str(arm_name(value_of(text, "CPU implementer"), value_of(text, "CPU part"))));
}

/* ---- memory ---- */

static void read_memory(struct plat_host *h)
{
    char text[4096];
    uint64_t kib = 0;
    (void)posix_host_read(text, sizeof(text), "/proc/meminfo");
    struct moor_span value = value_of(text, "MemTotal");
    if (moor_span_ends(value, " kB") && moor_parse_u64(moor_span(value.p, value.n - 3), 0,
                                                       UINT64_MAX / 1024, &kib, NULL) == MOOR_OK) {
        h->memory_bytes = kib * 1024;
        return;
    }
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0)
        h->memory_bytes = (uint64_t)pages * (uint64_t)size;
}

/* ---- network addresses ---- */

static int compare_mac(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_macs(struct plat_host *h)
{
    char(*rows)[64] = calloc(NETS_MAX, sizeof(*rows));
    struct posix_names nets = { rows, 0, rows ? NETS_MAX : 0 };
    posix_host_list("/sys/class/net", &nets);
    for (size_t i = 0; i < nets.count && h->mac_count < MOOR_COUNTOF(h->macs); i++) {
        char text[32];
        /* Only what hardware is behind has a device. */
        if (posix_host_exists("/sys/class/net/%s/device", rows[i]) &&
            posix_host_read(text, sizeof(text), "/sys/class/net/%s/address", rows[i]) &&
            strlen(text) == 17 && strcmp(text, "00:00:00:00:00:00") != 0)
            memcpy(h->macs[h->mac_count++], text, sizeof(h->macs[0]));
    }
    free(rows);
    qsort(h->macs, h->mac_count, sizeof(h->macs[0]), compare_mac);
}

void posix_hardware_read(struct plat_host *h)
{
    count_cpus(h);
    name_cpu(h);
    read_memory(h);
    read_macs(h);
}
