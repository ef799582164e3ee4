/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension repair: asks the role, waits a moment for what it says. */
#include "base/buf.h"
#include "cli/extension.h"
#include "manager/requests.h"
#include "platform/clock.h"
#include "platform/watch.h"
#include "run/loop.h"

#define ANSWER_MS 10000

struct repair_options {
    bool all;
};
static const struct moor_option repair_options[] = {
    { "all", 'a', NULL, offsetof(struct repair_options, all), "every extension that failed" },
    { NULL, 0, NULL, 0, NULL },
};

/* Who was asked for, and who has been answered. */
struct asking {
    struct moor_loop *loop;
    struct plat_watch *watch;
    const struct moor_items *items;
    bool meant[MOOR_ITEMS_MAX];
    struct moor_json *answers; /* of {name, done} */
};

static void take_answers(struct asking *a)
{
    bool left = false;
    for (size_t n = 0; n < a->items->count; n++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_REQUEST_ANSWER_MAX);
        const char *name = a->items->list[n]->name;
        if (!a->meant[n])
            continue;
        left = true;
        if (moor_request_answered(MOOR_REQUEST_REPAIR, name, &text, NULL) != MOOR_OK)
            continue;
        (void)moor_request_drop(MOOR_REQUEST_REPAIR, name);
        a->meant[n] = false;
        struct moor_json *answer = moor_json_push(a->answers, moor_json_new_object());
        moor_json_set_str(answer, "name", name);
        moor_json_set_str(answer, "done", moor_buf_cstr(&text));
    }
    if (!left)
        moor_loop_stop(a->loop);
}

static void skip(void *ctx, int32_t id, const char *name)
{
    (void)ctx;
    (void)id;
    (void)name;
}

static void on_notice(void *ctx)
{
    struct asking *a = ctx;
    plat_watch_read(a->watch, skip, NULL);
    take_answers(a);
}

static void on_end(void *ctx)
{
    moor_loop_stop(ctx);
}

static moor_code ask_all(struct asking *a, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    for (size_t n = 0; n < a->items->count && c == MOOR_OK; n++)
        if (a->meant[n])
            c = moor_request_ask(MOOR_REQUEST_REPAIR, a->items->list[n]->name, err);
    return c;
}

/* Asks, and listens until all are answered or the time is over. */
static moor_code ask_and_wait(struct asking *a, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(plat_watch) watch = NULL;
    MOOR_AUTOPTR(moor_watch) event = NULL;
    MOOR_AUTOPTR(moor_timer) end = NULL;
    MOOR_AUTOSTR folder = NULL;
    int32_t id;
    moor_code c = moor_request_folder(MOOR_REQUEST_REPAIR, &folder, err);
    if (c == MOOR_OK)
        c = moor_loop_new(&loop, err);
    if (c == MOOR_OK)
        c = plat_watch_new(&watch, err);
    if (c == MOOR_OK)
        c = plat_watch_add(watch, folder, &id, err);
    if (c == MOOR_OK)
        c = moor_watch_new(loop, plat_watch_fd(watch), on_notice, a, &event, err);
    if (c == MOOR_OK)
        c = moor_timer_new(loop, on_end, loop, &end, err);
    a->loop = loop;
    a->watch = watch;
    if (c == MOOR_OK)
        c = ask_all(a, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(end, ANSWER_MS);
    return moor_loop_run(loop, err);
}

/* Who has not answered does it when it runs, or when the command under way has ended. */
static void add_silent(struct asking *a)
{
    for (size_t n = 0; n < a->items->count; n++) {
        if (!a->meant[n])
            continue;
        struct moor_json *answer = moor_json_push(a->answers, moor_json_new_object());
        moor_json_set_str(answer, "name", a->items->list[n]->name);
        moor_json_set_str(answer, "done", "");
    }
}

static void say(const struct moor_json *answers)
{
    MOOR_JSON_EACH(answer, answers)
    {
        const char *done = moor_json_get_str(answer, "done");
        moor_say("Extension %s: %s\n", moor_json_get_str(answer, "name"),
                 *done ? done
                       : "is asked to be repaired: the extensions role does it when it runs and "
                         "the command under way has ended");
    }
}

static moor_azcm run_repair(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    const struct repair_options *o = options;
    MOOR_AUTO(moor_items) items = { .count = 0 };
    MOOR_AUTOPTR(moor_json) answers = moor_json_new_array();
    struct asking asking = { .items = &items, .answers = answers };
    struct moor_error err = MOOR_ERROR_INIT;
    if (o->all == (words->count > 0))
        return moor_cli_refuse(cli, o->all ? AZCM_INVALID_ARGUMENT : AZCM_MISSING_PARAMETER,
                               "NAME or --all: give one of them");
    if (moor_cli_extension_items(&items, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    const struct moor_item *one = o->all ? NULL : moor_cli_extension_find(&items, words->items[0]);
    if (!o->all && !one)
        return moor_cli_refuse(cli, AZCM_EXTENSION_TOOL, "%s: no such extension here",
                               words->items[0]);
    bool any = false;
    for (size_t n = 0; n < items.count; n++) {
        asking.meant[n] =
            one ? items.list[n] == one : items.list[n]->outcome == MOOR_OUTCOME_FAILED;
        any = any || asking.meant[n];
    }
    if (any && ask_and_wait(&asking, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    add_silent(&asking);
    if (cli->json)
        moor_say_json(answers);
    else
        say(answers);
    return AZCM_OK;
}

const struct moor_verb moor_verb_extension_repair = {
    .name = "extension repair",
    .words = "[NAME]",
    .summary = "do again what failed with an extension",
    .text =
        "NAME is the extension's, or Publisher.Type. Its failure is forgotten, and its work "
        "begins\n"
        "again where that can mend it: a package that was never installed, or whose folder is\n"
        "damaged, is downloaded again, an update begins from its start, else enable is given\n"
        "again with the same number. What killed processes left is removed. The extensions role\n"
        "does it, now or when it starts, connected or not, and says what it did; extension show\n"
        "says how it went.\n",
    .options = repair_options,
    .options_size = sizeof(struct repair_options),
    .words_max = 1,
    .admin = true,
    .run = run_repair,
};
