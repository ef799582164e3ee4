/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/desired.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "engine/gallery.h"
#include "platform/random.h"

#define EPOCH_NAME  "desired.epoch"
#define ASSOCIATION "Microsoft.Insights/dataCollectionRuleAssociations"
#define RULES_MAX   32u

moor_code moor_desired_new_epoch(struct moor_store *s, struct moor_error *err)
{
    unsigned char bytes[8];
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(16);
    plat_random(bytes, sizeof(bytes));
    moor_buf_hex(&hex, moor_span(bytes, sizeof(bytes)));
    moor_code c = moor_buf_ok(&hex, "revision", err);
    return c ? c : moor_store_meta_set(s, EPOCH_NAME, moor_buf_cstr(&hex), err);
}

moor_code moor_desired_revision(struct moor_store *s, uint64_t counter, struct moor_arena *arena,
                                const char **out, struct moor_error *err)
{
    const char *epoch = NULL;
    moor_code c = moor_store_meta_get(s, EPOCH_NAME, arena, &epoch, err);
    if (c == MOOR_E_NOTFOUND) {
        c = moor_desired_new_epoch(s, err);
        if (!c)
            c = moor_store_meta_get(s, EPOCH_NAME, arena, &epoch, err);
    }
    if (c)
        return c;
    const char *text = moor_arena_fmt(arena, "%s.%" PRIu64, epoch, counter);
    if (!text)
        return moor_fail(err, MOOR_E_NOMEM, "revision: no memory");
    *out = text;
    return MOOR_OK;
}

/* Stored JSON as a value; null when there is none or it cannot be read. */
static struct moor_json *parsed(const char *text)
{
    struct moor_json *v = NULL;
    if (!text || !*text || moor_json_parse(moor_span_str(text), &v, NULL))
        return moor_json_new_null();
    return v;
}

static struct moor_json *package_json(const struct moor_desired_package *p,
                                      const struct moor_desired_site *site)
{
    if (!p->package)
        return moor_json_new_null();
    MOOR_AUTO(moor_buf) uri = MOOR_BUF(2048);
    moor_buf_fmt(&uri, "%s/%s.zip", site->packages_url, p->package->sha256);
    struct moor_json *o = moor_json_new_object();
    struct moor_json *uris = moor_json_new_array();
    moor_json_push(uris, moor_json_new_str(moor_buf_cstr(&uri)));
    moor_json_set(o, "uris", uris);
    moor_json_set_int(o, "size", (int64_t)p->package->size);
    moor_json_set_str(o, "sha256", p->package->sha256);
    moor_json_set(o, "signature", moor_json_new_str(p->signature));
    moor_json_set_str(o, "signatureFormat", "cms-detached");
    moor_json_set(o, "publisherSignature", moor_json_new_str(p->publisher_signature));
    return o;
}

static void set_protected(struct moor_json *o, const struct moor_guarded *g)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF((size_t)1 << 20);
    bool has = g->protect == MOOR_PROTECT_CMS;
    moor_buf_base64(&text, g->blob);
    moor_json_set(o, "protectedSettings", moor_json_new_str(has ? moor_buf_cstr(&text) : NULL));
    moor_json_set(o, "protectedSettingsCertThumbprint",
                  moor_json_new_str(has ? g->thumbprint : NULL));
}

