/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "cli/cli.h"
#include "connect/signin.h"

#define SECRET_VARIABLE "MOORING_SERVICE_PRINCIPAL_SECRET"
#define TOKEN_VARIABLE  "MOORING_ACCESS_TOKEN"

struct moor_credentials {
    struct moor_secret client_secret, access_token;
};

void moor_credentials_free(struct moor_credentials *c)
{
    if (!c)
        return;
    moor_secret_drop(&c->client_secret);
    moor_secret_drop(&c->access_token);
    free(c);
}

/* Other users saw it from the start of the process; at least they do not see it any longer. */
static moor_code take_argument(struct moor_cli *cli, const char *argument, struct moor_secret *out,
                               struct moor_error *err)
{
    moor_warn(cli, "a secret on the command line is seen by every user of this machine; "
                   "use --service-principal-secret-file");
    moor_code c = moor_secret_set(out, moor_span_str(argument), err);
    moor_wipe((char *)(uintptr_t)argument, strlen(argument));
    return c;
}

static moor_azcm check(struct moor_cli *cli, const struct moor_credential_options *o)
{
    if (o->token)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--access-token: every user of this machine would see it; use "
                               "--access-token-file, or the variable " TOKEN_VARIABLE);
    if (o->secret && o->secret_file)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--service-principal-secret and --service-principal-secret-file: "
                               "give one of them");
    if (o->token_file && (o->client_id || o->secret || o->secret_file))
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--access-token-file and a service principal: give one of them");
    if (o->tenant && !moor_uuid_valid(moor_span_str(o->tenant)))
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--tenant-id: want a UUID");
    if (o->client_id && !moor_uuid_valid(moor_span_str(o->client_id)))
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--service-principal-id: want a UUID");
    return AZCM_OK;
}

static moor_azcm read_principal(struct moor_cli *cli, const struct moor_credential_options *o,
                                struct moor_credentials *c)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (o->secret ? take_argument(cli, o->secret, &c->client_secret, &err)
                  : moor_read_secret(o->secret_file, SECRET_VARIABLE, &c->client_secret, &err))
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (moor_secret_empty(&c->client_secret))
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                               "--service-principal-secret-file, or the variable " SECRET_VARIABLE);
    if (!o->tenant)
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "--tenant-id");
    return AZCM_OK;
}

static moor_azcm read_all(struct moor_cli *cli, const struct moor_credential_options *o,
                          struct moor_credentials *c)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_azcm bad = check(cli, o);
    if (bad != AZCM_OK)
        return bad;
    if (o->client_id)
        return read_principal(cli, o, c);
    if (moor_read_secret(o->token_file, TOKEN_VARIABLE, &c->access_token, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (moor_secret_empty(&c->access_token))
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                               "--service-principal-id, or --access-token-file");
    return AZCM_OK;
}

moor_azcm moor_credentials_read(struct moor_cli *cli, const struct moor_credential_options *o,
                                struct moor_credentials **out, struct moor_credential *who)
{
    MOOR_AUTOPTR(moor_credentials) c = calloc(1, sizeof(*c));
    if (!c)
        return moor_cli_refuse(cli, AZCM_UNKNOWN, "out of memory");
    moor_azcm bad = read_all(cli, o, c);
    if (bad != AZCM_OK)
        return bad;
    *who = (struct moor_credential){ .tenant_id = o->tenant, .client_id = o->client_id };
    if (o->client_id)
        who->client_secret = &c->client_secret;
    else
        who->access_token = &c->access_token;
    *out = MOOR_TAKE(c);
    return AZCM_OK;
}
