/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/names.h"
#include "core/trust.h"
#include "http/retry.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "manager/package.h"
#include "manager/signature.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/log.h"

#define PACKAGE_TIMEOUT_MS (60ull * 60 * 1000)
#define PROGRESS_MS        5000
#define TRUST_ARENA_MAX    (8 * 1024 * 1024)
#define FETCH_TRIES        100 /* with up to five minutes between them: most of a working day */

/* One package on its way. Everything in it is a copy: the document it came from may be replaced
 * before it is done. */
struct moor_fetch_op {
    struct moor_work *work; /* NULL: the manager has gone; only free this */
    struct moor_arena arena;
    const char *publisher, *type, *version, *sha256;
    uint64_t size;
    struct moor_span gallery, by_publisher;
    struct moor_str_list uris;
    size_t uri;
    moor_signature_rule rule;
    char *path, *target;
    struct plat_file file;
    struct moor_http_transport *transport;
    struct moor_http_call *call;
    struct moor_timer *progress; /* while bytes come */
    unsigned percent;            /* that was told last */
    bool on_pool;
    bool resumed; /* the file began as what an earlier try left */
    bool refused; /* the package itself is at fault */
    struct moor_error err;
};

void moor_fetch_op_free(struct moor_fetch_op *op)
{
    if (!op)
        return;
    if (op->on_pool) {
        op->work = NULL; /* freed when the pool gives it back */
        return;
    }
    if (op->call)
        moor_http_cancel(op->transport, op->call);
    moor_timer_free(op->progress);
    plat_file_drop(&op->file);
    free(op->path);
    free(op->target);
    moor_arena_drop(&op->arena);
    free(op);
}

static bool copy_span(struct moor_fetch_op *op, struct moor_span from, struct moor_span *to)
{
    const char *p = moor_arena_str(&op->arena, from);
    *to = moor_span(p, from.n);
    return p != NULL;
}

static bool copy_goal(struct moor_fetch_op *op, const struct moor_desired_extension *g)
{
    const struct moor_desired_package *p = &g->package;
    const char **uris = moor_arena_array(&op->arena, p->uris.count + 1, sizeof(*uris));
    op->publisher = moor_arena_str(&op->arena, moor_span_str(g->publisher));
    op->type = moor_arena_str(&op->arena, moor_span_str(g->type));
    op->version = moor_arena_str(&op->arena, moor_span_str(g->version));
    op->sha256 = moor_arena_str(&op->arena, moor_span_str(p->sha256));
    op->size = p->size;
    if (!uris || !op->publisher || !op->type || !op->version || !op->sha256 ||
        !copy_span(op, p->signature, &op->gallery) ||
        !copy_span(op, p->publisher_signature, &op->by_publisher))
        return false;
    for (size_t i = 0; i < p->uris.count; i++) {
        uris[i] = moor_arena_str(&op->arena, moor_span_str(p->uris.items[i]));
        if (!uris[i])
            return false;
    }
    op->uris = (struct moor_str_list){ uris, p->uris.count };
    return true;
}

/* A refused package is an item's failure; anything that may pass is tried again later, as often as
 * it takes a service to come back, but not for ever. */
static void end_failed(struct moor_fetch_op *op)
{
    static const struct moor_retry_policy policy = { 5000, 300000, 20 };
    struct moor_item *i = op->work->item;
    const char *code = *op->err.service_code ? op->err.service_code : "PackageDownloadFailed";
    bool again = !op->refused && moor_error_retry(&op->err) != MOOR_RETRY_NEVER &&
                 i->fetch_failures < FETCH_TRIES;
    if (again) {
        moor_log_error(MOOR_LOG_WARNING, "package.retry", &op->err, "name", i->name, NULL);
        moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "PackageDownloadFailed", 1001, op->err.msg);
        moor_manager_wait(op->work->m, i,
                          moor_retry_delay_ms(&policy, &op->err, i->fetch_failures++,
                                              plat_random_below(UINT32_MAX)));
        return;
    }
    moor_work_fail(op->work, code, op->refused ? 1005 : 1004, op->err.msg);
    moor_code c = plat_remove(op->path, NULL);
    (void)c; /* moor_fetch_clean() finds it */
}

