/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/net.h"

#include "check.h"
#include "os.h"
#include "platform/account.h"

static struct moor_error err;

static void any_port_is_taken_and_told(void)
{
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    for (size_t i = 0; i < MOOR_COUNTOF(addresses); i++) {
        int fd = -1, again = -1;
        uint16_t port = 0;
        CHECK_INT(plat_listen_tcp(addresses[i], 0, 16, &fd, &port, &err), MOOR_OK);
        CHECK(fd >= 0 && port != 0);
        CHECK_INT(plat_listen_tcp(addresses[i], port, 16, &again, NULL, &err), MOOR_E_EXISTS);
        CHECK(strstr(err.msg, addresses[i]));
        int client = os_connect_tcp(addresses[i], port);
        CHECK(client >= 0);
        struct plat_peer peer;
        CHECK_INT(plat_peer_of(client, &peer, &err), MOOR_OK);
        CHECK_STR(peer.address, addresses[i]);
        CHECK_INT(peer.port, port);
        CHECK(!peer.local);
        CHECK_INT(plat_socket_address(fd, &peer, &err), MOOR_OK);
        CHECK_STR(peer.address, addresses[i]);
        CHECK_INT(peer.port, port);
        plat_net_close(client);
        plat_net_close(fd);
        CHECK(os_connect_tcp(addresses[i], port) < 0);
    }
}

static void names_are_no_addresses(void)
{
    int fd = -1;
    CHECK_INT(plat_listen_tcp("localhost", 0, 16, &fd, NULL, &err), MOOR_E_BADINPUT);
    CHECK_INT(fd, -1);
    plat_net_close(-1);
}

static void unix_socket_has_its_mode_and_knows_its_caller(void)
{
    const char *path = os_temp("sock");
    int fd = -1;
    CHECK_INT(plat_listen_unix(path, 0666, 16, &fd, &err), MOOR_OK);
    struct plat_stat st;
    CHECK_INT(plat_stat_path(path, &st, &err), MOOR_OK);
    CHECK_INT(st.mode, 0666);
    MOOR_AUTO(plat_file) client = PLAT_FILE_INIT;
    CHECK_INT(plat_connect_unix(path, &client, &err), MOOR_OK);
    struct plat_peer peer;
    CHECK_INT(plat_peer_of(plat_file_fd(&client), &peer, &err), MOOR_OK);
    CHECK(peer.local && peer.pid > 0 && peer.uid == plat_user_id());
    plat_net_close(fd);
}

static void live_unix_socket_is_kept_and_a_dead_one_replaced(void)
{
    const char *path = os_temp("sock2");
    int first = -1, second = -1;
    CHECK_INT(plat_listen_unix(path, 0600, 16, &first, &err), MOOR_OK);
    CHECK_INT(plat_listen_unix(path, 0600, 16, &second, &err), MOOR_E_EXISTS);
    CHECK_INT(second, -1);
    plat_net_close(first);
    MOOR_AUTO(plat_file) client = PLAT_FILE_INIT;
    CHECK(plat_connect_unix(path, &client, &err) != MOOR_OK);
    CHECK_INT(plat_listen_unix(path, 0600, 16, &second, &err), MOOR_OK);
    CHECK_INT(plat_connect_unix(path, &client, &err), MOOR_OK);
    plat_net_close(second);
}

static void unix_socket_does_not_replace_a_file_or_follow_a_link(void)
{
    int fd = -1;
    os_write(os_temp("no-socket"), "text");
    CHECK_INT(plat_listen_unix(os_temp("no-socket"), 0600, 16, &fd, &err), MOOR_E_EXISTS);
    CHECK_STR(os_read(os_temp("no-socket")), "text");
    CHECK_INT(plat_make_dirs(os_temp("there"), PLAT_OWNER_ONLY, &err), MOOR_OK);
    os_link("there", os_temp("linked"));
    CHECK_INT(plat_listen_unix(os_temp("linked/sock"), 0600, 16, &fd, &err), MOOR_E_DENIED);
    CHECK(!plat_exists(os_temp("there/sock")));
    char longer[200];
    memset(longer, 'x', sizeof(longer));
    (void)snprintf(longer, sizeof(longer), "/tmp/%0150d", 1);
    CHECK_INT(plat_listen_unix(longer, 0600, 16, &fd, &err), MOOR_E_BADINPUT);
    CHECK_INT(fd, -1);
}

static void messages_keep_their_borders(void)
{
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) b = PLAT_FILE_INIT;
    char room[16];
    size_t got = 99;
    CHECK_INT(plat_socket_pair(&a, &b, &err), MOOR_OK);
    CHECK_INT(plat_message_receive(&b, room, sizeof(room), &got, NULL, &err), MOOR_E_TRANSIENT);
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_LIT("one"), NULL, &err), MOOR_OK);
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_LIT("twice"), NULL, &err), MOOR_OK);
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_NONE, NULL, &err), MOOR_E_BADINPUT);
    CHECK_INT(plat_message_receive(&b, room, sizeof(room), &got, NULL, &err), MOOR_OK);
    CHECK_INT(got, 3);
    CHECK_INT(plat_message_receive(&b, room, 2, &got, NULL, &err), MOOR_E_PROTOCOL);
    plat_file_drop(&a);
    CHECK_INT(plat_message_receive(&b, room, sizeof(room), &got, NULL, &err), MOOR_OK);
    CHECK_INT(got, 0);
    CHECK(plat_message_send(&b, MOOR_SPAN_LIT("x"), NULL, &err) != MOOR_OK);
}

