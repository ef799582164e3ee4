/* SPDX-License-Identifier: Apache-2.0 */
/* mooring-controlplane: its commands. */
#include <stdio.h>

#include "base/attr.h"
#include "crypto/memory.h"
#include "http/forget.h"
#include "main/commands.h"
#include "main/options.h"
#include "platform/account.h"
#include "platform/dirs.h"

#define OPTION(id, name, also, argument, member, help)                                             \
    static const struct cp_option id = { name, also, argument,                                     \
                                         offsetof(struct cp_options, member), help };
OPTION(o_state, "--state", NULL, "DIR", state, "the state folder")
OPTION(o_host, "--host", NULL, "NAME", hosts, "name or address in the certificate; first: in URLs")
OPTION(o_location, "--location", NULL, "NAME", location, "the location shown to clients")
OPTION(o_listen, "--listen", NULL, "ADDR:PORT", listen, "default 0.0.0.0:8443; port 0: any free")
OPTION(o_public, "--public-url", NULL, "URL", public_url, "base URL when a proxy stands in front")
OPTION(o_verbose, "--verbose", "-v", NULL, verbose, "log every detail")
OPTION(o_json, "--json", "-j", NULL, json, "print JSON")
OPTION(o_role, "--role", NULL, "ROLE", role, "name or id of a built-in role")
OPTION(o_scope, "--scope", NULL, "ID", scope, "resource id; default: the subscription")
OPTION(o_secret, "--secret-file", NULL, "FILE", secret_file, "write the secret there, mode 0600")
OPTION(o_certificate, "--certificate", NULL, "FILE", certificate,
       "PEM; signs in instead of a secret")
OPTION(o_as, "--as", NULL, "CLIENT-ID", as, "the application as which the device signs in")
OPTION(o_expires, "--expires-in", NULL, "DURATION", expires_in, "ISO 8601: P30D, PT12H")
OPTION(o_publisher, "--publisher", NULL, "P", publisher, "publisher, when the package is silent")
OPTION(o_type, "--type", NULL, "T", type, "type, when the package is silent")
OPTION(o_version, "--version", NULL, "V", version, "version, when the package is silent")
OPTION(o_signature, "--signature", NULL, "FILE", signature, "the publisher's detached CMS (DER)")

OPTION(o_group, "--resource-group", NULL, "NAME", resource_group, "where machines become resources")
OPTION(o_principal, "--service-principal-id", NULL, "ID", service_principal_id, "who connects them")
OPTION(o_tags, "--tags", NULL, "A=B,C=D", tags, "tags of the resources")
OPTION(o_days, "--reenrollment-days", NULL, "N", reenrollment_days,
       "days after its certificate's end; 0: never, at most 3650")
OPTION(o_previous, "--accept-previous-key", NULL, "BOOL", accept_previous,
       "whether a rotated key may return with a snapshot")
OPTION(o_finish, "--finish", NULL, NULL, finish, "all is back: unknown machines are gone")

