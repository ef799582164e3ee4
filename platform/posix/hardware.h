/* SPDX-License-Identifier: Apache-2.0 */
/* hardware.h (private to posix/): host.c's other half: processors, memory, network addresses. */
#ifndef MOOR_POSIX_HARDWARE_H
#define MOOR_POSIX_HARDWARE_H

#include "platform/host.h"

void posix_hardware_read(struct plat_host *h);

#endif
