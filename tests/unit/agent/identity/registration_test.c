/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/registration.h"

#include "platform/clock.h"
#include "rig.h"
#include "run/pool.h"

#define SIGN_IN "oauth2/v2.0/token"
#define MINUTE  60000ULL
#define PERIOD  (300 * 1000ULL)

static const char discovery[] =
    "{\"hisEndpoint\":\"https://cp.example/his\",\"gasEndpoint\":\"https://cp.example/gas\","
    "\"notificationEndpoint\":\"https://cp.example/notify\","
    "\"ingestionEndpoint\":\"https://cp.example\",\"serverTime\":\"2026-11-22T17:19:30Z\"}";
static const char token[] = "{\"access_token\":\"tok\",\"expires_in\":86400}";
static const char token2[] = "{\"access_token\":\"tok2\",\"expires_in\":86400}";
static const char accepted[] =
    "{\"nextHeartbeatSeconds\":300,\"waitSeconds\":0,\"desiredStateRevision\":\"e.1\","
    "\"sendProperties\":false,\"sendReport\":false,\"rotate\":false,\"upgradeRequired\":false,"
    "\"serverTime\":\"2026-11-22T17:19:30Z\"}";
static const char accepted_rotate[] =
    "{\"nextHeartbeatSeconds\":300,\"waitSeconds\":0,\"desiredStateRevision\":\"e.1\","
    "\"sendProperties\":false,\"sendReport\":false,\"rotate\":true,\"upgradeRequired\":false,"
    "\"serverTime\":\"2026-11-22T17:19:30Z\"}";
static const char accepted_wait[] =
    "{\"nextHeartbeatSeconds\":300,\"waitSeconds\":55,\"desiredStateRevision\":\"e.1\","
    "\"sendProperties\":true,\"sendReport\":true,\"rotate\":false,\"upgradeRequired\":false,"
    "\"serverTime\":\"2026-11-22T17:19:30Z\"}";

struct bench {
    struct rig rig;
    struct moor_pool *pool;
    struct moor_keystore keys;
    struct moor_tokens *tokens;
    struct moor_agentconfig config;
    struct moor_cloud cloud;
    struct moor_settings settings;
    struct moor_registration *reg;
    unsigned changes;
};

static void on_change(void *ctx)
{
    ((struct bench *)ctx)->changes++;
}

static const struct moor_host_cloud no_cloud = { .provider = "" };

static void begin_registration(struct bench *b)
{
    const struct moor_registration_opts opts = {
        .loop = b->rig.loop,
        .pool = b->pool,
        .http = &b->rig.http,
        .config = &b->config,
        .cloud = &b->cloud,
        .settings = &b->settings,
        .keys = &b->keys,
        .tokens = b->tokens,
        .guest_of = &no_cloud,
        .changed = on_change,
        .ctx = b,
    };
    CHECK(moor_registration_new(&opts, &b->reg, NULL) == MOOR_OK);
}

static void open_bench(struct bench *b, bool enrolled)
{
    static const char *const suffixes[] = { "cp.example" };
    *b = (struct bench){ 0 };
    rig_open(&b->rig);
    b->keys = (struct moor_keystore)MOOR_KEYSTORE_INIT;
    b->config = (struct moor_agentconfig){ .cloud = "Test",
                                           .tenant_id = "t",
                                           .location = "here",
                                           .resource_id = RIG_RESOURCE,
                                           .vm_id = RIG_VM_ID };
    b->cloud = (struct moor_cloud){ .name = "Test",
                                    .resource_manager = "https://cp.example",
                                    .login_endpoint = "https://cp.example",
                                    .token_endpoint = "https://cp.example/{tenant}/" SIGN_IN,
                                    .his_endpoint = "https://cp.example/his",
                                    .service_audience = "https://cp.example/mooring-service",
                                    .host_suffixes = { suffixes, 1 } };
    if (enrolled)
        rig_enrol(&b->keys);
    else
        CHECK(moor_keystore_create(&b->keys, rig_key(), RIG_VM_ID, RIG_RESOURCE, NULL) == MOOR_OK);
    const struct moor_pool_opts pool = { .threads = 1 };
    CHECK(moor_pool_new(b->rig.loop, &pool, &b->pool, NULL) == MOOR_OK);
    CHECK(moor_tokens_new(b->rig.loop, &b->tokens, NULL) == MOOR_OK);
    begin_registration(b);
}

