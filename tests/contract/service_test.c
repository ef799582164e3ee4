/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/service.h"

#include "check.h"
#include "os.h"
#include "platform/net.h"

static struct moor_error err;

static void without_a_service_manager_nothing_happens(void)
{
    os_setenv("NOTIFY_SOCKET", NULL);
    plat_service_ready("ready");
    plat_service_status("status");
    plat_service_watchdog();
    CHECK_INT(plat_service_watchdog_ms(), 0);
    CHECK_INT(plat_service_socket("himds"), -1);
    plat_service_stopping();
}

static const char *heard(int fd)
{
    static char text[256];
    text[os_read_socket(fd, text, sizeof(text) - 1)] = '\0';
    return text;
}

static void service_manager_hears_of_every_step(void)
{
    int fd = os_notify_socket();
    plat_service_ready("waiting");
    CHECK_STR(heard(fd), "READY=1\nSTATUS=waiting");
    plat_service_status("working");
    CHECK_STR(heard(fd), "STATUS=working");
    plat_service_watchdog();
    CHECK_STR(heard(fd), "WATCHDOG=1");
    plat_service_stopping();
    CHECK_STR(heard(fd), "STOPPING=1");
    os_setenv("NOTIFY_SOCKET", NULL);
    plat_net_close(fd);
}

static void sign_of_life_is_due_after_half_the_period(void)
{
    os_setenv("WATCHDOG_USEC", "30000000");
    CHECK_INT(plat_service_watchdog_ms(), 15000);
    os_setenv("WATCHDOG_USEC", NULL);
}

static void passed_socket_is_found_by_its_name(void)
{
    int fd = -1;
    uint16_t port = 0;
    CHECK_INT(plat_listen_tcp("127.0.0.1", 0, 4, &fd, &port, &err), MOOR_OK);
    os_pass_socket(fd, "himds");
    CHECK_INT(plat_service_socket("roles"), -1);
    int found = plat_service_socket("himds");
    CHECK_INT(plat_service_socket_at("himds", 1), -1);
    CHECK(found >= 0);
    int client = os_connect_tcp("127.0.0.1", port);
    CHECK(client >= 0);
    plat_net_close(client);
    plat_net_close(found);
    os_pass_socket(-1, NULL);
    CHECK_INT(plat_service_socket("himds"), -1);
}

CHECK_MAIN(CHECK_TEST(without_a_service_manager_nothing_happens),
           CHECK_TEST(service_manager_hears_of_every_step),
           CHECK_TEST(sign_of_life_is_due_after_half_the_period),
           CHECK_TEST(passed_socket_is_found_by_its_name))
