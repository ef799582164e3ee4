/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_secrets.h: the secrets that are on this machine, for the redactor: private keys, challenge
 * files, the proxy's credentials, and what handlers were told in protected settings: their scripts
 * print it. What cannot be read or decrypted is left out. Blocking; root's to call.
 */
#ifndef MOOR_CLI_KNOWN_SECRETS_H
#define MOOR_CLI_KNOWN_SECRETS_H

#include "cli/redact.h"

struct moor_settings;
void moor_known_secrets(struct moor_redactor *r, const struct moor_settings *settings);

/* Pure: every text in a JSON value of protected settings, and every longer word of it. */
void moor_known_secrets_json(struct moor_redactor *r, struct moor_span text);

#endif
