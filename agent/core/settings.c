/* SPDX-License-Identifier: Apache-2.0 */
#include "core/settings.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/document.h"
#include "core/policy.h"
#include "core/proxy.h"
#include "core/url.h"
#include "crypto/tpm.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define LIST_MAX 256

static const char *const modes[] = { "full", "monitor", NULL };
static const char *const body_limits[] = { "wire", "strict", NULL };
static const char *const key_sizes[] = { "2048", "3072", "4096", NULL };
const char *const moor_signature_rules[] = { "no", "gallery", "publisher", NULL };

/* Monitoring and security agents that are known to be just that. */
#define MONITORS                                                                                   \
    "[\"Microsoft.Azure.Monitor/AzureMonitorLinuxAgent\","                                         \
    "\"Microsoft.EnterpriseCloud.Monitoring/OmsAgentForLinux\","                                   \
    "\"Microsoft.Azure.Monitoring.DependencyAgent/DependencyAgentLinux\","                         \
    "\"Microsoft.Azure.AzureDefenderForServers/MDE.Linux\","                                       \
    "\"Microsoft.Azure.NetworkWatcher/NetworkWatcherAgentLinux\","                                 \
    "\"Microsoft.Azure.Security.LinuxAttestation/GuestAttestation\","                              \
    "\"Datadog.Agent/DatadogLinuxAgent\",\"Dynatrace.Ruxit/OneAgentLinux\","                       \
    "\"NewRelic.Infrastructure.Extensions/newrelic-infra\"]"
#define DENY_ALL "[\"install\",\"update\",\"configure\",\"runCommand\",\"collect\"]"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* "Publisher/Type" with something on both sides that can be a name. A list that cannot be
 * understood must not end up allowing what it was meant to forbid. */
static moor_code is_extension(const char *text, struct moor_error *err)
{
    struct moor_span rest = moor_span_str(text);
    struct moor_span publisher = moor_span_cut(&rest, '/');
    if (publisher.n == 0 || strspn(text, NAME_CHARS) != publisher.n || rest.n == 0 ||
        strspn(rest.p, NAME_CHARS) != rest.n)
        return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want Publisher/Type", text);
    return MOOR_OK;
}

/* "install=900" */
static moor_code is_timeout(const char *text, struct moor_error *err)
{
    static const char *const verbs[] = { "install", "update", "enable", "disable", "uninstall" };
    struct moor_span rest = moor_span_str(text);
    struct moor_span verb = moor_span_cut(&rest, '=');
    uint32_t seconds;
    bool known = false;
    for (size_t n = 0; n < MOOR_COUNTOF(verbs); n++)
        known = known || moor_span_eq_str(verb, verbs[n]);
    if (known && moor_parse_u32(rest, 1, 86400, &seconds, NULL) == MOOR_OK)
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT,
                     "\"%s\": want install, update, enable, disable or uninstall, =, and 1..86400 "
                     "seconds",
                     text);
}

static moor_code is_folder(const char *text, struct moor_error *err)
{
    return *text == '/' ? MOOR_OK
                        : moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want an absolute path", text);
}

static moor_code is_proxy(const char *text, struct moor_error *err)
{
    struct moor_url url;
    if (!*text || (moor_url_parse(text, &url, NULL) == MOOR_OK &&
                   (url.path.n == 0 || moor_span_eq_str(url.path, "/"))))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT,
                     "want http://host:port without user name, which belongs into "
                     "proxy.credentialsFile");
}

static moor_code is_bypass(const char *text, struct moor_error *err)
{
    if (moor_proxy_bypass_valid(text))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want AAD, ARM, Arc, ArcData, AMA or a host",
                     text);
}

static moor_code is_optional_path(const char *text, struct moor_error *err)
{
    return *text ? is_folder(text, err) : MOOR_OK;
}

/* "22" or "22(SSH)" */
static moor_code is_port(const char *text, struct moor_error *err)
{
    struct moor_span number = moor_span_str(text);
    struct moor_span rest = number;
    uint32_t port = 0;
    if (moor_span_ends(number, ")"))
        number = moor_span_cut(&rest, '(');
    if (moor_parse_u32(number, 1, 65535, &port, NULL) != MOOR_OK)
        return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want a port", text);
    return MOOR_OK;
}

