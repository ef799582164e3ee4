/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azcm.h: the error numbers an administrator's scripts know: AZCM0023 is also exit code 23.
 * Pure; any thread.
 */
#ifndef MOOR_CORE_AZCM_H
#define MOOR_CORE_AZCM_H

#include <stddef.h>

#include "base/error.h"

typedef enum moor_azcm {
    AZCM_OK = 0,
    AZCM_UNKNOWN = 1,
    AZCM_INTERNAL = 2,
    AZCM_UNSUPPORTED = 3,
    AZCM_LOGGER = 5,
    AZCM_INIT = 6,
    AZCM_INTERRUPTED = 11,
    AZCM_ACCESS_TOKEN = 12,
    AZCM_MISSING_PARAMETER = 16,
    AZCM_NOT_ADMIN = 18,
    AZCM_NO_CONFIG_FILE = 19,
    AZCM_REGION = 20,
    AZCM_INVALID_ARGUMENT = 23,
    AZCM_NETWORK = 26,
    AZCM_CONFIG_CONFLICT = 27,
    AZCM_NO_TOKEN = 41,
    AZCM_CREATE_RESOURCE = 42,
    AZCM_DELETE_RESOURCE = 43,
    AZCM_RESOURCE_EXISTS = 44,
    AZCM_RECONNECT_KEY = 45,
    AZCM_AGENT_TALK = 61,
    AZCM_CONNECT = 62,
    AZCM_DISCONNECT = 63,
    AZCM_NO_HIMDS = 64,
    AZCM_AGENT_METADATA = 65,
    AZCM_AGENT_STATUS = 66,
    AZCM_ALREADY_CONNECTED = 67,
    AZCM_SUBSCRIPTION_NAME = 68,
    AZCM_CONFIG_UPDATE = 69,
    AZCM_CONFIG_READ = 70,
    AZCM_EXTENSION_TOOL = 72,
    AZCM_CLOUD = 75,
    AZCM_CERTIFICATE = 81,
    AZCM_COMMAND = 101,
    AZCM_RESOURCE_NAME = 102,
    AZCM_KEYS = 103,
    AZCM_PRIVATE_KEY = 104,
    AZCM_SAVE_PARAMETERS = 106,
    AZCM_AZURE_VM = 141,
    AZCM_AUDIT_BROKEN = 150
} moor_azcm;

struct moor_azcm_entry {
    moor_azcm number;
    const char *name;   /* stable, for programs: "InvalidArgument" */
    const char *text;   /* one sentence fragment */
    const char *remedy; /* what to do; "" when the message says it all */
};

/* The row of a number; unknown numbers give the row of AZCM_UNKNOWN. Never NULL. */
const struct moor_azcm_entry *moor_azcm_find(int number);

/* All rows in order, for the man page test. */
const struct moor_azcm_entry *moor_azcm_table(size_t *count);

/* The number of an error whose place in the work does not decide it. */
moor_azcm moor_azcm_of(const struct moor_error *err);

#endif
