/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/mark.h"

#include <string.h>

#include "base/attr.h"
#include "base/sha256.h"

static moor_code digest_at(const struct plat_file *f, uint64_t offset, size_t n,
                           unsigned char out[MOOR_MARK_DIGEST], bool *whole, struct moor_error *err)
{
    char bytes[MOOR_MARK_HEAD];
    unsigned char full[MOOR_SHA256_LEN];
    size_t got = 0;
    moor_code c = plat_read_at(f, offset, bytes, n, &got, err);
    if (c != MOOR_OK)
        return c;
    *whole = got == n;
    moor_sha256_of(moor_span(bytes, got), full);
    memcpy(out, full, MOOR_MARK_DIGEST);
    return MOOR_OK;
}

static size_t tail_len(uint64_t offset)
{
    return offset < MOOR_MARK_TAIL ? (size_t)offset : MOOR_MARK_TAIL;
}

moor_code moor_mark_start(const struct plat_file *f, struct moor_mark *out, struct moor_error *err)
{
    struct moor_mark m;
    struct plat_stat st;
    moor_code c = plat_fstat(f, &st, err);
    if (c == MOOR_OK)
        c = moor_mark_make(f, st.size < MOOR_MARK_HEAD ? st.size : MOOR_MARK_HEAD, false, &m, err);
    if (c != MOOR_OK)
        return c;
    moor_mark_rewind(&m);
    *out = m;
    return MOOR_OK;
}

void moor_mark_rewind(struct moor_mark *m)
{
    m->offset = 0;
    m->skipping = false;
    unsigned char full[MOOR_SHA256_LEN];
    moor_sha256_of(MOOR_SPAN_NONE, full);
    memcpy(m->tail, full, MOOR_MARK_DIGEST);
}

moor_code moor_mark_make(const struct plat_file *f, uint64_t offset, bool skipping,
                         struct moor_mark *out, struct moor_error *err)
{
    struct moor_mark m = { .offset = offset, .skipping = skipping };
    bool head = true, tail = true;
    m.head_len = offset < MOOR_MARK_HEAD ? (uint32_t)offset : MOOR_MARK_HEAD;
    moor_code c = digest_at(f, 0, m.head_len, m.head, &head, err);
    if (c == MOOR_OK)
        c = digest_at(f, offset - tail_len(offset), tail_len(offset), m.tail, &tail, err);
    if (c != MOOR_OK)
        return c;
    if (!head || !tail)
        return moor_fail(err, MOOR_E_BADINPUT, "file is shorter than %llu bytes",
                         (unsigned long long)offset);
    *out = m;
    return MOOR_OK;
}

moor_code moor_mark_check(const struct plat_file *f, const struct moor_mark *m, moor_mark_fit *out,
                          struct moor_error *err)
{
    unsigned char head[MOOR_MARK_DIGEST], tail[MOOR_MARK_DIGEST];
    bool has_head = true, has_tail = true;
    if (m->head_len == 0) {
        *out = MOOR_MARK_FITS;
        return MOOR_OK;
    }
    moor_code c = digest_at(f, 0, m->head_len, head, &has_head, err);
    if (c == MOOR_OK)
        c = digest_at(f, m->offset - tail_len(m->offset), tail_len(m->offset), tail, &has_tail,
                      err);
    if (c != MOOR_OK)
        return c;
    if (!has_head || !has_tail)
        *out = MOOR_MARK_SHORT;
    else if (memcmp(head, m->head, sizeof(head)) != 0 || memcmp(tail, m->tail, sizeof(tail)) != 0)
        *out = MOOR_MARK_OTHER;
    else
        *out = MOOR_MARK_FITS;
    return MOOR_OK;
}

moor_kinship moor_mark_kinship(const struct moor_kin_facts *k)
{
    if (k->same_inode)
        return k->fit == MOOR_MARK_FITS ? MOOR_KIN_SAME : MOOR_KIN_EMPTIED;
    if (k->fit != MOOR_MARK_FITS || k->offset == 0 || !k->rotation_name)
        return MOOR_KIN_NONE;
    /* While the known file still has it all, only digests over enough bytes prove a copy. */
    return k->known_lost_it || k->offset >= MOOR_MARK_HEAD ? MOOR_KIN_COPY : MOOR_KIN_NONE;
}

bool moor_mark_begins(const struct moor_mark *m, struct moor_span head)
{
    unsigned char full[MOOR_SHA256_LEN];
    moor_sha256_of(head, full);
    return m->head_len > 0 && head.n == m->head_len && memcmp(full, m->head, MOOR_MARK_DIGEST) == 0;
}

size_t moor_packed_name(const char *leaf)
{
    static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst" };
    struct moor_span s = moor_span_str(leaf);
    for (size_t i = 0; i < MOOR_COUNTOF(ends); i++)
        if (moor_span_ends(s, ends[i]) && s.n > strlen(ends[i]))
            return s.n - strlen(ends[i]);
    return 0;
}

static bool is_strict(const char *leaf, const char *candidate, size_t have)
{
    size_t n = strlen(leaf), common = 0;
    while (common < n && candidate[common] == leaf[common])
        common++;
    if (have <= n)
        return false;
    /* What is in the candidate and not in the leaf, wherever it was put in. */
    for (size_t at = common + 1; at-- > 0;) {
        size_t extra = strspn(candidate + at, "0123456789.-_");
        if (extra >= have - n && memcmp(candidate + at + (have - n), leaf + at, n - at) == 0 &&
            (at == n || leaf[at] == '.') && strchr(".-_", candidate[at]))
            return true;
    }
    return false;
}

bool moor_rotation_name_strict(const char *leaf, const char *candidate)
{
    size_t stem = moor_packed_name(candidate);
    return is_strict(leaf, candidate, strlen(candidate)) ||
           (stem > 0 && is_strict(leaf, candidate, stem));
}

static bool is_rotation(const char *leaf, const char *candidate, size_t have)
{
    const char *dot = strrchr(leaf, '.');
    size_t n = strlen(leaf), stem = dot && dot != leaf ? (size_t)(dot - leaf) : n;
    if (have <= n)
        return false;
    if (memcmp(candidate, leaf, n) == 0 && strchr(".-_~", candidate[n]))
        return true;
    return stem < n && memcmp(candidate, leaf, stem) == 0 && strchr(".-_", candidate[stem]) &&
           memcmp(candidate + have - (n - stem), leaf + stem, n - stem) == 0;
}

bool moor_rotation_name(const char *leaf, const char *candidate)
{
    size_t stem = moor_packed_name(candidate);
    return is_rotation(leaf, candidate, strlen(candidate)) ||
           (stem > 0 && is_rotation(leaf, candidate, stem));
}
