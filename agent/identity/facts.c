/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "base/timefmt.h"
#include "crypto/digest.h"

#define EXTENSION_UNIT "mooring-extensions.service"
#define SOCKETS_MAX    16
#define DOCUMENT_MAX   (60 * 1024)

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

void moor_facts_collect(struct moor_facts_input *out)
{
    memset(out, 0, sizeof(*out));
    plat_host_read(&out->host);
    out->netif_count = plat_netifs_read(out->netifs, MOOR_COUNTOF(out->netifs));
    out->disk_count = plat_disks_read(out->disks, MOOR_COUNTOF(out->disks));
    plat_databases_read(&out->databases);
    plat_unit_read(EXTENSION_UNIT, &out->extension_service);
}

void moor_facts_drop(struct moor_facts *f)
{
    moor_buf_drop(&f->document);
}

/* ---- parts of the document ---- */

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

/* Within what a JSON number can say. */
static void set_count(struct moor_json *obj, const char *name, uint64_t n)
{
    const uint64_t most = (UINT64_C(1) << 53) - 1;
    moor_json_set_int(obj, name, (int64_t)(n < most ? n : most));
}

static const char *or_unknown(const char *s)
{
    return *s ? s : "unknown";
}

static const char *true_or_false(bool b)
{
    return b ? "true" : "false";
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
    moor_json_set_str(v, "extensionsEnabled", true_or_false(s->extensions_enabled));
    moor_json_set_str(v, "guestConfigurationEnabled", true_or_false(s->guestconfiguration_enabled));
    moor_json_set_str(v, "configMode", s->config_mode == MOOR_MODE_MONITOR ? "monitor" : "full");
    return v;
}

static struct moor_json *service(const struct plat_unit_state *s)
{
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "status", !s->known ? "unknown" : s->active ? "active" : "inactive");
    moor_json_set_str(v, "startupType",
                      !s->known    ? "unknown"
                      : s->enabled ? "enabled"
                                   : "disabled");
    return v;
}

static struct moor_json *services(const struct moor_facts_input *in)
{
    /* Machine configuration is not a part of this agent. */
    static const struct plat_unit_state absent = { .known = true };
    struct moor_json *v = moor_json_new_object();
    (void)moor_json_set(v, "extensionService", service(&in->extension_service));
    (void)moor_json_set(v, "guestConfigurationService", service(&absent));
    return v;
}

/* The names programs were told by the reference, not the kernel's. */
static const char *usual_architecture(const char *kernel)
{
    static const struct {
        const char *kernel, *usual;
    } names[] = { { "x86_64", "amd64" }, { "aarch64", "arm64" } };
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++)
        if (moor_streq(kernel, names[i].kernel))
            return names[i].usual;
    return kernel;
}

static const char *provider_of(const struct moor_host_cloud *cloud)
{
    return *cloud->provider ? cloud->provider : "N/A";
}

static struct moor_json *detected(const struct moor_facts_input *in,
                                  const struct moor_host_cloud *cloud)
{
    const struct plat_host *h = &in->host;
    struct moor_json *v = moor_json_new_object();
    moor_json_set_str(v, "cloudprovider", provider_of(cloud));
    for (size_t i = 0; i < cloud->fact_count; i++)
        moor_json_set_str(v, cloud->facts[i].name, cloud->facts[i].value);
    set_text(v, "manufacturer", h->manufacturer);
    set_text(v, "model", h->model);
    set_text(v, "serialNumber", h->serial);
    set_text(v, "smbiosAssetTag", h->asset_tag);
    set_text(v, "processorNames", h->cpu_name);
    set_text(v, "architecture", usual_architecture(h->architecture));
    set_uint(v, "processorCount", h->cpu_sockets);
    set_uint(v, "coreCount", h->cpu_cores);
    set_uint(v, "logicalCoreCount", h->cpu_logical);
    set_uint(v, "totalPhysicalMemoryInBytes", h->memory_bytes);
    set_uint(v, "totalPhysicalMemoryInGigabytes", h->memory_bytes >> 30);
    moor_json_set_str(v, "productType", "unknown");
    moor_json_set_str(v, "vmuuidEsu2012", "");
    moor_json_set_str(v, "mssqldiscovered", true_or_false(in->databases.mssql));
    moor_json_set_str(v, "mysqldiscovered", true_or_false(in->databases.mysql));
    moor_json_set_str(v, "pgsqldiscovered", true_or_false(in->databases.postgresql));
    return v;
}

