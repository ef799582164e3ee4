/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "base/json.h"

#include <stddef.h>
#include <string.h>

/* Members of kind MOOR_F_JSON are those that are refused. */
struct source {
    const char *script, *uri;
    const char *command_id, *gallery, *identity;
};
static const struct moor_json_field source_fields[] = {
    { MOOR_F_STR, "script", offsetof(struct source, script), 0, 0, RUNCOMMAND_SCRIPT_MAX, NULL },
    { MOOR_F_STR, "scriptUri", offsetof(struct source, uri), 0, 0, 8192, NULL },
    { MOOR_F_JSON, "commandId", offsetof(struct source, command_id), 0, 0, 0, NULL },
    { MOOR_F_JSON, "galleryScriptReferenceId", offsetof(struct source, gallery), 0, 0, 0, NULL },
    { MOOR_F_JSON, "scriptUriManagedIdentity", offsetof(struct source, identity), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape source_shape = { sizeof(struct source), source_fields, 0 };

static const struct moor_json_field parameter_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct runcommand_parameter, name), 0, 0, 256, NULL },
    { MOOR_F_STR, "value", offsetof(struct runcommand_parameter, value), 0, 0, 128 * 1024, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape parameter_shape = { sizeof(struct runcommand_parameter),
                                                        parameter_fields, 0 };

struct open_half {
    struct source source;
    struct moor_obj_list parameters;
    const char *user;
    uint32_t timeout_s;
    bool async, failure_counts;
    const char *output_uri, *error_uri, *artifacts, *service;
};
static const struct moor_json_field open_fields[] = {
    { MOOR_F_OBJ, "source", offsetof(struct open_half, source), 0, 0, 0, &source_shape },
    { MOOR_F_OBJ_LIST, "parameters", offsetof(struct open_half, parameters), 0, 0,
      RUNCOMMAND_PARAMETERS_MAX, &parameter_shape },
    { MOOR_F_STR, "runAsUser", offsetof(struct open_half, user), 0, 0, 256, NULL },
    { MOOR_F_U32, "timeoutInSeconds", offsetof(struct open_half, timeout_s), 0, 0, INT32_MAX,
      NULL },
    { MOOR_F_BOOL, "asyncExecution", offsetof(struct open_half, async), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "treatFailureAsDeploymentFailure", offsetof(struct open_half, failure_counts), 0,
      0, 0, NULL },
    { MOOR_F_JSON, "outputBlobUri", offsetof(struct open_half, output_uri), 0, 0, 0, NULL },
    { MOOR_F_JSON, "errorBlobUri", offsetof(struct open_half, error_uri), 0, 0, 0, NULL },
    { MOOR_F_JSON, "artifacts", offsetof(struct open_half, artifacts), 0, 0, 0, NULL },
    { MOOR_F_JSON, "installAsService", offsetof(struct open_half, service), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape open_shape = { sizeof(struct open_half), open_fields, 0 };

struct secret_half {
    const char *sas;
    struct moor_obj_list parameters;
    const char *password, *output_sas, *error_sas, *artifacts;
    const char *source_identity, *output_identity, *error_identity;
};
static const struct moor_json_field secret_fields[] = {
    { MOOR_F_STR, "sourceSASToken", offsetof(struct secret_half, sas), 0, 0, 8192, NULL },
    { MOOR_F_OBJ_LIST, "protectedParameters", offsetof(struct secret_half, parameters), 0, 0,
      RUNCOMMAND_PARAMETERS_MAX, &parameter_shape },
    { MOOR_F_JSON, "runAsPassword", offsetof(struct secret_half, password), 0, 0, 0, NULL },
    { MOOR_F_JSON, "outputBlobSASToken", offsetof(struct secret_half, output_sas), 0, 0, 0, NULL },
    { MOOR_F_JSON, "errorBlobSASToken", offsetof(struct secret_half, error_sas), 0, 0, 0, NULL },
    { MOOR_F_JSON, "artifacts", offsetof(struct secret_half, artifacts), 0, 0, 0, NULL },
    { MOOR_F_JSON, "sourceManagedIdentity", offsetof(struct secret_half, source_identity), 0, 0, 0,
      NULL },
    { MOOR_F_JSON, "outputBlobManagedIdentity", offsetof(struct secret_half, output_identity), 0, 0,
      0, NULL },
    { MOOR_F_JSON, "errorBlobManagedIdentity", offsetof(struct secret_half, error_identity), 0, 0,
      0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape secret_shape = { sizeof(struct secret_half), secret_fields, 0 };

/* Templates write out what they do not use. */
static bool says_nothing(const char *json)
{
    static const char *const empty[] = { "\"\"", "[]", "{}", "false" };
    for (size_t i = 0; i < MOOR_COUNTOF(empty); i++)
        if (strcmp(json, empty[i]) == 0)
            return true;
    return false;
}

/* half: a struct of the shape. */
static moor_code refuse(const struct moor_json_shape *shape, const void *half, const char *prefix,
                        struct moor_error *err)
{
    for (const struct moor_json_field *f = shape->fields; f->kind != MOOR_F_END; f++) {
        const char *json = NULL;
        if (f->kind == MOOR_F_JSON)
            memcpy(&json, (const char *)half + f->offset, sizeof(json));
        if (json && !says_nothing(json))
            return moor_fail(err, MOOR_E_UNSUPPORTED, "%s%s: is not supported by this handler",
                             prefix, f->name);
    }
    return MOOR_OK;
}

static moor_code decode(struct moor_span text, const char *what,
                        const struct moor_json_shape *shape, void *out, struct moor_arena *arena,
                        struct moor_error *err)
{
    if (moor_span_trim(text).n == 0)
        return MOOR_OK;
    moor_code c = moor_json_decode(text, what, shape, out, arena, err);
    return c == MOOR_OK ? refuse(shape, out, "", err) : c;
}

static const char *some(const char *text)
{
    return text && *text ? text : NULL;
}

static moor_code take_source(const struct source *s, const char *sas, struct runcommand_job *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    moor_code c = refuse(&source_shape, s, "source.", err);
    if (c != MOOR_OK)
        return c;
    if (!some(s->script) == !some(s->uri))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "source.script and source.scriptUri: want one of them");
    out->script = some(s->script);
    out->script_uri = some(s->uri);
    if (!out->script_uri)
        return MOOR_OK;
    if (!moor_span_starts(moor_span_str(s->uri), "https://") &&
        !moor_span_starts(moor_span_str(s->uri), "http://"))
        return moor_fail(err, MOOR_E_BADINPUT, "source.scriptUri: want https:// or http://");
    if (some(sas))
        out->script_uri = moor_arena_fmt(arena, "%s%c%s", s->uri, strchr(s->uri, '?') ? '&' : '?',
                                         *sas == '?' ? sas + 1 : sas);
    return out->script_uri ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "settings: out of memory");
}

static moor_code check_parameters(const struct moor_obj_list *list, const char *what, bool named,
                                  struct moor_error *err)
{
    struct runcommand_parameter *p = list->items;
    for (size_t i = 0; i < list->count; i++) {
        p[i].name = p[i].name ? p[i].name : "";
        p[i].value = p[i].value ? p[i].value : "";
        if (strchr(p[i].name, '='))
            return moor_fail(err, MOOR_E_BADINPUT, "%s[%zu].name: want no '='", what, i);
        if (named && !*p[i].name)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "%s[%zu].name: is required: arguments are no secrets", what, i);
    }
    return MOOR_OK;
}

moor_code runcommand_job_read(struct moor_span public_text, struct moor_span protected_text,
                              struct runcommand_job *out, struct moor_arena *arena,
                              struct moor_error *err)
{
    struct open_half open = { .user = NULL };
    struct secret_half secret = { .sas = NULL };
    struct runcommand_job job = { .script = NULL };
    moor_code c = decode(public_text, "settings", &open_shape, &open, arena, err);
    if (c == MOOR_OK)
        c = decode(protected_text, "protectedSettings", &secret_shape, &secret, arena, err);
    if (c == MOOR_OK)
        c = take_source(&open.source, secret.sas, &job, arena, err);
    if (c == MOOR_OK)
        c = check_parameters(&open.parameters, "parameters", false, err);
    if (c == MOOR_OK)
        c = check_parameters(&secret.parameters, "protectedParameters", true, err);
    if (c != MOOR_OK)
        return c;
    job.parameters = open.parameters;
    job.secrets = secret.parameters;
    job.user = some(open.user);
    job.timeout_s = open.timeout_s ? open.timeout_s : RUNCOMMAND_TIMEOUT_DEFAULT;
    job.async = open.async;
    job.failure_counts = open.failure_counts;
    *out = job;
    return MOOR_OK;
}
