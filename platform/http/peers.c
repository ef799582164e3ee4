/* SPDX-License-Identifier: Apache-2.0 */
#include "http/peers.h"

#include <stdlib.h>
#include <string.h>

struct moor_peer_count {
    struct moor_peer_count *next;
    unsigned bucket;
    unsigned connections;
    bool local;
    uint32_t uid;
    char address[64];
};

static unsigned bucket_of(const struct plat_peer *peer)
{
    if (peer->local)
        return peer->uid % MOOR_PEERS_BUCKETS;
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const char *s = peer->address; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h % MOOR_PEERS_BUCKETS;
}

bool moor_peers_is(const struct moor_peer_count *e, const struct plat_peer *peer)
{
    if (e->local != peer->local)
        return false;
    return e->local ? e->uid == peer->uid : strcmp(e->address, peer->address) == 0;
}

struct moor_peer_count *moor_peers_enter(struct moor_peers *p, const struct plat_peer *peer,
                                         unsigned max)
{
    unsigned bucket = bucket_of(peer);
    for (struct moor_peer_count *e = p->buckets[bucket]; e; e = e->next) {
        if (!moor_peers_is(e, peer))
            continue;
        if (e->connections >= max)
            return NULL;
        e->connections++;
        return e;
    }
    struct moor_peer_count *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->bucket = bucket;
    e->connections = 1;
    e->local = peer->local;
    e->uid = peer->uid;
    memcpy(e->address, peer->address, sizeof(e->address));
    e->next = p->buckets[bucket];
    p->buckets[bucket] = e;
    return e;
}

void moor_peers_leave(struct moor_peers *p, struct moor_peer_count *entered)
{
    if (!entered || --entered->connections > 0)
        return;
    struct moor_peer_count **at = &p->buckets[entered->bucket];
    while (*at != entered)
        at = &(*at)->next;
    *at = entered->next;
    free(entered);
}
