/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/check_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "contract/names.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define MESSAGE_MAX     2048

static const char *const severity_names[] = { "error", "warning", "note" };

const char *moor_severity_name(moor_severity s)
{
    return severity_names[s];
}

void moor_check_tell(const struct moor_check *c, const char *rule, moor_severity severity,
                     const char *remedy, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&text, fmt, ap);
    va_end(ap);
    const struct moor_finding f = { rule, severity, c->file,
                                    text.failed ? rule : moor_buf_cstr(&text), remedy };
    c->fn(c->ctx, &f);
}

/* Members of handlerManifest, and which of them must be true or false. */
static const struct {
    const char *name;
    bool flag;
} members[] = {
    { "installCommand", false },
    { "updateCommand", false },
    { "enableCommand", false },
    { "disableCommand", false },
    { "uninstallCommand", false },
    { "resetStateCommand", false },
    { "updateMode", false },
    { "rebootAfterInstall", true },
    { "reportHeartbeat", true },
    { "continueOnUpdateFailure", true },
    { "supportsMultipleExtensions", true },
    { "supportsPolicy", true },
};

static void check_member(const struct moor_check *c, const struct moor_json *m)
{
    const char *name = moor_json_name(m);
    bool value;
    for (size_t n = 0; n < MOOR_COUNTOF(members); n++) {
        if (strcmp(members[n].name, name) != 0)
            continue;
        if (members[n].flag && !moor_json_bool(m, &value))
            moor_check_tell(c, "manifest-boolean", MOOR_SEVERITY_WARNING, "write true or false",
                            "handlerManifest.%s: is no boolean; only true and \"true\" count as "
                            "true",
                            name);
        return;
    }
    moor_check_tell(c, "manifest-unknown", MOOR_SEVERITY_WARNING,
                    "correct its spelling, or take it out", "handlerManifest.%.64s: is not known",
                    name);
}

static void check_members(const struct moor_check *c, struct moor_span text)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (moor_json_parse_lenient(text, &doc, NULL) != MOOR_OK)
        return;
    bool list = moor_json_typeof(doc) == MOOR_JSON_ARRAY;
    if (!list || moor_json_size(doc) != 1)
        moor_check_tell(c, "manifest-array", MOOR_SEVERITY_WARNING, "write [ { ... } ]",
                        "is not an array of one object, as most agents want it");
    const struct moor_json *handler =
        moor_json_get(list ? moor_json_first(doc) : doc, "handlerManifest");
    MOOR_JSON_EACH(m, handler)
    check_member(c, m);
    const char *mode = moor_json_get_str(handler, "updateMode");
    if (mode && moor_strcasecmp(mode, "UpdateWithInstall") != 0 &&
        moor_strcasecmp(mode, "UpdateWithoutInstall") != 0)
        moor_check_tell(c, "manifest-update-mode", MOOR_SEVERITY_WARNING,
                        "write UpdateWithInstall or UpdateWithoutInstall",
                        "updateMode %.64s: counts as UpdateWithoutInstall", mode);
}

bool moor_check_manifest(const struct moor_check *c, struct moor_span text,
                         struct moor_manifest *out, struct moor_arena *arena)
{
    struct moor_error err = MOOR_ERROR_INIT;
    bool usable = moor_manifest_parse(text, out, arena, &err) == MOOR_OK;
    if (moor_span_starts(text, BYTE_ORDER_MARK))
        moor_check_tell(c, "manifest-mark", MOOR_SEVERITY_NOTE, "save it as UTF-8 without one",
                        "begins with a byte order mark, which handlers that read it stumble over");
    if (!usable)
        moor_check_tell(c, "manifest", MOOR_SEVERITY_ERROR, "see docs/guide/extension-authors.md",
                        "%s", err.msg);
    check_members(c, text);
    return usable;
}

const char *moor_check_program_of(const char *command, struct moor_arena *arena)
{
    struct moor_span rest = moor_span_str(command);
    while (moor_span_starts(rest, "./") || moor_span_starts(rest, "/"))
        (void)moor_span_cut(&rest, '/');
    struct moor_span word = moor_span_cut(&rest, ' ');
    return moor_arena_str(arena, word);
}

