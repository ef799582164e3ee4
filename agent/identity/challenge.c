/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"
#include "http/peers.h"
#include "identity/keyfiles.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/loop.h"

#define KEY_BYTES (2 + MOOR_CHALLENGE_RANDOM_BYTES) /* number of the place, random */
#define KEY_TEXT  (KEY_BYTES / 3 * 4 + 1)           /* base64url, and the end */

_Static_assert(KEY_BYTES % 3 == 0, "a key is base64url without a rest");
_Static_assert(MOOR_CHALLENGES_MAX <= 0x10000, "two bytes number the places");

#define HEAD_TEXT 4 /* characters of a key that hold the number of its place */

struct moor_challenge {
    struct moor_challenge *prev, *next; /* by age, or free: next only */
    struct moor_peer_count *owner;      /* NULL = free */
    uint64_t born_ms;
    bool in_use;
    int file;      /* of moor_keyfiles_add() */
    char name[48]; /* of the file: UUID.key */
    char key[KEY_TEXT];
};

struct moor_challenges {
    struct moor_timer *timer;
    struct moor_keyfiles *files;
    struct moor_buf path;    /* of the last issued */
    struct moor_peers users; /* how many each has */
    struct moor_challenge *oldest, *youngest;
    struct moor_challenge *unused; /* places that were used before */
    unsigned touched;              /* places that ever were: the others cost no memory */
    unsigned max, per_user;
    struct moor_challenge places[]; /* max */
};

/* ---- places ---- */

static struct moor_challenge *claim_place(struct moor_challenges *c)
{
    struct moor_challenge *one = c->unused;
    if (one)
        c->unused = one->next;
    else if (c->touched < c->max)
        one = &c->places[c->touched++];
    return one;
}

static void free_place(struct moor_challenges *c, struct moor_challenge *one)
{
    moor_wipe(one->key, sizeof(one->key));
    *one = (struct moor_challenge){ .next = c->unused };
    c->unused = one;
}

static void append(struct moor_challenges *c, struct moor_challenge *one)
{
    one->prev = c->youngest;
    one->next = NULL;
    *(c->youngest ? &c->youngest->next : &c->oldest) = one;
    c->youngest = one;
}

static void detach(struct moor_challenges *c, struct moor_challenge *one)
{
    *(one->prev ? &one->prev->next : &c->oldest) = one->next;
    *(one->next ? &one->next->prev : &c->youngest) = one->prev;
}

static void end_challenge(struct moor_challenges *c, struct moor_challenge *one)
{
    moor_keyfiles_remove(c->files, one->name, one->file);
    moor_peers_leave(&c->users, one->owner);
    detach(c, one);
    free_place(c, one);
}

static bool has_run_out(const struct moor_challenge *one)
{
    return plat_mono_ms() - one->born_ms >= MOOR_CHALLENGE_LIFE_MS;
}

static void arm(struct moor_challenges *c)
{
    const struct moor_challenge *first = c->oldest;
    while (first && first->in_use)
        first = first->next;
    if (!first) {
        moor_timer_disarm(c->timer);
        return;
    }
    uint64_t age = plat_mono_ms() - first->born_ms;
    moor_timer_arm(c->timer, age < MOOR_CHALLENGE_LIFE_MS ? MOOR_CHALLENGE_LIFE_MS - age : 0);
}

static void on_timer(void *ctx)
{
    struct moor_challenges *c = ctx;
    for (struct moor_challenge *one = c->oldest, *next; one && has_run_out(one); one = next) {
        next = one->next;
        if (!one->in_use) /* else whoever uses it ends it */
            end_challenge(c, one);
    }
    arm(c);
}

/* ---- life ---- */

