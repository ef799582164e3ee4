/* SPDX-License-Identifier: Apache-2.0 */
/* The identity endpoint: discovery, heartbeat, properties. Certificates are in enrol.c. */
#include "api/enrol.h"
#include "api/routes.h"
#include "api/service.h"
#include "base/timefmt.h"
#include "engine/desired.h"
#include "engine/live.h"
#include "run/log.h"

#define HASH_MAX       64
#define PROPERTIES_DOC "properties"
#define PROPERTIES_MAX ((size_t)64 << 10)

static void on_discovery(struct moor_call *c)
{
    const struct moor_app_config *config = &c->app->config;
    if (!moor_service_version(c))
        return;
    const char *region = moor_placement_url(&config->placement, moor_http_query(c->ex, "location"));
    const char *base = region ? region : config->base_url;
    MOOR_AUTOPTR(moor_json) o = moor_service_answer(c);
    moor_json_set_str(o, "hisEndpoint", moor_call_fmt(c, "%s/his", base));
    moor_json_set_str(o, "gasEndpoint", moor_call_fmt(c, "%s/gas", base));
    moor_json_set_str(o, "notificationEndpoint", moor_call_fmt(c, "%s/notify", base));
    moor_json_set_str(o, "ingestionEndpoint", base);
    moor_call_json(c, 200, o);
}

/* Heartbeat. */
struct detail {
    const char *code, *message, *target;
};
#define DETAIL(name, member, flags, min, max)                                                      \
    {                                                                                              \
        MOOR_F_STR, name, offsetof(struct detail, member), flags, min, max, NULL                   \
    }
