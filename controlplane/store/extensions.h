/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extensions.h: what a machine shall have installed. The ARM resource machines/extensions holds
 * the public face; this row holds what the agent is told and what it said last.
 */
#ifndef MOOR_STORE_EXTENSIONS_H
#define MOOR_STORE_EXTENSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/guarded.h"
#include "store/store.h"

struct moor_extension {
    const char *resource_id; /* .../machines/M/extensions/E */
    const char *vm_id;
    const char *name;
    const char *publisher, *type;
    const char *version;         /* typeHandlerVersion as asked: "1.2", "1.2.3.4" */
    bool uninstall;              /* DELETE was accepted; the row stays until reported gone */
    uint64_t settings_seq;       /* raised when settings, protected settings or the tag changed */
    const char *settings;        /* JSON object */
    const char *force_tag;       /* forceUpdateTag, "" = none */
    bool auto_upgrade_minor;     /* autoUpgradeMinorVersion */
    bool automatic_upgrade;      /* enableAutomaticUpgrade */
    struct moor_guarded guarded; /* protected settings */
    const char *reported;        /* JSON of the agent's last report on it, "" = none */
    int64_t updated_ms;
    const char *chosen;  /* the published version it was given for chosen_seq, "" = none yet */
    uint64_t chosen_seq; /* a choice holds for one settings_seq */
    const char *after;   /* provisionAfterExtensions: JSON list of names */
};

/* Inserts or replaces by resource_id. */
MOOR_NODISCARD moor_code moor_extension_put(struct moor_store *s, const struct moor_extension *e,
                                            struct moor_error *err);
MOOR_NODISCARD moor_code moor_extension_get(struct moor_store *s, const char *resource_id,
                                            struct moor_arena *arena, struct moor_extension *out,
                                            struct moor_error *err);
/* Keeps the choice of a version; nothing else changes. */
MOOR_NODISCARD moor_code moor_extension_choose(struct moor_store *s, const char *resource_id,
                                               const char *version, uint64_t settings_seq,
                                               struct moor_error *err);
/* A version was published: raises the desired state of every machine that has this extension with
 * automatic_upgrade. */
MOOR_NODISCARD moor_code moor_extension_published(struct moor_store *s, const char *publisher,
                                                  const char *type, struct moor_error *err);
MOOR_NODISCARD moor_code moor_extension_delete(struct moor_store *s, const char *resource_id,
                                               struct moor_error *err);
struct moor_extension_list {
    struct moor_extension *items; /* in the order of names */
    size_t count;
};
MOOR_NODISCARD moor_code moor_extension_list(struct moor_store *s, const char *vm_id,
                                             struct moor_arena *arena,
                                             struct moor_extension_list *out,
                                             struct moor_error *err);

#endif