static bool is_multi(const struct moor_item *i)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_manifest manifest;
    return moor_folder_manifest(i, false, &manifest, &arena, NULL) == MOOR_OK &&
           manifest.supports_multiple_extensions;
}

/* The new folder is there: the item works with it from now on. */
static void end_unpacked(const struct moor_fetch_op *op)
{
    struct moor_item *i = op->work->item;
    bool update = i->phase == MOOR_PHASE_INSTALLED || i->phase == MOOR_PHASE_ENABLED;
    moor_item_phase next = i->phase == MOOR_PHASE_ENABLED ? MOOR_PHASE_UPDATE_UNPACKED
                           : update                       ? MOOR_PHASE_UPDATE_DISABLED
                                                          : MOOR_PHASE_UNPACKED;
    if (update && moor_item_set(&i->old_version, i->version, NULL) != MOOR_OK)
        return;
    if (moor_item_set(&i->version, op->version, NULL) != MOOR_OK)
        return;
    moor_manager_unwatch(op->work->m, i);
    i->phase = next;
    i->multi = is_multi(i);
    i->settings_seq = -1;
    i->enabled_seq = -1;
    i->disable_exit = i->uninstall_exit = MOOR_EXIT_NOT_RUN;
    i->fetch_failures = 0;
    moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
    moor_log(MOOR_LOG_INFO, "package.unpacked", "name", i->name, "publisher", i->publisher, "type",
             i->type, "version", i->version, NULL);
}

static void end(struct moor_fetch_op *op)
{
    struct moor_work *w = op->work;
    if (w) {
        w->fetch = NULL;
        if (op->err.code == MOOR_OK)
            end_unpacked(op);
        else
            end_failed(op);
    }
    moor_fetch_op_free(op);
    if (w)
        moor_work_done(w);
}

void moor_fetch_op_unlink(struct moor_fetch_op *op)
{
    if (!op->call)
        return;
    moor_http_cancel(op->transport, op->call);
    op->call = NULL;
    op->err.code = moor_fail(&op->err, MOOR_E_TRANSIENT, "package: the connection was ended");
    end(op);
}

/* Pool thread: from the bytes on the disk to the handler's folder. */
static void verify_and_unpack(void *ctx)
{
    struct moor_fetch_op *op = ctx;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(TRUST_ARENA_MAX);
    struct moor_trust *trust = NULL;
    size_t trust_count = 0;
    moor_code c = moor_package_check_bytes(&op->file, op->size, op->sha256, &op->err);
    if (c == MOOR_OK)
        c = moor_trust_load_all(&trust, &trust_count, &arena, &op->err);
    if (c == MOOR_OK) {
        const struct moor_signature_request r = {
            op->rule, trust, trust_count, op->publisher, op->type, op->gallery, op->by_publisher,
        };
        c = moor_signature_check(&r, &op->file, &op->err);
    }
    if (c == MOOR_OK) {
        const struct moor_package_claim claim = { op->publisher, op->type, op->version,
                                                  op->rule == MOOR_SIGNATURE_PUBLISHER };
        c = moor_package_unpack(&op->file, op->target, &claim, &op->err);
    }
    plat_file_drop(&op->file);
    if (c == MOOR_OK) /* what was looked for and need not be there has left its error */
        memset(&op->err, 0, sizeof(op->err));
    op->refused = c != MOOR_OK && *op->err.service_code;
    bool keep = c != MOOR_OK && !op->refused && moor_error_retry(&op->err) != MOOR_RETRY_NEVER;
    if (!keep) {
        moor_code ignored = plat_remove(op->path, NULL);
        (void)ignored;
    }
}

static void next_uri(struct moor_fetch_op *op);

