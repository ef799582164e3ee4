/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/package.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#define ENTRIES_MAX   10000
#define UNPACKED_MAX  (UINT64_C(4) << 30)
#define MANIFEST_MAX  (UINT64_C(1) << 20)
#define PATH_NAME_MAX 1024
#define MANIFEST_JSON "HandlerManifest.json"
#define MANIFEST_XML  "manifest.xml"
#define S_IFMT_UNIX   0170000u
#define S_IFLNK_UNIX  0120000u
#define S_IFREG_UNIX  0100000u
#define S_IFDIR_UNIX  0040000u

static const char *const required_commands[] = { "installCommand", "enableCommand",
                                                 "disableCommand", "uninstallCommand" };

/* Zip and entry with scoped ownership. */
struct archive {
    zip_t *zip;
};
static void archive_drop(struct archive *a)
{
    if (a->zip)
        zip_discard(a->zip);
    a->zip = NULL;
}
MOOR_DEFINE_AUTO(archive)

struct member {
    zip_file_t *file;
};
static void member_drop(struct member *m)
{
    if (m->file)
        (void)zip_fclose(m->file);
    m->file = NULL;
}
MOOR_DEFINE_AUTO(member)

static moor_code copy_name(char *out, size_t size, struct moor_span s, const char *what,
                           struct moor_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    if (s.n == 0 || s.n >= size)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want 1..%zu characters", what, size - 1);
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(allowed, s.p[i]))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "%s: want letters, digits, dots, underscores and dashes", what);
    if (s.p[0] == '.' || s.p[s.n - 1] == '.')
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want no dot at either end", what);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return MOOR_OK;
}

static moor_code copy_version(char *out, struct moor_span s, const char *what,
                              struct moor_error *err)
{
    if (!moor_version_valid(s) || !memchr(s.p, '.', s.n))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a version of two to four numbers", what);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return MOOR_OK;
}

static moor_code copy_all(struct moor_package_name *out, struct moor_span publisher,
                          struct moor_span type, struct moor_span version, const char *where,
                          struct moor_error *err)
{
    struct moor_package_name n = { .multi_config = out->multi_config };
    if (copy_name(n.publisher, sizeof n.publisher, publisher, "publisher", err) ||
        copy_name(n.type, sizeof n.type, type, "type", err) ||
        copy_version(n.version, version, "version", err))
        return moor_context(err, "%s", where);
    *out = n;
    return MOOR_OK;
}

static moor_code check_commands(const struct moor_json *manifest, struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(required_commands); i++) {
        const char *command = moor_json_get_str(manifest, required_commands[i]);
        if (!command || !command[0])
            return moor_fail(err, MOOR_E_BADINPUT, MANIFEST_JSON ": handlerManifest.%s: missing",
                             required_commands[i]);
    }
    return MOOR_OK;
}

/* Manifests write true, "true" and "True". */
static bool says_true(const struct moor_json *manifest, const char *name)
{
    const struct moor_json *v = moor_json_get_nocase(manifest, name);
    const char *s = moor_json_str(v);
    return s ? moor_strcasecmp(s, "true") == 0 : moor_json_is_true(v);
}

moor_code moor_package_from_manifest(struct moor_span json, struct moor_package_name *out,
                                     bool *found, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    *found = false;
    if (moor_json_parse_lenient(json, &doc, err))
        return moor_context(err, MANIFEST_JSON);
    const struct moor_json *first = doc;
    if (moor_json_typeof(doc) == MOOR_JSON_ARRAY) {
        if (moor_json_size(doc) != 1)
            return moor_fail(err, MOOR_E_BADINPUT, MANIFEST_JSON ": want an array of one object");
        first = moor_json_first(doc);
    }
    const struct moor_json *manifest = moor_json_get(first, "handlerManifest");
    if (moor_json_typeof(manifest) != MOOR_JSON_OBJECT)
        return moor_fail(err, MOOR_E_BADINPUT, MANIFEST_JSON ": handlerManifest: missing");
    moor_code c = check_commands(manifest, err);
    if (c)
        return c;
    out->multi_config = says_true(manifest, "supportsMultipleExtensions") ||
                        says_true(manifest, "supportMultipleExtensions");

    const struct moor_json *signing = moor_json_get(first, "signingInfo");
    if (moor_json_typeof(signing) != MOOR_JSON_OBJECT)
        return MOOR_OK;
    *found = true;
    return copy_all(out, moor_span_str(moor_json_get_str(signing, "publisher")),
                    moor_span_str(moor_json_get_str(signing, "type")),
                    moor_span_str(moor_json_get_str(signing, "version")),
                    MANIFEST_JSON ": signingInfo", err);
}

