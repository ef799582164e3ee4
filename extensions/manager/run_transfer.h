/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_transfer.h: what a run command fetches and sends: its script, and its output to append
 * blobs. Over the fetch role; https only, without a token of ours, to public addresses or the
 * registered cloud. URIs hold signatures: they are in no log and no error. Loop thread.
 */
#ifndef MOOR_MANAGER_RUN_TRANSFER_H
#define MOOR_MANAGER_RUN_TRANSFER_H

#include "base/attr.h"
#include "base/error.h"
#include "base/secret.h"

struct moor_loop;
struct moor_manager;
struct moor_run;
struct moor_run_transfer;

#define MOOR_RUN_SCRIPT_MAX ((uint64_t)4 << 20)

/* Ended: err->code is MOOR_OK, or why not. The transfer is freed by the function. */
typedef void (*moor_run_transfer_fn)(struct moor_manager *m, struct moor_run *r,
                                     const struct moor_error *err);

/* The script to "script.part" of the run's folder, checked against sha256 (NULL = none) and then
 * named "script". url is copied. service_code
 * PackageCorrupt: it is not what the digest says. */
MOOR_NODISCARD moor_code moor_run_fetch_script(struct moor_manager *m, struct moor_run *r,
                                               const struct moor_secret *url, const char *sha256,
                                               moor_run_transfer_fn done, struct moor_error *err);

/* A stream ("stdout", "stderr") as it is to an append blob: made anew by one PUT, then filled by a
 * PUT of comp=appendblock for each half MiB. */
MOOR_NODISCARD moor_code moor_run_send_stream(struct moor_manager *m, struct moor_run *r,
                                              const struct moor_secret *url, const char *stream,
                                              moor_run_transfer_fn done, struct moor_error *err);

void moor_run_transfer_free(struct moor_run_transfer *t); /* ends it; NULL is fine */

#endif
