/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontab.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "manager/launch.h"
#include "manager/run_transfer.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define RECORD_MAX  8192
#define MESSAGE_MAX 1000

static const char *const states[] = { "Pending",  "Running",  "Succeeded", "Failed",
                                      "TimedOut", "Canceled", NULL };

#define RE(member) offsetof(struct moor_run_record, member)
static const struct moor_json_field fields[] = {
    { MOOR_F_STR, "name", RE(name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_ENUM, "state", RE(state), MOOR_F_REQUIRED, 0, 0, states },
    { MOOR_F_BOOL, "asynchronous", RE(asynchronous), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "failDeployment", RE(fail_deployment), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "recorded", RE(recorded), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "exited", RE(exited), 0, 0, 0, NULL },
    { MOOR_F_I64, "exitCode", RE(exit_code), 0, 0, 0, NULL },
    { MOOR_F_STR, "errorCode", RE(error_code), 0, 0, 64, NULL },
    { MOOR_F_STR, "message", RE(message), 0, 0, 1024, NULL },
    { MOOR_F_TIME, "startTime", RE(start_ms), 0, 0, 0, NULL },
    { MOOR_F_TIME, "endTime", RE(end_ms), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_run_record), fields, 0 };

static bool set_text(const char **field, const char *value)
{
    char *copy = NULL;
    if (moor_span_dup(moor_span_str(value ? value : ""), &copy, NULL) != MOOR_OK)
        return false;
    free((void *)(uintptr_t)*field);
    *field = copy;
    return true;
}

static void run_free(struct moor_run *r)
{
    if (!r)
        return;
    moor_run_transfer_free(r->transfer);
    moor_launched_free(r->launched);
    free((void *)(uintptr_t)r->record.name);
    free((void *)(uintptr_t)r->record.error_code);
    free((void *)(uintptr_t)r->record.message);
    free(r->output);
    free(r->error);
    free(r);
}

bool moor_run_final(const struct moor_run *r)
{
    return r->record.state >= MOOR_RUN_SUCCEEDED;
}

void moor_run_settle(struct moor_run *r, int state, const char *error_code, const char *message)
{
    char text[MESSAGE_MAX + 1];
    (void)snprintf(text, sizeof(text), "%s", message);
    r->record.state = state;
    if (!set_text(&r->record.error_code, error_code) || !set_text(&r->record.message, text))
        moor_log(MOOR_LOG_WARNING, "run-command.reason-lost", "execution", r->id, NULL);
    if (!r->record.end_ms)
        r->record.end_ms = plat_utc_ms();
    moor_log(*error_code ? MOOR_LOG_WARNING : MOOR_LOG_NOTICE, "run-command.ended", "name",
             r->record.name, "execution", r->id, "state", states[state], "error_code", error_code,
             "message", text, NULL);
}

void moor_run_say(struct moor_run *r, const char *message)
{
    char text[MESSAGE_MAX + 1];
    (void)snprintf(text, sizeof(text), "%s", message);
    if (!set_text(&r->record.message, text))
        moor_log(MOOR_LOG_WARNING, "run-command.reason-lost", "execution", r->id, NULL);
    moor_log(MOOR_LOG_WARNING, "run-command.warning", "name", r->record.name, "execution", r->id,
             "message", text, NULL);
}

static void describe_end(const struct moor_run_end *end, char *out, size_t n)
{
    if (end->how == MOOR_RUN_END_EXITED)
        (void)snprintf(out, n, "the script ended with exit code %lld", (long long)end->code);
    else
        (void)snprintf(out, n, "the script was ended by signal %lld", (long long)end->code);
}

void moor_run_take_end(struct moor_run *r, const struct moor_run_end *end)
{
    char text[128] = "";
    bool good = end->how == MOOR_RUN_END_EXITED && end->code == 0;
    r->record.end_ms = end->end_ms;
    r->record.exited = end->how == MOOR_RUN_END_EXITED || end->how == MOOR_RUN_END_SIGNALED;
    r->record.exit_code = end->how == MOOR_RUN_END_SIGNALED ? 128 + end->code : end->code;
    switch ((moor_run_how)end->how) {
    case MOOR_RUN_END_EXITED:
    case MOOR_RUN_END_SIGNALED:
        if (!good)
            describe_end(end, text, sizeof(text));
        moor_run_settle(r, good ? MOOR_RUN_SUCCEEDED : MOOR_RUN_FAILED, "", text);
        break;
    case MOOR_RUN_END_TIMED_OUT:
        moor_run_settle(r, MOOR_RUN_TIMED_OUT, "",
                        "the script took longer than timeoutInSeconds and was ended");
        break;
    case MOOR_RUN_END_CANCELED:
        moor_run_settle(r, MOOR_RUN_CANCELED, "", "the script was ended on request");
        break;
    case MOOR_RUN_END_STOPPED:
        moor_run_settle(r, MOOR_RUN_FAILED, "Interrupted",
                        "the script was ended, since this machine or its service manager stopped");
        break;
    case MOOR_RUN_END_FAILED:
        moor_run_settle(r, MOOR_RUN_FAILED,
                        end->error_code && *end->error_code ? end->error_code : "InternalError",
                        end->message ? end->message : "the script could not be started");
        break;
    }
}

static uint64_t size_of(const char *id, const char *stream)
{
    MOOR_AUTOSTR path = NULL;
    struct plat_stat st;
    if (moor_run_path(id, stream, &path, NULL) != MOOR_OK ||
        plat_stat_path(path, &st, NULL) != MOOR_OK)
        return 0;
    return st.size + (uint64_t)st.mtime_ms; /* a size alone may come back after a cut */
}

static void read_stream(const char *id, const char *stream, char **field)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2 * MOOR_RUN_SHOWN_MAX);
    char *copy = NULL;
    moor_buf_run_tail(&text, id, stream);
    if (moor_span_dup(moor_buf_view(&text), &copy, NULL) != MOOR_OK)
        return;
    free(*field);
    *field = copy;
}

