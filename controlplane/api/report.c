/* SPDX-License-Identifier: Apache-2.0 */
#include "api/report.h"

#include <inttypes.h>
#include <string.h>

#include "api/extensions.h"
#include "api/run_commands.h"
#include "api/service.h"
#include "engine/live.h"
#include "run/log.h"

#define REPORT_DOC     "report"
#define REPORT_DOC_MAX ((size_t)2 << 20)
#define ROW_MAX        ((size_t)8 << 20) /* of one run command */
#define BOOTS_MAX      4
#define MESSAGE_MAX    4096

enum {
    ST_WAITING,
    ST_INSTALLING,
    ST_UPDATING,
    ST_ENABLING,
    ST_ENABLED,
    ST_DISABLING,
    ST_DISABLED,
    ST_UNINSTALLING,
    ST_UNINSTALLED,
    ST_FAILED,
    ST_UNMANAGED
};
static const char *const states[] = { "waiting",     "installing", "updating",  "enabling",
                                      "enabled",     "disabling",  "disabled",  "uninstalling",
                                      "uninstalled", "failed",     "unmanaged", NULL };
enum { P_CREATING, P_UPDATING, P_DELETING, P_SUCCEEDED, P_FAILED, P_CANCELED };
static const char *const provisioning[] = { "Creating", "Updating", "Deleting", "Succeeded",
                                            "Failed",   "Canceled", NULL };

