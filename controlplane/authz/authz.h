/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authz.h: who is calling, and may they. The zero value is nobody, and nobody may do nothing.
 *
 * Tokens are RS256 JWTs of our own. Every call verifies the signature, issuer, audience and times
 * and reads the principal from the store, so a deleted or disabled one is out at once.
 */
#ifndef MOOR_AUTHZ_AUTHZ_H
#define MOOR_AUTHZ_AUTHZ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "crypto/key.h"
#include "store/principals.h"
#include "store/store.h"

struct moor_authz;

struct moor_authz_opts {
    struct moor_store *store;
    struct moor_key *signing_key; /* RSA; one more owner is taken */
    const char *base_url;         /* "https://host:port", no slash at the end */
    const char *tenant_id;
    const char *service_audience;
};
MOOR_NODISCARD moor_code moor_authz_new(const struct moor_authz_opts *opts, struct moor_authz **out,
                                        struct moor_error *err);
void moor_authz_free(struct moor_authz *a);
MOOR_DEFINE_AUTOPTR(moor_authz)

/* Another key signs from now on; what previous signed is believed, too (NULL: nothing). One more
 * owner of each is taken. On failure all is as it was. */
MOOR_NODISCARD moor_code moor_authz_set_keys(struct moor_authz *a, struct moor_key *key,
                                             struct moor_key *previous, struct moor_error *err);

/* The public signing keys as {"keys":[...]} (RFC 7517). */
MOOR_NODISCARD moor_code moor_authz_jwks(const struct moor_authz *a, struct moor_buf *json,
                                         struct moor_error *err);

/* Which of the two faces of sign-in was used: it decides the token's issuer. */
typedef enum moor_issuer { MOOR_ISSUER_ADFS, MOOR_ISSUER_TENANT } moor_issuer;
const char *moor_authz_issuer(const struct moor_authz *a, moor_issuer which);

/* A token for the principal. resource becomes aud as it is. Machines' tokens live 24 h +- 10 %,
 * others 1 h. */
MOOR_NODISCARD moor_code moor_authz_issue(const struct moor_authz *a,
                                          const struct moor_principal_row *p, const char *resource,
                                          moor_issuer issuer, int64_t now_ms,
                                          struct moor_buf *token, uint32_t *expires_in_s,
                                          struct moor_error *err);

/* What a token may be for. A route names exactly one; NOBODY admits nobody. */
typedef enum moor_audience {
    MOOR_AUD_NOBODY = 0,
    MOOR_AUD_PUBLIC,    /* no token looked at */
    MOOR_AUD_ARM,       /* our resource manager, with Azure's names as aliases */
    MOOR_AUD_SERVICE,   /* his, gas, notify, packages: machines only */
    MOOR_AUD_INGESTION, /* https://monitor.azure.com */
    MOOR_AUD_QUERY      /* https://api.loganalytics.io, or ARM's */
} moor_audience;

struct moor_principal {
    moor_principal_kind kind; /* NOBODY = 0 */
    char object_id[40], client_id[40], tenant_id[40];
    char vm_id[40];          /* machines, else "" */
    int64_t issued_ms;       /* of the token */
    bool disabled;           /* a machine's only, and only for SERVICE: others are denied */
    const char *resource_id; /* machines, else ""; in the arena */
    const char *name;        /* in the arena */
};

/* header is the Authorization header's value or NULL. DENIED with a sentence for the caller
 * otherwise; *out is then nobody. err->service_code: AuthenticationFailed, InvalidAuthentication-
 * Token, InvalidAuthenticationTokenAudience, ExpiredAuthenticationToken ... */
MOOR_NODISCARD moor_code moor_authz_authenticate(struct moor_authz *a, const char *header,
                                                 moor_audience audience, int64_t now_ms,
                                                 struct moor_arena *arena,
                                                 struct moor_principal *out,
                                                 struct moor_error *err);

/* action: "Microsoft.HybridCompute/machines/read". scope: an id or path; an assignment at it or
 * above it counts. A failing store is "no". */
bool moor_authz_allows(struct moor_authz *a, const struct moor_principal *p, const char *action,
                       const char *scope);
bool moor_authz_allows_data(struct moor_authz *a, const struct moor_principal *p,
                            const char *data_action, const char *scope);

/* authz/roles.c: the built-in roles. NULL when there is none. */
struct moor_role {
    const char *id, *name;
    const char *const *actions, *const *not_actions, *const *data_actions; /* end with NULL */
};
const struct moor_role *moor_role_find(const char *id_or_name);
const struct moor_role *moor_role_at(size_t i); /* NULL behind the last */
bool moor_role_allows(const struct moor_role *r, const char *action, bool data); /* pure */

#endif
