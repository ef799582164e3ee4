/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "crypto/digest.h"

static void part(const char *vm_id, struct moor_span text, char out[MOOR_FACTS_HASH_LEN + 1])
{
    out[0] = '\0';
    if (!text.n)
        return;
    unsigned char sum[32];
    moor_hmac_sha256(moor_span_str(vm_id), text, sum);
    for (size_t i = 0; i < sizeof(sum); i++)
        (void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

void moor_fingerprint_make(const struct plat_host *host, const char *vm_id,
                           struct moor_fingerprint_parts *out)
{
    MOOR_AUTO(moor_buf) macs = MOOR_BUF(1024);
    for (size_t i = 0; i < host->mac_count; i++)
        moor_buf_fmt(&macs, "%s%s", i ? "," : "", host->macs[i]);
    part(vm_id, moor_span_trim(moor_span_str(host->machine_id)), out->machine_id);
    part(vm_id, moor_span_str(host->smbios_uuid), out->smbios_uuid);
    part(vm_id, moor_buf_view(&macs), out->macs);
}

struct moor_fingerprint moor_fingerprint_of(const struct moor_fingerprint_parts *parts)
{
    return (struct moor_fingerprint){ .machine_id = parts->machine_id,
                                      .smbios_uuid = parts->smbios_uuid,
                                      .macs = parts->macs };
}

void moor_facts_drop(struct moor_facts *f)
{
    moor_buf_drop(&f->document);
}

static void set_uint(struct moor_json *obj, const char *name, uint64_t n)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    if (n)
        moor_json_set_str(obj, name, text);
}

static void set_text(struct moor_json *obj, const char *name, const char *s)
{
    if (s && *s)
        moor_json_set_str(obj, name, s);
}

static struct moor_json *list_of(const struct moor_str_list *l)
{
    struct moor_json *v = moor_json_new_array();
    for (size_t i = 0; i < l->count; i++)
        (void)moor_json_push(v, moor_json_new_str(l->items[i]));
    return v;
}

/* What is before an '@' in the authority is a password: the cloud need not know it. */
static void set_proxy(struct moor_json *obj, const char *url)
{
    const char *at = url ? strrchr(url, '@') : NULL;
    const char *slashes = url ? strstr(url, "://") : NULL;
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(2048);
    if (at && slashes && at > slashes)
        moor_buf_add(&clean, url, (size_t)(slashes - url) + 3);
    moor_buf_str(&clean, at ? at + 1 : url ? url : "");
    moor_json_set_str(obj, "proxyUrl", moor_buf_cstr(&clean));
}

static struct moor_json *configuration(const struct moor_settings *s)
{
    struct moor_json *v = moor_json_new_object();
    set_proxy(v, s->proxy_url);
    (void)moor_json_set(v, "incomingConnectionsPorts", list_of(&s->incomingconnections_ports));
    (void)moor_json_set(v, "extensionsAllowList", list_of(&s->extensions_allowlist));
    (void)moor_json_set(v, "extensionsBlockList", list_of(&s->extensions_blocklist));
    (void)moor_json_set(v, "proxyBypass", list_of(&s->proxy_bypass));
    moor_json_set_str(v, "extensionsEnabled", s->extensions_enabled ? "true" : "false");
    moor_json_set_str(v, "guestConfigurationEnabled",
                      s->guestconfiguration_enabled ? "true" : "false");
    moor_json_set_str(v, "configMode", s->config_mode == MOOR_MODE_MONITOR ? "monitor" : "full");
    return v;
}

static struct moor_json *detected(const struct plat_host *h)
{
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "cloudprovider", "N/A");
    set_text(v, "manufacturer", h->manufacturer);
    set_text(v, "model", h->model);
    set_text(v, "serialNumber", h->serial);
    set_text(v, "smbiosAssetTag", h->asset_tag);
    set_text(v, "processorNames", h->cpu_name);
    set_text(v, "architecture", h->architecture);
    set_uint(v, "processorCount", h->cpu_sockets);
    set_uint(v, "coreCount", h->cpu_cores);
    set_uint(v, "logicalCoreCount", h->cpu_logical);
    set_uint(v, "totalPhysicalMemoryInBytes", h->memory_bytes);
    return v;
}

/* The part of the full name behind the first label. */
static const char *domain_of(const char *fqdn)
{
    const char *dot = strchr(fqdn, '.');
    return dot ? dot + 1 : "";
}

static struct moor_json *properties_of(const struct plat_host *h, const struct moor_settings *s)
{
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "osType", h->os_type);
    moor_json_set_str(v, "osName", h->os_name);
    moor_json_set_str(v, "osSku", h->os_sku);
    moor_json_set_str(v, "osVersion", h->os_version);
    moor_json_set_str(v, "displayName", h->hostname);
    moor_json_set_str(v, "machineFqdn", h->fqdn);
    moor_json_set_str(v, "dnsFqdn", h->fqdn);
    moor_json_set_str(v, "domainName", domain_of(h->fqdn));
    moor_json_set_str(v, "adFqdn", "");
    moor_json_set_str(v, "vmUuid", h->smbios_uuid);
    struct moor_json *os = moor_json_new_object();
    moor_json_set_str(os, "computerName", h->hostname);
    (void)moor_json_set(v, "osProfile", os);
    (void)moor_json_set(v, "agentConfiguration", configuration(s));
    struct moor_json *cloud = moor_json_new_object();
    moor_json_set_str(cloud, "provider", "N/A");
    (void)moor_json_set(v, "cloudMetadata", cloud);
    (void)moor_json_set(v, "detectedProperties", detected(h));
    return v;
}

moor_code moor_facts_make(const struct plat_host *host, const struct moor_settings *settings,
                          const char *agent_version, struct moor_facts *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = moor_json_new_object();
    struct moor_json *properties = properties_of(host, settings);
    MOOR_AUTO(moor_buf) canonical = MOOR_BUF(MOOR_PROPERTIES_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_PROPERTIES_MAX);
    moor_buf_json_canonical(&canonical, properties);
    char hash[MOOR_FACTS_HASH_LEN + 1];
    moor_sha256_hex(moor_buf_view(&canonical), hash);
    moor_json_set_str(doc, "propertiesHash", hash);
    moor_json_set_str(doc, "agentVersion", agent_version);
    (void)moor_json_set(doc, "properties", properties);
    moor_buf_json(&text, doc);
    moor_code c = moor_buf_ok(&canonical, "machine properties", err);
    if (!c)
        c = moor_buf_ok(&text, "machine properties", err);
    if (c)
        return c;
    moor_facts_drop(out);
    for (size_t i = 0; i < sizeof(hash); i++)
        out->hash[i] = hash[i];
    out->document = text;
    text = (struct moor_buf)MOOR_BUF(0);
    return MOOR_OK;
}
