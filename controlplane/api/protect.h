/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.h: protected settings on their way to a machine: sealed while it has no settings
 * certificate, CMS to that certificate from then on. The clear text is kept nowhere.
 */
#ifndef MOOR_API_PROTECT_H
#define MOOR_API_PROTECT_H

#include "api/app.h"
#include "store/guarded.h"
#include "store/machines.h"

/* What is protected, for whom, and where rows live. */
struct moor_protect_target {
    const struct moor_app *app;
    const struct moor_machine *machine;
    const char *resource_id; /* a sealed text and an HMAC are bound to it */
    struct moor_arena *arena;
};

/* Fills g, unless it holds this text already: an identical PUT keeps ciphertext and thumbprint, and
 * *changed is false. An HMAC under the control plane's key tells. */
MOOR_NODISCARD moor_code moor_protect_set(const struct moor_protect_target *t,
                                          struct moor_span clear, struct moor_guarded *g,
                                          bool *changed, struct moor_error *err);
bool moor_protect_any(const struct moor_guarded *g);
void moor_protect_clear(struct moor_guarded *g);

/* Encrypts what is sealed to the machine's certificate. *changed when there was something. */
MOOR_NODISCARD moor_code moor_protect_encrypt(const struct moor_protect_target *t,
                                              struct moor_guarded *g, bool *changed,
                                              struct moor_error *err);

#endif
