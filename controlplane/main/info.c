/* SPDX-License-Identifier: Apache-2.0 */
/* init, info, ca, version: what an administrator asks of the state folder. */
#include <stdio.h>

#include "base/json.h"
#include "main/commands.h"
#include "main/state.h"
#include "platform/file.h"

#ifndef MOOR_VERSION
#define MOOR_VERSION "0"
#endif

int cp_run_version(const struct cp_options *o)
{
    (void)o;
    printf("mooring-controlplane %s\n", MOOR_VERSION);
    return 0;
}

int cp_run_init(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_ensure(o, &s, &err))
        status = cp_complain(&err);
    else
        printf("state     %s\ntenant    %s\nsubscription %s\nadmin     %s (secret in %s)\n", s.dir,
               s.config.tenant_id, s.config.subscription_id, s.config.admin_client_id,
               cp_state_path(&s, "admin-secret"));
    cp_state_drop(&s);
    return status;
}

static const char *workspace_of(struct cp_state *s)
{
    const char *id = "";
    if (moor_store_meta_get(s->store, "defaultWorkspaceId", &s->arena, &id, NULL))
        id = "";
    return id;
}

static void print_info(struct cp_state *s, bool json)
{
    struct moor_app_config cfg = cp_state_app_config(s, cp_state_endpoint(s));
    const struct {
        const char *key, *value;
    } rows[] = {
        { "endpoint", cfg.base_url },
        { "caFile", cp_state_path(s, "tls/ca.pem") },
        { "tenantId", cfg.tenant_id },
        { "subscriptionId", cfg.subscription_id },
        { "location", cfg.location },
        { "adminClientId", s->config.admin_client_id },
        { "adminSecretFile", cp_state_path(s, "admin-secret") },
        { "cloudName", cfg.cloud_name },
        { "audience", cfg.service_audience },
        { "hisEndpoint", cfg.his_url },
        { "gasEndpoint", cfg.gas_url },
        { "notificationEndpoint", cfg.notify_url },
        { "ingestionEndpoint", cfg.ingestion_url },
        { "queryEndpoint", cfg.query_url },
        { "workspaceId", workspace_of(s) },
    };
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64u << 10);
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        if (!json)
            printf("%-22s %s\n", rows[i].key, rows[i].value);
        moor_json_set_str(o, rows[i].key, rows[i].value);
    }
    moor_buf_json_pretty(&text, o);
    if (json)
        printf("%s\n", moor_buf_cstr(&text));
}

int cp_run_info(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err))
        status = cp_complain(&err);
    else
        print_info(&s, o->json);
    cp_state_drop(&s);
    return status;
}

static int with_ca(const struct cp_options *o,
                   void (*print)(const struct moor_cert *, const char *))
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(64u << 10);
    MOOR_AUTOPTR(moor_cert) ca = NULL;
    int status = 0;
    s.dir = o->state;
    if (plat_read_all(cp_state_path(&s, "tls/ca.pem"), 64u << 10, &pem, &err) ||
        moor_cert_from_pem(moor_buf_view(&pem), &ca, &err))
        status = cp_complain(&err);
    else
        print(ca, moor_buf_cstr(&pem));
    cp_state_drop(&s);
    return status;
}

static void print_pem(const struct moor_cert *ca, const char *pem)
{
    (void)ca;
    printf("%s", pem);
}

static void print_fingerprint(const struct moor_cert *ca, const char *pem)
{
    unsigned char digest[32];
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(64);
    (void)pem;
    moor_cert_sha256(ca, digest);
    moor_buf_hex(&hex, moor_span(digest, sizeof(digest)));
    printf("%s\n", moor_buf_cstr(&hex));
}

int cp_run_ca_show(const struct cp_options *o)
{
    return with_ca(o, print_pem);
}

int cp_run_ca_fingerprint(const struct cp_options *o)
{
    return with_ca(o, print_fingerprint);
}
