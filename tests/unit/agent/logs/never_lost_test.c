/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole forwarder on a pretended disk, clock and network: numbered lines, and everything that
 * can go wrong between them and the service. With MOOR_TEST_FULL all of the lines, from the seed
 * in MOOR_TEST_SEED or a new one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fake_clock.h"
#include "fake_disk.h"
#include "http/client.h"
#include "logs/forwarder.h"
#include "logs/ledger.h"
#include "logs/pack.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/random.h"
#include "platform/self.h"
#include "rooted.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

#define LOGS      "/var/log/numbers"
#define LINES_MAX 489925u
#define DIGITS    7
#define MINUTE    ((uint64_t)60 * 1000)
#define NEVER     UINT64_MAX

/* What the service does with a request. */
static const struct fate {
    int status;
    moor_code code; /* without an answer */
    bool takes;
    bool by_size; /* only when there are more rows than a limit, else they are taken */
} fates[] = {
    { 204, MOOR_OK, true, false },        { 413, MOOR_OK, false, true },
    { 400, MOOR_OK, false, true },        { 401, MOOR_OK, false, false },
    { 403, MOOR_OK, false, false },       { 404, MOOR_OK, false, false },
    { 429, MOOR_OK, false, false },       { 500, MOOR_OK, false, false },
    { 503, MOOR_OK, false, false },       { 0, MOOR_E_TRANSIENT, false, false },
    { 0, MOOR_E_TIMEOUT, false, false },  { 0, MOOR_E_DENIED, false, false }, /* its certificate */
    { 0, MOOR_E_TRANSIENT, true, false }, /* it took them, and closed before it said so */
};
#define GOOD (&fates[0])
#define DOWN (&fates[9])

static struct {
    struct moor_loop *loop;
    struct moor_forwarder *f;
    uint64_t death; /* the step before which the disk dies; 0 = it does not */
    uint32_t random;
    const struct fate *always; /* NULL: by chance */
    uint32_t written, generation;
    bool came[LINES_MAX];
    uint32_t taken, repeated;
    uint32_t delivered; /* since the last start */
    uint32_t biggest;   /* rows of a body */
    uint32_t unsaid;    /* bodies taken without an answer */
} world;

