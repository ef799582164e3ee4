/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/run_job.h"

#include <string.h>

#include "base/text.h"
#include "crypto/cms.h"
#include "manager/run_files.h"
#include "manager/settings_key.h"
#include "platform/account.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define PROTECTED_MAX ((size_t)1 << 20)
#define SCRIPT_MODE   0500

#define PR(member) offsetof(struct moor_run_protected, member)
static const struct moor_json_field protected_fields[] = {
    { MOOR_F_OBJ_LIST, "protectedParameters", PR(parameters), 0, 0, 64,
      &moor_desired_parameter_shape },
    { MOOR_F_STR, "scriptUri", PR(script_uri), 0, 1, 2048, NULL },
    { MOOR_F_STR, "outputBlobUri", PR(output_uri), 0, 1, 2048, NULL },
    { MOOR_F_STR, "errorBlobUri", PR(error_uri), 0, 1, 2048, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape protected_shape = { sizeof(struct moor_run_protected),
                                                        protected_fields, 0 };

moor_code moor_run_unprotect(const struct moor_desired_run *goal, struct moor_run_protected *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(PROTECTED_MAX);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    *out = (struct moor_run_protected){ .script_uri = NULL };
    if (!goal->protected_settings)
        return MOOR_OK;
    moor_code c = moor_settings_key_open(plat_dir_path(PLAT_DIR_HANDLERS),
                                         goal->protected_thumbprint, &cert, &key, err);
    if (c == MOOR_OK)
        c = moor_base64_decode(moor_span_str(goal->protected_settings), &der, err);
    if (c == MOOR_OK)
        c = moor_cms_decrypt(cert, key, moor_buf_view(&der), &clear, err);
    return c == MOOR_OK ? moor_json_decode(moor_secret_reveal(&clear), "protected settings",
                                           &protected_shape, out, arena, err)
                        : c;
}

moor_code moor_run_uri_of(const struct moor_desired_run *goal, moor_run_uri which,
                          struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(4 * PROTECTED_MAX);
    struct moor_run_protected p;
    moor_code c = moor_run_unprotect(goal, &p, &arena, err);
    if (c != MOOR_OK)
        return c;
    const char *const shown[] = { goal->source.script_uri, goal->output_uri, goal->error_uri };
    const char *const full[] = { p.script_uri, p.output_uri, p.error_uri };
    const char *uri = shown[which];
    size_t n = strlen(uri);
    if (full[which] && strncmp(full[which], uri, n) == 0 && full[which][n] == '?')
        uri = full[which];
    return moor_secret_set(out, moor_span_str(uri), err);
}

/* Scripts that come from other systems often have CR LF line ends, which the kernel does not run.
 */
static moor_code write_script(const char *path, const char *text, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) mended = MOOR_BUF(PROTECTED_MAX);
    struct moor_span rest = moor_span_str(text);
    if (!moor_span_starts(rest, "#!"))
        return plat_write_atomic(path, rest, PLAT_OWNER_ONLY, err);
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] != '\r' || i + 1 == rest.n || rest.p[i + 1] != '\n')
            moor_buf_char(&mended, rest.p[i]);
    moor_code c = moor_buf_ok(&mended, "script", err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&mended), PLAT_OWNER_ONLY, err) : c;
}

static moor_code give_script(const struct moor_desired_run *goal, struct moor_error *err)
{
    MOOR_AUTO(plat_account) user = PLAT_ACCOUNT_INIT;
    MOOR_AUTOSTR path = NULL;
    moor_code c = moor_run_path(goal->execution_id, "script", &path, err);
    if (c == MOOR_OK && goal->source.script)
        c = write_script(path, goal->source.script, err);
    if (c == MOOR_OK)
        c = plat_set_mode(path, SCRIPT_MODE, err);
    if (c != MOOR_OK || !goal->user)
        return c;
    c = plat_find_account(goal->user, &user, err);
    if (c == MOOR_OK && user.uid != plat_user_id())
        c = plat_set_owner(path, user.uid, user.gid, err);
    return c;
}

static moor_code write_job(const struct moor_desired_run *goal, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(4 * PROTECTED_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_RUN_JOB_MAX);
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR folder = NULL;
    struct moor_run_protected p;
    moor_code c = moor_run_unprotect(goal, &p, &arena, err);
    if (c == MOOR_OK)
        c = moor_run_volatile_path(goal->execution_id, "json", &path, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_RUN, &folder, err, "runs");
    if (c == MOOR_OK)
        c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_run_job job = { goal->user, goal->timeout_s, goal->parameters, p.parameters };
    moor_buf_run_job(&text, &job);
    c = moor_buf_ok(&text, "job", err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err) : c;
}

moor_code moor_run_prepare(const struct moor_desired_run *goal, struct moor_error *err)
{
    moor_code c = give_script(goal, err);
    return c == MOOR_OK ? write_job(goal, err) : c;
}
