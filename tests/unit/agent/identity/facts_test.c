/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/facts.h"

#include <stdlib.h>

#include "base/json.h"
#include "check.h"

static struct moor_host_cloud cloud = { .provider = "" };

static struct moor_facts_input *web01(void)
{
    struct moor_facts_input *in = calloc(1, sizeof(*in));
    const struct plat_netif eth0 = {
        .name = "eth0",
        .mac = "52:54:00:12:34:56",
        .addresses = { { "10.0.0.4", "10.0.0.0", 24, false },
                       { "2001:db8::4", "2001:db8::", 64, true } },
        .address_count = 2,
    };
    const struct plat_disk sda = { "/dev/sda", "ST4000", "wwid", "HDD", 4000787030016 };
    in->host = (struct plat_host){ .hostname = "web01",
                                   .fqdn = "web01.contoso.com",
                                   .os_type = "linux",
                                   .os_sku = "Debian 12",
                                   .os_version = "6.1.0",
                                   .architecture = "x86_64",
                                   .smbios_uuid = "4c4c4544-0058-4b10-8034-b7c04f5a5433",
                                   .manufacturer = "Dell Inc.",
                                   .model = "R750",
                                   .serial = "7XK",
                                   .asset_tag = "U7",
                                   .cpu_name = "Xeon",
                                   .cpu_sockets = 2,
                                   .cpu_cores = 8,
                                   .cpu_logical = 16,
                                   .memory_bytes = 17179869184,
                                   .firmware = "UEFI",
                                   .tpm = true,
                                   .os_installed_ms = 1700000000000 };
    in->netifs[0] = eth0;
    in->netif_count = 1;
    in->disks[0] = sda;
    in->disk_count = 1;
    in->databases.mysql = true;
    in->extension_service = (struct plat_unit_state){ true, true, true };
    return in;
}

static struct moor_json *made(const struct moor_facts_input *in, const struct moor_settings *s,
                              char hash[65])
{
    MOOR_AUTO(moor_facts) f = { .document = MOOR_BUF(0) };
    struct moor_json *doc = NULL;
    CHECK(moor_facts_make(in, &cloud, s, "1.0", &f, NULL) == MOOR_OK);
    CHECK(f.document.len <= MOOR_PROPERTIES_MAX);
    CHECK(moor_json_parse(moor_buf_view(&f.document), &doc, NULL) == MOOR_OK);
    CHECK_STR(moor_json_get_str(doc, "propertiesHash"), f.hash);
    memcpy(hash, f.hash, 65);
    return doc;
}

