/* SPDX-License-Identifier: Apache-2.0 */
/* mooring logs status, mooring logs queue, mooring logs check: the log forwarder. */
#include <stdlib.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "cli/cli.h"
#include "logs/queue.h"
#include "logs/rules.h"
#include "platform/dirs.h"

#define ARENA_MAX  ((size_t)8 * 1024 * 1024)
#define STATUS_MAX ((size_t)32 * 1024 * 1024)
#define HEAD_MAX   ((size_t)64 * 1024)
#define ENTRY_NAME 16 /* hexadecimal digits */

/* status */

static moor_code read_status(struct moor_json **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(STATUS_MAX);
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_LIB, &path, err, "logs/status.json");
    if (c == MOOR_OK)
        c = plat_read_all(path, STATUS_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_json_parse(moor_buf_view(&text), out, err);
    return c;
}

static uint64_t count_of(const struct moor_json *counts, const char *name)
{
    int64_t v = 0;
    return moor_json_int(moor_json_get(counts, name), &v) && v > 0 ? (uint64_t)v : 0;
}

/* All that was dropped, whatever the reason. */
static uint64_t dropped(const struct moor_json *counts)
{
    uint64_t sum = 0;
    MOOR_JSON_EACH(c, counts)
    if (moor_span_starts(moor_span_str(moor_json_name(c)), "dropped"))
        sum += count_of(counts, moor_json_name(c));
    return sum;
}

static void say_reasons(const struct moor_json *counts)
{
    MOOR_JSON_EACH(c, counts)
    {
        const char *name = moor_json_name(c);
        uint64_t v = count_of(counts, name);
        if (v > 0 && moor_span_starts(moor_span_str(name), "dropped"))
            moor_say("    %s: %llu\n", name, (unsigned long long)v);
    }
}

static void say_flow(const struct moor_json *f)
{
    const struct moor_json *counts = moor_json_get(f, "counts");
    const char *oldest = moor_json_get_str(f, "oldestUnacknowledged");
    const char *problem = moor_json_get_str(f, "error");
    moor_say("%s\n", moor_json_get_str(f, "key"));
    moor_say("  %s, %llu received = %llu acknowledged + %llu queued + %llu dropped\n",
             moor_json_get_str(f, "state"), (unsigned long long)count_of(counts, "received"),
             (unsigned long long)count_of(counts, "acknowledged"),
             (unsigned long long)count_of(counts, "queued"), (unsigned long long)dropped(counts));
    say_reasons(counts);
    if (oldest && *oldest)
        moor_say("  oldest not acknowledged: %s\n", oldest);
    if (problem && *problem)
        moor_say("  %s\n", problem);
}

static moor_azcm run_status(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    (void)options;
    (void)words;
    if (read_status(&v, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_AGENT_STATUS, &err,
                             err.code == MOOR_E_NOTFOUND
                                 ? "nothing was collected yet: is the machine connected, and does "
                                   "mooring-logs run?"
                                 : NULL);
    if (cli->json) {
        moor_say_json(v);
        return AZCM_OK;
    }
    moor_say("as of %s; queue: %llu of %llu bytes\n", moor_json_get_str(v, "time"),
             (unsigned long long)count_of(moor_json_get(v, "queue"), "bytes"),
             (unsigned long long)count_of(moor_json_get(v, "queue"), "bytesMax"));
    MOOR_JSON_EACH(f, moor_json_get(v, "flows"))
    say_flow(f);
    return AZCM_OK;
}

/* queue */

struct listing {
    struct moor_cli *cli;
    const char *folder;
    struct moor_json *entries;
};

static moor_code read_head(const char *path, struct moor_queue_head *head, struct moor_arena *arena,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTOSTR text = malloc(HEAD_MAX);
    struct moor_span body;
    size_t got = 0;
    if (!text)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    moor_code c = plat_open(path, PLAT_READ, &f, err);
    if (c == MOOR_OK)
        c = plat_read_at(&f, 0, text, HEAD_MAX, &got, err);
    return c == MOOR_OK ? moor_queue_decode(moor_span(text, got), true, head, &body, arena, err)
                        : c;
}

static bool on_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    struct listing *l = ctx;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    struct moor_queue_head head;
    struct moor_error e = MOOR_ERROR_INIT;
    char created[MOOR_RFC3339_LEN + 1];
    if (!st->is_file || moor_span_str(name).n != ENTRY_NAME)
        return true;
    moor_buf_fmt(&path, "%s/%s", l->folder, name);
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "entry", name);
    moor_json_set_int(o, "bytes", (int64_t)st->size);
    if (read_head(moor_buf_cstr(&path), &head, &arena, &e) == MOOR_OK) {
        moor_rfc3339_format(head.created_ms, created);
        moor_json_set_str(o, "flow", head.key);
        moor_json_set_int(o, "rows", head.rows);
        moor_json_set_str(o, "created", created);
    } else {
        moor_json_set_str(o, "error", e.msg);
    }
    moor_json_push(l->entries, o);
    return true;
}

