/* SPDX-License-Identifier: Apache-2.0 */
/* Machines made of files: each is written to <MOORING_ROOT>/host, read, and removed. */
#include <stdlib.h>

#include "base/buf.h"
#include "check.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/inventory.h"

#define DMI "/sys/class/dmi/id/"

struct entry {
    const char *path, *text;
};

struct machine {
    const char *name;
    struct entry files[20];
    /* what is expected; NULL = "" */
    const char *manufacturer, *model, *serial, *asset_tag, *uuid, *firmware, *cpu, *os_sku, *fqdn;
    uint32_t sockets, cores, logical;
    uint64_t memory;
    bool tpm;
};

static void put(const char *path, struct moor_span text)
{
    MOOR_AUTO(moor_buf) full = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(1024);
    moor_buf_fmt(&full, "%s/host%s", plat_dirs_root(), path);
    moor_buf_add(&folder, full.data, (size_t)(strrchr(full.data, '/') - full.data));
    CHECK(plat_make_dirs(moor_buf_cstr(&folder), PLAT_WORLD_READ, NULL) == MOOR_OK);
    CHECK(plat_write_atomic(moor_buf_cstr(&full), text, PLAT_WORLD_READ, NULL) == MOOR_OK);
}

static void clear(void)
{
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(1024);
    moor_buf_fmt(&folder, "%s/host", plat_dirs_root());
    CHECK(plat_remove_tree(moor_buf_cstr(&folder), NULL) == MOOR_OK);
    CHECK(plat_make_dirs(moor_buf_cstr(&folder), PLAT_WORLD_READ, NULL) == MOOR_OK);
}