static void close_bench(struct bench *b)
{
    moor_registration_free(b->reg);
    moor_tokens_free(b->tokens);
    moor_pool_free(b->pool);
    moor_keystore_drop(&b->keys);
    rig_close(&b->rig);
}

/* The look at the host is real, on a thread: its end is waited for. */
static bool comes(struct bench *b, const char *part)
{
    for (unsigned i = 0; i < 1000 && !rig_find(&b->rig, part); i++)
        moor_loop_turn(b->rig.loop);
    return CHECK(rig_find(&b->rig, part) != NULL);
}

/* Moves to the next request whose URL holds part; how long that took. */
static uint64_t passes_until(struct bench *b, const char *part, uint64_t limit_ms)
{
    uint64_t start = plat_mono_ms();
    while (!rig_find(&b->rig, part) && plat_mono_ms() - start < limit_ms)
        fake_run(b->rig.loop, 1000);
    CHECK(rig_find(&b->rig, part) != NULL);
    return plat_mono_ms() - start;
}

/* From a machine with a certificate to its first accepted beat. */
static void first_beat(struct bench *b, const char *reply)
{
    CHECK(moor_registration_now(b->reg, NULL, NULL, NULL) == MOOR_OK);
    CHECK(comes(b, "/his/discovery"));
    CHECK(rig_answer(&b->rig, "/his/discovery", 200, discovery));
    CHECK(rig_answer(&b->rig, SIGN_IN, 200, token));
    CHECK(rig_answer(&b->rig, "/heartbeat", 200, reply));
}

/* The service answers the certificate call with one for this key. */
static void answer_certificate(struct bench *b, const struct moor_key *key)
{
    MOOR_AUTO(moor_buf) reply = MOOR_BUF(8192);
    moor_buf_fmt(&reply,
                 "{\"certificates\":[\"%s\"],\"clientId\":\"" RIG_CLIENT_ID "\","
                 "\"principalId\":\"" RIG_CLIENT_ID "\",\"tenantId\":\"" RIG_CLIENT_ID "\","
                 "\"notAfter\":\"2027-02-20T17:19:30Z\",\"renewAfter\":\"2027-01-06T17:19:30Z\"}",
                 rig_certificate(key));
    CHECK(rig_answer(&b->rig, "/certificate", 200, moor_buf_cstr(&reply)));
}

static void on_done(void *ctx, const struct moor_error *err)
{
    *(struct moor_error *)ctx = *err;
    if (!err->code)
        (void)snprintf(((struct moor_error *)ctx)->msg, 8, "done");
}

static void connect_gets_a_certificate_and_beats_at_once(void)
{
    struct bench b;
    struct moor_error heard = MOOR_ERROR_INIT;
    open_bench(&b, false);
    CHECK(moor_registration_now(b.reg, on_done, &heard, NULL) == MOOR_OK);
    CHECK(comes(&b, "/his/discovery?api-version=2026-11-01&location=here"));
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    struct moor_http_call *call = rig_find(&b.rig, "/his/machines/" RIG_VM_ID "/certificate");
    CHECK(call && strstr(call->body, "\"csr\":") && strstr(call->body, "\"proof\":"));

    answer_certificate(&b, b.keys.key);
    CHECK(b.keys.cert != NULL);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, token));
    call = rig_find(&b.rig, "/heartbeat");
    CHECK(call && strstr(call->body, "\"sequence\":1,"));
    CHECK_STR(call ? call->bearer : "", "tok");
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted));
    CHECK_STR(heard.msg, "done");
    CHECK_STR(moor_registration_state(b.reg)->revision, "e.1");
    uint64_t passed = passes_until(&b, "/heartbeat", 2 * PERIOD);
    CHECK(passed >= PERIOD * 9 / 10 && passed <= PERIOD * 11 / 10 + 1000);
    close_bench(&b);
}

