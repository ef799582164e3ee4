/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/item.h"

#include "base/jsontab.h"
#include "base/sha256.h"
#include "platform/file.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA  1
#define DOC_MAX (32 * 1024 * 1024)

static const char *const phase_names[] = {
    "absent",          "unpacked",      "installed",   "enabled",     "update-unpacked",
    "update-disabled", "update-copied", "update-done", "uninstalled", NULL,
};
static const char *const verb_names[] = { "install", "update",    "enable",
                                          "disable", "uninstall", NULL };
static const char *const outcome_names[] = { "going-on", "succeeded", "failed", NULL };

const char *moor_phase_name(moor_item_phase p)
{
    return phase_names[p];
}

/* One item as it stands in the document. */
struct row {
    const char *name, *publisher, *type, *version, *old_version, *goal, *settings_digest;
    const char *error_code, *message, *status, *held_version, *held_reason, *recorded;
    const char *running_unit, *running_goal;
    int phase, running_verb, running_next, outcome;
    bool multi, automatic, going_back, redo, running, running_old, running_may_fail;
    uint32_t seq, held_count;
    int64_t settings_seq, enabled_seq, running_pid, running_since, code, waiting_since;
    int64_t disable_exit, uninstall_exit, held_until;
    uint64_t running_start, service_seq;
};
#define TEXT(field, json, max)                                                                     \
    {                                                                                              \
        MOOR_F_STR, json, offsetof(struct row, field), MOOR_F_REQUIRED, 0, max, NULL               \
    }
#define NUMBER(kind, field, json, low, high)                                                       \
    {                                                                                              \
        kind, json, offsetof(struct row, field), MOOR_F_REQUIRED, low, high, NULL                  \
    }
#define WORD(field, json, names)                                                                   \
    {                                                                                              \
        MOOR_F_ENUM, json, offsetof(struct row, field), MOOR_F_REQUIRED, 0, 0, names               \
    }
#define FLAG(field, json)                                                                          \
    {                                                                                              \
        MOOR_F_BOOL, json, offsetof(struct row, field), MOOR_F_REQUIRED, 0, 0, NULL                \
    }
