/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h: the proxy this machine's settings name, as every client of the agent takes it.
 *
 * proxy.url wins; without it HTTPS_PROXY or https_proxy of the environment, with NO_PROXY or
 * no_proxy, and with loopback addresses reached directly; else there is none. proxy.bypass counts
 * with either: its entries are hosts (http/proxy.h) and the names of groups of endpoints, which
 * stand for Azure's hosts and for those of the cloud. docs/protocol/files.md has the list.
 */
#ifndef MOOR_CORE_PROXY_H
#define MOOR_CORE_PROXY_H

#include "base/error.h"
#include "base/span.h"
#include "http/proxy.h"

struct moor_cloud;
struct moor_settings;

/* Reads proxy.credentialsFile, which counts with proxy.url: one line "user:password" in a regular
 * file that others than its owner and group cannot read. Without it (missing, unreadable, refused)
 * out->problem says why and the proxy's 407 will quote it: a machine goes on with what it has.
 * With settings that do not tell which proxy is meant, nothing is sent
 * (out->refusal). cloud NULL: no cloud's hosts. out must be empty. A proxy of the environment that
 * is no URL is BADINPUT. Blocking: a small file. */
MOOR_NODISCARD moor_code moor_proxy_load(const struct moor_settings *settings,
                                         const struct moor_cloud *cloud, struct moor_proxy *out,
                                         struct moor_error *err);

/* Pure: whether proxy.bypass may hold this: a group, or what moor_proxy_entry_valid() takes. */
bool moor_proxy_bypass_valid(const char *entry);

#endif
