/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: the control plane's durable state: opening it, and transactions.
 *
 * What is kept where: resources.h (ARM resources of every type), operations.h (long-running
 * operations), principals.h (who may sign in, and rights), machines.h (a machine's identity and
 * documents), extensions.h (what a machine shall install), run_commands.h (what it shall run),
 * packages.h, logs.h (collected rows).
 * All of them speak SQL to store/db.h, which SQLite implements; see docs/adr/0009-storage.md.
 *
 * One store per process, used by the loop's thread only. Every row that a function returns lives
 * in the caller's arena. A statement outside a transaction is its own; a request that writes more
 * than one row opens one:
 *
 *   MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
 *   if (moor_store_begin(store, &tx, err) || ... || moor_store_commit(&tx, err))
 *       return err->code;      // leaving without commit rolls back
 *
 * A commit is on the disk when it returns. Beside a running server another process (the CLI) may
 * read and write the same state; nothing but what says so is cached above this layer.
 */
#ifndef MOOR_STORE_STORE_H
#define MOOR_STORE_STORE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/error.h"

struct moor_store;

/* path: the database file, created (0600) with its schema when missing. A schema newer than this
 * program is UNSUPPORTED. ":memory:" is for tests. */
MOOR_NODISCARD moor_code moor_store_open(const char *path, struct moor_store **out,
                                         struct moor_error *err);
/* A second handle on an existing database that only reads, for one job on one pool thread. It sees
 * what was committed when a statement starts and never waits for a writer. */
MOOR_NODISCARD moor_code moor_store_open_reader(const char *path, struct moor_store **out,
                                                struct moor_error *err);
void moor_store_free(struct moor_store *s);
MOOR_DEFINE_AUTOPTR(moor_store)

struct moor_store_tx {
    struct moor_store *store; /* NULL = not begun, or ended */
};
#define MOOR_STORE_TX_INIT                                                                         \
    {                                                                                              \
        NULL                                                                                       \
    }

/* Takes the write lock, waiting at most 5 s for another process: then TRANSIENT. A second begin
 * inside a transaction is a BUG. */
MOOR_NODISCARD moor_code moor_store_begin(struct moor_store *s, struct moor_store_tx *tx,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code moor_store_commit(struct moor_store_tx *tx, struct moor_error *err);
void moor_store_tx_drop(struct moor_store_tx *tx); /* rolls back unless committed */
MOOR_DEFINE_AUTO(moor_store_tx)

/* Small named texts: schema facts, the desired states' epoch, the tenant. NOTFOUND when unset. */
MOOR_NODISCARD moor_code moor_store_meta_get(struct moor_store *s, const char *name,
                                             struct moor_arena *arena, const char **value,
                                             struct moor_error *err);
MOOR_NODISCARD moor_code moor_store_meta_set(struct moor_store *s, const char *name,
                                             const char *value, struct moor_error *err);

#endif
