/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/manifest.h"

#include "base/json.h"

#include <string.h>

#define COMMAND_MAX 1024

static const struct {
    const char *name, *key;
} verbs[MOOR_VERB_COUNT_] = {
    [MOOR_VERB_INSTALL] = { "install", "installCommand" },
    [MOOR_VERB_UPDATE] = { "update", "updateCommand" },
    [MOOR_VERB_ENABLE] = { "enable", "enableCommand" },
    [MOOR_VERB_DISABLE] = { "disable", "disableCommand" },
    [MOOR_VERB_UNINSTALL] = { "uninstall", "uninstallCommand" },
};

const char *moor_handler_verb_name(moor_handler_verb v)
{
    return verbs[v].name;
}

/* Handlers write true, "true" and "True"; anything else is false. */
static bool lenient_bool(const struct moor_json *obj, const char *name)
{
    const struct moor_json *v = moor_json_get_nocase(obj, name);
    const char *s = moor_json_str(v);
    return s ? moor_strcasecmp(s, "true") == 0 : moor_json_is_true(v);
}

static uint32_t quota(const struct moor_json *limits, const char *name)
{
    double d = 0;
    if (!moor_json_number(moor_json_get_nocase(limits, name), &d))
        return 0;
    return d >= 1 && d <= 10 * 1024 * 1024 ? (uint32_t)d : 0;
}

static moor_code read_commands(const struct moor_json *handler, struct moor_manifest *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_VERB_COUNT_; i++) {
        const char *line = moor_json_get_str(handler, verbs[i].key);
        while (line && *line == '/')
            line++;
        if (!line || !*line)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: handlerManifest.%s: is required",
                             MOOR_MANIFEST_NAME, verbs[i].key);
        if (strlen(line) > COMMAND_MAX)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: handlerManifest.%s: want at most %d bytes",
                             MOOR_MANIFEST_NAME, verbs[i].key, COMMAND_MAX);
        out->command[i] = moor_arena_str(arena, moor_span_str(line));
        if (!out->command[i])
            return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", MOOR_MANIFEST_NAME);
    }
    return MOOR_OK;
}

static const char *copy(struct moor_arena *arena, const char *s)
{
    const char *mine = moor_arena_str(arena, moor_span_str(s ? s : ""));
    return mine ? mine : "";
}

moor_code moor_manifest_parse(struct moor_span text, struct moor_manifest *out,
                              struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (text.n > MOOR_MANIFEST_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want at most %d bytes", MOOR_MANIFEST_NAME,
                         MOOR_MANIFEST_MAX);
    if (moor_json_parse_lenient(text, &doc, err) != MOOR_OK)
        return moor_context(err, "%s", MOOR_MANIFEST_NAME);
    const struct moor_json *item =
        moor_json_typeof(doc) == MOOR_JSON_ARRAY ? moor_json_first(doc) : doc;
    const struct moor_json *handler = moor_json_get(item, "handlerManifest");
    if (moor_json_typeof(handler) != MOOR_JSON_OBJECT)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: want an array of one object with a member handlerManifest",
                         MOOR_MANIFEST_NAME);

    struct moor_manifest m = { 0 };
    moor_code c = read_commands(handler, &m, arena, err);
    if (c != MOOR_OK)
        return c;
    const char *mode = moor_json_get_str(handler, "updateMode");
    const struct moor_json *limits = moor_json_get(item, "resourceLimits");
    const struct moor_json *signing = moor_json_get(item, "signingInfo");
    m.report_heartbeat = lenient_bool(handler, "reportHeartbeat");
    m.update_with_install = !mode || moor_strcasecmp(mode, "UpdateWithInstall") == 0;
    m.continue_on_update_failure = lenient_bool(handler, "continueOnUpdateFailure");
    m.supports_multiple_extensions = lenient_bool(handler, "supportsMultipleExtensions") ||
                                     lenient_bool(handler, "supportMultipleExtensions");
    m.cpu_quota_percent = quota(limits, "cpuQuotaPercentage");
    m.memory_quota_mb = quota(limits, "memoryQuotaInMB");
    m.signing_publisher = copy(arena, moor_json_get_str(signing, "publisher"));
    m.signing_type = copy(arena, moor_json_get_str(signing, "type"));
    m.signing_version = copy(arena, moor_json_get_str(signing, "version"));
    *out = m;
    return MOOR_OK;
}