static moor_code is_connection(const char *text, struct moor_error *err)
{
    if (moor_streq(text, "direct") || moor_streq(text, "default"))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want direct or default: there is no gateway",
                     text);
}

/* "user:NAME AUDIENCE", "group:NAME AUDIENCE" */
static moor_code is_audience_rule(const char *text, struct moor_error *err)
{
    struct moor_span audience = moor_span_str(text);
    struct moor_span subject = moor_span_cut(&audience, ' ');
    struct moor_span name = subject;
    struct moor_span kind = moor_span_cut(&name, ':');
    bool known = moor_span_eq_str(kind, "user") || moor_span_eq_str(kind, "group");
    if (known && name.n && audience.n && !memchr(audience.p, ' ', audience.n))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want user:NAME AUDIENCE or group:NAME AUDIENCE",
                     text);
}

#define HERE  MOOR_SETTING_HERE
#define KEPT  MOOR_SETTING_KEPT
#define AT(m) offsetof(struct moor_settings, m)

/* The field of a row; the name comes first so that the table reads by key. */
#define FLAG(name, m)                                                                              \
    {                                                                                              \
        MOOR_F_BOOL, name, AT(m), 0, 0, 0, NULL                                                    \
    }
#define PERCENT(name, m)                                                                           \
    {                                                                                              \
        MOOR_F_U32, name, AT(m), 0, 1, 100, NULL                                                   \
    }
#define CHOICE(name, m, of)                                                                        \
    {                                                                                              \
        MOOR_F_ENUM, name, AT(m), 0, 0, 0, of                                                      \
    }
#define TEXT(name, m, min, max)                                                                    \
    {                                                                                              \
        MOOR_F_STR, name, AT(m), 0, min, max, NULL                                                 \
    }
#define LIST(name, m)                                                                              \
    {                                                                                              \
        MOOR_F_STR_LIST, name, AT(m), 0, 0, LIST_MAX, NULL                                         \
    }

