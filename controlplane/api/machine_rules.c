/* SPDX-License-Identifier: Apache-2.0 */
#include "api/machine_rules.h"

#include <string.h>

#include "base/text.h"
#include "crypto/key.h"

static moor_code refuse(struct moor_error *err, int http, const char *service_code, moor_code code,
                        const char *message)
{
    moor_code c = moor_fail(err, code, "%s", message);
    if (err) {
        err->http = http;
        memcpy(err->service_code, service_code, strlen(service_code) + 1);
    }
    return c;
}

static moor_code registered(struct moor_error *err, const char *message)
{
    return refuse(err, 409, "MachineAlreadyRegistered", MOOR_E_EXISTS, message);
}

moor_code moor_machine_check_key(const char *base64, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    if (!base64 || moor_key_from_public_pkcs1(moor_span_str(base64), &key, NULL))
        return refuse(err, 400, "InvalidClientPublicKey", MOOR_E_BADINPUT,
                      "properties.clientPublicKey: want base64 of a PKCS#1 RSA public key of 2048 "
                      "to 4096 bits");
    return MOOR_OK;
}

moor_code moor_machine_given(const struct moor_json *body, struct moor_arena *arena,
                             struct moor_enrolment *out, struct moor_error *err)
{
    const char *vm_id = moor_json_str(moor_json_path(body, "properties.vmId"));
    const char *key = moor_json_str(moor_json_path(body, "properties.clientPublicKey"));
    struct moor_enrolment e = { "", key ? key : "" };
    if (vm_id && *vm_id) {
        if (!moor_uuid_valid(moor_span_str(vm_id)))
            return refuse(err, 400, "InvalidVmId", MOOR_E_BADINPUT, "properties.vmId: want a UUID");
        char *lower = moor_arena_str(arena, moor_span_str(vm_id));
        if (!lower)
            return moor_fail(err, MOOR_E_NOMEM, "properties.vmId: too long");
        moor_uuid_lower(lower);
        e.vm_id = lower;
    }
    *out = e;
    return MOOR_OK;
}

moor_code moor_machine_same(const struct moor_enrolment *given, const char *vm_id,
                            const struct moor_machine_keys *keys, struct moor_error *err)
{
    if (*given->vm_id && !moor_streq(given->vm_id, vm_id))
        return registered(err, "this resource belongs to another machine (its vmId is a different "
                               "one); delete it first, or connect under another name");
    if (!*given->public_key)
        return MOOR_OK;
    for (size_t i = 0; i < keys->count; i++)
        if (moor_streq(keys->items[i].public_key, given->public_key))
            return MOOR_OK;
    return registered(err, "this resource is registered with another key; POST {id}/reconnect "
                           "replaces the key");
}

moor_code moor_machine_may_take(const struct moor_enrolment *given,
                                const struct moor_machine *holder, const char *tenant_id,
                                int64_t now_ms, struct moor_error *err)
{
    if (!*given->public_key)
        return refuse(err, 400, "InvalidClientPublicKey", MOOR_E_BADINPUT,
                      "properties.clientPublicKey: required with properties.vmId");
    moor_code c = moor_machine_check_key(given->public_key, err);
    if (c || !holder)
        return c;
    bool ours = moor_streq(holder->tenant_id, tenant_id);
    bool free_again =
        holder->deleted_ms != 0 && (ours || now_ms - holder->deleted_ms > MOOR_VM_ID_KEPT_MS);
    return free_again ? MOOR_OK : registered(err, "the vmId is in use by another machine resource");
}

void moor_machine_take_own(struct moor_json *target, const struct moor_json *given)
{
    static const char *const own[] = {
        "locationData",
        "agentUpgrade",
        "parentClusterResourceId",
        "privateLinkScopeResourceId",
        "osProfile",
        "identityKeyStore",
        "tpmEkCertificate",
        "hardwareResourceId",
        "licenseProfile",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(own); i++) {
        const struct moor_json *v = moor_json_get(given, own[i]);
        if (!v)
            continue;
        if (moor_json_typeof(v) == MOOR_JSON_NULL)
            moor_json_remove(target, own[i]);
        else
            moor_json_set(target, own[i], moor_json_copy(v));
    }
    /* The agent owns the rest of osProfile; az sends it back. */
    struct moor_json *os = moor_json_edit(target, "osProfile");
    if (os && moor_json_typeof(os) == MOOR_JSON_OBJECT)
        moor_json_remove(os, "computerName");
}