struct moor_json *moor_desired_extension(const struct moor_extension *e,
                                         const struct moor_desired_package *p,
                                         const struct moor_desired_site *site)
{
    if (e->guarded.protect == MOOR_PROTECT_SEALED && !e->uninstall)
        return NULL;
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "name", e->name);
    moor_json_set_str(o, "publisher", e->publisher);
    moor_json_set_str(o, "type", e->type);
    const char *known = *e->chosen ? e->chosen : e->version; /* "": it was asked for without one */
    moor_json_set_str(o, "version", p->package ? p->package->version : known);
    moor_json_set_str(o, "state", e->uninstall ? "uninstall" : "enabled");
    moor_json_set_int(o, "settingsSeqNo", (int64_t)e->settings_seq);
    moor_json_set(o, "publicSettings", parsed(e->settings));
    set_protected(o, &e->guarded);
    moor_json_set_str(o, "forceUpdateTag", e->force_tag);
    moor_json_set_bool(o, "autoUpgradeMinorVersion", e->auto_upgrade_minor);
    moor_json_set_bool(o, "enableAutomaticUpgrade", e->automatic_upgrade);
    struct moor_json *after = parsed(e->after);
    if (moor_json_typeof(after) != MOOR_JSON_ARRAY) {
        moor_json_free(after);
        after = moor_json_new_array();
    }
    moor_json_set(o, "dependsOn", after);
    moor_json_set(o, "instances", moor_json_new_array());
    moor_json_set(o, "package", package_json(p, site));
    return o;
}

struct moor_json *moor_desired_run_command(const struct moor_run_command *r)
{
    if (r->finished || (r->guarded.protect == MOOR_PROTECT_SEALED && !r->removed))
        return NULL;
    MOOR_AUTO(moor_buf) expires = MOOR_BUF(64);
    moor_buf_rfc3339(&expires, r->expires_ms);
    struct moor_json *o = parsed(r->spec);
    if (moor_json_typeof(o) != MOOR_JSON_OBJECT) {
        moor_json_free(o);
        return NULL;
    }
    moor_json_set_str(o, "name", r->name);
    moor_json_set_str(o, "executionId", r->execution_id);
    moor_json_set_str(o, "expiresAt", moor_buf_cstr(&expires));
    moor_json_set_str(o, "state", r->removed ? "cancel" : "run");
    set_protected(o, &r->guarded);
    return o;
}

struct moor_json *moor_desired_rule(const struct moor_resource *rule, const char *ingestion_url)
{
    static const char *const kept[] = { "streamDeclarations", "dataSources", "destinations",
                                        "dataFlows" };
    struct moor_json *stored = parsed(rule->properties);
    struct moor_json *properties = moor_json_new_object();
    for (size_t i = 0; i < MOOR_COUNTOF(kept); i++) {
        const struct moor_json *v = moor_json_get(stored, kept[i]);
        bool list = i == MOOR_COUNTOF(kept) - 1;
        moor_json_set(properties, kept[i],
                      v      ? moor_json_copy(v)
                      : list ? moor_json_new_array()
                             : moor_json_new_object());
    }
    moor_json_free(stored);
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "id", rule->id);
    moor_json_set_str(o, "immutableId", rule->alias);
    moor_json_set_str(o, "endpoint", ingestion_url);
    moor_json_set(o, "properties", properties);
    return o;
}

moor_code moor_desired_rules(struct moor_store *s, const char *resource_id,
                             struct moor_arena *arena, struct moor_resource_list *out,
                             struct moor_error *err)
{
    struct moor_resource_list links;
    struct moor_resource_filter filter = { .type = ASSOCIATION,
                                           .under = resource_id,
                                           .limit = RULES_MAX };
    moor_code c = moor_resource_list(s, &filter, arena, &links, err);
    if (c)
        return c;
    struct moor_resource *rules = moor_arena_array(arena, links.count, sizeof(*rules));
    if (!rules)
        return moor_fail(err, MOOR_E_NOMEM, "%s: rules: no memory", resource_id);
    size_t count = 0;
    for (size_t i = 0; i < links.count; i++) {
        MOOR_AUTOPTR(moor_json) link = parsed(links.items[i].properties);
        const char *id = moor_json_get_str(link, "dataCollectionRuleId");
        c = id ? moor_resource_get(s, id, arena, &rules[count], err) : MOOR_E_NOTFOUND;
        if (c && c != MOOR_E_NOTFOUND)
            return c;
        if (!c)
            count++;
    }
    *out = (struct moor_resource_list){ rules, count, false };
    return MOOR_OK;
}