static const struct moor_setting settings[] = {
    { CHOICE("config.mode", config_mode, modes), "\"full\"", "\"monitor\"", HERE, NULL,
      "full, or monitor: only monitoring and security extensions, nothing remote" },
    { FLAG("extensions.enabled", extensions_enabled), "true", "false", HERE, NULL,
      "whether extensions are managed at all" },
    { LIST("extensions.allowlist", extensions_allowlist), "[]", "[\"Allow/None\"]", HERE,
      is_extension, "Publisher/Type of the extensions that may be installed; empty: all" },
    { LIST("extensions.blocklist", extensions_blocklist), "[]", NULL, HERE, is_extension,
      "Publisher/Type of the extensions that must not be installed; wins over the allow list" },
    { LIST("extensions.monitorlist", extensions_monitorlist), MONITORS, "[\"Allow/None\"]", HERE,
      is_extension, "Publisher/Type of the extensions that monitor mode lets in" },
    { PERCENT("extensions.agent.cpulimit", extensions_cpu_limit), "5", NULL, HERE, NULL,
      "processor share of extensions, percent" },
    { LIST("extensions.commandTimeouts", extensions_timeouts), "[]", NULL, HERE, is_timeout,
      "seconds that handler commands may take, VERB=SECONDS; what is not named keeps its limit" },
    { CHOICE("extensions.signatureRequired", signature_required, moor_signature_rules),
      "\"gallery\"", "\"publisher\"", HERE, NULL, "whose signature a package needs" },
    { LIST("extensions.signatureByPublisher", signature_by_publisher), "[]", "[]", HERE,
      moor_policy_check_signature,
      "the same for single publishers: PUBLISHER=no, gallery or publisher; PUBLISHER may end in "
      "*" },
    { LIST("policy.deny", policy_deny), "[]", DENY_ALL, HERE, moor_policy_check_deny,
      "what the cloud may not ask for: install, update, configure, runCommand, "
      "runCommand.scriptUri, runCommand.blobs, runCommand.asRoot, collect" },
    { FLAG("guestconfiguration.enabled", guestconfiguration_enabled), "true", "false", KEPT, NULL,
      "whether machine configuration may run" },
    { PERCENT("guestconfiguration.agent.cpulimit", guestconfiguration_cpu_limit), "5", NULL, KEPT,
      NULL, "processor share of machine configuration, percent" },
    { FLAG("incomingconnections.enabled", incomingconnections_enabled), "true", "false", KEPT, NULL,
      "whether remote connections may be relayed" },
    { LIST("incomingconnections.ports", incomingconnections_ports), "[]", NULL, KEPT, is_port,
      "local ports that may be relayed to" },
    { CHOICE("identity.keySize", key_size, key_sizes), "\"2048\"", NULL, HERE, NULL,
      "bits of the machine's RSA key, when one is made: 2048, 3072 or 4096" },
    { TEXT("identity.tpm", tpm_device, 1, MOOR_TPM_DEVICE_MAX), "\"" MOOR_TPM_DEVICE "\"", NULL,
      HERE, moor_tpm_device_check,
      "the TPM for connect --identity-key-store tpm; read when the service starts" },
    { LIST("identity.audiences", identity_audiences), "[]", "[\"user:root *\"]", HERE,
      is_audience_rule,
      "who besides root may have tokens for what: \"user:NAME AUDIENCE\" or \"group:NAME "
      "AUDIENCE\", "
      "* for any audience; empty: everybody" },
    { TEXT("connection.type", connection_type, 1, 16), "\"direct\"", NULL, HERE, is_connection,
      "how the cloud is reached: direct, or default, which is the same" },
    { TEXT("proxy.url", proxy_url, 0, 2048), "\"\"", NULL, HERE, is_proxy,
      "proxy for the agent's own connections, http://host:port" },
    { LIST("proxy.bypass", proxy_bypass), "[]", NULL, HERE, is_bypass,
      "groups of endpoints (AAD, ARM, Arc, ArcData, AMA) and hosts reached without the proxy" },
    { TEXT("proxy.credentialsFile", proxy_credentials_file, 0, 4096), "\"\"", NULL, HERE,
      is_optional_path, "file with the proxy's user:password, which others cannot read" },
    { TEXT("proxy.caFile", proxy_ca_file, 0, 4096), "\"\"", NULL, HERE, is_optional_path,
      "CA certificates (PEM) of a TLS proxy, or of one that intercepts TLS" },
    { LIST("logs.allowPaths", logs_allow_paths), "[]", NULL, HERE, is_folder,
      "folders logs may be collected from; empty: any" },
    { LIST("logs.denyPaths", logs_deny_paths), "[]", "[\"/\"]", HERE, is_folder,
      "folders logs are never collected from; wins" },
    { LIST("logs.syslog", logs_syslog), "[\"journal\"]", "[]", HERE, NULL,
      "where syslog messages come from: journal, unix:PATH, udp:ADDRESS:PORT, tcp:ADDRESS:PORT, "
      "tls:ADDRESS:PORT" },
    { TEXT("logs.syslogCertificate", logs_syslog_certificate, 0, 4096), "\"\"", NULL, HERE,
      is_optional_path, "certificate (PEM, leaf first) for tls: in logs.syslog" },
    { TEXT("logs.syslogKey", logs_syslog_key, 0, 4096), "\"\"", NULL, HERE, is_optional_path,
      "its key (PEM), which user mooring-logs can read" },
    { TEXT("logs.syslogClientCa", logs_syslog_client_ca, 0, 4096), "\"\"", NULL, HERE,
      is_optional_path,
      "CA certificates (PEM) that senders over TLS must have one of; empty: they need none" },
    { TEXT("logs.compression", logs_compression, 1, 32), "\"fastest\"", NULL, HERE, NULL,
      "how log rows are compressed: fastest, balanced, smallest, or LIBRARY-LEVEL" },
    { CHOICE("logs.bodyLimit", logs_body_limit, body_limits), "\"wire\"", NULL, HERE, NULL,
      "what the service's 1 MB counts of a body: wire, its compressed bytes, or strict, those "
      "before" },
};

