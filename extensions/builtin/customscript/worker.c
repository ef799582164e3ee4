/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: brings the settings, files and script together, has the command run, reports its end.
 */
#include "verbs.h"

#include "base/secret.h"
#include "base/text.h"
#include "contract/settings.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "crypto/key.h"
#include "download.h"
#include "identity.h"
#include "platform/file.h"
#include "platform/process.h"
#include "run/child.h"
#include "run/loop.h"
#include "settings.h"

#include <inttypes.h>
#include <string.h>

#define OUTPUT_TAIL    4096
#define FOREGROUND_MS  20000  /* what enable waits for, of the five minutes it has */
#define ORPHAN_LOOK_MS 5000   /* how often a command whose starter died is looked after */
#define REFRESH_MS     120000 /* a transitioning status is renewed, so that it is not stale */
#define RUN_TRIES      3

struct worker {
    const struct customscript_place *place;
    struct moor_loop *loop;
    struct moor_timer *look, *refresh, *hand_over;
    struct moor_child *child;
    char *const *env;
    struct plat_process_id orphan;
    unsigned runs;
    bool handed_over;
    struct moor_error err;
};

static moor_code read_pem(const struct customscript_place *p, const char *thumbprint,
                          const char *ending, size_t max, struct moor_buf *out,
                          struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    for (const char *t = thumbprint; *t; t++) {
        if (!((*t >= '0' && *t <= '9') || (*t >= 'A' && *t <= 'F')))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "settings: protectedSettingsCertThumbprint: want upper-case hex");
    }
    moor_buf_fmt(&path, "%s/%s%s", p->handlers, thumbprint, ending);
    return plat_read_all(moor_buf_cstr(&path), max, out, err);
}

static moor_code decrypt(const struct customscript_place *p, const struct moor_handler_settings *s,
                         struct moor_secret *out, struct moor_error *err)
{
    if (!s->protected_settings || !*s->protected_settings)
        return MOOR_OK;
    MOOR_AUTO(moor_buf) crt = MOOR_BUF(64 * 1024);
    MOOR_AUTO(moor_buf) prv = MOOR_BUF_SECRET(64 * 1024);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(MOOR_SETTINGS_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    const char *thumbprint = s->protected_thumbprint ? s->protected_thumbprint : "";
    moor_code c = read_pem(p, thumbprint, ".crt", 64 * 1024, &crt, err);
    if (c == MOOR_OK)
        c = read_pem(p, thumbprint, ".prv", 64 * 1024, &prv, err);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&crt), &cert, err);
    if (c == MOOR_OK)
        c = moor_key_from_pem(moor_buf_view(&prv), &key, err);
    if (c == MOOR_OK)
        c = moor_base64_decode(moor_span_str(s->protected_settings), &der, err);
    if (c == MOOR_OK)
        c = moor_cms_decrypt(cert, key, moor_buf_view(&der), out, err);
    return c == MOOR_OK ? c : moor_context(err, "protectedSettings");
}

static moor_code read_job(const struct customscript_place *p, struct customscript_job *job,
                          struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_handler_settings s;
    moor_buf_fmt(&path, "%s/%" PRIu32 ".settings", p->env.config_folder, p->seq);
    moor_code c = plat_read_all(moor_buf_cstr(&path), MOOR_SETTINGS_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_handler_settings_parse(moor_buf_view(&text), &s, arena, err);
    if (c == MOOR_OK)
        c = decrypt(p, &s, &clear, err);
    if (c != MOOR_OK)
        return c;
    return customscript_job_read(moor_span_str(s.public_settings), moor_secret_reveal(&clear), job,
                                 arena, err);
}

static moor_code write_script(const struct customscript_place *p,
                              const struct customscript_job *job, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(2 * CUSTOMSCRIPT_SCRIPT_MAX);
    if (!moor_secret_empty(&job->command)) {
        moor_buf_str(&text, "#!/bin/sh\n");
        moor_buf_span(&text, moor_secret_reveal(&job->command));
        moor_buf_char(&text, '\n');
    } else {
        moor_buf_span(&text, moor_secret_reveal(&job->script));
        if (!job->keep_line_ends && text.data)
            moor_buf_cut(&text, customscript_unix_lines(text.data, text.len));
    }
    moor_code c = moor_buf_ok(&text, "script", err);
    if (c == MOOR_OK)
        c = plat_write_atomic(p->script, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
    return c == MOOR_OK ? plat_set_mode(p->script, 0700, err) : c;
}

/* The end of a file, cut at a line or character. */
static void add_tail(const struct customscript_place *p, const char *name, struct moor_buf *out)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    char tail[OUTPUT_TAIL];
    struct plat_stat st;
    size_t got = 0;
    moor_buf_fmt(&path, "%s/%s", p->work, name);
    if (plat_open(moor_buf_cstr(&path), PLAT_READ, &f, NULL) != MOOR_OK ||
        plat_fstat(&f, &st, NULL) != MOOR_OK)
        return;
    uint64_t from = st.size > sizeof(tail) ? st.size - sizeof(tail) : 0;
    if (plat_read_at(&f, from, tail, sizeof(tail), &got, NULL) == MOOR_OK)
        moor_utf8_repair(out, moor_span(tail, got));
}

static moor_code read_result(const struct customscript_place *p, bool *signaled, uint32_t *code)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    moor_code c = plat_read_all(p->result, 64, &text, NULL);
    if (c != MOOR_OK)
        return c;
    struct moor_span rest = moor_span_trim(moor_buf_view(&text));
    struct moor_span word = moor_span_cut(&rest, ' ');
    *signaled = moor_span_eq_str(word, "signal");
    return moor_parse_u32(rest, 0, 255, code, NULL);
}

