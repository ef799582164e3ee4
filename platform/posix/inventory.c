/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "hostfile.h"

#define BLOCKS_MAX 512

/* The first of these files of a block device that says something. */
static void disk_text(const char *disk, const char *const *files, size_t n, char *out, size_t size)
{
    char text[256];
    for (size_t i = 0; i < n; i++) {
        (void)posix_host_read(text, sizeof(text), "/sys/block/%s/%s", disk, files[i]);
        posix_host_text(out, size, moor_span_str(text));
        if (*out)
            return;
    }
}

static bool read_disk(const char *name, struct plat_disk *out)
{
    static const char *const models[] = { "device/model" };
    static const char *const ids[] = { "wwid", "device/wwid", "device/serial", "serial" };
    uint64_t sectors = 0, rotates = 0;
    struct plat_disk d = { .bytes = 0 };
    if (!posix_host_exists("/sys/block/%s/device", name) ||
        !posix_host_number(&sectors, "/sys/block/%s/size", name) || !sectors ||
        sectors > UINT64_MAX / 512)
        return false;
    d.bytes = sectors * 512; /* sysfs counts in these, whatever the device does */
    (void)snprintf(d.path, sizeof(d.path), "/dev/%.32s", name);
    disk_text(name, models, MOOR_COUNTOF(models), d.name, sizeof(d.name));
    if (!d.name[0])
        posix_host_text(d.name, sizeof(d.name), moor_span_str(name));
    disk_text(name, ids, MOOR_COUNTOF(ids), d.id, sizeof(d.id));
    if (posix_host_number(&rotates, "/sys/block/%s/queue/rotational", name))
        memcpy(d.type, rotates ? "HDD" : "SSD", 4);
    *out = d;
    return true;
}

size_t plat_disks_read(struct plat_disk *out, size_t max)
{
    char(*rows)[64] = calloc(BLOCKS_MAX, sizeof(*rows));
    struct posix_names blocks = { rows, 0, rows ? BLOCKS_MAX : 0 };
    size_t count = 0;
    posix_host_list("/sys/block", &blocks);
    for (size_t i = 0; i < blocks.count && count < max; i++)
        count += read_disk(rows[i], &out[count]);
    free(rows);
    return count;
}

void plat_databases_read(struct plat_databases *out)
{
    struct plat_databases found = { false, false, false };
    const struct {
        const char *path;
        bool *found;
    } signs[] = {
        { "/opt/mssql/bin/sqlservr", &found.mssql },
        { "/usr/sbin/mysqld", &found.mysql },
        { "/usr/libexec/mysqld", &found.mysql },
        { "/usr/sbin/mariadbd", &found.mysql },
        { "/usr/libexec/mariadbd", &found.mysql },
        { "/usr/lib/postgresql", &found.postgresql },
        { "/usr/bin/postgres", &found.postgresql },
        { "/var/lib/pgsql/data/PG_VERSION", &found.postgresql },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(signs); i++)
        *signs[i].found = *signs[i].found || posix_host_exists("%s", signs[i].path);
    *out = found;
}

void plat_unit_read(const char *unit, struct plat_unit_state *out)
{
    static const char *const groups[] = { "", "/systemd", "/unified" }; /* v2, v1, hybrid */
    struct plat_unit_state state = { .known = posix_host_exists("/run/systemd/system") };
    char text[16];
    for (size_t i = 0; state.known && i < MOOR_COUNTOF(groups) && !state.active; i++)
        state.active =
            posix_host_read(text, sizeof(text), "/sys/fs/cgroup%s/system.slice/%s/cgroup.procs",
                            groups[i], unit) &&
            *text;
    state.enabled =
        state.known && posix_host_exists("/etc/systemd/system/multi-user.target.wants/%s", unit);
    *out = state;
}
