/* SPDX-License-Identifier: Apache-2.0 */
#include "api/service.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "engine/live.h"
#include "engine/restore.h"
#include "store/resources.h"

bool moor_service_version(struct moor_call *c)
{
    if (moor_streq(c->api_version, MOOR_SERVICE_VERSION))
        return true;
    if (*c->api_version)
        moor_call_error(c, 400, "InvalidApiVersionParameter",
                        "The api-version '%s' is not served; want " MOOR_SERVICE_VERSION ".",
                        c->api_version);
    else
        moor_call_error(c, 400, "MissingApiVersionParameter",
                        "The query parameter api-version is required.");
    return false;
}

/* A machine whose location is served at another address is told to discover it. */
static bool is_here(struct moor_call *c, const struct moor_machine *m)
{
    const struct moor_placement *p = &c->app->config.placement;
    const char *host = moor_http_header(c->ex, "Host");
    struct moor_resource r;
    if (p->regions.count == 0 ||
        moor_resource_get(c->app->store, m->resource_id, c->arena, &r, NULL) ||
        moor_placement_is_here(p, r.location, host ? host : ""))
        return true;
    moor_call_error(c, 421, "WrongRegion", "machines of %s are served at another address",
                    r.location);
    return false;
}

bool moor_service_machine(struct moor_call *c, struct moor_machine *out)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const char *vm_id = moor_http_param(c->ex, "vmId");
    if (!moor_service_version(c))
        return false;
    moor_code code = moor_machine_by_vm_id(c->app->store, vm_id ? vm_id : "", c->arena, out, &err);
    /* The store may compare without case; the protocol's vmId is in lower case. */
    if (code == MOOR_E_NOTFOUND && moor_restoring(c->app->store)) {
        moor_call_restoring(c);
        return false;
    }
    if (code == MOOR_E_NOTFOUND || (!code && (out->deleted_ms || !moor_streq(out->vm_id, vm_id)))) {
        moor_call_error(c, 404, "MachineNotFound", "no such machine");
        return false;
    }
    if (code) {
        moor_call_fail(c, &err);
        return false;
    }
    if (out->disabled) {
        moor_call_error(c, 403, "MachineDisabled", "this machine is disabled");
        return false;
    }
    return is_here(c, out);
}

bool moor_service_worker(struct moor_call *c, struct moor_machine *out)
{
    struct moor_live_status status = { .agent_version = "" };
    if (!moor_service_machine(c, out))
        return false;
    moor_live_status(c->app->live, out->vm_id, c->now_ms, &status);
    if (!moor_placement_too_old(&c->app->config.placement, status.agent_version))
        return true;
    moor_call_error(c, 403, "AgentTooOld", "this agent is of version %s; want %s or later",
                    status.agent_version, c->app->config.placement.minimum_agent);
    return false;
}

static bool invalid(struct moor_call *c, const char *what)
{
    moor_call_error(c, 400, "InvalidRequestContent", "The request content is invalid: %s.", what);
    return false;
}

bool moor_service_decode(struct moor_call *c, const struct moor_json_shape *shape, void *out)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_json_decode(moor_http_body(c->ex), "body", shape, out, c->arena, &err) == MOOR_OK)
        return true;
    return invalid(c, err.msg);
}

struct moor_json *moor_service_answer(struct moor_call *c)
{
    MOOR_AUTO(moor_buf) now = MOOR_BUF(MOOR_RFC3339_LEN);
    struct moor_json *o = moor_json_new_object();
    moor_buf_rfc3339(&now, c->now_ms);
    moor_json_set_str(o, "serverTime", moor_buf_cstr(&now));
    return o;
}

static const struct moor_json_field print_fields[] = {
    { MOOR_F_STR, "machineId", offsetof(struct moor_service_print, machine_id), MOOR_F_REQUIRED, 0,
      64, NULL },
    { MOOR_F_STR, "smbiosUuid", offsetof(struct moor_service_print, smbios_uuid), MOOR_F_REQUIRED,
      0, 64, NULL },
    { MOOR_F_STR, "macs", offsetof(struct moor_service_print, macs), MOOR_F_REQUIRED, 0, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
const struct moor_json_shape moor_service_print_shape = { sizeof(struct moor_service_print),
                                                          print_fields, 0 };

static bool is_lower_hex(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

bool moor_service_fingerprint(struct moor_call *c, const struct moor_service_print *in,
                              struct moor_fingerprint *out)
{
    const char *const parts[3] = { in->machine_id, in->smbios_uuid, in->macs };
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < 3; i++) {
        if (!parts[i] || !*parts[i])
            continue;
        if (!is_lower_hex(parts[i], 64))
            return invalid(c, "body: fingerprint: want 64 hexadecimal digits or nothing");
        memcpy(out->part[i], parts[i], 65);
    }
    return true;
}

bool moor_service_boot_id(struct moor_call *c, const char *boot_id)
{
    return is_lower_hex(boot_id, MOOR_BOOT_ID_LEN) ||
           invalid(c, "body: bootId: want 32 lower-case hexadecimal digits");
}

moor_code moor_service_refuse(struct moor_error *err, int http, const char *service_code,
                              const char *fmt, ...)
{
    va_list ap;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(256);
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    moor_code c = moor_fail(err, MOOR_E_DENIED, "%s", moor_buf_cstr(&b));
    size_t n = strlen(service_code);
    if (err && n < sizeof(err->service_code)) {
        err->http = http;
        memcpy(err->service_code, service_code, n + 1);
    }
    return c;
}
