/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logsink.h: where log records go: the journal (structured fields) when stderr is connected to it,
 * one line on stderr otherwise. run/log.h is what the rest of the program calls.
 */
#ifndef PLAT_LOGSINK_H
#define PLAT_LOGSINK_H

#include <stddef.h>

struct plat_log_field {
    const char *name; /* as written in run/log.h: lower case */
    const char *value;
};

/* priority is syslog's 0..7; event is a stable name such as "heartbeat.failed". Any thread. */
void plat_log_write(int priority, const char *program, const char *event,
                    const struct plat_log_field *fields, size_t count);

#endif
