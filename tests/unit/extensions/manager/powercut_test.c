/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole manager on a disk that dies at every step in turn: install, new settings, update,
 * uninstall. Around it everything is pretended: the service, downloads, handlers, processes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "contract/names.h"
#include "fake_clock.h"
#include "fake_disk.h"
#include "http/transport.h"
#include "manager/internal.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/process.h"
#include "rooted.h"
#include "run/child.h"
#include "run/log.h"
#include "run/unit.h"
#include "zip_made.h"

#define SEQS        4
#define QUIET       ((moor_log_level)0)
#define INTERRUPTED "interrupted"
#define PATIENCE_MS 200000 /* of virtual time, for what is tried again every half minute */
#define MANIFEST                                                                                   \
    "[{\"handlerManifest\":{\"installCommand\":\"bin/run install\",\"updateCommand\":\"bin/run "   \
    "update\",\"enableCommand\":\"bin/run enable\",\"disableCommand\":\"bin/run disable\","        \
    "\"uninstallCommand\":\"bin/run uninstall\"}}]"

enum stage { INSTALL, SETTINGS, UPDATE, UNINSTALL, STAGES };
static const struct {
    const char *version, *state, *settings;
} stages[STAGES] = {
    [INSTALL] = { "1.0", "enabled", "{\"n\":0}" },
    [SETTINGS] = { "1.0", "enabled", "{\"n\":1}" },
    [UPDATE] = { "2.0", "enabled", "{\"n\":1}" },
    [UNINSTALL] = { "2.0", "uninstall", "{\"n\":1}" },
};

static struct {
    struct moor_loop *loop;
    struct moor_manager *m;
    bool services, powered; /* commands are services; a dead disk is not the machine's end */
    unsigned ran[SEQS];     /* the user's command, by sequence number */
    struct moor_buf zip;
    char sha256[65];
    struct moor_buf key_name, crt, prv;
} world = { .zip = MOOR_BUF(64 * 1024),
            .key_name = MOOR_BUF(64),
            .crt = MOOR_BUF(64 * 1024),
            .prv = MOOR_BUF(64 * 1024) };

/* What is posted to the loop runs even when the one who waited for it has gone. */
struct later {
    void (*fn)(struct later *l);
    bool gone;
};

static void run_later(void *ctx)
{
    struct later *l = ctx;
    if (!l->gone)
        l->fn(l);
    free(l);
}

/* The pool: at once, but not within the caller's stack. */
struct moor_pool {
    struct moor_loop *loop;
    struct job *jobs[64];
    size_t count;
};
struct job {
    struct later later;
    struct moor_pool *pool;
    void (*work)(void *ctx);
    void (*done)(void *ctx, bool cancelled);
    void *ctx;
};

static void run_job(struct later *l)
{
    struct job *j = (struct job *)l;
    for (size_t n = 0; n < j->pool->count; n++)
        if (j->pool->jobs[n] == j)
            j->pool->jobs[n] = j->pool->jobs[--j->pool->count];
    j->work(j->ctx);
    j->done(j->ctx, false);
}

moor_code moor_pool_new(struct moor_loop *l, const struct moor_pool_opts *opts,
                        struct moor_pool **out, struct moor_error *err)
{
    (void)opts;
    (void)err;
    *out = calloc(1, sizeof(**out));
    MOOR_ASSERT(*out);
    (*out)->loop = l;
    return MOOR_OK;
}

moor_code moor_pool_submit(struct moor_pool *p, void (*work)(void *ctx),
                           void (*done)(void *ctx, bool cancelled), void *ctx,
                           struct moor_error *err)
{
    struct job *j = calloc(1, sizeof(*j));
    (void)err;
    MOOR_ASSERT(j && p->count < MOOR_COUNTOF(p->jobs));
    *j = (struct job){ { run_job, false }, p, work, done, ctx };
    p->jobs[p->count++] = j;
    moor_loop_post(p->loop, run_later, j);
    return MOOR_OK;
}

void moor_pool_free(struct moor_pool *p)
{
    if (!p)
        return;
    while (p->count) {
        struct job *j = p->jobs[--p->count];
        j->later.gone = true;
        j->done(j->ctx, true);
    }
    free(p);
}

/* The handler: it makes its number durable, runs the user's command, writes its status, which it
 * does not sync. */