static void restarted_machine_beats_within_one_period_and_not_at_once(void)
{
    struct bench b;
    open_bench(&b, true);
    uint64_t first = moor_beat_first_ms(RIG_VM_ID, 300);
    fake_run(b.rig.loop, first - 1);
    CHECK_INT(b.rig.sent, 0);
    fake_run(b.rig.loop, 1);
    CHECK(comes(&b, "/discovery"));
    close_bench(&b);
}

static void failed_beat_is_repeated_with_its_number(void)
{
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted);
    (void)passes_until(&b, "/heartbeat", 2 * PERIOD);
    char body[16384];
    (void)snprintf(body, sizeof(body), "%s", rig_find(&b.rig, "/heartbeat")->body);
    CHECK(strstr(body, "\"sequence\":2,") != NULL);
    CHECK(rig_answer(&b.rig, "/heartbeat", 0, ""));
    CHECK_INT(moor_registration_state(b.reg)->error.code, MOOR_E_TRANSIENT);
    uint64_t passed = passes_until(&b, "/heartbeat", PERIOD);
    CHECK(passed >= MINUTE && passed <= 2 * MINUTE);
    CHECK_STR(rig_find(&b.rig, "/heartbeat")->body, body);
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted));
    CHECK_INT(moor_registration_state(b.reg)->error.code, MOOR_OK);
    (void)passes_until(&b, "/heartbeat", 2 * PERIOD);
    CHECK(strstr(rig_find(&b.rig, "/heartbeat")->body, "\"sequence\":3,") != NULL);
    close_bench(&b);
}

static void refused_token_is_replaced_once(void)
{
    static const char no[] = "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}";
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted);
    (void)passes_until(&b, "/heartbeat", 2 * PERIOD);
    CHECK(rig_answer(&b.rig, "/heartbeat", 401, no));
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, token2));
    CHECK_STR(rig_find(&b.rig, "/heartbeat")->bearer, "tok2");
    CHECK(rig_answer(&b.rig, "/heartbeat", 401, no));
    CHECK(rig_find(&b.rig, SIGN_IN) == NULL); /* not again at once */
    CHECK(passes_until(&b, "/heartbeat", PERIOD) >= MINUTE);
    close_bench(&b);
}

static void wrong_region_is_discovered_again_once(void)
{
    static const char wrong[] = "{\"error\":{\"code\":\"WrongRegion\"}}";
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted);
    (void)passes_until(&b, "/heartbeat", 2 * PERIOD);
    CHECK(rig_answer(&b.rig, "/heartbeat", 421, wrong));
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    CHECK(rig_answer(&b.rig, "/heartbeat", 421, wrong));
    CHECK(rig_find(&b.rig, "/discovery") == NULL);
    close_bench(&b);
}

static void certificate_of_a_wrong_region_is_asked_for_in_the_right_one(void)
{
    static const char wrong[] = "{\"error\":{\"code\":\"WrongRegion\"}}";
    struct bench b;
    open_bench(&b, false);
    CHECK(comes(&b, "/his/discovery"));
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    CHECK(rig_answer(&b.rig, "/certificate", 421, wrong));
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    answer_certificate(&b, b.keys.key);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, token));
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted));
    close_bench(&b);
}

static void service_that_does_not_answer_for_long_is_discovered_again(void)
{
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted);
    unsigned silent = 0;
    while (silent < 20 && !rig_find(&b.rig, "/discovery")) {
        fake_run(b.rig.loop, 1000);
        silent += rig_answer(&b.rig, "/heartbeat", 0, "");
    }
    CHECK_INT(silent, 13);
    (void)passes_until(&b, "/discovery", 2 * PERIOD);
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted));
    close_bench(&b);
}

