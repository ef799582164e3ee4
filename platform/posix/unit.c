/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "platform/oserr.h"

/* The service manager's own socket: it takes nobody but root, and is there without a message bus.
 */
#define SOCKET      "/run/systemd/private"
#define SERVICE     "org.freedesktop.systemd1"
#define OBJECT      "/org/freedesktop/systemd1"
#define UNITS       OBJECT "/unit"
#define MANAGER     SERVICE ".Manager"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define UNIT_EXISTS SERVICE ".UnitExists"
#define PART_MAX    200
#define TURNS_MAX   1000 /* messages in a row, before others have their turn */
#define NO_LIMIT    UINT64_MAX

struct plat_units {
    sd_bus *bus;
};

struct plat_unit {
    struct plat_units *all;
    char *name, *path; /* with the suffix of its kind; its object */
    plat_unit_fn fn;
    void *ctx;
    sd_bus_slot *changes, *start, *look; /* the last two: an answer is awaited */
    bool look_again;
};

bool plat_units_here(void)
{
    return sd_booted() > 0 && access(SOCKET, R_OK | W_OK) == 0;
}

moor_code plat_units_open(struct plat_units **out, struct moor_error *err)
{
    MOOR_AUTOPTR(plat_units) u = calloc(1, sizeof(*u));
    if (!u)
        return moor_fail(err, MOOR_E_NOMEM, "service manager: out of memory");
    int r = sd_bus_new(&u->bus);
    if (r >= 0)
        r = sd_bus_set_address(u->bus, "unix:path=" SOCKET);
    if (r >= 0)
        r = sd_bus_negotiate_fds(u->bus, 1);
    if (r >= 0)
        r = sd_bus_start(u->bus);
    if (r < 0)
        return plat_fail(err, -r, "service manager: " SOCKET);
    *out = MOOR_TAKE(u);
    return MOOR_OK;
}

void plat_units_free(struct plat_units *u)
{
    if (!u)
        return;
    sd_bus_close_unref(u->bus);
    free(u);
}

int plat_units_fd(const struct plat_units *u)
{
    return sd_bus_get_fd(u->bus);
}

moor_code plat_units_dispatch(struct plat_units *u, struct moor_error *err)
{
    int r = 1;
    for (int n = 0; n < TURNS_MAX && r > 0; n++)
        r = sd_bus_process(u->bus, NULL);
    return r < 0 ? plat_fail(err, -r, "service manager") : MOOR_OK;
}

void plat_buf_unit_part(struct moor_buf *b, const char *text)
{
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || (c == '.' && p > text);
        if (plain)
            moor_buf_char(b, *p);
        else
            moor_buf_fmt(b, "\\x%02x", c);
    }
}

/* A message under construction, which remembers its first failure. */
struct call {
    sd_bus_message *m;
    int r;
};

static struct call manager_call(struct plat_units *u, const char *member)
{
    struct call c = { NULL, 0 };
    c.r = sd_bus_message_new_method_call(u->bus, &c.m, SERVICE, OBJECT, MANAGER, member);
    return c;
}

static void put_text(struct call *c, const char *property, const char *value)
{
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "(sv)", property, "s", value);
}

static void put_flag(struct call *c, const char *property, bool value)
{
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "(sv)", property, "b", (int)value);
}

static void put_limit(struct call *c, const char *property, uint64_t value)
{
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "(sv)", property, "t", value ? value : NO_LIMIT);
}

static void put_file(struct call *c, const char *property, const struct plat_file *f)
{
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "(sv)", property, "h", f->fd_);
}

static void put_list(struct call *c, const char *const *list)
{
    if (c->r >= 0)
        c->r = sd_bus_message_append_strv(c->m, (char **)(uintptr_t)list);
}

static void open_part(struct call *c, char kind, const char *contents)
{
    if (c->r >= 0)
        c->r = sd_bus_message_open_container(c->m, kind, contents);
}

static void close_parts(struct call *c, unsigned count)
{
    for (; count > 0 && c->r >= 0; count--)
        c->r = sd_bus_message_close_container(c->m);
}

