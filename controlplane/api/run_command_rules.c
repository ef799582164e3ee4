/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_command_rules.h"

#include <string.h>

#include "base/jsontab.h"

#define SPEC_MAX  (1u << 20)
#define URI_MAX   2048u
#define VALUE_MAX 32768u

struct parameter {
    const char *name, *value;
};
static const struct moor_json_field parameter_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct parameter, name), 0, 0, 128, NULL },
    { MOOR_F_STR, "value", offsetof(struct parameter, value), 0, 0, VALUE_MAX, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape parameter_shape = { sizeof(struct parameter), parameter_fields,
                                                        0 };

struct source {
    const char *script, *sha256, *command_id;
    const char *identity; /* JSON */
};
#define SO(member) offsetof(struct source, member)
static const struct moor_json_field source_fields[] = {
    { MOOR_F_STR, "script", SO(script), 0, 1, MOOR_RUN_SCRIPT_MAX, NULL },
    { MOOR_F_STR, "scriptSha256", SO(sha256), 0, 64, 64, NULL },
    { MOOR_F_STR, "commandId", SO(command_id), 0, 0, 256, NULL },
    { MOOR_F_JSON, "scriptUriManagedIdentity", SO(identity), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape source_shape = { sizeof(struct source), source_fields, 0 };

/* Members without secrets: what may be one is looked at in place and never copied. */
struct wanted {
    struct source source;
    struct moor_obj_list parameters;
    bool asynchronous, fail_deployment;
    const char *user;
    uint32_t timeout;
    const char *output_identity, *error_identity;
};
#define WA(member) offsetof(struct wanted, member)
static const struct moor_json_field wanted_fields[] = {
    { MOOR_F_OBJ, "source", WA(source), MOOR_F_REQUIRED, 0, 0, &source_shape },
    { MOOR_F_OBJ_LIST, "parameters", WA(parameters), 0, 0, MOOR_RUN_PARAMETERS_MAX,
      &parameter_shape },
    { MOOR_F_BOOL, "asyncExecution", WA(asynchronous), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "treatFailureAsDeploymentFailure", WA(fail_deployment), 0, 0, 0, NULL },
    { MOOR_F_STR, "runAsUser", WA(user), 0, 0, 256, NULL },
    { MOOR_F_U32, "timeoutInSeconds", WA(timeout), 0, 0, MOOR_RUN_TIMEOUT_MAX, NULL },
    { MOOR_F_JSON, "outputBlobManagedIdentity", WA(output_identity), 0, 0, 0, NULL },
    { MOOR_F_JSON, "errorBlobManagedIdentity", WA(error_identity), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape wanted_shape = { sizeof(struct wanted), wanted_fields, 0 };

static const struct {
    const char *path; /* in properties */
    const char *name; /* in the protected text */
} uris[] = { { "source.scriptUri", "scriptUri" },
             { "outputBlobUri", "outputBlobUri" },
             { "errorBlobUri", "errorBlobUri" } };

static bool is_variable(const char *name)
{
    static const char signs[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    return (*name < '0' || *name > '9') && *name && strspn(name, signs) == strlen(name);
}

/* https, a host, nothing that could stand for another one. */
static bool is_uri(const char *s)
{
    struct moor_span host = moor_span_str(s);
    if (!moor_span_starts(host, "https://") || host.n > URI_MAX)
        return false;
    for (const char *p = s; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}#", *p))
            return false;
    size_t n = strcspn(s + 8, "/?");
    return n > 0 && !memchr(s + 8, '@', n);
}

static bool is_user(const char *s)
{
    if (*s == '-')
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127 || strchr("/:,\"'", *s))
            return false;
    return true;
}

static bool is_given(const char *json)
{
    return json && strcmp(json, "null") != 0;
}

static moor_code check_source(const struct wanted *w, const char *script_uri,
                              struct moor_error *err)
{
    const struct source *s = &w->source;
    if (s->command_id && *s->command_id)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "properties.source.commandId: not supported; give script or scriptUri");
    if ((s->script != NULL) == (script_uri != NULL))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "properties.source: want either script or scriptUri");
    if (s->sha256 && (!script_uri || strspn(s->sha256, "0123456789abcdef") != 64))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "properties.source.scriptSha256: want 64 lower-case hexadecimal digits, "
                         "with scriptUri");
    if (is_given(s->identity) || is_given(w->output_identity) || is_given(w->error_identity))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "managed identities for scripts and blobs are not supported; give URIs "
                         "with a shared access signature");
    return MOOR_OK;
}

static moor_code check_wanted(const struct wanted *w, const struct moor_json *properties,
                              struct moor_error *err)
{
    const struct parameter *p = w->parameters.items;
    const char *password = moor_json_get_str(properties, "runAsPassword");
    for (size_t i = 0; i < w->parameters.count; i++)
        if (p[i].name && *p[i].name && !is_variable(p[i].name))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "properties.parameters[%zu].name: want letters, digits and _, or none",
                             i);
    if (w->user && !is_user(w->user))
        return moor_fail(err, MOOR_E_BADINPUT, "properties.runAsUser: want the name of a user");
    if (password && *password)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "properties.runAsPassword: not supported on Linux, where runAsUser needs "
                         "none");
    const char *script_uri = moor_json_str(moor_json_path(properties, uris[0].path));
    return check_source(w, script_uri && *script_uri ? script_uri : NULL, err);
}