static struct moor_json *address(const struct plat_address *a)
{
    struct moor_json *v = moor_json_new_object();
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "%s/%u", a->network, a->prefix);
    moor_json_set_str(v, "address", a->text);
    moor_json_set_str(v, "ipAddressVersion", a->ipv6 ? "IPv6" : "IPv4");
    struct moor_json *subnet = moor_json_set(v, "subnet", moor_json_new_object());
    moor_json_set_str(subnet, "addressPrefix", prefix);
    return v;
}

static struct moor_json *network(const struct moor_facts_input *in)
{
    struct moor_json *list = moor_json_new_array();
    for (size_t i = 0; i < in->netif_count; i++) {
        const struct plat_netif *n = &in->netifs[i];
        struct moor_json *v = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(v, "name", n->name);
        set_text(v, "macAddress", n->mac);
        struct moor_json *addresses = moor_json_set(v, "ipAddresses", moor_json_new_array());
        for (size_t k = 0; k < n->address_count; k++)
            (void)moor_json_push(addresses, address(&n->addresses[k]));
    }
    struct moor_json *v = moor_json_new_object();
    (void)moor_json_set(v, "networkInterfaces", list);
    return v;
}

static struct moor_json *hardware(const struct plat_host *h)
{
    struct moor_json *v = moor_json_new_object();
    struct moor_json *list = moor_json_new_array();
    for (uint32_t i = 0; i < h->cpu_sockets && i < SOCKETS_MAX; i++) {
        struct moor_json *p = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(p, "name", h->cpu_name);
        moor_json_set_int(p, "numberOfCores", h->cpu_cores / h->cpu_sockets);
    }
    set_count(v, "totalPhysicalMemoryInBytes", h->memory_bytes);
    moor_json_set_int(v, "numberOfCpuSockets", h->cpu_sockets);
    (void)moor_json_set(v, "processors", list);
    return v;
}

/* Not how full they are: that would be another document every time. */
static struct moor_json *storage(const struct moor_facts_input *in)
{
    struct moor_json *list = moor_json_new_array();
    for (size_t i = 0; i < in->disk_count; i++) {
        const struct plat_disk *d = &in->disks[i];
        struct moor_json *v = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(v, "path", d->path);
        moor_json_set_str(v, "name", d->name);
        set_text(v, "id", d->id);
        set_text(v, "diskType", d->type);
        set_count(v, "maxSizeInBytes", d->bytes);
    }
    struct moor_json *v = moor_json_new_object();
    (void)moor_json_set(v, "disks", list);
    return v;
}

static struct moor_json *firmware(const struct plat_host *h)
{
    struct moor_json *v = moor_json_new_object();
    set_text(v, "serialNumber", h->serial);
    set_text(v, "type", h->firmware);
    return v;
}

/* The part of the full name behind the first label. */
static const char *domain_of(const struct plat_host *h)
{
    const char *dot = strchr(h->fqdn, '.');
    return *h->realm ? h->realm : dot ? dot + 1 : "";
}