/* Skips what is no element at *at: text, comments, declarations. False at the end. */
static bool next_tag(struct moor_span xml, size_t *at, struct moor_span *tag)
{
    static const struct {
        const char *open, *close;
    } skipped[] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" }, { "<!", ">" } };
    while (*at < xml.n) {
        const char *lt = memchr(xml.p + *at, '<', xml.n - *at);
        if (!lt)
            return false;
        struct moor_span rest = { lt, (size_t)(xml.p + xml.n - lt) };
        size_t kind = 0;
        while (kind < MOOR_COUNTOF(skipped) && !moor_span_starts(rest, skipped[kind].open))
            kind++;
        const char *close = kind < MOOR_COUNTOF(skipped) ? skipped[kind].close : ">";
        size_t end = 0;
        while (end < rest.n &&
               !moor_span_starts((struct moor_span){ rest.p + end, rest.n - end }, close))
            end++;
        if (end == rest.n)
            return false;
        *at = (size_t)(rest.p - xml.p) + end + strlen(close);
        if (kind == MOOR_COUNTOF(skipped)) {
            *tag = (struct moor_span){ rest.p + 1, end - 1 };
            return true;
        }
    }
    return false;
}

/* Text of the first element of that name; a prefix of a namespace is not looked at. */
static bool xml_text(struct moor_span xml, const char *name, struct moor_span *text)
{
    size_t at = 0;
    struct moor_span tag;
    while (next_tag(xml, &at, &tag)) {
        struct moor_span rest = tag;
        if (!moor_span_eq_str(moor_span_trim(moor_span_cut(&rest, ' ')), name))
            continue;
        const char *end = memchr(xml.p + at, '<', xml.n - at);
        if (!end)
            return false;
        *text = moor_span_trim((struct moor_span){ xml.p + at, (size_t)(end - xml.p) - at });
        return true;
    }
    return false;
}

moor_code moor_package_from_xml(struct moor_span xml, struct moor_package_name *out, bool *found,
                                struct moor_error *err)
{
    struct moor_span publisher = MOOR_SPAN_NONE, type = MOOR_SPAN_NONE, version = MOOR_SPAN_NONE;
    *found = true;
    if (!xml_text(xml, "ProviderNameSpace", &publisher) || !xml_text(xml, "Type", &type) ||
        !xml_text(xml, "Version", &version))
        return moor_fail(err, MOOR_E_BADINPUT,
                         MANIFEST_XML ": want ProviderNameSpace, Type and Version");
    return copy_all(out, publisher, type, version, MANIFEST_XML, err);
}

moor_code moor_package_from_file_name(const char *file_name, struct moor_package_name *out,
                                      bool *found, struct moor_error *err)
{
    *found = false;
    size_t n = strlen(file_name);
    const char *mark = strstr(file_name, "__");
    if (!mark || n < 4 || moor_strcasecmp(file_name + n - 4, ".zip") != 0)
        return MOOR_OK;
    const char *dot = NULL;
    for (const char *p = file_name; p < mark; p++)
        if (*p == '.')
            dot = p;
    if (!dot)
        return MOOR_OK;
    *found = true;
    return copy_all(out, moor_span(file_name, (size_t)(dot - file_name)),
                    moor_span(dot + 1, (size_t)(mark - dot - 1)),
                    moor_span(mark + 2, (size_t)(file_name + n - 4 - mark - 2)), file_name, err);
}

