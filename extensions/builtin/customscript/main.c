/* SPDX-License-Identifier: Apache-2.0 */
/* CustomScript: runs what an administrator asked for, once per sequence number. */
#include "builtin/download.h"
#include "builtin/handler.h"
#include "builtin/text.h"
#include "identity.h"
#include "platform/clock.h"
#include "settings.h"
#include "storage.h"

#include <inttypes.h>

#define SAS_MS ((int64_t)60 * 60 * 1000)

static moor_code read_job(const struct builtin_place *p, struct customscript_job *job,
                          struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_handler_settings s = { 0 };
    moor_code c = builtin_settings_read(p, &s, &clear, arena, err);
    if (c != MOOR_OK)
        return c;
    return customscript_job_read(moor_span_str(s.public_settings), moor_secret_reveal(&clear), job,
                                 arena, err);
}

static moor_code write_script(const struct builtin_place *p, const struct customscript_job *job,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(2 * CUSTOMSCRIPT_SCRIPT_MAX);
    if (!moor_secret_empty(&job->command)) {
        moor_buf_str(&text, "#!/bin/sh\n");
        moor_buf_span(&text, moor_secret_reveal(&job->command));
        moor_buf_char(&text, '\n');
    } else {
        moor_buf_span(&text, moor_secret_reveal(&job->script));
        if (!job->keep_line_ends && text.data)
            moor_buf_cut(&text, builtin_unix_lines(text.data, text.len));
    }
    moor_code c = moor_buf_ok(&text, "script", err);
    return c == MOOR_OK ? builtin_write_script(p, moor_buf_view(&text), err) : c;
}

struct access {
    const struct customscript_job *job;
    struct moor_secret token;
};

/* A blob's signature, or a token that blob storage alone may see. */
static moor_code authorize(void *ctx, const char *uri, struct moor_buf *url,
                           const struct moor_secret **bearer, struct moor_error *err)
{
    const struct access *a = ctx;
    if (a->job->storage_account)
        return customscript_sign_uri(uri, a->job->storage_account, &a->job->storage_key,
                                     plat_utc_ms() + SAS_MS, url, err);
    if (a->job->identity && customscript_blob_may_have_token(uri))
        *bearer = &a->token;
    moor_buf_str(url, uri);
    return moor_buf_ok(url, "fileUris", err);
}

static moor_code fetch_files(const struct builtin_place *p, const struct customscript_job *job,
                             char *const *env, int64_t *code, struct moor_error *err)
{
    struct access access = { job, MOOR_SECRET_INIT };
    const struct builtin_download files = { .what = "fileUris",
                                            .user_agent = "CustomScript",
                                            .uris = job->uris,
                                            .count = job->uri_count,
                                            .folder = p->work,
                                            .keep_line_ends = job->keep_line_ends,
                                            .authorize = authorize,
                                            .ctx = &access };
    moor_code c = MOOR_OK;
    if (job->identity) {
        *code = BUILTIN_CODE_IDENTITY;
        c = customscript_storage_token(builtin_env(env, "IDENTITY_ENDPOINT"), &access.token, err);
    }
    if (c == MOOR_OK) {
        *code = BUILTIN_CODE_DOWNLOAD;
        c = builtin_download(&files, env, err);
    }
    moor_secret_drop(&access.token);
    return c;
}

static moor_code prepare(const struct builtin_place *p, char *const *env, int64_t *code,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(16 * MOOR_SETTINGS_MAX);
    MOOR_AUTO(customscript_job) job = { 0 };
    *code = BUILTIN_CODE_SETTINGS;
    moor_code c = read_job(p, &job, &arena, err);
    if (c != MOOR_OK)
        return c;
    c = fetch_files(p, &job, env, code, err);
    if (c != MOOR_OK)
        return c;
    *code = BUILTIN_CODE_SYSTEM;
    return write_script(p, &job, err);
}

/* The command line is in a file, since argv is readable by every local user. The shell in between
 * runs a script without an interpreter line too. */
static moor_code command(const struct builtin_place *p, char *const *env,
                         struct builtin_command *out, struct moor_arena *arena,
                         struct moor_error *err)
{
    const char **argv = moor_arena_array(arena, 5, sizeof(*argv));
    if (!argv)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = "exec \"$0\"";
    argv[3] = p->script;
    out->opts.spawn.argv = argv;
    out->opts.spawn.env = (const char *const *)env;
    out->opts.spawn.cwd = p->work;
    return MOOR_OK;
}

/* What the administrator reads. */
static moor_code report_end(const struct builtin_place *p, const struct builtin_stand *stand,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64 * 1024);
    bool ok = stand->how == BUILTIN_EXITED && stand->code == 0;
    if (ok)
        moor_buf_str(&text, "Enable succeeded: ");
    else if (stand->how == BUILTIN_EXITED)
        moor_buf_fmt(&text, "Enable failed: the command ended with exit code %" PRId64,
                     stand->code);
    else if (stand->how == BUILTIN_SIGNALED)
        moor_buf_fmt(&text, "Enable failed: the command was ended by signal %" PRId64, stand->code);
    else
        moor_buf_str(&text, "Enable failed: the process that ran the command was killed; the "
                            "command was started once and its exit code is unknown");
    moor_buf_str(&text, "\n[stdout]\n");
    builtin_buf_tail(&text, p, "stdout");
    moor_buf_str(&text, "\n[stderr]\n");
    builtin_buf_tail(&text, p, "stderr");
    return builtin_report(p, "CustomScript", ok ? MOOR_STATUS_SUCCESS : MOOR_STATUS_ERROR,
                          ok ? 0 : BUILTIN_CODE_COMMAND, moor_buf_cstr(&text), err);
}

static moor_code report(const struct builtin_place *p, const struct builtin_stand *stand,
                        struct moor_error *err)
{
    if (stand->how == BUILTIN_RUNNING)
        return builtin_report(p, "CustomScript", MOOR_STATUS_TRANSITIONING, 0,
                              "Execution in progress", err);
    if (stand->how == BUILTIN_REFUSED)
        return builtin_report(p, "CustomScript", MOOR_STATUS_ERROR, stand->code, stand->why, err);
    return report_end(p, stand, err);
}

static bool ended(const struct moor_handler_status *reported)
{
    return reported->state == MOOR_STATUS_SUCCESS || reported->state == MOOR_STATUS_ERROR;
}

int main(int argc, char **argv, char **env)
{
    static const struct builtin_handler handler = {
        .program = "customscript",
        .data = "custom-script",
        .foreground_ms = 20000,
        .refresh_ms = 120000,
        .prepare = prepare,
        .command = command,
        .report = report,
        .ended = ended,
    };
    return builtin_main(&handler, argc, argv, env);
}
