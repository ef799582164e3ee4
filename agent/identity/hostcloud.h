/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostcloud.h: whose guest this machine is, if a public cloud's.
 *
 * The firmware is asked first: where it names a cloud, only that one's metadata service is asked
 * for more; where it names a maker of servers, nobody is; else every cloud of the table that has
 * one, all at once. Calls go to the link-local address alone, past any proxy, and all of it is over
 * after two seconds. Nothing secret is read: neither user data nor keys nor startup scripts.
 *
 * Under MOORING_ROOT no metadata service is asked, unless MOORING_IMDS names a stand-in for the
 * link-local address, such as "http://127.0.0.1:8080". Loop thread.
 */
#ifndef MOOR_IDENTITY_HOSTCLOUD_H
#define MOOR_IDENTITY_HOSTCLOUD_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"
#include "http/transport.h"
#include "platform/host.h"

struct moor_loop;
struct moor_cloud_look; /* under way */

#define MOOR_CLOUD_LOOK_MS 2000

struct moor_host_fact {
    const char *name; /* "awsRegion" */
    char value[128];  /* printable ASCII */
};
struct moor_host_cloud {
    const char *provider;            /* "AWS"; "" = none that is known */
    struct moor_host_fact facts[12]; /* as detectedProperties has them */
    size_t fact_count;
};

/* done is called once, on the loop, later. */
typedef void (*moor_cloud_look_fn)(void *ctx, const struct moor_host_cloud *found);

/* http: for the calls, lives longer than the look. base: what stands for http://169.254.169.254;
 * NULL = ask nobody. */
struct moor_cloud_look_opts {
    struct moor_loop *loop;
    struct moor_http_transport *http;
    const char *base;
    moor_cloud_look_fn done;
    void *ctx;
};
MOOR_NODISCARD moor_code moor_cloud_look_new(const struct moor_cloud_look_opts *opts,
                                             const struct plat_host *host,
                                             struct moor_cloud_look **out, struct moor_error *err);
/* Cancels what is under way; done is not called any more. NULL is fine. */
void moor_cloud_look_free(struct moor_cloud_look *look);

/* What base is for this process; NULL = nobody is asked. Valid for ever. */
const char *moor_cloud_look_base(void);

#endif