static void on_unpacked(void *ctx, bool cancelled)
{
    struct moor_fetch_op *op = ctx;
    op->on_pool = false;
    if (cancelled && op->err.code == MOOR_OK) {
        moor_code c = moor_fail(&op->err, MOOR_E_CANCELED, "package: shutting down");
        (void)c;
    }
    bool corrupt = op->refused && strcmp(op->err.service_code, "PackageCorrupt") == 0;
    if (op->work && corrupt && (op->resumed || op->uri + 1 < op->uris.count)) {
        /* What was on the disk may have been at fault: the same place once more, from its start. */
        if (!op->resumed)
            op->uri++;
        op->resumed = false;
        next_uri(op);
        return;
    }
    end(op);
}

/* The client says so of an answer that goes on behind the size it may have. */
static void too_long(struct moor_fetch_op *op)
{
    moor_code c =
        moor_fail(&op->err, MOOR_E_BADINPUT,
                  "package: has more bytes than the %" PRIu64 " the service said", op->size);
    (void)c;
    (void)snprintf(op->err.service_code, sizeof(op->err.service_code), "PackageCorrupt");
    op->refused = true;
    plat_file_drop(&op->file);
    c = plat_remove(op->path, NULL);
    (void)c;
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct moor_fetch_op *op = ctx;
    moor_code c = err->code;
    op->call = NULL;
    op->err = *err;
    if (c == MOOR_OK && (r->status < 200 || r->status > 299))
        c = moor_http_error_from(r, "package", &op->err);
    if (c == MOOR_E_LIMIT)
        too_long(op);
    /* A range behind the end: what is here is not a beginning of it. */
    if (c != MOOR_OK && op->err.http == 416)
        c = plat_truncate(&op->file, 0, NULL);
    if (op->err.code == MOOR_OK) {
        op->on_pool = true;
        if (moor_pool_submit(op->work->m->pool, verify_and_unpack, on_unpacked, op, &op->err) ==
            MOOR_OK)
            return;
        op->on_pool = false;
    }
    if (op->err.http == 404 || op->err.http == 403)
        op->err.service_code[0] = 0;
    if (op->uri + 1 < op->uris.count) {
        op->uri++;
        next_uri(op);
        return;
    }
    (void)c;
    end(op);
}

static moor_code open_partial(struct moor_fetch_op *op, uint64_t *offset, struct moor_error *err)
{
    struct plat_stat st;
    uint64_t space = 0;
    moor_code c = MOOR_OK;
    if (!plat_file_is_open(&op->file))
        c = plat_open(op->path, PLAT_READ_WRITE, &op->file, err);
    if (c == MOOR_OK)
        c = plat_fstat(&op->file, &st, err);
    if (c == MOOR_OK)
        c = plat_free_space(op->path, &space, err);
    if (c != MOOR_OK)
        return c;
    if (space < 2 * op->size + MOOR_PACKAGE_SPARE)
        return moor_fail(err, MOOR_E_IO, "package: needs %llu bytes of disk, %llu are free",
                         (unsigned long long)(2 * op->size + MOOR_PACKAGE_SPARE),
                         (unsigned long long)space);
    *offset = st.size < op->size ? st.size : 0;
    return *offset == 0 ? plat_truncate(&op->file, 0, err) : MOOR_OK;
}

/* Tells how far it is, whenever that has changed: a hundred reports at most. */
static void on_progress(void *ctx)
{
    struct moor_fetch_op *op = ctx;
    struct plat_stat st;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(128);
    if (!op->call || !op->work || plat_fstat(&op->file, &st, NULL) != MOOR_OK)
        return;
    moor_timer_arm(op->progress, PROGRESS_MS);
    unsigned percent = (unsigned)(st.size >= op->size ? 100 : st.size * 100 / op->size);
    if (percent == op->percent || strcmp(op->work->goal, op->work->item->goal) != 0)
        return;
    op->percent = percent;
    moor_buf_fmt(&text, "downloading: %u %% of %" PRIu64 " bytes", percent, op->size);
    moor_item_settle(op->work->item, MOOR_OUTCOME_GOING_ON, "", 0, moor_buf_cstr(&text));
    moor_manager_later(op->work->m, 0);
}