static const struct moor_json_field detail_fields[] = {
    DETAIL("code", code, MOOR_F_REQUIRED, 1, 64),
    DETAIL("message", message, MOOR_F_REQUIRED, 0, 256),
    DETAIL("target", target, 0, 0, 128),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape detail_shape = { sizeof(struct detail), detail_fields, 0 };

enum { STATUS_CONNECTED, STATUS_ERROR };
static const char *const statuses[] = { "Connected", "Error", NULL };

struct heartbeat {
    const char *boot_id;
    uint64_t sequence;
    struct moor_service_print print;
    const char *agent_version;
    int status;
    struct moor_obj_list details;
    const char *properties_hash, *settings_hash, *report_hash;
    int64_t sent_ms;
};
#define BEAT(kind, name, member, flags, min, max, sub)                                             \
    {                                                                                              \
        kind, name, offsetof(struct heartbeat, member), flags, min, max, sub                       \
    }
static const struct moor_json_field heartbeat_fields[] = {
    BEAT(MOOR_F_STR, "bootId", boot_id, MOOR_F_REQUIRED, 32, 32, NULL),
    BEAT(MOOR_F_U64, "sequence", sequence, MOOR_F_REQUIRED, 1, INT64_C(1) << 53, NULL),
    BEAT(MOOR_F_OBJ, "fingerprint", print, MOOR_F_REQUIRED, 0, 0, &moor_service_print_shape),
    BEAT(MOOR_F_STR, "agentVersion", agent_version, MOOR_F_REQUIRED, 1, 32, NULL),
    BEAT(MOOR_F_ENUM, "status", status, MOOR_F_REQUIRED, 0, 0, statuses),
    BEAT(MOOR_F_OBJ_LIST, "errorDetails", details, 0, 0, 8, &detail_shape),
    BEAT(MOOR_F_STR, "propertiesHash", properties_hash, MOOR_F_REQUIRED, 0, HASH_MAX, NULL),
    BEAT(MOOR_F_STR, "settingsHash", settings_hash, 0, 0, HASH_MAX, NULL),
    BEAT(MOOR_F_STR, "reportHash", report_hash, 0, 0, HASH_MAX, NULL),
    BEAT(MOOR_F_TIME, "sentAt", sent_ms, MOOR_F_REQUIRED, 0, 0, NULL),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape heartbeat_shape = { sizeof(struct heartbeat), heartbeat_fields,
                                                        0 };

static const char *details_text(struct moor_call *c, const struct moor_obj_list *list)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(8192);
    const struct detail *items = list->items;
    moor_buf_char(&b, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            moor_buf_char(&b, ',');
        moor_json_encode(&b, &detail_shape, &items[i]);
    }
    moor_buf_char(&b, ']');
    const char *text = b.failed ? NULL : moor_arena_str(c->arena, moor_buf_view(&b));
    return text ? text : "[]";
}

static void reply_heartbeat(struct moor_call *c, const struct moor_machine *m,
                            const struct moor_live_answer *answer, bool too_old)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const char *revision = NULL;
    if (moor_desired_revision(c->app->store, m->desired_counter, c->arena, &revision, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    MOOR_AUTOPTR(moor_json) o = moor_service_answer(c);
    moor_json_set_int(o, "nextHeartbeatSeconds", c->app->config.lifecycle.heartbeat_s);
    moor_json_set_int(o, "waitSeconds", answer->wait_seconds);
    moor_json_set_str(o, "desiredStateRevision", revision);
    moor_json_set_bool(o, "sendProperties", answer->send_properties);
    moor_json_set_bool(o, "sendReport", answer->send_report);
    moor_json_set_bool(o, "rotate", answer->verdict == MOOR_BEAT_ROTATE);
    moor_json_set_bool(o, "upgradeRequired", too_old);
    moor_call_json(c, 200, o);
}

/* When the machine's key came into use, when that was after the fork was seen; else 0. */
static int64_t rotated_since(struct moor_call *c, const char *vm_id, int64_t forked_ms)
{
    struct moor_machine_keys keys = { NULL, 0 };
    if (moor_machine_keys_get(c->app->store, vm_id, c->arena, &keys, NULL))
        return 0;
    for (size_t i = 0; i < keys.count; i++)
        if (keys.items[i].state == MOOR_KEY_CURRENT && keys.items[i].since_ms > forked_ms)
            return keys.items[i].since_ms;
    return 0;
}

static void on_heartbeat(struct moor_call *c)
{
    struct moor_machine m;
    struct heartbeat h = { .settings_hash = "", .report_hash = "" };
    struct moor_live_beat beat = { .error = false };
    struct moor_live_answer answer;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_service_machine(c, &m) || !moor_service_decode(c, &heartbeat_shape, &h) ||
        !moor_service_boot_id(c, h.boot_id) ||
        !moor_service_fingerprint(c, &h.print, &beat.beat.print))
        return;
    beat.beat.boot_id = h.boot_id;
    beat.beat.sequence = h.sequence;
    beat.beat.sent_ms = h.sent_ms;
    beat.agent_version = h.agent_version;
    beat.error = h.status == STATUS_ERROR;
    beat.error_details = details_text(c, &h.details);
    beat.properties_hash = h.properties_hash;
    beat.report_hash = h.report_hash;
    beat.token_ms = c->caller.issued_ms;
    if (moor_live_take(c->app->live, m.vm_id, &beat, c->now_ms, &answer, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    if (answer.verdict == MOOR_BEAT_CLONE) {
        moor_log(MOOR_LOG_WARNING, "machine.cloned", "id", m.resource_id, "boot", h.boot_id, NULL);
        moor_call_error(c, 409, "IdentityCloned",
                        "another machine uses this identity, and it is the registered one: "
                        "connect this one under a new name");
        return;
    }
    int64_t rotated_ms =
        answer.verdict == MOOR_BEAT_ROTATE ? rotated_since(c, m.vm_id, answer.forked_ms) : 0;
    if (rotated_ms) {
        moor_live_settle(c->app->live, m.vm_id, h.boot_id, rotated_ms / 1000 * 1000);
        answer.verdict = MOOR_BEAT_FINE;
    }
    reply_heartbeat(c, &m, &answer,
                    moor_placement_too_old(&c->app->config.placement, h.agent_version));
}

/* Properties. */
struct properties {
    const char *hash, *agent_version;
    const char *json;
};
static const struct moor_json_field properties_fields[] = {
    { MOOR_F_STR, "propertiesHash", offsetof(struct properties, hash), MOOR_F_REQUIRED, 1, HASH_MAX,
      NULL },
    { MOOR_F_STR, "agentVersion", offsetof(struct properties, agent_version), MOOR_F_REQUIRED, 1,
      32, NULL },
    { MOOR_F_OBJ_JSON, "properties", offsetof(struct properties, json), MOOR_F_REQUIRED, 0, 0,
      NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape properties_shape = { sizeof(struct properties),
                                                         properties_fields, 0 };

/* What the agent owns of ARM's machine model, and the type it must have. */
static const struct {
    const char *name;
    moor_json_type type;
} owned[] = {
    { "osType", MOOR_JSON_STRING },
    { "osName", MOOR_JSON_STRING },
    { "osSku", MOOR_JSON_STRING },
    { "osVersion", MOOR_JSON_STRING },
    { "osEdition", MOOR_JSON_STRING },
    { "displayName", MOOR_JSON_STRING },
    { "machineFqdn", MOOR_JSON_STRING },
    { "dnsFqdn", MOOR_JSON_STRING },
    { "domainName", MOOR_JSON_STRING },
    { "adFqdn", MOOR_JSON_STRING },
    { "vmUuid", MOOR_JSON_STRING },
    { "osInstallDate", MOOR_JSON_STRING },
    { "tpmEnabled", MOOR_JSON_STRING },
    { "mssqlDiscovered", MOOR_JSON_STRING },
    { "agentConfiguration", MOOR_JSON_OBJECT },
    { "serviceStatuses", MOOR_JSON_OBJECT },
    { "cloudMetadata", MOOR_JSON_OBJECT },
    { "detectedProperties", MOOR_JSON_OBJECT },
    { "networkProfile", MOOR_JSON_OBJECT },
    { "hardwareProfile", MOOR_JSON_OBJECT },
    { "storageProfile", MOOR_JSON_OBJECT },
    { "firmwareProfile", MOOR_JSON_OBJECT },
};

static void take_properties(struct moor_json *stored, const struct moor_json *given)
{
    for (size_t i = 0; i < MOOR_COUNTOF(owned); i++) {
        const struct moor_json *v = moor_json_get(given, owned[i].name);
        if (v && moor_json_typeof(v) == owned[i].type)
            moor_json_set(stored, owned[i].name, moor_json_copy(v));
    }
    /* The patch settings beside it belong to the administrator. */
    const char *name = moor_json_str(moor_json_path(given, "osProfile.computerName"));
    if (name) {
        struct moor_json *profile = moor_json_new_object();
        moor_json_set_str(profile, "computerName", name);
        moor_json_set(stored, "osProfile", profile);
    }
}

static moor_code store_properties(struct moor_call *c, const char *vm_id,
                                  const struct properties *p, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) stored = NULL;
    MOOR_AUTOPTR(moor_json) given = NULL;
    MOOR_AUTOSTR text = NULL;
    const char *old = "{}";
    moor_code code =
        moor_machine_doc_get(c->app->store, vm_id, PROPERTIES_DOC, c->arena, &old, NULL, err);
    if (code && code != MOOR_E_NOTFOUND)
        return code;
    if (moor_json_parse(moor_span_str(old), &stored, NULL))
        stored = moor_json_new_object();
    code = moor_json_parse(moor_span_str(p->json), &given, err);
    if (code)
        return code;
    take_properties(stored, given);
    code = moor_json_print(stored, PROPERTIES_MAX * 2, &text, err);
    if (code)
        return code;
    return moor_machine_doc_put(c->app->store, vm_id, PROPERTIES_DOC, text, c->now_ms, err);
}

static void on_properties(struct moor_call *c)
{
    struct moor_machine m;
    struct properties p;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_service_worker(c, &m) || !moor_service_decode(c, &properties_shape, &p))
        return;
    if (store_properties(c, m.vm_id, &p, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_live_properties_stored(c->app->live, m.vm_id, p.hash, p.agent_version);
    MOOR_AUTOPTR(moor_json) o = moor_service_answer(c);
    moor_call_json(c, 200, o);
}

static const struct moor_endpoint discovery = { MOOR_AUD_PUBLIC, on_discovery, NULL };
static const struct moor_endpoint certificate = { MOOR_AUD_PUBLIC, moor_enrol, NULL };
static const struct moor_endpoint heartbeat = { MOOR_AUD_SERVICE, on_heartbeat, NULL };
static const struct moor_endpoint properties = { MOOR_AUD_SERVICE, on_properties, NULL };

const struct moor_http_route moor_his_routes[] = {
    MOOR_ROUTE("GET", "/his/discovery", discovery, 0),
    MOOR_ROUTE("POST", "/his/machines/{vmId}/certificate", certificate, 32 << 10),
    MOOR_ROUTE("POST", "/his/machines/{vmId}/heartbeat", heartbeat, 4 << 10),
    MOOR_ROUTE("PUT", "/his/machines/{vmId}/properties", properties, 64 << 10),
};
const size_t moor_his_route_count = MOOR_COUNTOF(moor_his_routes);