moor_code moor_challenges_new(const struct moor_challenges_opts *opts, struct moor_challenges **out,
                              struct moor_error *err)
{
    unsigned max = opts->max ? opts->max : MOOR_CHALLENGES_MAX;
    MOOR_ASSERT(max <= MOOR_CHALLENGES_MAX);
    MOOR_AUTOPTR(moor_challenges) c = calloc(1, sizeof(*c) + max * sizeof(c->places[0]));
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "challenges: out of memory");
    c->max = max;
    c->per_user = opts->per_user ? opts->per_user : MOOR_CHALLENGES_PER_USER;
    c->path = (struct moor_buf)MOOR_BUF(512);
    moor_code code = moor_timer_new(opts->loop, on_timer, c, &c->timer, err);
    if (!code)
        code = moor_keyfiles_new(opts->loop, opts->folder, &c->files, err);
    if (!code)
        *out = MOOR_TAKE(c);
    return code;
}

void moor_challenges_free(struct moor_challenges *c)
{
    if (!c)
        return;
    while (c->oldest)
        end_challenge(c, c->oldest);
    moor_timer_free(c->timer);
    moor_keyfiles_free(c->files);
    moor_buf_drop(&c->path);
    free(c);
}

/* ---- keys ---- */

static struct plat_peer user_of(const struct plat_caller *who)
{
    return (struct plat_peer){ .local = who->known, .uid = who->known ? who->uid : 0 };
}

static void draw(const struct moor_challenges *c, struct moor_challenge *one)
{
    unsigned char bytes[KEY_BYTES];
    char id[37];
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(KEY_TEXT);
    size_t place = (size_t)(one - c->places);
    plat_random_uuid(id);
    plat_random(bytes, sizeof(bytes));
    bytes[0] = (unsigned char)(place >> 8);
    bytes[1] = (unsigned char)(place & 0xff);
    moor_buf_base64url(&text, moor_span(bytes, sizeof(bytes)));
    (void)snprintf(one->name, sizeof(one->name), "%s.key", id);
    memcpy(one->key, moor_buf_cstr(&text), KEY_TEXT);
    moor_wipe(bytes, sizeof(bytes));
}

moor_code moor_challenges_issue(struct moor_challenges *c, const struct plat_caller *who,
                                const char **path, struct moor_error *err)
{
    const struct plat_peer user = user_of(who);
    struct moor_challenge *one = claim_place(c);
    if (!one)
        return moor_fail(err, MOOR_E_THROTTLED, "%u keys are out: all there may be", c->max);
    one->owner = moor_peers_enter(&c->users, &user, c->per_user);
    if (!one->owner) {
        free_place(c, one);
        return moor_fail(err, MOOR_E_THROTTLED, "%u keys of this user are out: all one may have",
                         c->per_user);
    }
    draw(c, one);
    moor_code code =
        moor_keyfiles_add(c->files, one->name, moor_span(one->key, KEY_TEXT - 1), &one->file, err);
    if (code) {
        moor_peers_leave(&c->users, one->owner);
        free_place(c, one);
        return code;
    }
    one->born_ms = plat_mono_ms();
    append(c, one);
    if (!moor_timer_armed(c->timer))
        arm(c);
    moor_buf_reset(&c->path);
    moor_buf_fmt(&c->path, "%s/%s", moor_keyfiles_folder(c->files), one->name);
    *path = moor_buf_cstr(&c->path);
    return moor_buf_ok(&c->path, "key file's path", err);
}

/* The place that a key's first characters name; NULL when it names none. */
static struct moor_challenge *place_of(struct moor_challenges *c, struct moor_span key)
{
    MOOR_AUTO(moor_buf) head = MOOR_BUF(KEY_BYTES);
    if (key.n != KEY_TEXT - 1)
        return NULL;
    if (moor_base64url_decode(moor_span(key.p, HEAD_TEXT), &head, NULL))
        return NULL;
    size_t place = (size_t)(unsigned char)head.data[0] << 8 | (unsigned char)head.data[1];
    return place < c->touched ? &c->places[place] : NULL;
}

struct moor_challenge *moor_challenges_take(struct moor_challenges *c,
                                            const struct plat_caller *who, struct moor_span key)
{
    const struct plat_peer user = user_of(who);
    struct moor_challenge *one = place_of(c, key);
    if (!one || !one->owner || one->in_use || has_run_out(one) ||
        !moor_span_eq_secret(key, moor_span(one->key, KEY_TEXT - 1)) ||
        !moor_peers_is(one->owner, &user))
        return NULL;
    one->in_use = true;
    return one;
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