static uint32_t chance(uint32_t below)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 17;
    world.random ^= world.random << 5;
    return world.random % below;
}

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
struct job {
    struct later later;
    struct moor_pool *pool;
    void (*work)(void *ctx);
    void (*done)(void *ctx, bool cancelled);
    void *ctx;
};
struct moor_pool {
    struct moor_loop *loop;
    struct job *jobs[64];
    size_t count;
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

/* The network. */
struct moor_http_call {
    struct later later;
    moor_http_done_fn done;
    void *ctx;
    struct moor_buf body;
    const struct fate *fate; /* NULL: the identity role */
};

static bool count_row(void *ctx, uint32_t index, struct moor_span row)
{
    (void)row;
    *(uint32_t *)ctx = index + 1;
    return true;
}

/* The number behind the first text that begins as our lines do. */
static uint32_t number_of(struct moor_span row)
{
    static const char before[] = "\"line ";
    uint32_t n = LINES_MAX;
    while (row.n > sizeof(before) && !moor_span_starts(row, before)) {
        row.p++;
        row.n--;
    }
    MOOR_ASSERT(row.n > sizeof(before) + DIGITS);
    moor_code c =
        moor_parse_u32(moor_span(row.p + sizeof(before) - 1, DIGITS), 0, LINES_MAX - 1, &n, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    return n;
}

static bool take_row(void *ctx, uint32_t index, struct moor_span row)
{
    bool *came = &world.came[number_of(row)];
    (void)ctx;
    (void)index;
    world.taken += !*came;
    world.repeated += *came;
    world.delivered++;
    *came = true;
    return true;
}

static void give_token(struct moor_http_call *call)
{
    const struct moor_error none = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(256);
    /* It is good for ten minutes: five of them are the sender's margin. */
    moor_buf_fmt(&text, "{\"access_token\":\"t\",\"expires_on\":%lld}",
                 (long long)(plat_utc_ms() / 1000 + 600));
    const struct moor_http_response r = { .status = 200, .body = moor_buf_view(&text) };
    call->done(call->ctx, &r, &none);
}

static void answer(struct later *l)
{
    struct moor_http_call *call = (struct moor_http_call *)l;
    /* A machine that is off hears nothing, and what it sends does not arrive. */
    const struct fate *fate = call->fate && fake_disk_dead() ? DOWN : call->fate;
    struct moor_error e = MOOR_ERROR_INIT;
    uint32_t rows = 0;
    if (!fate) {
        give_token(call);
    } else {
        CHECK_INT(moor_pack_each(moor_buf_view(&call->body), count_row, &rows, NULL), MOOR_OK);
        world.biggest = rows > world.biggest ? rows : world.biggest;
        bool spared = fate->by_size && rows <= 1 + chance(2000);
        if (fate->takes || spared)
            CHECK_INT(moor_pack_each(moor_buf_view(&call->body), take_row, NULL, NULL), MOOR_OK);
        world.unsaid += fate->takes && fate->code != MOOR_OK;
        const struct moor_http_response r = { .status = spared ? 204 : fate->status,
                                              .retry_after_ms = fate->status == 429 ? 7000 : 0 };
        if (fate->code != MOOR_OK)
            (void)!moor_fail(&e, fate->code, "as told");
        call->done(call->ctx, fate->code == MOOR_OK ? &r : NULL, &e);
    }
    moor_buf_drop(&call->body);
}

static moor_code send(struct moor_http_transport *t, const struct moor_http_request *req,
                      moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                      struct moor_error *err)
{
    struct moor_http_call *call = calloc(1, sizeof(*call));
    (void)t;
    (void)err;
    MOOR_ASSERT(call);
    *call = (struct moor_http_call){ { answer, false }, done, ctx, MOOR_BUF(1 << 24), NULL };
    if (!req->unix_socket) {
        moor_buf_span(&call->body, req->body);
        call->fate = world.always ? world.always
                     : chance(3)  ? GOOD
                                  : &fates[chance(MOOR_COUNTOF(fates))];
    }
    moor_loop_post(world.loop, run_later, call);
    *out = call;
    return MOOR_OK;
}

static void cancel(struct moor_http_transport *t, struct moor_http_call *call)
{
    (void)t;
    if (!call)
        return;
    call->later.gone = true;
    moor_buf_drop(&call->body);
}

struct moor_http_client {
    struct moor_http_transport transport;
};

moor_code moor_http_client_new(struct moor_loop *l, const struct moor_http_client_opts *opts,
                               struct moor_http_client **out, struct moor_error *err)
{
    (void)l;
    (void)opts;
    (void)err;
    *out = calloc(1, sizeof(**out));
    MOOR_ASSERT(*out);
    (*out)->transport = (struct moor_http_transport){ send, cancel };
    return MOOR_OK;
}

void moor_http_client_free(struct moor_http_client *c)
{
    free(c);
}

struct moor_http_transport *moor_http_client_transport(struct moor_http_client *c)
{
    return &c->transport;
}

/* The real one opens files, which the pretended disk would not close. */
void plat_host_read(struct plat_host *out)
{
    *out = (struct plat_host){ .hostname = "m" };
}

int64_t plat_local_offset_ms(int64_t utc_ms)
{
    (void)utc_ms;
    return 0;
}

/* Whoever writes the log: what he did is on the disk, and no step of ours. */
static uint64_t others_begin(void)
{
    fake_disk_die_before(0);
    fake_disk_spare(true);
    return fake_disk_steps();
}

static void others_end(uint64_t before)
{
    if (world.death)
        world.death += fake_disk_steps() - before;
    fake_disk_die_before(world.death);
    fake_disk_spare(false);
}

static void write_lines(uint32_t count, uint32_t total)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 24);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    if (fake_disk_dead())
        return;
    uint64_t before = others_begin();
    for (uint32_t end = world.written + count; world.written < end && world.written < total;
         world.written++)
        moor_buf_fmt(&b, "line %0*u %s %08x\n", DIGITS, (unsigned)world.written, text,
                     (unsigned)world.written * 7919);
    CHECK_INT(plat_open(LOGS "/app.log", PLAT_APPEND, &f, NULL), MOOR_OK);
    CHECK_INT(plat_append(&f, moor_buf_view(&b), NULL), MOOR_OK);
    CHECK_INT(plat_sync(&f, NULL), MOOR_OK);
    CHECK_INT(plat_sync_dir(LOGS, NULL), MOOR_OK);
    others_end(before);
}