bool moor_run_read_output(struct moor_run *r)
{
    uint64_t sizes = size_of(r->id, "stdout") * 31 + size_of(r->id, "stderr");
    if (sizes == r->sizes)
        return false;
    r->sizes = sizes;
    read_stream(r->id, "stdout", &r->output);
    read_stream(r->id, "stderr", &r->error);
    return true;
}

moor_code moor_run_save(const struct moor_run *r, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RECORD_MAX);
    moor_json_encode(&text, &shape, &r->record);
    moor_code c = moor_buf_ok(&text, "run.json", err);
    if (c == MOOR_OK)
        c = moor_run_path(r->id, "run.json", &path, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err) : c;
}

void moor_runs_drop(struct moor_runs *s)
{
    for (size_t i = 0; i < s->count; i++)
        run_free(s->list[i]);
    s->count = 0;
}

struct moor_run *moor_runs_find(const struct moor_runs *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i]->id, id) == 0)
            return s->list[i];
    return NULL;
}

static struct moor_run *run_new(const char *id, const struct moor_run_record *from)
{
    struct moor_run *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    (void)snprintf(r->id, sizeof(r->id), "%s", id);
    r->record = *from;
    r->record.name = r->record.error_code = r->record.message = NULL;
    if (set_text(&r->record.name, from->name) &&
        set_text(&r->record.error_code, from->error_code) &&
        set_text(&r->record.message, from->message))
        return r;
    run_free(r);
    return NULL;
}

static moor_code make_folder(const char *id, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOSTR parent = NULL;
    moor_code c = moor_run_path(id, NULL, &folder, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &parent, err, "runs");
    if (c == MOOR_OK)
        c = plat_make_dirs(folder, PLAT_WORLD_READ, err);
    /* Users find what they know the name of: their script. */
    if (c == MOOR_OK)
        c = plat_set_mode(parent, 0711, err);
    return c == MOOR_OK ? plat_set_mode(folder, 0711, err) : c;
}

moor_code moor_runs_add(struct moor_runs *s, const char *id, const char *name,
                        struct moor_run **out, struct moor_error *err)
{
    const struct moor_run_record record = { .name = name };
    if (s->count == MOOR_RUNS_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "run command %s: more than %d at once", name,
                         MOOR_RUNS_MAX);
    moor_code c = make_folder(id, err);
    if (c != MOOR_OK)
        return c;
    struct moor_run *r = run_new(id, &record);
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "run command %s: out of memory", name);
    c = moor_run_save(r, err);
    if (c != MOOR_OK) {
        run_free(r);
        return c;
    }
    s->list[s->count++] = r;
    *out = r;
    return MOOR_OK;
}

static void remove_folder(const char *id)
{
    MOOR_AUTOSTR folder = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_run_path(id, NULL, &folder, &err) != MOOR_OK ||
        plat_remove_tree(folder, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "run-command.not-removed", &err, "execution", id, NULL);
}

void moor_runs_remove(struct moor_runs *s, struct moor_run *r)
{
    size_t i = 0;
    while (s->list[i] != r)
        i++;
    remove_folder(r->id);
    run_free(r);
    s->list[i] = s->list[--s->count];
}