static void messages_reach_who_listens_for_them(void)
{
    const char *path = os_temp("messages");
    MOOR_AUTO(plat_file) client = PLAT_FILE_INIT;
    char room[16];
    CHECK_INT(plat_connect_messages(path, &client, &err), MOOR_E_NOTFOUND);
    int listener = os_listen_messages(path);
    CHECK_INT(plat_connect_messages(path, &client, &err), MOOR_OK);
    CHECK_INT(plat_message_send(&client, MOOR_SPAN_LIT("one"), NULL, &err), MOOR_OK);
    CHECK_INT(plat_message_send(&client, MOOR_SPAN_LIT("twice"), NULL, &err), MOOR_OK);
    int served = os_accept(listener);
    CHECK_INT(os_read_socket(served, room, sizeof(room)), 3);
    CHECK_INT(os_read_socket(served, room, sizeof(room)), 5);
    plat_net_close(served);
    plat_net_close(listener);
    CHECK(plat_connect_messages(path, &client, &err) != MOOR_OK);
}

static void descriptor_goes_with_a_message(void)
{
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) b = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) passed = PLAT_FILE_INIT;
    char room[16];
    size_t got;
    CHECK_INT(plat_socket_pair(&a, &b, &err), MOOR_OK);
    CHECK_INT(plat_create_new(os_temp("passed"), PLAT_OWNER_ONLY, &f, &err), MOOR_OK);
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_LIT("file"), &f, &err), MOOR_OK);
    plat_file_drop(&f);
    CHECK_INT(plat_message_receive(&b, room, sizeof(room), &got, &passed, &err), MOOR_OK);
    CHECK(plat_file_is_open(&passed));
    CHECK_INT(plat_append(&passed, MOOR_SPAN_LIT("through"), &err), MOOR_OK);
    CHECK_STR(os_read(os_temp("passed")), "through");

    size_t open = os_open_descriptors();
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_LIT("file"), &passed, &err), MOOR_OK);
    CHECK_INT(plat_message_receive(&b, room, sizeof(room), &got, NULL, &err), MOOR_E_PROTOCOL);
    CHECK_INT(os_open_descriptors(), open);
}

static void local_addresses_are_not_public(void)
{
    static const struct {
        const char *address;
        bool is_public;
    } rows[] = {
        { "93.184.216.34", true },
        { "10.0.0.1", true },
        { "192.168.1.1", true },
        { "126.255.255.255", true },
        { "128.0.0.1", true },
        { "223.255.255.255", true },
        { "169.253.0.1", true },
        { "0.0.0.0", false },
        { "0.1.2.3", false },
        { "127.0.0.1", false },
        { "127.255.255.255", false },
        { "169.254.169.254", false },
        { "168.63.129.16", false },
        { "168.63.129.17", true },
        { "224.0.0.1", false },
        { "239.255.255.250", false },
        { "255.255.255.255", false },
        { "2606:2800:220:1::1", true },
        { "fd00::1", true },
        { "::", false },
        { "::1", false },
        { "fe80::1", false },
        { "febf::1", false },
        { "fec0::1", false },
        { "feff::1", false },
        { "fe7f::1", true },
        { "ff02::1", false },
        { "::ffff:127.0.0.1", false },
        { "::ffff:93.184.216.34", true },
        { "::127.0.0.1", false },
        { "64:ff9b::169.254.169.254", false },
        { "::ffff:168.63.129.16", false },
        { "64:ff9b::93.184.216.34", true },
        { "2002:7f00:1::", false },
        { "2002:5db8:d822::", true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        size_t n;
        const void *a = os_address(rows[i].address, &n);
        if (!CHECK(plat_net_is_public(a, n) == rows[i].is_public))
            printf("# %s\n", rows[i].address);
        CHECK(!plat_net_is_public(a, 4));
    }
}

static void finished_socket_is_read_to_its_end(void)
{
    int listener = -1;
    uint16_t port;
    char room[8];
    CHECK_INT(plat_listen_tcp("127.0.0.1", 0, 4, &listener, &port, &err), MOOR_OK);
    int s = os_connect_tcp("127.0.0.1", port);
    plat_net_finish(s);
    CHECK_INT(os_wait_readable(listener, 1000), true);
    plat_net_close(listener); /* resets what was not accepted */
    CHECK_INT(os_read_socket(s, room, sizeof(room)), 0);
    plat_net_close(s);
    CHECK(plat_net_socket(-1, -1, -1) == -1);
}

CHECK_MAIN(CHECK_TEST(local_addresses_are_not_public),
           CHECK_TEST(finished_socket_is_read_to_its_end), CHECK_TEST(any_port_is_taken_and_told),
           CHECK_TEST(names_are_no_addresses),
           CHECK_TEST(unix_socket_has_its_mode_and_knows_its_caller),
           CHECK_TEST(live_unix_socket_is_kept_and_a_dead_one_replaced),
           CHECK_TEST(unix_socket_does_not_replace_a_file_or_follow_a_link),
           CHECK_TEST(messages_keep_their_borders), CHECK_TEST(messages_reach_who_listens_for_them),
           CHECK_TEST(descriptor_goes_with_a_message))
