/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/keyfiles.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "run/log.h"
#include "run/loop.h"

#define HOLD_MS      1000 /* a held folder this old is looked up again: the path may be another's */
#define SPARE_FOLDER ".spare"
#define NO_SPARE     (-1)

struct held_folder {
    char *path;
    struct plat_file file;
    uint64_t since;
};

/* A file of ours; its number is its name in the spare folder. */
struct spare {
    struct plat_file file; /* closed = there is none */
    uint64_t born_ms;
};

struct moor_keyfiles {
    struct moor_timer *timer; /* the end of spares */
    struct held_folder keys, spares;
    struct spare list[MOOR_KEYFILES_SPARE];
    unsigned idle[MOOR_KEYFILES_SPARE]; /* numbers of spares not in use, the last one first */
    unsigned idle_count, spare_count;
    uint64_t second; /* since when files are counted */
    unsigned made;   /* from then on */
};

/* ---- folders ---- */

static moor_code hold(struct held_folder *f, struct moor_error *err)
{
    uint64_t now = plat_mono_ms();
    if (plat_file_is_open(&f->file) && now - f->since < HOLD_MS)
        return MOOR_OK;
    moor_code c = plat_hold_folder(f->path, &f->file, err);
    f->since = now;
    if (c)
        plat_file_drop(&f->file);
    return c;
}

static void remove_in(struct held_folder *f, const char *name)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (hold(f, &err) || plat_remove_in(&f->file, name, &err))
        moor_log_error(MOOR_LOG_WARNING, "challenge.not_removed", &err, NULL);
}

static bool sweep(void *ctx, const char *name, const struct plat_stat *st)
{
    if (!st->is_dir && moor_span_ends(moor_span_str(name), ".key"))
        remove_in(ctx, name);
    return true;
}

static moor_code take_over_folder(struct moor_keyfiles *k, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = plat_make_dirs(k->keys.path, PLAT_GROUP_READ, err);
    if (c)
        return c;
    /* Somebody else's folder may still do: the key files are what is checked. */
    if (plat_set_mode(k->keys.path, 0750, &why) || plat_remove_tree(k->spares.path, &why))
        moor_log_error(MOOR_LOG_WARNING, "challenge.folder", &why, NULL);
    return plat_list_dir(k->keys.path, sweep, &k->keys, err);
}

/* ---- spares ---- */

static void spare_name(unsigned number, char out[16])
{
    (void)snprintf(out, 16, "%u", number);
}

static bool is_old(const struct spare *s)
{
    return plat_mono_ms() - s->born_ms >= MOOR_KEYFILE_LIFE_MS;
}

static void end_spare(struct moor_keyfiles *k, unsigned number)
{
    char name[16];
    spare_name(number, name);
    remove_in(&k->spares, name);
    plat_file_drop(&k->list[number].file);
    k->spare_count--;
}

/* The idle ones that are old go; those in use go when their key does. */
static void on_timer(void *ctx)
{
    struct moor_keyfiles *k = ctx;
    unsigned kept = 0;
    for (unsigned i = 0; i < k->idle_count; i++) {
        unsigned number = k->idle[i];
        if (is_old(&k->list[number]))
            end_spare(k, number);
        else
            k->idle[kept++] = number;
    }
    k->idle_count = kept;
    if (kept)
        moor_timer_arm(k->timer, MOOR_KEYFILE_LIFE_MS);
}

static moor_code make_spare(struct moor_keyfiles *k, unsigned number, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(512);
    moor_buf_fmt(&path, "%s/%u", k->spares.path, number);
    moor_code c = moor_buf_ok(&path, "spare key file", err);
    if (!c)
        c = plat_make_dirs(k->spares.path, PLAT_OWNER_ONLY, err);
    if (!c)
        c = plat_create_new(moor_buf_cstr(&path), PLAT_GROUP_READ, &k->list[number].file, err);
    if (c)
        return c;
    k->list[number].born_ms = plat_mono_ms();
    k->spare_count++;
    if (!moor_timer_armed(k->timer))
        moor_timer_arm(k->timer, MOOR_KEYFILE_LIFE_MS);
    return MOOR_OK;
}

static bool many_are_made(struct moor_keyfiles *k)
{
    uint64_t now = plat_mono_ms();
    if (now - k->second >= 1000) {
        k->second = now;
        k->made = 0;
    }
    return ++k->made > MOOR_KEYFILES_RATE;
}

