/* SPDX-License-Identifier: Apache-2.0 */
/* extension publish, list. */
#include "engine/gallery.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "main/commands.h"
#include "main/state.h"
#include "platform/clock.h"

static moor_code take_name(char *out, size_t size, const char *option, const char *value,
                           struct moor_error *err)
{
    size_t n = value ? strlen(value) : 0;
    if (n >= size)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: longer than %zu bytes", option, size - 1);
    memcpy(out, value ? value : "", n + 1);
    return MOOR_OK;
}

static moor_code publish(const struct cp_options *o, struct cp_state *s, struct moor_package *out,
                         struct moor_error *err)
{
    struct moor_publish p = { .packages_dir = cp_state_path(s, "packages"),
                              .gallery_cert = s->gallery_cert,
                              .gallery_key = s->gallery_key,
                              .zip_path = o->words[0],
                              .signature_path = o->signature,
                              .now_ms = plat_utc_ms() };
    moor_code c =
        take_name(p.asked.publisher, sizeof(p.asked.publisher), "--publisher", o->publisher, err);
    if (!c)
        c = take_name(p.asked.type, sizeof(p.asked.type), "--type", o->type, err);
    if (!c)
        c = take_name(p.asked.version, sizeof(p.asked.version), "--version", o->version, err);
    return c ? c : moor_gallery_publish(s->store, &p, &s->arena, out, err);
}

static struct moor_json *package_json(const struct moor_package *p)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "publisher", p->publisher);
    moor_json_set_str(o, "type", p->type);
    moor_json_set_str(o, "version", p->version);
    moor_json_set_str(o, "sha256", p->sha256);
    moor_json_set_int(o, "size", (int64_t)p->size);
    moor_json_set_bool(o, "publisherSignature", p->publisher_signature);
    return o;
}

static void print_package(const struct moor_package *p)
{
    printf("%s.%s %s  %llu bytes  sha256 %s%s\n", p->publisher, p->type, p->version,
           (unsigned long long)p->size, p->sha256,
           p->publisher_signature ? "  signed by its publisher" : "");
}

static void print_json(const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4u << 20);
    moor_buf_json_pretty(&text, v);
    printf("%s\n", moor_buf_cstr(&text));
}

int cp_run_extension_publish(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_package p = { 0 };
    int status = 0;
    /* Keys are needed for the signature, so all of the state is loaded (and made if missing). */
    if (cp_state_ensure(o, &s, &err) || publish(o, &s, &p, &err)) {
        status = cp_complain(&err);
    } else if (o->json) {
        MOOR_AUTOPTR(moor_json) v = package_json(&p);
        print_json(v);
    } else {
        print_package(&p);
    }
    cp_state_drop(&s);
    return status;
}

int cp_run_extension_list(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_package_list list = { NULL, 0 };
    MOOR_AUTOPTR(moor_json) items = moor_json_new_array();
    int status = 0;
    if (cp_state_open(o, &s, &err) || moor_package_list(s.store, NULL, NULL, &s.arena, &list, &err))
        status = cp_complain(&err);
    for (size_t i = 0; i < list.count; i++) {
        if (!o->json)
            print_package(&list.items[i]);
        moor_json_push(items, package_json(&list.items[i]));
    }
    if (!status && o->json)
        print_json(items);
    cp_state_drop(&s);
    return status;
}