/* What the administrator reads. */
static moor_code report_end(const struct customscript_place *p, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(8 * OUTPUT_TAIL);
    bool signaled = false;
    uint32_t code = 0;
    bool known = read_result(p, &signaled, &code) == MOOR_OK;
    bool ok = known && !signaled && code == 0;
    if (ok)
        moor_buf_str(&text, "Enable succeeded: ");
    else if (!known)
        moor_buf_str(&text, "Enable failed: the process that ran the command was killed; the "
                            "command was started once and its exit code is unknown");
    else if (signaled)
        moor_buf_fmt(&text, "Enable failed: the command was ended by signal %" PRIu32, code);
    else
        moor_buf_fmt(&text, "Enable failed: the command ended with exit code %" PRIu32, code);
    moor_buf_str(&text, "\n[stdout]\n");
    add_tail(p, "stdout", &text);
    moor_buf_str(&text, "\n[stderr]\n");
    add_tail(p, "stderr", &text);
    moor_code c =
        customscript_report(p, ok ? MOOR_STATUS_SUCCESS : MOOR_STATUS_ERROR,
                            ok ? 0 : CUSTOMSCRIPT_CODE_COMMAND, moor_buf_cstr(&text), err);
    return c == MOOR_OK ? plat_remove(p->script, err) : c;
}

/* The process named in the marker; false when it has ended. */
static bool command_alive(const struct customscript_place *p, struct plat_process_id *id)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    if (plat_read_all(p->started, 64, &text, NULL) != MOOR_OK)
        return false;
    struct moor_span rest = moor_span_trim(moor_buf_view(&text));
    struct moor_span pid = moor_span_cut(&rest, ' ');
    return moor_parse_i64(pid, 1, INT32_MAX, &id->pid, NULL) == MOOR_OK &&
           moor_parse_u64(rest, 0, UINT64_MAX, &id->start, NULL) == MOOR_OK &&
           plat_process_alive(id);
}

static void on_run_end(void *ctx, const struct moor_child_result *r);

static moor_code start_run(struct worker *w, struct moor_error *err)
{
    const char *const argv[] = { w->place->program, "run", NULL };
    const struct moor_child_opts opts = {
        .spawn = { .argv = argv, .env = (const char *const *)w->env, .cwd = w->place->root },
    };
    moor_child_free(w->child);
    w->child = NULL;
    w->runs++;
    return moor_child_start(w->loop, &opts, on_run_end, w, &w->child, err);
}

static void on_run_end(void *ctx, const struct moor_child_result *r)
{
    struct worker *w = ctx;
    (void)r;
    moor_timer_arm(w->look, 0);
}

/* Not started yet: start it. Started and alive: look again later. Else it has ended. */
static void on_look(void *ctx)
{
    struct worker *w = ctx;
    if (!plat_exists(w->place->started)) {
        if (w->runs < RUN_TRIES && start_run(w, &w->err) == MOOR_OK)
            return;
        if (w->err.code == MOOR_OK) {
            moor_code c = moor_fail(&w->err, MOOR_E_IO, "the command cannot be started");
            (void)c;
        }
    } else if (!plat_exists(w->place->result) && command_alive(w->place, &w->orphan)) {
        moor_timer_arm(w->look, ORPHAN_LOOK_MS);
        return;
    }
    moor_loop_stop(w->loop);
}

static void on_refresh(void *ctx)
{
    struct worker *w = ctx;
    moor_code c =
        customscript_report(w->place, MOOR_STATUS_TRANSITIONING, 0, "Execution in progress", NULL);
    (void)c;
    moor_timer_arm(w->refresh, REFRESH_MS);
}

static void on_hand_over(void *ctx)
{
    struct worker *w = ctx;
    w->handed_over = true;
    moor_loop_stop(w->loop);
}