#define SAFE_MAX ((int64_t)1 << 53)
static const struct moor_json_field row_fields[] = {
    TEXT(name, "name", 256),
    TEXT(publisher, "publisher", 128),
    TEXT(type, "type", 128),
    TEXT(version, "version", 64),
    TEXT(old_version, "oldVersion", 64),
    TEXT(goal, "goal", 64),
    TEXT(settings_digest, "settingsDigest", 64),
    WORD(phase, "phase", phase_names),
    NUMBER(MOOR_F_U32, seq, "seq", 0, INT32_MAX),
    NUMBER(MOOR_F_I64, settings_seq, "settingsSeq", -1, INT32_MAX),
    NUMBER(MOOR_F_I64, enabled_seq, "enabledSeq", -1, INT32_MAX),
    NUMBER(MOOR_F_U64, service_seq, "serviceSeq", 0, SAFE_MAX),
    FLAG(multi, "multiConfig"),
    NUMBER(MOOR_F_I64, disable_exit, "disableExit", INT32_MIN, INT32_MAX),
    NUMBER(MOOR_F_I64, uninstall_exit, "uninstallExit", INT32_MIN, INT32_MAX),
    FLAG(automatic, "automatic"),
    FLAG(going_back, "goingBack"),
    FLAG(redo, "redo"),
    TEXT(held_version, "heldVersion", 64),
    TEXT(held_reason, "heldReason", 0),
    { MOOR_F_STR, "recorded", offsetof(struct row, recorded), 0, 0, 64, NULL },
    NUMBER(MOOR_F_I64, held_until, "heldUntil", 0, SAFE_MAX),
    NUMBER(MOOR_F_U32, held_count, "heldCount", 0, INT32_MAX),
    FLAG(running, "running"),
    TEXT(running_unit, "runningUnit", 255),
    TEXT(running_goal, "runningGoal", 64),
    FLAG(running_old, "runningOld"),
    FLAG(running_may_fail, "runningMayFail"),
    WORD(running_next, "runningNext", phase_names),
    NUMBER(MOOR_F_I64, running_pid, "runningPid", 0, INT32_MAX),
    NUMBER(MOOR_F_U64, running_start, "runningStart", 0, SAFE_MAX),
    WORD(running_verb, "runningVerb", verb_names),
    NUMBER(MOOR_F_I64, running_since, "runningSince", 0, SAFE_MAX),
    WORD(outcome, "outcome", outcome_names),
    NUMBER(MOOR_F_I64, code, "code", -SAFE_MAX, SAFE_MAX),
    TEXT(error_code, "errorCode", 64),
    TEXT(message, "message", 0),
    TEXT(status, "status", 0),
    NUMBER(MOOR_F_I64, waiting_since, "waitingSince", 0, SAFE_MAX),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape row_shape = { sizeof(struct row), row_fields, 0 };

struct document {
    uint32_t schema;
    uint64_t commands, report_sequence;
    const char *way, *report_boot;
    struct moor_str_list ended;
    struct moor_obj_list items;
};
static const struct moor_json_field document_fields[] = {
    { MOOR_F_U32, "schema", offsetof(struct document, schema), MOOR_F_REQUIRED, SCHEMA, SCHEMA,
      NULL },
    { MOOR_F_U64, "commands", offsetof(struct document, commands), 0, 0, SAFE_MAX, NULL },
    { MOOR_F_STR, "commandsRunIn", offsetof(struct document, way), 0, 0, 15, NULL },
    { MOOR_F_STR_LIST, "endedUnits", offsetof(struct document, ended), 0, 0, MOOR_ENDED_MAX, NULL },
    { MOOR_F_U64, "reportSequence", offsetof(struct document, report_sequence), 0, 0, SAFE_MAX,
      NULL },
    { MOOR_F_STR, "reportBoot", offsetof(struct document, report_boot), 0, 0, 39, NULL },
    { MOOR_F_OBJ_LIST, "items", offsetof(struct document, items), MOOR_F_REQUIRED, 0,
      MOOR_ITEMS_MAX, &row_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape document_shape = { sizeof(struct document), document_fields,
                                                       0 };

void moor_item_free(struct moor_item *i)
{
    if (!i)
        return;
    char *const owned[] = {
        i->name,         i->publisher,       i->type,       i->version,      i->old_version,
        i->goal,         i->settings_digest, i->error_code, i->message,      i->status,
        i->held_version, i->held_reason,     i->recorded,   i->running.unit, i->running.goal,
    };
    for (size_t n = 0; n < MOOR_COUNTOF(owned); n++)
        free(owned[n]);
    free(i);
}

moor_code moor_item_set(char **field, const char *value, struct moor_error *err)
{
    char *mine = moor_strdup(value ? value : "");
    MOOR_ASSERT(field);
    if (!mine)
        return moor_fail(err, MOOR_E_NOMEM, "extension state: out of memory");
    free(*field);
    *field = mine;
    return MOOR_OK;
}

moor_code moor_item_new(const char *name, const char *publisher, const char *type,
                        struct moor_item **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_item) i = calloc(1, sizeof(*i));
    if (!i)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", name);
    const struct {
        char **field;
        const char *value;
    } texts[] = {
        { &i->name, name },          { &i->publisher, publisher }, { &i->type, type },
        { &i->version, "" },         { &i->old_version, "" },      { &i->goal, "" },
        { &i->error_code, "" },      { &i->message, "" },          { &i->status, "" },
        { &i->settings_digest, "" }, { &i->held_version, "" },     { &i->held_reason, "" },
        { &i->recorded, "" },        { &i->running.unit, "" },     { &i->running.goal, "" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++) {
        moor_code c = moor_item_set(texts[n].field, texts[n].value, err);
        if (c != MOOR_OK)
            return c;
    }
    i->settings_seq = -1;
    i->enabled_seq = -1;
    i->disable_exit = i->uninstall_exit = MOOR_EXIT_NOT_RUN;
    *out = MOOR_TAKE(i);
    return MOOR_OK;
}

void moor_item_settle(struct moor_item *i, moor_item_outcome outcome, const char *error_code,
                      int64_t code, const char *message)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_ITEM_MESSAGE_MAX + 4);
    size_t n = strlen(message);
    if (n > MOOR_ITEM_MESSAGE_MAX) {
        n = MOOR_ITEM_MESSAGE_MAX;
        while (n > 0 && ((unsigned char)message[n] & 0xC0) == 0x80)
            n--;
    }
    moor_buf_add(&text, message, n);
    i->outcome = outcome;
    i->code = code;
    if (moor_item_set(&i->error_code, error_code, NULL) != MOOR_OK ||
        moor_item_set(&i->message, moor_buf_cstr(&text), NULL) != MOOR_OK)
        i->message[0] = 0;
}

void moor_items_drop(struct moor_items *s)
{
    for (size_t n = 0; n < s->count; n++)
        moor_item_free(s->list[n]);
    s->count = 0;
    for (size_t n = 0; n < s->ended.count; n++)
        free(s->ended.units[n]);
    s->ended.count = s->ended.forgotten = 0;
}

static moor_code add_ended(struct moor_ended *e, const char *unit, struct moor_error *err)
{
    if (e->count == MOOR_ENDED_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "%s: too many units that ended", unit);
    char *mine = moor_strdup(unit);
    if (!mine)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", unit);
    e->units[e->count++] = mine;
    return MOOR_OK;
}

moor_code moor_items_end(struct moor_items *s, const struct moor_item *i, struct moor_error *err)
{
    struct moor_ended *e = &s->ended;
    size_t kept = 0;
    if (!*i->running.unit)
        return MOOR_OK;
    for (size_t n = 0; n < e->count; n++) {
        if (n < e->forgotten)
            free(e->units[n]);
        else
            e->units[kept++] = e->units[n];
    }
    e->count = kept;
    e->forgotten = 0;
    return add_ended(e, i->running.unit, err);
}

struct moor_item *moor_items_find(const struct moor_items *s, const char *name)
{
    for (size_t n = 0; n < s->count; n++) {
        if (moor_strcasecmp(s->list[n]->name, name) == 0)
            return s->list[n];
    }
    return NULL;
}

bool moor_item_same_handler(const struct moor_item *a, const struct moor_item *b)
{
    return moor_strcasecmp(a->publisher, b->publisher) == 0 &&
           moor_strcasecmp(a->type, b->type) == 0;
}

moor_code moor_items_add(struct moor_items *s, struct moor_item *item, struct moor_error *err)
{
    if (s->count == MOOR_ITEMS_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: want at most %d extensions", item->name,
                         MOOR_ITEMS_MAX);
    s->list[s->count++] = item;
    return MOOR_OK;
}

void moor_items_remove(struct moor_items *s, struct moor_item *item)
{
    for (size_t n = 0; n < s->count; n++) {
        if (s->list[n] != item)
            continue;
        s->list[n] = s->list[--s->count];
        s->list[s->count] = NULL;
        moor_item_free(item);
        return;
    }
}

static moor_code from_row(const struct row *r, struct moor_items *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_item) i = NULL;
    moor_code c = moor_item_new(r->name, r->publisher, r->type, &i, err);
    if (c != MOOR_OK)
        return c;
    const struct {
        char **field;
        const char *value;
    } texts[] = {
        { &i->version, r->version },
        { &i->old_version, r->old_version },
        { &i->goal, r->goal },
        { &i->settings_digest, r->settings_digest },
        { &i->error_code, r->error_code },
        { &i->message, r->message },
        { &i->status, r->status },
        { &i->held_version, r->held_version },
        { &i->held_reason, r->held_reason },
        { &i->recorded, r->recorded },
        { &i->running.unit, r->running_unit },
        { &i->running.goal, r->running_goal },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(texts) && c == MOOR_OK; n++)
        c = moor_item_set(texts[n].field, texts[n].value, err);
    if (c != MOOR_OK)
        return c;
    i->phase = (moor_item_phase)r->phase;
    i->seq = r->seq;
    i->settings_seq = r->settings_seq;
    i->enabled_seq = r->enabled_seq;
    i->service_seq = r->service_seq;
    i->running.on = r->running;
    i->running.process = (struct plat_process_id){ r->running_pid, r->running_start };
    i->running.verb = (moor_handler_verb)r->running_verb;
    i->running.old = r->running_old;
    i->running.may_fail = r->running_may_fail;
    i->running.next = (moor_item_phase)r->running_next;
    i->running.since_ms = r->running_since;
    i->outcome = (moor_item_outcome)r->outcome;
    i->code = r->code;
    i->waiting_since_ms = r->waiting_since;
    i->multi = r->multi;
    i->disable_exit = r->disable_exit;
    i->uninstall_exit = r->uninstall_exit;
    i->automatic = r->automatic;
    i->going_back = r->going_back;
    i->redo = r->redo;
    i->held_until_ms = r->held_until;
    i->held_count = r->held_count;
    c = moor_items_add(out, i, err);
    if (c == MOOR_OK)
        i = NULL;
    return c;
}

