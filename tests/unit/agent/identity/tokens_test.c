/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/tokens.h"

#include "rig.h"

#define SIGN_IN  "https://cp.example/t/oauth2/v2.0/token"
#define AUDIENCE "https://vault.example"
#define HOUR_MS  3600000ULL

static const char day_token[] =
    "{\"token_type\":\"Bearer\",\"access_token\":\"first\",\"expires_in\":86400}";
static const char next_token[] =
    "{\"token_type\":\"Bearer\",\"access_token\":\"second\",\"expires_in\":\"86400\"}";

/* What a caller heard. */
struct heard {
    unsigned times;
    char token[32];
    struct moor_error err;
};

static void on_token(void *ctx, const struct moor_token *token, const struct moor_error *err)
{
    struct heard *h = ctx;
    h->times++;
    h->err = *err;
    (void)snprintf(h->token, sizeof(h->token), "%s",
                   token ? moor_secret_reveal(token->value).p : "");
}

struct bench {
    struct rig rig;
    struct moor_keystore keys;
    struct moor_tokens *tokens;
};

static void open_bench(struct bench *b)
{
    rig_open(&b->rig);
    b->keys = (struct moor_keystore)MOOR_KEYSTORE_INIT;
    rig_enrol(&b->keys);
    CHECK(moor_tokens_new(b->rig.loop, &b->tokens, NULL) == MOOR_OK);
    const struct moor_token_source source = { &b->rig.http, &b->keys, SIGN_IN, NULL };
    CHECK(moor_tokens_source(b->tokens, &source, NULL) == MOOR_OK);
}

static void close_bench(struct bench *b)
{
    moor_tokens_free(b->tokens);
    moor_keystore_drop(&b->keys);
    rig_close(&b->rig);
}

/* The role is started again: the memory is gone, the disk is not. */
static void restart(struct bench *b)
{
    moor_tokens_free(b->tokens);
    CHECK(moor_tokens_new(b->rig.loop, &b->tokens, NULL) == MOOR_OK);
    const struct moor_token_source source = { &b->rig.http, &b->keys, SIGN_IN, NULL };
    moor_tokens_load(b->tokens, &b->keys);
    CHECK(moor_tokens_source(b->tokens, &source, NULL) == MOOR_OK);
}

static struct moor_token_wait *get(struct bench *b, bool fresh, struct heard *h)
{
    struct moor_token_wait *w = NULL;
    CHECK(moor_tokens_get(b->tokens, AUDIENCE, fresh, on_token, h, &w, NULL) == MOOR_OK);
    return w;
}

static void one_request_serves_all_who_wait(void)
{
    struct bench b;
    struct heard heard[50] = { { 0 } };
    open_bench(&b);
    for (size_t i = 0; i < 50; i++)
        CHECK(get(&b, i % 2 == 1, &heard[i]) != NULL);
    CHECK_INT(b.rig.sent, 1);
    CHECK(strstr(b.rig.calls->body, "scope=https%3A%2F%2Fvault.example%2F.default") != NULL);
    CHECK(strstr(b.rig.calls->body, "client_id=" RIG_CLIENT_ID) != NULL);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    for (size_t i = 0; i < 50; i++) {
        CHECK_INT(heard[i].times, 1);
        CHECK_STR(heard[i].token, "first");
    }
    struct heard later = { 0 };
    CHECK(get(&b, false, &later) == NULL); /* from memory, before the return */
    CHECK_STR(later.token, "first");
    CHECK_INT(b.rig.sent, 1);
    close_bench(&b);
}

static void fresh_passes_by_the_cache(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    CHECK(get(&b, false, &h) != NULL);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    CHECK(get(&b, true, &h) != NULL);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, next_token));
    CHECK_STR(h.token, "second");
    CHECK(get(&b, false, &h) == NULL);
    CHECK_STR(h.token, "second");
    close_bench(&b);
}

static void used_token_is_fetched_anew_at_half_life(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    (void)get(&b, false, &h);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    fake_run(b.rig.loop, 11 * HOUR_MS);
    CHECK_INT(b.rig.sent, 1);
    fake_run(b.rig.loop, 2 * HOUR_MS);
    CHECK_INT(b.rig.sent, 2);
    CHECK(get(&b, false, &h) == NULL); /* the old one meanwhile */
    CHECK_STR(h.token, "first");
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, next_token));
    CHECK(get(&b, false, &h) == NULL);
    CHECK_STR(h.token, "second");
    close_bench(&b);
}

static void token_nobody_used_again_is_not_fetched_for_ever(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    (void)get(&b, false, &h);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    fake_run(b.rig.loop, 13 * HOUR_MS);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, next_token));
    fake_run(b.rig.loop, 100 * HOUR_MS);
    CHECK_INT(b.rig.sent, 2);
    close_bench(&b);
}

