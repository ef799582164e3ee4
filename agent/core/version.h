/* SPDX-License-Identifier: Apache-2.0 */
/* version.h: the version of this build, "0.1.0". */
#ifndef MOOR_CORE_VERSION_H
#define MOOR_CORE_VERSION_H

const char *moor_version(void);

#endif
