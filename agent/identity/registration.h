/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registration.h: keeps one connected machine known to its control plane: discovery, certificate,
 * heartbeat, properties, notification wait. One step is under way at a time; the wait runs beside.
 * What to do next is decided anew after each step from what is known (moor_registration_step),
 * so that nothing has to be undone after a failure. Loop thread.
 */
#ifndef MOOR_IDENTITY_REGISTRATION_H
#define MOOR_IDENTITY_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "http/transport.h"
#include "identity/hostcloud.h"
#include "identity/keystore.h"
#include "identity/schedule.h"
#include "identity/tokens.h"

struct moor_loop;
struct moor_pool;
struct moor_registration;

/* All of it is borrowed and must outlive the registration. */
struct moor_registration_opts {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_http_transport *http;
    const struct moor_agentconfig *config;
    const struct moor_cloud *cloud;
    const struct moor_settings *settings;
    struct moor_keystore *keys;             /* a key; gets certificates here */
    struct moor_tokens *tokens;             /* gets its source here */
    const struct moor_host_cloud *guest_of; /* may change, see moor_registration_look_again() */
    void (*changed)(void *ctx);             /* what state() answers is another */
    void *ctx;
};

/* Starts working: at once when there is no certificate yet, else with the first beat's splay. */
MOOR_NODISCARD moor_code moor_registration_new(const struct moor_registration_opts *opts,
                                               struct moor_registration **out,
                                               struct moor_error *err);
/* Cancels all calls; a pending moor_registration_now() completes with CANCELED. */
void moor_registration_free(struct moor_registration *r);
MOOR_DEFINE_AUTOPTR(moor_registration)

/* The machine is another than it was: the next beat goes with fresh facts. */
void moor_registration_look_again(struct moor_registration *r);

struct moor_registration_state {
    int64_t last_beat_ms;    /* wall clock, 0 = never */
    struct moor_error error; /* of the last failure since the last beat; MOOR_OK = none */
    int64_t error_ms;
    moor_standing standing;
    char revision[65]; /* of the desired state, "" = not heard yet */
    bool report_wanted, upgrade_required;
};
/* Valid until the registration goes; read it again after each changed(). */
const struct moor_registration_state *moor_registration_state(const struct moor_registration *r);

/* "Connected", "Disconnected" or "Expired": schedule.h. */
const char *moor_registration_status(const struct moor_registration *r);

/* Everything that is due, now, and one beat: err->code is MOOR_OK once the service accepted it.
 * One caller at a time: EXISTS. */
typedef void (*moor_registration_fn)(void *ctx, const struct moor_error *err);
MOOR_NODISCARD moor_code moor_registration_now(struct moor_registration *r,
                                               moor_registration_fn done, void *ctx,
                                               struct moor_error *err);
void moor_registration_forget_caller(struct moor_registration *r); /* done will not run */

/* What the next heartbeats carry; NULL leaves it as it was. At most 64 bytes each. */
void moor_registration_hashes(struct moor_registration *r, const char *settings_hash,
                              const char *report_hash);

/* The decision, pure. */
typedef enum moor_step {
    MOOR_STEP_NONE, /* wait for the timer */
    MOOR_STEP_FACTS,
    MOOR_STEP_DISCOVER,
    MOOR_STEP_CERTIFICATE,
    MOOR_STEP_NEXT_KEY, /* a rotation: a new key, its certificate, its first use */
    MOOR_STEP_NEXT_CERTIFICATE,
    MOOR_STEP_FIRST_USE,
    MOOR_STEP_BEAT,
    MOOR_STEP_PROPERTIES,
    MOOR_STEP_COUNT_
} moor_step;
struct moor_step_facts {
    bool due;              /* the time of the next beat or try has come */
    bool properties_asked; /* the last beat's answer asked for them */
    bool wait_resumes;     /* a wait from before a restart goes on as soon as endpoints are known */
    bool facts_known, endpoints_known;
    bool certificate_valid; /* there is one and it has not run out */
    bool renewal_due;       /* and was not tried in vain a short while ago */
    bool rotation_due;      /* asked for, or the key is a year old, or one was begun; as above */
    bool next_key, next_certificate; /* how far it came */
};
moor_step moor_registration_step(const struct moor_step_facts *f);

#endif
