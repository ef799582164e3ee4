/* SPDX-License-Identifier: Apache-2.0 */
/* mooring audit verify, mooring audit list */
#include <inttypes.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/cli.h"
#include "core/trail_line.h"

struct list_options {
    const char *last;
};
static const struct moor_option list_options[] = {
    { "last", 'n', "COUNT", offsetof(struct list_options, last), "only that many, the newest" },
    { NULL, 0, NULL, 0, NULL },
};

/* Lines are passed on from the number after on. */
struct listing {
    struct moor_json *out; /* NULL: printed as text */
    uint64_t after;
};

/* Text that came from elsewhere must not move the terminal's cursor. */
static void add_plain(struct moor_buf *b, const char *before, const char *text)
{
    moor_buf_str(b, before);
    for (; *text; text++)
        moor_buf_char(b, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void say_line(const struct moor_trail_line *line)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_TRAIL_LINE_MAX);
    moor_buf_fmt(&text, "%" PRIu64 " ", line->number);
    moor_buf_rfc3339(&text, line->time_ms - line->time_ms % 1000);
    add_plain(&text, " ", line->by);
    add_plain(&text, " ", line->verdict);
    add_plain(&text, " ", line->verb);
    add_plain(&text, " ", line->object);
    add_plain(&text, *line->detail ? ": " : "", line->detail);
    if (*line->rule) {
        add_plain(&text, " (", line->rule);
        moor_buf_char(&text, ')');
    }
    moor_say("%s\n", moor_buf_cstr(&text));
}

static struct moor_json *new_line(const struct moor_trail_line *line)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        { "by", line->by },         { "verb", line->verb },       { "object", line->object },
        { "detail", line->detail }, { "verdict", line->verdict }, { "rule", line->rule },
        { "hash", line->hash },
    };
    char time[MOOR_RFC3339_LEN + 1];
    struct moor_json *o = moor_json_new_object();
    moor_rfc3339_format(line->time_ms, time);
    moor_json_set_int(o, "number", (int64_t)line->number);
    moor_json_set_str(o, "time", time);
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++)
        moor_json_set_str(o, texts[n].key, texts[n].value);
    return o;
}

static bool on_line(void *ctx, const struct moor_trail_line *line)
{
    struct listing *l = ctx;
    if (line->number <= l->after)
        return true;
    if (l->out)
        moor_json_push(l->out, new_line(line));
    else
        say_line(line);
    return true;
}

/* AZCM_OK, or what stands at the first broken line. */
static moor_azcm judge(struct moor_cli *cli, const struct moor_trail_verdict *v)
{
    if (v->whole)
        return AZCM_OK;
    MOOR_AUTO(moor_buf) place = MOOR_BUF(128);
    if (*v->file)
        moor_buf_fmt(&place, " (%s, line %" PRIu64 ")", v->file, v->file_line);
    return moor_cli_refuse(cli, AZCM_AUDIT_BROKEN, "line %" PRIu64 "%s: %s", v->broken,
                           moor_buf_cstr(&place), v->reason);
}

static struct moor_json *new_verdict(const struct moor_trail_verdict *v)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_bool(o, "whole", v->whole);
    moor_json_set_int(o, "first", (int64_t)v->first);
    moor_json_set_int(o, "last", (int64_t)v->last);
    moor_json_set_int(o, "sealed", (int64_t)v->seals);
    moor_json_set_bool(o, "unfinished", v->unfinished);
    if (v->whole)
        return o;
    struct moor_json *broken = moor_json_set(o, "broken", moor_json_new_object());
    moor_json_set_int(broken, "number", (int64_t)v->broken);
    moor_json_set_str(broken, "file", v->file);
    moor_json_set_int(broken, "line", (int64_t)v->file_line);
    moor_json_set_str(broken, "reason", v->reason);
    return o;
}

static moor_azcm run_verify(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_trail_verdict v;
    (void)options;
    (void)words;
    if (moor_trail_read(NULL, NULL, &v, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_UNKNOWN, &err, NULL);
    if (cli->json) {
        MOOR_AUTOPTR(moor_json) answer = new_verdict(&v);
        moor_say_json(answer);
        return v.whole ? AZCM_OK : AZCM_AUDIT_BROKEN;
    }
    if (!v.whole)
        return judge(cli, &v);
    if (v.first == 0)
        moor_say("The audit log is empty\n");
    else
        moor_say("The audit log is whole: lines %" PRIu64 " to %" PRIu64 "\n", v.first, v.last);
    if (v.seals > 0 || v.unfinished)
        moor_say("Unfinished lines that a crash left: %" PRIu64 "\n", v.seals + v.unfinished);
    return AZCM_OK;
}

static moor_azcm run_list(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    const struct list_options *o = options;
    MOOR_AUTOPTR(moor_json) answer = cli->json ? moor_json_new_array() : NULL;
    struct listing l = { answer, 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_trail_verdict v;
    uint64_t count = 0;
    (void)words;
    if (o->last && moor_parse_u64(moor_span_str(o->last), 1, INT32_MAX, &count, &err) != MOOR_OK)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--last: %s", err.msg);
    moor_code c = count ? moor_trail_read(NULL, NULL, &v, &err) : MOOR_OK;
    if (c == MOOR_OK && count && v.last > count)
        l.after = v.last - count;
    if (c == MOOR_OK)
        c = moor_trail_read(on_line, &l, &v, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_UNKNOWN, &err, NULL);
    if (!cli->json)
        return judge(cli, &v);
    moor_say_json(answer);
    return v.whole ? AZCM_OK : AZCM_AUDIT_BROKEN;
}

const struct moor_verb moor_verb_audit_verify = {
    .name = "audit verify",
    .words = "",
    .summary = "check that no line of the local audit log was changed or removed",
    .text = "Names the first line that is broken or missing; the exit status is then 150. What a\n"
            "crash left of an unfinished line is no damage: the next line says so.\n",
    .admin = true,
    .run = run_verify,
};
const struct moor_verb moor_verb_audit_list = {
    .name = "audit list",
    .words = "",
    .summary = "show what the cloud asked for, what was refused, and what was changed here",
    .text = "Lists the lines of the local audit log up to the first broken one, oldest first.\n",
    .options = list_options,
    .options_size = sizeof(struct list_options),
    .admin = true,
    .run = run_list,
};