static moor_code make_timers(struct worker *w, bool foreground, struct moor_error *err)
{
    moor_code c = moor_timer_new(w->loop, on_look, w, &w->look, err);
    if (c == MOOR_OK)
        c = moor_timer_new(w->loop, on_refresh, w, &w->refresh, err);
    if (c == MOOR_OK)
        c = moor_timer_new(w->loop, on_hand_over, w, &w->hand_over, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(w->look, 0);
    moor_timer_arm(w->refresh, REFRESH_MS);
    if (foreground)
        moor_timer_arm(w->hand_over, FOREGROUND_MS);
    return MOOR_OK;
}

/* Starts the command unless it was started, and waits for its end either way. */
static moor_code await_command(const struct customscript_place *p, char *const *env,
                               bool foreground, bool *handed_over, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    moor_code c = moor_loop_new(&loop, err);
    if (c != MOOR_OK)
        return c;
    struct worker w = { .place = p, .loop = loop, .env = env };
    c = make_timers(&w, foreground, err);
    if (c == MOOR_OK)
        c = moor_loop_run(loop, err);
    if (c == MOOR_OK && w.err.code != MOOR_OK) {
        *err = w.err;
        c = w.err.code;
    }
    *handed_over = w.handed_over;
    moor_child_free(w.child);
    moor_timer_free(w.hand_over);
    moor_timer_free(w.refresh);
    moor_timer_free(w.look);
    return c;
}

/* Through the proxy that the agent hands on, to all but what it names. */
static moor_code fetch_files(const struct customscript_place *p, const struct customscript_job *job,
                             char *const *env, int64_t *code, struct moor_error *err)
{
    MOOR_AUTO(moor_secret) token = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    const char *url = customscript_env(env, "https_proxy");
    const char *direct = customscript_env(env, "no_proxy");
    moor_code c = MOOR_OK;
    if (job->identity) {
        *code = CUSTOMSCRIPT_CODE_IDENTITY;
        c = customscript_storage_token(customscript_env(env, "IDENTITY_ENDPOINT"), &token, err);
    }
    if (c == MOOR_OK && url)
        c = moor_span_dup(moor_span_str(url), &proxy.url, err);
    if (c == MOOR_OK && url && direct)
        c = moor_span_dup(moor_span_str(direct), &proxy.bypass, err);
    if (c != MOOR_OK)
        return c;
    proxy.direct_to_self = true;
    proxy.setting = "https_proxy";
    const struct customscript_access access = { url ? &proxy : NULL,
                                                job->identity ? &token : NULL };
    *code = CUSTOMSCRIPT_CODE_DOWNLOAD;
    return customscript_download(job, p->work, &access, err);
}

static moor_code prepare(const struct customscript_place *p, char *const *env, int64_t *code,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(16 * MOOR_SETTINGS_MAX);
    MOOR_AUTO(customscript_job) job = { 0 };
    *code = CUSTOMSCRIPT_CODE_SETTINGS;
    moor_code c = read_job(p, &job, &arena, err);
    if (c != MOOR_OK)
        return c;
    c = fetch_files(p, &job, env, code, err);
    if (c != MOOR_OK)
        return c;
    *code = CUSTOMSCRIPT_CODE_SYSTEM;
    return write_script(p, &job, err);
}

static bool is_final(moor_status_state s)
{
    return s == MOOR_STATUS_SUCCESS || s == MOOR_STATUS_ERROR;
}

static moor_code start_background(const struct customscript_place *p, char *const *env,
                                  struct moor_error *err)
{
    const char *const argv[] = { p->program, "worker", NULL };
    const struct plat_spawn how = { .argv = argv, .env = (const char *const *)env, .cwd = p->root };
    MOOR_AUTO(plat_process) child = PLAT_PROCESS_INIT;
    return plat_spawn(&how, &child, err);
}

static moor_code work(const struct customscript_place *p, char *const *env, bool foreground,
                      int64_t *code, bool *handed_over, struct moor_error *err)
{
    moor_code c = plat_exists(p->started) ? MOOR_OK : prepare(p, env, code, err);
    if (c == MOOR_OK)
        c = await_command(p, env, foreground, handed_over, err);
    return c == MOOR_OK && !*handed_over ? report_end(p, err) : c;
}

int customscript_worker(const struct customscript_place *p, char *const *env, bool foreground)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(plat_file) lock = PLAT_FILE_INIT;
    int64_t code = CUSTOMSCRIPT_CODE_SYSTEM;
    bool handed_over = false;
    moor_code c = plat_make_dirs(p->work, PLAT_OWNER_ONLY, &err);
    if (c == MOOR_OK)
        c = plat_lock_file(p->lock, &lock, &err);
    if (c == MOOR_E_EXISTS || is_final(customscript_reported(p)))
        return CUSTOMSCRIPT_EXIT_OK; /* somebody is at it, or was */
    if (c == MOOR_OK)
        c = work(p, env, foreground, &code, &handed_over, &err);
    if (c == MOOR_OK && handed_over) {
        plat_file_drop(&lock);
        c = start_background(p, env, &err);
    }
    if (c == MOOR_OK)
        return CUSTOMSCRIPT_EXIT_OK;
    c = customscript_report(p, MOOR_STATUS_ERROR, code, err.msg, NULL);
    return c == MOOR_OK ? CUSTOMSCRIPT_EXIT_OK : CUSTOMSCRIPT_EXIT_FAILED;
}
