/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agentconfig.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/jsontab.h"
#include "core/document.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define SIZE_MAX_BYTES (16 * 1024)

#define AT(member) offsetof(struct moor_agentconfig, member)

static const struct moor_json_field fields[] = {
    { MOOR_F_U32, "schema", AT(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_STR, "cloud", AT(cloud), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_UUID, "tenantId", AT(tenant_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_UUID, "subscriptionId", AT(subscription_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_STR, "resourceGroup", AT(resource_group), MOOR_F_REQUIRED, 1, 90, NULL },
    { MOOR_F_STR, "resourceName", AT(resource_name), MOOR_F_REQUIRED, 1, 54, NULL },
    { MOOR_F_STR, "location", AT(location), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "resourceId", AT(resource_id), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_UUID, "vmId", AT(vm_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_UUID, "clientId", AT(client_id), 0, 0, 0, NULL },
    { MOOR_F_UUID, "principalId", AT(principal_id), 0, 0, 0, NULL },
    { MOOR_F_STR, "identityMode", AT(identity_mode), MOOR_F_REQUIRED, 1, 32, NULL },
    { MOOR_F_STR, "correlationId", AT(correlation_id), 0, 1, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_agentconfig), fields,
                                              MOOR_F_STRICT };

moor_code moor_agentconfig_parse(struct moor_span text, struct moor_agentconfig *out,
                                 struct moor_arena *arena, struct moor_error *err)
{
    struct moor_agentconfig a = { .schema = 0 };
    moor_code c = moor_document_decode(text, MOOR_AGENTCONFIG_NAME, &shape, 1, &a, arena, err);
    if (c == MOOR_OK)
        *out = a;
    return c;
}

moor_code moor_agentconfig_load(struct moor_agentconfig *out, struct moor_arena *arena,
                                struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_AGENTCONFIG_NAME);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SIZE_MAX_BYTES);
    c = plat_read_all(path, SIZE_MAX_BYTES, &text, err);
    if (c != MOOR_OK)
        return c;
    return moor_agentconfig_parse(moor_buf_view(&text), out, arena, err);
}

moor_code moor_agentconfig_save(const struct moor_agentconfig *in, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_AGENTCONFIG_NAME);
    if (c != MOOR_OK)
        return c;
    return moor_document_save(path, &shape, in, SIZE_MAX_BYTES, err);
}

moor_code moor_agentconfig_remove(struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_AGENTCONFIG_NAME);
    if (c != MOOR_OK)
        return c;
    c = plat_remove(path, err);
    return c == MOOR_OK ? plat_sync_dir(plat_dir_path(PLAT_DIR_STATE), err) : c;
}

bool moor_agentconfig_same_resource(const struct moor_agentconfig *a,
                                    const struct moor_agentconfig *b)
{
    return moor_strcasecmp(a->cloud, b->cloud) == 0 &&
           moor_strcasecmp(a->resource_id, b->resource_id) == 0 &&
           moor_strcasecmp(a->tenant_id, b->tenant_id) == 0;
}
