/* SPDX-License-Identifier: Apache-2.0 */
/* registration_internal.h: what registration.c, registration_calls.c and registration_wait.c
 * share. */
#ifndef MOOR_IDENTITY_REGISTRATION_INTERNAL_H
#define MOOR_IDENTITY_REGISTRATION_INTERNAL_H

#include "base/arena.h"
#include "core/service.h"
#include "identity/facts.h"
#include "identity/next_key.h"
#include "identity/registration.h"
#include "identity/runstate.h"
#include "identity/signing.h"
#include "run/loop.h"

struct facts_job; /* a look at the host, on the pool */

struct moor_registration {
    struct moor_registration_opts o;
    struct moor_registration_state state;
    struct moor_runstate run;

    /* The step under way. */
    moor_step busy;
    struct moor_http_call *call;
    struct moor_token_wait *token;
    struct facts_job *job;
    struct moor_next_key *key_job;
    struct moor_signing *signing; /* of a certificate request by a key in a TPM */
    bool token_fresh;             /* the service refused the cached token: fetch another, once */
    bool skew_seen;               /* the clock offset was corrected for this try */
    bool region_seen;             /* a 421 made us discover again for this try */
    struct moor_timer *timer;
    uint64_t due_ms;               /* monotonic: next beat or try */
    uint64_t renew_not_before_ms;  /* monotonic: after a renewal that failed */
    uint64_t rotate_not_before_ms; /* the same of a rotation */
    bool rotate_asked;
    struct moor_keystore next_view; /* during a first use: borrows the next key and certificate */
    unsigned failures;
    uint32_t period_s;
    struct moor_verdict verdict;

    /* What is known. */
    struct moor_arena endpoint_memory;
    struct moor_service_endpoints endpoints; /* his NULL = not discovered */
    struct moor_service_clock clock;
    struct moor_fingerprint_parts fingerprint;
    struct moor_facts facts;
    uint64_t facts_ms; /* monotonic, 0 = never */
    bool properties_asked;
    char settings_hash[65], report_hash[65];

    /* A beat is repeated with its number and time until it is answered. */
    bool beat_open;
    int64_t beat_sent_ms;

    /* The wait beside the steps. */
    struct moor_timer *wait_timer;
    struct moor_http_call *wait_call;
    struct moor_token_wait *wait_token;
    uint64_t wait_started_ms;
    unsigned wait_failures;
    unsigned waits_cut; /* long ones in a row that somebody on the way ended */
    bool wait_resumes;  /* see struct moor_step_facts */

    moor_registration_fn now_done; /* who asked for a beat now; NULL = nobody */
    void *now_ctx;
};

/* registration.c: how a step ends. */
void moor_registration_advance(struct moor_registration *r);
void moor_registration_failed(struct moor_registration *r, const struct moor_error *failure);
void moor_registration_tell(struct moor_registration *r, const struct moor_error *err);
void moor_registration_set_revision(struct moor_registration *r, const char *revision);
void moor_registration_clock(struct moor_registration *r, int64_t server_time_ms);
int64_t moor_registration_time(const struct moor_registration *r); /* the service's, by it */
/* Tokens come from now on by this key and certificate. */
MOOR_NODISCARD moor_code moor_registration_use(struct moor_registration *r,
                                               const struct moor_keystore *keys,
                                               struct moor_error *err);

/* registration_rotate.c */
MOOR_NODISCARD moor_code moor_registration_next_key(struct moor_registration *r,
                                                    struct moor_error *err);
MOOR_NODISCARD moor_code moor_registration_first_use(struct moor_registration *r,
                                                     struct moor_error *err);
/* What a rotation's failed step leaves: the old key goes on. */
void moor_registration_rotation_failed(struct moor_registration *r, moor_step step,
                                       const struct moor_error *err);

/* registration_calls.c: how a step starts. On success r->call, r->token or r->job is set, or the
 * step has ended already. */
MOOR_NODISCARD moor_code moor_registration_start(struct moor_registration *r, moor_step step,
                                                 struct moor_error *err);
void moor_registration_drop_job(struct moor_registration *r);

/* registration_wait.c */
void moor_registration_wait(struct moor_registration *r); /* starts one unless one is running */
void moor_registration_end_wait(struct moor_registration *r);
MOOR_NODISCARD moor_code moor_registration_new_wait(struct moor_registration *r,
                                                    struct moor_error *err);

#endif
