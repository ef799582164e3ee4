/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h: the administrator's command. A verb is a row: its words, its options as a table, its
 * handler. Answers go to standard output, everything else to standard error; the exit status is
 * the AZCM number.
 */
#ifndef MOOR_CLI_CLI_H
#define MOOR_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "connect/progress.h"
#include "core/azcm.h"
#include "core/options.h"
#include "platform/file.h"

struct moor_settings;

/* What every verb shares. */
struct moor_cli {
    bool help, json, verbose, no_color, log_stderr;
    const char *program;  /* "mooring", or "azcmagent" when called by that name */
    bool terminal;        /* somebody watches standard error */
    bool line_open;       /* a step's line is not finished */
    const char *verb;     /* NULL before it is known */
    struct plat_file log; /* azcmagent.log, for commands that change something */
};

struct moor_verb {
    const char *name;                  /* "cloud register": one or two words */
    const char *words;                 /* of what follows, for help: "NAME URL" */
    const char *summary;               /* one line */
    const char *text;                  /* more help; NULL = none */
    const struct moor_option *options; /* NULL = none */
    size_t options_size;               /* of the zeroed struct they fill; at most 512 */
    unsigned words_min, words_max;
    bool admin; /* root, or the owner of MOORING_ROOT */
    moor_azcm (*run)(struct moor_cli *cli, const void *options, const struct moor_words *words);
};

extern const struct moor_verb moor_verb_audit_list, moor_verb_audit_verify;
extern const struct moor_verb moor_verb_cloud_list, moor_verb_cloud_register,
    moor_verb_cloud_remove, moor_verb_cloud_show;
extern const struct moor_verb moor_verb_config_clear, moor_verb_config_get, moor_verb_config_info,
    moor_verb_config_list, moor_verb_config_set;
extern const struct moor_verb moor_verb_check, moor_verb_check_identity, moor_verb_connect,
    moor_verb_connect_existing, moor_verb_disconnect, moor_verb_ensure_connected,
    moor_verb_extension_check, moor_verb_extension_list, moor_verb_extension_logs,
    moor_verb_extension_remove, moor_verb_extension_repair, moor_verb_extension_show,
    moor_verb_genkey, moor_verb_help, moor_verb_logs, moor_verb_logs_check, moor_verb_logs_queue,
    moor_verb_logs_status, moor_verb_show, moor_verb_version;

const struct moor_verb *const *moor_verbs(size_t *count);
extern const struct moor_option moor_common_options[];
int moor_cli_main(int argc, char **argv);

/* output.c */
MOOR_PRINTF(1, 2) void moor_say(const char *fmt, ...); /* the answer, on standard output */
void moor_say_json(const struct moor_json *v);         /* the answer with -j */
MOOR_PRINTF(2, 3) void moor_tell(struct moor_cli *cli, const char *fmt, ...); /* a message */
MOOR_PRINTF(2, 3) void moor_warn(struct moor_cli *cli, const char *fmt, ...);
/* "error: AZCM0023: ..." with hint, and the same as JSON on standard output with -j. hint NULL:
 * the number's own. Returns the number. */
moor_azcm moor_cli_fail(struct moor_cli *cli, moor_azcm number, const struct moor_error *err,
                        const char *hint);
/* The same with a sentence of the caller's instead of an error. */
MOOR_PRINTF(3, 4)
moor_azcm moor_cli_refuse(struct moor_cli *cli, moor_azcm number, const char *fmt, ...);
struct moor_progress moor_cli_progress(struct moor_cli *cli);
/* Around a verb that changes something: see journal.h. */
void moor_cli_begin_log(struct moor_cli *cli);
void moor_cli_end_log(struct moor_cli *cli, moor_azcm number);

/* config.c. The settings in force. NULL, or why the file is refused, which was told already. */
const char *moor_cli_settings(struct moor_cli *cli, struct moor_settings *out,
                              struct moor_arena *arena);

