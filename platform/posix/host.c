/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"
#include "base/text.h"
#include "hardware.h"
#include "hostfile.h"
#include "platform/dirs.h"
#include "proc.h"

/* NAME="value" as os-release(5) has it: a quoted value may escape with a backslash. */
static void unquote(struct moor_span value, char *out, size_t n)
{
    char text[512];
    char quote = value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\'') ? value.p[0] : '\0';
    if (quote && value.p[value.n - 1] == quote)
        value = moor_span(value.p + 1, value.n - 2);
    size_t len = 0;
    for (size_t i = 0; i < value.n && len < sizeof(text); i++) {
        if (quote == '"' && value.p[i] == '\\' && i + 1 < value.n)
            i++;
        text[len++] = value.p[i];
    }
    posix_host_text(out, n, moor_span(text, len));
}

static void read_os_release(struct plat_host *h)
{
    const struct {
        const char *key;
        char *out;
        size_t n;
    } wanted[] = {
        { "NAME=", h->os_name, sizeof(h->os_name) },
        { "ID=", h->os_id, sizeof(h->os_id) },
        { "PRETTY_NAME=", h->os_sku, sizeof(h->os_sku) },
        { "VARIANT_ID=", h->os_edition, sizeof(h->os_edition) },
    };
    char text[4096];
    if (!posix_host_read(text, sizeof(text), "/etc/os-release"))
        (void)posix_host_read(text, sizeof(text), "/usr/lib/os-release");
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span line = moor_span_trim(moor_span_cut(&rest, '\n'));
        for (size_t i = 0; i < MOOR_COUNTOF(wanted); i++) {
            size_t k = strlen(wanted[i].key);
            if (moor_span_starts(line, wanted[i].key))
                unquote(moor_span(line.p + k, line.n - k), wanted[i].out, wanted[i].n);
        }
    }
}

/* The day the root file system was made, which is as near as a file tells. */
static void read_installation(struct plat_host *h)
{
    char path[POSIX_HOST_PATH_MAX];
    struct statx st;
    posix_host_path(path, "/");
    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &st) == 0 && (st.stx_mask & STATX_BTIME))
        h->os_installed_ms = (int64_t)st.stx_btime.tv_sec * 1000;
}

/* The next word of a line: between blanks or tabs. The empty span at the end. */
static struct moor_span next_word(struct moor_span *line)
{
    *line = moor_span_trim(*line);
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    struct moor_span word = moor_span(line->p, n);
    *line = moor_span(line->p + n, line->n - n);
    return word;
}

static bool is_longer_name(struct moor_span word, struct moor_span name)
{
    return word.n > name.n && word.p[name.n] == '.' &&
           moor_span_eq_nocase(moor_span(word.p, name.n), name);
}

/* The longer form of name in a line of hosts(5) that has both. */
static struct moor_span full_name_in(struct moor_span line, struct moor_span name)
{
    struct moor_span full = MOOR_SPAN_NONE;
    bool named = false;
    while (line.n > 0) {
        struct moor_span word = next_word(&line);
        named = named || moor_span_eq_nocase(word, name);
        if (is_longer_name(word, name))
            full = word;
    }
    return named ? full : MOOR_SPAN_NONE;
}

/* What follows key in the first line that starts with it. */
static struct moor_span value_of(const char *text, const char *key)
{
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span line = moor_span_cut(&rest, '\n');
        if (moor_span_eq_str(next_word(&line), key))
            return moor_span_trim(line);
    }
    return MOOR_SPAN_NONE;
}

/* A resolver is not asked: it may take its time. */
static void find_fqdn(const char *name, char *out, size_t n)
{
    char text[16384];
    struct moor_span full = MOOR_SPAN_NONE;
    posix_host_text(out, n, moor_span_str(name));
    if (strchr(name, '.') || !*name)
        return;
    (void)posix_host_read(text, sizeof(text), "/etc/hosts");
    struct moor_span rest = moor_span_str(text);
    while (rest.p && !full.n) {
        struct moor_span line = moor_span_cut(&rest, '\n');
        full = full_name_in(moor_span_cut(&line, '#'), moor_span_str(name));
    }
    if (full.n) {
        posix_host_text(out, n, full);
        return;
    }
    (void)posix_host_read(text, sizeof(text), "/etc/resolv.conf");
    struct moor_span domain = value_of(text, "domain");
    if (domain.n > 0 && domain.n < 200)
        (void)snprintf(out, n, "%s.%.*s", name, (int)domain.n, domain.p);
}

