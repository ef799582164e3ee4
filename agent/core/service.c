/* SPDX-License-Identifier: Apache-2.0 */
#include "core/service.h"

#include <string.h>

#include "base/json.h"
#include "core/url.h"

#define URL_MAX         4096
#define CERTIFICATE_MAX (32 * 1024)
#define SETTINGS_MAX    (16 * 1024)
#define SMALL_ANSWER    (4 * 1024)
#define WAIT_MARGIN_MS  15000

void moor_service_request_drop(struct moor_service_request *r)
{
    moor_buf_drop(&r->url);
    moor_buf_drop(&r->body);
    moor_buf_drop(&r->if_none_match);
}

/* Starts a request: base + "/machines/" + vm_id + tail; vm_id NULL: base + tail. */
static void begin(struct moor_service_request *out, const char *method, const char *base,
                  const char *vm_id, const char *tail, size_t answer_max)
{
    moor_service_request_drop(out);
    *out = (struct moor_service_request){ .method = method,
                                          .url = MOOR_BUF(URL_MAX),
                                          .body = MOOR_BUF(MOOR_REPORT_MAX),
                                          .if_none_match = MOOR_BUF(256),
                                          .body_max = answer_max };
    moor_buf_str(&out->url, base);
    if (vm_id) {
        moor_buf_str(&out->url, "/machines/");
        moor_buf_url_part(&out->url, moor_span_str(vm_id));
    }
    moor_buf_str(&out->url, tail);
    moor_buf_str(&out->url, "?api-version=" MOOR_SERVICE_API_VERSION);
}

/* Checks what was built against the protocol's limit of the body. */
static moor_code finish(struct moor_service_request *r, const char *what, size_t max,
                        struct moor_error *err)
{
    moor_code c = moor_buf_ok(&r->url, what, err);
    if (c == MOOR_OK)
        c = moor_buf_ok(&r->body, what, err);
    if (c == MOOR_OK)
        c = moor_buf_ok(&r->if_none_match, what, err);
    if (c == MOOR_OK && r->body.len > max)
        c = moor_fail(err, MOOR_E_NOMEM, "%s: body of %zu bytes: the limit is %zu", what,
                      r->body.len, max);
    return c;
}

static void parameter(struct moor_buf *url, const char *name, const char *value)
{
    moor_buf_fmt(url, "&%s=", name);
    moor_buf_url_part(url, moor_span_str(value));
}

moor_code moor_service_discovery(const char *his, const char *location,
                                 struct moor_service_request *out, struct moor_error *err)
{
    begin(out, "GET", his, NULL, "/discovery", SMALL_ANSWER * 2);
    if (location)
        parameter(&out->url, "location", location);
    return finish(out, "discovery", 0, err);
}