/* One that is not in use, made if need be; NO_SPARE when a file of its own will do. */
static int claim_spare(struct moor_keyfiles *k)
{
    bool wanted = many_are_made(k);
    while (k->idle_count) {
        unsigned number = k->idle[--k->idle_count];
        if (!is_old(&k->list[number]))
            return (int)number;
        end_spare(k, number);
    }
    for (unsigned i = 0; wanted && k->spare_count < MOOR_KEYFILES_SPARE; i++)
        if (!plat_file_is_open(&k->list[i].file))
            return make_spare(k, i, NULL) == MOOR_OK ? (int)i : NO_SPARE;
    return NO_SPARE;
}

static void return_spare(struct moor_keyfiles *k, unsigned number)
{
    if (is_old(&k->list[number]))
        end_spare(k, number);
    else
        k->idle[k->idle_count++] = number;
}

/* ---- files ---- */

static moor_code name_spare(struct moor_keyfiles *k, unsigned number, const char *name,
                            struct moor_span text)
{
    char own[16];
    spare_name(number, own);
    moor_code c = plat_write_at(&k->list[number].file, 0, text, NULL);
    if (!c)
        c = hold(&k->spares, NULL);
    return c ? c : plat_link_in(&k->spares.file, own, &k->keys.file, name, NULL);
}

static moor_code make_file(struct moor_keyfiles *k, const char *name, struct moor_span text,
                           struct moor_error *err)
{
    moor_code c = plat_create_in(&k->keys.file, name, PLAT_GROUP_READ, text, err);
    if (c != MOOR_E_NOTFOUND)
        return c;
    plat_file_drop(&k->keys.file); /* removed, and perhaps made anew */
    c = hold(&k->keys, err);
    return c ? c : plat_create_in(&k->keys.file, name, PLAT_GROUP_READ, text, err);
}

moor_code moor_keyfiles_add(struct moor_keyfiles *k, const char *name, struct moor_span text,
                            int *file, struct moor_error *err)
{
    moor_code c = hold(&k->keys, err);
    if (c)
        return c;
    *file = claim_spare(k);
    if (*file != NO_SPARE) {
        if (name_spare(k, (unsigned)*file, name, text) == MOOR_OK)
            return MOOR_OK;
        end_spare(k, (unsigned)*file); /* its folder may be gone: this key gets a file of its own */
        *file = NO_SPARE;
    }
    return make_file(k, name, text, err);
}

void moor_keyfiles_remove(struct moor_keyfiles *k, const char *name, int file)
{
    remove_in(&k->keys, name);
    if (file != NO_SPARE)
        return_spare(k, (unsigned)file);
}

/* ---- life ---- */

const char *moor_keyfiles_folder(const struct moor_keyfiles *k)
{
    return k->keys.path;
}

static moor_code copy_paths(struct moor_keyfiles *k, const char *folder, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) spares = MOOR_BUF(512);
    moor_buf_fmt(&spares, "%s/%s", folder, SPARE_FOLDER);
    k->keys.path = moor_strdup(folder);
    moor_code c = moor_buf_take(&spares, "key files", &k->spares.path, err);
    return c || k->keys.path ? c : moor_fail(err, MOOR_E_NOMEM, "key files: out of memory");
}

moor_code moor_keyfiles_new(struct moor_loop *l, const char *folder, struct moor_keyfiles **out,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_keyfiles) k = calloc(1, sizeof(*k));
    if (!k)
        return moor_fail(err, MOOR_E_NOMEM, "key files: out of memory");
    k->keys.file = k->spares.file = (struct plat_file)PLAT_FILE_INIT;
    for (size_t i = 0; i < MOOR_KEYFILES_SPARE; i++)
        k->list[i].file = (struct plat_file)PLAT_FILE_INIT;
    moor_code c = copy_paths(k, folder, err);
    if (!c)
        c = moor_timer_new(l, on_timer, k, &k->timer, err);
    if (!c)
        c = take_over_folder(k, err);
    if (!c)
        *out = MOOR_TAKE(k);
    return c;
}

void moor_keyfiles_free(struct moor_keyfiles *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < MOOR_KEYFILES_SPARE; i++)
        if (plat_file_is_open(&k->list[i].file))
            end_spare(k, i);
    struct moor_error err = MOOR_ERROR_INIT;
    if (k->spares.path && plat_remove_tree(k->spares.path, &err))
        moor_log_error(MOOR_LOG_WARNING, "challenge.folder", &err, NULL);
    moor_timer_free(k->timer);
    plat_file_drop(&k->keys.file);
    plat_file_drop(&k->spares.file);
    free(k->keys.path);
    free(k->spares.path);
    free(k);
}
