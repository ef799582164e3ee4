/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/caller.h"

#include "base/span.h"
#include "check.h"
#include "os.h"
#include "platform/account.h"
#include "platform/net.h"

static struct moor_error err;

static void caller_over_tcp_has_our_user(void)
{
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    for (size_t i = 0; i < MOOR_COUNTOF(addresses); i++) {
        int listener = -1;
        uint16_t port = 0;
        CHECK_INT(plat_listen_tcp(addresses[i], 0, 16, &listener, &port, &err), MOOR_OK);
        int client = os_connect_tcp(addresses[i], port);
        int accepted = os_accept(listener);
        CHECK(client >= 0 && accepted >= 0);
        struct plat_caller c = plat_caller_of(accepted);
        CHECK(c.known);
        CHECK_INT(c.uid, plat_user_id());
        CHECK_INT(c.pid, 0);
        plat_net_close(client);
        c = plat_caller_of(accepted); /* would be root, were the owner believed */
        CHECK(!c.known);
        plat_net_close(accepted);
        plat_net_close(listener);
    }
}

static void caller_in_a_control_group_is_named(void)
{
    const char *group = os_enter_cgroup("mooring-contract");
    if (!group)
        SKIP("no control group of version 2 can be made here");
    int listener = -1;
    uint16_t port = 0;
    CHECK_INT(plat_listen_tcp("127.0.0.1", 0, 16, &listener, &port, &err), MOOR_OK);
    int client = os_connect_tcp("127.0.0.1", port);
    int accepted = os_accept(listener);
    struct plat_caller c = plat_caller_of(accepted);
    struct plat_caller_names names;
    plat_caller_names(&c, &names);
    if (c.cgroup) /* the kernel may not tell */
        CHECK_STR(names.cgroup, group);
    plat_net_close(client);
    plat_net_close(accepted);
    plat_net_close(listener);
    os_leave_cgroup("mooring-contract");
}

static void caller_over_a_unix_socket_is_a_process(void)
{
    const char *path = os_temp("caller.sock");
    int listener = -1;
    CHECK_INT(plat_listen_unix(path, 0600, 16, &listener, &err), MOOR_OK);
    MOOR_AUTO(plat_file) client = PLAT_FILE_INIT;
    CHECK_INT(plat_connect_unix(path, &client, &err), MOOR_OK);
    int accepted = os_accept(listener);
    struct plat_caller c = plat_caller_of(accepted);
    struct plat_caller_names names;
    CHECK(c.known && c.pid > 0);
    CHECK_INT(c.uid, plat_user_id());
    plat_caller_names(&c, &names);
    CHECK(moor_span_starts(moor_span_str(names.process), "test_contract"));
    plat_net_close(accepted);
    plat_net_close(listener);
}

static void what_is_no_connection_has_no_caller(void)
{
    struct plat_caller_names names;
    struct plat_caller c = plat_caller_of(-1);
    CHECK(!c.known);
    plat_caller_names(&c, &names);
    CHECK_STR(names.process, "");
    CHECK_STR(names.cgroup, "");
}

static void holder_of_a_port_is_named(void)
{
    static const struct {
        const char *held, *asked;
    } cases[] = {
        { "127.0.0.1", "127.0.0.1" }, { "0.0.0.0", "127.0.0.1" }, { "::1", "::1" }, { "::", "::1" }
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        int listener = -1;
        uint16_t port = 0;
        uint32_t uid = 12345;
        CHECK_INT(plat_listen_tcp(cases[i].held, 0, 16, &listener, &port, &err), MOOR_OK);
        CHECK_INT(plat_port_holder(cases[i].asked, port, &uid, &err), MOOR_OK);
        CHECK_INT(uid, plat_user_id());
        plat_net_close(listener);
        CHECK_INT(plat_port_holder(cases[i].asked, port, &uid, &err), MOOR_E_NOTFOUND);
    }
    uint32_t uid;
    CHECK_INT(plat_port_holder("localhost", 1, &uid, &err), MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(caller_over_tcp_has_our_user), CHECK_TEST(caller_in_a_control_group_is_named),
           CHECK_TEST(caller_over_a_unix_socket_is_a_process),
           CHECK_TEST(what_is_no_connection_has_no_caller), CHECK_TEST(holder_of_a_port_is_named))
