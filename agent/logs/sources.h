/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources.h: what rows come from besides files: the sockets for syslog messages, the news that the
 * journal has grown, the clock for samples. It feeds the forwarder's flows. Loop thread.
 */
#ifndef MOOR_LOGS_SOURCES_H
#define MOOR_LOGS_SOURCES_H

#include <stddef.h>

#include "base/attr.h"
#include "base/error.h"
#include "logs/config.h"
#include "logs/flow.h"

struct moor_sources;

/* flows and count are the forwarder's own, looked at whenever something comes; they, computer and
 * journal_folder outlive it. */
MOOR_NODISCARD moor_code moor_sources_new(struct moor_loop *l, struct moor_flow *const *flows,
                                          const size_t *count, const char *computer,
                                          const char *journal_folder, struct moor_sources **out,
                                          struct moor_error *err);
void moor_sources_free(struct moor_sources *s);
MOOR_DEFINE_AUTOPTR(moor_sources)

/* The flows, or the settings, changed: opens what is needed and closes what is not. */
void moor_sources_apply(struct moor_sources *s, const struct moor_logs_config *c);
/* Rows were stored or delivered: whoever waited for room may go on. */
void moor_sources_resume(struct moor_sources *s);
/* Nothing comes in any more. */
void moor_sources_stop(struct moor_sources *s);

#endif