static const struct moor_json_field usage_fields[] = {
    { MOOR_F_U64, "cpuMilliseconds", offsetof(struct moor_extension_usage, cpu_ms), MOOR_F_REQUIRED,
      0, INT64_C(1) << 53, NULL },
    { MOOR_F_U64, "memoryBytes", offsetof(struct moor_extension_usage, memory_bytes),
      MOOR_F_REQUIRED, 0, INT64_C(1) << 53, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape usage_shape = { sizeof(struct moor_extension_usage),
                                                    usage_fields, 0 };

struct item {
    const char *name, *publisher, *type, *version, *instance;
    uint64_t seq;
    int state, provisioning;
    int64_t code;
    const char *error_code, *message;
    const char *status; /* JSON of the handler's status, NULL = none */
    struct moor_extension_usage usage;
};
#define ITEM(kind, name, member, flags, min, max, sub)                                             \
    {                                                                                              \
        kind, name, offsetof(struct item, member), flags, min, max, sub                            \
    }
static const struct moor_json_field item_fields[] = {
    ITEM(MOOR_F_STR, "name", name, MOOR_F_REQUIRED, 1, 256, NULL),
    ITEM(MOOR_F_STR, "publisher", publisher, MOOR_F_REQUIRED, 1, 128, NULL),
    ITEM(MOOR_F_STR, "type", type, MOOR_F_REQUIRED, 1, 128, NULL),
    ITEM(MOOR_F_STR, "version", version, MOOR_F_REQUIRED, 0, 43, NULL),
    ITEM(MOOR_F_U64, "settingsSeqNo", seq, MOOR_F_REQUIRED, 0, INT64_C(1) << 31, NULL),
    ITEM(MOOR_F_ENUM, "state", state, MOOR_F_REQUIRED, 0, 0, states),
    ITEM(MOOR_F_ENUM, "provisioningState", provisioning, MOOR_F_REQUIRED, 0, 0, provisioning),
    ITEM(MOOR_F_I64, "code", code, 0, -(INT64_C(1) << 31), INT64_C(1) << 31, NULL),
    ITEM(MOOR_F_STR, "errorCode", error_code, 0, 0, 64, NULL),
    ITEM(MOOR_F_STR, "message", message, 0, 0, MESSAGE_MAX, NULL),
    ITEM(MOOR_F_OBJ_JSON, "status", status, 0, 0, 128 << 10, NULL),
    ITEM(MOOR_F_OBJ, "usage", usage, 0, 0, 0, &usage_shape),
    ITEM(MOOR_F_STR, "instance", instance, 0, 0, 64, NULL),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape item_shape = { sizeof(struct item), item_fields, 0 };

struct denial {
    const char *name, *publisher, *type, *rule, *message;
    uint64_t seq;
};
#define DENIAL(kind, name, member, flags, min, max)                                                \
    {                                                                                              \
        kind, name, offsetof(struct denial, member), flags, min, max, NULL                         \
    }
static const struct moor_json_field denial_fields[] = {
    DENIAL(MOOR_F_STR, "name", name, MOOR_F_REQUIRED, 1, 64),
    DENIAL(MOOR_F_STR, "publisher", publisher, MOOR_F_REQUIRED, 0, 128),
    DENIAL(MOOR_F_STR, "type", type, MOOR_F_REQUIRED, 0, 128),
    DENIAL(MOOR_F_U64, "settingsSeqNo", seq, 0, 0, INT64_C(1) << 31),
    DENIAL(MOOR_F_STR, "rule", rule, MOOR_F_REQUIRED, 1, 128),
    DENIAL(MOOR_F_STR, "message", message, MOOR_F_REQUIRED, 0, 1024),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape denial_shape = { sizeof(struct denial), denial_fields, 0 };

struct report {
    const char *boot_id, *revision, *hash;
    uint64_t sequence;
    int64_t observed_ms;
    bool full;
    struct moor_obj_list extensions, run_commands, denials;
};
#define REPORT(kind, name, member, flags, min, max, sub)                                           \
    {                                                                                              \
        kind, name, offsetof(struct report, member), flags, min, max, sub                          \
    }
static const struct moor_json_field report_fields[] = {
    REPORT(MOOR_F_STR, "bootId", boot_id, MOOR_F_REQUIRED, 32, 32, NULL),
    REPORT(MOOR_F_U64, "reportSequence", sequence, MOOR_F_REQUIRED, 1, INT64_C(1) << 53, NULL),
    REPORT(MOOR_F_STR, "revision", revision, MOOR_F_REQUIRED, 0, 64, NULL),
    REPORT(MOOR_F_TIME, "observedAt", observed_ms, MOOR_F_REQUIRED, 0, 0, NULL),
    REPORT(MOOR_F_BOOL, "full", full, 0, 0, 0, NULL),
    REPORT(MOOR_F_STR, "reportHash", hash, MOOR_F_REQUIRED, 0, 64, NULL),
    REPORT(MOOR_F_OBJ_LIST, "extensions", extensions, MOOR_F_REQUIRED, 0, 128, &item_shape),
    REPORT(MOOR_F_OBJ_LIST, "runCommands", run_commands, 0, 0, 128, &moor_run_command_report_shape),
    REPORT(MOOR_F_OBJ_LIST, "denials", denials, 0, 0, 128, &denial_shape),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape report_shape = { sizeof(struct report), report_fields, 0 };

struct taking {
    struct moor_machine machine;
    struct report report;
    bool removed; /* an item was reported gone or done: the document is shorter */
};

/* The document of earlier reports: {"boots":[{"id","sequence"}],"denials":[],"unmanaged":[]}. */
static struct moor_json *load_doc(struct moor_call *c, const char *vm_id, struct moor_error *err)
{
    const char *text = NULL;
    struct moor_json *doc = NULL;
    moor_code code =
        moor_machine_doc_get(c->app->store, vm_id, REPORT_DOC, c->arena, &text, NULL, err);
    if (code && code != MOOR_E_NOTFOUND)
        return NULL;
    if (code || moor_json_parse(moor_span_str(text), &doc, NULL))
        doc = moor_json_new_object();
    if (!doc)
        code = moor_fail(err, MOOR_E_NOMEM, "report: no memory");
    return doc;
}

/* Whether the report is newer than what its boot sent before. */
static bool is_news(const struct moor_json *doc, const struct report *r)
{
    MOOR_JSON_EACH(boot, moor_json_get(doc, "boots"))
    {
        int64_t highest = 0;
        if (moor_streq(moor_json_get_str(boot, "id"), r->boot_id) &&
            moor_json_int(moor_json_get(boot, "sequence"), &highest))
            return r->sequence > (uint64_t)highest;
    }
    return true;
}

/* The last few boots, newest first. */
static void note_sequence(struct moor_json *doc, const struct report *r)
{
    struct moor_json *boots = moor_json_new_array();
    struct moor_json *now = moor_json_new_object();
    moor_json_set_str(now, "id", r->boot_id);
    moor_json_set_int(now, "sequence", (int64_t)r->sequence);
    moor_json_push(boots, now);
    MOOR_JSON_EACH(boot, moor_json_get(doc, "boots"))
    {
        if (moor_json_size(boots) < BOOTS_MAX &&
            !moor_streq(moor_json_get_str(boot, "id"), r->boot_id))
            moor_json_push(boots, moor_json_copy(boot));
    }
    moor_json_set(doc, "boots", boots);
}

static void note_rest(struct moor_json *doc, const struct report *r)
{
    struct moor_json *unmanaged = moor_json_new_array(), *denials = moor_json_new_array();
    const struct item *items = r->extensions.items;
    const struct denial *denied = r->denials.items;
    for (size_t i = 0; i < r->extensions.count; i++) {
        if (items[i].state != ST_UNMANAGED)
            continue;
        struct moor_json *o = moor_json_new_object();
        moor_json_set_str(o, "publisher", items[i].publisher);
        moor_json_set_str(o, "type", items[i].type);
        moor_json_set_str(o, "version", items[i].version);
        moor_json_push(unmanaged, o);
    }
    for (size_t i = 0; i < r->denials.count; i++) {
        struct moor_json *o = moor_json_new_object();
        moor_json_set_str(o, "name", denied[i].name);
        moor_json_set_str(o, "rule", denied[i].rule);
        moor_json_set_str(o, "message", denied[i].message);
        moor_json_push(denials, o);
    }
    if (r->full || moor_json_size(unmanaged) || !moor_json_get(doc, "unmanaged"))
        moor_json_set(doc, "unmanaged", unmanaged);
    else
        moor_json_free(unmanaged);
    moor_json_set(doc, "denials", denials);
    moor_json_set_str(doc, "revision", r->revision);
}

/* What the administrator reads: our sentence for a failure, then the handler's own message. */
static const char *message_of(struct moor_call *c, const struct item *item)
{
    MOOR_AUTOPTR(moor_json) status = NULL;
    if (item->status && moor_json_parse(moor_span_str(item->status), &status, NULL))
        status = NULL;
    const char *own = item->message ? item->message : "";
    const char *handlers = moor_json_str(moor_json_path(status, "status.formattedMessage.message"));
    if (!handlers || !*handlers)
        return own;
    bool same = strncmp(own, handlers, strlen(own)) == 0; /* nothing of ours to say */
    if (item->provisioning != P_FAILED || same)
        return moor_call_fmt(c, "Extension Message: %.*s", MESSAGE_MAX, handlers);
    return moor_call_fmt(c, "%s\nExtension Message: %.*s", own, MESSAGE_MAX, handlers);
}

static const char *level_of(const struct item *item)
{
    MOOR_AUTOPTR(moor_json) status = NULL;
    if (item->provisioning == P_FAILED)
        return "Error";
    if (item->status && moor_json_parse(moor_span_str(item->status), &status, NULL) == MOOR_OK &&
        moor_streq(moor_json_str(moor_json_path(status, "status.status")), "warning"))
        return "Warning";
    return "Information";
}

static moor_code settle(struct moor_call *c, struct taking *t,
                        const struct moor_extension_report *r, struct moor_error *err)
{
    moor_code code = moor_extension_settle(c->app, &t->machine, r, c->arena, err);
    if (code == MOOR_E_NOTFOUND)
        return MOOR_OK; /* deleted meanwhile: nobody waits for it */
    if (!code && moor_streq(r->provisioning_state, "Deleted"))
        t->removed = true;
    return code;
}

static moor_code settle_item(struct moor_call *c, struct taking *t, const struct item *item,
                             struct moor_error *err)
{
    bool failed = item->provisioning == P_FAILED;
    const char *error_code = item->error_code && *item->error_code ? item->error_code : "Failed";
    struct moor_extension_report r = {
        .name = item->name,
        .settings_seq = item->seq,
        .provisioning_state =
            item->state == ST_UNINSTALLED ? "Deleted" : provisioning[item->provisioning],
        .installed_version = item->version,
        .error_code = failed ? error_code : "",
        .status_code = moor_call_fmt(c, "%" PRId64, item->code),
        .status_level = level_of(item),
        .status_message = message_of(c, item),
        .usage = item->usage,
        .observed_ms = t->report.observed_ms,
    };
    return item->state == ST_UNMANAGED ? MOOR_OK : settle(c, t, &r, err);
}

static moor_code settle_denial(struct moor_call *c, struct taking *t, const struct denial *d,
                               struct moor_error *err)
{
    struct moor_extension_report r = {
        .name = d->name,
        .settings_seq = d->seq,
        .provisioning_state = "Failed",
        .installed_version = "",
        .error_code = "PolicyDenied",
        .status_code = "PolicyDenied",
        .status_level = "Error",
        .status_message = moor_call_fmt(c, "%s (%s)", d->message, d->rule),
        .observed_ms = t->report.observed_ms,
    };
    return settle(c, t, &r, err);
}

static moor_code settle_run_command(struct moor_call *c, struct taking *t,
                                    const struct moor_run_command_report *r, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ROW_MAX);
    bool finished = false;
    moor_code code = moor_run_command_settle(c->app, &t->machine, r, &finished, &arena, err);
    t->removed |= finished;
    return code == MOOR_E_NOTFOUND ? MOOR_OK : code;
}

static moor_code settle_all(struct moor_call *c, struct taking *t, struct moor_error *err)
{
    const struct item *items = t->report.extensions.items;
    const struct moor_run_command_report *runs = t->report.run_commands.items;
    const struct denial *denied = t->report.denials.items;
    moor_code code = MOOR_OK;
    for (size_t i = 0; !code && i < t->report.extensions.count; i++)
        code = settle_item(c, t, &items[i], err);
    for (size_t i = 0; !code && i < t->report.run_commands.count; i++)
        code = settle_run_command(c, t, &runs[i], err);
    for (size_t i = 0; !code && i < t->report.denials.count; i++)
        code = settle_denial(c, t, &denied[i], err);
    return code;
}

static moor_code take(struct moor_call *c, struct taking *t, struct moor_json *doc,
                      uint64_t *revision, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    MOOR_AUTOSTR text = NULL;
    note_sequence(doc, &t->report);
    note_rest(doc, &t->report);
    moor_code code = moor_json_print(doc, REPORT_DOC_MAX, &text, err);
    if (code || (code = moor_store_begin(c->app->store, &tx, err)) ||
        (code = settle_all(c, t, err)) ||
        (code = moor_machine_doc_put(c->app->store, t->machine.vm_id, REPORT_DOC, text, c->now_ms,
                                     err)))
        return code;
    if (t->removed &&
        (code = moor_machine_touch_desired(c->app->store, t->machine.vm_id, revision, err)))
        return code;
    return moor_store_commit(&tx, err);
}

void moor_report(struct moor_call *c)
{
    struct taking t = { .removed = false };
    struct moor_error err = MOOR_ERROR_INIT;
    uint64_t revision = 0;
    if (!moor_service_worker(c, &t.machine) || !moor_service_decode(c, &report_shape, &t.report) ||
        !moor_service_boot_id(c, t.report.boot_id))
        return;
    MOOR_AUTOPTR(moor_json) doc = load_doc(c, t.machine.vm_id, &err);
    bool news = doc && is_news(doc, &t.report);
    if (!doc || (news && take(c, &t, doc, &revision, &err))) {
        moor_call_fail(c, &err);
        return;
    }
    if (news)
        moor_live_report_stored(c->app->live, t.machine.vm_id, t.report.hash);
    if (t.removed)
        moor_live_changed(c->app->live, t.machine.vm_id, revision);
    MOOR_AUTOPTR(moor_json) o = moor_service_answer(c);
    moor_json_set_bool(o, "accepted", news);
    moor_call_json(c, 200, o);
}
