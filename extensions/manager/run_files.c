/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/run_files.h"

#include <string.h>

#include "base/text.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define SMALL_MAX 8192

moor_code moor_run_path(const char *execution_id, const char *name, char **out,
                        struct moor_error *err)
{
    if (!moor_uuid_valid(moor_span_str(execution_id)))
        return moor_fail(err, MOOR_E_BADINPUT, "run command: want a UUID");
    return name ? plat_path(PLAT_DIR_LIB, out, err, "runs/%s/%s", execution_id, name)
                : plat_path(PLAT_DIR_LIB, out, err, "runs/%s", execution_id);
}

moor_code moor_run_volatile_path(const char *execution_id, const char *ending, char **out,
                                 struct moor_error *err)
{
    return plat_path(PLAT_DIR_RUN, out, err, "runs/%s.%s", execution_id, ending);
}

moor_code moor_run_forget(const char *execution_id, struct moor_error *err)
{
    static const char *const endings[] = { "json", "started" };
    moor_code c = MOOR_OK;
    for (size_t i = 0; c == MOOR_OK && i < MOOR_COUNTOF(endings); i++) {
        MOOR_AUTOSTR file = NULL;
        c = moor_run_volatile_path(execution_id, endings[i], &file, err);
        if (c == MOOR_OK)
            c = plat_remove(file, err);
    }
    return c;
}

bool moor_run_exists(const char *execution_id, const char *name)
{
    MOOR_AUTOSTR path = NULL;
    return moor_run_path(execution_id, name, &path, NULL) == MOOR_OK && plat_exists(path);
}

