/* SPDX-License-Identifier: Apache-2.0 */
/* report.h: PUT /gas/machines/{vmId}/report: what the agent made of its desired state. */
#ifndef MOOR_API_REPORT_H
#define MOOR_API_REPORT_H

#include "api/app.h"

void moor_report(struct moor_call *c);

#endif