static void rotate(void)
{
    char to[sizeof(LOGS) + 32];
    if (fake_disk_dead() || !plat_exists(LOGS "/app.log"))
        return;
    uint64_t before = others_begin();
    (void)snprintf(to, sizeof(to), LOGS "/app.log.%u", (unsigned)++world.generation);
    CHECK_INT(plat_rename(LOGS "/app.log", to, NULL), MOOR_OK);
    CHECK_INT(plat_sync_dir(LOGS, NULL), MOOR_OK);
    others_end(before);
}

/* A new machine. */

static void install(plat_dir dir, const char *name, const char *text)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(dir, &path, NULL, "%s", name);
    if (c == MOOR_OK) {
        char *slash = strrchr(path, '/');
        *slash = '\0';
        c = plat_make_dirs(path, PLAT_WORLD_READ, NULL);
        *slash = '/';
    }
    if (c == MOOR_OK)
        c = plat_write_atomic(path, moor_span_str(text), PLAT_WORLD_READ, NULL);
    MOOR_ASSERT(c == MOOR_OK);
}

#define URL  "https://logs.test"
#define ZERO "00000000-0000-0000-0000-00000000000"

static void new_machine(void)
{
    fake_disk_reset();
    fake_clock_set_utc(1795367970000);
    uint32_t random = world.random;
    memset(&world, 0, sizeof(world));
    world.random = random;
    world.always = GOOD;
    moor_log_init("never_lost", (moor_log_level)0);
    install(PLAT_DIR_ETC, "clouds.d/Paper.json",
            "{\"schema\":1,\"name\":\"Paper\",\"resourceManager\":\"" URL
            "\",\"loginEndpoint\":\"" URL "\",\"tokenEndpoint\":\"" URL
            "/token\",\"armAudience\":\"" URL "\",\"hisEndpoint\":\"" URL
            "\",\"serviceAudience\":\"x\",\"hostSuffixes\":[]}");
    install(
        PLAT_DIR_STATE, "agentconfig.json",
        "{\"schema\":1,\"cloud\":\"Paper\",\"tenantId\":\"" ZERO "1\",\"subscriptionId\":\"" ZERO
        "2\",\"resourceGroup\":\"g\",\"resourceName\":\"m\",\"location\":\"local\","
        "\"resourceId\":\"/subscriptions/x\",\"vmId\":\"" ZERO "3\",\"identityMode\":\"mooring\"}");
    install(PLAT_DIR_LIB, "rules.d/a.json",
            "{\"schema\":1,\"id\":\"/x\",\"immutableId\":\"dcr-0123456789abcdef0123456789abcdef\","
            "\"endpoint\":\"" URL "\",\"properties\":{\"dataSources\":{\"logFiles\":[{\"name\":"
            "\"app\",\"streams\":[\"Custom-App\"],\"format\":\"text\",\"filePatterns\":[\"" LOGS
            "/app.log\"]}]},\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\"}]},\"dataFlows\":"
            "[{\"streams\":[\"Custom-App\"],\"destinations\":[\"ws\"]}]}}");
    CHECK_INT(plat_make_dirs(LOGS, PLAT_WORLD_READ, NULL), MOOR_OK);
    fake_disk_settle();
}

