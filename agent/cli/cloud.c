/* SPDX-License-Identifier: Apache-2.0 */
/* mooring cloud register|list|show|remove */
#include "core/cloud.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "connect/register.h"
#include "core/settings.h"

#define ARENA_MAX (2 * 1024 * 1024)

struct register_options {
    const char *ca_file, *ca_sha256;
};
#define RO(member) offsetof(struct register_options, member)
static const struct moor_option register_options[] = {
    { "ca-file", 0, "FILE", RO(ca_file), "PEM file of the CA that speaks for this cloud" },
    { "ca-sha256", 0, "HEX", RO(ca_sha256), "fingerprint of that CA, which the server must offer" },
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm number_of(const struct moor_error *err)
{
    if (err->code == MOOR_E_NOTFOUND || err->code == MOOR_E_PROTOCOL)
        return AZCM_CLOUD;
    return err->code == MOOR_E_EXISTS ? AZCM_INVALID_ARGUMENT : moor_azcm_of(err);
}

/* The server is there, but not trusted: how an administrator finds out who speaks for it. A server
 * of the CA that was given is refused for something else, which err says. */
static moor_azcm untrusted(struct moor_cli *cli, const struct moor_register_params *p,
                           const char *offered, const struct moor_error *err)
{
    MOOR_AUTO(moor_buf) hint = MOOR_BUF(4096);
    if (offered)
        moor_buf_fmt(
            &hint,
            "the server offers a CA with SHA-256 %s; compare it with `mooring-controlplane "
            "ca fingerprint` on the control plane, and if they are equal: %s cloud "
            "register %s %s --ca-sha256 %s",
            offered, cli->program, p->name, p->url, offered);
    else if (p->ca_pem.n == 0 && !p->ca_sha256)
        moor_buf_fmt(&hint, "the server offers no CA certificate: copy it from the control plane "
                            "(`mooring-controlplane ca show`) and give it with --ca-file");
    return moor_cli_fail(cli, AZCM_CLOUD, err, hint.len > 0 ? moor_buf_cstr(&hint) : NULL);
}

static struct moor_json *list_json(const struct moor_str_list *list)
{
    struct moor_json *v = moor_json_new_array();
    for (size_t i = 0; i < list->count; i++)
        moor_json_push(v, moor_json_new_str(list->items[i]));
    return v;
}

static struct moor_json *cloud_json(const struct moor_cloud *c)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        { "name", c->name },
        { "resourceManager", c->resource_manager },
        { "loginEndpoint", c->login_endpoint },
        { "tokenEndpoint", c->token_endpoint },
        { "armAudience", c->arm_audience },
        { "hisEndpoint", c->his_endpoint },
        { "serviceAudience", c->service_audience },
        { "ingestionAudience", moor_cloud_ingestion_audience(c) },
        { "portal", c->portal },
        { "caFile", c->ca_file },
    };
    struct moor_json *v = moor_json_new_object();
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++)
        moor_json_set_str(v, texts[i].name, texts[i].value ? texts[i].value : "");
    moor_json_set(v, "hostSuffixes", list_json(&c->host_suffixes));
    moor_json_set_bool(v, "builtIn", c->built_in);
    return v;
}

static void say_registered(struct moor_cli *cli, const struct moor_registered *r)
{
    if (cli->json) {
        MOOR_AUTOPTR(moor_json) v = cloud_json(&r->cloud);
        moor_json_set(v, "caSha256", list_json(&r->ca));
        moor_json_set(v, "gallerySha256", list_json(&r->gallery));
        moor_say_json(v);
        return;
    }
    moor_say("Registered %s: %s\n", r->cloud.name, r->cloud.resource_manager);
    if (r->ca.count == 0)
        moor_say("Trusted through this system's CA store\n");
    for (size_t i = 0; i < r->ca.count; i++)
        moor_say("CA SHA-256:      %s\n", r->ca.items[i]);
    for (size_t i = 0; i < r->gallery.count; i++)
        moor_say("Gallery SHA-256: %s\n", r->gallery.items[i]);
    if (!r->cloud.his_endpoint)
        moor_say("This cloud has no Mooring service: machines cannot be connected to it\n");
}

