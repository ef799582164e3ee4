/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h: the agent's side of the service protocol, docs/protocol/service.md: what is sent and
 * how answers are read. Builders and readers are pure; moor_service_send() hands a built request
 * to a transport. Who calls when, with which token, is the roles' business.
 */
#ifndef MOOR_CORE_SERVICE_H
#define MOOR_CORE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/secret.h"
#include "base/span.h"
#include "http/transport.h"

#define MOOR_SERVICE_API_VERSION "2026-11-01"
#define MOOR_HEARTBEAT_MAX       (4 * 1024)
#define MOOR_PROPERTIES_MAX      (64 * 1024)
#define MOOR_REPORT_MAX          (1024 * 1024)
#define MOOR_DESIRED_MAX         (4 * 1024 * 1024)

/* A request ready to be sent. Zeroed memory is an empty one. */
struct moor_service_request {
    const char *method;
    struct moor_buf url;
    struct moor_buf body;
    struct moor_buf if_none_match; /* empty = header not sent */
    uint64_t timeout_ms;           /* 0 = the transport's */
    size_t body_max;               /* of the answer */
};
void moor_service_request_drop(struct moor_service_request *r);
MOOR_DEFINE_AUTO(moor_service_request)

/* Builders replace *out; base URLs have no slash at the end. */
MOOR_NODISCARD moor_code moor_service_discovery(const char *his, const char *location,
                                                struct moor_service_request *out,
                                                struct moor_error *err);

/* HMAC-SHA256 under the vmId, 64 hexadecimal digits each; NULL = not there. */
struct moor_fingerprint {
    const char *machine_id, *smbios_uuid, *macs;
};
/* fingerprint may be NULL for a first certificate. */
MOOR_NODISCARD moor_code moor_service_certificate(const char *his, const char *vm_id,
                                                  struct moor_span csr_der, struct moor_span proof,
                                                  const struct moor_fingerprint *fingerprint,
                                                  struct moor_service_request *out,
                                                  struct moor_error *err);

struct moor_heartbeat {
    const char *boot_id; /* 32 lower-case hexadecimal digits */
    uint64_t sequence;   /* 1 and up */
    struct moor_fingerprint fingerprint;
    const char *agent_version;
    const char *status;        /* "Connected" or "Error" */
    const char *error_details; /* JSON array of {code,message,target}; NULL = [] */
    const char *properties_hash, *settings_hash, *report_hash; /* NULL = "" */
    int64_t sent_at_ms;
};
MOOR_NODISCARD moor_code moor_service_heartbeat(const char *his, const char *vm_id,
                                                const struct moor_heartbeat *in,
                                                struct moor_service_request *out,
                                                struct moor_error *err);

/* json: the whole document of 3.4, printed by the caller. */
MOOR_NODISCARD moor_code moor_service_properties(const char *his, const char *vm_id,
                                                 struct moor_span json,
                                                 struct moor_service_request *out,
                                                 struct moor_error *err);
MOOR_NODISCARD moor_code moor_service_settings_certificate(const char *gas, const char *vm_id,
                                                           struct moor_span der,
                                                           struct moor_service_request *out,
                                                           struct moor_error *err);
MOOR_NODISCARD moor_code moor_service_report(const char *gas, const char *vm_id,
                                             struct moor_span json,
                                             struct moor_service_request *out,
                                             struct moor_error *err);
/* etag NULL or "": the document whatever it is. */
MOOR_NODISCARD moor_code moor_service_desired_state(const char *gas, const char *vm_id,
                                                    const char *etag,
                                                    struct moor_service_request *out,
                                                    struct moor_error *err);
MOOR_NODISCARD moor_code moor_service_wait(const char *notify, const char *vm_id,
                                           const char *revision, uint32_t seconds,
                                           struct moor_service_request *out,
                                           struct moor_error *err);

/* token NULL for discovery and certificate. Otherwise as moor_http_send(). */
MOOR_NODISCARD moor_code moor_service_send(struct moor_http_transport *t,
                                           const struct moor_service_request *r,
                                           const struct moor_secret *token, moor_http_done_fn done,
                                           void *ctx, struct moor_http_call **out,
                                           struct moor_error *err);

/* MOOR_OK for 2xx and 304. An error counts as the service's word only with our JSON body and a
 * request id; anything else (a balancer's 404) is TRANSIENT. service_code is filled. 401 and 403
 * are DENIED, 421 TRANSIENT, 429 and 503 obey Retry-After. */
MOOR_NODISCARD moor_code moor_service_check(const struct moor_http_response *r, const char *what,
                                            struct moor_error *err);

/* Readers; strings land in the arena. */
struct moor_service_endpoints {
    const char *his, *gas, *notification, *ingestion; /* no slash at the end */
    int64_t server_time_ms;
};
MOOR_NODISCARD moor_code moor_service_read_discovery(struct moor_span body,
                                                     struct moor_service_endpoints *out,
                                                     struct moor_arena *arena,
                                                     struct moor_error *err);
struct moor_service_identity {
    struct moor_str_list certificates; /* base64 DER, leaf first */
    const char *client_id, *principal_id, *tenant_id;
    int64_t not_after_ms, renew_after_ms;
};
MOOR_NODISCARD moor_code moor_service_read_certificate(struct moor_span body,
                                                       struct moor_service_identity *out,
                                                       struct moor_arena *arena,
                                                       struct moor_error *err);
struct moor_heartbeat_reply {
    uint32_t next_heartbeat_seconds; /* 300 when absent */
    uint32_t wait_seconds;           /* 0: do not wait */
    const char *desired_state_revision;
    bool send_properties, send_report, rotate, upgrade_required;
    int64_t server_time_ms; /* 0 = absent */
};
MOOR_NODISCARD moor_code moor_service_read_heartbeat(struct moor_span body,
                                                     struct moor_heartbeat_reply *out,
                                                     struct moor_arena *arena,
                                                     struct moor_error *err);
/* The thumbprint of a 200 of settingsCertificate. */
MOOR_NODISCARD moor_code moor_service_read_thumbprint(struct moor_span body, const char **out,
                                                      struct moor_arena *arena,
                                                      struct moor_error *err);
/* The revision of a 200 of wait. */
MOOR_NODISCARD moor_code moor_service_read_wait(struct moor_span body, const char **revision,
                                                struct moor_arena *arena, struct moor_error *err);

#endif