static void endpoints_outside_the_cloud_are_refused(void)
{
    struct bench b;
    open_bench(&b, true);
    CHECK(moor_registration_now(b.reg, NULL, NULL, NULL) == MOOR_OK);
    CHECK(comes(&b, "/his/discovery"));
    CHECK(rig_answer(&b.rig, "/discovery", 200,
                     "{\"hisEndpoint\":\"https://cp.example.evil.test/his\","
                     "\"gasEndpoint\":\"https://cp.example/gas\","
                     "\"notificationEndpoint\":\"https://cp.example/notify\","
                     "\"ingestionEndpoint\":\"https://cp.example\","
                     "\"serverTime\":\"2026-11-22T17:19:30Z\"}"));
    CHECK_INT(moor_registration_state(b.reg)->error.code, MOOR_E_DENIED);
    CHECK(rig_find(&b.rig, SIGN_IN) == NULL);
    close_bench(&b);
}

static void skewed_clock_is_corrected_for_proofs(void)
{
    struct bench b;
    open_bench(&b, false);
    CHECK(comes(&b, "/his/discovery"));
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery));
    char first[16384];
    (void)snprintf(first, sizeof(first), "%s", rig_find(&b.rig, "/certificate")->body);
    CHECK(
        rig_answer(&b.rig, "/certificate", 403,
                   "{\"error\":{\"code\":\"ClockSkew\"},\"serverTime\":\"2026-11-22T20:00:00Z\"}"));
    CHECK(rig_find(&b.rig, "/certificate") && /* at once, with another proof */
          !moor_streq(rig_find(&b.rig, "/certificate")->body, first));
    CHECK(
        rig_answer(&b.rig, "/certificate", 403,
                   "{\"error\":{\"code\":\"ClockSkew\"},\"serverTime\":\"2026-11-22T20:00:00Z\"}"));
    CHECK(rig_find(&b.rig, "/certificate") == NULL); /* once is enough */
    CHECK_STR(moor_registration_state(b.reg)->error.service_code, "ClockSkew");
    close_bench(&b);
}

static void properties_and_wait_follow_the_answer(void)
{
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted_wait);
    struct moor_http_call *wait = rig_find(&b.rig, "/notify/machines/" RIG_VM_ID "/wait");
    CHECK(wait && strstr(wait->url, "revision=e.1&seconds=55"));
    struct moor_http_call *put = rig_find(&b.rig, "/properties");
    CHECK(put && moor_streq(put->method, "PUT") && strstr(put->body, "\"osType\":\"linux\""));
    CHECK(rig_answer(&b.rig, "/properties", 200, "{}"));
    CHECK(moor_registration_state(b.reg)->report_wanted);
    moor_registration_hashes(b.reg, NULL, "abc");
    CHECK(!moor_registration_state(b.reg)->report_wanted);

    fake_run(b.rig.loop, 20000);
    unsigned changes = b.changes;
    CHECK(rig_answer(&b.rig, "/wait", 200, "{\"revision\":\"e.2\"}"));
    CHECK_INT(b.changes, changes + 1);
    CHECK_STR(moor_registration_state(b.reg)->revision, "e.2");
    CHECK(strstr(rig_find(&b.rig, "/wait")->url, "revision=e.2") != NULL);
    close_bench(&b);
}

static void wait_that_somebody_else_ends_is_not_repeated_at_once(void)
{
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted_wait);
    CHECK(rig_answer(&b.rig, "/properties", 200, "{}"));
    CHECK(rig_answer(&b.rig, "/wait", 204, ""));
    CHECK(rig_find(&b.rig, "/wait") == NULL);
    const uint64_t first = passes_until(&b, "/wait", PERIOD);
    CHECK(first >= 1000 && first <= 2000); /* told in whole seconds */
    CHECK(rig_answer(&b.rig, "/wait", 204, ""));
    CHECK(passes_until(&b, "/wait", PERIOD) >= 2000); /* longer each time */
    fake_run(b.rig.loop, 56000);
    CHECK(rig_answer(&b.rig, "/wait", 204, "")); /* its time was over */
    CHECK(rig_find(&b.rig, "/wait") != NULL);
    close_bench(&b);
}