#define OPTIONS(...)                                                                               \
    (const struct cp_option *const[])                                                              \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct cp_command commands[] = {
    { "init", "", 0, 0, "make the state folder: keys, certificates, the administrator",
      OPTIONS(&o_state, &o_host, &o_location), cp_run_init, false },
    { "serve", "", 0, 0, "run the server; makes the state folder on the first start",
      OPTIONS(&o_state, &o_listen, &o_public, &o_verbose), cp_run_serve, false },
    { "info", "", 0, 0, "tell addresses, ids and files", OPTIONS(&o_state, &o_json), cp_run_info,
      false },
    { "ca show", "", 0, 0, "print the certificate of the TLS CA", OPTIONS(&o_state), cp_run_ca_show,
      false },
    { "ca fingerprint", "", 0, 0, "print the SHA-256 of the TLS CA's certificate",
      OPTIONS(&o_state), cp_run_ca_fingerprint, false },
    { "extension publish", "ZIP", 1, 1, "add an extension package to the gallery",
      OPTIONS(&o_state, &o_publisher, &o_type, &o_version, &o_signature, &o_json),
      cp_run_extension_publish, true },
    { "extension list", "", 0, 0, "list the gallery", OPTIONS(&o_state, &o_json),
      cp_run_extension_list, false },
    { "agent publish", "FILE", 1, 1, "offer a package of the agent to machines that are onboarded",
      OPTIONS(&o_state, &o_json), cp_run_agent_publish, true },
    { "agent list", "", 0, 0, "list the agent's packages", OPTIONS(&o_state, &o_json),
      cp_run_agent_list, false },
    { "onboard script", "", 0, 0, "print the script that installs and connects the agent",
      OPTIONS(&o_state, &o_group, &o_location, &o_principal, &o_tags), cp_run_onboard_script,
      false },
    { "onboard command", "", 0, 0, "print the line that fetches and runs that script on a machine",
      OPTIONS(&o_state, &o_group, &o_location, &o_principal, &o_tags), cp_run_onboard_command,
      false },
    { "principal create", "NAME", 1, 1, "make an application that may sign in",
      OPTIONS(&o_state, &o_role, &o_scope, &o_secret, &o_certificate, &o_expires, &o_json),
      cp_run_principal_create, false },
    { "principal certify", "CLIENT-ID", 1, 1, "add a certificate to an application",
      OPTIONS(&o_state, &o_certificate), cp_run_principal_certify, false },
    { "principal list", "", 0, 0, "list applications", OPTIONS(&o_state, &o_json),
      cp_run_principal_list, false },
    { "principal delete", "CLIENT-ID", 1, 1, "remove an application and its rights",
      OPTIONS(&o_state), cp_run_principal_delete, false },
    { "device list", "", 0, 0, "list device codes that wait for a decision",
      OPTIONS(&o_state, &o_json), cp_run_device_list, false },
    { "device approve", "CODE", 1, 1, "let the device that shows the code sign in",
      OPTIONS(&o_state, &o_as), cp_run_device_approve, false },
    { "device deny", "CODE", 1, 1, "refuse the device that shows the code", OPTIONS(&o_state),
      cp_run_device_deny, false },
    { "machine list", "", 0, 0, "list machines", OPTIONS(&o_state, &o_json), cp_run_machine_list,
      false },
    { "machine disable", "MACHINE", 1, 1, "take no word of a machine any more", OPTIONS(&o_state),
      cp_run_machine_disable, false },
    { "machine enable", "MACHINE", 1, 1, "take its word again", OPTIONS(&o_state),
      cp_run_machine_enable, false },
    { "machine set", "MACHINE", 1, 1, "rules of one machine beside config.json's",
      OPTIONS(&o_state, &o_days, &o_previous), cp_run_machine_set, false },
    { "token-key rotate", "", 0, 0, "another key signs tokens; a running server takes it on SIGHUP",
      OPTIONS(&o_state), cp_run_token_key_rotate, false },
    { "restore", "", 0, 0, "after the database came back from a backup, before serving",
      OPTIONS(&o_state, &o_finish), cp_run_restore, false },
    { "version", "", 0, 0, "print the version", OPTIONS(&o_state), cp_run_version, false },
};

int cp_complain(const struct moor_error *err)
{
    fprintf(stderr, "mooring-controlplane: %s\n", err->msg);
    return 1;
}

int main(int argc, char **argv)
{
    struct cp_options options = { .state = NULL };
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    plat_protect_process();
    moor_crypto_wipe_freed();
    moor_http_forget();
    if (plat_dirs_init(false, &err))
        return cp_complain(&err);
    const struct cp_command *c =
        cp_options_parse(commands, MOOR_COUNTOF(commands), argc, argv, &options, &status);
    if (c)
        status = c->run(&options);
    cp_options_drop(&options);
    return status;
}
