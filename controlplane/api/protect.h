/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.h: protected settings on their way to a machine: sealed while it has no settings
 * certificate, CMS to that certificate from then on. The clear text is kept nowhere.
 */
#ifndef MOOR_API_PROTECT_H
#define MOOR_API_PROTECT_H

#include "api/app.h"
#include "store/extensions.h"
#include "store/machines.h"

/* HMAC of the clear text under the control plane's key, bound to the resource: tells an identical
 * PUT without keeping what was put. */
void moor_protect_mac(const struct moor_app *app, const char *resource_id, struct moor_span clear,
                      unsigned char out[32]);

/* Fills protect, blob, thumbprint and clear_mac of e; strings and bytes in the arena. */
MOOR_NODISCARD moor_code moor_protect_set(const struct moor_app *app, const struct moor_machine *m,
                                          struct moor_span clear, struct moor_arena *arena,
                                          struct moor_extension *e, struct moor_error *err);
void moor_protect_clear(struct moor_extension *e);

/* Encrypts what is sealed to the machine's certificate. *changed when there was something. */
MOOR_NODISCARD moor_code moor_protect_encrypt(const struct moor_app *app,
                                              const struct moor_machine *m,
                                              struct moor_arena *arena, struct moor_extension *e,
                                              bool *changed, struct moor_error *err);

#endif
