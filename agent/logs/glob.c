/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/glob.h"

#include <string.h>

#include "base/buf.h"

#define PATH_BYTES_MAX 4095

static bool bad_component(struct moor_span s)
{
    return s.n == 0 || s.n > 255 || moor_span_eq_str(s, ".") || moor_span_eq_str(s, "..");
}

static bool is_deep(struct moor_span component)
{
    return moor_span_eq_str(component, "**");
}

bool moor_glob_valid(const char *pattern)
{
    unsigned deep = 0;
    if (pattern[0] != '/')
        return false;
    struct moor_span rest = moor_span_str(pattern + 1);
    do {
        struct moor_span component = moor_span_cut(&rest, '/');
        deep += is_deep(component);
        if (bad_component(component) || (is_deep(component) && (!rest.p || deep > 1)))
            return false;
    } while (rest.p);
    return true;
}

/* Greedy with one point of return: the last '*' is the only one that may have to grow. */
bool moor_glob_match(struct moor_span pattern, const char *name)
{
    const char *p = pattern.p, *end = pattern.p + pattern.n;
    const char *star = NULL, *resume = NULL;
    if (*name == '.' && (p == end || *p != '.'))
        return false;
    while (*name) {
        if (p < end && *p == '*') {
            star = ++p;
            resume = name;
        } else if (p < end && *p == *name) {
            p++;
            name++;
        } else if (star) {
            p = star;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}

static bool match_component(struct moor_span want, struct moor_span have)
{
    char name[256];
    if (have.n >= sizeof(name))
        return false;
    memcpy(name, have.n ? have.p : "", have.n);
    name[have.n] = '\0';
    return moor_glob_match(want, name);
}

/* Takes equal components off both; false at the first that differ. Stops before "**". */
static bool match_parts(struct moor_span *want, struct moor_span *have)
{
    while (want->p && have->p) {
        struct moor_span after = *want, part = moor_span_cut(&after, '/');
        if (is_deep(part))
            return true;
        if (!match_component(part, moor_span_cut(have, '/')))
            return false;
        *want = after;
    }
    return true;
}

/* Whether want, "**" at its front, has been passed over. */
static bool pass_deep(struct moor_span *want)
{
    struct moor_span after = *want;
    if (!want->p || !is_deep(moor_span_cut(&after, '/')))
        return false;
    *want = after;
    return true;
}

bool moor_glob_match_path(const char *pattern, const char *path)
{
    struct moor_span want = moor_span_str(pattern), have = moor_span_str(path);
    if (!match_parts(&want, &have))
        return false;
    if (!pass_deep(&want))
        return !want.p && !have.p;
    while (have.p) {
        struct moor_span rest = want, left = have;
        if (match_parts(&rest, &left) && !rest.p && !left.p)
            return true;
        if (moor_span_starts(moor_span_cut(&have, '/'), "."))
            return false;
    }
    return false;
}

bool moor_glob_match_start(const char *pattern, const char *path)
{
    struct moor_span want = moor_span_str(pattern), have = moor_span_str(path);
    return match_parts(&want, &have) && (!have.p || pass_deep(&want));
}

struct walk {
    const struct moor_glob_visitor *v;
    struct moor_buf path; /* the folder we are in, without a slash at the end */
    unsigned deep;        /* folders that "**" stands for */
    struct moor_error first;
};

static void note_error(struct walk *w, const struct moor_error *e)
{
    if (e->code != MOOR_E_NOTFOUND && w->first.code == MOOR_OK)
        w->first = *e;
}

static const char *folder_name(const struct walk *w)
{
    return w->path.len > 0 ? moor_buf_cstr(&w->path) : "/";
}

/* A folder behind a link counts as there: opening its file decides. */
static bool is_there(const char *path)
{
    struct plat_stat st;
    moor_code c = plat_stat_path(path, &st, NULL);
    return c == MOOR_E_DENIED || (c == MOOR_OK && st.is_dir);
}

/* The length of the longest start of path that is there; 0 is the root. */
static size_t nearest(const struct walk *w)
{
    char path[PATH_BYTES_MAX + 1];
    size_t len = w->path.len;
    memcpy(path, moor_buf_cstr(&w->path), len + 1);
    while (len > 0 && !is_there(path)) {
        while (path[--len] != '/')
            ;
        path[len] = '\0';
    }
    return len;
}

/* Tells of the folder we are in, or of the nearest above it; whether it was the former. One that is
 * made while its parent is told may be made too early for a watch on the parent: so look again. */
static bool tell_folder(struct walk *w)
{
    char path[PATH_BYTES_MAX + 1];
    size_t told, now = nearest(w);
    do {
        told = now;
        memcpy(path, moor_buf_cstr(&w->path), told);
        path[told] = '\0';
        w->v->on_folder(w->v->ctx, told ? path : "/");
        now = nearest(w);
    } while (now > told);
    return told == w->path.len;
}

static void walk_folder(struct walk *w, struct moor_span rest);
static void walk_deep(struct walk *w, struct moor_span rest);

struct entries {
    struct walk *w;
    struct moor_span component; /* without a star: none of the entries is meant */
    struct moor_span rest;
    struct moor_span below; /* for all folders: what follows "**"; else none */
};

/* What an entry, which w->path ends with, is to the pattern. */
static void visit_entry(const struct entries *e, const char *name, const struct plat_stat *st)
{
    struct walk *w = e->w;
    bool named = e->component.p && moor_glob_match(e->component, name);
    if (named && !e->rest.p && !st->is_dir)
        w->v->on_file(w->v->ctx, moor_buf_cstr(&w->path), st);
    else if (named && e->rest.p && st->is_dir)
        walk_folder(w, e->rest);
    if (e->below.p && st->is_dir && name[0] != '.' && w->deep < MOOR_GLOB_DEEP_MAX) {
        w->deep++;
        walk_deep(w, e->below);
        w->deep--;
    }
}

static bool on_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct entries *e = ctx;
    struct walk *w = e->w;
    if (!e->below.p && !moor_glob_match(e->component, name))
        return true;
    size_t len = w->path.len;
    moor_buf_char(&w->path, '/');
    moor_buf_str(&w->path, name);
    if (w->path.failed) {
        moor_buf_reset(&w->path);
        return false;
    }
    visit_entry(e, name, st);
    moor_buf_cut(&w->path, len);
    return true;
}

static void list_folder(struct walk *w, struct entries *entries)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (plat_list_dir(folder_name(w), on_entry, entries, &e) != MOOR_OK)
        note_error(w, &e);
}

