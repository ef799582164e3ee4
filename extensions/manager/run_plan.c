/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/run_plan.h"

#include <stddef.h>

static struct moor_run_step act(moor_run_action action)
{
    return (struct moor_run_step){ .action = action };
}

static struct moor_run_step settle(int state, const char *error_code, const char *message)
{
    return (struct moor_run_step){ MOOR_RUN_ACT_SETTLE, state, error_code, message };
}

/* Once the keeper has it: the record follows the files. */
static struct moor_run_step follow(const struct moor_run *r, const struct moor_run_facts *f)
{
    if (f->ended)
        return act(MOOR_RUN_ACT_END);
    if (!f->keeper_alive)
        return act(MOOR_RUN_ACT_LOST);
    if (r->record.state == MOOR_RUN_PENDING)
        return act(MOOR_RUN_ACT_NOTICE);
    if (f->goal && !f->goal->bad && f->goal->state == MOOR_DESIRED_CANCEL && !f->cancel_asked)
        return act(MOOR_RUN_ACT_CANCEL);
    return act(MOOR_RUN_ACT_NONE);
}

/* Nothing has begun: the last moments in which it can be kept from beginning. */
static struct moor_run_step begin(const struct moor_run_facts *f)
{
    const struct moor_desired_run *g = f->goal;
    if (!g)
        return settle(MOOR_RUN_CANCELED, "", "the service no longer asks for it");
    if (g->bad)
        return settle(MOOR_RUN_FAILED, "ItemInvalid", g->bad);
    if (g->state == MOOR_DESIRED_CANCEL)
        return settle(MOOR_RUN_CANCELED, "", "it was deleted before it started");
    if (f->now_ms >= g->expires_ms)
        return settle(MOOR_RUN_FAILED, "RunCommandExpired",
                      "its time to start was over when this machine came to it");
    if (f->secrets_lost)
        return settle(MOOR_RUN_FAILED, "SettingsUndecryptable",
                      "protected settings: no key on this machine decrypts them; put them again");
    if (f->denied)
        return settle(MOOR_RUN_FAILED, "PolicyDenied", f->denied);
    if (!f->script_here && g->source.script_uri)
        return act(MOOR_RUN_ACT_FETCH);
    return act(f->room ? MOOR_RUN_ACT_START : MOOR_RUN_ACT_NONE);
}

/* What it wrote goes where it was asked to, as long as the service waits for the end of it. */
static struct moor_run_step send(const struct moor_run *r, const struct moor_run_facts *f)
{
    if (!f->goal || f->goal->bad || !f->ended || r->record.state == MOOR_RUN_CANCELED)
        return act(MOOR_RUN_ACT_NONE);
    if (f->goal->output_uri && !r->output_sent)
        return act(MOOR_RUN_ACT_SEND_OUTPUT);
    if (f->goal->error_uri && !r->error_sent)
        return act(MOOR_RUN_ACT_SEND_ERROR);
    return act(MOOR_RUN_ACT_NONE);
}

bool moor_run_unsent(const struct moor_run *r, const struct moor_run_facts *f)
{
    return moor_run_final(r) && send(r, f).action != MOOR_RUN_ACT_NONE;
}

struct moor_run_step moor_run_next(const struct moor_run *r, const struct moor_run_facts *f)
{
    if (moor_run_final(r))
        return f->busy ? act(MOOR_RUN_ACT_NONE) : send(r, f);
    if (f->started)
        return follow(r, f);
    return f->busy ? act(MOOR_RUN_ACT_NONE) : begin(f);
}
