/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/host.h"

#include "check.h"

static void host_knows_its_names_and_size(void)
{
    struct plat_host h;
    plat_host_read(&h);
    CHECK(h.hostname[0] && h.fqdn[0]);
    CHECK(strcmp(h.os_type, "linux") == 0 || strcmp(h.os_type, "windows") == 0);
    CHECK(h.os_name[0] && h.os_version[0] && h.architecture[0]);
    CHECK(h.cpu_logical >= 1 && h.cpu_cores >= 1 && h.cpu_sockets >= 1);
    CHECK(h.cpu_logical >= h.cpu_cores && h.cpu_cores >= h.cpu_sockets);
    CHECK(h.memory_bytes > 64 << 20);
    for (size_t i = 1; i < h.mac_count; i++)
        CHECK(strcmp(h.macs[i - 1], h.macs[i]) <= 0);
}

static void boot_id_is_32_digits_and_stays(void)
{
    char a[40], b[40];
    plat_host_boot_id(a);
    plat_host_boot_id(b);
    CHECK_INT(strspn(a, "0123456789abcdef"), 32);
    CHECK_STR(a, b);
}

CHECK_MAIN(CHECK_TEST(host_knows_its_names_and_size), CHECK_TEST(boot_id_is_32_digits_and_stays))
