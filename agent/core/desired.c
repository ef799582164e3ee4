/* SPDX-License-Identifier: Apache-2.0 */
#include "core/desired.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define SETTINGS_MAX  (512 * 1024)
#define SIGNATURE_MAX (64 * 1024)
#define SCRIPT_MAX    (256 * 1024)
#define PARAMETER_MAX (32 * 1024)
#define PACKAGE_MAX   (INT64_C(2) * 1024 * 1024 * 1024)

static const char *const states[] = { "enabled", "uninstall", NULL };

#define PK(member) offsetof(struct moor_desired_package, member)
static const struct moor_json_field package_fields[] = {
    { MOOR_F_STR_LIST, "uris", PK(uris), MOOR_F_REQUIRED, 1, 8, NULL },
    { MOOR_F_U64, "size", PK(size), MOOR_F_REQUIRED, 1, PACKAGE_MAX, NULL },
    { MOOR_F_STR, "sha256", PK(sha256), MOOR_F_REQUIRED, 64, 64, NULL },
    { MOOR_F_BYTES, "signature", PK(signature), 0, 1, SIGNATURE_MAX, NULL },
    { MOOR_F_STR, "signatureFormat", PK(signature_format), 0, 1, 32, NULL },
    { MOOR_F_BYTES, "publisherSignature", PK(publisher_signature), 0, 1, SIGNATURE_MAX, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape package_shape = { sizeof(struct moor_desired_package),
                                                      package_fields, 0 };

#define EX(member) offsetof(struct moor_desired_extension, member)
static const struct moor_json_field extension_fields[] = {
    { MOOR_F_STR, "name", EX(name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "publisher", EX(publisher), MOOR_F_REQUIRED, 1, 128, NULL },
    { MOOR_F_STR, "type", EX(type), MOOR_F_REQUIRED, 1, 128, NULL },
    { MOOR_F_STR, "version", EX(version), 0, 0, 43, NULL },
    { MOOR_F_ENUM, "state", EX(state), MOOR_F_REQUIRED, 0, 0, states },
    { MOOR_F_U64, "settingsSeqNo", EX(settings_seq_no), MOOR_F_REQUIRED, 0, INT64_C(1) << 31,
      NULL },
    { MOOR_F_OBJ_JSON, "publicSettings", EX(public_settings), 0, 0, SETTINGS_MAX, NULL },
    { MOOR_F_STR, "protectedSettings", EX(protected_settings), 0, 1, SETTINGS_MAX, NULL },
    { MOOR_F_STR, "protectedSettingsCertThumbprint", EX(protected_thumbprint), 0, 1, 40, NULL },
    { MOOR_F_STR, "forceUpdateTag", EX(force_update_tag), 0, 0, 256, NULL },
    { MOOR_F_BOOL, "autoUpgradeMinorVersion", EX(auto_upgrade_minor), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "enableAutomaticUpgrade", EX(enable_automatic_upgrade), 0, 0, 0, NULL },
    { MOOR_F_STR_LIST, "dependsOn", EX(depends_on), 0, 0, 64, NULL },
    { MOOR_F_JSON, "instances", EX(instances), 0, 0, 0, NULL },
    { MOOR_F_OBJ, "package", EX(package), 0, 0, 0, &package_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape extension_shape = { sizeof(struct moor_desired_extension),
                                                        extension_fields, 0 };

#define RU(member) offsetof(struct moor_desired_rule, member)
static const struct moor_json_field rule_fields[] = {
    { MOOR_F_STR, "id", RU(id), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_STR, "immutableId", RU(immutable_id), MOOR_F_REQUIRED, 36, 36, NULL },
    { MOOR_F_STR, "endpoint", RU(endpoint), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_OBJ_JSON, "properties", RU(properties), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape rule_shape = { sizeof(struct moor_desired_rule), rule_fields,
                                                   0 };

#define PA(member) offsetof(struct moor_desired_parameter, member)
static const struct moor_json_field parameter_fields[] = {
    { MOOR_F_STR, "name", PA(name), MOOR_F_REQUIRED, 0, 128, NULL },
    { MOOR_F_STR, "value", PA(value), MOOR_F_REQUIRED, 0, PARAMETER_MAX, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
const struct moor_json_shape moor_desired_parameter_shape = { sizeof(struct moor_desired_parameter),
                                                              parameter_fields, 0 };

#define SO(member) offsetof(struct moor_desired_source, member)
static const struct moor_json_field source_fields[] = {
    { MOOR_F_STR, "script", SO(script), 0, 1, SCRIPT_MAX, NULL },
    { MOOR_F_STR, "scriptUri", SO(script_uri), 0, 1, 2048, NULL },
    { MOOR_F_STR, "scriptSha256", SO(sha256), 0, 64, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape source_shape = { sizeof(struct moor_desired_source),
                                                     source_fields, 0 };

static const char *const run_states[] = { "run", "cancel", NULL };

#define RN(member) offsetof(struct moor_desired_run, member)
static const struct moor_json_field run_fields[] = {
    { MOOR_F_STR, "name", RN(name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_UUID, "executionId", RN(execution_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_TIME, "expiresAt", RN(expires_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_ENUM, "state", RN(state), MOOR_F_REQUIRED, 0, 0, run_states },
    { MOOR_F_OBJ, "source", RN(source), MOOR_F_REQUIRED, 0, 0, &source_shape },
    { MOOR_F_OBJ_LIST, "parameters", RN(parameters), 0, 0, 64, &moor_desired_parameter_shape },
    { MOOR_F_BOOL, "asyncExecution", RN(asynchronous), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "treatFailureAsDeploymentFailure", RN(fail_deployment), 0, 0, 0, NULL },
    { MOOR_F_STR, "runAsUser", RN(user), 0, 0, 256, NULL },
    { MOOR_F_U32, "timeoutInSeconds", RN(timeout_s), MOOR_F_REQUIRED, 1, 604800, NULL },
    { MOOR_F_STR, "outputBlobUri", RN(output_uri), 0, 1, 2048, NULL },
    { MOOR_F_STR, "errorBlobUri", RN(error_uri), 0, 1, 2048, NULL },
    { MOOR_F_STR, "protectedSettings", RN(protected_settings), 0, 1, 2 * SETTINGS_MAX, NULL },
    { MOOR_F_STR, "protectedSettingsCertThumbprint", RN(protected_thumbprint), 0, 1, 40, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape run_shape = { sizeof(struct moor_desired_run), run_fields, 0 };

struct trust_bundle {
    struct moor_str_list certificates;
};
static const struct moor_json_field trust_fields[] = {
    { MOOR_F_STR_LIST, "certificates", offsetof(struct trust_bundle, certificates), 0, 0, 8, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape trust_shape = { sizeof(struct trust_bundle), trust_fields, 0 };

/* The frame: what decides whether the document counts at all. Items are decoded one by one. */
struct frame {
    const char *revision, *thumbprint, *tags;
    struct trust_bundle trust;
};
#define FR(member) offsetof(struct frame, member)
static const struct moor_json_field frame_fields[] = {
    { MOOR_F_STR, "revision", FR(revision), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "settingsCertThumbprint", FR(thumbprint), 0, 1, 40, NULL },
    { MOOR_F_OBJ_JSON, "tags", FR(tags), 0, 0, 0, NULL },
    { MOOR_F_OBJ, "trustBundle", FR(trust), 0, 0, 0, &trust_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape frame_shape = { sizeof(struct frame), frame_fields, 0 };

static const char *check_extension(const struct moor_desired_extension *e)
{
    bool nameless = e->state == MOOR_DESIRED_UNINSTALL && !*e->version;
    if (!nameless && !moor_version_valid(moor_span_str(e->version)))
        return "version: want dotted numbers";
    if ((e->protected_settings != NULL) != (e->protected_thumbprint != NULL))
        return "protectedSettings: want it together with protectedSettingsCertThumbprint";
    if (e->state == MOOR_DESIRED_ENABLED && e->package.size == 0)
        return "package: required";
    for (size_t i = 0; i < e->package.uris.count; i++)
        if (!moor_span_starts(moor_span_str(e->package.uris.items[i]), "https://"))
            return "package.uris: want https";
    const char *digest = e->package.sha256;
    if (digest && strspn(digest, "0123456789abcdef") != 64)
        return "package.sha256: want 64 lower-case hexadecimal digits";
    if (e->package.signature.n > 0 && !moor_streq(e->package.signature_format, "cms-detached"))
        return "package.signatureFormat: want cms-detached";
    return NULL;
}

bool moor_desired_has_settings(const struct moor_desired_extension *e)
{
    return e->protected_settings || (e->public_settings && strcmp(e->public_settings, "{}") != 0);
}

/* The member of an item that failed to decode, so that the failure has a name in reports. */
static const char *name_of(const struct moor_json *v, const char *member, struct moor_arena *arena)
{
    const char *s = moor_json_get_str(v, member);
    return moor_arena_str(arena, moor_span_str(s ? s : ""));
}

static moor_code read_extensions(const struct moor_json *list, struct moor_desired *out,
                                 struct moor_arena *arena, struct moor_error *err)
{
    out->extensions = moor_arena_array(arena, moor_json_size(list), sizeof(*out->extensions));
    if (!out->extensions)
        return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
    MOOR_JSON_EACH(item, list)
    {
        struct moor_error why = MOOR_ERROR_INIT;
        struct moor_desired_extension e = { .name = NULL };
        moor_code c = moor_json_decode_value(item, "extension", &extension_shape, &e, arena, &why);
        if (c == MOOR_E_NOMEM)
            return moor_fail(err, c, "desired state: %s", why.msg);
        if (c == MOOR_OK) {
            e.version = e.version ? e.version : "";
            e.bad = check_extension(&e);
        } else {
            e = (struct moor_desired_extension){ .name = name_of(item, "name", arena),
                                                 .publisher = name_of(item, "publisher", arena),
                                                 .type = name_of(item, "type", arena),
                                                 .version = name_of(item, "version", arena) };
            int64_t seq = 0;
            if (moor_json_int(moor_json_get(item, "settingsSeqNo"), &seq) && seq > 0)
                e.settings_seq_no = (uint64_t)seq;
            e.bad = moor_arena_str(arena, moor_span_str(why.msg));
            if (!e.name || !e.publisher || !e.type || !e.version || !e.bad)
                return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
        }
        out->extensions[out->extension_count++] = e;
    }
    return MOOR_OK;
}

static moor_code read_rules(const struct moor_json *list, struct moor_desired *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    out->rules = moor_arena_array(arena, moor_json_size(list), sizeof(*out->rules));
    if (!out->rules)
        return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
    MOOR_JSON_EACH(item, list)
    {
        struct moor_error why = MOOR_ERROR_INIT;
        struct moor_desired_rule r = { .id = NULL };
        moor_code c =
            moor_json_decode_value(item, "data collection rule", &rule_shape, &r, arena, &why);
        if (c == MOOR_E_NOMEM)
            return moor_fail(err, c, "desired state: %s", why.msg);
        if (c != MOOR_OK) {
            r = (struct moor_desired_rule){ .id = name_of(item, "id", arena),
                                            .bad = moor_arena_str(arena, moor_span_str(why.msg)) };
            if (!r.id || !r.bad)
                return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
        }
        out->rules[out->rule_count++] = r;
    }
    return MOOR_OK;
}

static const char *check_uri(const char *uri)
{
    return !uri || moor_span_starts(moor_span_str(uri), "https://") ? NULL : "URIs: want https";
}

static const char *check_run(const struct moor_desired_run *r)
{
    const struct moor_desired_source *s = &r->source;
    if ((s->script != NULL) == (s->script_uri != NULL))
        return "source: want either script or scriptUri";
    if (s->sha256 && strspn(s->sha256, "0123456789abcdef") != 64)
        return "source.scriptSha256: want 64 lower-case hexadecimal digits";
    if ((r->protected_settings != NULL) != (r->protected_thumbprint != NULL))
        return "protectedSettings: want it together with protectedSettingsCertThumbprint";
    const char *bad = check_uri(s->script_uri);
    if (!bad)
        bad = check_uri(r->output_uri);
    return bad ? bad : check_uri(r->error_uri);
}

/* What cannot be read may still be named, so that it can be reported; else it is nobody's. */
static moor_code read_run(const struct moor_json *item, struct moor_desired_run *out,
                          struct moor_arena *arena, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    struct moor_desired_run r = { .name = NULL };
    moor_code c = moor_json_decode_value(item, "run command", &run_shape, &r, arena, &why);
    if (c == MOOR_E_NOMEM)
        return moor_fail(err, c, "desired state: %s", why.msg);
    if (c == MOOR_OK) {
        r.bad = check_run(&r);
        if (r.user && !*r.user)
            r.user = NULL;
    } else {
        const char *id = name_of(item, "executionId", arena);
        r = (struct moor_desired_run){ .name = name_of(item, "name", arena),
                                       .execution_id =
                                           id && moor_uuid_valid(moor_span_str(id)) ? id : "",
                                       .bad = moor_arena_str(arena, moor_span_str(why.msg)) };
        if (!r.name || !id || !r.bad)
            return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
    }
    *out = r;
    return MOOR_OK;
}

static moor_code read_runs(const struct moor_json *list, struct moor_desired *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    out->runs = moor_arena_array(arena, moor_json_size(list), sizeof(*out->runs));
    if (!out->runs)
        return moor_fail(err, MOOR_E_NOMEM, "desired state: out of memory");
    MOOR_JSON_EACH(item, list)
    {
        moor_code c = read_run(item, &out->runs[out->run_count], arena, err);
        if (c != MOOR_OK)
            return c;
        out->run_count++;
    }
    return MOOR_OK;
}

/* A list is needed: without it "nothing is wanted" and "the document is broken" look alike. */
static moor_code want_list(const struct moor_json *v, const char *name, size_t max,
                           const struct moor_json **out, struct moor_error *err)
{
    const struct moor_json *list = moor_json_get(v, name);
    if (moor_json_typeof(list) != MOOR_JSON_ARRAY || moor_json_size(list) > max)
        return moor_fail(err, MOOR_E_BADINPUT, "desired state: %s: want a list of at most %zu",
                         name, max);
    *out = list;
    return MOOR_OK;
}

moor_code moor_desired_parse(struct moor_span text, struct moor_desired *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct frame f = { .revision = NULL };
    struct moor_desired d = { .revision = NULL };
    const struct moor_json *extensions = NULL;
    const struct moor_json *rules = NULL;
    const struct moor_json *runs = NULL;
    if (moor_json_parse(text, &v, err) != MOOR_OK)
        return moor_context(err, "desired state");
    moor_code c = moor_json_decode_value(v, "desired state", &frame_shape, &f, arena, err);
    if (c == MOOR_OK)
        c = want_list(v, "extensions", 64, &extensions, err);
    if (c == MOOR_OK)
        c = want_list(v, "dataCollectionRules", 32, &rules, err);
    if (c == MOOR_OK && moor_json_get(v, "runCommands"))
        c = want_list(v, "runCommands", 64, &runs, err);
    if (c == MOOR_OK)
        c = read_runs(runs, &d, arena, err);
    if (c == MOOR_OK)
        c = read_extensions(extensions, &d, arena, err);
    if (c == MOOR_OK)
        c = read_rules(rules, &d, arena, err);
    if (c != MOOR_OK)
        return c;
    d.revision = f.revision;
    d.settings_thumbprint = f.thumbprint;
    d.tags = f.tags;
    d.trust = f.trust.certificates;
    *out = d;
    return MOOR_OK;
}