/* (sv) up to the value, which two close_parts() end. */
static void open_property(struct call *c, const char *property, const char *type)
{
    open_part(c, SD_BUS_TYPE_STRUCT, "sv");
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "s", property);
    open_part(c, SD_BUS_TYPE_VARIANT, type);
}

/* '$' in the command line is the shell's, not the service manager's. */
static void put_command(struct call *c, const char *const *argv)
{
    open_property(c, "ExecStartEx", "a(sasas)");
    open_part(c, SD_BUS_TYPE_ARRAY, "(sasas)");
    open_part(c, SD_BUS_TYPE_STRUCT, "sasas");
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "s", argv[0]);
    put_list(c, argv);
    if (c->r >= 0)
        c->r = sd_bus_message_append(c->m, "as", 1, "no-env-expand");
    close_parts(c, 4);
}

static void put_spawn(struct call *c, const struct plat_unit_spawn *how)
{
    MOOR_AUTO(moor_buf) slice = MOOR_BUF(1024);
    moor_buf_fmt(&slice, "%s.slice", how->slice);
    const struct {
        const char *property, *value;
    } texts[] = {
        { "Description", how->description },
        { "Slice", moor_buf_cstr(&slice) },
        { "Type", "exec" },
        { "KillMode", "process" },
        { "WorkingDirectory", how->cwd },
        { "StandardInput", "null" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(texts); n++)
        put_text(c, texts[n].property, texts[n].value);
    put_flag(c, "RemainAfterExit", true); /* so that its exit status is kept */
    put_flag(c, "IgnoreSIGPIPE", false);
    put_file(c, "StandardOutputFileDescriptor", how->out);
    put_file(c, "StandardErrorFileDescriptor", how->err);
    open_property(c, "Environment", "as");
    put_list(c, how->env);
    close_parts(c, 2);
    put_command(c, how->argv);
}

static void put_limits(struct call *c, const struct plat_limits *l)
{
    put_flag(c, "CPUAccounting", true);
    put_flag(c, "MemoryAccounting", true);
    put_flag(c, "TasksAccounting", true);
    put_limit(c, "CPUQuotaPerSecUSec", (uint64_t)l->cpu_percent * 10000);
    put_limit(c, "MemoryMax", l->memory_max);
    put_limit(c, "TasksMax", l->tasks_max);
}

/* Sends without waiting for an answer; a lost connection shows in plat_units_dispatch(). */
static void tell(struct plat_units *u, struct call *c)
{
    if (c->r >= 0)
        c->r = sd_bus_message_set_expect_reply(c->m, 0);
    if (c->r >= 0)
        c->r = sd_bus_send(u->bus, c->m, NULL);
    sd_bus_message_unref(c->m);
}

/* Sends; the answer comes to fn unless *slot is released before. */
static moor_code ask(struct plat_unit *unit, struct call *c, sd_bus_slot **slot,
                     sd_bus_message_handler_t fn, struct moor_error *err)
{
    if (c->r >= 0)
        c->r = sd_bus_call_async(unit->all->bus, slot, c->m, fn, unit, UINT64_MAX);
    sd_bus_message_unref(c->m);
    return c->r < 0 ? plat_fail(err, -c->r, "%s: cannot ask", unit->name) : MOOR_OK;
}

/* What the manager says of a unit. */
struct facts {
    const char *sub_state, *result;
    int32_t code, status;
    uint32_t job;
};
static const struct {
    const char *property;
    char type;
    size_t offset;
} wanted[] = {
    { "SubState", 's', offsetof(struct facts, sub_state) },
    { "Result", 's', offsetof(struct facts, result) },
    { "ExecMainCode", 'i', offsetof(struct facts, code) },
    { "ExecMainStatus", 'i', offsetof(struct facts, status) },
};

static int read_value(sd_bus_message *m, const char *property, struct facts *out)
{
    for (size_t n = 0; n < MOOR_COUNTOF(wanted); n++) {
        const char type[] = { wanted[n].type, 0 };
        if (strcmp(wanted[n].property, property) == 0)
            return sd_bus_message_read(m, "v", type, (void *)((char *)out + wanted[n].offset));
    }
    if (strcmp(property, "Job") == 0)
        return sd_bus_message_read(m, "v", "(uo)", &out->job, NULL);
    return sd_bus_message_skip(m, "v");
}

static int read_facts(sd_bus_message *m, struct facts *out)
{
    *out = (struct facts){ .sub_state = "", .result = "" };
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        const char *property = "";
        r = sd_bus_message_read(m, "s", &property);
        if (r >= 0)
            r = read_value(m, property, out);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static plat_unit_state state_of(const struct facts *f)
{
    if (strcmp(f->sub_state, "exited") == 0 || strcmp(f->sub_state, "failed") == 0)
        return PLAT_UNIT_ENDED;
    if (strcmp(f->sub_state, "dead") != 0 || f->job)
        return PLAT_UNIT_RUNNING;
    return f->code ? PLAT_UNIT_ENDED : PLAT_UNIT_ABSENT;
}

static moor_code look(struct plat_unit *unit, struct moor_error *err);

static void tell_failure(struct plat_unit *unit, const sd_bus_error *why)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = plat_fail(&err, sd_bus_error_get_errno(why), "%s: %s", unit->name,
                            why->message ? why->message : why->name);
    (void)c; /* is in err */
    unit->fn(unit->ctx, NULL, &err);
}

/* Answers that say no more than that the connection is gone: dispatch says that. */
static bool is_lost(const struct plat_unit *unit)
{
    return sd_bus_is_open(unit->all->bus) <= 0;
}

static int on_look(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
    struct plat_unit *unit = ctx;
    struct facts f;
    (void)unused;
    unit->look = sd_bus_slot_unref(unit->look);
    if (is_lost(unit))
        return 0;
    if (unit->look_again) {
        unit->look_again = false;
        if (look(unit, NULL) == MOOR_OK)
            return 0;
    }
    if (sd_bus_message_is_method_error(m, NULL)) {
        tell_failure(unit, sd_bus_message_get_error(m));
        return 0;
    }
    if (read_facts(m, &f) < 0)
        return 0; /* the deadline of whoever waits is what remains */
    struct plat_unit_stand stand = { .state = state_of(&f),
                                     .how = { f.code != CLD_EXITED, f.status },
                                     .oom = strcmp(f.result, "oom-kill") == 0 };
    if (stand.state == PLAT_UNIT_ENDED && !f.code) /* it was not even started */
        stand.how = (struct plat_exit){ false, 255 };
    unit->fn(unit->ctx, &stand, NULL);
    return 0;
}

static moor_code look(struct plat_unit *unit, struct moor_error *err)
{
    struct call c = { NULL, 0 };
    c.r = sd_bus_message_new_method_call(unit->all->bus, &c.m, SERVICE, unit->path, PROPERTIES,
                                         "GetAll");
    if (c.r >= 0)
        c.r = sd_bus_message_append(c.m, "s", ""); /* of all its interfaces */
    return ask(unit, &c, &unit->look, on_look, err);
}

moor_code plat_unit_look(struct plat_unit *unit, struct moor_error *err)
{
    if (!unit->look)
        return look(unit, err);
    unit->look_again = true;
    return MOOR_OK;
}

static int on_change(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct plat_unit *unit = ctx;
    (void)m;
    (void)unused;
    if (plat_unit_look(unit, &err) != MOOR_OK)
        unit->fn(unit->ctx, NULL, &err);
    return 0;
}

static int on_start(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
    struct plat_unit *unit = ctx;
    unit->start = sd_bus_slot_unref(unit->start);
    if (is_lost(unit))
        return 0;
    const sd_bus_error *why = sd_bus_message_get_error(m);
    if (!why || strcmp(why->name, UNIT_EXISTS) == 0)
        return on_change(m, unit, unused);
    tell_failure(unit, why);
    return 0;
}

moor_code plat_unit_watch(struct plat_units *u, const char *name, plat_unit_fn fn, void *ctx,
                          struct plat_unit **out, struct moor_error *err)
{
    MOOR_AUTOPTR(plat_unit) unit = calloc(1, sizeof(*unit));
    MOOR_AUTO(moor_buf) text = MOOR_BUF(PART_MAX + 16);
    MOOR_AUTO(moor_buf) match = MOOR_BUF(2048);
    if (!unit)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    *unit = (struct plat_unit){ .all = u, .fn = fn, .ctx = ctx };
    moor_buf_fmt(&text, "%s.service", name);
    moor_code c = moor_buf_take(&text, "name of a unit", &unit->name, err);
    if (c != MOOR_OK)
        return c;
    int r = sd_bus_path_encode(UNITS, unit->name, &unit->path);
    if (r >= 0) {
        moor_buf_fmt(
            &match, "type='signal',path='%s',interface='" PROPERTIES "',member='PropertiesChanged'",
            unit->path);
        r = sd_bus_add_match_async(u->bus, &unit->changes, moor_buf_cstr(&match), on_change, NULL,
                                   unit);
    }
    if (r < 0)
        return plat_fail(err, -r, "%s: cannot watch", name);
    *out = MOOR_TAKE(unit);
    return MOOR_OK;
}

void plat_unit_free(struct plat_unit *unit)
{
    if (!unit)
        return;
    sd_bus_slot_unref(unit->changes);
    sd_bus_slot_unref(unit->start);
    sd_bus_slot_unref(unit->look);
    free(unit->name);
    free(unit->path);
    free(unit);
}

moor_code plat_unit_start(struct plat_unit *unit, const struct plat_unit_spawn *how,
                          struct moor_error *err)
{
    struct call c = manager_call(unit->all, "StartTransientUnit");
    if (c.r >= 0)
        c.r = sd_bus_message_append(c.m, "ss", unit->name, "fail");
    open_part(&c, SD_BUS_TYPE_ARRAY, "(sv)");
    put_spawn(&c, how);
    close_parts(&c, 1);
    if (c.r >= 0)
        c.r = sd_bus_message_append(c.m, "a(sa(sv))", 0);
    return ask(unit, &c, &unit->start, on_start, err);
}

void plat_unit_kill(struct plat_unit *unit)
{
    struct call c = manager_call(unit->all, "KillUnit");
    if (c.r >= 0)
        c.r = sd_bus_message_append(c.m, "ssi", unit->name, "all", SIGKILL);
    tell(unit->all, &c);
}

static void tell_name(struct plat_units *u, const char *member, const char *name, const char *mode)
{
    struct call c = manager_call(u, member);
    if (c.r >= 0)
        c.r = sd_bus_message_append(c.m, "s", name);
    if (c.r >= 0 && mode)
        c.r = sd_bus_message_append(c.m, "s", mode);
    tell(u, &c);
}

/* One of the two applies: it succeeded, or it failed. */
void plat_unit_forget(struct plat_units *u, const char *name)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s.service", name);
    tell_name(u, "StopUnit", moor_buf_cstr(&text), "replace");
    tell_name(u, "ResetFailedUnit", moor_buf_cstr(&text), NULL);
}

/* The first message makes the slice, the second changes one that is there. */
void plat_slice_limit(struct plat_units *u, const char *slice, const struct plat_limits *limits)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s.slice", slice);
    struct call made = manager_call(u, "StartTransientUnit");
    struct call changed = manager_call(u, "SetUnitProperties");
    if (made.r >= 0)
        made.r = sd_bus_message_append(made.m, "ss", moor_buf_cstr(&text), "fail");
    open_part(&made, SD_BUS_TYPE_ARRAY, "(sv)");
    put_limits(&made, limits);
    close_parts(&made, 1);
    if (made.r >= 0)
        made.r = sd_bus_message_append(made.m, "a(sa(sv))", 0);
    tell(u, &made);
    if (changed.r >= 0)
        changed.r = sd_bus_message_append(changed.m, "sb", moor_buf_cstr(&text), 1);
    open_part(&changed, SD_BUS_TYPE_ARRAY, "(sv)");
    put_limits(&changed, limits);
    close_parts(&changed, 1);
    tell(u, &changed);
}

void plat_slice_forget(struct plat_units *u, const char *slice)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s.slice", slice);
    tell_name(u, "StopUnit", moor_buf_cstr(&text), "replace");
}