static void say_entry(const struct moor_json *e)
{
    const char *error = moor_json_get_str(e, "error");
    if (error)
        moor_say("%s  %s\n", moor_json_get_str(e, "entry"), error);
    else
        moor_say("%s  %s  %8llu rows %10llu bytes  %s\n", moor_json_get_str(e, "entry"),
                 moor_json_get_str(e, "created"), (unsigned long long)count_of(e, "rows"),
                 (unsigned long long)count_of(e, "bytes"), moor_json_get_str(e, "flow"));
}

static moor_azcm run_queue(struct moor_cli *cli, const void *options,
                           const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) entries = moor_json_new_array();
    MOOR_AUTOSTR folder = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    (void)options;
    (void)words;
    moor_code c = plat_path(PLAT_DIR_LIB, &folder, &err, "logs/queue");
    struct listing l = { cli, folder, entries };
    if (c == MOOR_OK)
        c = plat_list_dir(folder, on_entry, &l, &err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return moor_cli_fail(cli, AZCM_AGENT_STATUS, &err, NULL);
    if (cli->json) {
        moor_say_json(entries);
        return AZCM_OK;
    }
    MOOR_JSON_EACH(e, entries)
    say_entry(e);
    return AZCM_OK;
}

/* check */

static void add_rule(struct moor_json *answer, const struct moor_rule *r, const char *unknown)
{
    struct moor_json *flows = moor_json_new_array();
    for (size_t i = 0; i < r->flow_count; i++) {
        struct moor_json *key = moor_json_new_str(r->flows[i].key);
        moor_json_push(flows, key);
    }
    moor_json_set(answer, "flows", flows);
    moor_json_set_str(answer, "notCollected", r->ignored);
    moor_json_set_str(answer, "unknownMembers", unknown);
}

static void say_rule(const struct moor_rule *r, const char *file, const char *unknown)
{
    moor_say("%s: can be used\n", file);
    for (size_t i = 0; i < r->flow_count; i++)
        moor_say("  flow %s\n", r->flows[i].key);
    if (*r->ignored)
        moor_say("  not collected here: %s\n", r->ignored);
    if (*unknown)
        moor_say("  unknown, ignored: %s\n", unknown);
}

static moor_azcm run_check(struct moor_cli *cli, const void *options,
                           const struct moor_words *words)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_RULE_BYTES_MAX);
    MOOR_AUTO(moor_buf) unknown = MOOR_BUF(64 * 1024);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_rule rule;
    const char *file = words->items[0];
    (void)options;
    moor_code c = moor_read_input(file, &text, &err);
    if (c == MOOR_OK)
        c = moor_rule_decode(moor_buf_view(&text), file, &rule, &arena, &err);
    if (c == MOOR_OK)
        c = moor_rule_unknown(moor_buf_view(&text), &unknown, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (!cli->json) {
        say_rule(&rule, file, moor_buf_cstr(&unknown));
        return AZCM_OK;
    }
    MOOR_AUTOPTR(moor_json) answer = moor_json_new_object();
    add_rule(answer, &rule, moor_buf_cstr(&unknown));
    moor_say_json(answer);
    return AZCM_OK;
}

const struct moor_verb moor_verb_logs_status = {
    .name = "logs status",
    .words = "",
    .summary = "say how the log forwarder's flows stand, and account for every record",
    .text =
        "Received are the records read so far. Each is acknowledged by the service, in the queue\n"
        "on disk, or dropped for a reason that is named. Written by mooring-logs, at most every\n"
        "ten seconds.\n",
    .run = run_status,
};
const struct moor_verb moor_verb_logs_queue = {
    .name = "logs queue",
    .words = "",
    .summary = "list what waits on the disk for its destination",
    .admin = true,
    .run = run_queue,
};
const struct moor_verb moor_verb_logs_check = {
    .name = "logs check",
    .words = "FILE",
    .summary = "judge a data collection rule before it is used",
    .text =
        "Says what would be collected, or what is wrong and where. Members that are unknown, and\n"
        "data sources that this system does not have, are named.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_check,
};
