/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squeeze.h: gzip, by whichever of the libraries this build was given: zlib always, ISA-L and
 * libdeflate where they are packaged (docs/adr/0010-compression.md). What comes out is ordinary
 * gzip in one member. Any thread; one squeezer belongs to one thread at a time.
 */
#ifndef MOOR_LOGS_SQUEEZE_H
#define MOOR_LOGS_SQUEEZE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

typedef enum moor_squeeze_how {
    MOOR_SQUEEZE_ADD,   /* more will come */
    MOOR_SQUEEZE_FLUSH, /* all that went in is to be in out; streaming libraries only */
    MOOR_SQUEEZE_END    /* the last bytes; afterwards the squeezer is as new */
} moor_squeeze_how;

/* What a library brings. Tables of these are in squeeze_*.c. */
struct moor_squeeze_library {
    const char *name;
    int level_min, level_max;
    bool streams; /* else nothing comes out before the end */
    /* NULL: out of memory. */
    void *(*open)(int level);
    /* Appends to out; false when out has no room left or the library failed. */
    bool (*feed)(void *state, struct moor_span in, moor_squeeze_how how, struct moor_buf *out);
    void (*close)(void *state);
};
extern const struct moor_squeeze_library moor_squeeze_zlib;
#ifdef MOOR_WITH_ISAL
extern const struct moor_squeeze_library moor_squeeze_isal;
#endif
#ifdef MOOR_WITH_LIBDEFLATE
extern const struct moor_squeeze_library moor_squeeze_libdeflate;
#endif

struct moor_squeeze_way {
    const struct moor_squeeze_library *library; /* NULL = that of "fastest" */
    int level;
};

/* What the setting logs.compression means in this build: "fastest", "balanced", "smallest", or a
 * library and its level, "zlib-1". BADINPUT, naming what there is. */
MOOR_NODISCARD moor_code moor_squeeze_choose(const char *setting, struct moor_squeeze_way *out,
                                             struct moor_error *err);

struct moor_squeezer;
MOOR_NODISCARD moor_code moor_squeezer_new(const struct moor_squeeze_way *way,
                                           struct moor_squeezer **out, struct moor_error *err);
void moor_squeezer_free(struct moor_squeezer *s);
MOOR_DEFINE_AUTOPTR(moor_squeezer)

bool moor_squeezer_streams(const struct moor_squeezer *s);
/* As moor_squeeze_library.feed. */
bool moor_squeezer_feed(struct moor_squeezer *s, struct moor_span in, moor_squeeze_how how,
                        struct moor_buf *out);

#endif