/* Request bodies are tables too: one row a field of the protocol. */
#define FP(member) offsetof(struct moor_fingerprint, member)
static const struct moor_json_field fingerprint_fields[] = {
    { MOOR_F_STR, "machineId", FP(machine_id), 0, 0, 64, NULL },
    { MOOR_F_STR, "smbiosUuid", FP(smbios_uuid), 0, 0, 64, NULL },
    { MOOR_F_STR, "macs", FP(macs), 0, 0, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape fingerprint_shape = { sizeof(struct moor_fingerprint),
                                                          fingerprint_fields, 0 };

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static struct moor_fingerprint whole(const struct moor_fingerprint *f)
{
    return (struct moor_fingerprint){ .machine_id = or_empty(f->machine_id),
                                      .smbios_uuid = or_empty(f->smbios_uuid),
                                      .macs = or_empty(f->macs) };
}

moor_code moor_service_certificate(const char *his, const char *vm_id, struct moor_span csr_der,
                                   struct moor_span proof,
                                   const struct moor_fingerprint *fingerprint,
                                   struct moor_service_request *out, struct moor_error *err)
{
    begin(out, "POST", his, vm_id, "/certificate", CERTIFICATE_MAX * 3);
    moor_buf_str(&out->body, "{\"csr\":\"");
    moor_buf_base64(&out->body, csr_der);
    moor_buf_str(&out->body, "\",\"proof\":");
    moor_buf_json_str(&out->body, proof);
    if (fingerprint) {
        struct moor_fingerprint f = whole(fingerprint);
        moor_buf_str(&out->body, ",\"fingerprint\":");
        moor_json_encode(&out->body, &fingerprint_shape, &f);
    }
    moor_buf_char(&out->body, '}');
    return finish(out, "certificate request", CERTIFICATE_MAX, err);
}

#define HB(member) offsetof(struct moor_heartbeat, member)
static const struct moor_json_field heartbeat_fields[] = {
    { MOOR_F_STR, "bootId", HB(boot_id), MOOR_F_REQUIRED, 32, 32, NULL },
    { MOOR_F_U64, "sequence", HB(sequence), MOOR_F_REQUIRED, 1, INT64_C(1) << 53, NULL },
    { MOOR_F_OBJ, "fingerprint", HB(fingerprint), MOOR_F_REQUIRED, 0, 0, &fingerprint_shape },
    { MOOR_F_STR, "agentVersion", HB(agent_version), MOOR_F_REQUIRED, 1, 32, NULL },
    { MOOR_F_STR, "status", HB(status), MOOR_F_REQUIRED, 1, 16, NULL },
    { MOOR_F_JSON, "errorDetails", HB(error_details), 0, 0, 0, NULL },
    { MOOR_F_STR, "propertiesHash", HB(properties_hash), MOOR_F_REQUIRED, 0, 64, NULL },
    { MOOR_F_STR, "settingsHash", HB(settings_hash), 0, 0, 64, NULL },
    { MOOR_F_STR, "reportHash", HB(report_hash), 0, 0, 64, NULL },
    { MOOR_F_TIME, "sentAt", HB(sent_at_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape heartbeat_shape = { sizeof(struct moor_heartbeat),
                                                        heartbeat_fields, 0 };

/* An optional text that says nothing is not sent. */
static const char *or_absent(const char *s)
{
    return s && *s ? s : NULL;
}

moor_code moor_service_heartbeat(const char *his, const char *vm_id,
                                 const struct moor_heartbeat *in, struct moor_service_request *out,
                                 struct moor_error *err)
{
    struct moor_heartbeat h = *in;
    h.fingerprint = whole(&in->fingerprint);
    h.properties_hash = or_empty(in->properties_hash);
    h.settings_hash = or_absent(in->settings_hash);
    h.report_hash = or_absent(in->report_hash);
    begin(out, "POST", his, vm_id, "/heartbeat", SMALL_ANSWER);
    moor_json_encode(&out->body, &heartbeat_shape, &h);
    return finish(out, "heartbeat", MOOR_HEARTBEAT_MAX, err);
}

moor_code moor_service_properties(const char *his, const char *vm_id, struct moor_span json,
                                  struct moor_service_request *out, struct moor_error *err)
{
    begin(out, "PUT", his, vm_id, "/properties", SMALL_ANSWER);
    moor_buf_span(&out->body, json);
    return finish(out, "properties", MOOR_PROPERTIES_MAX, err);
}

moor_code moor_service_settings_certificate(const char *gas, const char *vm_id,
                                            struct moor_span der, struct moor_service_request *out,
                                            struct moor_error *err)
{
    begin(out, "PUT", gas, vm_id, "/settingsCertificate", SMALL_ANSWER);
    moor_buf_str(&out->body, "{\"certificate\":\"");
    moor_buf_base64(&out->body, der);
    moor_buf_str(&out->body, "\"}");
    return finish(out, "settings certificate", SETTINGS_MAX, err);
}

moor_code moor_service_report(const char *gas, const char *vm_id, struct moor_span json,
                              struct moor_service_request *out, struct moor_error *err)
{
    begin(out, "PUT", gas, vm_id, "/report", SMALL_ANSWER);
    moor_buf_span(&out->body, json);
    return finish(out, "report", MOOR_REPORT_MAX, err);
}

moor_code moor_service_desired_state(const char *gas, const char *vm_id, const char *etag,
                                     struct moor_service_request *out, struct moor_error *err)
{
    begin(out, "GET", gas, vm_id, "/desiredState", MOOR_DESIRED_MAX);
    if (etag)
        moor_buf_str(&out->if_none_match, etag);
    return finish(out, "desired state request", 0, err);
}

moor_code moor_service_wait(const char *notify, const char *vm_id, const char *revision,
                            uint32_t seconds, struct moor_service_request *out,
                            struct moor_error *err)
{
    begin(out, "GET", notify, vm_id, "/wait", SMALL_ANSWER);
    parameter(&out->url, "revision", revision);
    moor_buf_fmt(&out->url, "&seconds=%u", (unsigned)seconds);
    out->timeout_ms = (uint64_t)seconds * 1000 + WAIT_MARGIN_MS;
    return finish(out, "wait request", 0, err);
}

moor_code moor_service_send(struct moor_http_transport *t, const struct moor_service_request *r,
                            const struct moor_secret *token, moor_http_done_fn done, void *ctx,
                            struct moor_http_call **out, struct moor_error *err)
{
    const struct moor_http_header headers[] = {
        { "If-None-Match", moor_buf_cstr(&r->if_none_match) },
    };
    const struct moor_http_request req = {
        .method = r->method,
        .url = moor_buf_cstr(&r->url),
        .headers = headers,
        .header_count = r->if_none_match.len > 0 ? 1 : 0,
        .bearer = token,
        .body = moor_buf_view(&r->body),
        .timeout_ms = r->timeout_ms,
        .body_max = r->body_max,
        .https_only = true,
        .bare = true,
    };
    return moor_http_send(t, &req, done, ctx, out, err);
}

/* A refusal in the service's own words: ARM's error object and a request id. */
static bool is_ours(const struct moor_http_response *r)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (r->request_id[0] == '\0' || moor_json_parse(r->body, &v, NULL) != MOOR_OK)
        return false;
    return moor_json_str(moor_json_path(v, "error.code")) != NULL;
}

moor_code moor_service_check(const struct moor_http_response *r, const char *what,
                             struct moor_error *err)
{
    if ((r->status >= 200 && r->status < 300) || r->status == 304)
        return MOOR_OK;
    if (!is_ours(r)) {
        uint32_t retry_after_ms = r->retry_after_ms;
        moor_code c =
            moor_fail(err, MOOR_E_TRANSIENT, "%s: status %d that is not the service's own answer",
                      what, r->status);
        if (err) {
            err->http = r->status;
            err->retry_after_ms = retry_after_ms;
        }
        return c;
    }
    moor_code c = moor_http_error_from(r, what, err);
    if (r->status == 421 && err)
        c = err->code = MOOR_E_TRANSIENT;
    return c;
}

#define DI(member) offsetof(struct moor_service_endpoints, member)
static const struct moor_json_field discovery_fields[] = {
    { MOOR_F_STR, "hisEndpoint", DI(his), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "gasEndpoint", DI(gas), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "notificationEndpoint", DI(notification), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "ingestionEndpoint", DI(ingestion), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_TIME, "serverTime", DI(server_time_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape discovery_shape = { sizeof(struct moor_service_endpoints),
                                                        discovery_fields, 0 };

/* Cuts slashes off the end, so that paths can be put behind it. */
static moor_code check_base(const char **url, const char *name, struct moor_arena *arena,
                            struct moor_error *err)
{
    struct moor_url u;
    if (moor_url_parse(*url, &u, err) != MOOR_OK)
        return moor_context(err, "discovery reply: %s", name);
    if (!u.https)
        return moor_fail(err, MOOR_E_BADINPUT, "discovery reply: %s: want https", name);
    const char *base = moor_arena_str(arena, moor_url_base(*url));
    if (!base)
        return moor_fail(err, MOOR_E_NOMEM, "discovery reply: out of memory");
    *url = base;
    return MOOR_OK;
}

moor_code moor_service_read_discovery(struct moor_span body, struct moor_service_endpoints *out,
                                      struct moor_arena *arena, struct moor_error *err)
{
    struct moor_service_endpoints e = { .his = NULL };
    moor_code c = moor_json_decode(body, "discovery reply", &discovery_shape, &e, arena, err);
    if (c == MOOR_OK)
        c = check_base(&e.his, "hisEndpoint", arena, err);
    if (c == MOOR_OK)
        c = check_base(&e.gas, "gasEndpoint", arena, err);
    if (c == MOOR_OK)
        c = check_base(&e.notification, "notificationEndpoint", arena, err);
    if (c == MOOR_OK)
        c = check_base(&e.ingestion, "ingestionEndpoint", arena, err);
    if (c == MOOR_OK)
        *out = e;
    return c;
}

#define ID(member) offsetof(struct moor_service_identity, member)
static const struct moor_json_field identity_fields[] = {
    { MOOR_F_STR_LIST, "certificates", ID(certificates), MOOR_F_REQUIRED, 1, 8, NULL },
    { MOOR_F_UUID, "clientId", ID(client_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_UUID, "principalId", ID(principal_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_UUID, "tenantId", ID(tenant_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_TIME, "notAfter", ID(not_after_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_TIME, "renewAfter", ID(renew_after_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape identity_shape = { sizeof(struct moor_service_identity),
                                                       identity_fields, 0 };

moor_code moor_service_read_certificate(struct moor_span body, struct moor_service_identity *out,
                                        struct moor_arena *arena, struct moor_error *err)
{
    struct moor_service_identity i = { .client_id = NULL };
    moor_code c = moor_json_decode(body, "certificate reply", &identity_shape, &i, arena, err);
    if (c == MOOR_OK)
        *out = i;
    return c;
}

#define HR(member) offsetof(struct moor_heartbeat_reply, member)
static const struct moor_json_field reply_fields[] = {
    { MOOR_F_U32, "nextHeartbeatSeconds", HR(next_heartbeat_seconds), MOOR_F_REQUIRED, 1, 86400,
      NULL },
    { MOOR_F_U32, "waitSeconds", HR(wait_seconds), MOOR_F_REQUIRED, 0, 300, NULL },
    { MOOR_F_STR, "desiredStateRevision", HR(desired_state_revision), MOOR_F_REQUIRED, 1, 64,
      NULL },
    { MOOR_F_BOOL, "sendProperties", HR(send_properties), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_BOOL, "sendReport", HR(send_report), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_BOOL, "rotate", HR(rotate), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_BOOL, "upgradeRequired", HR(upgrade_required), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_TIME, "serverTime", HR(server_time_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape reply_shape = { sizeof(struct moor_heartbeat_reply),
                                                    reply_fields, 0 };

moor_code moor_service_read_heartbeat(struct moor_span body, struct moor_heartbeat_reply *out,
                                      struct moor_arena *arena, struct moor_error *err)
{
    struct moor_heartbeat_reply r = { .next_heartbeat_seconds = 0 };
    moor_code c = moor_json_decode(body, "heartbeat reply", &reply_shape, &r, arena, err);
    if (c == MOOR_OK)
        *out = r;
    return c;
}

struct one_text {
    const char *text;
};

static moor_code read_one(struct moor_span body, const char *what, const char *name, int64_t max,
                          const char **out, struct moor_arena *arena, struct moor_error *err)
{
    const struct moor_json_field one_field[] = {
        { MOOR_F_STR, name, offsetof(struct one_text, text), MOOR_F_REQUIRED, 1, max, NULL },
        { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
    };
    const struct moor_json_shape shape = { sizeof(struct one_text), one_field, 0 };
    struct one_text t = { NULL };
    moor_code c = moor_json_decode(body, what, &shape, &t, arena, err);
    if (c == MOOR_OK)
        *out = t.text;
    return c;
}

moor_code moor_service_read_thumbprint(struct moor_span body, const char **out,
                                       struct moor_arena *arena, struct moor_error *err)
{
    return read_one(body, "settings certificate reply", "thumbprint", 40, out, arena, err);
}

moor_code moor_service_read_wait(struct moor_span body, const char **revision,
                                 struct moor_arena *arena, struct moor_error *err)
{
    return read_one(body, "wait reply", "revision", 64, revision, arena, err);
}
