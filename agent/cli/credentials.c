/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/cli.h"
#include "connect/signin.h"
#include "crypto/bundle.h"
#include "platform/self.h"

#define SECRET_VARIABLE "MOORING_SERVICE_PRINCIPAL_SECRET"
#define TOKEN_VARIABLE  "MOORING_ACCESS_TOKEN"

struct moor_credentials {
    struct moor_secret client_secret, access_token;
    struct moor_key *key;
    struct moor_cert *cert;
};

void moor_credentials_free(struct moor_credentials *c)
{
    if (!c)
        return;
    moor_secret_drop(&c->client_secret);
    moor_secret_drop(&c->access_token);
    moor_key_free(c->key);
    moor_cert_free(c->cert);
    free(c);
}

static moor_azcm check_ids(struct moor_cli *cli, const struct moor_credential_options *o)
{
    const struct {
        const char *name, *value;
    } ids[] = {
        { "--tenant-id", o->tenant },
        { "--user-tenant-id", o->user_tenant },
        { "--service-principal-id", o->client_id },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(ids); i++)
        if (ids[i].value && !moor_uuid_valid(moor_span_str(ids[i].value)))
            return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%s: want a UUID", ids[i].name);
    return AZCM_OK;
}

/* One way to sign in, and at most one place for its secret. */
static moor_azcm check_ways(struct moor_cli *cli, const struct moor_credential_options *o)
{
    const bool token = o->token || o->token_file;
    const int ways = (o->client_id != NULL) + token + o->device_code + o->azcli;
    const int places = (o->secret != NULL) + (o->secret_file != NULL) + (o->cert_file != NULL);
    if (o->thumbprint)
        return moor_cli_refuse(cli, AZCM_UNSUPPORTED,
                               "--service-principal-cert-thumbprint: certificate stores are "
                               "Windows'; use --service-principal-cert");
    if (ways > 1)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--service-principal-id, --access-token-file, --use-device-code, "
                               "--use-azcli: give one of them");
    if (places > 1 || (o->token && o->token_file))
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "a secret, a certificate and a token: give one of them, once");
    if (places > 0 && !o->client_id)
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "--service-principal-id");
    if (o->cert_password_file && !o->cert_file)
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "--service-principal-cert");
    return AZCM_OK;
}

static moor_code ask_password(const char *file, struct moor_secret *password,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) prompt = MOOR_BUF(4096);
    moor_buf_fmt(&prompt, "Password of %s", file);
    return plat_ask_secret(moor_buf_cstr(&prompt), password, err);
}

/* The password comes from its file, or from the terminal when the file turns out to need one. */
static moor_code read_certificate(const struct moor_credential_options *o,
                                  struct moor_credentials *c, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF_SECRET(MOOR_INPUT_MAX);
    MOOR_AUTO(moor_secret) password = MOOR_SECRET_INIT;
    moor_code code = moor_read_input(o->cert_file, &bytes, err);
    if (code == MOOR_OK && o->cert_password_file)
        code = moor_read_secret(o->cert_password_file, NULL, &password, err);
    if (code != MOOR_OK)
        return code;
    code = moor_bundle_read(moor_buf_view(&bytes), &password, &c->key, &c->cert, err);
    if (code == MOOR_E_DENIED && !o->cert_password_file &&
        ask_password(o->cert_file, &password, NULL) == MOOR_OK)
        code = moor_bundle_read(moor_buf_view(&bytes), &password, &c->key, &c->cert, err);
    return code == MOOR_OK ? code : moor_context(err, "%s", o->cert_file);
}

/* A secret that is itself the option's value: of the command line, or of --config. */
static moor_code take(struct moor_cli *cli, const struct moor_credential_options *o,
                      const char *value, const char *better, struct moor_secret *out,
                      struct moor_error *err)
{
    return o->from_file ? moor_secret_set(out, moor_span_str(value), err)
                        : moor_take_argument(cli, value, better, out, err);
}

static moor_azcm read_principal(struct moor_cli *cli, const struct moor_credential_options *o,
                                struct moor_credentials *c)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code code = MOOR_OK;
    if (o->cert_file)
        code = read_certificate(o, c, &err);
    else if (o->secret)
        code = take(cli, o, o->secret, "--service-principal-secret-file", &c->client_secret, &err);
    else
        code = moor_read_secret(o->secret_file, SECRET_VARIABLE, &c->client_secret, &err);
    if (code != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (!c->key && moor_secret_empty(&c->client_secret))
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                               "--service-principal-secret-file, --service-principal-cert, or the "
                               "variable " SECRET_VARIABLE);
    return AZCM_OK;
}

static moor_azcm read_token(struct moor_cli *cli, const struct moor_credential_options *o,
                            struct moor_credentials *c)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (o->token ? take(cli, o, o->token, "--access-token-file", &c->access_token, &err)
                 : moor_read_secret(o->token_file, TOKEN_VARIABLE, &c->access_token, &err))
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (moor_secret_empty(&c->access_token))
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER,
                               "--service-principal-id, --access-token-file, --use-device-code or "
                               "--use-azcli");
    return AZCM_OK;
}

static moor_signin_way way_of(const struct moor_credential_options *o)
{
    if (o->client_id)
        return o->cert_file ? MOOR_SIGNIN_CERTIFICATE : MOOR_SIGNIN_SECRET;
    if (o->device_code)
        return MOOR_SIGNIN_DEVICE;
    return o->azcli ? MOOR_SIGNIN_AZCLI : MOOR_SIGNIN_TOKEN;
}

static moor_azcm read_all(struct moor_cli *cli, const struct moor_credential_options *o,
                          moor_signin_way way, struct moor_credentials *c)
{
    moor_azcm bad = check_ids(cli, o);
    if (bad == AZCM_OK)
        bad = check_ways(cli, o);
    if (bad == AZCM_OK && o->client_id)
        bad = read_principal(cli, o, c);
    if (bad == AZCM_OK && way == MOOR_SIGNIN_TOKEN)
        bad = read_token(cli, o, c);
    if (bad == AZCM_OK && way != MOOR_SIGNIN_TOKEN && way != MOOR_SIGNIN_AZCLI && !o->tenant &&
        !o->user_tenant)
        bad = moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "--tenant-id");
    return bad;
}

bool moor_credentials_given(const struct moor_credential_options *o)
{
    return o->client_id || o->token || o->token_file || o->device_code || o->azcli ||
           plat_environment(TOKEN_VARIABLE);
}

moor_azcm moor_credentials_read(struct moor_cli *cli, const struct moor_credential_options *o,
                                struct moor_credentials **out, struct moor_credential *who)
{
    MOOR_AUTOPTR(moor_credentials) c = calloc(1, sizeof(*c));
    if (!c)
        return moor_cli_refuse(cli, AZCM_UNKNOWN, "out of memory");
    const moor_signin_way way = way_of(o);
    moor_azcm bad = read_all(cli, o, way, c);
    if (bad != AZCM_OK)
        return bad;
    *who = (struct moor_credential){ .way = way,
                                     .tenant_id = o->user_tenant ? o->user_tenant : o->tenant,
                                     .client_id = o->client_id,
                                     .client_secret = &c->client_secret,
                                     .key = c->key,
                                     .cert = c->cert,
                                     .access_token = &c->access_token };
    *out = MOOR_TAKE(c);
    return AZCM_OK;
}
