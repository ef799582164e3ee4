/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

void plat_service_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status ? status : "");
}

void plat_service_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void plat_service_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void plat_service_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t plat_service_watchdog_ms(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us / 2000 : 0;
}

int plat_service_socket(const char *name)
{
    return plat_service_socket_at(name, 0);
}

int plat_service_socket_at(const char *name, unsigned nth)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(0, &names), found = -1;
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (found < 0 && strcmp(names[i], name) == 0 && sd_is_socket(fd, 0, 0, -1) > 0 &&
            nth-- == 0)
            found = fcntl(fd, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + count);
    }
    /* The names are there also when the count says none. */
    for (char **n = names; n && *n; n++)
        free(*n);
    free(names);
    if (found >= 0)
        (void)fcntl(found, F_SETFL, O_NONBLOCK);
    return found;
}

void plat_service_quiet_pipes(void)
{
    struct sigaction ignore;
    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &ignore, NULL);
}
