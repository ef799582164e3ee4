/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/squeeze.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct moor_squeeze_library *const libraries[] = {
    &moor_squeeze_zlib,
#ifdef MOOR_WITH_ISAL
    &moor_squeeze_isal,
#endif
#ifdef MOOR_WITH_LIBDEFLATE
    &moor_squeeze_libdeflate,
#endif
};

/* In the order of preference; docs/adr/0010-compression.md has what each costs and saves. */
static const struct {
    const char *word, *library;
    int level;
} words[] = {
    { "fastest", "isal", 1 },  { "fastest", "libdeflate", 1 },
    { "fastest", "zlib", 1 },  { "balanced", "libdeflate", 4 },
    { "balanced", "zlib", 4 }, { "smallest", "libdeflate", 9 },
    { "smallest", "zlib", 9 },
};

static const struct moor_squeeze_library *find(const char *name, size_t n)
{
    for (size_t i = 0; i < MOOR_COUNTOF(libraries); i++)
        if (strlen(libraries[i]->name) == n && memcmp(libraries[i]->name, name, n) == 0)
            return libraries[i];
    return NULL;
}

static moor_code choose_exactly(const char *setting, struct moor_squeeze_way *out,
                                struct moor_error *err)
{
    const char *dash = strrchr(setting, '-');
    const struct moor_squeeze_library *l = dash ? find(setting, (size_t)(dash - setting)) : NULL;
    uint64_t level = 0;
    if (!l)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "logs.compression: want fastest, balanced, smallest, or a library of this "
                         "build and its level, as in zlib-6");
    moor_code c = moor_parse_u64(moor_span_str(dash + 1), (uint64_t)l->level_min,
                                 (uint64_t)l->level_max, &level, err);
    if (c != MOOR_OK)
        return moor_context(err, "logs.compression: %s", l->name);
    *out = (struct moor_squeeze_way){ l, (int)level };
    return MOOR_OK;
}

moor_code moor_squeeze_choose(const char *setting, struct moor_squeeze_way *out,
                              struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(words); i++) {
        const struct moor_squeeze_library *l = find(words[i].library, strlen(words[i].library));
        if (!l || !moor_streq(words[i].word, setting))
            continue;
        *out = (struct moor_squeeze_way){ l, words[i].level };
        return MOOR_OK;
    }
    return choose_exactly(setting, out, err);
}

struct moor_squeezer {
    const struct moor_squeeze_library *library;
    void *state;
};

moor_code moor_squeezer_new(const struct moor_squeeze_way *way, struct moor_squeezer **out,
                            struct moor_error *err)
{
    struct moor_squeeze_way w = *way;
    if (!w.library) {
        moor_code c = moor_squeeze_choose("fastest", &w, err);
        if (c != MOOR_OK)
            return c;
    }
    MOOR_AUTOPTR(moor_squeezer) s = calloc(1, sizeof(*s));
    if (s) {
        s->library = w.library;
        s->state = w.library->open(w.level);
    }
    if (!s || !s->state)
        return moor_fail(err, MOOR_E_NOMEM, "compression: out of memory");
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

void moor_squeezer_free(struct moor_squeezer *s)
{
    if (!s)
        return;
    if (s->state)
        s->library->close(s->state);
    free(s);
}

bool moor_squeezer_streams(const struct moor_squeezer *s)
{
    return s->library->streams;
}

bool moor_squeezer_feed(struct moor_squeezer *s, struct moor_span in, moor_squeeze_how how,
                        struct moor_buf *out)
{
    return s->library->feed(s->state, in, how, out);
}