static void say(const char *folder, uint32_t seq, const char *status, const char *message)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/status/%u.status", folder, (unsigned)seq);
    moor_buf_fmt(
        &text,
        "[{\"version\":1,\"status\":{\"operation\":\"Enable\",\"status\":\"%s\",\"code\":0,"
        "\"formattedMessage\":{\"lang\":\"en\",\"message\":\"%s\"}}}]",
        status, message);
    moor_code c = plat_remove(moor_buf_cstr(&path), NULL);
    if (c == MOOR_OK)
        c = plat_create_new(moor_buf_cstr(&path), PLAT_OWNER_ONLY, &f, NULL);
    if (c == MOOR_OK)
        c = plat_append(&f, moor_buf_view(&text), NULL);
    (void)c;
}

static bool has_spoken(const char *folder, uint32_t seq)
{
    struct plat_stat st;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/status/%u.status", folder, (unsigned)seq);
    return plat_stat_path(moor_buf_cstr(&path), &st, NULL) == MOOR_OK && st.size > 0;
}

static int enable(const char *folder, uint32_t seq)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    uint32_t last = 0;
    moor_buf_fmt(&path, "%s/mrseq", folder);
    bool any = plat_read_all(moor_buf_cstr(&path), 64, &text, NULL) == MOOR_OK &&
               moor_parse_u32(moor_buf_view(&text), 0, SEQS, &last, NULL) == MOOR_OK;
    if (any && last >= seq) {
        if (!has_spoken(folder, seq))
            say(folder, seq, "error", INTERRUPTED);
        return 0;
    }
    moor_buf_reset(&text);
    moor_buf_fmt(&text, "%u", (unsigned)seq);
    if (plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, NULL) !=
        MOOR_OK)
        return 1;
    MOOR_ASSERT(seq < SEQS);
    world.ran[seq]++;
    say(folder, seq, "success", "done");
    return 0;
}

static uint32_t seq_of(const char *const *env)
{
    static const char name[] = "ConfigSequenceNumber=";
    uint32_t seq = UINT32_MAX;
    for (; *env; env++)
        if (strncmp(*env, name, sizeof(name) - 1) == 0)
            (void)!moor_parse_u32(moor_span_str(*env + sizeof(name) - 1), 0, SEQS, &seq, NULL);
    return seq;
}

/* A command of the handler; returns its exit code. */
static int give(const char *line, const char *folder, const char *const *env)
{
    const char *verb = strrchr(line, ' ') + 1;
    MOOR_AUTO(moor_buf) program = MOOR_BUF(4096);
    int code = 0;
    moor_buf_fmt(&program, "%s/bin/run", folder);
    fake_disk_spare(true);              /* the handler's own failures are not the manager's, */
    fake_disk_uncounted(world.powered); /* nor is its end when only the manager is killed */
    if (!plat_exists(moor_buf_cstr(&program)))
        code = 127;
    else if (strcmp(verb, "enable") == 0)
        code = enable(folder, seq_of(env));
    fake_disk_spare(false);
    fake_disk_uncounted(false);
    return code;
}

struct moor_child {
    struct later *end;
    struct plat_process process;
};
struct ending {
    struct later later;
    struct moor_child *child;
    struct moor_child_result result;
    moor_child_fn fn;
    void *ctx;
};

static void end_child(struct later *l)
{
    struct ending *e = (struct ending *)l;
    e->child->end = NULL;
    e->fn(e->ctx, &e->result);
}

moor_code moor_child_start(struct moor_loop *l, const struct moor_child_opts *opts,
                           moor_child_fn fn, void *ctx, struct moor_child **out,
                           struct moor_error *err)
{
    if (fake_disk_dead())
        return moor_fail(err, MOOR_E_IO, "the machine is off");
    struct moor_child *c = calloc(1, sizeof(*c));
    struct ending *e = calloc(1, sizeof(*e));
    MOOR_ASSERT(c && e);
    c->process.pid = 4711;
    e->later.fn = end_child;
    e->child = c;
    e->fn = fn;
    e->ctx = ctx;
    e->result.how.code = give(opts->spawn.argv[2], opts->spawn.cwd, opts->spawn.env);
    c->end = &e->later;
    moor_loop_post(l, run_later, e);
    *out = c;
    return MOOR_OK;
}

const struct plat_process *moor_child_process(const struct moor_child *c)
{
    return &c->process;
}

