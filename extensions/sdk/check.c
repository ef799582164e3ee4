/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/check.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "contract/names.h"
#include "manager/package.h"
#include "manager/zip_reader.h"
#include "sdk/check_parts.h"

#define OLD_UNPACKED_MAX ((uint64_t)400 * 1024 * 1024) /* of agents of some years ago */
#define XML_MAX          (64 * 1024)

struct package {
    struct moor_zip *zip;
    struct moor_check all; /* findings about the package itself */
    struct moor_arena arena;
    struct moor_manifest manifest;
    bool has_manifest;
    struct moor_check_name *name;
};

/* Up to max bytes of an entry; false when it cannot be read. */
static bool read_entry(struct package *p, size_t index, size_t max, struct moor_buf *out)
{
    MOOR_AUTOPTR(moor_zip_stream) in = NULL;
    size_t got = 1;
    if (moor_zip_open_entry(p->zip, index, &in, NULL) != MOOR_OK)
        return false;
    while (out->len < max && got > 0) {
        char *room = moor_buf_room(out, max - out->len);
        if (!room || moor_zip_read(in, room, max - out->len, &got, NULL) != MOOR_OK)
            return false;
        moor_buf_grew(out, got);
    }
    return true;
}

static bool entry(struct package *p, size_t index, struct moor_zip_entry *out)
{
    return moor_zip_entry(p->zip, index, out, NULL) == MOOR_OK;
}

/* Index of a file of that name; the count when there is none. */
static size_t find(struct package *p, const char *name)
{
    struct moor_zip_entry e;
    size_t count = moor_zip_count(p->zip);
    for (size_t n = 0; n < count; n++)
        if (entry(p, n, &e) && e.is_file && strcmp(e.name, name) == 0)
            return n;
    return count;
}

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The one at the root; else the one with the shortest name, as the manager takes it. */
static size_t find_manifest(struct package *p)
{
    struct moor_zip_entry e, best = { .name = NULL };
    size_t count = moor_zip_count(p->zip), found = count;
    for (size_t n = 0; n < count; n++) {
        if (!entry(p, n, &e) || !e.is_file || strcmp(base_name(e.name), MOOR_MANIFEST_NAME) != 0 ||
            (best.name && strlen(best.name) <= strlen(e.name)))
            continue;
        best = e;
        found = n;
    }
    return found;
}

static void check_manifest(struct package *p)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_MANIFEST_MAX + 1);
    struct moor_zip_entry e;
    size_t at = find_manifest(p);
    if (at == moor_zip_count(p->zip) || !entry(p, at, &e)) {
        moor_check_tell(&p->all, "manifest-missing", MOOR_SEVERITY_ERROR,
                        "put it into the root of the package", "holds no " MOOR_MANIFEST_NAME);
        return;
    }
    const struct moor_check c = { p->all.fn, p->all.ctx, e.name };
    if (strchr(e.name, '/'))
        moor_check_tell(&c, "manifest-place", MOOR_SEVERITY_WARNING,
                        "zip the contents of the folder, not the folder",
                        "is not in the root of the package: commands still start there");
    if (read_entry(p, at, MOOR_MANIFEST_MAX + 1, &text))
        p->has_manifest = moor_check_manifest(&c, moor_buf_view(&text), &p->manifest, &p->arena);
}

static bool is_command(struct package *p, const char *name)
{
    for (size_t v = 0; p->has_manifest && v < MOOR_VERB_COUNT_; v++) {
        const char *program = moor_check_program_of(p->manifest.command[v], &p->arena);
        if (program && strcmp(program, name) == 0)
            return true;
    }
    return false;
}

static void check_commands(struct package *p)
{
    const struct moor_check c = { p->all.fn, p->all.ctx, MOOR_MANIFEST_NAME };
    for (size_t v = 0; p->has_manifest && v < MOOR_VERB_COUNT_; v++) {
        const char *program = moor_check_program_of(p->manifest.command[v], &p->arena);
        if (!program || find(p, program) < moor_zip_count(p->zip))
            continue;
        moor_check_tell(&c, "command-missing", MOOR_SEVERITY_ERROR,
                        "commands are relative to the root of the package, and begin with a file "
                        "in it",
                        "%sCommand: %s is no file of the package",
                        moor_handler_verb_name((moor_handler_verb)v), program);
    }
}

/* What other tools leave in packages. */
static bool is_rubbish(const char *name)
{
    static const char *const folders[] = { "__MACOSX/", ".git/", "__pycache__/", ".svn/" };
    for (size_t n = 0; n < MOOR_COUNTOF(folders); n++)
        if (strstr(name, folders[n]))
            return true;
    return strcmp(base_name(name), ".DS_Store") == 0 || strcmp(base_name(name), "Thumbs.db") == 0;
}

static void check_file(struct package *p, size_t index, const struct moor_zip_entry *e)
{
    MOOR_AUTO(moor_buf) head = MOOR_BUF(MOOR_CHECK_HEAD);
    const struct moor_check c = { p->all.fn, p->all.ctx, e->name };
    bool command = is_command(p, e->name);
    if (is_rubbish(e->name))
        moor_check_tell(&c, "rubbish", MOOR_SEVERITY_NOTE, "leave it out",
                        "is of no use on a machine");
    if (command && e->mode && !(e->mode & 0100))
        moor_check_tell(&c, "execute-bit", MOOR_SEVERITY_NOTE,
                        "chmod +x before zipping; agents set it all the same",
                        "is a command without an execute bit");
    if (!read_entry(p, index, MOOR_CHECK_HEAD, &head))
        moor_check_tell(&c, "unreadable", MOOR_SEVERITY_ERROR, "zip it again",
                        "cannot be unpacked");
    else
        moor_check_program(&c, moor_buf_view(&head), command);
}