/* False: this machine cannot start now. */
static bool boot(void)
{
    const struct moor_forwarder_opts opts = { .queue_max = 0 };
    world.delivered = 0;
    moor_code c = moor_loop_new(&world.loop, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    struct moor_error e = MOOR_ERROR_INIT;
    if (moor_forwarder_new(world.loop, &opts, &world.f, &e) == MOOR_OK)
        return true;
    if (!fake_disk_dead())
        printf("# no start: %s\n", e.msg);
    moor_loop_free(world.loop);
    return false;
}

static void shut_down(void)
{
    uint64_t next = 0;
    moor_forwarder_free(world.f);
    world.f = NULL;
    moor_loop_poll(world.loop, &next);
    moor_loop_free(world.loop);
}

/* Without warning: nothing gets to the disk any more. */
static void die(fake_disk_loss loss)
{
    fake_disk_die_before(1);
    shut_down();
    fake_disk_cut(loss);
    world.death = 0;
}

static void look_and_run(uint64_t ms)
{
    moor_forwarder_reload(world.f);
    fake_run(world.loop, ms);
}

static void note_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void stop(void)
{
    bool stopped = false;
    moor_forwarder_stop(world.f, note_stopped, &stopped);
    fake_run(world.loop, 5000);
    CHECK(stopped);
    shut_down();
}

/* received = acknowledged, and nothing else, says the last document. */
static bool is_accounted(uint32_t total)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 24);
    MOOR_AUTOSTR folder = NULL;
    struct moor_ledger l;
    struct moor_positions *docs = NULL;
    struct moor_log_counts counts = { 0 };
    size_t n = 0;
    moor_code c = plat_path(PLAT_DIR_LIB, &folder, NULL, "logs");
    if (c == MOOR_OK)
        c = moor_ledger_init(&l, folder, NULL);
    if (c != MOOR_OK || moor_ledger_read(&l, &docs, &n, &arena, NULL) != MOOR_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if (docs[i].flows.count > 0)
            counts = ((const struct moor_flow_record *)docs[i].flows.items)->counts;
    moor_ledger_drop(&l);
    if (counts.received == total && counts.acknowledged == total && counts.queued == 0)
        return true;
    printf("# of %u received %llu, acknowledged %llu, queued %llu, refused %llu, damaged %llu\n",
           (unsigned)total, (unsigned long long)counts.received,
           (unsigned long long)counts.acknowledged, (unsigned long long)counts.queued,
           (unsigned long long)counts.dropped_refused, (unsigned long long)counts.dropped_damaged);
    return false;
}

static bool nothing_lost(uint32_t total)
{
    uint32_t first = 0;
    if (world.taken == total)
        return true;
    while (first < total && world.came[first])
        first++;
    printf("# %u of %u lines came, %u is missing\n", (unsigned)world.taken, (unsigned)total,
           (unsigned)first);
    return false;
}

/* 200 lines, a rotation while the destination is down, two of them while it is up. */
static const struct scene {
    const struct fate *fate;
    uint32_t lines;
    bool rotates;
    uint64_t ms;
} scenes[] = {
    { GOOD, 60, false, 3000 },  { GOOD, 20, true, 500 },         { DOWN, 40, true, 30 * 1000 },
    { DOWN, 30, true, MINUTE }, { GOOD, 30, false, 2 * MINUTE }, { GOOD, 20, true, 10 * MINUTE },
};

static uint32_t scene_lines(size_t scenes_done)
{
    uint32_t n = 0;
    for (size_t i = 0; i < scenes_done; i++)
        n += scenes[i].lines;
    return n;
}

static bool revive(fake_disk_loss loss)
{
    if (!fake_disk_dead())
        return true;
    if (world.f)
        die(loss);
    else
        fake_disk_cut(loss);
    world.death = 0;
    return boot();
}

/* The life of a log file with the disk dying once. */
static bool live(fake_disk_loss loss)
{
    bool good = boot() || revive(loss);
    for (size_t i = 0; i < MOOR_COUNTOF(scenes) && good; i++) {
        world.always = scenes[i].fate;
        if (scenes[i].rotates)
            rotate();
        write_lines(scenes[i].lines, LINES_MAX);
        look_and_run(scenes[i].ms);
        good = revive(loss);
        write_lines(scene_lines(i + 1) - world.written, LINES_MAX);
        if (good)
            look_and_run(1000);
        good = good && revive(loss);
    }
    if (!good)
        return false;
    look_and_run(2 * MINUTE);
    good = revive(loss);
    if (good) {
        look_and_run(2 * MINUTE);
        stop();
    }
    return good;
}

