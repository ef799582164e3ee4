/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principals.h: who may sign in (applications and machines), by what, and their rights.
 * Secrets are kept as a salted hash; certificates are credentials looked up by SHA-256.
 */
#ifndef MOOR_STORE_PRINCIPALS_H
#define MOOR_STORE_PRINCIPALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "store/store.h"

typedef enum moor_principal_kind {
    MOOR_PRINCIPAL_NOBODY = 0,
    MOOR_PRINCIPAL_APPLICATION = 1,
    MOOR_PRINCIPAL_MACHINE = 2
} moor_principal_kind;

struct moor_principal_row {
    moor_principal_kind kind;
    const char *object_id; /* "oid", ARM's principalId */
    const char *client_id; /* "appid" */
    const char *tenant_id;
    const char *name;
    const char *vm_id;       /* machines: the machine; "" otherwise */
    const char *resource_id; /* machines: the ARM resource; "" otherwise */
    bool disabled;
    int64_t created_ms;
};

MOOR_NODISCARD moor_code moor_principal_add(struct moor_store *s,
                                            const struct moor_principal_row *p,
                                            struct moor_error *err); /* EXISTS */
MOOR_NODISCARD moor_code moor_principal_by_client(struct moor_store *s, const char *client_id,
                                                  struct moor_arena *arena,
                                                  struct moor_principal_row *out,
                                                  struct moor_error *err);
MOOR_NODISCARD moor_code moor_principal_by_object(struct moor_store *s, const char *object_id,
                                                  struct moor_arena *arena,
                                                  struct moor_principal_row *out,
                                                  struct moor_error *err);
/* With its secrets, certificates and role assignments. Missing is OK. */
MOOR_NODISCARD moor_code moor_principal_delete(struct moor_store *s, const char *object_id,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code moor_principal_disable(struct moor_store *s, const char *object_id,
                                                bool disabled, struct moor_error *err);
typedef void (*moor_principal_fn)(void *ctx, const struct moor_principal_row *p);
MOOR_NODISCARD moor_code moor_principal_each(struct moor_store *s, moor_principal_kind kind,
                                             moor_principal_fn fn, void *ctx,
                                             struct moor_error *err);

struct moor_secret_row {
    unsigned char salt[16], hash[32]; /* see authz/signin.c */
    int64_t expires_ms;               /* 0 = never */
};
struct moor_secret_rows {
    struct moor_secret_row *items;
    size_t count;
};
MOOR_NODISCARD moor_code moor_secret_row_add(struct moor_store *s, const char *object_id,
                                             const struct moor_secret_row *row,
                                             struct moor_error *err);
MOOR_NODISCARD moor_code moor_secret_row_delete_all(struct moor_store *s, const char *object_id,
                                                    struct moor_error *err);
MOOR_NODISCARD moor_code moor_secret_row_list(struct moor_store *s, const char *object_id,
                                              struct moor_arena *arena,
                                              struct moor_secret_rows *out, struct moor_error *err);

/* A certificate that signs assertions of one principal. It ends at not_after_ms or when it is
 * removed, whichever is first; a chain proves nothing. */
struct moor_credential_row {
    unsigned char sha256[32], sha1[20];
    const char *object_id;
    struct moor_span der;
    int64_t not_before_ms, not_after_ms;
    int64_t first_used_ms; /* 0 = not yet */
};
MOOR_NODISCARD moor_code moor_credential_add(struct moor_store *s,
                                             const struct moor_credential_row *c,
                                             struct moor_error *err); /* again: OK */
/* digest: 32 bytes (SHA-256) or 20 (SHA-1). */
MOOR_NODISCARD moor_code moor_credential_find(struct moor_store *s, struct moor_span digest,
                                              struct moor_arena *arena,
                                              struct moor_credential_row *out,
                                              struct moor_error *err);
MOOR_NODISCARD moor_code moor_credential_used(struct moor_store *s, const unsigned char sha256[32],
                                              int64_t now_ms, struct moor_error *err);
/* Whether the principal has any certificate, ended ones too. */
MOOR_NODISCARD moor_code moor_credential_any(struct moor_store *s, const char *object_id, bool *any,
                                             struct moor_error *err);
MOOR_NODISCARD moor_code moor_credential_delete_all(struct moor_store *s, const char *object_id,
                                                    struct moor_error *err);
/* All but the one named. */
MOOR_NODISCARD moor_code moor_credential_delete_others(struct moor_store *s, const char *object_id,
                                                       const unsigned char sha256[32],
                                                       struct moor_error *err);

struct moor_role_assignment {
    const char *id; /* UUID */
    const char *role_id;
    const char *principal_id; /* object id */
    const char *scope;        /* "/subscriptions/S", "/subscriptions/S/resourceGroups/G", "/" ... */
    int64_t created_ms;
};
struct moor_role_assignments {
    struct moor_role_assignment *items;
    size_t count;
};
MOOR_NODISCARD moor_code moor_role_assign(struct moor_store *s,
                                          const struct moor_role_assignment *a,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code moor_role_assignments_of(struct moor_store *s, const char *principal_id,
                                                  struct moor_arena *arena,
                                                  struct moor_role_assignments *out,
                                                  struct moor_error *err);
/* Removes every assignment at or below the scope: its resource is gone. */
MOOR_NODISCARD moor_code moor_role_unassign_below(struct moor_store *s, const char *scope,
                                                  struct moor_error *err);

#endif
