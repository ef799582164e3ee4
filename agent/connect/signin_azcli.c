/* SPDX-License-Identifier: Apache-2.0 */
/* The token of whoever is signed in to the Azure CLI. */
#include "connect/signin_ways.h"
#include "platform/net.h"
#include "platform/self.h"
#include "run/child.h"
#include "run/loop.h"

#define OUTPUT_MAX (64 * 1024)
#define TIME_MS    (120 * 1000)
#define ENV_MAX    16

/* Where distributions and Microsoft's packages put it; no search path decides what root runs. */
static const char *const programs[] = { "/usr/bin/az", "/usr/local/bin/az", "/opt/az/bin/az" };

/* What the CLI needs of the caller's environment: its sign-in, and the way out. */
static const char *const passed_on[] = { "HOME",        "AZURE_CONFIG_DIR", "REQUESTS_CA_BUNDLE",
                                         "HTTPS_PROXY", "https_proxy",      "NO_PROXY",
                                         "no_proxy" };

struct run {
    struct plat_file ours;
    struct moor_buf output;
    struct moor_child_result result;
    bool done;
};

/* Root runs only what root alone can change. */
static moor_code find_program(const char **out, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(programs); i++) {
        MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
        struct plat_stat st;
        if (plat_open_followed(programs[i], &f, NULL, NULL) != MOOR_OK)
            continue;
        moor_code c = plat_fstat(&f, &st, err);
        if (c != MOOR_OK)
            return c;
        if (st.uid != 0 || (st.mode & 022))
            return moor_fail(err, MOOR_E_DENIED, "%s: others than root can change it", programs[i]);
        *out = programs[i];
        return MOOR_OK;
    }
    return moor_fail(err, MOOR_E_NOTFOUND, "--use-azcli: the Azure CLI is not installed (%s)",
                     programs[0]);
}

static void read_output(struct run *r)
{
    char piece[OUTPUT_MAX];
    size_t n = 0;
    while (plat_message_receive(&r->ours, piece, sizeof(piece), &n, NULL, NULL) == MOOR_OK && n > 0)
        moor_buf_add(&r->output, piece, n);
    moor_wipe(piece, sizeof(piece));
}

static void on_readable(void *ctx)
{
    read_output(ctx);
}

static void on_end(void *ctx, const struct moor_child_result *result)
{
    struct run *r = ctx;
    read_output(r);
    r->result = *result;
    r->done = true;
}

static moor_code build_environment(const char **env, struct moor_buf *texts, struct moor_error *err)
{
    size_t n = 0;
    env[n++] = "PATH=/usr/bin:/bin";
    env[n++] = "LC_ALL=C.UTF-8";
    env[n++] = "AZURE_CORE_COLLECT_TELEMETRY=no";
    env[n++] = "AZURE_CORE_ONLY_SHOW_ERRORS=1";
    for (size_t i = 0; i < MOOR_COUNTOF(passed_on); i++) {
        const char *value = plat_environment(passed_on[i]);
        if (!value)
            continue;
        moor_buf_fmt(&texts[i], "%s=%s", passed_on[i], value);
        moor_code c = moor_buf_ok(&texts[i], passed_on[i], err);
        if (c != MOOR_OK)
            return c;
        env[n++] = moor_buf_cstr(&texts[i]);
    }
    MOOR_ASSERT(n < ENV_MAX);
    env[n] = NULL;
    return MOOR_OK;
}

/* One run; its output is in r. */
static moor_code run_program(struct moor_session *s, const struct plat_spawn *spawn, struct run *r,
                             struct moor_error *err)
{
    MOOR_AUTOPTR(moor_watch) watch = NULL;
    MOOR_AUTOPTR(moor_child) child = NULL;
    const struct moor_child_opts opts = { .spawn = *spawn, .timeout_ms = TIME_MS };
    struct moor_loop *l = moor_session_loop(s);
    moor_code c = moor_watch_new(l, plat_file_fd(&r->ours), on_readable, r, &watch, err);
    if (c == MOOR_OK)
        c = moor_child_start(l, &opts, on_end, r, &child, err);
    if (c == MOOR_OK)
        c = moor_session_wait(s, &r->done, err);
    if (c != MOOR_OK && child)
        moor_child_kill(child);
    return c;
}

static moor_code judge(const struct run *r, struct moor_error *err)
{
    if (r->result.timed_out)
        return moor_fail(err, MOOR_E_TIMEOUT, "az account get-access-token: no answer within %d s",
                         TIME_MS / 1000);
    if (r->result.how.signaled || r->result.how.code != 0)
        return moor_fail(err, MOOR_E_DENIED,
                         "az account get-access-token: failed (status %d): sign in with az login",
                         r->result.how.code);
    return moor_buf_ok(&r->output, "az account get-access-token", err);
}

static moor_code ask_cli(const struct moor_signin_job *job, struct run *r, struct moor_error *err)
{
    MOOR_AUTO(plat_file) theirs = PLAT_FILE_INIT;
    struct moor_buf texts[MOOR_COUNTOF(passed_on)];
    const char *env[ENV_MAX];
    const char *argv[12] = { NULL,   "account",    "get-access-token",      "--output",
                             "json", "--resource", job->cloud->arm_audience };
    if (job->who->tenant_id) {
        argv[7] = "--tenant";
        argv[8] = job->who->tenant_id;
    }
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        texts[i] = (struct moor_buf)MOOR_BUF_SECRET(4096); /* a proxy's password may be in it */
    moor_code c = find_program(&argv[0], err);
    if (c == MOOR_OK)
        c = build_environment(env, texts, err);
    if (c == MOOR_OK)
        c = plat_socket_pair(&r->ours, &theirs, err);
    if (c == MOOR_OK) {
        const struct plat_spawn spawn = { .argv = argv, .env = env, .out = &theirs };
        c = run_program(job->session, &spawn, r, err);
    }
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        moor_buf_drop(&texts[i]);
    return c == MOOR_OK ? judge(r, err) : c;
}

moor_code moor_signin_by_azcli(const struct moor_signin_job *job, struct moor_secret *token,
                               struct moor_error *err)
{
    struct run r = { .ours = PLAT_FILE_INIT, .output = MOOR_BUF_SECRET(OUTPUT_MAX) };
    moor_code c = ask_cli(job, &r, err);
    if (c == MOOR_OK)
        c = moor_signin_take(moor_buf_view(&r.output), "accessToken", token, err);
    moor_buf_drop(&r.output);
    plat_file_drop(&r.ours);
    return c;
}