/* The choice made for these settings stands, so that a document changes with its revision only;
 * with enableAutomaticUpgrade every publication is a new choice. */
static moor_code choose_package(struct moor_store *s, const struct moor_extension *e,
                                struct moor_arena *arena, struct moor_package *out,
                                struct moor_error *err)
{
    struct moor_package_list list;
    moor_code c = moor_package_list(s, e->publisher, e->type, arena, &list, err);
    if (c)
        return c;
    bool stands = *e->chosen && e->chosen_seq == e->settings_seq && !e->automatic_upgrade;
    for (size_t i = 0; stands && i < list.count; i++) {
        if (moor_streq(list.items[i].version, e->chosen)) {
            *out = list.items[i];
            return MOOR_OK;
        }
    }
    const struct moor_package *best = moor_gallery_choose(&list, e->version, e->auto_upgrade_minor);
    if (!best)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s: no such version is published", e->resource_id);
    *out = *best;
    if (moor_streq(best->version, e->chosen) && e->chosen_seq == e->settings_seq)
        return MOOR_OK;
    return moor_extension_choose(s, e->resource_id, best->version, e->settings_seq, err);
}

/* Extensions of a multi-config handler share its folder on the machine, so they share the highest
 * version that was chosen for any of them, for good. */
static moor_code share_highest(struct moor_store *s, const struct moor_extension_list *rows,
                               struct moor_extension *e, struct moor_arena *arena,
                               struct moor_package *package, struct moor_error *err)
{
    for (size_t i = 0; package->multi_config && i < rows->count; i++) {
        const struct moor_extension *other = &rows->items[i];
        struct moor_package theirs;
        if (other == e || other->uninstall ||
            moor_strcasecmp(other->publisher, e->publisher) != 0 ||
            moor_strcasecmp(other->type, e->type) != 0)
            continue;
        moor_code c = choose_package(s, other, arena, &theirs, err);
        if (c == MOOR_E_NOTFOUND)
            continue;
        if (c)
            return c;
        if (moor_version_cmp(moor_span_str(theirs.version), moor_span_str(package->version)) > 0)
            *package = theirs;
    }
    if (!package->multi_config || moor_streq(package->version, e->chosen))
        return MOOR_OK;
    e->chosen = package->version;
    e->chosen_seq = e->settings_seq;
    return moor_extension_choose(s, e->resource_id, e->chosen, e->chosen_seq, err);
}