/* A machine account's keys are what membership leaves; the default realm is then its own. */
static void find_realm(char *out, size_t n)
{
    char text[8192];
    if (!posix_host_exists("/etc/krb5.keytab") ||
        !posix_host_read(text, sizeof(text), "/etc/krb5.conf"))
        return;
    struct moor_span value = value_of(text, "default_realm");
    if (value.n && value.p[0] == '=')
        posix_host_text(out, n, moor_span(value.p + 1, value.n - 1));
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
}

static void read_names(struct plat_host *h)
{
    struct utsname u = { .nodename = "" };
    (void)uname(&u);
    char text[256];
    (void)posix_host_read(text, sizeof(text), "/proc/sys/kernel/osrelease");
    posix_host_text(h->os_version, sizeof(h->os_version), moor_span_str(*text ? text : u.release));
    (void)posix_host_read(text, sizeof(text), "/proc/sys/kernel/hostname");
    posix_host_text(h->hostname, sizeof(h->hostname), moor_span_str(*text ? text : u.nodename));
    posix_host_text(h->architecture, sizeof(h->architecture), moor_span_str(u.machine));
    find_fqdn(h->hostname, h->fqdn, sizeof(h->fqdn));
    find_realm(h->realm, sizeof(h->realm));
}

/* An identity that many machines share is none. */
static void read_uuid(char *out, size_t n)
{
    posix_host_dmi("product_uuid", out, n);
    moor_uuid_lower(out);
    if (!moor_uuid_valid(moor_span_str(out)) || strspn(out, "0-") == MOOR_UUID_LEN ||
        strspn(out, "f-") == MOOR_UUID_LEN)
        out[0] = '\0';
}

static void read_firmware(struct plat_host *h)
{
    const struct {
        const char *name;
        char *out;
        size_t n;
    } wanted[] = {
        { "sys_vendor", h->manufacturer, sizeof(h->manufacturer) },
        { "product_name", h->model, sizeof(h->model) },
        { "product_serial", h->serial, sizeof(h->serial) },
        { "chassis_asset_tag", h->asset_tag, sizeof(h->asset_tag) },
        { "bios_vendor", h->bios_vendor, sizeof(h->bios_vendor) },
        { "bios_version", h->bios_version, sizeof(h->bios_version) },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(wanted); i++)
        posix_host_dmi(wanted[i].name, wanted[i].out, wanted[i].n);
    read_uuid(h->smbios_uuid, sizeof(h->smbios_uuid));
    (void)posix_host_read(h->machine_id, sizeof(h->machine_id), "/etc/machine-id");
    /* Boards without DMI name themselves in the device tree. */
    char text[128];
    if (!h->model[0] && posix_host_read(text, sizeof(text), "/proc/device-tree/model"))
        posix_host_text(h->model, sizeof(h->model), moor_span_str(text));
    const char *firmware = posix_host_exists("/sys/firmware/efi")   ? "UEFI"
                           : posix_host_exists("/sys/class/dmi/id") ? "BIOS"
                                                                    : "";
    posix_host_text(h->firmware, sizeof(h->firmware), moor_span_str(firmware));
    h->tpm =
        posix_host_exists("/sys/class/tpm/tpm0") && posix_host_exists("/sys/class/tpmrm/tpmrm0");
}

const char *plat_host_os_type(void)
{
    return "linux";
}

void plat_host_read(struct plat_host *out)
{
    memset(out, 0, sizeof(*out));
    posix_host_text(out->os_type, sizeof(out->os_type), moor_span_str(plat_host_os_type()));
    read_os_release(out);
    read_installation(out);
    read_names(out);
    read_firmware(out);
    posix_hardware_read(out);
}

void plat_host_boot_id(char out[40])
{
    char text[64];
    (void)posix_read_system("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    size_t n = 0;
    for (const char *p = text; *p && n < 32; p++)
        if (*p != '-')
            out[n++] = *p;
    out[n] = '\0';
}

bool plat_host_reboot_pending(void)
{
    char path[4200];
    (void)snprintf(path, sizeof(path), "%s/run/reboot-required", plat_dirs_root());
    return access(path, F_OK) == 0;
}

int64_t plat_local_offset_ms(int64_t utc_ms)
{
    time_t at = (time_t)(utc_ms / 1000);
    struct tm local;
    return localtime_r(&at, &local) ? (int64_t)local.tm_gmtoff * 1000 : 0;
}
