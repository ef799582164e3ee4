/* SPDX-License-Identifier: Apache-2.0 */
/* agents.h: the index of the agent's own packages. The files are <state>/agents/<name>. */
#ifndef MOOR_STORE_AGENTS_H
#define MOOR_STORE_AGENTS_H

#include <stdint.h>

#include "store/store.h"

struct moor_agent_package {
    const char *name;    /* "mooring_1.2.3_amd64.deb" */
    const char *format;  /* "deb", "rpm", "tar" */
    const char *arch;    /* "amd64", "arm64" */
    const char *version; /* "1.2.3" */
    const char *sha256;  /* 64 hexadecimal digits, lower case */
    uint64_t size;
    int64_t published_ms;
};
struct moor_agent_list {
    struct moor_agent_package *items; /* by name */
    size_t count;
};

/* Replaces a package of the same name: the digest of what is offered is the last one's. */
MOOR_NODISCARD moor_code moor_agent_add(struct moor_store *s, const struct moor_agent_package *p,
                                        struct moor_error *err);
MOOR_NODISCARD moor_code moor_agent_list(struct moor_store *s, struct moor_arena *arena,
                                         struct moor_agent_list *out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_agent_get(struct moor_store *s, const char *name,
                                        struct moor_arena *arena, struct moor_agent_package *out,
                                        struct moor_error *err);

#endif
