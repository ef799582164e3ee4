/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/host.h"

#include "check.h"
#include "platform/service.h"

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

static void without_a_service_manager_nothing_happens(void)
{
    plat_service_ready("ready");
    plat_service_status("status");
    plat_service_watchdog();
    CHECK_INT(plat_service_watchdog_ms(), 0);
    CHECK_INT(plat_service_socket("himds"), -1);
    plat_service_stopping();
}

CHECK_MAIN(CHECK_TEST(host_knows_its_names_and_size), CHECK_TEST(boot_id_is_32_digits_and_stays),
           CHECK_TEST(without_a_service_manager_nothing_happens))