static moor_code load_one(const char *id, struct moor_run **out, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4 * RECORD_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RECORD_MAX);
    MOOR_AUTOSTR path = NULL;
    struct moor_run_record record = { .name = NULL };
    moor_code c = moor_run_path(id, "run.json", &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, RECORD_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_json_decode(moor_buf_view(&text), path, &shape, &record, &arena, err);
    if (c != MOOR_OK)
        return c;
    *out = run_new(id, &record);
    return *out ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "run command: out of memory");
}

static bool load_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    struct moor_runs *s = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_run *r = NULL;
    if (!st->is_dir || !moor_uuid_valid(moor_span_str(name)))
        return true;
    if (s->count < MOOR_RUNS_MAX && load_one(name, &r, &err) == MOOR_OK) {
        s->list[s->count++] = r;
        return true;
    }
    moor_log_error(MOOR_LOG_WARNING, "run-command.unreadable", &err, "execution", name, NULL);
    /* What started may be running: it is not given again as long as its folder is there. */
    if (!moor_run_exists(name, "started"))
        remove_folder(name);
    return true;
}

moor_code moor_runs_load(struct moor_runs *s, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c = plat_path(PLAT_DIR_LIB, &folder, err, "runs");
    if (c == MOOR_OK)
        c = plat_list_dir(folder, load_entry, s, err);
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}

static bool may_go(const struct moor_run *r)
{
    return !r->listed && moor_run_final(r) && !r->transfer && !r->launched;
}

void moor_runs_clean(struct moor_runs *s)
{
    for (;;) {
        struct moor_run *oldest = NULL;
        size_t kept = 0;
        for (size_t i = 0; i < s->count; i++) {
            if (!may_go(s->list[i]))
                continue;
            kept++;
            if (!oldest || s->list[i]->record.end_ms < oldest->record.end_ms)
                oldest = s->list[i];
        }
        if (kept <= MOOR_RUNS_KEPT)
            return;
        moor_runs_remove(s, oldest);
    }
}

/* Whether it was run, not what became of it: service.md 4.4. */
static const char *provisioning(const struct moor_run_record *r, int state)
{
    bool bad = state == MOOR_RUN_FAILED || state == MOOR_RUN_TIMED_OUT;
    if (state == MOOR_RUN_PENDING)
        return "Creating";
    if (state == MOOR_RUN_RUNNING)
        return r->asynchronous ? "Succeeded" : "Creating";
    if (state == MOOR_RUN_CANCELED)
        return "Canceled";
    return *r->error_code || (bad && r->fail_deployment) ? "Failed" : "Succeeded";
}

static void add_str(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, ",\"%s\":", name);
    moor_buf_json_str(b, moor_span_str(value));
}

static void add_time(struct moor_buf *b, const char *name, int64_t ms)
{
    if (!ms)
        return;
    moor_buf_fmt(b, ",\"%s\":\"", name);
    moor_buf_rfc3339(b, ms);
    moor_buf_char(b, '"');
}

/* The end of it, at most max bytes. */
static void add_output(struct moor_buf *b, const char *name, const char *value, size_t max)
{
    size_t n = value ? strlen(value) : 0, from = n > max ? n - max : 0;
    while (from < n && from > 0 && ((unsigned char)value[from] & 0xC0) == 0x80)
        from++;
    add_str(b, name, value ? value + from : "");
}

static void add_run(struct moor_buf *b, const struct moor_run *r, size_t output_max)
{
    const struct moor_run_record *rec = &r->record;
    int state = r->sending ? MOOR_RUN_RUNNING : rec->state;
    moor_buf_str(b, "{\"name\":");
    moor_buf_json_str(b, moor_span_str(rec->name));
    add_str(b, "executionId", r->id);
    add_str(b, "provisioningState", provisioning(rec, state));
    add_str(b, "executionState", states[state]);
    if (rec->exited && !r->sending)
        moor_buf_fmt(b, ",\"exited\":true,\"exitCode\":%" PRId64, rec->exit_code);
    add_str(b, "errorCode", rec->error_code);
    add_str(b, "executionMessage", rec->message);
    add_output(b, "output", r->output, output_max);
    add_output(b, "error", r->error, output_max);
    add_time(b, "startTime", rec->start_ms);
    add_time(b, "endTime", r->sending ? 0 : rec->end_ms);
    moor_buf_char(b, '}');
}

void moor_buf_runs_report(struct moor_buf *b, const struct moor_runs *s, size_t output_max)
{
    bool first = true;
    for (size_t i = 0; s && i < s->count; i++) {
        if (!s->list[i]->listed)
            continue;
        if (!first)
            moor_buf_char(b, ',');
        first = false;
        add_run(b, s->list[i], output_max);
    }
}
