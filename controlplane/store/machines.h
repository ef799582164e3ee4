/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machines.h: what belongs to the service of a machine: identity, keys, revision, documents.
 * The ARM resource (user-owned properties, tags) is in resources.h under resource_id.
 */
#ifndef MOOR_STORE_MACHINES_H
#define MOOR_STORE_MACHINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "store/store.h"

struct moor_machine {
    const char *vm_id; /* lower-case UUID, unique over all tenants */
    const char *resource_id;
    const char *tenant_id;
    const char *client_id;    /* of its principal */
    const char *principal_id; /* object id of its principal */
    bool disabled;
    int64_t created_ms;
    int64_t deleted_ms;        /* 0 = alive; a deleted row keeps the vmId taken for 90 days */
    uint64_t desired_counter;  /* the second half of the desired state's revision */
    const char *settings_cert; /* PEM of the machine's settings certificate, "" = none yet */
};

/* EXISTS when the vmId or the resource id has a machine. */
MOOR_NODISCARD moor_code moor_machine_add(struct moor_store *s, const struct moor_machine *m,
                                          struct moor_error *err);
/* Deleted machines too: look at deleted_ms. */
MOOR_NODISCARD moor_code moor_machine_by_vm_id(struct moor_store *s, const char *vm_id,
                                               struct moor_arena *arena, struct moor_machine *out,
                                               struct moor_error *err);
/* Living machines only. */
MOOR_NODISCARD moor_code moor_machine_by_resource(struct moor_store *s, const char *resource_id,
                                                  struct moor_arena *arena,
                                                  struct moor_machine *out, struct moor_error *err);
/* Marks it deleted and removes its keys, documents, extension rows and principal. */
MOOR_NODISCARD moor_code moor_machine_delete(struct moor_store *s, const char *vm_id,
                                             int64_t now_ms, struct moor_error *err);
/* Frees the vmId of a machine deleted more than 90 days ago, or of the same tenant. */
MOOR_NODISCARD moor_code moor_machine_forget(struct moor_store *s, const char *vm_id,
                                             struct moor_error *err);
/* Whether the service and the sign-in take its word; its principal goes along. NOTFOUND. */
MOOR_NODISCARD moor_code moor_machine_disable(struct moor_store *s, const char *vm_id,
                                              bool disabled, struct moor_error *err);
MOOR_NODISCARD moor_code moor_machine_set_settings_cert(struct moor_store *s, const char *vm_id,
                                                        const char *pem, struct moor_error *err);
/* Raises desired_counter by one and tells the new value (may be NULL). */
MOOR_NODISCARD moor_code moor_machine_touch_desired(struct moor_store *s, const char *vm_id,
                                                    uint64_t *counter, struct moor_error *err);
typedef bool (*moor_machine_fn)(void *ctx, const struct moor_machine *m); /* false ends */
MOOR_NODISCARD moor_code moor_machine_each(struct moor_store *s, moor_machine_fn fn, void *ctx,
                                           struct moor_error *err);
typedef void (*moor_machine_counter_fn)(void *ctx, const char *vm_id, uint64_t desired_counter);
MOOR_NODISCARD moor_code moor_machine_each_counter(struct moor_store *s, moor_machine_counter_fn fn,
                                                   void *ctx, struct moor_error *err);

/* Public keys of a machine. There is one current key; a next one becomes current at first use. */
typedef enum moor_key_state {
    MOOR_KEY_CURRENT = 1,
    MOOR_KEY_NEXT = 2,
    MOOR_KEY_PREVIOUS = 3,
    MOOR_KEY_GIVEN = 4 /* made elsewhere, and has proved once: for the next key only */
} moor_key_state;
struct moor_machine_key {
    const char *public_key; /* base64 of the PKCS#1 DER, as clientPublicKey */
    moor_key_state state;
    int64_t since_ms; /* when it came into this state */
};
struct moor_machine_keys {
    struct moor_machine_key *items; /* current, next, previous (newest first) */
    size_t count;
};
MOOR_NODISCARD moor_code moor_machine_keys_get(struct moor_store *s, const char *vm_id,
                                               struct moor_arena *arena,
                                               struct moor_machine_keys *out,
                                               struct moor_error *err);
/* Adds the key or changes its state. Setting one CURRENT makes the current one PREVIOUS. */
MOOR_NODISCARD moor_code moor_machine_key_set(struct moor_store *s, const char *vm_id,
                                              const char *public_key, moor_key_state state,
                                              int64_t now_ms, struct moor_error *err);

/* Removes all keys of the machine: what follows is a new beginning. */
MOOR_NODISCARD moor_code moor_machine_keys_end(struct moor_store *s, const char *vm_id,
                                               struct moor_error *err);

/*
 * Documents: one JSON text per machine and kind, replaced as a whole. Kinds are names of the
 * engine's choice ("properties", "report", "heartbeat", ...). The hot heartbeat state lives in the
 * engine's memory and is written behind: many puts in one transaction.
 */
MOOR_NODISCARD moor_code moor_machine_doc_put(struct moor_store *s, const char *vm_id,
                                              const char *kind, const char *json, int64_t now_ms,
                                              struct moor_error *err);
MOOR_NODISCARD moor_code moor_machine_doc_get(struct moor_store *s, const char *vm_id,
                                              const char *kind, struct moor_arena *arena,
                                              const char **json, int64_t *written_ms,
                                              struct moor_error *err);
typedef void (*moor_machine_doc_fn)(void *ctx, const char *vm_id, const char *json,
                                    int64_t written_ms);
MOOR_NODISCARD moor_code moor_machine_doc_each(struct moor_store *s, const char *kind,
                                               moor_machine_doc_fn fn, void *ctx,
                                               struct moor_error *err);

#endif