static const struct machine machines[] = {
    { .name = "dell",
      .files = { { DMI "sys_vendor", "Dell Inc.\n" },
                 { DMI "product_name", "PowerEdge R750\n" },
                 { DMI "product_serial", "7XK4ZT3\n" },
                 { DMI "product_uuid", "4C4C4544-0058-4B10-8034-B7C04F5A5433\n" },
                 { DMI "chassis_asset_tag", " RACK 12/U7  \n" },
                 { "/sys/firmware/efi/fw_platform_size", "64\n" },
                 { "/sys/class/tpm/tpm0/tpm_version_major", "2\n" },
                 { "/sys/class/tpmrm/tpmrm0/dev", "253:65536\n" },
                 { "/proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6338\n" },
                 { "/proc/meminfo", "MemTotal:       65536 kB\nMemFree: 1 kB\n" },
                 { "/sys/devices/system/cpu/online", "0-3\n" },
                 { "/sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n" },
                 { "/sys/devices/system/cpu/cpu0/topology/core_id", "0\n" },
                 { "/sys/devices/system/cpu/cpu1/topology/physical_package_id", "1\n" },
                 { "/sys/devices/system/cpu/cpu1/topology/core_id", "0\n" },
                 { "/sys/devices/system/cpu/cpu3/topology/physical_package_id", "1\n" },
                 { "/sys/devices/system/cpu/cpu3/topology/core_id", "0\n" },
                 { "/etc/os-release", "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian 12\"\n" },
                 { "/proc/sys/kernel/hostname", "web01\n" },
                 { "/etc/hosts", "127.0.0.1 localhost\n10.0.0.4 web01.contoso.com web01 # me\n" } },
      .manufacturer = "Dell Inc.",
      .model = "PowerEdge R750",
      .serial = "7XK4ZT3",
      .asset_tag = "RACK 12/U7",
      .uuid = "4c4c4544-0058-4b10-8034-b7c04f5a5433",
      .firmware = "UEFI",
      .cpu = "Intel(R) Xeon(R) Gold 6338",
      .os_sku = "Debian 12",
      .fqdn = "web01.contoso.com",
      .sockets = 2,
      .cores = 2,
      .logical = 4,
      .memory = 65536 * 1024,
      .tpm = true },
    { .name = "hpe",
      .files = { { DMI "sys_vendor", "HPE" },
                 { DMI "product_name", "ProLiant DL380 Gen10" },
                 { DMI "product_serial", "CZ3011A2BC" },
                 { DMI "chassis_asset_tag", "                                " },
                 { "/proc/sys/kernel/hostname", "db02" },
                 { "/etc/hosts", "127.0.1.1 other.contoso.com other\n" },
                 { "/etc/resolv.conf", "nameserver 10.0.0.1\ndomain fabrikam.net\n" } },
      .manufacturer = "HPE",
      .model = "ProLiant DL380 Gen10",
      .serial = "CZ3011A2BC",
      .firmware = "BIOS",
      .fqdn = "db02.fabrikam.net" },
    { .name = "a board maker's placeholders",
      .files = { { DMI "sys_vendor", "To Be Filled By O.E.M." },
                 { DMI "product_name", "System Product Name" },
                 { DMI "product_serial", "Default string" },
                 { DMI "product_uuid", "00000000-0000-0000-0000-000000000000" },
                 { DMI "chassis_asset_tag", "0123456789" } },
      .firmware = "BIOS" },
    { .name = "vmware",
      .files = { { DMI "sys_vendor", "VMware, Inc." },
                 { DMI "product_name", "VMware Virtual Platform" },
                 { DMI "product_serial", "VMware-42 1f aa 03" },
                 { DMI "product_uuid", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF" },
                 { DMI "chassis_asset_tag", "No Asset Tag" } },
      .manufacturer = "VMware, Inc.",
      .model = "VMware Virtual Platform",
      .serial = "VMware-42 1f aa 03",
      .firmware = "BIOS" },
    { .name = "hyper-v",
      .files = { { DMI "sys_vendor", "Microsoft Corporation" },
                 { DMI "product_name", "Virtual Machine" },
                 { DMI "chassis_asset_tag", "5381-7912-0000-5544-1122-3345-66" },
                 { "/sys/firmware/efi/x", "" } },
      .manufacturer = "Microsoft Corporation",
      .model = "Virtual Machine",
      .asset_tag = "5381-7912-0000-5544-1122-3345-66",
      .firmware = "UEFI" },
    { .name = "kvm",
      .files = { { DMI "sys_vendor", "QEMU" },
                 { DMI "product_name", "Standard PC (Q35 + ICH9, 2009)" },
                 { "/proc/cpuinfo", "model name: QEMU Virtual CPU version 2.5+\n" } },
      .manufacturer = "QEMU",
      .model = "Standard PC (Q35 + ICH9, 2009)",
      .firmware = "BIOS",
      .cpu = "QEMU Virtual CPU version 2.5+" },
    { .name = "azure",
      .files = { { DMI "sys_vendor", "Microsoft Corporation" },
                 { DMI "product_name", "Virtual Machine" },
                 { DMI "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77" } },
      .manufacturer = "Microsoft Corporation",
      .model = "Virtual Machine",
      .asset_tag = "7783-7084-3265-9085-8269-3286-77",
      .firmware = "BIOS" },
    { .name = "aws",
      .files = { { DMI "sys_vendor", "Amazon EC2" },
                 { DMI "product_name", "m6i.large" },
                 { DMI "chassis_asset_tag", "Amazon EC2" },
                 { DMI "product_uuid", "ec2a1b2c-0000-1111-2222-333344445555" } },
      .manufacturer = "Amazon EC2",
      .model = "m6i.large",
      .asset_tag = "Amazon EC2",
      .uuid = "ec2a1b2c-0000-1111-2222-333344445555",
      .firmware = "BIOS" },
    { .name = "gcp",
      .files = { { DMI "sys_vendor", "Google" }, { DMI "product_name", "Google Compute Engine" } },
      .manufacturer = "Google",
      .model = "Google Compute Engine",
      .firmware = "BIOS" },
    { .name = "container", .files = { { "/proc/meminfo", "garbage" } } },
    { .name = "arm64 without DMI",
      .files = { { "/proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4" },
                 { "/proc/cpuinfo", "processor : 0\nCPU implementer\t: 0x41\n"
                                    "CPU part\t: 0xd08\n" },
                 { "/sys/devices/system/cpu/online", "0-1,3,7" } },
      .model = "Raspberry Pi 4 Model B Rev 1.4",
      .cpu = "ARM Cortex-A72",
      .sockets = 1,
      .cores = 4,
      .logical = 4 },
    { .name = "broken files",
      .files = { { DMI "sys_vendor", "AC\001ME\377 \303\244\n\nx" },
                 { DMI "product_uuid", "not a uuid" },
                 { "/sys/devices/system/cpu/online", "7-0,,x" },
                 { "/proc/meminfo", "MemTotal: -5 kB\n" },
                 { "/etc/os-release", "PRETTY_NAME=\"un\\\"ended\nNAME=\n=\n" },
                 { "/etc/hosts", "####\n\n.\n" },
                 { "/proc/sys/kernel/hostname", "lost" } },
      .manufacturer = "AC ME  \303\244  x",
      .firmware = "BIOS",
      .os_sku = "\"un\"ended",
      .fqdn = "lost" },
};

static void check_text(const struct machine *m, const char *what, const char *got, const char *want)
{
    if (!CHECK_STR(got, want ? want : ""))
        printf("# %s of %s\n", what, m->name);
}

static void check_machine(const struct machine *m)
{
    struct plat_host h;
    clear();
    for (size_t i = 0; i < MOOR_COUNTOF(m->files) && m->files[i].path; i++)
        put(m->files[i].path, moor_span_str(m->files[i].text));
    plat_host_read(&h);
    check_text(m, "manufacturer", h.manufacturer, m->manufacturer);
    check_text(m, "model", h.model, m->model);
    check_text(m, "serial", h.serial, m->serial);
    check_text(m, "asset tag", h.asset_tag, m->asset_tag);
    check_text(m, "uuid", h.smbios_uuid, m->uuid);
    check_text(m, "firmware", h.firmware, m->firmware);
    check_text(m, "cpu", h.cpu_name, m->cpu);
    check_text(m, "sku", h.os_sku, m->os_sku);
    if (m->fqdn)
        check_text(m, "fqdn", h.fqdn, m->fqdn);
    CHECK(!m->sockets ||
          (h.cpu_sockets == m->sockets && h.cpu_cores == m->cores && h.cpu_logical == m->logical));
    CHECK(h.cpu_logical >= 1 && h.memory_bytes > 0);
    CHECK(!m->memory || h.memory_bytes == m->memory);
    CHECK(h.tpm == m->tpm);
}

static void every_machine_is_read_as_it_is(void)
{
    for (size_t i = 0; i < MOOR_COUNTOF(machines); i++)
        check_machine(&machines[i]);
}

static void huge_files_are_cut(void)
{
    static const char *const paths[] = { DMI "sys_vendor",
                                         DMI "product_uuid",
                                         DMI "product_serial",
                                         "/etc/os-release",
                                         "/etc/hosts",
                                         "/proc/cpuinfo",
                                         "/proc/meminfo",
                                         "/proc/sys/kernel/hostname",
                                         "/sys/devices/system/cpu/online" };
    MOOR_AUTO(moor_buf) big = MOOR_BUF(4 << 20);
    for (size_t i = 0; i < 300000; i++)
        moor_buf_str(&big, "0123456789");
    clear();
    for (size_t i = 0; i < MOOR_COUNTOF(paths); i++)
        put(paths[i], moor_buf_view(&big));
    struct plat_host h;
    plat_host_read(&h);
    CHECK_INT(strlen(h.manufacturer), sizeof(h.manufacturer) - 1);
    CHECK_STR(h.smbios_uuid, "");
    CHECK(h.cpu_logical >= 1 && h.memory_bytes > 0);
}

static void what_only_root_reads_is_taken_from_its_copies(void)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(1024);
    struct plat_host h;
    clear();
    put(DMI "sys_vendor", MOOR_SPAN_LIT("HPE"));
    moor_buf_fmt(&path, "%s/dmi", plat_dir_path(PLAT_DIR_RUN));
    CHECK(plat_make_dirs(moor_buf_cstr(&path), PLAT_WORLD_READ, NULL) == MOOR_OK);
    moor_buf_str(&path, "/product_uuid");
    CHECK(plat_write_atomic(moor_buf_cstr(&path),
                            MOOR_SPAN_LIT("31393736-3039-5A43-3330-313141324243\n"),
                            PLAT_GROUP_READ, NULL) == MOOR_OK);
    plat_host_read(&h);
    CHECK_STR(h.smbios_uuid, "31393736-3039-5a43-3330-313141324243");
    CHECK(plat_remove(moor_buf_cstr(&path), NULL) == MOOR_OK);
}