void moor_child_free(struct moor_child *c)
{
    if (c && c->end)
        c->end->gone = true;
    free(c);
}

void moor_children_drop(struct moor_loop *l);
void moor_children_drop(struct moor_loop *l)
{
    (void)l;
}

moor_code plat_process_identify(int64_t pid, struct plat_process_id *out, struct moor_error *err)
{
    (void)err;
    *out = (struct plat_process_id){ pid, 1 };
    return MOOR_OK;
}

bool plat_process_alive(const struct plat_process_id *id)
{
    (void)id;
    return false; /* what was started has ended, or the machine was off */
}

void plat_process_kill_tree_id(const struct plat_process_id *id)
{
    (void)id;
}

bool plat_host_reboot_pending(void)
{
    return false;
}

/* The service manager: it outlives the manager, and a unit is kept until it is told to forget it.
 */
struct service {
    char name[200];
    int code;
};
static struct {
    struct service kept[16];
    size_t count;
    unsigned given; /* commands in all */
} services;
struct moor_units {
    struct moor_loop *loop;
};
struct moor_unit {
    struct later *end;
};
struct unit_end {
    struct later later;
    struct moor_unit *unit;
    struct moor_unit_result result;
    moor_unit_fn fn;
    void *ctx;
};

static struct service *find_service(const char *name)
{
    for (size_t n = 0; n < services.count; n++)
        if (strcmp(services.kept[n].name, name) == 0)
            return &services.kept[n];
    return NULL;
}

static void end_unit(struct later *l)
{
    struct unit_end *e = (struct unit_end *)l;
    e->unit->end = NULL;
    e->fn(e->ctx, &e->result);
}

moor_code moor_units_new(struct moor_loop *l, struct moor_units **out, struct moor_error *err)
{
    (void)err;
    *out = calloc(1, sizeof(**out));
    MOOR_ASSERT(*out);
    (*out)->loop = l;
    return MOOR_OK;
}

void moor_units_free(struct moor_units *u)
{
    free(u);
}

moor_code moor_unit_start(struct moor_units *u, const char *name,
                          const struct plat_unit_spawn *spawn, uint64_t timeout_ms, moor_unit_fn fn,
                          void *ctx, struct moor_unit **out, struct moor_error *err)
{
    struct service *s = find_service(name);
    (void)timeout_ms;
    if (fake_disk_dead())
        return moor_fail(err, MOOR_E_IO, "the machine is off");
    if (spawn && !s) {
        MOOR_ASSERT(services.count < MOOR_COUNTOF(services.kept));
        s = &services.kept[services.count++];
        (void)snprintf(s->name, sizeof(s->name), "%s", name);
        s->code = give(spawn->argv[2], spawn->cwd, spawn->env);
        services.given++;
    }
    struct moor_unit *unit = calloc(1, sizeof(*unit));
    struct unit_end *e = calloc(1, sizeof(*e));
    MOOR_ASSERT(unit && e);
    e->later.fn = end_unit;
    e->unit = unit;
    e->fn = fn;
    e->ctx = ctx;
    e->result.absent = !s;
    e->result.how.code = s ? s->code : 0;
    unit->end = &e->later;
    moor_loop_post(u->loop, run_later, e);
    *out = unit;
    return MOOR_OK;
}

void moor_unit_free(struct moor_unit *unit)
{
    if (unit && unit->end)
        unit->end->gone = true;
    free(unit);
}

void moor_units_forget(struct moor_units *u, const char *name)
{
    struct service *s = find_service(name);
    (void)u;
    if (s && !fake_disk_dead())
        *s = services.kept[--services.count];
}

void moor_units_limit(struct moor_units *u, const char *slice, const struct plat_limits *limits)
{
    (void)u;
    (void)slice;
    (void)limits;
}

void moor_units_forget_slice(struct moor_units *u, const char *slice)
{
    (void)u;
    (void)slice;
}

bool plat_slice_usage(const char *slice, struct plat_usage *out)
{
    (void)slice;
    (void)out;
    return false;
}

moor_code plat_group_set(const char *name, const struct plat_limits *limits, struct moor_error *err)
{
    (void)name;
    (void)limits;
    return moor_fail(err, MOOR_E_UNSUPPORTED, "no groups here");
}

const char *plat_group_kind(void)
{
    return NULL;
}