static moor_code check_uris(const struct moor_json *properties, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(uris); i++) {
        const struct moor_json *v = moor_json_path(properties, uris[i].path);
        const char *s = moor_json_str(v);
        if (v && moor_json_typeof(v) != MOOR_JSON_NULL && !(s && (!*s || is_uri(s))))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "properties.%s: want an https URI of at most %u bytes", uris[i].path,
                             URI_MAX);
    }
    return MOOR_OK;
}

/* The value of an unnamed one would stand in the process list. */
static moor_code check_protected(const struct moor_json *list, struct moor_error *err)
{
    size_t i = 0;
    if (list && moor_json_typeof(list) != MOOR_JSON_NULL &&
        (moor_json_typeof(list) != MOOR_JSON_ARRAY ||
         moor_json_size(list) > MOOR_RUN_PARAMETERS_MAX))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "properties.protectedParameters: want a list of at most %u",
                         MOOR_RUN_PARAMETERS_MAX);
    MOOR_JSON_EACH(item, list)
    {
        const char *name = moor_json_get_str(item, "name");
        const char *value = moor_json_get_str(item, "value");
        if (!name || !is_variable(name) || !value || strlen(value) > VALUE_MAX)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "properties.protectedParameters[%zu]: want a name of letters, digits "
                             "and _, and a text of at most %u bytes",
                             i, VALUE_MAX);
        i++;
    }
    return MOOR_OK;
}

static moor_run_secrets add_secrets(const struct moor_json *properties, struct moor_buf *secret)
{
    const struct moor_json *list = moor_json_get(properties, "protectedParameters");
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    bool any = moor_json_size(list) > 0;
    if (any)
        moor_json_set(o, "protectedParameters", moor_json_copy(list));
    for (size_t i = 0; i < MOOR_COUNTOF(uris); i++) {
        const char *s = moor_json_str(moor_json_path(properties, uris[i].path));
        if (!s || !strchr(s, '?'))
            continue;
        moor_json_set_str(o, uris[i].name, s);
        any = true;
    }
    if (!any)
        return list ? MOOR_RUN_SECRETS_NONE : MOOR_RUN_SECRETS_ABSENT;
    moor_buf_json_canonical(secret, o);
    return MOOR_RUN_SECRETS_SET;
}

static void set_uri(struct moor_json *o, const struct moor_json *properties, size_t which)
{
    const char *s = moor_json_str(moor_json_path(properties, uris[which].path));
    MOOR_AUTO(moor_buf) plain = MOOR_BUF(URI_MAX);
    if (!s || !*s)
        return;
    moor_buf_span(&plain, moor_span(s, strcspn(s, "?")));
    moor_json_set_str(o, uris[which].name, moor_buf_cstr(&plain));
}

