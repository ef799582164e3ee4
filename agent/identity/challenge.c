/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/challenge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/loop.h"

#define KEY_BYTES 32
#define KEY_TEXT  44 /* base64url of KEY_BYTES, and the end */

struct moor_challenge {
    bool taken, in_use;
    char name[48]; /* of the file: UUID.key */
    char key[KEY_TEXT];
    uint64_t born_ms;
};

struct moor_challenges {
    struct moor_timer *timer;
    char *folder;
    struct moor_buf path; /* of the last issued */
    struct moor_challenge places[MOOR_CHALLENGES_MAX];
};

static void remove_file(struct moor_challenges *c, const char *name)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(512);
    struct moor_error err = MOOR_ERROR_INIT;
    moor_buf_fmt(&path, "%s/%s", c->folder, name);
    if (plat_remove(moor_buf_cstr(&path), &err))
        moor_log_error(MOOR_LOG_WARNING, "challenge.not_removed", &err, NULL);
}

static void end_challenge(struct moor_challenges *c, struct moor_challenge *one)
{
    remove_file(c, one->name);
    moor_wipe(one, sizeof(*one));
    *one = (struct moor_challenge){ 0 };
}

/* Of those not in use: whoever has one in use holds a pointer to it. */
static struct moor_challenge *oldest(struct moor_challenges *c)
{
    struct moor_challenge *found = NULL;
    for (size_t i = 0; i < MOOR_CHALLENGES_MAX; i++) {
        struct moor_challenge *one = &c->places[i];
        if (one->taken && !one->in_use && (!found || one->born_ms < found->born_ms))
            found = one;
    }
    return found;
}

static void arm(struct moor_challenges *c)
{
    const struct moor_challenge *first = oldest(c);
    if (!first) {
        moor_timer_disarm(c->timer);
        return;
    }
    uint64_t age = plat_mono_ms() - first->born_ms;
    moor_timer_arm(c->timer, age < MOOR_CHALLENGE_LIFE_MS ? MOOR_CHALLENGE_LIFE_MS - age : 0);
}

static bool has_run_out(const struct moor_challenge *one)
{
    return plat_mono_ms() - one->born_ms >= MOOR_CHALLENGE_LIFE_MS;
}

static void on_timer(void *ctx)
{
    struct moor_challenges *c = ctx;
    for (size_t i = 0; i < MOOR_CHALLENGES_MAX; i++) {
        struct moor_challenge *one = &c->places[i];
        if (one->taken && !one->in_use && has_run_out(one))
            end_challenge(c, one);
    }
    arm(c);
}

static bool sweep(void *ctx, const char *name, const struct plat_stat *st)
{
    if (st->is_file && moor_span_ends(moor_span_str(name), ".key"))
        remove_file(ctx, name);
    return true;
}

moor_code moor_challenges_new(struct moor_loop *l, const char *folder, struct moor_challenges **out,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_challenges) c = calloc(1, sizeof(*c));
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "challenges: out of memory");
    c->path = (struct moor_buf)MOOR_BUF(512);
    c->folder = moor_strdup(folder);
    if (!c->folder)
        return moor_fail(err, MOOR_E_NOMEM, "challenges: out of memory");
    moor_code code = moor_timer_new(l, on_timer, c, &c->timer, err);
    if (!code)
        code = plat_make_dirs(folder, PLAT_GROUP_READ, err);
    if (!code)
        code = plat_list_dir(folder, sweep, c, err);
    if (!code)
        *out = MOOR_TAKE(c);
    return code;
}

void moor_challenges_free(struct moor_challenges *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < MOOR_CHALLENGES_MAX; i++)
        if (c->places[i].taken)
            end_challenge(c, &c->places[i]);
    moor_timer_free(c->timer);
    moor_buf_drop(&c->path);
    free(c->folder);
    free(c);
}

static struct moor_challenge *free_place(struct moor_challenges *c)
{
    for (size_t i = 0; i < MOOR_CHALLENGES_MAX; i++)
        if (!c->places[i].taken)
            return &c->places[i];
    struct moor_challenge *one = oldest(c);
    if (!one || plat_mono_ms() - one->born_ms < MOOR_CHALLENGE_YOUNG_MS)
        return NULL;
    end_challenge(c, one);
    return one;
}

static void draw(struct moor_challenge *one)
{
    unsigned char bytes[KEY_BYTES];
    char id[37];
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(KEY_TEXT);
    plat_random_uuid(id);
    plat_random(bytes, sizeof(bytes));
    moor_buf_base64url(&text, moor_span(bytes, sizeof(bytes)));
    (void)snprintf(one->name, sizeof(one->name), "%s.key", id);
    (void)snprintf(one->key, sizeof(one->key), "%s", moor_buf_cstr(&text));
    one->born_ms = plat_mono_ms();
    moor_wipe(bytes, sizeof(bytes));
}

moor_code moor_challenges_issue(struct moor_challenges *c, const char **path,
                                struct moor_error *err)
{
    struct moor_challenge *one = free_place(c);
    if (!one)
        return moor_fail(err, MOOR_E_THROTTLED, "more than %d keys were asked for at once",
                         MOOR_CHALLENGES_MAX);
    struct moor_challenge fresh = { .taken = true };
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    draw(&fresh);
    moor_buf_reset(&c->path);
    moor_buf_fmt(&c->path, "%s/%s", c->folder, fresh.name);
    moor_code code = moor_buf_ok(&c->path, "key file's path", err);
    if (!code)
        code = plat_create_new(moor_buf_cstr(&c->path), PLAT_GROUP_READ, &f, err);
    if (code)
        return code;
    *one = fresh;
    moor_wipe(fresh.key, sizeof(fresh.key));
    arm(c);
    code = plat_append(&f, moor_span_str(one->key), err);
    if (code) {
        end_challenge(c, one);
        return code;
    }
    *path = moor_buf_cstr(&c->path);
    return MOOR_OK;
}

struct moor_challenge *moor_challenges_take(struct moor_challenges *c, struct moor_span key)
{
    struct moor_challenge *found = NULL;
    for (size_t i = 0; i < MOOR_CHALLENGES_MAX; i++) {
        struct moor_challenge *one = &c->places[i];
        if (one->taken && !one->in_use && !has_run_out(one) &&
            moor_span_eq_secret(key, moor_span_str(one->key)))
            found = one;
    }
    if (found)
        found->in_use = true;
    return found;
}

void moor_challenges_use_up(struct moor_challenges *c, struct moor_challenge *one)
{
    end_challenge(c, one);
}

void moor_challenges_give_back(struct moor_challenges *c, struct moor_challenge *one)
{
    one->in_use = false;
    arm(c);
}
