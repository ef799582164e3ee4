/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/beats.h"

#include <string.h>

#define FORK_MEMORY_MS INT64_C(86400000) /* a side silent for so long is gone */
#define LOWS_FOR_FORK  3u

static const char *const part_names[3] = { "machineId", "smbiosUuid", "macs" };

bool moor_fingerprint_same(const struct moor_fingerprint *a, const struct moor_fingerprint *b)
{
    unsigned equal = 0;
    for (size_t i = 0; i < 3; i++)
        equal += a->part[i][0] && strcmp(a->part[i], b->part[i]) == 0;
    return equal >= 2;
}

bool moor_fingerprint_empty(const struct moor_fingerprint *f)
{
    return !f->part[0][0] && !f->part[1][0] && !f->part[2][0];
}

static struct moor_boot *find_boot(struct moor_beats *b, const char *id)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (strcmp(b->boots[i].id, id) == 0)
            return &b->boots[i];
    return NULL;
}

/* A free place, or that of the boot that has been silent longest. */
static struct moor_boot *new_boot(struct moor_beats *b, const char *id)
{
    struct moor_boot *place = &b->boots[0];
    if (b->count < MOOR_BEATS_BOOTS) {
        place = &b->boots[b->count++];
    } else {
        for (uint32_t i = 1; i < b->count; i++)
            if (b->boots[i].last_ms < place->last_ms)
                place = &b->boots[i];
    }
    *place = (struct moor_boot){ .first_ms = 0 };
    memcpy(place->id, id, MOOR_BOOT_ID_LEN);
    return place;
}

static bool is_retry(const struct moor_boot *boot, const struct moor_beat *beat)
{
    return boot->raises && boot->last_sequence == beat->sequence &&
           boot->last_sent_ms == beat->sent_ms;
}

static void count_sequence(struct moor_boot *boot, uint64_t sequence)
{
    if (sequence <= boot->highest) {
        boot->low_pending = boot->raises > 0;
        return;
    }
    if (boot->low_pending)
        boot->lows++;
    boot->low_pending = false;
    boot->raises++;
    boot->highest = sequence;
}

static void note_print(struct moor_beats *b, struct moor_boot *boot, const struct moor_beat *beat)
{
    if (!moor_fingerprint_empty(&boot->print) && !moor_fingerprint_same(&boot->print, &beat->print))
        boot->other = boot->print;
    boot->print = beat->print;
    /* A replaced network card or a renewed machine-id is followed, one part at a time. */
    if (moor_fingerprint_empty(&b->registered) ||
        moor_fingerprint_same(&b->registered, &beat->print))
        b->registered = beat->print;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool alive(const struct moor_boot *boot, int64_t now_ms)
{
    return boot->last_ms >= now_ms - FORK_MEMORY_MS;
}

static const struct moor_boot *rival_of(const struct moor_beats *b, const struct moor_boot *boot)
{
    for (uint32_t i = 0; boot->rival[0] && i < b->count; i++)
        if (strcmp(b->boots[i].id, boot->rival) == 0)
            return &b->boots[i];
    return NULL;
}

/* boot has just beaten: is there an older one that beat on beside it? Only this moment proves it,
 * so it is noted in both. */
static void find_rival(struct moor_beats *b, struct moor_boot *boot, uint64_t period_ms)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct moor_boot *older = &b->boots[i];
        if (older != boot && older->first_ms <= boot->first_ms &&
            older->last_ms > boot->first_ms + (int64_t)period_ms &&
            boot->last_ms > older->last_ms) {
            memcpy(boot->rival, older->id, sizeof boot->rival);
            memcpy(older->rival, boot->id, sizeof older->rival);
        }
    }
}

bool moor_beats_forked(const struct moor_beats *b, int64_t now_ms)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const struct moor_boot *boot = &b->boots[i];
        const struct moor_boot *rival = rival_of(b, boot);
        if (alive(boot, now_ms) && (boot->lows >= LOWS_FOR_FORK || (rival && alive(rival, now_ms))))
            return true;
    }
    return false;
}

/* The other side of a fork in which boot takes part: its fingerprint, or NULL. */
static const struct moor_fingerprint *other_side(const struct moor_beats *b,
                                                 const struct moor_boot *boot, int64_t now_ms)
{
    if (boot->lows >= LOWS_FOR_FORK)
        return &boot->other;
    const struct moor_boot *rival = rival_of(b, boot);
    return rival && alive(rival, now_ms) ? &rival->print : NULL;
}

moor_beat_verdict moor_beats_take(struct moor_beats *b, const struct moor_beat *beat,
                                  int64_t now_ms, uint64_t period_ms)
{
    struct moor_boot *boot = find_boot(b, beat->boot_id);
    if (!boot) {
        boot = new_boot(b, beat->boot_id);
        boot->first_ms = now_ms;
    }
    if (!is_retry(boot, beat)) {
        count_sequence(boot, beat->sequence);
        note_print(b, boot, beat);
        boot->last_sequence = beat->sequence;
        boot->last_sent_ms = beat->sent_ms;
    }
    boot->first_ms = earlier(boot->first_ms, now_ms);
    boot->last_ms = later(boot->last_ms, now_ms);

    find_rival(b, boot, period_ms);

    const struct moor_fingerprint *other = other_side(b, boot, now_ms);
    if (!other)
        return MOOR_BEAT_FINE;
    if (!b->forked_ms)
        b->forked_ms = now_ms;
    bool mine = moor_fingerprint_same(&b->registered, &boot->print);
    bool theirs = moor_fingerprint_same(&b->registered, other);
    if (mine == theirs)
        return MOOR_BEAT_UNSURE;
    return mine ? MOOR_BEAT_ROTATE : MOOR_BEAT_CLONE;
}

