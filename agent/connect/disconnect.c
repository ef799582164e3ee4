/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "connect/connect.h"
#include "connect/himds.h"
#include "connect/resource.h"
#include "connect/session.h"
#include "connect/steps.h"
#include "core/arm.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define EXTENSIONS_MS 2000 /* between two looks at how far the uninstall is */

struct work {
    struct moor_session *session;
    const struct moor_agentconfig *config;
    const struct moor_disconnect_params *params;
    const struct moor_progress *progress;
    struct moor_secret token;
};

static moor_code step_signin(void *work, struct moor_error *err)
{
    struct work *w = work;
    struct moor_credential who = w->params->who;
    if (!who.tenant_id && who.way != MOOR_SIGNIN_AZCLI)
        who.tenant_id = w->config->tenant_id;
    return moor_signin(w->session, w->params->cloud, &who, w->progress, &w->token, err);
}

/* How many there are; each gets a DELETE when doomed. */
static moor_code look_at_extensions(struct work *w, bool doomed, size_t *count,
                                    struct moor_error *err)
{
    const struct moor_arm arm = { .session = w->session,
                                  .base = w->params->cloud->resource_manager,
                                  .token = &w->token };
    MOOR_AUTO(moor_buf) id = MOOR_BUF(1024);
    MOOR_AUTOPTR(moor_json) list = NULL;
    bool existed = false;
    moor_buf_fmt(&id, "%s/extensions", w->config->resource_id);
    moor_code c = moor_arm_get(&arm, moor_buf_cstr(&id), MOOR_ARM_API_VERSION, &list, err);
    *count = moor_json_size(moor_json_get(list, "value"));
    MOOR_JSON_EACH(item, moor_json_get(list, "value"))
    {
        const char *one = moor_json_get_str(item, "id");
        if (c == MOOR_OK && doomed && one && *one == '/')
            c = moor_arm_delete(&arm, one, MOOR_ARM_API_VERSION, &existed, err);
    }
    return c;
}

/* Gone from the list means uninstalled: the machine has reported it. */
static moor_code step_extensions(void *work, struct moor_error *err)
{
    struct work *w = work;
    size_t left = 0;
    moor_code c = look_at_extensions(w, true, &left, err);
    while (c == MOOR_OK && left > 0) {
        c = moor_session_pause(w->session, EXTENSIONS_MS, err);
        if (c == MOOR_OK)
            c = look_at_extensions(w, false, &left, err);
    }
    return c;
}

static moor_code step_resource(void *work, struct moor_error *err)
{
    struct work *w = work;
    const struct moor_arm arm = { .session = w->session,
                                  .base = w->params->cloud->resource_manager,
                                  .token = &w->token };
    bool existed = false;
    moor_code c =
        moor_arm_delete(&arm, w->config->resource_id, MOOR_ARM_API_VERSION, &existed, err);
    if (c == MOOR_OK && !existed)
        w->progress->note(w->progress->ctx, "the resource was gone already");
    return c;
}

static moor_code step_service(void *work, struct moor_error *err)
{
    struct work *w = work;
    return moor_himds_disconnect(w->session, err);
}

struct files {
    struct moor_error *err;
    moor_code code;
};

static bool remove_file(void *ctx, const char *name, const struct plat_stat *st)
{
    struct files *f = ctx;
    MOOR_AUTOSTR path = NULL;
    if (!st->is_file)
        return true;
    f->code = plat_path(PLAT_DIR_CERTS, &path, f->err, "%s", name);
    if (f->code == MOOR_OK)
        f->code = plat_remove(path, f->err);
    return f->code == MOOR_OK;
}

/* With the identity role away its files go by hand; it finds them missing when it starts. */
static moor_code step_wipe(void *work, struct moor_error *err)
{
    struct work *w = work;
    struct moor_error why = MOOR_ERROR_INIT;
    if (moor_himds_disconnect(w->session, &why) == MOOR_OK)
        return MOOR_OK;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s: its files are removed without it", why.msg);
    w->progress->note(w->progress->ctx, moor_buf_cstr(&text));
    struct files f = { .err = err };
    moor_code c = plat_list_dir(plat_dir_path(PLAT_DIR_CERTS), remove_file, &f, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    return c == MOOR_OK ? f.code : c;
}

static moor_code step_config(void *work, struct moor_error *err)
{
    (void)work;
    return moor_agentconfig_remove(err);
}

static const struct moor_step with_cloud[] = {
    { "signIn", "Signing in", AZCM_NO_TOKEN, step_signin },
    { "resource", "Deleting the machine's resource", AZCM_DELETE_RESOURCE, step_resource },
    { "identity", "Wiping key, certificates and tokens", AZCM_NO_HIMDS, step_service },
    { "config", "Removing agentconfig.json", AZCM_DISCONNECT, step_config },
};
static const struct moor_step with_extensions[] = {
    { "signIn", "Signing in", AZCM_NO_TOKEN, step_signin },
    { "extensions", "Uninstalling the extensions", AZCM_EXTENSION_TOOL, step_extensions },
    { "resource", "Deleting the machine's resource", AZCM_DELETE_RESOURCE, step_resource },
    { "identity", "Wiping key, certificates and tokens", AZCM_NO_HIMDS, step_service },
    { "config", "Removing agentconfig.json", AZCM_DISCONNECT, step_config },
};
static const struct moor_step local[] = {
    { "identity", "Wiping key, certificates and tokens", AZCM_DISCONNECT, step_wipe },
    { "config", "Removing agentconfig.json", AZCM_DISCONNECT, step_config },
};

moor_code moor_disconnect(struct moor_session *s, const struct moor_agentconfig *config,
                          const struct moor_disconnect_params *params,
                          const struct moor_progress *progress, moor_azcm *azcm,
                          struct moor_error *err)
{
    struct work w = { .session = s, .config = config, .params = params, .progress = progress };
    const struct moor_step *table = params->remove_extensions ? with_extensions : with_cloud;
    size_t count =
        params->remove_extensions ? MOOR_COUNTOF(with_extensions) : MOOR_COUNTOF(with_cloud);
    if (params->local_only) {
        table = local;
        count = MOOR_COUNTOF(local);
    }
    moor_code c = moor_steps_run(table, count, &w, progress, azcm, err);
    moor_secret_drop(&w.token);
    return c;
}