static void check_files(struct package *p)
{
    uint64_t unpacked = 0;
    for (size_t n = 0; n < moor_zip_count(p->zip); n++) {
        struct moor_zip_entry e;
        if (!entry(p, n, &e) || !e.is_file)
            continue;
        unpacked += e.size;
        check_file(p, n, &e);
    }
    if (unpacked > OLD_UNPACKED_MAX)
        moor_check_tell(&p->all, "size", MOOR_SEVERITY_WARNING, "leave out what is not needed",
                        "unpacks to more than 400 MiB, which other agents refuse");
}

/* One of the places that say what the package is: they must agree. */
static void take_name(struct package *p, const char *file, const struct moor_check_name *n)
{
    const struct moor_check c = { p->all.fn, p->all.ctx, file };
    struct moor_error err = MOOR_ERROR_INIT;
    bool same = moor_strcasecmp(p->name->publisher, n->publisher) == 0 &&
                moor_strcasecmp(p->name->type, n->type) == 0 &&
                strcmp(p->name->version, n->version) == 0;
    if (moor_handler_check_part("publisher", n->publisher, &err) != MOOR_OK ||
        moor_handler_check_part("type", n->type, &err) != MOOR_OK) {
        moor_check_tell(&c, "name", MOOR_SEVERITY_ERROR, "rename it", "%s", err.msg);
        return;
    }
    if (!moor_version_valid(moor_span_str(n->version)))
        moor_check_tell(&c, "version", MOOR_SEVERITY_ERROR, "write 1.2.3 or 1.2.3.4",
                        "its version \"%s\" is not two to four numbers", n->version);
    if (*p->name->publisher && !same)
        moor_check_tell(&c, "name-differs", MOOR_SEVERITY_ERROR, "make all of them say the same",
                        "says %s.%s %s, another place says %s.%s %s", n->publisher, n->type,
                        n->version, p->name->publisher, p->name->type, p->name->version);
    else
        *p->name = *n;
}

static void copy_part(char *out, size_t room, const char *text)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(room - 1);
    moor_buf_str(&b, text);
    memcpy(out, moor_buf_cstr(&b), b.len + 1);
}

static void check_names(struct package *p, const char *file_name)
{
    MOOR_AUTO(moor_buf) xml = MOOR_BUF(XML_MAX);
    struct moor_check_name n;
    size_t at = find(p, "manifest.xml");
    if (moor_check_split_name(file_name, &n))
        take_name(p, "", &n);
    if (at < moor_zip_count(p->zip) && read_entry(p, at, XML_MAX, &xml)) {
        moor_check_xml_text(moor_buf_view(&xml), "ProviderNameSpace", n.publisher,
                            sizeof(n.publisher));
        moor_check_xml_text(moor_buf_view(&xml), "Type", n.type, sizeof(n.type));
        moor_check_xml_text(moor_buf_view(&xml), "Version", n.version, sizeof(n.version));
        take_name(p, "manifest.xml", &n);
    }
    if (p->has_manifest && *p->manifest.signing_publisher) {
        copy_part(n.publisher, sizeof(n.publisher), p->manifest.signing_publisher);
        copy_part(n.type, sizeof(n.type), p->manifest.signing_type);
        copy_part(n.version, sizeof(n.version), p->manifest.signing_version);
        take_name(p, MOOR_MANIFEST_NAME, &n);
    } else if (p->has_manifest) {
        moor_check_tell(&p->all, "unsigned", MOOR_SEVERITY_NOTE,
                        "add signingInfo to the manifest and sign the zip",
                        "says nothing of a publisher's signature: machines that ask for one "
                        "refuse it");
    }
    if (!*p->name->publisher)
        moor_check_tell(&p->all, "name-missing", MOOR_SEVERITY_ERROR,
                        "call it Publisher.Type__1.0.0.zip, or add manifest.xml",
                        "nothing says what publisher, type and version it is");
}

moor_code moor_check_package(const struct plat_file *zip, const char *file_name, moor_finding_fn fn,
                             void *ctx, struct moor_check_name *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_zip) opened = NULL;
    struct moor_error why = MOOR_ERROR_INIT;
    struct plat_stat st;
    *out = (struct moor_check_name){ "", "", "" };
    struct package p = { .all = { fn, ctx, "" },
                         .arena = MOOR_ARENA(16 * MOOR_MANIFEST_MAX),
                         .name = out };
    moor_code c = plat_fstat(zip, &st, err);
    if (c != MOOR_OK)
        return c;
    if (st.size > MOOR_PACKAGE_MAX)
        moor_check_tell(&p.all, "size", MOOR_SEVERITY_ERROR, "make it smaller",
                        "is larger than 2 GiB");
    if (moor_zip_open(zip, &opened, &why) != MOOR_OK ||
        moor_package_check_archive(opened, &why) != MOOR_OK) {
        moor_check_tell(&p.all, "archive", MOOR_SEVERITY_ERROR,
                        "zip plain files and folders by relative names, each once", "%s", why.msg);
        return MOOR_OK;
    }
    p.zip = opened;
    check_manifest(&p);
    check_commands(&p);
    check_names(&p, file_name);
    check_files(&p);
    moor_arena_drop(&p.arena);
    return MOOR_OK;
}