#define ROWS MOOR_COUNTOF(settings)

static const struct moor_json_field schema_field = {
    MOOR_F_U32, "schema", AT(schema), MOOR_F_REQUIRED, 1, 1, NULL
};

/* The table as the decoder wants it: schema, the rows, the end. */
struct document_shape {
    struct moor_json_field fields[ROWS + 2];
    struct moor_json_shape shape;
};

static const struct moor_json_shape *make_shape(struct document_shape *d)
{
    memset(d->fields, 0, sizeof(d->fields));
    d->fields[0] = schema_field;
    for (size_t i = 0; i < ROWS; i++)
        d->fields[i + 1] = settings[i].field;
    d->shape = (struct moor_json_shape){ sizeof(struct moor_settings), d->fields, MOOR_F_STRICT };
    return &d->shape;
}

const struct moor_setting *moor_settings_table(size_t *count)
{
    *count = ROWS;
    return settings;
}

const struct moor_setting *moor_setting_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (moor_strcasecmp(settings[i].field.name, name) == 0)
            return &settings[i];
    return NULL;
}

void moor_setting_type(const struct moor_setting *s, struct moor_buf *out)
{
    const struct moor_json_field *f = &s->field;
    const char *const *names = f->kind == MOOR_F_ENUM ? f->sub : NULL;
    if (f->kind == MOOR_F_U32)
        moor_buf_fmt(out, "a whole number %lld..%lld", (long long)f->min, (long long)f->max);
    for (size_t i = 0; names && names[i]; i++)
        moor_buf_fmt(out, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    if (f->kind == MOOR_F_BOOL)
        moor_buf_str(out, "true or false");
    if (f->kind == MOOR_F_STR_LIST)
        moor_buf_str(out, "a list");
    if (f->kind == MOOR_F_STR)
        moor_buf_str(out, "text");
}

static moor_code preset(bool closed, struct moor_settings *out, struct moor_arena *arena,
                        struct moor_error *err)
{
    struct document_shape d;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(8192);
    moor_buf_str(&text, "{\"schema\":1");
    for (size_t i = 0; i < ROWS; i++)
        moor_buf_fmt(&text, ",\"%s\":%s", settings[i].field.name,
                     closed && settings[i].closed ? settings[i].closed : settings[i].initial);
    moor_buf_char(&text, '}');
    moor_code c = moor_buf_ok(&text, "default settings", err);
    return c == MOOR_OK ? moor_json_decode(moor_buf_view(&text), "default settings", make_shape(&d),
                                           out, arena, err)
                        : c;
}

static moor_code check_row(const struct moor_setting *row, const struct moor_settings *s,
                           struct moor_error *err)
{
    const char *at = (const char *)s + row->field.offset;
    const char *text = NULL;
    struct moor_str_list list = { &text, 1 };
    if (!row->check)
        return MOOR_OK;
    if (row->field.kind == MOOR_F_STR_LIST)
        memcpy(&list, at, sizeof(list));
    else
        memcpy(&text, at, sizeof(text));
    for (size_t i = 0; i < list.count; i++)
        if (row->check(list.items[i], err) != MOOR_OK)
            return moor_context(err, MOOR_LOCALCONFIG_NAME ": %s", row->field.name);
    return MOOR_OK;
}

moor_code moor_settings_parse(struct moor_span text, struct moor_settings *out,
                              struct moor_arena *arena, struct moor_error *err)
{
    struct moor_settings s = { .schema = 1 };
    struct document_shape d;
    moor_code c = preset(false, &s, arena, err);
    if (c == MOOR_OK)
        c = moor_document_decode(text, MOOR_LOCALCONFIG_NAME, make_shape(&d), 1, &s, arena, err);
    for (size_t i = 0; c == MOOR_OK && i < ROWS; i++)
        c = check_row(&settings[i], &s, err);
    if (c == MOOR_OK)
        *out = s;
    return c;
}

/* One key by itself: what is wrong elsewhere in the file does not matter to it. */
static bool take_row(const struct moor_setting *row, const struct moor_json *v,
                     struct moor_settings *out, struct moor_arena *arena)
{
    const struct moor_json_field fields[] = { row->field, { .kind = MOOR_F_END } };
    const struct moor_json_shape shape = { sizeof(struct moor_settings), fields, 0 };
    struct moor_settings s = *out;
    if (moor_json_decode_value(v, MOOR_LOCALCONFIG_NAME, &shape, &s, arena, NULL) != MOOR_OK ||
        check_row(row, &s, NULL) != MOOR_OK)
        return false;
    *out = s;
    return true;
}

/* Whether each member that means to say something of the proxy was understood. */
static bool tells_proxy(const struct moor_json *v, const bool taken[ROWS])
{
    MOOR_JSON_EACH(member, v)
    {
        const struct moor_setting *row = moor_setting_find(moor_json_name(member));
        if (moor_span_starts(moor_span_str(moor_json_name(member)), "proxy.") &&
            !(row && moor_streq(row->field.name, moor_json_name(member)) && taken[row - settings]))
            return false;
    }
    return moor_json_typeof(v) == MOOR_JSON_OBJECT;
}

static const char *unknown_proxy(const struct moor_error *err, struct moor_arena *arena)
{
    const char *why = moor_arena_fmt(arena,
                                     "which proxy is to be used is not known, so nothing is "
                                     "sent: %s",
                                     err ? err->msg : MOOR_LOCALCONFIG_NAME);
    return why ? why : MOOR_LOCALCONFIG_NAME ": out of memory";
}

moor_code moor_settings_parse_closed(struct moor_span text, struct moor_settings *out,
                                     struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    bool taken[ROWS] = { false };
    moor_code c = moor_settings_parse(text, out, arena, err);
    if (c == MOOR_OK)
        return c;
    *out = (struct moor_settings){ .refused = true,
                                   .connection_type = "direct",
                                   .tpm_device = MOOR_TPM_DEVICE,
                                   .proxy_url = "",
                                   .proxy_credentials_file = "",
                                   .proxy_ca_file = "",
                                   .proxy_unknown = unknown_proxy(err, arena),
                                   .logs_compression = "fastest",
                                   .config_mode = MOOR_MODE_MONITOR,
                                   .signature_required = MOOR_SIGNATURE_PUBLISHER };
    if (preset(true, out, arena, NULL) != MOOR_OK || moor_json_parse(text, &v, NULL) != MOOR_OK)
        return c;
    for (size_t i = 0; i < ROWS; i++)
        taken[i] = !settings[i].closed && take_row(&settings[i], v, out, arena);
    if (tells_proxy(v, taken))
        out->proxy_unknown = NULL;
    return c;
}

static moor_code read_file(struct moor_buf *text, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_LOCALCONFIG_NAME);
    if (c == MOOR_OK)
        c = plat_read_all(path, MOOR_LOCALCONFIG_MAX, text, err);
    if (c != MOOR_E_NOTFOUND)
        return c;
    moor_buf_str(text, "{\"schema\":1}");
    return moor_buf_ok(text, path, err);
}

moor_code moor_settings_load(struct moor_settings *out, struct moor_arena *arena,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    moor_code c = read_file(&text, err);
    return c == MOOR_OK ? moor_settings_parse(moor_buf_view(&text), out, arena, err) : c;
}

moor_code moor_settings_load_closed(struct moor_settings *out, struct moor_arena *arena,
                                    struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    moor_code unread = read_file(&text, err);
    if (unread != MOOR_OK)
        moor_buf_reset(&text);
    moor_code c = moor_settings_parse_closed(moor_buf_view(&text), out, arena, unread ? NULL : err);
    return unread != MOOR_OK ? unread : c;
}

struct moor_json *moor_settings_values(const struct moor_settings *s)
{
    struct document_shape d;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    struct moor_json *v = NULL;
    moor_json_encode(&text, make_shape(&d), s);
    if (moor_buf_ok(&text, "settings", NULL) != MOOR_OK ||
        moor_json_parse(moor_buf_view(&text), &v, NULL) != MOOR_OK)
        return NULL;
    moor_json_remove(v, "schema");
    return v;
}