static void set_names(struct moor_json *v, const struct plat_host *h)
{
    char in_realm[sizeof(h->hostname) + sizeof(h->realm) + 2] = "";
    if (*h->realm)
        (void)snprintf(in_realm, sizeof(in_realm), "%.*s.%s", (int)strcspn(h->hostname, "."),
                       h->hostname, h->realm);
    moor_json_set_str(v, "displayName", h->hostname);
    moor_json_set_str(v, "machineFqdn", h->fqdn);
    moor_json_set_str(v, "dnsFqdn", h->fqdn);
    moor_json_set_str(v, "domainName", or_unknown(domain_of(h)));
    moor_json_set_str(v, "adFqdn", or_unknown(in_realm));
    struct moor_json *os = moor_json_set(v, "osProfile", moor_json_new_object());
    moor_json_set_str(os, "computerName", h->hostname);
}

static void set_system(struct moor_json *v, const struct plat_host *h)
{
    char installed[MOOR_RFC3339_LEN + 1] = "";
    if (h->os_installed_ms > 0)
        moor_rfc3339_format(h->os_installed_ms, installed);
    moor_json_set_str(v, "osType", h->os_type);
    moor_json_set_str(v, "osName", h->os_type); /* sic: queries compare it with "linux" */
    moor_json_set_str(v, "osSku", h->os_sku);
    moor_json_set_str(v, "osVersion", h->os_version);
    moor_json_set_str(v, "osEdition", or_unknown(h->os_edition));
    set_text(v, "osInstallDate", installed);
    moor_json_set_str(v, "vmUuid", h->smbios_uuid);
    moor_json_set_str(v, "tpmEnabled", true_or_false(h->tpm));
}

static struct moor_json *properties_of(const struct moor_facts_input *in,
                                       const struct moor_host_cloud *cloud,
                                       const struct moor_settings *s)
{
    struct moor_json *v = moor_json_new_object();
    set_system(v, &in->host);
    set_names(v, &in->host);
    moor_json_set_str(v, "mssqlDiscovered", true_or_false(in->databases.mssql));
    (void)moor_json_set(v, "agentConfiguration", configuration(s));
    (void)moor_json_set(v, "serviceStatuses", services(in));
    struct moor_json *metadata = moor_json_set(v, "cloudMetadata", moor_json_new_object());
    moor_json_set_str(metadata, "provider", provider_of(cloud));
    (void)moor_json_set(v, "detectedProperties", detected(in, cloud));
    (void)moor_json_set(v, "networkProfile", network(in));
    (void)moor_json_set(v, "hardwareProfile", hardware(&in->host));
    (void)moor_json_set(v, "storageProfile", storage(in));
    (void)moor_json_set(v, "firmwareProfile", firmware(&in->host));
    return v;
}

/* The canonical text, of which the hash is made, within the limit. */
static void print_within(struct moor_json *properties, struct moor_buf *canonical)
{
    static const char *const lists[] = { "networkProfile", "storageProfile", "agentConfiguration" };
    moor_buf_json_canonical(canonical, properties);
    for (size_t i = 0; i < MOOR_COUNTOF(lists) && moor_buf_ok(canonical, NULL, NULL); i++) {
        moor_json_remove(properties, lists[i]);
        moor_buf_reset(canonical);
        moor_buf_json_canonical(canonical, properties);
    }
}

moor_code moor_facts_make(const struct moor_facts_input *in, const struct moor_host_cloud *cloud,
                          const struct moor_settings *settings, const char *agent_version,
                          struct moor_facts *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = moor_json_new_object();
    struct moor_json *properties =
        moor_json_set(doc, "properties", properties_of(in, cloud, settings));
    MOOR_AUTO(moor_buf) canonical = MOOR_BUF(DOCUMENT_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_PROPERTIES_MAX);
    print_within(properties, &canonical);
    char hash[MOOR_FACTS_HASH_LEN + 1];
    moor_sha256_hex(moor_buf_view(&canonical), hash);
    hash[MOOR_PROPERTIES_HASH_LEN] = '\0'; /* it goes with every heartbeat */
    moor_json_set_str(doc, "propertiesHash", hash);
    moor_json_set_str(doc, "agentVersion", agent_version);
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