#define JO(member) offsetof(struct moor_run_job, member)
static const struct moor_json_field job_fields[] = {
    { MOOR_F_STR, "user", JO(user), 0, 1, 256, NULL },
    { MOOR_F_U32, "timeoutSeconds", JO(timeout_s), MOOR_F_REQUIRED, 1, 604800, NULL },
    { MOOR_F_OBJ_LIST, "parameters", JO(parameters), 0, 0, 64, &moor_desired_parameter_shape },
    { MOOR_F_OBJ_LIST, "secrets", JO(secrets), 0, 0, 64, &moor_desired_parameter_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape job_shape = { sizeof(struct moor_run_job), job_fields,
                                                  MOOR_F_STRICT };

void moor_buf_run_job(struct moor_buf *b, const struct moor_run_job *job)
{
    moor_json_encode(b, &job_shape, job);
}

moor_code moor_run_take_job(const char *execution_id, struct moor_run_job *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_RUN_JOB_MAX);
    moor_code c = moor_run_volatile_path(execution_id, "json", &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, MOOR_RUN_JOB_MAX, &text, err);
    if (c != MOOR_OK)
        return c;
    c = plat_remove(path, err);
    return c == MOOR_OK ? moor_json_decode(moor_buf_view(&text), "job", &job_shape, out, arena, err)
                        : c;
}

struct started {
    int64_t ms;
};
static const struct moor_json_field started_fields[] = {
    { MOOR_F_TIME, "time", offsetof(struct started, ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape started_shape = { sizeof(struct started), started_fields,
                                                      MOOR_F_STRICT };

/* A lock that can be had is nobody's. */
bool moor_run_kept(const char *execution_id)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(plat_file) lock = PLAT_FILE_INIT;
    return moor_run_path(execution_id, "keeper", &path, NULL) == MOOR_OK &&
           plat_lock_file(path, &lock, NULL) == MOOR_E_EXISTS;
}

bool moor_run_restarted(const char *execution_id)
{
    MOOR_AUTOSTR path = NULL;
    return moor_run_volatile_path(execution_id, "started", &path, NULL) == MOOR_OK &&
           !plat_exists(path);
}

/* The keeper's first act. The marker on the disk is made last: who sees it sees the lock held. Only
 * one can make it, and nobody who held the lock before has, or it would be there. */
moor_code moor_run_mark_started(const char *execution_id, int64_t now_ms, struct plat_file *lock,
                                struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR here = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(256);
    const struct started s = { now_ms };
    moor_json_encode(&text, &started_shape, &s);
    moor_code c = moor_run_path(execution_id, "keeper", &path, err);
    if (c == MOOR_OK)
        c = plat_lock_file(path, lock, err);
    if (c == MOOR_OK && moor_run_exists(execution_id, "started"))
        c = moor_fail(err, MOOR_E_EXISTS, "run command: was started already");
    if (c == MOOR_OK)
        c = moor_run_volatile_path(execution_id, "started", &here, err);
    if (c == MOOR_OK)
        c = plat_write_atomic(here, MOOR_SPAN_NONE, PLAT_OWNER_ONLY, err);
    if (c != MOOR_OK)
        return c;
    moor_str_autofree(&path);
    path = NULL;
    c = moor_run_path(execution_id, "started", &path, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err) : c;
}

static moor_code read_document(const char *execution_id, const char *name,
                               const struct moor_json_shape *shape, void *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SMALL_MAX);
    moor_code c = moor_run_path(execution_id, name, &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, SMALL_MAX, &text, err);
    return c == MOOR_OK ? moor_json_decode(moor_buf_view(&text), path, shape, out, arena, err) : c;
}

static moor_code write_document(const char *execution_id, const char *name,
                                const struct moor_json_shape *shape, const void *in,
                                struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(SMALL_MAX);
    moor_json_encode(&text, shape, in);
    moor_code c = moor_buf_ok(&text, name, err);
    if (c == MOOR_OK)
        c = moor_run_path(execution_id, name, &path, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err) : c;
}

moor_code moor_run_read_started(const char *execution_id, int64_t *start_ms, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(SMALL_MAX);
    struct started s = { 0 };
    moor_code c = read_document(execution_id, "started", &started_shape, &s, &arena, err);
    if (c == MOOR_OK)
        *start_ms = s.ms;
    return c;
}

#define CH(member) offsetof(struct plat_process_id, member)
static const struct moor_json_field child_fields[] = {
    { MOOR_F_I64, "pid", CH(pid), MOOR_F_REQUIRED, 1, INT32_MAX, NULL },
    { MOOR_F_U64, "start", CH(start), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape child_shape = { sizeof(struct plat_process_id), child_fields,
                                                    MOOR_F_STRICT };

moor_code moor_run_write_child(const char *execution_id, const struct plat_process_id *child,
                               struct moor_error *err)
{
    return write_document(execution_id, "child", &child_shape, child, err);
}

moor_code moor_run_read_child(const char *execution_id, struct plat_process_id *out,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(SMALL_MAX);
    return read_document(execution_id, "child", &child_shape, out, &arena, err);
}

static const char *const hows[] = { "exited",  "signaled", "timedOut", "canceled",
                                    "stopped", "failed",   NULL };

#define EN(member) offsetof(struct moor_run_end, member)
static const struct moor_json_field end_fields[] = {
    { MOOR_F_ENUM, "how", EN(how), MOOR_F_REQUIRED, 0, 0, hows },
    { MOOR_F_I64, "code", EN(code), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_TIME, "time", EN(end_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_STR, "errorCode", EN(error_code), 0, 0, 64, NULL },
    { MOOR_F_STR, "message", EN(message), 0, 0, 1024, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape end_shape = { sizeof(struct moor_run_end), end_fields,
                                                  MOOR_F_STRICT };

moor_code moor_run_write_end(const char *execution_id, const struct moor_run_end *end,
                             struct moor_error *err)
{
    return write_document(execution_id, "end", &end_shape, end, err);
}

moor_code moor_run_read_end(const char *execution_id, struct moor_run_end *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    return read_document(execution_id, "end", &end_shape, out, arena, err);
}

void moor_buf_run_tail(struct moor_buf *b, const char *execution_id, const char *stream)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4 * MOOR_RUN_SHOWN_MAX);
    char tail[MOOR_RUN_SHOWN_MAX];
    struct plat_stat st;
    size_t got = 0;
    if (moor_run_path(execution_id, stream, &path, NULL) != MOOR_OK ||
        plat_open(path, PLAT_READ, &f, NULL) != MOOR_OK || plat_fstat(&f, &st, NULL) != MOOR_OK)
        return;
    uint64_t from = st.size > sizeof(tail) ? st.size - sizeof(tail) : 0;
    if (plat_read_at(&f, from, tail, sizeof(tail), &got, NULL) != MOOR_OK)
        return;
    for (size_t i = 0; i < got; i++)
        if (!tail[i])
            tail[i] = (char)0xFF; /* no JSON text may hold it */
    size_t skip = 0;              /* the rest of a character whose beginning is not shown */
    while (from > 0 && skip < 3 && skip < got && ((unsigned char)tail[skip] & 0xC0) == 0x80)
        skip++;
    moor_utf8_repair(&text, moor_span(tail + skip, got - skip));
    struct moor_span all = moor_buf_view(&text);
    size_t cut = all.n > MOOR_RUN_SHOWN_MAX ? all.n - MOOR_RUN_SHOWN_MAX : 0;
    while (cut < all.n && cut > 0 && ((unsigned char)all.p[cut] & 0xC0) == 0x80)
        cut++;
    moor_buf_span(b, moor_span(all.p + cut, all.n - cut));
}