/* What there is of a package; a published file that is gone leaves the signature out. */
static moor_code find_package(struct moor_store *s, const struct moor_extension_list *rows,
                              struct moor_extension *e, const struct moor_desired_site *site,
                              struct moor_arena *arena, struct moor_package *room,
                              struct moor_desired_package *out, struct moor_error *err)
{
    *out = (struct moor_desired_package){ NULL, NULL, NULL };
    if (e->uninstall)
        return MOOR_OK;
    moor_code c = choose_package(s, e, arena, room, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (!c)
        c = share_highest(s, rows, e, arena, room, err);
    if (c)
        return c;
    out->package = room;
    c = moor_gallery_signature(site->packages_dir, room->sha256, MOOR_GALLERY_SIGNATURE, arena,
                               &out->signature, err);
    if (!c && room->publisher_signature)
        c = moor_gallery_signature(site->packages_dir, room->sha256, MOOR_PUBLISHER_SIGNATURE,
                                   arena, &out->publisher_signature, err);
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}

static moor_code add_extensions(struct moor_store *s, const struct moor_machine *m,
                                const struct moor_desired_site *site, struct moor_arena *arena,
                                struct moor_json *list, struct moor_error *err)
{
    struct moor_extension_list rows;
    moor_code c = moor_extension_list(s, m->vm_id, arena, &rows, err);
    for (size_t i = 0; !c && i < rows.count; i++) {
        struct moor_package room;
        struct moor_desired_package package;
        c = find_package(s, &rows, &rows.items[i], site, arena, &room, &package, err);
        struct moor_json *item = c ? NULL : moor_desired_extension(&rows.items[i], &package, site);
        if (item)
            moor_json_push(list, item);
    }
    return c;
}

static moor_code add_run_commands(struct moor_store *s, const struct moor_machine *m,
                                  struct moor_arena *arena, struct moor_json *list,
                                  struct moor_error *err)
{
    struct moor_run_command_list rows;
    moor_code c = moor_run_command_list(s, m->vm_id, arena, &rows, err);
    for (size_t i = 0; !c && i < rows.count; i++) {
        struct moor_json *item = moor_desired_run_command(&rows.items[i]);
        if (item)
            moor_json_push(list, item);
    }
    return c;
}

static moor_code add_rules(struct moor_store *s, const struct moor_machine *m,
                           const struct moor_desired_site *site, struct moor_arena *arena,
                           struct moor_json *list, struct moor_error *err)
{
    struct moor_resource_list rules;
    moor_code c = moor_desired_rules(s, m->resource_id, arena, &rules, err);
    for (size_t i = 0; !c && i < rules.count; i++)
        moor_json_push(list, moor_desired_rule(&rules.items[i], site->ingestion_url));
    return c;
}

static struct moor_json *trust_json(const struct moor_desired_site *site)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF((size_t)64 << 10);
    struct moor_json *list = moor_json_new_array();
    moor_buf_base64(&text, site->ca_der);
    if (site->ca_der.n)
        moor_json_push(list, moor_json_new_str(moor_buf_cstr(&text)));
    struct moor_json *o = moor_json_new_object();
    moor_json_set(o, "certificates", list);
    return o;
}

static moor_code set_thumbprint(struct moor_json *doc, const struct moor_machine *m,
                                struct moor_error *err)
{
    char thumbprint[41] = "";
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    bool has = m->settings_cert && *m->settings_cert;
    moor_code c = has ? moor_cert_from_pem(moor_span_str(m->settings_cert), &cert, err) : MOOR_OK;
    if (c)
        return c;
    if (has)
        moor_cert_sha1_hex(cert, thumbprint);
    moor_json_set(doc, "settingsCertThumbprint", moor_json_new_str(has ? thumbprint : NULL));
    return MOOR_OK;
}

moor_code moor_desired_document(struct moor_store *s, const struct moor_machine *m,
                                const struct moor_desired_site *site, struct moor_arena *arena,
                                struct moor_buf *out, struct moor_error *err)
{
    struct moor_resource resource;
    const char *revision = NULL;
    moor_code c = moor_resource_get(s, m->resource_id, arena, &resource, err);
    if (!c)
        c = moor_desired_revision(s, m->desired_counter, arena, &revision, err);
    if (c)
        return c;

    MOOR_AUTOPTR(moor_json) doc = moor_json_new_object();
    struct moor_json *extensions = moor_json_new_array(), *rules = moor_json_new_array();
    struct moor_json *run_commands = moor_json_new_array();
    moor_json_set_str(doc, "revision", revision);
    moor_json_set(doc, "extensions", extensions);
    moor_json_set(doc, "runCommands", run_commands);
    moor_json_set(doc, "configurationAssignments", moor_json_new_array());
    moor_json_set(doc, "dataCollectionRules", rules);
    moor_json_set(doc, "tags", parsed(resource.tags));
    moor_json_set(doc, "trustBundle", trust_json(site));
    if ((c = set_thumbprint(doc, m, err)) ||
        (c = add_extensions(s, m, site, arena, extensions, err)) ||
        (c = add_run_commands(s, m, arena, run_commands, err)) ||
        (c = add_rules(s, m, site, arena, rules, err)))
        return c;
    MOOR_AUTOSTR text = NULL;
    if ((c = moor_json_print(doc, MOOR_DESIRED_MAX, &text, err)))
        return moor_context(err, "desired state");
    moor_buf_str(out, text);
    return moor_buf_ok(out, "desired state", err);
}