static void check_interpreter(const struct moor_check *c, struct moor_span line)
{
    static const char no_python[] =
        "try python3 first, or bring a shim that finds one, as many systems have no python";
    MOOR_AUTO(moor_buf) path = MOOR_BUF(512);
    struct moor_span rest = moor_span_trim(line);
    struct moor_span program = moor_span_cut(&rest, ' ');
    moor_buf_span(&path, program);
    bool by_env = moor_span_ends(program, "/env");
    if (program.n == 0 || program.p[0] != '/') {
        moor_check_tell(c, "interpreter", MOOR_SEVERITY_ERROR, "write its absolute path",
                        "the interpreter \"%s\" has no absolute path", moor_buf_cstr(&path));
        return;
    }
    struct moor_span name = moor_span_trim(rest);
    name = moor_span_cut(&name, ' ');
    if ((by_env && moor_span_eq_str(name, "python")) || moor_span_ends(program, "/python"))
        moor_check_tell(c, "python", MOOR_SEVERITY_WARNING, no_python,
                        "is started by \"python\", without a version");
    if (!plat_exists(moor_buf_cstr(&path)))
        moor_check_tell(c, "interpreter-absent", MOOR_SEVERITY_WARNING,
                        "name it among what the machines must have",
                        "the interpreter %s is not on this machine", moor_buf_cstr(&path));
}

/* A script: what the kernel reads of it. */
static void check_script(const struct moor_check *c, struct moor_span head)
{
    struct moor_span rest = moor_span(head.p + 2, head.n - 2);
    struct moor_span line = moor_span_cut(&rest, '\n');
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        moor_check_tell(c, "line-ends", MOOR_SEVERITY_ERROR,
                        "save it with line feeds alone (dos2unix)",
                        "its lines end in CR LF: the kernel looks for a program whose name ends in "
                        "CR");
        return;
    }
    check_interpreter(c, line);
}

void moor_check_program(const struct moor_check *c, struct moor_span head, bool command)
{
    static const char elf[] = "\x7F"
                              "ELF";
    if (moor_span_starts(head, "#!"))
        check_script(c, head);
    else if (moor_span_starts(head, BYTE_ORDER_MARK "#!"))
        moor_check_tell(c, "script-mark", MOOR_SEVERITY_ERROR, "save it as UTF-8 without one",
                        "begins with a byte order mark: the kernel does not see its #!");
    else if (command && head.n == 0)
        moor_check_tell(c, "program-empty", MOOR_SEVERITY_ERROR, "put the program in", "is empty");
    else if (command && !moor_span_starts(head, elf))
        moor_check_tell(c, "program", MOOR_SEVERITY_WARNING, "begin it with #! and an interpreter",
                        "is neither a compiled program nor begins with #!: the shell guesses");
    MOOR_AUTO(moor_buf) mark = MOOR_BUF(64);
    moor_buf_str(&mark, "-----BEGIN ");
    for (size_t n = 0; n + mark.len < head.n; n++) {
        struct moor_span here = moor_span(head.p + n, head.n - n);
        if (!moor_span_starts(here, moor_buf_cstr(&mark)))
            continue;
        struct moor_span line = moor_span_cut(&here, '\n');
        if (moor_span_ends(moor_span_trim(line), "PRIVATE KEY-----")) {
            moor_check_tell(c, "private-key", MOOR_SEVERITY_WARNING,
                            "take it out: everybody who has the package has it",
                            "holds a private key");
            return;
        }
    }
}

void moor_check_xml_text(struct moor_span xml, const char *tag, char *out, size_t room)
{
    size_t n = strlen(tag);
    out[0] = 0;
    for (size_t i = 0; i + n + 2 < xml.n; i++) {
        if (xml.p[i] != '<' || memcmp(xml.p + i + 1, tag, n) != 0 || xml.p[i + 1 + n] != '>')
            continue;
        struct moor_span rest = moor_span(xml.p + i + n + 2, xml.n - i - n - 2);
        struct moor_span text = moor_span_trim(moor_span_cut(&rest, '<'));
        if (text.n < room && !memchr(text.p, 0, text.n))
            (void)snprintf(out, room, "%.*s", (int)text.n, text.p);
        return;
    }
}

bool moor_check_split_name(const char *file_name, struct moor_check_name *out)
{
    struct moor_check_name n = { "", "", "" };
    struct moor_span s = moor_span_str(file_name);
    if (!moor_span_ends(s, ".zip"))
        return false;
    s.n -= 4;
    size_t at = s.n, dot;
    while (at >= 2 && !(s.p[at - 1] == '_' && s.p[at - 2] == '_'))
        at--;
    if (at < 2)
        return false;
    for (dot = at - 2; dot > 0 && s.p[dot] != '.'; dot--)
        continue;
    if (dot == 0 || dot >= sizeof(n.publisher) || at - 2 - dot - 1 >= sizeof(n.type) ||
        s.n - at >= sizeof(n.version))
        return false;
    (void)snprintf(n.publisher, sizeof(n.publisher), "%.*s", (int)dot, s.p);
    (void)snprintf(n.type, sizeof(n.type), "%.*s", (int)(at - 2 - dot - 1), s.p + dot + 1);
    (void)snprintf(n.version, sizeof(n.version), "%.*s", (int)(s.n - at), s.p + at);
    *out = n;
    return true;
}
