/* SPDX-License-Identifier: Apache-2.0 */
/* peers.h: how many connections each peer has: an address (TCP) or a user id (Unix sockets). */
#ifndef MOOR_HTTP_PEERS_H
#define MOOR_HTTP_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "platform/net.h"

struct moor_peer_count; /* one peer with at least one connection */

#define MOOR_PEERS_BUCKETS 256
struct moor_peers { /* zeroed memory is empty */
    struct moor_peer_count *buckets[MOOR_PEERS_BUCKETS];
};

/* Counts one more connection; NULL when the peer has max already, or there is no memory. */
MOOR_NODISCARD struct moor_peer_count *moor_peers_enter(struct moor_peers *p,
                                                        const struct plat_peer *peer, unsigned max);
/* Whether this is the peer that was counted there. */
bool moor_peers_is(const struct moor_peer_count *entered, const struct plat_peer *peer);
void moor_peers_leave(struct moor_peers *p, struct moor_peer_count *entered); /* NULL is fine */

#endif