static void a_member_of_a_realm_knows_it(void)
{
    struct plat_host h;
    clear();
    put("/etc/krb5.conf", MOOR_SPAN_LIT("[libdefaults]\n  default_realm = CONTOSO.COM\n"));
    plat_host_read(&h);
    CHECK_STR(h.realm, "");
    put("/etc/krb5.keytab", MOOR_SPAN_LIT("keys"));
    plat_host_read(&h);
    CHECK_STR(h.realm, "contoso.com");
}

static void disks_are_what_a_device_is_behind(void)
{
    struct plat_disk d[4];
    clear();
    put("/sys/block/loop0/size", MOOR_SPAN_LIT("100\n"));
    put("/sys/block/sr0/device/model", MOOR_SPAN_LIT("DVD"));
    put("/sys/block/sr0/size", MOOR_SPAN_LIT("0\n"));
    put("/sys/block/sdb/device/model", MOOR_SPAN_LIT("ST4000NM0035    \n"));
    put("/sys/block/sdb/size", MOOR_SPAN_LIT("7814037168\n"));
    put("/sys/block/sdb/queue/rotational", MOOR_SPAN_LIT("1\n"));
    put("/sys/block/nvme0n1/device/serial", MOOR_SPAN_LIT("S64GNE0R"));
    put("/sys/block/nvme0n1/size", MOOR_SPAN_LIT("2048\n"));
    put("/sys/block/nvme0n1/queue/rotational", MOOR_SPAN_LIT("0\n"));
    put("/sys/block/sdc/device/model", MOOR_SPAN_LIT("broken"));
    put("/sys/block/sdc/size", MOOR_SPAN_LIT("99999999999999999999"));
    CHECK_INT(plat_disks_read(d, MOOR_COUNTOF(d)), 2);
    CHECK_STR(d[0].path, "/dev/nvme0n1");
    CHECK_STR(d[0].name, "nvme0n1");
    CHECK_STR(d[0].id, "S64GNE0R");
    CHECK_STR(d[0].type, "SSD");
    CHECK_STR(d[1].name, "ST4000NM0035");
    CHECK_STR(d[1].type, "HDD");
    CHECK_INT(d[1].bytes, 7814037168LL * 512);
    CHECK_INT(plat_disks_read(d, 1), 1);
}

