/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item.h: what the manager knows of one extension on this machine, and the document it is kept in.
 *
 * The document is the manager's memory: it is replaced in one step, if it changed, before anything
 * begins that cannot be undone, and at the end of every plan, so that a manager killed at any
 * moment goes on where it was. Reports to the service are made from it and from nothing else.
 */
#ifndef MOOR_MANAGER_ITEM_H
#define MOOR_MANAGER_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "contract/manifest.h"
#include "manager/phase.h"
#include "platform/group.h"
#include "platform/process.h"

#define MOOR_ITEMS_FILE       "manager/state.json" /* below GUESTCONFIG */
#define MOOR_ITEMS_MAX        128
#define MOOR_ITEM_MESSAGE_MAX 4096
#define MOOR_EXIT_NOT_RUN     INT32_MIN /* of an exit code: that command was not given */
#define MOOR_EXIT_TIMED_OUT   1011      /* of an exit code: the command was ended at its deadline */

struct moor_work;

/* The handler command that was given last, with all that the next manager process needs to know to
 * deal with its end. */
struct moor_running {
    bool on;                        /* its end is still to be dealt with */
    char *unit;                     /* it runs in that unit; "" = as a child of the manager: */
    struct plat_process_id process; /* pid 0 while it is not known */
    char *goal;                     /* what the item was asked for when it began */
    moor_handler_verb verb;
    bool old, may_fail; /* as in struct moor_step, */
    moor_item_phase next;
    int64_t since_ms;
};

/* Units whose commands have ended: each is kept by the system until that is durable. */
#define MOOR_ENDED_MAX 16
struct moor_ended {
    char *units[MOOR_ENDED_MAX];
    size_t count;
    size_t forgotten; /* of them, the first ones: the system was told to forget them */
};

/* Strings are heap copies of the item's, never NULL. */
struct moor_item {
    char *name, *publisher, *type;
    char *version;     /* of the folder this item works with; "" when ABSENT */
    char *old_version; /* during an update, else ""; after an automatic one until it has proved good
                        */
    moor_item_phase phase;
    bool multi; /* one of several instances of its handler, which is called by the item's name */
    char *goal; /* digest of what is asked: state, version, settings */
    char *settings_digest; /* digest of the settings alone */
    char *recorded;        /* the goal that the audit log has as permitted; "" = none */
    uint32_t seq;          /* the handler's sequence number: never goes back */
    int64_t settings_seq;  /* sequence number whose settings file is written; -1 = none */
    int64_t enabled_seq;   /* sequence number that enable last succeeded for; -1 = none */
    uint64_t service_seq;  /* settingsSeqNo of the service, for reports */
    /* Exit codes of the old version's commands, for the new version's. */
    int64_t disable_exit, uninstall_exit;
    /* An update nobody on this machine or in ARM asked for by name: it is taken back when it fails.
     * held_version failed so and is not tried before held_until_ms, after two failures never. */
    bool automatic, going_back;
    bool redo; /* the update that failed begins again from its start */
    char *held_version, *held_reason;
    int64_t held_until_ms;
    uint32_t held_count;
    struct moor_running running;
    /* How it stands. */
    moor_item_outcome outcome;
    int64_t code;
    char *error_code; /* name of docs/protocol/service.md 4.3; "" = none */
    char *message;
    char *status;             /* element 0 of the status file, cleaned; "" = none */
    int64_t waiting_since_ms; /* for a final status; 0 = not waiting */
    /* Of this manager process only, not kept: */
    bool enabled_here;       /* enable has run since the manager started */
    bool had_number;         /* its handler had taken on this number before enable was given */
    struct plat_usage usage; /* of its handler with all it started; zero = not known */
    bool listed;             /* the service's document names it */
    unsigned killed;         /* times in a row its command was ended by somebody's signal */
    unsigned fetch_failures; /* in a row */
    uint64_t half_since_ms; /* monotonic: since when its status file cannot be parsed; 0 = it can */
    uint64_t not_before_ms; /* monotonic: its next step is not due earlier */
    int32_t status_watch;   /* of its status folder; 0 = none */
    struct moor_work *work; /* the step under way; NULL = none */
};
void moor_item_free(struct moor_item *i);
MOOR_DEFINE_AUTOPTR(moor_item)
MOOR_NODISCARD moor_code moor_item_new(const char *name, const char *publisher, const char *type,
                                       struct moor_item **out, struct moor_error *err);

/* Replaces one of the strings; "" for NULL. Out of memory leaves the old one and says so. */
MOOR_NODISCARD moor_code moor_item_set(char **field, const char *value, struct moor_error *err);
/* Sets outcome, code, error_code and message (cut at MOOR_ITEM_MESSAGE_MAX). Memory is the only
 * thing that can fail; then the message is left out. */
void moor_item_settle(struct moor_item *i, moor_item_outcome outcome, const char *error_code,
                      int64_t code, const char *message);

struct moor_items {
    struct moor_item *list[MOOR_ITEMS_MAX];
    size_t count;
    uint64_t commands; /* given so far: makes the names of their units unique */
    char way[16];      /* how this machine runs and limits them, of launch.h */
    struct moor_ended ended;
    uint64_t report_sequence; /* numbers of reports up to this may have been used: kept in blocks */
    uint64_t report_last;     /* the last one that was used; not kept */
    char report_boot[40];     /* the bootId they count under */
    char saved[65];           /* digest of the document as it was saved last */
};
void moor_items_drop(struct moor_items *s);
MOOR_DEFINE_AUTO(moor_items)
struct moor_item *moor_items_find(const struct moor_items *s, const char *name);
bool moor_item_same_handler(const struct moor_item *a, const struct moor_item *b);
/* Moves item in; NOMEM at the limit. */
MOOR_NODISCARD moor_code moor_items_add(struct moor_items *s, struct moor_item *item,
                                        struct moor_error *err);
void moor_items_remove(struct moor_items *s, struct moor_item *item); /* and frees it */

/* The item's command has ended: its unit, if it has one, is among the ended. */
MOOR_NODISCARD moor_code moor_items_end(struct moor_items *s, const struct moor_item *i,
                                        struct moor_error *err);

/* The document; load of a missing file gives an empty set. */
MOOR_NODISCARD moor_code moor_items_load(const char *path, struct moor_items *out,
                                         struct moor_error *err);
/* Nothing is written when nothing has changed. */
MOOR_NODISCARD moor_code moor_items_save(const char *path, struct moor_items *s,
                                         struct moor_error *err);

#endif
