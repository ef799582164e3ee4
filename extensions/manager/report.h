/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h: what the service is told, made from the items and nothing else. Pure.
 * Fields: docs/protocol/service.md 4.3.
 */
#ifndef MOOR_MANAGER_REPORT_H
#define MOOR_MANAGER_REPORT_H

#include <stdint.h>

#include "base/buf.h"
#include "manager/item.h"
#include "manager/run.h"

#define MOOR_DENIALS_MAX 64

struct moor_denial {
    char name[65], publisher[129], type[129];
    uint64_t service_seq;
    const char *rule; /* a setting's name, static */
    char message[384];
};

struct moor_report {
    const char *boot_id, *revision, *hash; /* hash: moor_report_hash() of the same content */
    uint64_t sequence;
    int64_t observed_at_ms;
    const struct moor_items *items;
    const struct moor_runs *runs; /* NULL = none */
    const struct moor_denial *denials;
    size_t denial_count;
};
void moor_buf_report(struct moor_buf *b, const struct moor_report *r);

/* Digest of what a report says: items, runs and denials, whatever its time and number. out holds 65
 * bytes. */
MOOR_NODISCARD moor_code moor_report_hash(const struct moor_report *r, char out[65],
                                          struct moor_error *err);

const char *moor_report_state(const struct moor_item *i);        /* "enabling" ... */
const char *moor_report_provisioning(const struct moor_item *i); /* "Creating" ... */

#endif
