/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/instance.h"

/* Names that clients compare with; other clouds go by their own. */
static const struct {
    const char *cloud, *environment;
} environments[] = {
    { "AzureCloud", "AzurePublicCloud" },
    { "AzureUSGovernment", "AzureUSGovernmentCloud" },
    { "AzureChinaCloud", "AzureChinaCloud" },
};

/* What a machine outside Azure has not: there, but empty, as clients expect. */
static const char *const empty_texts[] = {
    "customData",
    "offer",
    "placementGroupId",
    "platformFaultDomain",
    "platformUpdateDomain",
    "publisher",
    "sku",
    "version",
    "vmScaleSetName",
    "vmSize",
    "zone",
    "isHostCompatibilityLayerVm",
};

static const char *environment_of(const char *cloud)
{
    for (size_t i = 0; i < MOOR_COUNTOF(environments); i++)
        if (moor_strcasecmp(cloud, environments[i].cloud) == 0)
            return environments[i].environment;
    return cloud;
}

static void set_tags(struct moor_json *v, const struct moor_json *tags)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    struct moor_json *list = moor_json_new_array();
    MOOR_JSON_EACH(tag, tags)
    {
        const char *value = moor_json_str(tag);
        if (!value)
            continue;
        moor_buf_fmt(&text, "%s%s:%s", text.len ? ";" : "", moor_json_name(tag), value);
        struct moor_json *item = moor_json_new_object();
        moor_json_set_str(item, "name", moor_json_name(tag));
        moor_json_set_str(item, "value", value);
        (void)moor_json_push(list, item);
    }
    moor_json_set_str(v, "tags", moor_buf_cstr(&text));
    (void)moor_json_set(v, "tagsList", list);
}

static void set_objects(struct moor_json *v)
{
    struct moor_json *plan = moor_json_new_object();
    moor_json_set_str(plan, "name", "");
    moor_json_set_str(plan, "product", "");
    moor_json_set_str(plan, "publisher", "");
    (void)moor_json_set(v, "plan", plan);
    (void)moor_json_set(v, "publicKeys", moor_json_new_null());
    struct moor_json *security = moor_json_new_object();
    moor_json_set_str(security, "secureBootEnabled", "");
    moor_json_set_str(security, "virtualTpmEnabled", "");
    (void)moor_json_set(v, "securityProfile", security);
    (void)moor_json_set(v, "storageProfile", moor_json_new_object());
}

struct moor_json *moor_instance_compute(const struct moor_agentconfig *config, const char *os_type,
                                        const struct moor_json *tags)
{
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "azEnvironment", environment_of(config->cloud));
    moor_json_set_str(v, "location", config->location);
    moor_json_set_str(v, "name", config->resource_name);
    moor_json_set_str(v, "osType", os_type);
    moor_json_set_str(v, "provider", "Microsoft.HybridCompute");
    moor_json_set_str(v, "resourceGroupName", config->resource_group);
    moor_json_set_str(v, "resourceId", config->resource_id);
    moor_json_set_str(v, "subscriptionId", config->subscription_id);
    moor_json_set_str(v, "vmId", config->vm_id);
    for (size_t i = 0; i < MOOR_COUNTOF(empty_texts); i++)
        moor_json_set_str(v, empty_texts[i], "");
    set_tags(v, tags);
    set_objects(v);
    return v;
}