static void every_fact_has_its_place(void)
{
    static const struct {
        const char *path, *want;
    } wanted[] = {
        { "osType", "linux" },
        { "osName", "linux" },
        { "osSku", "Debian 12" },
        { "osVersion", "6.1.0" },
        { "osEdition", "unknown" },
        { "osInstallDate", "2023-11-14T22:13:20.000Z" },
        { "displayName", "web01" },
        { "machineFqdn", "web01.contoso.com" },
        { "dnsFqdn", "web01.contoso.com" },
        { "domainName", "contoso.com" },
        { "adFqdn", "unknown" },
        { "osProfile.computerName", "web01" },
        { "vmUuid", "4c4c4544-0058-4b10-8034-b7c04f5a5433" },
        { "tpmEnabled", "true" },
        { "mssqlDiscovered", "false" },
        { "detectedProperties.architecture", "amd64" },
        { "detectedProperties.coreCount", "8" },
        { "detectedProperties.logicalCoreCount", "16" },
        { "detectedProperties.processorCount", "2" },
        { "detectedProperties.processorNames", "Xeon" },
        { "detectedProperties.manufacturer", "Dell Inc." },
        { "detectedProperties.model", "R750" },
        { "detectedProperties.serialNumber", "7XK" },
        { "detectedProperties.smbiosAssetTag", "U7" },
        { "detectedProperties.totalPhysicalMemoryInBytes", "17179869184" },
        { "detectedProperties.totalPhysicalMemoryInGigabytes", "16" },
        { "detectedProperties.mysqldiscovered", "true" },
        { "detectedProperties.pgsqldiscovered", "false" },
        { "detectedProperties.cloudprovider", "N/A" },
        { "cloudMetadata.provider", "N/A" },
        { "serviceStatuses.extensionService.status", "active" },
        { "serviceStatuses.extensionService.startupType", "enabled" },
        { "serviceStatuses.guestConfigurationService.status", "inactive" },
        { "firmwareProfile.type", "UEFI" },
        { "firmwareProfile.serialNumber", "7XK" },
        { "agentConfiguration.configMode", "full" },
    };
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .extensions_enabled = true };
    char hash[65];
    MOOR_AUTOPTR(moor_json) doc = made(in, &settings, hash);
    const struct moor_json *p = moor_json_get(doc, "properties");
    for (size_t i = 0; i < MOOR_COUNTOF(wanted); i++)
        if (!CHECK_STR(moor_json_str(moor_json_path(p, wanted[i].path)), wanted[i].want))
            printf("# %s\n", wanted[i].path);
    MOOR_AUTO(moor_buf) lists = MOOR_BUF(4096);
    moor_buf_json(&lists, moor_json_path(p, "networkProfile.networkInterfaces"));
    moor_buf_json(&lists, moor_json_get(p, "hardwareProfile"));
    moor_buf_json(&lists, moor_json_path(p, "storageProfile.disks"));
    CHECK_STR(
        moor_buf_cstr(&lists),
        "[{\"name\":\"eth0\",\"macAddress\":\"52:54:00:12:34:56\",\"ipAddresses\":["
        "{\"address\":\"10.0.0.4\",\"ipAddressVersion\":\"IPv4\",\"subnet\":{\"addressPrefix\":"
        "\"10.0.0.0/24\"}},"
        "{\"address\":\"2001:db8::4\",\"ipAddressVersion\":\"IPv6\",\"subnet\":{\"addressPrefix\":"
        "\"2001:db8::/64\"}}]}]"
        "{\"totalPhysicalMemoryInBytes\":17179869184,\"numberOfCpuSockets\":2,\"processors\":["
        "{\"name\":\"Xeon\",\"numberOfCores\":4},{\"name\":\"Xeon\",\"numberOfCores\":4}]}"
        "[{\"path\":\"/dev/sda\",\"name\":\"ST4000\",\"id\":\"wwid\",\"diskType\":\"HDD\","
        "\"maxSizeInBytes\":4000787030016}]");
    free(in);
}

static void a_machine_that_says_nothing_has_a_document_too(void)
{
    struct moor_facts_input *in = calloc(1, sizeof(*in));
    const struct moor_settings settings = { .proxy_url = NULL };
    char hash[65];
    MOOR_AUTOPTR(moor_json) doc = made(in, &settings, hash);
    const struct moor_json *p = moor_json_get(doc, "properties");
    CHECK_STR(moor_json_get_str(p, "domainName"), "unknown");
    CHECK_STR(moor_json_str(moor_json_path(p, "serviceStatuses.extensionService.status")),
              "unknown");
    CHECK(!moor_json_path(p, "detectedProperties.serialNumber"));
    free(in);
}

static void a_member_of_a_realm_has_its_name_there(void)
{
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .proxy_url = NULL };
    char hash[65];
    memcpy(in->host.realm, "corp.contoso.com", 17);
    MOOR_AUTOPTR(moor_json) doc = made(in, &settings, hash);
    const struct moor_json *p = moor_json_get(doc, "properties");
    CHECK_STR(moor_json_get_str(p, "adFqdn"), "web01.corp.contoso.com");
    CHECK_STR(moor_json_get_str(p, "domainName"), "corp.contoso.com");
    free(in);
}