static void clone_stops_its_tokens_on_the_second_verdict(void)
{
    static const char cloned[] = "{\"error\":{\"code\":\"IdentityCloned\"}}";
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted);
    (void)passes_until(&b, "/heartbeat", 2 * PERIOD);
    CHECK(rig_answer(&b.rig, "/heartbeat", 409, cloned));
    CHECK_INT(moor_registration_state(b.reg)->standing, MOOR_STANDING_GOOD);
    CHECK(passes_until(&b, "/heartbeat", 2 * PERIOD) >= PERIOD);
    CHECK(rig_answer(&b.rig, "/heartbeat", 409, cloned));
    CHECK_INT(moor_registration_state(b.reg)->standing, MOOR_STANDING_CLONED);
    MOOR_AUTOSTR cache = NULL;
    CHECK(plat_path(PLAT_DIR_CERTS, &cache, NULL, "tokens.cache") == MOOR_OK);
    CHECK(!plat_exists(cache));
    close_bench(&b);
}

static void certificate_is_renewed_in_the_day_after_its_half(void)
{
    struct bench b;
    open_bench(&b, true);
    fake_clock_set_utc(RIG_T0 + 44 * RIG_DAY_MS);
    first_beat(&b, accepted);
    fake_clock_set_utc(RIG_T0 + 46 * RIG_DAY_MS);
    (void)passes_until(&b, "/certificate", 2 * PERIOD);
    CHECK(rig_answer(&b.rig, "/certificate", 0, "")); /* the old one is good: the beat goes on */
    (void)rig_answer(&b.rig, SIGN_IN, 200, token);
    CHECK(rig_find(&b.rig, "/heartbeat") != NULL);
    close_bench(&b);
}

static void restart_goes_on_with_number_and_wait(void)
{
    struct bench b;
    open_bench(&b, true);
    first_beat(&b, accepted_wait);
    CHECK(rig_answer(&b.rig, "/properties", 200, "{}"));
    moor_registration_free(b.reg);
    begin_registration(&b);
    CHECK_STR(moor_registration_state(b.reg)->revision, "e.1");
    CHECK(moor_registration_state(b.reg)->last_beat_ms != 0);
    CHECK(rig_answer(&b.rig, "/discovery", 200, discovery)); /* before any beat is due */
    CHECK(rig_find(&b.rig, "/wait") != NULL);
    CHECK(moor_registration_now(b.reg, NULL, NULL, NULL) == MOOR_OK);
    CHECK(comes(&b, "/heartbeat"));
    CHECK(strstr(rig_find(&b.rig, "/heartbeat")->body, "\"sequence\":2,") != NULL);
    close_bench(&b);
}

/* A machine told to rotate, up to the answer of the new key's first sign-in. */
static struct moor_key *rotate_until_first_use(struct bench *b)
{
    open_bench(b, true);
    first_beat(b, accepted_rotate);
    fake_run(b->rig.loop, PERIOD * 11 / 10);
    CHECK(comes(b, "/certificate"));
    CHECK(b->keys.next_key && !moor_key_same_public(b->keys.next_key, b->keys.key));
    answer_certificate(b, b->keys.next_key);
    CHECK(b->keys.next_cert != NULL);
    CHECK(rig_find(&b->rig, SIGN_IN) != NULL);
    return moor_key_ref(b->keys.next_key);
}

static void rotation_replaces_the_key_after_its_first_use(void)
{
    struct bench b;
    MOOR_AUTOPTR(moor_key) next = rotate_until_first_use(&b);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, token2));
    CHECK(moor_key_same_public(b.keys.key, next));
    CHECK(b.keys.next_key == NULL && b.keys.cert != NULL);
    CHECK_STR(rig_find(&b.rig, "/heartbeat")->bearer, "tok2");
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted));
    MOOR_AUTO(moor_keystore) read = MOOR_KEYSTORE_INIT;
    CHECK(moor_keystore_load(&read, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(read.key, next) && read.cert && !read.next_key);
    close_bench(&b);
}

