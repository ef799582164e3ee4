/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h: what main.c's table runs. Each returns the exit status: 0, 1 on failure (said on
 * stderr), 2 on wrong arguments. */
#ifndef MOOR_MAIN_COMMANDS_H
#define MOOR_MAIN_COMMANDS_H

#include "main/options.h"

int cp_run_init(const struct cp_options *o);
int cp_run_serve(const struct cp_options *o);
int cp_run_info(const struct cp_options *o);
int cp_run_ca_show(const struct cp_options *o);
int cp_run_ca_fingerprint(const struct cp_options *o);
int cp_run_principal_create(const struct cp_options *o);
int cp_run_principal_certify(const struct cp_options *o);
int cp_run_principal_list(const struct cp_options *o);
int cp_run_principal_delete(const struct cp_options *o);
int cp_run_machine_list(const struct cp_options *o);
int cp_run_machine_disable(const struct cp_options *o);
int cp_run_machine_enable(const struct cp_options *o);
int cp_run_machine_set(const struct cp_options *o);
int cp_run_token_key_rotate(const struct cp_options *o);
int cp_run_restore(const struct cp_options *o);
int cp_run_extension_publish(const struct cp_options *o);
int cp_run_agent_publish(const struct cp_options *o);
int cp_run_agent_list(const struct cp_options *o);
int cp_run_onboard_script(const struct cp_options *o);
int cp_run_onboard_command(const struct cp_options *o);
int cp_run_extension_list(const struct cp_options *o);
int cp_run_device_list(const struct cp_options *o);
int cp_run_device_approve(const struct cp_options *o);
int cp_run_device_deny(const struct cp_options *o);
int cp_run_version(const struct cp_options *o);

/* "mooring-controlplane: message" on stderr; returns 1. */
int cp_complain(const struct moor_error *err);

#endif
