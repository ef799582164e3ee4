/* SPDX-License-Identifier: Apache-2.0 */
/* enrol.h: POST /his/machines/{vmId}/certificate: a proof of possession for a certificate. */
#ifndef MOOR_API_ENROL_H
#define MOOR_API_ENROL_H

#include "api/app.h"

void moor_enrol(struct moor_call *c);

#endif