static moor_code send(struct moor_fetch_op *op, struct moor_error *err)
{
    uint64_t offset = 0;
    const struct moor_secret *token = NULL;
    const char *uri = op->uris.items[op->uri];
    moor_code c = open_partial(op, &offset, err);
    if (c != MOOR_OK)
        return c;
    op->resumed = op->resumed || offset > 0;
    op->transport = moor_link_for(op->work->m->link, uri, &token);
    if (!op->transport)
        return moor_fail(err, MOOR_E_TRANSIENT, "package: this machine is not connected");
    const struct moor_http_request req = {
        .method = "GET",
        .url = uri,
        .bearer = token,
        .timeout_ms = PACKAGE_TIMEOUT_MS,
        .sink = &op->file,
        .offset = offset,
        .sink_max = op->size + 1,
        .redirects_max = 3,
        .https_only = true,
        .public_only = token == NULL,
    };
    moor_timer_arm(op->progress, PROGRESS_MS);
    return moor_http_send(op->transport, &req, on_answer, op, &op->call, err);
}

static void on_send_failed(void *ctx, bool cancelled)
{
    struct moor_fetch_op *op = ctx;
    (void)cancelled;
    op->on_pool = false;
    end(op);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void next_uri(struct moor_fetch_op *op)
{
    memset(&op->err, 0, sizeof(op->err));
    op->refused = false;
    if (send(op, &op->err) == MOOR_OK)
        return;
    /* Not from within the caller's stack: the step would end before it began. */
    op->on_pool = true;
    if (moor_pool_submit(op->work->m->pool, nothing, on_send_failed, op, NULL) != MOOR_OK) {
        op->on_pool = false;
        end(op);
    }
}

static moor_code prepare(struct moor_fetch_op *op, const struct moor_item *i,
                         const struct moor_desired_extension *goal, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOSTR name = NULL;
    if (!copy_goal(op, goal))
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
    moor_code c = moor_handler_folder(i->publisher, i->type, goal->version, &name, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_HANDLERS, &op->target, err, "%s", name);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &folder, err, "downloads");
    if (c == MOOR_OK)
        c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &op->path, err, "downloads/%s.zip", op->sha256);
    return c;
}

static bool clean_one(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct moor_manager *m = ctx;
    MOOR_AUTOSTR path = NULL;
    (void)st;
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        const char *sha256 = m->desired.extensions[n].package.sha256;
        if (sha256 && strncmp(name, sha256, strlen(sha256)) == 0)
            return true;
    }
    if (plat_path(PLAT_DIR_GUESTCONFIG, &path, NULL, "downloads/%s", name) == MOOR_OK) {
        moor_code c = plat_remove(path, NULL);
        (void)c; /* the next start tries again */
    }
    return true;
}

void moor_fetch_clean(struct moor_manager *m)
{
    MOOR_AUTOSTR folder = NULL;
    if (plat_path(PLAT_DIR_GUESTCONFIG, &folder, NULL, "downloads") != MOOR_OK)
        return;
    moor_code c = plat_list_dir(folder, clean_one, m, NULL);
    (void)c; /* not there: nothing was downloaded yet */
}

moor_code moor_fetch_package(struct moor_work *w, const struct moor_desired_extension *goal,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_settings settings;
    moor_code c = moor_settings_load(&settings, &arena, err);
    if (c != MOOR_OK)
        return c;
    struct moor_fetch_op *op = calloc(1, sizeof(*op));
    if (!op)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", w->item->name);
    op->work = w;
    op->arena = (struct moor_arena)MOOR_ARENA(1024 * 1024);
    op->file = (struct plat_file)PLAT_FILE_INIT;
    op->rule = moor_policy_signature(&settings, goal->publisher);
    c = prepare(op, w->item, goal, err);
    if (c == MOOR_OK)
        c = moor_timer_new(w->m->loop, on_progress, op, &op->progress, err);
    if (c != MOOR_OK) {
        moor_fetch_op_free(op);
        return c;
    }
    w->fetch = op;
    next_uri(op);
    return MOOR_OK;
}