bool plat_group_usage(const char *name, struct plat_usage *out)
{
    (void)name;
    (void)out;
    return false;
}

void plat_group_remove(const char *name)
{
    (void)name;
}

/* The service. */
struct moor_link {
    struct moor_http_transport transport;
};
struct moor_http_call {
    struct later later;
    moor_http_done_fn done;
    void *ctx;
    struct moor_error err;
};

static void answer(struct later *l)
{
    struct moor_http_call *call = (struct moor_http_call *)l;
    const struct moor_http_response r = { .status = 200 };
    call->done(call->ctx, call->err.code == MOOR_OK ? &r : NULL, &call->err);
}

static moor_code send_package(struct moor_http_transport *t, const struct moor_http_request *req,
                              moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                              struct moor_error *err)
{
    struct moor_http_call *call = calloc(1, sizeof(*call));
    (void)t;
    (void)err;
    MOOR_ASSERT(call && req->offset <= world.zip.len);
    call->later.fn = answer;
    call->done = done;
    call->ctx = ctx;
    moor_code c = plat_write_at(
        req->sink, req->offset,
        moor_span(world.zip.data + req->offset, world.zip.len - (size_t)req->offset), &call->err);
    (void)c;
    moor_loop_post(world.loop, run_later, call);
    *out = call;
    return MOOR_OK;
}

static void cancel_package(struct moor_http_transport *t, struct moor_http_call *call)
{
    (void)t;
    if (call)
        call->later.gone = true;
}

static struct moor_link the_link = { { send_package, cancel_package } };

void moor_link_refresh(struct moor_manager *m)
{
    m->link = &the_link;
}

void moor_link_free(struct moor_link *l)
{
    (void)l;
}

void moor_link_report(struct moor_link *l)
{
    (void)l;
}

bool moor_link_ready(const struct moor_link *l)
{
    return l != NULL;
}

struct moor_http_transport *moor_link_for(struct moor_link *l, const char *uri,
                                          const struct moor_secret **token)
{
    (void)uri;
    *token = NULL;
    return &l->transport;
}

/* The machine. */
static void shut_down(void)
{
    uint64_t next;
    moor_manager_free(world.m);
    world.m = NULL;
    if (!world.loop)
        return;
    moor_loop_poll(world.loop, &next);
    moor_loop_free(world.loop);
    world.loop = NULL;
}

static bool boot(void)
{
    const struct moor_manager_opts opts = { .program = "/mooringd", .services = world.services };
    moor_code c = moor_loop_new(&world.loop, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    if (moor_manager_new(world.loop, &opts, &world.m, NULL) == MOOR_OK)
        return true;
    shut_down();
    return false;
}

static void make_document(struct moor_buf *b, enum stage stage)
{
    moor_buf_fmt(b,
                 "{\"revision\":\"r.%d\",\"extensions\":[{\"name\":\"ext\",\"publisher\":\"P\","
                 "\"type\":\"T\",\"version\":\"%s\",\"state\":\"%s\",\"settingsSeqNo\":%d,"
                 "\"publicSettings\":%s,\"package\":{\"uris\":[\"https://h/p.zip\"],\"size\":%zu,"
                 "\"sha256\":\"%s\"}}],\"dataCollectionRules\":[]}",
                 (int)stage, stages[stage].version, stages[stage].state, (int)stage + 1,
                 stages[stage].settings, world.zip.len, world.sha256);
}

static const struct moor_item *item(void)
{
    return moor_items_find(&world.m->items, "ext");
}

static bool is_there(enum stage stage)
{
    const struct moor_item *i = item();
    if (stage == UNINSTALL)
        return i && i->phase == MOOR_PHASE_UNINSTALLED;
    return i && i->phase == MOOR_PHASE_ENABLED && strcmp(i->version, stages[stage].version) == 0 &&
           i->outcome != MOOR_OUTCOME_GOING_ON;
}

/* The service says what it wants, until it is so, or the disk dies, or patience ends. */
static void want(enum stage stage)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(8192);
    make_document(&text, stage);
    uint64_t end = plat_mono_ms() + PATIENCE_MS;
    bool told = false;
    while (plat_mono_ms() < end && !fake_disk_dead() && !(told && is_there(stage))) {
        if (!told)
            told = moor_manager_take_desired(world.m, moor_buf_view(&text), true, NULL) == MOOR_OK;
        fake_run(world.loop, 1000);
    }
    fake_run(world.loop, 10);
}