static void valid_token_is_served_while_the_cloud_is_away(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    (void)get(&b, false, &h);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    for (unsigned hour = 1; hour < 24; hour++) {
        fake_run(b.rig.loop, HOUR_MS);
        (void)rig_answer(&b.rig, SIGN_IN, 0, "");
        CHECK(get(&b, false, &h) == NULL);
        CHECK_STR(h.token, "first");
    }
    CHECK(b.rig.sent > 5 && b.rig.sent < 30); /* it was tried, with pauses */
    fake_run(b.rig.loop, HOUR_MS);
    (void)rig_answer(&b.rig, SIGN_IN, 0, "");
    CHECK(get(&b, false, &h) != NULL); /* over: only a new one will do */
    CHECK(rig_answer(&b.rig, SIGN_IN, 0, ""));
    CHECK_INT(h.err.code, MOOR_E_TRANSIENT);
    close_bench(&b);
}

static void restart_serves_from_the_sealed_file(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    (void)get(&b, false, &h);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    restart(&b);
    h = (struct heard){ 0 };
    CHECK(get(&b, false, &h) == NULL);
    CHECK_STR(h.token, "first");
    CHECK_INT(b.rig.sent, 1);

    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTOSTR path = NULL;
    struct plat_stat st;
    CHECK(plat_path(PLAT_DIR_CERTS, &path, NULL, "tokens.cache") == MOOR_OK);
    CHECK(plat_read_all(path, 65536, &text, NULL) == MOOR_OK);
    CHECK(plat_stat_path(path, &st, NULL) == MOOR_OK);
    CHECK_INT(st.mode & 07777, 0600);
    for (size_t i = 0; i + 5 <= text.len; i++)
        CHECK(memcmp(text.data + i, "first", 5) != 0);
    close_bench(&b);
}

static void changed_file_is_removed_and_the_token_fetched(void)
{
    struct bench b;
    struct heard h = { 0 };
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTOSTR path = NULL;
    open_bench(&b);
    (void)get(&b, false, &h);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    CHECK(plat_path(PLAT_DIR_CERTS, &path, NULL, "tokens.cache") == MOOR_OK);
    CHECK(plat_read_all(path, 65536, &text, NULL) == MOOR_OK);
    text.data[text.len / 2] ^= 1;
    CHECK(plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, NULL) == MOOR_OK);
    restart(&b);
    CHECK(!plat_exists(path));
    CHECK(get(&b, false, &h) != NULL);
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, next_token));
    CHECK_STR(h.token, "second");
    close_bench(&b);
}

static void cancelled_caller_hears_nothing_and_the_token_is_kept(void)
{
    struct bench b;
    struct heard h = { 0 };
    open_bench(&b);
    moor_tokens_cancel(b.tokens, get(&b, false, &h));
    CHECK(rig_answer(&b.rig, SIGN_IN, 200, day_token));
    CHECK_INT(h.times, 0);
    CHECK(get(&b, false, &h) == NULL);
    CHECK_STR(h.token, "first");
    close_bench(&b);
}

static void refusals_and_unreadable_answers_are_told(void)
{
    static const struct {
        int status;
        const char *body;
        moor_code code;
    } cases[] = {
        { 401, "{\"error\":\"invalid_client\",\"error_description\":\"no\"}", MOOR_E_DENIED },
        { 500, "oops", MOOR_E_TRANSIENT },
        { 200, "<html>", MOOR_E_PROTOCOL },
        { 200, "{\"access_token\":\"x\"}", MOOR_E_PROTOCOL },
        { 200, "{\"expires_in\":5}", MOOR_E_PROTOCOL },
        { 200, "{\"access_token\":\"x\",\"expires_in\":-1}", MOOR_E_PROTOCOL },
        { 200, "{\"access_token\":\"x\",\"expires_in\":1e300}", MOOR_E_PROTOCOL },
    };
    struct bench b;
    open_bench(&b);
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        struct heard h = { 0 };
        CHECK(get(&b, false, &h) != NULL);
        CHECK(rig_answer(&b.rig, SIGN_IN, cases[i].status, cases[i].body));
        CHECK_INT(h.err.code, cases[i].code);
        CHECK_INT(h.times, 1);
    }
    close_bench(&b);
}

static void change_of_identity_ends_those_who_wait(void)
{
    struct bench b;
    struct heard h = { 0 };
    struct moor_token_wait *w = NULL;
    open_bench(&b);
    CHECK(get(&b, false, &h) != NULL);
    CHECK(moor_tokens_source(b.tokens, NULL, NULL) == MOOR_OK);
    CHECK_INT(h.err.code, MOOR_E_CANCELED);
    CHECK_INT(b.rig.cancelled, 1);
    CHECK(moor_tokens_get(b.tokens, AUDIENCE, false, on_token, &h, &w, NULL) == MOOR_E_TRANSIENT);
    close_bench(&b);
}

RIG_MAIN(CHECK_TEST(one_request_serves_all_who_wait), CHECK_TEST(fresh_passes_by_the_cache),
         CHECK_TEST(used_token_is_fetched_anew_at_half_life),
         CHECK_TEST(token_nobody_used_again_is_not_fetched_for_ever),
         CHECK_TEST(valid_token_is_served_while_the_cloud_is_away),
         CHECK_TEST(restart_serves_from_the_sealed_file),
         CHECK_TEST(changed_file_is_removed_and_the_token_fetched),
         CHECK_TEST(cancelled_caller_hears_nothing_and_the_token_is_kept),
         CHECK_TEST(refusals_and_unreadable_answers_are_told),
         CHECK_TEST(change_of_identity_ends_those_who_wait))
