/* SPDX-License-Identifier: Apache-2.0 */
#include "core/version.h"

const char *moor_version(void)
{
    return MOOR_VERSION;
}