bool moor_package_entry_safe(const char *name)
{
    struct moor_span rest = moor_span_str(name);
    if (rest.n == 0 || rest.n > PATH_NAME_MAX || !moor_utf8_valid(rest))
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] < 0x20 || strchr("\\:\x7f", rest.p[i]))
            return false;
    if (rest.p[rest.n - 1] == '/') /* a folder */
        rest.n--;
    while (rest.p) {
        struct moor_span part = moor_span_cut(&rest, '/');
        if (part.n == 0 || moor_span_eq_str(part, ".") || moor_span_eq_str(part, ".."))
            return false;
    }
    return true;
}

static bool entry_kind_allowed(zip_t *zip, zip_uint64_t i)
{
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    if (zip_file_get_external_attributes(zip, i, 0, &system, &attributes) ||
        system != ZIP_OPSYS_UNIX)
        return true;
    unsigned kind = (attributes >> 16) & S_IFMT_UNIX;
    return kind == 0 || kind == S_IFREG_UNIX || kind == S_IFDIR_UNIX;
}

static moor_code check_entries(zip_t *zip, struct moor_error *err)
{
    zip_int64_t count = zip_get_num_entries(zip, 0);
    if (count < 1 || count > ENTRIES_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%lld entries: want 1..%d", (long long)count,
                         ENTRIES_MAX);
    uint64_t sum = 0;
    for (zip_uint64_t i = 0; i < (zip_uint64_t)count; i++) {
        zip_stat_t st;
        if (zip_stat_index(zip, i, 0, &st) || !(st.valid & ZIP_STAT_NAME) ||
            !(st.valid & ZIP_STAT_SIZE))
            return moor_fail(err, MOOR_E_BADINPUT, "entry %llu: unreadable", (unsigned long long)i);
        if (!moor_package_entry_safe(st.name))
            return moor_fail(err, MOOR_E_BADINPUT, "entry %llu: unsafe name",
                             (unsigned long long)i);
        if (zip_name_locate(zip, st.name, ZIP_FL_NOCASE) != (zip_int64_t)i)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: there twice", st.name);
        if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: encrypted", st.name);
        if (!entry_kind_allowed(zip, i))
            return moor_fail(err, MOOR_E_BADINPUT, "%s: neither file nor folder", st.name);
        sum += st.size;
        if (st.size > UNPACKED_MAX || sum > UNPACKED_MAX)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: more than 4 GiB unpacked", st.name);
    }
    return MOOR_OK;
}

static moor_code read_member(zip_t *zip, const char *name, zip_flags_t flags, struct moor_buf *out,
                             struct moor_error *err)
{
    zip_int64_t at = zip_name_locate(zip, name, flags);
    if (at < 0)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s: not in the package", name);
    zip_stat_t st;
    if (zip_stat_index(zip, (zip_uint64_t)at, 0, &st) || st.size > MANIFEST_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: over 1 MiB", name);
    MOOR_AUTO(member) m = { zip_fopen_index(zip, (zip_uint64_t)at, 0) };
    if (!m.file)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: %s", name, zip_strerror(zip));
    char *room = moor_buf_room(out, (size_t)st.size + 1);
    if (!room)
        return moor_buf_ok(out, name, err);
    /* One byte more than it should have, so that the CRC at the end is read and checked. */
    zip_int64_t got = zip_fread(m.file, room, st.size + 1);
    if (got < 0 || (uint64_t)got != st.size)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: damaged", name);
    moor_buf_grew(out, (size_t)got);
    return MOOR_OK;
}

/* Both name the same package. A file name cannot say where the publisher ends, so the joined names
 * are compared. */
static moor_code agree(const struct moor_package_name *a, const char *a_where,
                       const struct moor_package_name *b, const char *b_where,
                       struct moor_error *err)
{
    char left[260], right[260];
    (void)snprintf(left, sizeof left, "%s.%s", a->publisher, a->type);
    (void)snprintf(right, sizeof right, "%s.%s", b->publisher, b->type);
    if (moor_strcasecmp(left, right) == 0 &&
        moor_version_cmp(moor_span_str(a->version), moor_span_str(b->version)) == 0)
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT, "%s says %s %s, but %s says %s %s", a_where, left,
                     a->version, b_where, right, b->version);
}