static moor_azcm run_register(struct moor_cli *cli, const void *options,
                              const struct moor_words *words)
{
    const struct register_options *o = options;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(MOOR_INPUT_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_settings settings;
    struct moor_registered done;
    if (o->ca_file && o->ca_sha256)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--ca-file and --ca-sha256: give one of them");
    if (o->ca_file && moor_read_input(o->ca_file, &pem, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (o->ca_file && pem.len == 0)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%s: is empty", o->ca_file);
    if (moor_settings_load(&settings, &arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    const struct moor_register_params p = { .name = words->items[0],
                                            .url = words->items[1],
                                            .ca_pem = moor_buf_view(&pem),
                                            .ca_sha256 = o->ca_sha256,
                                            .settings = &settings };
    moor_code c = moor_register(&p, &done, &arena, &err);
    if (c == MOOR_E_UNTRUSTED)
        return untrusted(cli, &p, done.unknown_issuer, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, number_of(&err), &err, NULL);
    say_registered(cli, &done);
    return AZCM_OK;
}

static moor_azcm run_list(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOPTR(moor_json) all = moor_json_new_array();
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_str_list names;
    (void)options;
    (void)words;
    if (moor_cloud_list(true, &names, &arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CLOUD, &err, NULL);
    for (size_t i = 0; i < names.count; i++) {
        struct moor_cloud c;
        if (moor_cloud_load(names.items[i], &c, &arena, &err) != MOOR_OK) {
            moor_warn(cli, "%s", err.msg);
            continue;
        }
        if (cli->json)
            moor_json_push(all, cloud_json(&c));
        else
            moor_say("%-20s %-10s %s\n", c.name, c.built_in ? "built-in" : "registered",
                     c.resource_manager);
    }
    if (cli->json)
        moor_say_json(all);
    return AZCM_OK;
}

static moor_azcm run_show(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_cloud c;
    (void)options;
    if (moor_cloud_load(words->items[0], &c, &arena, &err) != MOOR_OK)
        return moor_cli_fail(cli, number_of(&err), &err, NULL);
    MOOR_AUTOPTR(moor_json) v = cloud_json(&c);
    if (cli->json) {
        moor_say_json(v);
        return AZCM_OK;
    }
    MOOR_JSON_EACH(item, v)
    {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(64 * 1024);
        if (moor_json_str(item))
            moor_buf_str(&text, moor_json_str(item));
        else
            moor_buf_json(&text, item);
        moor_say("%-18s : %s\n", moor_json_name(item), moor_buf_cstr(&text));
    }
    return AZCM_OK;
}

static moor_azcm run_remove(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)options;
    moor_code c = moor_cloud_remove(words->items[0], &err);
    if (c == MOOR_E_DENIED && err.os == 0)
        return moor_cli_fail(cli, AZCM_INVALID_ARGUMENT, &err, NULL);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, number_of(&err), &err, NULL);
    if (!cli->json)
        moor_say("Removed %s\n", words->items[0]);
    return AZCM_OK;
}

const struct moor_verb moor_verb_cloud_register = {
    .name = "cloud register",
    .words = "NAME URL",
    .summary = "make a cloud known to this machine",
    .text = "Reads https://host[:port]/metadata/endpoints once and stores what it says, the CA,\n"
            "and whom the gallery's signatures come from. There is no trust on first use: it\n"
            "comes from --ca-file, which for this cloud replaces the system's CA store, from\n"
            "--ca-sha256, or from that store. An unknown issuer is refused; the message says its\n"
            "fingerprint and how to compare it (mooring-controlplane ca fingerprint).\n",
    .options = register_options,
    .options_size = sizeof(struct register_options),
    .words_min = 2,
    .words_max = 2,
    .admin = true,
    .run = run_register,
};
const struct moor_verb moor_verb_cloud_list = {
    .name = "cloud list",
    .words = "",
    .summary = "list registered and built-in clouds",
    .run = run_list,
};
const struct moor_verb moor_verb_cloud_show = {
    .name = "cloud show",
    .words = "CLOUD",
    .summary = "show what is stored of a cloud",
    .words_min = 1,
    .words_max = 1,
    .run = run_show,
};
const struct moor_verb moor_verb_cloud_remove = {
    .name = "cloud remove",
    .words = "CLOUD",
    .summary = "forget a registered cloud, its CA and its gallery",
    .words_min = 1,
    .words_max = 1,
    .admin = true,
    .run = run_remove,
};