static struct row to_row(const struct moor_item *i)
{
    return (struct row){
        .name = i->name,
        .publisher = i->publisher,
        .type = i->type,
        .version = i->version,
        .old_version = i->old_version,
        .goal = i->goal,
        .settings_digest = i->settings_digest,
        .error_code = i->error_code,
        .message = i->message,
        .status = i->status,
        .phase = (int)i->phase,
        .running = i->running.on,
        .running_unit = i->running.unit,
        .running_goal = i->running.goal,
        .running_verb = (int)i->running.verb,
        .running_old = i->running.old,
        .running_may_fail = i->running.may_fail,
        .running_next = (int)i->running.next,
        .outcome = (int)i->outcome,
        .seq = i->seq,
        .settings_seq = i->settings_seq,
        .enabled_seq = i->enabled_seq,
        .running_pid = i->running.process.pid,
        .running_start = i->running.process.start,
        .running_since = i->running.since_ms,
        .code = i->code,
        .waiting_since = i->waiting_since_ms,
        .service_seq = i->service_seq,
        .multi = i->multi,
        .disable_exit = i->disable_exit,
        .uninstall_exit = i->uninstall_exit,
        .automatic = i->automatic,
        .going_back = i->going_back,
        .redo = i->redo,
        .held_version = i->held_version,
        .held_reason = i->held_reason,
        .recorded = i->recorded,
        .held_until = i->held_until_ms,
        .held_count = i->held_count,
    };
}