static void databases_and_units_are_seen_by_their_files(void)
{
    struct plat_databases found;
    struct plat_unit_state unit;
    clear();
    plat_databases_read(&found);
    CHECK(!found.mssql && !found.mysql && !found.postgresql);
    plat_unit_read("x.service", &unit);
    CHECK(!unit.known && !unit.active && !unit.enabled);
    put("/opt/mssql/bin/sqlservr", MOOR_SPAN_LIT(""));
    put("/usr/sbin/mariadbd", MOOR_SPAN_LIT(""));
    put("/run/systemd/system/x", MOOR_SPAN_LIT(""));
    put("/sys/fs/cgroup/system.slice/x.service/cgroup.procs", MOOR_SPAN_LIT("77\n"));
    put("/sys/fs/cgroup/system.slice/y.service/cgroup.procs", MOOR_SPAN_LIT(""));
    put("/etc/systemd/system/multi-user.target.wants/y.service", MOOR_SPAN_LIT(""));
    plat_databases_read(&found);
    CHECK(found.mssql && found.mysql && !found.postgresql);
    plat_unit_read("x.service", &unit);
    CHECK(unit.known && unit.active && !unit.enabled);
    plat_unit_read("y.service", &unit);
    CHECK(unit.known && !unit.active && unit.enabled);
}

static void interfaces_have_addresses_others_can_use(void)
{
    struct plat_netif n[32];
    clear();
    size_t count = plat_netifs_read(n, MOOR_COUNTOF(n));
    CHECK(count <= MOOR_COUNTOF(n));
    for (size_t i = 0; i < count; i++) {
        CHECK(n[i].name[0] && n[i].address_count > 0);
        CHECK(i == 0 || strcmp(n[i - 1].name, n[i].name) < 0);
        for (size_t k = 0; k < n[i].address_count; k++) {
            const struct plat_address *a = &n[i].addresses[k];
            CHECK(a->text[0] && a->network[0] && a->prefix <= (a->ipv6 ? 128 : 32));
            CHECK(strncmp(a->text, "127.", 4) != 0 && strncmp(a->text, "fe80:", 5) != 0);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(every_machine_is_read_as_it_is),
    CHECK_TEST(huge_files_are_cut),
    CHECK_TEST(what_only_root_reads_is_taken_from_its_copies),
    CHECK_TEST(a_member_of_a_realm_knows_it),
    CHECK_TEST(disks_are_what_a_device_is_behind),
    CHECK_TEST(databases_and_units_are_seen_by_their_files),
    CHECK_TEST(interfaces_have_addresses_others_can_use),
};

int main(void)
{
    if (plat_dirs_init(false, NULL) || !*plat_dirs_root())
        return 2;
    int bad = check_run(tests, MOOR_COUNTOF(tests));
    clear();
    return bad;
}
