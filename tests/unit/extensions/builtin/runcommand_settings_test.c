/* SPDX-License-Identifier: Apache-2.0 */
#include "runcommand/settings.h"

#include "check.h"

#include <string.h>

static moor_code read_job(const char *pub, const char *prot, struct runcommand_job *job,
                          struct moor_arena *arena, struct moor_error *err)
{
    return runcommand_job_read(moor_span_str(pub), moor_span_str(prot), job, arena, err);
}

static void a_request_is_taken_or_refused_as_a_whole(void)
{
#define SCRIPT "{\"source\":{\"script\":\"a\"}"
    static const struct {
        const char *pub, *prot, *script, *uri, *wrong;
    } rows[] = {
        { SCRIPT "}", "", "a", NULL, NULL },
        { "{\"source\":{\"script\":\"\",\"scriptUri\":\"https://h/s\"}}", "", NULL, "https://h/s",
          NULL },
        { "{\"source\":{\"scriptUri\":\"https://h/s\"}}", "{\"sourceSASToken\":\"?sig=x\"}", NULL,
          "https://h/s?sig=x", NULL },
        { "{\"source\":{\"scriptUri\":\"https://h/s?a\"}}", "{\"sourceSASToken\":\"sig=x\"}", NULL,
          "https://h/s?a&sig=x", NULL },
        { SCRIPT ",\"outputBlobUri\":\"\",\"artifacts\":[],\"installAsService\":false}",
          "{\"runAsPassword\":null}", "a", NULL, NULL },
        { "", "", NULL, NULL, "want one of them" },
        { "{\"source\":{}}", "", NULL, NULL, "want one of them" },
        { "{\"source\":{\"script\":\"a\",\"scriptUri\":\"https://h/s\"}}", "", NULL, NULL,
          "want one of them" },
        { "{\"source\":\"a\"}", "", NULL, NULL, "settings: source" },
        { "{\"source\":{\"scriptUri\":\"file:///canary\"}}", "", NULL, NULL, "source.scriptUri" },
        { "{\"source\":{\"commandId\":\"canary\"}}", "", NULL, NULL, "source.commandId: is not" },
        { "{\"source\":{\"script\":\"a\",\"scriptUriManagedIdentity\":{\"clientId\":\"c\"}}}", "",
          NULL, NULL, "source.scriptUriManagedIdentity: is not" },
        { SCRIPT ",\"outputBlobUri\":\"canary\"}", "", NULL, NULL, "outputBlobUri: is not" },
        { SCRIPT ",\"errorBlobUri\":\"canary\"}", "", NULL, NULL, "errorBlobUri: is not" },
        { SCRIPT ",\"artifacts\":[{\"id\":1}]}", "", NULL, NULL, "artifacts: is not" },
        { SCRIPT ",\"installAsService\":true}", "", NULL, NULL, "installAsService: is not" },
        { SCRIPT "}", "{\"runAsPassword\":\"canary\"}", NULL, NULL, "runAsPassword: is not" },
        { SCRIPT "}", "{\"outputBlobSASToken\":\"canary\"}", NULL, NULL,
          "outputBlobSASToken: is not" },
        { SCRIPT "}", "{\"sourceManagedIdentity\":{\"clientId\":\"canary\"}}", NULL, NULL,
          "sourceManagedIdentity: is not" },
        { SCRIPT ",\"timeoutInSeconds\":-1}", "", NULL, NULL, "timeoutInSeconds" },
        { SCRIPT ",\"asyncExecution\":\"canary\"}", "", NULL, NULL, "asyncExecution" },
        { SCRIPT ",\"parameters\":[{\"name\":\"a=canary\"}]}", "", NULL, NULL,
          "parameters[0].name" },
        { SCRIPT "}", "{\"protectedParameters\":[{\"name\":\"\",\"value\":\"canary\"}]}", NULL,
          NULL, "protectedParameters[0].name: is required" },
        { SCRIPT "}", "{\"protectedParameters\":[{\"value\":\"canary\"}}", NULL, NULL,
          "protectedSettings" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(1024 * 1024);
        struct runcommand_job job = { .script = NULL };
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = read_job(rows[n].pub, rows[n].prot, &job, &arena, &err);
        CHECK_INT(c == MOOR_OK, rows[n].wrong == NULL);
        if (rows[n].wrong && !CHECK(strstr(err.msg, rows[n].wrong)))
            printf("# row %zu: \"%s\"\n", n, err.msg);
        CHECK(!strstr(err.msg, "canary"));
        CHECK_STR(job.script, rows[n].script);
        CHECK_STR(job.script_uri, rows[n].uri);
    }
}

static void parameters_keep_their_order_and_every_byte(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(1024 * 1024);
    struct runcommand_job job;
    if (!CHECK_INT(
            read_job("{\"source\":{\"script\":\"a\"},\"parameters\":[{\"value\":\"'\\n\\\"\"},"
                     "{\"name\":\"N\",\"value\":\"v\"},{\"name\":\"E\"}],\"runAsUser\":\"u\","
                     "\"timeoutInSeconds\":7,\"asyncExecution\":true,"
                     "\"treatFailureAsDeploymentFailure\":true}",
                     "{\"protectedParameters\":[{\"name\":\"P\",\"value\":\"s\"}]}", &job, &arena,
                     NULL),
            MOOR_OK))
        return;
    const struct runcommand_parameter *p = job.parameters.items;
    CHECK_INT(job.parameters.count, 3);
    CHECK_STR(p[0].name, "");
    CHECK_STR(p[0].value, "'\n\"");
    CHECK_STR(p[1].name, "N");
    CHECK_STR(p[2].value, "");
    p = job.secrets.items;
    CHECK_INT(job.secrets.count, 1);
    CHECK_STR(p[0].value, "s");
    CHECK_STR(job.user, "u");
    CHECK_INT(job.timeout_s, 7);
    CHECK(job.async && job.failure_counts);
}

static void what_is_not_said_has_the_documented_default(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(1024 * 1024);
    struct runcommand_job job;
    CHECK_INT(read_job("{\"source\":{\"script\":\"a\"},\"timeoutInSeconds\":0,\"runAsUser\":\"\"}",
                       "", &job, &arena, NULL),
              MOOR_OK);
    CHECK_INT(job.timeout_s, RUNCOMMAND_TIMEOUT_DEFAULT);
    CHECK(!job.user && !job.async && !job.failure_counts);
}

CHECK_MAIN(CHECK_TEST(a_request_is_taken_or_refused_as_a_whole),
           CHECK_TEST(parameters_keep_their_order_and_every_byte),
           CHECK_TEST(what_is_not_said_has_the_documented_default))