static void equal_facts_have_equal_hashes_and_others_do_not(void)
{
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .proxy_url = NULL };
    char a[65], b[65], c[65];
    moor_json_free(made(in, &settings, a));
    moor_json_free(made(in, &settings, b));
    in->netifs[0].addresses[0].text[0] = '2';
    moor_json_free(made(in, &settings, c));
    CHECK_STR(a, b);
    CHECK(strcmp(a, c) != 0);
    free(in);
}

static void a_machine_of_many_parts_is_cut_to_the_limit(void)
{
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .proxy_url = NULL };
    char hash[65];
    for (in->netif_count = 0; in->netif_count < MOOR_FACTS_NETIFS_MAX; in->netif_count++) {
        struct plat_netif *n = &in->netifs[in->netif_count];
        (void)snprintf(n->name, sizeof(n->name), "eth%zu", in->netif_count);
        for (n->address_count = 0; n->address_count < MOOR_COUNTOF(n->addresses);
             n->address_count++)
            n->addresses[n->address_count] =
                (struct plat_address){ "2001:db8:1111:2222:3333:4444:5555:6666",
                                       "2001:db8:1111:2222::", 64, true };
    }
    MOOR_AUTOPTR(moor_json) whole = made(in, &settings, hash);
    CHECK(moor_json_path(whole, "properties.networkProfile") != NULL);
    const char *items[600];
    for (size_t i = 0; i < MOOR_COUNTOF(items); i++)
        items[i] = "Contoso.Monitoring.Of.Everything.And.More/AllOfIt/0123456789";
    const struct moor_settings wordy = { .extensions_allowlist = { items, MOOR_COUNTOF(items) } };
    MOOR_AUTOPTR(moor_json) cut = made(in, &wordy, hash);
    CHECK(!moor_json_path(cut, "properties.networkProfile"));
    CHECK(moor_json_path(cut, "properties.agentConfiguration") != NULL);
    CHECK_STR(moor_json_str(moor_json_path(cut, "properties.osSku")), "Debian 12");
    free(in);
}

static void what_stands_before_the_proxy_stays_here(void)
{
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .proxy_url = "http://user:hunter2@proxy:3128" };
    char hash[65];
    MOOR_AUTOPTR(moor_json) doc = made(in, &settings, hash);
    CHECK_STR(moor_json_str(moor_json_path(doc, "properties.agentConfiguration.proxyUrl")),
              "http://proxy:3128");
    free(in);
}

static void a_guest_says_whose_it_is(void)
{
    struct moor_facts_input *in = web01();
    const struct moor_settings settings = { .proxy_url = NULL };
    char hash[65];
    cloud = (struct moor_host_cloud){ "AWS", { { "awsRegion", "eu-west-1" } }, 1 };
    MOOR_AUTOPTR(moor_json) doc = made(in, &settings, hash);
    cloud = (struct moor_host_cloud){ .provider = "" };
    const struct moor_json *p = moor_json_get(doc, "properties");
    CHECK_STR(moor_json_str(moor_json_path(p, "cloudMetadata.provider")), "AWS");
    CHECK_STR(moor_json_str(moor_json_path(p, "detectedProperties.cloudprovider")), "AWS");
    CHECK_STR(moor_json_str(moor_json_path(p, "detectedProperties.awsRegion")), "eu-west-1");
    free(in);
}

CHECK_MAIN(CHECK_TEST(every_fact_has_its_place),
           CHECK_TEST(a_machine_that_says_nothing_has_a_document_too),
           CHECK_TEST(a_member_of_a_realm_has_its_name_there),
           CHECK_TEST(equal_facts_have_equal_hashes_and_others_do_not),
           CHECK_TEST(a_machine_of_many_parts_is_cut_to_the_limit),
           CHECK_TEST(what_stands_before_the_proxy_stays_here),
           CHECK_TEST(a_guest_says_whose_it_is))