static struct moor_json *parameters_json(const struct wanted *w)
{
    const struct parameter *p = w->parameters.items;
    struct moor_json *list = moor_json_new_array();
    for (size_t i = 0; i < w->parameters.count; i++) {
        struct moor_json *o = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(o, "name", p[i].name ? p[i].name : "");
        moor_json_set_str(o, "value", p[i].value ? p[i].value : "");
    }
    return list;
}

static struct moor_json *spec_json(const struct wanted *w, const struct moor_json *properties)
{
    struct moor_json *o = moor_json_new_object();
    struct moor_json *source = moor_json_set(o, "source", moor_json_new_object());
    if (w->source.script)
        moor_json_set_str(source, "script", w->source.script);
    set_uri(source, properties, 0);
    if (w->source.sha256)
        moor_json_set_str(source, "scriptSha256", w->source.sha256);
    if (w->parameters.count)
        moor_json_set(o, "parameters", parameters_json(w));
    moor_json_set_bool(o, "asyncExecution", w->asynchronous);
    if (w->user && *w->user)
        moor_json_set_str(o, "runAsUser", w->user);
    moor_json_set_int(o, "timeoutInSeconds", w->timeout ? w->timeout : MOOR_RUN_TIMEOUT);
    moor_json_set_bool(o, "treatFailureAsDeploymentFailure", w->fail_deployment);
    for (size_t i = 1; i < MOOR_COUNTOF(uris); i++)
        set_uri(o, properties, i);
    return o;
}

/* What is asked for in all: the body's properties, for PATCH over the old ones. */
static moor_code properties_of(const struct moor_json *body, const char *old_spec, bool patch,
                               struct moor_json **out, struct moor_error *err)
{
    const struct moor_json *given = moor_json_get(body, "properties");
    MOOR_AUTOPTR(moor_json) p = NULL;
    moor_code c = MOOR_OK;
    if (patch && old_spec) {
        c = moor_json_parse(moor_span_str(old_spec), &p, err);
        if (!c && given)
            c = moor_json_merge_patch(p, given, err);
    } else {
        p = given ? moor_json_copy(given) : moor_json_new_object();
    }
    if (c)
        return c;
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "properties: no memory");
    *out = MOOR_TAKE(p);
    return MOOR_OK;
}

static bool is_same(const struct moor_json *spec, const char *old_spec)
{
    MOOR_AUTOPTR(moor_json) old = NULL;
    return moor_json_parse(moor_span_str(old_spec), &old, NULL) == MOOR_OK &&
           moor_json_equal(spec, old);
}

moor_code moor_run_command_change(const struct moor_json *body, const char *old_spec, bool patch,
                                  struct moor_arena *arena, struct moor_buf *secret,
                                  struct moor_run_command_change *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) p = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SPEC_MAX);
    struct wanted w = { .timeout = 0 };
    moor_code c = properties_of(body, old_spec, patch, &p, err);
    if (!c)
        c = moor_json_decode_value(p, "properties", &wanted_shape, &w, arena, err);
    if (!c)
        c = check_uris(p, err);
    if (!c)
        c = check_wanted(&w, p, err);
    if (!c)
        c = check_protected(moor_json_get(p, "protectedParameters"), err);
    if (c)
        return c;
    MOOR_AUTOPTR(moor_json) spec = spec_json(&w, p);
    moor_buf_json(&text, spec);
    c = moor_buf_ok(&text, "properties", err);
    if (c)
        return c;
    struct moor_run_command_change ch = { .spec = moor_arena_str(arena, moor_buf_view(&text)) };
    if (!ch.spec)
        return moor_fail(err, MOOR_E_NOMEM, "properties: over the limit on memory");
    ch.differs = !old_spec || !is_same(spec, old_spec);
    ch.secrets = add_secrets(p, secret);
    *out = ch;
    return moor_buf_ok(secret, "properties", err);
}
