/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h: what went wrong, in a code for the program and a sentence for the person.
 *
 * A function that can fail returns moor_code and, on failure only, fills the caller's struct
 * moor_error. The message is a lower-case fragment without a full stop that names the object
 * before the problem ("agent.json: proxy.url: want http or https"). A caller that knows a name the
 * callee did not adds it in front with moor_context(). Errors are logged once, by whoever ends the
 * operation; nothing under platform/ logs.
 *
 * The struct is of fixed size and never allocates, so that it can report a lack of memory.
 * Thread-safe. err may be NULL everywhere: the code is enough. So that moor_context(NULL) can
 * still return the code, each thread remembers the code of its last moor_fail().
 */
#ifndef MOOR_BASE_ERROR_H
#define MOOR_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

typedef enum moor_code {
    MOOR_OK = 0,
    MOOR_E_NOMEM,       /* out of memory, or a limit of ours on memory */
    MOOR_E_BADINPUT,    /* a document, setting or argument breaks a rule */
    MOOR_E_NOTFOUND,    /* the object is not there */
    MOOR_E_EXISTS,      /* the object is there already */
    MOOR_E_DENIED,      /* the operating system, a policy or the service refused */
    MOOR_E_IO,          /* this machine: disk, descriptors, system calls */
    MOOR_E_UNSUPPORTED, /* not available here */
    MOOR_E_TRANSIENT,   /* name look-up, connection, a cut hand-shake or answer, 408, 5xx */
    MOOR_E_THROTTLED,   /* 429; retry_after_ms says how long */
    MOOR_E_REMOTE,      /* any other refusal of the service */
    MOOR_E_PROTOCOL,    /* an answer that cannot be read, by whoever stands in between */
    MOOR_E_TIMEOUT,     /* our own deadline passed */
    MOOR_E_CANCELED,    /* shutdown, or superseded */
    MOOR_E_LIMIT,       /* an answer longer than this caller takes */
    MOOR_E_PROXY,       /* the proxy refuses: its password, or this destination */
    MOOR_E_UNTRUSTED,   /* the other end shows no certificate that is trusted here */
    MOOR_E_BUG          /* an invariant of ours broke, seen before any harm */
} moor_code;

struct moor_error {
    moor_code code;
    int32_t os;              /* errno or GetLastError, 0 = none */
    int32_t http;            /* HTTP status, 0 = none */
    uint32_t retry_after_ms; /* what the service asked for, 0 = nothing */
    char service_code[64];   /* the service's own error.code, "" = none */
    char request_id[40];     /* x-ms-request-id of the answer, "" = none */
    char msg[448];           /* cut, never overflowed; always terminated */
};

#define MOOR_ERROR_INIT                                                                            \
    {                                                                                              \
        .code = MOOR_OK                                                                            \
    }

/* Fills err (everything else in it is cleared) and returns code. */
MOOR_NODISCARD MOOR_PRINTF(3, 4) moor_code
    moor_fail(struct moor_error *err, moor_code code, const char *fmt, ...);

/* The same with an operating system error; its text is appended to the message. The code is
 * derived: ENOENT is NOTFOUND, EEXIST is EXISTS, EACCES and EPERM are DENIED, ENOMEM is NOMEM,
 * everything else IO. Lives in platform/posix and platform/win32 as plat_fail(); see oserr.h. */

/* Puts "fmt: " in front of err's message; the code stays and is returned. */
MOOR_NODISCARD MOOR_PRINTF(2, 3) moor_code
    moor_context(struct moor_error *err, const char *fmt, ...);

/* Whether trying the same again may succeed: the one place that decides it. */
typedef enum moor_retry {
    MOOR_RETRY_NEVER,  /* the input or the answer is wrong: say so, drop or park */
    MOOR_RETRY_SLOWLY, /* this machine, or a right that may be granted: hourly at most */
    MOOR_RETRY_BACKOFF /* transient: back off with jitter, obey retry_after_ms */
} moor_retry;
moor_retry moor_error_retry(const struct moor_error *err);

/* "not found", "denied", ...: for logs and JSON. Never NULL. */
const char *moor_code_name(moor_code code);

#endif
