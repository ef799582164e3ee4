/* SPDX-License-Identifier: Apache-2.0 */
/* The desired-state endpoint: document, settings certificate. Reports are in report.c. */
#include "api/extensions.h"
#include "api/report.h"
#include "api/routes.h"
#include "api/run_commands.h"
#include "api/service.h"
#include "engine/desired.h"
#include "engine/live.h"
#include "platform/file.h"

#define CA_MAX          ((size_t)64 << 10)
#define CERTIFICATE_MAX ((size_t)16 << 10)

/* The TLS CA as it is on disk now: it is replaced there. None is no reason to fail. */
static struct moor_span read_ca(struct moor_call *c)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CA_MAX);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(CA_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    if (plat_read_all(moor_call_fmt(c, "%s/tls/ca.pem", c->app->config.state_dir), CA_MAX, &pem,
                      NULL) ||
        moor_cert_from_pem(moor_buf_view(&pem), &cert, NULL) || moor_cert_to_der(cert, &der, NULL))
        return MOOR_SPAN_NONE;
    const char *copy = moor_arena_str(c->arena, moor_buf_view(&der));
    return moor_span(copy, copy ? der.len : 0);
}

/* If-None-Match names the revision, alone or in a list, or is "*". */
static bool has_already(struct moor_call *c, const char *etag)
{
    struct moor_span rest = moor_span_str(moor_http_header(c->ex, "If-None-Match"));
    while (rest.p) {
        struct moor_span one = moor_span_trim(moor_span_cut(&rest, ','));
        if (moor_span_starts(one, "W/"))
            one = moor_span(one.p + 2, one.n - 2);
        if (moor_span_eq_str(one, etag) || moor_span_eq_str(one, "*"))
            return true;
    }
    return false;
}

static void on_desired(struct moor_call *c)
{
    struct moor_machine m;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *revision = NULL;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_DESIRED_MAX * 4);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_DESIRED_MAX);
    if (!moor_service_worker(c, &m))
        return;
    if (moor_desired_revision(c->app->store, m.desired_counter, c->arena, &revision, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    const char *etag = moor_call_fmt(c, "\"%s\"", revision);
    if (has_already(c, etag)) {
        moor_http_reply_header(c->ex, "ETag", etag);
        moor_call_empty(c, 304);
        return;
    }
    struct moor_desired_site site = {
        .packages_url = moor_call_fmt(c, "%s/packages", c->app->config.base_url),
        .packages_dir = c->app->config.packages_dir,
        .ingestion_url = c->app->config.ingestion_url,
        .ca_der = read_ca(c),
    };
    if (moor_desired_document(c->app->store, &m, &site, &arena, &text, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_http_reply_header(c->ex, "ETag", etag);
    moor_http_reply(c->ex, 200, "application/json; charset=utf-8", moor_buf_view(&text));
}

/* Settings certificate. */
struct settings_request {
    struct moor_span certificate;
};
static const struct moor_json_field settings_fields[] = {
    { MOOR_F_BYTES, "certificate", offsetof(struct settings_request, certificate), MOOR_F_REQUIRED,
      1, 8192, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape settings_shape = { sizeof(struct settings_request),
                                                       settings_fields, 0 };

/* RSA (the PKCS#1 form demands 2048 bits and more) and signed by itself. */
static bool usable(const struct moor_cert *cert)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CERTIFICATE_MAX);
    return moor_cert_issued_by(cert, cert) && moor_cert_key(cert, &key, NULL) == MOOR_OK &&
           moor_key_public_pkcs1(key, &text, NULL) == MOOR_OK;
}

static moor_code replace_certificate(struct moor_call *c, struct moor_machine *m, const char *pem,
                                     struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *s = c->app->store;
    uint64_t revision = 0;
    m->settings_cert = pem;
    moor_code code = moor_store_begin(s, &tx, err);
    if (code || (code = moor_machine_set_settings_cert(s, m->vm_id, pem, err)) ||
        (code = moor_extension_protect_all(c->app, m, err)) ||
        (code = moor_run_command_protect_all(c->app, m, err)) ||
        (code = moor_machine_touch_desired(s, m->vm_id, &revision, err)) ||
        (code = moor_store_commit(&tx, err)))
        return code;
    moor_live_changed(c->app->live, m->vm_id, revision);
    return MOOR_OK;
}

static void on_settings(struct moor_call *c)
{
    struct moor_machine m;
    struct settings_request request;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CERTIFICATE_MAX);
    char thumbprint[41];
    if (!moor_service_worker(c, &m) || !moor_service_decode(c, &settings_shape, &request))
        return;
    if (moor_cert_from_der(request.certificate, &cert, NULL) || !usable(cert) ||
        moor_cert_to_pem(cert, &pem, NULL) || pem.failed) {
        moor_call_error(c, 400, "InvalidRequestContent",
                        "certificate: want a self-signed RSA certificate of 2048 bits or more");
        return;
    }
    if (!moor_streq(m.settings_cert, moor_buf_cstr(&pem)) &&
        replace_certificate(c, &m, moor_buf_cstr(&pem), &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_cert_sha1_hex(cert, thumbprint);
    MOOR_AUTOPTR(moor_json) o = moor_service_answer(c);
    moor_json_set_str(o, "thumbprint", thumbprint);
    moor_call_json(c, 200, o);
}

static const struct moor_endpoint desired = { MOOR_AUD_SERVICE, on_desired, NULL };
static const struct moor_endpoint settings = { MOOR_AUD_SERVICE, on_settings, NULL };
static const struct moor_endpoint report_endpoint = { MOOR_AUD_SERVICE, moor_report, NULL };

const struct moor_http_route moor_gas_routes[] = {
    MOOR_ROUTE("PUT", "/gas/machines/{vmId}/settingsCertificate", settings, 16 << 10),
    MOOR_ROUTE("GET", "/gas/machines/{vmId}/desiredState", desired, 0),
    MOOR_ROUTE("PUT", "/gas/machines/{vmId}/report", report_endpoint, 1 << 20),
};
const size_t moor_gas_route_count = MOOR_COUNTOF(moor_gas_routes);
