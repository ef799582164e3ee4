/* SPDX-License-Identifier: Apache-2.0 */
/* mooring connect existing */
#include "base/text.h"
#include "cli/joining.h"
#include "connect/session.h"
#include "crypto/key.h"

static const struct moor_option existing_options[] = {
    MOOR_JOIN_WHERE,
    { "tenant-id", 't', "ID", MOOR_JOIN(who.tenant), "tenant of the resource" },
    { "vmid", 0, "UUID", MOOR_JOIN(vm_id), "the resource's vmId" },
    { "private-key-file", 0, "FILE", MOOR_JOIN(key_file),
      "key the resource was registered with; - is standard input" },
    { "private-key", 0, "KEY", MOOR_JOIN(key_argument), "refused: give a file" },
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm check(struct moor_cli *cli, const struct moor_join_options *o)
{
    const struct {
        const char *name, *value;
        bool uuid;
    } needed[] = {
        { "--subscription-id", o->subscription, true },
        { "--tenant-id", o->who.tenant, true },
        { "--vmid", o->vm_id, true },
        { "--private-key-file", o->key_file, false },
    };
    if (o->key_argument)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT,
                               "--private-key: every user of this machine would see it; use "
                               "--private-key-file");
    for (size_t i = 0; i < MOOR_COUNTOF(needed); i++) {
        if (!needed[i].value)
            return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "%s", needed[i].name);
        if (needed[i].uuid && !moor_uuid_valid(moor_span_str(needed[i].value)))
            return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%s: want a UUID", needed[i].name);
    }
    return AZCM_OK;
}

/* PEM, or base64 of the PKCS#1 DER; as PEM in out. */
static moor_code read_key(const char *file, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(16384);
    MOOR_AUTOPTR(moor_key) key = NULL;
    moor_code c = moor_read_input(file, &text, err);
    if (c != MOOR_OK)
        return c;
    struct moor_span s = moor_span_trim(moor_buf_view(&text));
    c = moor_span_starts(s, "-----BEGIN") ? moor_key_from_pem(s, &key, err)
                                          : moor_key_from_private_pkcs1(s, &key, err);
    if (c == MOOR_OK)
        c = moor_key_to_pem(key, out, err);
    return c == MOOR_OK ? c : moor_context(err, "%s", file);
}

static moor_azcm connect_existing(struct moor_cli *cli, struct moor_joining *j)
{
    MOOR_AUTO(moor_secret) key = MOOR_SECRET_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    if (read_key(j->o.key_file, &key, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_PRIVATE_KEY, &err, NULL);
    j->params.vm_id = j->o.vm_id;
    j->params.private_key = &key;
    return moor_joining_connect(cli, j);
}

static moor_azcm run_existing(struct moor_cli *cli, const void *options,
                              const struct moor_words *words)
{
    MOOR_AUTO(moor_joining) j = MOOR_JOINING_INIT;
    (void)words;
    moor_azcm number = moor_joining_prepare(cli, options, existing_options, true, &j);
    if (number == AZCM_OK)
        number = check(cli, &j.o);
    return number == AZCM_OK ? connect_existing(cli, &j) : number;
}

const struct moor_verb moor_verb_connect_existing = {
    .name = "connect existing",
    .words = "",
    .summary = "take the place of a resource that was made beforehand",
    .text =
        "Nobody signs in: the key that the resource was registered with is the proof, as PEM or\n"
        "as base64 of its PKCS#1 DER. It serves once: this machine makes a key of its own, and\n"
        "the given one ends with that key's first use. After a reconnect of the resource the\n"
        "same command gives a machine that lost its key a new one.\n",
    .options = existing_options,
    .options_size = sizeof(struct moor_join_options),
    .admin = true,
    .run = run_existing,
};