static void a_power_cut_at_any_step_loses_nothing(void)
{
    const uint32_t total = scene_lines(MOOR_COUNTOF(scenes));
    new_machine();
    CHECK(live(FAKE_DISK_KEEPS_ALL) && nothing_lost(total) && is_accounted(total));
    CHECK_INT(world.repeated, 0);
    uint64_t steps = fake_disk_steps();
    CHECK(steps > 60);
    printf("# %llu steps, cut before each in 3 ways\n", (unsigned long long)steps);
    for (int loss = FAKE_DISK_KEEPS_ALL; loss <= FAKE_DISK_KEEPS_SYNCED; loss++) {
        for (uint64_t step = 1; step <= steps; step++) {
            new_machine();
            world.death = step;
            fake_disk_die_before(step);
            bool good = live((fake_disk_loss)loss) && nothing_lost(total) && is_accounted(total);
            if (!CHECK(good && world.repeated <= 2 * world.biggest))
                printf("# cut before step %llu, loss %d: %u came again\n", (unsigned long long)step,
                       loss, (unsigned)world.repeated);
        }
    }
}

static void jump_clock(void)
{
    int64_t by = (int64_t)chance(2u * 24 * 3600) - (int64_t)24 * 3600;
    fake_clock_set_utc(plat_utc_ms() + by * 1000);
}

/* One life between two starts; what may come again because of its end. */
static uint32_t one_life(uint32_t lines, uint32_t total, bool last)
{
    bool full = chance(4) == 0;
    world.always = last ? GOOD : NULL;
    if (chance(2) && !last) {
        world.death = fake_disk_steps() + 1 + chance(120);
        fake_disk_die_before(world.death);
    }
    if (full)
        fake_disk_refuse(fake_disk_steps() + 1 + chance(60));
    for (unsigned turn = 0; turn < 3; turn++) {
        if (chance(8) == 0)
            rotate();
        if (chance(10) == 0)
            jump_clock();
        write_lines(1 + chance(lines), total);
        look_and_run(chance(2000));
    }
    if (chance(40) == 0) {
        world.always = DOWN;
        look_and_run(60 * MINUTE);
    }
    return full ? world.delivered : 0;
}

static void numbered_lines_survive_everything_at_once(void)
{
    const char *seed = plat_environment("MOOR_TEST_SEED");
    bool all = plat_environment("MOOR_TEST_FULL") != NULL;
    uint32_t total = all ? LINES_MAX : 40000, lives = all ? 200 : 40, unwritten = 0;
    if (!seed || moor_parse_u32(moor_span_str(seed), 1, UINT32_MAX, &world.random, NULL) != MOOR_OK)
        world.random = 1 + plat_random_below(UINT32_MAX - 1);
    printf("# seed %u\n", (unsigned)world.random);
    new_machine();
    for (uint32_t life = 0; life < lives; life++) {
        while (!boot())
            continue;
        unwritten += one_life(total / lives, total, false);
        die((fake_disk_loss)chance(3));
    }
    fake_disk_refuse(0);
    CHECK(boot());
    world.always = GOOD;
    write_lines(total, total);
    for (int i = 0; i < 5; i++)
        look_and_run(MINUTE);
    stop();
    printf("# %u lines, %u lives, %u came again, at most %u in a body, %u bodies unsaid\n",
           (unsigned)total, (unsigned)lives, (unsigned)world.repeated, (unsigned)world.biggest,
           (unsigned)world.unsaid);
    CHECK(nothing_lost(total));
    CHECK(is_accounted(total));
    CHECK(world.repeated <= (2 * lives + world.unsaid) * world.biggest + unwritten);
}

static void nothing_is_left_of_the_world(void)
{
    fake_disk_reset();
    CHECK(!world.f);
}

ROOTED_MAIN(CHECK_TEST(a_power_cut_at_any_step_loses_nothing),
            CHECK_TEST(numbered_lines_survive_everything_at_once),
            CHECK_TEST(nothing_is_left_of_the_world))