moor_code moor_items_load(const char *path, struct moor_items *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOC_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * DOC_MAX);
    MOOR_AUTO(moor_items) items = { 0 };
    struct document doc = { 0 };
    moor_code c = plat_read_all(path, DOC_MAX, &text, err);
    if (c == MOOR_E_NOTFOUND) {
        *out = items;
        return MOOR_OK;
    }
    if (c == MOOR_OK)
        c = moor_json_decode(moor_buf_view(&text), path, &document_shape, &doc, &arena, err);
    const struct row *rows = doc.items.items;
    for (size_t n = 0; n < doc.items.count && c == MOOR_OK; n++)
        c = from_row(&rows[n], &items, err);
    if (c != MOOR_OK)
        return c;
    for (size_t n = 0; n < doc.ended.count && c == MOOR_OK; n++)
        c = add_ended(&items.ended, doc.ended.items[n], err);
    if (c != MOOR_OK)
        return c;
    items.commands = doc.commands;
    items.report_sequence = items.report_last = doc.report_sequence;
    (void)snprintf(items.way, sizeof(items.way), "%s", doc.way ? doc.way : "");
    (void)snprintf(items.report_boot, sizeof(items.report_boot), "%s",
                   doc.report_boot ? doc.report_boot : "");
    *out = items;
    items = (struct moor_items){ .count = 0 };
    return MOOR_OK;
}

moor_code moor_items_save(const char *path, struct moor_items *s, struct moor_error *err)
{
    struct row *rows = calloc(s->count ? s->count : 1, sizeof(*rows));
    if (!rows)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    for (size_t n = 0; n < s->count; n++)
        rows[n] = to_row(s->list[n]);
    const char *ended[MOOR_ENDED_MAX];
    for (size_t n = 0; n < s->ended.count; n++)
        ended[n] = s->ended.units[n];
    const struct document doc = { .schema = SCHEMA,
                                  .ended = { ended, s->ended.count },
                                  .commands = s->commands,
                                  .way = s->way,
                                  .report_sequence = s->report_sequence,
                                  .report_boot = s->report_boot,
                                  .items = { rows, s->count } };
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOC_MAX);
    moor_json_encode(&text, &document_shape, &doc);
    free(rows);
    moor_code c = moor_buf_ok(&text, path, err);
    if (c != MOOR_OK)
        return c;
    char digest[65];
    moor_sha256_hex(moor_buf_view(&text), digest);
    if (strcmp(digest, s->saved) == 0)
        return MOOR_OK;
    s->saved[0] = 0; /* until it is written nobody knows what is there */
    c = plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        memcpy(s->saved, digest, sizeof(digest));
    return c;
}