/* A machine with its key and settings, switched off. */
static void install_system(void)
{
    static const char settings[] = "{\"schema\":1,\"extensions.signatureRequired\":\"no\"}";
    const char *name = moor_buf_cstr(&world.key_name);
    const struct {
        plat_dir dir;
        const char *format, *name;
        struct moor_span text;
    } files[] = {
        { PLAT_DIR_STATE, "%slocalconfig.json", "", moor_span_str(settings) },
        { PLAT_DIR_GUESTCONFIG, "%smanager/settings-key", "", moor_span_str(name) },
        { PLAT_DIR_HANDLERS, "%s.crt", name, moor_buf_view(&world.crt) },
        { PLAT_DIR_HANDLERS, "%s.prv", name, moor_buf_view(&world.prv) },
    };
    fake_disk_reset();
    memset(world.ran, 0, sizeof(world.ran));
    memset(&services, 0, sizeof(services));
    for (size_t n = 0; n < MOOR_COUNTOF(files); n++) {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
        MOOR_AUTO(moor_buf) folder = MOOR_BUF(4096);
        moor_buf_fmt(&path, "%s/", plat_dir_path(files[n].dir));
        if (*files[n].name)
            moor_buf_fmt(&path, "%s%s", files[n].name, files[n].format + 2);
        else
            moor_buf_str(&path, files[n].format + 2);
        const char *text = moor_buf_cstr(&path);
        moor_buf_add(&folder, text, (size_t)(strrchr(text, '/') - text));
        moor_code c = plat_make_dirs(moor_buf_cstr(&folder), PLAT_OWNER_ONLY, NULL);
        if (c == MOOR_OK)
            c = plat_write_atomic(text, files[n].text, PLAT_OWNER_ONLY, NULL);
        MOOR_ASSERT(c == MOOR_OK);
    }
    fake_disk_settle();
}

/* Making a key takes longer than all the rest: one is made, and every machine gets it. */
static void read_key(plat_dir dir, const char *name, struct moor_buf *out)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(dir, &path, NULL, "%s", name);
    if (c == MOOR_OK)
        c = plat_read_all(path, out->max, out, NULL);
    MOOR_ASSERT(c == MOOR_OK);
}

static void make_world(void)
{
    static const struct entry entries[] = {
        { "HandlerManifest.json", MANIFEST, 0, 0, 0, false },
        { "bin/run", "#!/bin/sh\n", 0, 0, 0, false },
    };
    MOOR_AUTO(moor_buf) name = MOOR_BUF(64);
    if (world.zip.len)
        return;
    moor_log_init("powercut", QUIET);
    make_zip(&world.zip, entries, MOOR_COUNTOF(entries));
    moor_sha256_hex(moor_buf_view(&world.zip), world.sha256);
    fake_clock_set_utc(1795367970000);
    fake_disk_reset();
    bool up = boot();
    MOOR_ASSERT(up);
    shut_down();
    read_key(PLAT_DIR_GUESTCONFIG, "manager/settings-key", &world.key_name);
    moor_buf_fmt(&name, "%s.crt", moor_buf_cstr(&world.key_name));
    read_key(PLAT_DIR_HANDLERS, moor_buf_cstr(&name), &world.crt);
    moor_buf_reset(&name);
    moor_buf_fmt(&name, "%s.prv", moor_buf_cstr(&world.key_name));
    read_key(PLAT_DIR_HANDLERS, moor_buf_cstr(&name), &world.prv);
}

static bool none_left(void *ctx, const char *name, const struct plat_stat *st)
{
    bool *good = ctx;
    if (!st->is_dir)
        return true;
    printf("# %s is left\n", name);
    *good = false;
    return true;
}

/* The end of a stage: what was wanted, or the true reason why not; nothing ran twice. */
static bool check_stage(enum stage stage)
{
    bool good = world.m && is_there(stage);
    const struct moor_item *i = world.m ? item() : NULL;
    for (size_t n = 0; n < SEQS; n++)
        good = good && world.ran[n] <= 1;
    if (good && stage != UNINSTALL)
        good = i->outcome == MOOR_OUTCOME_SUCCEEDED ? world.ran[i->seq] == 1
                                                    : strcmp(i->message, INTERRUPTED) == 0;
    if (good && stage == UNINSTALL) {
        moor_code c = plat_list_dir(plat_dir_path(PLAT_DIR_HANDLERS), none_left, &good, NULL);
        good = good && c == MOOR_OK;
    }
    if (!good && i)
        printf("# phase %s, version %s, seq %u, outcome %d, ran %u %u: %s\n",
               moor_phase_name(i->phase), i->version, (unsigned)i->seq, (int)i->outcome,
               world.ran[0], world.ran[1], i->message);
    return good;
}

