/* SPDX-License-Identifier: Apache-2.0 */
/* mooring genkey */
#include "base/buf.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "crypto/key.h"
#include "platform/self.h"

struct genkey_options {
    const char *file;
};
static const struct moor_option genkey_options[] = {
    { "private-key-file", 0, "FILE", offsetof(struct genkey_options, file),
      "new file for the private key, which then is not printed" },
    { NULL, 0, NULL, 0, NULL },
};

static moor_code write_key(const char *name, const struct moor_secret *key, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = plat_absolute_path(name, &path, err);
    if (c == MOOR_OK)
        c = plat_create_new(path, PLAT_OWNER_ONLY, &f, err);
    if (c == MOOR_OK)
        c = plat_append(&f, moor_secret_reveal(key), err);
    return c == MOOR_OK ? plat_sync(&f, err) : c;
}

/* Not through a JSON tree, which would leave a copy behind. */
static void say(const struct moor_cli *cli, const char *public_key, const struct moor_secret *key)
{
    const char *private_key = key ? moor_secret_reveal(key).p : "";
    if (!cli->json)
        moor_say(key ? "Public key: %s\nPrivate key: %s\n" : "Public key: %s\n", public_key,
                 private_key);
    else
        moor_say(key ? "{\n  \"publicKey\": \"%s\",\n  \"privateKey\": \"%s\"\n}\n"
                     : "{\n  \"publicKey\": \"%s\"\n}\n",
                 public_key, private_key);
}

static moor_azcm run_genkey(struct moor_cli *cli, const void *options,
                            const struct moor_words *words)
{
    const struct genkey_options *o = options;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_secret) private_key = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_buf) public_key = MOOR_BUF(4096);
    struct moor_error err = MOOR_ERROR_INIT;
    (void)words;
    moor_code c = moor_key_generate(MOOR_KEY_RSA_2048, &key, &err);
    if (c == MOOR_OK)
        c = moor_key_public_pkcs1(key, &public_key, &err);
    if (c == MOOR_OK)
        c = moor_key_private_pkcs1(key, &private_key, &err);
    if (c == MOOR_OK && o->file)
        c = write_key(o->file, &private_key, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_KEYS, &err, NULL);
    say(cli, moor_buf_cstr(&public_key), o->file ? NULL : &private_key);
    return AZCM_OK;
}

const struct moor_verb moor_verb_genkey = {
    .name = "genkey",
    .words = "",
    .summary = "make a key pair for a machine that is made before it connects",
    .text = "Whoever may write machines makes the resource with the public key as\n"
            "clientPublicKey; the machine then needs nothing but the private key. Both are\n"
            "base64 of PKCS#1, RSA of 2048 bits. Nothing is kept here.\n",
    .options = genkey_options,
    .options_size = sizeof(struct genkey_options),
    .run = run_genkey,
};
