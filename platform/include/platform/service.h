/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h: talking to the service manager. Every call does nothing when there is none.
 */
#ifndef PLAT_SERVICE_H
#define PLAT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

void plat_service_ready(const char *status);
void plat_service_status(const char *status);
void plat_service_stopping(void);
void plat_service_watchdog(void);        /* a sign of life */
uint64_t plat_service_watchdog_ms(void); /* half the period asked for, 0 = none */

/* A listening socket handed over by the service manager under this name; -1 when there is none.
 * The caller owns the descriptor. */
int plat_service_socket(const char *name);
/* The nth of those with this name, from 0. */
int plat_service_socket_at(const char *name, unsigned nth);

/* From now on a write to a pipe or socket whose other side is gone is an error of that call, not
 * the end of the process. run/loop.h calls it. */
void plat_service_quiet_pipes(void);

#endif
