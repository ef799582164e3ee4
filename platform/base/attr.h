/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr.h: the compiler features the project relies on, each behind one macro.
 *
 * C11 plus three GNU features (attributes, __typeof__, statement expressions) that GCC, Clang
 * and MinGW share. Nothing else in the tree uses a compiler extension by its own name.
 */
#ifndef MOOR_BASE_ATTR_H
#define MOOR_BASE_ATTR_H

#include <stddef.h>

#define MOOR_NODISCARD    __attribute__((warn_unused_result))
#define MOOR_NORETURN     __attribute__((noreturn))
#define MOOR_UNUSED       __attribute__((unused))
#define MOOR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define MOOR_SENTINEL     __attribute__((sentinel))
#define MOOR_COUNTOF(a)   (sizeof(a) / sizeof((a)[0]))

/*
 * Scoped ownership. A variable declared with MOOR_AUTO(type) (storage of the caller, released by
 * type_drop) or MOOR_AUTOPTR(type) (heap, released by type_free) is released when its scope ends,
 * however it ends. Such a variable is initialised where it is declared, and a function that has
 * one has no goto. MOOR_TAKE moves the value out and leaves NULL behind.
 */
#define MOOR_AUTO(type)    __attribute__((cleanup(type##_autodrop))) struct type
#define MOOR_AUTOPTR(type) __attribute__((cleanup(type##_autofree))) struct type *
#define MOOR_TAKE(p)                                                                               \
    __extension__({                                                                                \
        __typeof__(p) moor_taken_ = (p);                                                           \
        (p) = NULL;                                                                                \
        moor_taken_;                                                                               \
    })
#define MOOR_DEFINE_AUTO(type)                                                                     \
    MOOR_UNUSED static inline void type##_autodrop(struct type *v)                                 \
    {                                                                                              \
        type##_drop(v);                                                                            \
    }
#define MOOR_DEFINE_AUTOPTR(type)                                                                  \
    MOOR_UNUSED static inline void type##_autofree(struct type **v)                                \
    {                                                                                              \
        type##_free(*v);                                                                           \
    }

/* A heap string (char *) released with free() at the end of its scope. */
#define MOOR_AUTOSTR __attribute__((cleanup(moor_str_autofree))) char *
void moor_str_autofree(char **s);

/* A broken invariant: prints file, line and condition on stderr and aborts, in every build. */
#define MOOR_ASSERT(cond) ((cond) ? (void)0 : moor_assert_failed(#cond, __FILE__, __LINE__))
MOOR_NORETURN void moor_assert_failed(const char *cond, const char *file, int line);

#endif