static void rotation_that_is_refused_leaves_the_old_key(void)
{
    struct bench b;
    MOOR_AUTOPTR(moor_key) next = rotate_until_first_use(&b);
    CHECK(rig_answer(&b.rig, SIGN_IN, 401, "{\"error\":\"invalid_client\"}"));
    CHECK(!moor_key_same_public(b.keys.key, next) && b.keys.next_key == NULL);
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted)); /* by the old key's token */
    close_bench(&b);
}

static void rotation_that_nobody_answered_is_tried_with_the_same_key(void)
{
    struct bench b;
    MOOR_AUTOPTR(moor_key) next = rotate_until_first_use(&b);
    CHECK(rig_answer(&b.rig, SIGN_IN, 0, ""));
    CHECK(rig_answer(&b.rig, "/heartbeat", 200, accepted)); /* the old one goes on */
    CHECK(moor_key_same_public(b.keys.next_key, next));
    for (uint64_t ms = 0; ms < 3 * PERIOD && b.keys.next_key; ms += 1000) {
        fake_run(b.rig.loop, 1000);
        (void)rig_answer(&b.rig, SIGN_IN, 200, token2);
        (void)rig_answer(&b.rig, "/heartbeat", 200, accepted);
    }
    CHECK(moor_key_same_public(b.keys.key, next));
    (void)rig_answer(&b.rig, "/heartbeat", 200, accepted);
    close_bench(&b);
}

static void promotion_cut_short_is_finished_by_the_next_start(void)
{
    struct bench b;
    MOOR_AUTOPTR(moor_key) next = rotate_until_first_use(&b);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF_SECRET(8192);
    MOOR_AUTOSTR from = NULL;
    MOOR_AUTOSTR to = NULL;
    CHECK(plat_path(PLAT_DIR_CERTS, &from, NULL, "next.key") == MOOR_OK);
    CHECK(plat_path(PLAT_DIR_CERTS, &to, NULL, "identity.key") == MOOR_OK);
    CHECK(plat_read_all(from, 8192, &pem, NULL) == MOOR_OK);
    CHECK(plat_write_atomic(to, moor_buf_view(&pem), PLAT_OWNER_ONLY, NULL) == MOOR_OK);
    MOOR_AUTO(moor_keystore) read = MOOR_KEYSTORE_INIT;
    CHECK(moor_keystore_load(&read, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(read.key, next) && read.cert && !read.next_key);
    CHECK(!plat_exists(from));
    close_bench(&b);
}

RIG_MAIN(CHECK_TEST(connect_gets_a_certificate_and_beats_at_once),
         CHECK_TEST(restarted_machine_beats_within_one_period_and_not_at_once),
         CHECK_TEST(failed_beat_is_repeated_with_its_number),
         CHECK_TEST(refused_token_is_replaced_once),
         CHECK_TEST(wrong_region_is_discovered_again_once),
         CHECK_TEST(certificate_of_a_wrong_region_is_asked_for_in_the_right_one),
         CHECK_TEST(service_that_does_not_answer_for_long_is_discovered_again),
         CHECK_TEST(endpoints_outside_the_cloud_are_refused),
         CHECK_TEST(skewed_clock_is_corrected_for_proofs),
         CHECK_TEST(properties_and_wait_follow_the_answer),
         CHECK_TEST(wait_that_somebody_else_ends_is_not_repeated_at_once),
         CHECK_TEST(clone_stops_its_tokens_on_the_second_verdict),
         CHECK_TEST(certificate_is_renewed_in_the_day_after_its_half),
         CHECK_TEST(rotation_replaces_the_key_after_its_first_use),
         CHECK_TEST(rotation_that_is_refused_leaves_the_old_key),
         CHECK_TEST(rotation_that_nobody_answered_is_tried_with_the_same_key),
         CHECK_TEST(promotion_cut_short_is_finished_by_the_next_start),
         CHECK_TEST(restart_goes_on_with_number_and_wait))