static moor_code apply_asked(const struct moor_package_name *asked, bool found,
                             struct moor_package_name *name, struct moor_error *err)
{
    struct moor_package_name all = *asked;
    const char *where = "the command line";
    if (!found) {
        if (!asked->publisher[0] || !asked->type[0] || !asked->version[0])
            return moor_fail(err, MOOR_E_BADINPUT,
                             "nothing names publisher, type and version: neither signingInfo, "
                             "manifest.xml nor the file name (P.T__V.zip)");
        return copy_all(name, moor_span_str(asked->publisher), moor_span_str(asked->type),
                        moor_span_str(asked->version), where, err);
    }
    if (!all.publisher[0])
        memcpy(all.publisher, name->publisher, sizeof all.publisher);
    if (!all.type[0])
        memcpy(all.type, name->type, sizeof all.type);
    if (!all.version[0])
        memcpy(all.version, name->version, sizeof all.version);
    moor_code c = copy_all(&all, moor_span_str(all.publisher), moor_span_str(all.type),
                           moor_span_str(all.version), where, err);
    if (c || (c = agree(&all, where, name, "the package", err)))
        return c;
    *name = all;
    return MOOR_OK;
}

static moor_code name_of(zip_t *zip, const char *file_name, const struct moor_package_name *asked,
                         struct moor_package_name *out, struct moor_error *err)
{
    static const char *const where[3] = { "signingInfo", MANIFEST_XML, "the file name" };
    struct moor_package_name names[3];
    bool found[3] = { false, false, false };
    memset(names, 0, sizeof names);
    MOOR_AUTO(moor_buf) json = MOOR_BUF(MANIFEST_MAX + 2);
    MOOR_AUTO(moor_buf) xml = MOOR_BUF(MANIFEST_MAX + 2);

    moor_code c = read_member(zip, MANIFEST_JSON, ZIP_FL_NODIR, &json, err);
    if (c || (c = moor_package_from_manifest(moor_buf_view(&json), &names[0], &found[0], err)))
        return c == MOOR_E_NOTFOUND ? moor_fail(err, MOOR_E_BADINPUT, MANIFEST_JSON ": missing")
                                    : c;
    if (zip_name_locate(zip, MANIFEST_XML, 0) >= 0 &&
        ((c = read_member(zip, MANIFEST_XML, 0, &xml, err)) ||
         (c = moor_package_from_xml(moor_buf_view(&xml), &names[1], &found[1], err))))
        return c;
    if ((c = moor_package_from_file_name(file_name, &names[2], &found[2], err)))
        return c;

    size_t first = 3;
    for (size_t i = 0; i < 3; i++) {
        if (!found[i])
            continue;
        if (first == 3)
            first = i;
        else if ((c = agree(&names[first], where[first], &names[i], where[i], err)))
            return c;
    }
    struct moor_package_name name = names[first < 3 ? first : 0];
    if ((c = apply_asked(asked, first < 3, &name, err)))
        return c;
    name.multi_config = names[0].multi_config;
    *out = name;
    return MOOR_OK;
}

moor_code moor_package_inspect(const char *path, const char *file_name,
                               const struct moor_package_name *asked, struct moor_package_name *out,
                               struct moor_error *err)
{
    int why = 0;
    MOOR_AUTO(archive) a = { zip_open(path, ZIP_RDONLY, &why) };
    if (!a.zip)
        return moor_fail(err, why == ZIP_ER_MEMORY ? MOOR_E_NOMEM : MOOR_E_BADINPUT,
                         "%s: not a readable zip (libzip error %d)", file_name, why);
    moor_code c = check_entries(a.zip, err);
    if (c || (c = name_of(a.zip, file_name, asked, out, err)))
        return moor_context(err, "%s", file_name);
    return MOOR_OK;
}