void moor_beats_settle(struct moor_beats *b, const char *boot_id, int64_t now_ms)
{
    b->forked_ms = 0;
    b->settled_ms = now_ms;
    struct moor_boot *boot = find_boot(b, boot_id);
    if (!boot) {
        b->count = 0;
        return;
    }
    struct moor_boot keep = *boot;
    keep.lows = 0;
    keep.low_pending = false;
    memset(&keep.other, 0, sizeof keep.other);
    keep.rival[0] = 0;
    b->boots[0] = keep;
    b->count = 1;
}

void moor_beats_merge(struct moor_beats *into, const struct moor_beats *from)
{
    if (moor_fingerprint_empty(&into->registered))
        into->registered = from->registered;
    into->settled_ms = later(into->settled_ms, from->settled_ms);
    bool forked = from->forked_ms > into->settled_ms;
    if (!into->forked_ms && forked)
        into->forked_ms = from->forked_ms;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct moor_boot *theirs = &from->boots[i];
        struct moor_boot *ours = find_boot(into, theirs->id);
        if (!ours && (into->count == MOOR_BEATS_BOOTS || theirs->last_ms <= into->settled_ms))
            continue;
        if (!ours) {
            *new_boot(into, theirs->id) = *theirs;
            continue;
        }
        ours->first_ms = earlier(ours->first_ms, theirs->first_ms);
        ours->last_ms = later(ours->last_ms, theirs->last_ms);
        if (theirs->highest > ours->highest)
            ours->highest = theirs->highest;
        if (!ours->rival[0] && forked)
            memcpy(ours->rival, theirs->rival, sizeof ours->rival);
    }
}

/* Documents. */
static struct moor_json *print_to_json(const struct moor_fingerprint *f)
{
    struct moor_json *o = moor_json_new_object();
    for (size_t i = 0; i < 3; i++)
        moor_json_set_str(o, part_names[i], f->part[i]);
    return o;
}

static void print_from_json(const struct moor_json *v, struct moor_fingerprint *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < 3; i++) {
        const char *s = moor_json_get_str(v, part_names[i]);
        if (s && strlen(s) == 64)
            memcpy(out->part[i], s, 65);
    }
}

struct moor_json *moor_beats_to_json(const struct moor_beats *b)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_int(o, "forked", b->forked_ms);
    moor_json_set_int(o, "settled", b->settled_ms);
    moor_json_set(o, "registered", print_to_json(&b->registered));
    struct moor_json *boots = moor_json_new_array();
    for (uint32_t i = 0; i < b->count; i++) {
        const struct moor_boot *boot = &b->boots[i];
        struct moor_json *j = moor_json_new_object();
        moor_json_set_str(j, "id", boot->id);
        moor_json_set_int(j, "first", boot->first_ms);
        moor_json_set_int(j, "last", boot->last_ms);
        moor_json_set_int(j, "highest", (int64_t)boot->highest);
        moor_json_set_int(j, "lastSequence", (int64_t)boot->last_sequence);
        moor_json_set_int(j, "lastSent", boot->last_sent_ms);
        moor_json_set_int(j, "raises", boot->raises);
        moor_json_set_int(j, "lows", boot->lows);
        moor_json_set_bool(j, "lowPending", boot->low_pending);
        moor_json_set_str(j, "rival", boot->rival);
        moor_json_set(j, "print", print_to_json(&boot->print));
        moor_json_set(j, "other", print_to_json(&boot->other));
        moor_json_push(boots, j);
    }
    moor_json_set(o, "boots", boots);
    return o;
}

static int64_t get_int(const struct moor_json *o, const char *name)
{
    int64_t n = 0;
    return moor_json_int(moor_json_get(o, name), &n) && n > 0 ? n : 0;
}

void moor_beats_from_json(const struct moor_json *v, struct moor_beats *out)
{
    memset(out, 0, sizeof *out);
    out->forked_ms = get_int(v, "forked");
    out->settled_ms = get_int(v, "settled");
    print_from_json(moor_json_get(v, "registered"), &out->registered);
    MOOR_JSON_EACH(j, moor_json_get(v, "boots"))
    {
        const char *id = moor_json_get_str(j, "id");
        if (!id || strlen(id) != MOOR_BOOT_ID_LEN || out->count == MOOR_BEATS_BOOTS)
            continue;
        struct moor_boot *boot = new_boot(out, id);
        boot->first_ms = get_int(j, "first");
        boot->last_ms = get_int(j, "last");
        boot->highest = (uint64_t)get_int(j, "highest");
        boot->last_sequence = (uint64_t)get_int(j, "lastSequence");
        boot->last_sent_ms = get_int(j, "lastSent");
        boot->raises = (uint32_t)get_int(j, "raises");
        boot->lows = (uint32_t)get_int(j, "lows");
        boot->low_pending = moor_json_is_true(moor_json_get(j, "lowPending"));
        const char *rival = moor_json_get_str(j, "rival");
        if (rival && strlen(rival) == MOOR_BOOT_ID_LEN)
            memcpy(boot->rival, rival, sizeof boot->rival);
        print_from_json(moor_json_get(j, "print"), &boot->print);
        print_from_json(moor_json_get(j, "other"), &boot->other);
    }
}
