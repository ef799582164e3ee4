/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin/text.h"
#include "customscript/settings.h"
#include "customscript/storage.h"

#include "base/text.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

static moor_code read_job(const char *pub, const char *prot, struct customscript_job *job,
                          struct moor_arena *arena, struct moor_error *err)
{
    return customscript_job_read(moor_span_str(pub), moor_span_str(prot), job, arena, err);
}

static void one_piece_of_work_comes_from_either_side(void)
{
    static const struct {
        const char *pub, *prot, *command, *script, *wrong;
    } rows[] = {
        { "{\"commandToExecute\":\"a\"}", "", "a", "", NULL },
        { "", "{\"commandToExecute\":\"a\"}", "a", "", NULL },
        { "{}", "{\"script\":\"ZWNobw==\"}", "", "echo", NULL },
        { "{\"unknown\":1,\"timestamp\":5,\"script\":\"ZWNobw==\"}", "{}", "", "echo", NULL },
        { "", "", "", "", "one is required" },
        { "{}", "{}", "", "", "one is required" },
        { "{\"commandToExecute\":\"a\",\"script\":\"ZQ==\"}", "", "", "", "give only one" },
        { "{\"commandToExecute\":\"a\"}", "{\"script\":\"ZQ==\"}", "", "", "give only one" },
        { "{\"commandToExecute\":\"a\"}", "{\"commandToExecute\":\"a\"}", "", "", "give it once" },
        { "{\"script\":\"ZQ==\"}", "{\"script\":\"ZQ==\"}", "", "", "give it once" },
        { "{\"commandToExecute\":\"\"}", "", "", "", "commandToExecute" },
        { "{\"commandToExecute\":[\"a\"]}", "", "", "", "commandToExecute" },
        { "{\"script\":\"no base64\"}", "", "", "", "script" },
        { "{\"script\":\"H4sIAAAA\"}", "", "", "", "want gzip data" },
        { "{\"commandToExecute\":\"a\",\"managedIdentity\":{}}", "", "", "", "managedIdentity" },
        { "{\"commandToExecute\":\"a\"}", "{\"managedIdentity\":{}}", "a", "", NULL },
        { "{\"commandToExecute\":\"a\"}", "{\"managedIdentity\":null}", "a", "", NULL },
        { "{\"commandToExecute\":\"a\"}", "{\"managedIdentity\":{\"clientId\":\"canary\"}}", "", "",
          "want {}" },
        { "{\"commandToExecute\":\"a\"}",
          "{\"storageAccountName\":\"s\",\"storageAccountKey\":\"aw==\"}", "a", "", NULL },
        { "{\"commandToExecute\":\"a\",\"storageAccountKey\":\"canary\"}", "", "", "",
          "storageAccountKey: belongs into protectedSettings" },
        { "{\"commandToExecute\":\"a\"}", "{\"storageAccountKey\":\"canary\"}", "", "",
          "give both" },
        { "{\"commandToExecute\":\"a\"}",
          "{\"managedIdentity\":{},\"storageAccountName\":\"s\",\"storageAccountKey\":\"canary\"}",
          "", "", "give only one" },
        { "{\"commandToExecute\":\"a\",\"timestamp\":\"now\"}", "", "", "", "timestamp" },
        { "{\"commandToExecute\":\"a\",\"timestamp\":2147483648}", "", "", "", "timestamp" },
        { "[]", "", "", "", "settings" },
        { "{\"commandToExecute\":\"canary\"", "", "", "", "settings" },
        { "", "{\"commandToExecute\":\"canary\",}", "", "", "protectedSettings" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(1024 * 1024);
        MOOR_AUTO(customscript_job) job = { 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = read_job(rows[n].pub, rows[n].prot, &job, &arena, &err);
        CHECK_INT(c == MOOR_OK, rows[n].wrong == NULL);
        if (rows[n].wrong && !CHECK(strstr(err.msg, rows[n].wrong)))
            printf("# row %zu: \"%s\"\n", n, err.msg);
        CHECK(!strstr(err.msg, "canary"));
        CHECK(moor_span_eq_str(moor_secret_reveal(&job.command), rows[n].command));
        CHECK(moor_span_eq_str(moor_secret_reveal(&job.script), rows[n].script));
    }
}

static void only_blob_storage_over_tls_gets_a_token(void)
{
    static const struct {
        const char *uri;
        bool may;
    } rows[] = {
        { "https://a.blob.core.windows.net/c/f.sh", true },
        { "https://a.blob.core.windows.net:443/c/f.sh?x", true },
        { "https://a.z1.blob.storage.azure.net/c/f", true },
        { "http://a.blob.core.windows.net/c/f.sh", false },
        { "https://.blob.core.windows.net/c", false },
        { "https://a.blob.core.windows.net.evil.example/c", false },
        { "https://evil.example/a.blob.core.windows.net", false },
        { "https://evil.example?a.blob.core.windows.net", false },
        { "https://evil.example#.blob.core.windows.net", false },
        { "https://u@a.blob.core.windows.net/c", false },
        { "https://evil.example:1@a.blob.core.windows.net/c", false },
        { "https://a.queue.core.windows.net/c", false },
        { "", false },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++)
        if (!CHECK(customscript_blob_may_have_token(rows[n].uri) == rows[n].may))
            printf("# %s\n", rows[n].uri);
}

static void a_key_signs_blobs_of_its_account_alone(void)
{
    static const struct {
        const char *uri, *wrong;
    } rows[] = {
        { "https://acct.blob.core.windows.net/c/f.sh", NULL },
        { "http://acct.blob.core.windows.net/c/f.sh?snapshot=1", NULL },
        { "https://other.blob.core.windows.net/c/f.sh", "no blob" },
        { "https://evil.example/acct.blob.core.windows.net/f", "no blob" },
        { "https://u@acct.blob.core.windows.net/c/f.sh", "no blob" },
        { "ftp://acct.blob.core.windows.net/c/f.sh", "no blob" },
    };
    MOOR_AUTO(moor_secret) key = MOOR_SECRET_INIT;
    CHECK_INT(moor_secret_set(&key, moor_span_str("Y2FuYXJ5"), NULL), MOOR_OK);
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF_SECRET(4096);
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = customscript_sign_uri(rows[n].uri, "acct", &key, 1700000000999, &out, &err);
        CHECK_INT(c == MOOR_OK, rows[n].wrong == NULL);
        CHECK(!rows[n].wrong || strstr(err.msg, rows[n].wrong));
        CHECK(rows[n].wrong ||
              (moor_span_starts(moor_buf_view(&out), rows[n].uri) &&
               strstr(moor_buf_cstr(&out), "se=2023-11-14T22%3A13%3A20Z&sv=2015")));
    }
}

/* {"script": base64 of gzip of n times 'x'}; the text is malloc's. */
static char *gzipped(size_t n, size_t cut)
{
    size_t room = 64 * 1024;
    unsigned char *packed = malloc(room);
    char *text = malloc(n + 1);
    z_stream z = { 0 };
    MOOR_ASSERT(packed && text);
    memset(text, 'x', n);
    int r = deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (unsigned char *)text;
    z.avail_in = (unsigned)n;
    z.next_out = packed;
    z.avail_out = (unsigned)room;
    if (r == Z_OK)
        r = deflate(&z, Z_FINISH);
    MOOR_ASSERT(r == Z_STREAM_END);
    size_t len = room - z.avail_out - cut;
    deflateEnd(&z);
    MOOR_AUTO(moor_buf) json = MOOR_BUF(256 * 1024);
    moor_buf_str(&json, "{\"script\":\"");
    moor_buf_base64(&json, moor_span(packed, len));
    moor_buf_str(&json, "\"}");
    free(packed);
    free(text);
    char *out = NULL;
    moor_code c = moor_buf_take(&json, "script", &out, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    return out;
}

static void gzip_is_unpacked_up_to_the_limit(void)
{
    static const struct {
        size_t n, cut;
        bool good;
    } rows[] = {
        { 1, 0, true },
        { CUSTOMSCRIPT_SCRIPT_MAX, 0, true },
        { CUSTOMSCRIPT_SCRIPT_MAX + 1, 0, false },
        { 40u * 1024 * 1024, 0, false },
        { 1000, 1, false },
        { 1000, 9, false },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(2 * 1024 * 1024);
        MOOR_AUTO(customscript_job) job = { 0 };
        MOOR_AUTOSTR json = gzipped(rows[n].n, rows[n].cut);
        moor_code c = read_job(json, "", &job, &arena, NULL);
        CHECK_INT(c, rows[n].good ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK_INT(moor_secret_reveal(&job.script).n, rows[n].good ? rows[n].n : 0);
    }
}

static void files_of_both_sides_are_fetched_in_order(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(1024 * 1024);
    MOOR_AUTO(customscript_job) job = { 0 };
    MOOR_AUTO(customscript_job) other = { 0 };
    CHECK_INT(read_job("{\"fileUris\":[\"https://h/a\"],\"skipDos2Unix\":true}",
                       "{\"fileUris\":[\"http://h/b\"],\"commandToExecute\":\"x\"}", &job, &arena,
                       NULL),
              MOOR_OK);
    if (CHECK_INT(job.uri_count, 2)) {
        CHECK_STR(job.uris[0], "https://h/a");
        CHECK_STR(job.uris[1], "http://h/b");
    }
    CHECK(job.keep_line_ends);
    CHECK_INT(read_job("{\"fileUris\":[\"file:///etc/shadow\"],\"commandToExecute\":\"x\"}", "",
                       &other, &arena, NULL),
              MOOR_E_BADINPUT);
}

static void files_are_named_by_the_last_part_of_the_path(void)
{
    static const struct {
        const char *uri, *name;
    } rows[] = {
        { "https://h/a.sh", "a.sh" },
        { "https://h/x/y/a%20b.sh?sig=1/2", "a b.sh" },
        { "https://h/a.sh#part/of", "a.sh" },
        { "https://h/..a", "..a" },
        { "https://h/", NULL },
        { "https://h", NULL },
        { "https://h?a=/b", NULL },
        { "https://h/.", NULL },
        { "https://h/..", NULL },
        { "https://h/%2e%2e", NULL },
        { "https://h/a%2Fb", NULL },
        { "https://h/a%00b", NULL },
        { "https://h/a%0Ab", NULL },
        { "https://h/a%7F", NULL },
        { "https://h/a%zz", NULL },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTOSTR name = NULL;
        moor_code c = builtin_file_name(rows[n].uri, &name, NULL);
        CHECK_INT(c, rows[n].name ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK_STR(name, rows[n].name);
    }
}

static void line_ends_become_those_of_unix(void)
{
    static const char *const rows[][2] = {
        { "a\r\nb\r\n", "a\nb\n" },
        { "a\rb", "a\rb" },
        { "\xEF\xBB\xBF#!x\r\n", "#!x\n" },
        { "\r\n\r\n\r", "\n\n\r" },
        { "", "" },
        { "a\r\r\n", "a\r\n" },
        { "a\xEF\xBB\xBF", "a\xEF\xBB\xBF" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        char text[32] = "";
        memcpy(text, rows[n][0], strlen(rows[n][0]));
        text[builtin_unix_lines(text, strlen(text))] = 0;
        CHECK_STR(text, rows[n][1]);
    }
}

CHECK_MAIN(CHECK_TEST(one_piece_of_work_comes_from_either_side),
           CHECK_TEST(only_blob_storage_over_tls_gets_a_token),
           CHECK_TEST(a_key_signs_blobs_of_its_account_alone),
           CHECK_TEST(gzip_is_unpacked_up_to_the_limit),
           CHECK_TEST(files_of_both_sides_are_fetched_in_order),
           CHECK_TEST(files_are_named_by_the_last_part_of_the_path),
           CHECK_TEST(line_ends_become_those_of_unix))