/* The life of an extension, with the disk dying once; false: it did not end well. */
static bool live(fake_disk_loss loss)
{
    bool good = true;
    for (int stage = INSTALL; stage < STAGES && good; stage++) {
        if (world.m || boot())
            want((enum stage)stage);
        if (fake_disk_dead()) {
            shut_down();
            fake_disk_cut(loss);
            if (!world.powered)
                services.count = 0;
            if (boot())
                want((enum stage)stage);
        }
        good = check_stage((enum stage)stage);
        if (!good)
            printf("# in stage %d\n", stage);
    }
    shut_down();
    return good;
}

static uint64_t count_steps(void)
{
    install_system();
    bool good = live(FAKE_DISK_KEEPS_ALL);
    CHECK(good);
    return fake_disk_steps();
}

static void cut_before_steps(fake_disk_loss loss, uint64_t stride)
{
    uint64_t steps = count_steps();
    CHECK(steps > 100);
    printf("# %llu steps, loss %d\n", (unsigned long long)steps, (int)loss);
    for (uint64_t step = 1; step <= steps; step += stride) {
        install_system();
        fake_disk_die_before(step);
        if (!CHECK(live(loss)))
            printf("# cut before step %llu\n", (unsigned long long)step);
    }
}

static void a_power_cut_at_any_step_ends_where_it_was_to_end(void)
{
    make_world();
    for (int loss = FAKE_DISK_KEEPS_ALL; loss <= FAKE_DISK_KEEPS_SYNCED; loss++)
        cut_before_steps((fake_disk_loss)loss, 1);
}

static void a_power_cut_ends_services_as_it_ends_children(void)
{
    make_world();
    world.services = true;
    cut_before_steps(FAKE_DISK_KEEPS_SYNCED, 3); /* the disk's part is the same */
    world.services = false;
}

/* kill -9: the next manager learns of each service how it ended, and gives no command twice but
 * enable, which it gives once of its own. */
static void a_manager_killed_at_any_step_gives_no_service_twice(void)
{
    make_world();
    world.services = world.powered = true;
    uint64_t steps = count_steps();
    unsigned given = services.given;
    CHECK(given > 5);
    for (uint64_t step = 1; step <= steps; step++) {
        install_system();
        fake_disk_die_before(step);
        if (!CHECK(live(FAKE_DISK_KEEPS_ALL)) || !CHECK(services.given <= given + 1) ||
            !CHECK(services.given >= given) || !CHECK_INT(services.count, 0))
            printf("# killed before step %llu\n", (unsigned long long)step);
    }
    world.services = world.powered = false;
}

static void a_disk_that_refuses_at_any_step_loses_nothing(void)
{
    make_world();
    uint64_t steps = count_steps();
    for (uint64_t step = 1; step <= steps; step++) {
        install_system();
        fake_disk_refuse(step);
        bool up = boot();
        if (!up) /* the role ends with the reason, and is started again */
            up = boot();
        if (!CHECK(up && live(FAKE_DISK_KEEPS_ALL)))
            printf("# refused step %llu\n", (unsigned long long)step);
    }
}

static void the_end(void)
{
    fake_disk_reset();
    moor_buf_drop(&world.zip);
    moor_buf_drop(&world.key_name);
    moor_buf_drop(&world.crt);
    moor_buf_drop(&world.prv);
}

static void nothing_is_left_of_the_world(void)
{
    the_end();
    CHECK_INT(world.zip.len, 0);
}

ROOTED_MAIN(CHECK_TEST(a_power_cut_at_any_step_ends_where_it_was_to_end),
            CHECK_TEST(a_power_cut_ends_services_as_it_ends_children),
            CHECK_TEST(a_manager_killed_at_any_step_gives_no_service_twice),
            CHECK_TEST(a_disk_that_refuses_at_any_step_loses_nothing),
            CHECK_TEST(nothing_is_left_of_the_world))