static bool has_star(struct moor_span component)
{
    return memchr(component.p, '*', component.n);
}

/* What follows "**" in the folder w->path and in all below it. */
static void walk_deep(struct walk *w, struct moor_span rest)
{
    struct entries entries = { .w = w, .below = rest };
    struct moor_span after = rest, component = moor_span_cut(&after, '/');
    if (!tell_folder(w))
        return;
    if (has_star(component)) {
        entries.component = component;
        entries.rest = after;
    } else {
        walk_folder(w, rest);
    }
    list_folder(w, &entries);
}

/* The rest of the pattern in the folder w->path, which is left as it was. */
static void walk_folder(struct walk *w, struct moor_span rest)
{
    struct moor_span component = moor_span_cut(&rest, '/');
    size_t len = w->path.len;
    if (is_deep(component)) {
        walk_deep(w, rest);
        return;
    }
    if (has_star(component)) {
        struct entries entries = { .w = w, .component = component, .rest = rest };
        if (tell_folder(w))
            list_folder(w, &entries);
        return;
    }
    if (!rest.p && !tell_folder(w))
        return;
    moor_buf_char(&w->path, '/');
    moor_buf_span(&w->path, component);
    if (w->path.failed)
        return;
    if (rest.p)
        walk_folder(w, rest);
    else
        w->v->on_file(w->v->ctx, moor_buf_cstr(&w->path), NULL);
    moor_buf_cut(&w->path, len);
}

moor_code moor_glob_walk(const char *pattern, const struct moor_glob_visitor *v,
                         struct moor_error *err)
{
    struct walk w = { .v = v, .path = MOOR_BUF(PATH_BYTES_MAX), .first = MOOR_ERROR_INIT };
    walk_folder(&w, moor_span_str(pattern + 1));
    moor_buf_drop(&w.path);
    if (w.first.code != MOOR_OK && err)
        *err = w.first;
    return w.first.code;
}