/* input.c: what the administrator names is read with the administrator's rights, links followed. */
#define MOOR_INPUT_MAX (256 * 1024)
/* file "-" is standard input. */
MOOR_NODISCARD moor_code moor_read_input(const char *file, struct moor_buf *out,
                                         struct moor_error *err);
struct moor_secret;
/* From the file, else from the environment variable; the secret stays empty when neither is given.
 * One line feed at the end is cut; an empty secret is BADINPUT. */
MOOR_NODISCARD moor_code moor_read_secret(const char *file, const char *variable,
                                          struct moor_secret *out, struct moor_error *err);
/* A secret that came as an argument: copied, then overwritten where others may look. what names a
 * better way in the warning. */
MOOR_NODISCARD moor_code moor_take_argument(struct moor_cli *cli, const char *argument,
                                            const char *what, struct moor_secret *out,
                                            struct moor_error *err);

/* credentials.c: the options by which connect and disconnect sign in. */
struct moor_credential_options {
    const char *client_id, *secret, *secret_file, *cert_file, *cert_password_file, *thumbprint;
    const char *token, *token_file, *tenant, *user_tenant;
    bool device_code, azcli;
    bool from_file; /* no option: secret and token are not of the command line */
};
#define MOOR_CREDENTIAL_OPTIONS(type, member)                                                      \
    { "service-principal-id", 'i', "ID", offsetof(type, member.client_id),                         \
      "client id of the service principal that signs in" },                                        \
        { "service-principal-secret-file", 0, "FILE", offsetof(type, member.secret_file),          \
          "file with its secret; - is standard input" },                                           \
        { "service-principal-secret", 'p', "SECRET", offsetof(type, member.secret),                \
          "the secret itself: seen by every user of this machine" },                               \
        { "service-principal-cert", 0, "FILE", offsetof(type, member.cert_file),                   \
          "its certificate and key instead: PEM or PFX" },                                         \
        { "service-principal-cert-password-file", 0, "FILE",                                       \
          offsetof(type, member.cert_password_file),                                               \
          "file with the password of that file; - is standard input" },                            \
        { "service-principal-cert-thumbprint", 0, "HEX", offsetof(type, member.thumbprint),        \
          "Windows only" },                                                                        \
        { "use-device-code", 0, NULL, offsetof(type, member.device_code),                          \
          "a person signs in elsewhere with a code" },                                             \
        { "use-azcli", 0, NULL, offsetof(type, member.azcli),                                      \
          "whoever is signed in to the Azure CLI" },                                               \
        { "access-token-file", 0, "FILE", offsetof(type, member.token_file),                       \
          "file with an access token instead; - is standard input" },                              \
        { "access-token", 0, "TOKEN", offsetof(type, member.token),                                \
          "the token itself: seen by every user of this machine" },                                \
        { "tenant-id", 't', "ID", offsetof(type, member.tenant), "tenant of the resource" },       \
    {                                                                                              \
        "user-tenant-id", 0, "ID", offsetof(type, member.user_tenant),                             \
            "tenant of the credential, when it is another"                                         \
    }
struct moor_credentials; /* secrets read by moor_credentials_read */
struct moor_credential;
/* Whether there is any way to sign in, without looking closer. */
bool moor_credentials_given(const struct moor_credential_options *o);
/* Fills who, which borrows from the options and from *out. AZCM_OK, or the number after the
 * failure was told. */
moor_azcm moor_credentials_read(struct moor_cli *cli, const struct moor_credential_options *o,
                                struct moor_credentials **out, struct moor_credential *who);
void moor_credentials_free(struct moor_credentials *c);
MOOR_DEFINE_AUTOPTR(moor_credentials)

/* tags.c. "A=B,C='x y'" with quotes and backslashes, as JSON text in out. */
MOOR_NODISCARD moor_code moor_tags_parse(const char *text, struct moor_buf *out,
                                         struct moor_error *err);

#endif
