/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers and other agents do with our CMS: the openssl command reads it. */
#include "base/text.h"
#include "check.h"
#include "crypto/cms.h"
#include "platform/clock.h"
#include "platform/process.h"
#include "platform/random.h"
#include "unit/platform/crypto/vectors.h"

#define OPENSSL  "/usr/bin/openssl"
#define LIMIT_MS 20000

static char folder[80];

static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *p = paths[next++ % 8];
    (void)snprintf(p, 128, "%s/%s", folder, name);
    return p;
}

static void make_folder(void)
{
    char id[37];
    plat_random_uuid(id);
    (void)snprintf(folder, sizeof(folder), "/tmp/mooring-cms-%s", id);
    CHECK(plat_make_dirs(folder, PLAT_OWNER_ONLY, NULL) == MOOR_OK);
}

static void put(const char *name, struct moor_span bytes)
{
    CHECK(plat_write_atomic(in_folder(name), bytes, PLAT_OWNER_ONLY, NULL) == MOOR_OK);
}

/* Exit status of the command, -1 when it did not end by itself in time. */
static int run(const char *const *argv)
{
    const struct plat_spawn how = { .argv = argv, .cwd = folder };
    MOOR_AUTO(plat_process) p = PLAT_PROCESS_INIT;
    struct plat_exit end = { 0 };
    bool ended = false;
    uint64_t deadline = plat_mono_ms() + LIMIT_MS;
    if (!CHECK(plat_spawn(&how, &p, NULL) == MOOR_OK))
        return -1;
    while (!ended && plat_mono_ms() < deadline)
        CHECK(plat_process_poll(&p, &ended, &end, NULL) == MOOR_OK);
    return ended && !end.signaled ? end.code : -1;
}

static void file_holds(const char *name, const char *want)
{
    MOOR_AUTO(moor_buf) got = MOOR_BUF(4096);
    CHECK(plat_read_all(in_folder(name), 4096, &got, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&got), want);
}

static void handlers_decrypt_settings_with_cms_and_smime(void)
{
    static const char *const commands[] = { "cms", "smime" };
    static const char settings[] = "{\"password\":\"hunter2\"}\n";
    if (!plat_exists(OPENSSL))
        SKIP("no " OPENSSL);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    make_folder();
    CHECK(moor_cert_from_pem(moor_span_str(vector_cert_pem), &cert, NULL) == MOOR_OK);
    CHECK(moor_cms_encrypt(cert, MOOR_SPAN_LIT(settings), &der, NULL) == MOOR_OK);
    put("settings.der", moor_buf_view(&der));
    put("T.crt", moor_span_str(vector_cert_pem));
    put("T.prv", moor_span_str(vector_key_pem));
    for (size_t i = 0; i < MOOR_COUNTOF(commands); i++) {
        const char *const argv[] = { OPENSSL,        commands[i], "-inform",   "DER",   "-decrypt",
                                     "-recip",       "T.crt",     "-inkey",    "T.prv", "-in",
                                     "settings.der", "-out",      commands[i], NULL };
        CHECK_INT(run(argv), 0);
        file_holds(commands[i], settings);
    }
    CHECK(plat_remove_tree(folder, NULL) == MOOR_OK);
}

static void signed_package_verifies_with_the_documented_command(void)
{
    if (!plat_exists(OPENSSL))
        SKIP("no " OPENSSL);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(plat_file) content = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    MOOR_AUTO(moor_buf) trusted = MOOR_BUF(16384);
    make_folder();
    put("package.zip", MOOR_SPAN_LIT("PK\r\nnot really\n"));
    moor_buf_str(&trusted, vector_root_pem);
    moor_buf_str(&trusted, vector_inter_pem);
    put("trusted.pem", moor_buf_view(&trusted));
    CHECK(moor_cert_from_pem(moor_span_str(vector_signer_pem), &cert, NULL) == MOOR_OK);
    CHECK(moor_key_from_pem(moor_span_str(vector_signer_key_pem), &key, NULL) == MOOR_OK);
    CHECK(plat_open(in_folder("package.zip"), PLAT_READ, &content, NULL) == MOOR_OK);
    CHECK(moor_cms_sign_file(cert, key, &content, &der, NULL) == MOOR_OK);
    put("package.sig", moor_buf_view(&der));
    const char *const argv[] = {
        OPENSSL,   "cms",         "-verify",        "-binary",     "-inform",  "der",
        "-in",     "package.sig", "-content",       "package.zip", "-purpose", "any",
        "-CAfile", "trusted.pem", "-no_check_time", "-out",        "verified", NULL
    };
    CHECK_INT(run(argv), 0);
    file_holds("verified", "PK\r\nnot really\n");
    CHECK(plat_remove_tree(folder, NULL) == MOOR_OK);
}

CHECK_MAIN(CHECK_TEST(handlers_decrypt_settings_with_cms_and_smime),
           CHECK_TEST(signed_package_verifies_with_the_documented_command))
