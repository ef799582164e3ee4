/* SPDX-License-Identifier: Apache-2.0 */
/* A run command from its PUT to the report that ends it, over the real routes. */
#include "api/run_commands.h"

#include "api/run_command_rules.h"
#include "check.h"
#include "engine/desired.h"
#include "engine/restore.h"
#include "platform/clock.h"
#include "store/run_commands.h"
#include "unit/controlplane/api/fixture.h"

#define VM      "aaaaaaaa-1111-4111-8111-111111111111"
#define MACHINE FIX_MACHINE
#define RUN     MACHINE "/runCommands/patch"
#define V       "?api-version=2025-01-13"
#define BODY(properties)                                                                           \
    "{\"location\":\"local\",\"properties\":{\"source\":{\"script\":\"true\"}" properties "}}"

/* Their order is that of the protocol's table. */
enum { P_CREATING, P_SUCCEEDED, P_FAILED, P_CANCELED };
enum { X_PENDING, X_RUNNING, X_SUCCEEDED, X_FAILED, X_TIMED_OUT, X_CANCELED };

/* What is asked for */

static const struct {
    const char *properties, *error;
} refused[] = {
    { "{}", "source" },
    { "{\"source\":{}}", "either script or scriptUri" },
    { "{\"source\":{\"script\":\"\"}}", "script" },
    { "{\"source\":{\"script\":\"a\",\"scriptUri\":\"https://h/a\"}}", "either" },
    { "{\"source\":{\"scriptUri\":\"http://h/a\"}}", "https URI" },
    { "{\"source\":{\"scriptUri\":\"https://u:p@h/a\"}}", "https URI" },
    { "{\"source\":{\"scriptUri\":\"https:///a\"}}", "https URI" },
    { "{\"source\":{\"scriptUri\":\"https://h/a b\"}}", "https URI" },
    { "{\"source\":{\"scriptUri\":\"https://h/a\",\"scriptSha256\":\"AA\"}}", "scriptSha256" },
    { "{\"source\":{\"commandId\":\"RunShellScript\"}}", "commandId" },
    { "{\"source\":{\"scriptUri\":\"https://h/a\",\"scriptUriManagedIdentity\":{}}}", "managed" },
    { "{\"source\":{\"script\":\"a\"},\"parameters\":{}}", "parameters" },
    { "{\"source\":{\"script\":\"a\"},\"parameters\":[{\"name\":\"a-b\",\"value\":\"\"}]}",
      "name" },
    { "{\"source\":{\"script\":\"a\"},\"parameters\":[{\"name\":\"1a\",\"value\":\"\"}]}", "name" },
    { "{\"source\":{\"script\":\"a\"},\"protectedParameters\":[{\"value\":\"secret\"}]}", "name" },
    { "{\"source\":{\"script\":\"a\"},\"protectedParameters\":\"secret\"}", "list" },
    { "{\"source\":{\"script\":\"a\"},\"timeoutInSeconds\":-1}", "timeoutInSeconds" },
    { "{\"source\":{\"script\":\"a\"},\"timeoutInSeconds\":604801}", "timeoutInSeconds" },
    { "{\"source\":{\"script\":\"a\"},\"asyncExecution\":\"yes\"}", "asyncExecution" },
    { "{\"source\":{\"script\":\"a\"},\"runAsUser\":\"-u\"}", "runAsUser" },
    { "{\"source\":{\"script\":\"a\"},\"runAsUser\":\"../root\"}", "runAsUser" },
    { "{\"source\":{\"script\":\"a\"},\"runAsPassword\":\"secret\"}", "runAsPassword" },
    { "{\"source\":{\"script\":\"a\"},\"outputBlobUri\":\"file:///etc/x\"}", "outputBlobUri" },
    { "{\"source\":{\"script\":\"a\"},\"errorBlobManagedIdentity\":{}}", "managed" },
};

static moor_code change(struct moor_arena *a, const char *properties, const char *old, bool patch,
                        struct moor_buf *secret, struct moor_run_command_change *out,
                        struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) body = NULL;
    const char *text = moor_arena_fmt(a, "{\"properties\":%s}", properties);
    CHECK(moor_json_parse(moor_span_str(text), &body, NULL) == MOOR_OK);
    return moor_run_command_change(body, old, patch, a, secret, out, err);
}

static void what_breaks_a_rule_is_refused_by_name_and_not_repeated(void)
{
    for (size_t i = 0; i < MOOR_COUNTOF(refused); i++) {
        MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
        MOOR_AUTO(moor_buf) secret = MOOR_BUF_SECRET(65536);
        struct moor_run_command_change ch;
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = change(&a, refused[i].properties, NULL, false, &secret, &ch, &err);
        if (!CHECK(c == MOOR_E_BADINPUT && strstr(err.msg, refused[i].error)) ||
            !CHECK(!strstr(err.msg, "secret")))
            printf("# %s: %s\n", refused[i].properties, err.msg);
    }
}

static void defaults_are_filled_in_and_secrets_are_kept_apart(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    MOOR_AUTO(moor_buf) secret = MOOR_BUF_SECRET(65536);
    struct moor_run_command_change ch;
    CHECK(change(&a,
                 "{\"source\":{\"scriptUri\":\"https://h/a?sig=canary\"},"
                 "\"parameters\":[{\"value\":\"one\"},{\"name\":\"B\",\"value\":\"two\"}],"
                 "\"protectedParameters\":[{\"name\":\"P\",\"value\":\"canary\"}],"
                 "\"outputBlobUri\":\"https://h/out\",\"unknown\":1}",
                 NULL, false, &secret, &ch, NULL) == MOOR_OK);
    CHECK_STR(ch.spec, "{\"source\":{\"scriptUri\":\"https://h/a\"},"
                       "\"parameters\":[{\"name\":\"\",\"value\":\"one\"},"
                       "{\"name\":\"B\",\"value\":\"two\"}],\"asyncExecution\":false,"
                       "\"timeoutInSeconds\":5400,\"treatFailureAsDeploymentFailure\":false,"
                       "\"outputBlobUri\":\"https://h/out\"}");
    CHECK_INT(ch.secrets, MOOR_RUN_SECRETS_SET);
    CHECK_STR(moor_buf_cstr(&secret), "{\"protectedParameters\":[{\"name\":\"P\",\"value\":"
                                      "\"canary\"}],\"scriptUri\":\"https://h/a?sig=canary\"}");
}

static void writing_back_what_was_read_changes_nothing(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    MOOR_AUTO(moor_buf) secret = MOOR_BUF_SECRET(65536);
    struct moor_run_command_change first, again;
    CHECK(change(&a,
                 "{\"source\":{\"script\":\"x\"},\"outputBlobUri\":\"https://h/o?sig=s\","
                 "\"protectedParameters\":[{\"name\":\"P\",\"value\":\"v\"}]}",
                 NULL, false, &secret, &first, NULL) == MOOR_OK);
    CHECK(change(&a, first.spec, first.spec, false, &secret, &again, NULL) == MOOR_OK);
    CHECK(!again.differs);
    CHECK_INT(again.secrets, MOOR_RUN_SECRETS_ABSENT);
    CHECK(change(&a, "{\"timeoutInSeconds\":7}", first.spec, true, &secret, &again, NULL) ==
          MOOR_OK);
    CHECK(again.differs && strstr(again.spec, "\"script\":\"x\""));
}

/* Over the routes */

static void start(struct fixture *f)
{
    fixture_make(f);
    fixture_machine(f, VM);
}

static struct moor_run_command row_of(struct fixture *f)
{
    struct moor_run_command r = { .name = NULL };
    CHECK(moor_run_command_get(f->app.store, RUN, &f->arena, &r, NULL) == MOOR_OK);
    return r;
}

static bool settle(struct fixture *f, int provisioning, int execution, int64_t exit_code)
{
    struct moor_machine m;
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_run_command_report r = { .name = "patch",
                                               .execution_id = row_of(f).execution_id,
                                               .provisioning = provisioning,
                                               .execution = execution,
                                               .ran = execution > X_RUNNING,
                                               .exit_code = exit_code,
                                               .message = "said so",
                                               .output = "out",
                                               .start_ms = plat_utc_ms() };
    bool finished = false;
    CHECK(moor_machine_by_vm_id(f->app.store, VM, &f->arena, &m, NULL) == MOOR_OK);
    if (!CHECK(moor_run_command_settle(&f->app, &m, &r, &finished, &f->arena, &err) == MOOR_OK))
        printf("# %s\n", err.msg);
    return finished;
}

static const char *status_after(struct fixture *f, const char *path)
{
    CHECK_INT(fixture_call(f, f->owner, "GET", path, NULL), 200);
    return fixture_text(f, "status");
}

static void a_put_runs_until_the_agents_report_ends_it(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "GET", RUN V, NULL), 404);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    const char *status = fixture_path(&f, f.async), *result = fixture_path(&f, f.location);
    CHECK_INT(fixture_call(&f, f.owner, "GET", RUN V, NULL), 200);
    CHECK_STR(fixture_text(&f, "properties.provisioningState"), "Creating");
    CHECK_STR(fixture_text(&f, "properties.instanceView.executionState"), "Pending");
    CHECK_STR(fixture_text(&f, "properties.source.script"), "true");
    CHECK_STR(fixture_text(&f, "type"), "Microsoft.HybridCompute/machines/runCommands");
    CHECK(!settle(&f, P_CREATING, X_RUNNING, 0));
    CHECK_STR(status_after(&f, status), "InProgress");
    CHECK(settle(&f, P_SUCCEEDED, X_FAILED, 3));
    CHECK_STR(status_after(&f, status), "Succeeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", result, NULL), 200);
    CHECK_STR(fixture_text(&f, "properties.provisioningState"), "Succeeded");
    CHECK_STR(fixture_text(&f, "properties.instanceView.executionState"), "Failed");
    CHECK_STR(fixture_text(&f, "properties.instanceView.output"), "out");
    fixture_drop(&f);
}

static void the_same_put_again_starts_nothing_but_after_a_failure(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    const char *status = moor_arena_str(&f.arena, moor_span_str(f.async));
    const char *first = row_of(&f).execution_id;
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    CHECK_STR(f.async, status);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY(",\"runAsUser\":\"bob\"")), 409);
    CHECK_STR(fixture_text(&f, "error.code"), "HCRP409");
    settle(&f, P_SUCCEEDED, X_SUCCEEDED, 0);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 200);
    CHECK_STR(row_of(&f).execution_id, first);
    CHECK_INT(fixture_call(&f, f.owner, "PATCH", RUN V, "{\"properties\":{\"runAsUser\":\"bob\"}}"),
              202);
    const char *second = row_of(&f).execution_id;
    CHECK(strcmp(first, second) != 0);
    settle(&f, P_FAILED, X_FAILED, 0);
    CHECK_STR(status_after(&f, fixture_path(&f, f.async)), "Failed");
    CHECK_STR(fixture_text(&f, "error.code"), "RunCommandFailed");
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY(",\"runAsUser\":\"bob\"")), 202);
    CHECK(strcmp(second, row_of(&f).execution_id) != 0);
    fixture_drop(&f);
}

static void a_delete_cancels_what_runs_and_is_done_when_the_machine_is(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", RUN V, NULL), 204);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    const char *put = fixture_path(&f, f.async);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", RUN V, NULL), 202);
    const char *status = fixture_path(&f, f.async);
    CHECK_STR(status_after(&f, put), "Canceled");
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", RUN V, NULL), 202);
    CHECK_STR(fixture_path(&f, f.async), status);
    CHECK_STR(status_after(&f, status), "InProgress");
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 409);
    CHECK(settle(&f, P_CANCELED, X_CANCELED, 0));
    CHECK_STR(status_after(&f, status), "Succeeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", RUN V, NULL), 404);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    settle(&f, P_SUCCEEDED, X_SUCCEEDED, 0);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", RUN V, NULL), 202);
    CHECK_STR(status_after(&f, fixture_path(&f, f.async)), "Succeeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", RUN V, NULL), 404);
    fixture_drop(&f);
}

static void a_report_about_an_earlier_execution_says_nothing(void)
{
    struct fixture f;
    struct moor_machine m;
    bool finished = true;
    const struct moor_run_command_report old = { .name = "patch",
                                                 .execution_id =
                                                     "00000000-0000-4000-8000-000000000000",
                                                 .provisioning = P_SUCCEEDED,
                                                 .execution = X_SUCCEEDED };
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    CHECK(moor_machine_by_vm_id(f.app.store, VM, &f.arena, &m, NULL) == MOOR_OK);
    CHECK(moor_run_command_settle(&f.app, &m, &old, &finished, &f.arena, NULL) == MOOR_OK);
    CHECK(!finished);
    CHECK_STR(status_after(&f, fixture_path(&f, f.async)), "InProgress");
    fixture_drop(&f);
}

static void the_desired_state_names_it_until_it_has_ended(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY(",\"runAsUser\":\"bob\"")), 202);
    struct moor_run_command row = row_of(&f);
    MOOR_AUTOPTR(moor_json) item = moor_desired_run_command(&row);
    CHECK_STR(moor_json_get_str(item, "executionId"), row.execution_id);
    CHECK_STR(moor_json_get_str(item, "state"), "run");
    CHECK_STR(moor_json_get_str(item, "runAsUser"), "bob");
    row.guarded.protect = MOOR_PROTECT_SEALED;
    CHECK(!moor_desired_run_command(&row));
    settle(&f, P_SUCCEEDED, X_SUCCEEDED, 0);
    row = row_of(&f);
    CHECK(!moor_desired_run_command(&row));
    fixture_drop(&f);
}

static void a_restored_control_plane_cancels_what_had_not_ended(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", RUN V, BODY("")), 202);
    const char *status = fixture_path(&f, f.async);
    CHECK(moor_restore_begin(f.app.store, NULL) == MOOR_OK);
    CHECK_STR(status_after(&f, status), "Canceled");
    CHECK_INT(fixture_call(&f, f.owner, "GET", RUN V, NULL), 200);
    CHECK_STR(fixture_text(&f, "properties.instanceView.executionState"), "Canceled");
    CHECK(!settle(&f, P_SUCCEEDED, X_SUCCEEDED, 0));
    fixture_drop(&f);
}

static void rights_and_limits_hold(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.reader, "PUT", RUN V, BODY("")), 403);
    for (unsigned i = 0; i < 65; i++) {
        const char *path = moor_arena_fmt(&f.arena, MACHINE "/runCommands/r%u" V, i);
        int status = fixture_call(&f, f.owner, "PUT", path, BODY(""));
        if (!CHECK_INT(status, i < 64 ? 202 : 409))
            printf("# %u\n", i);
    }
    CHECK_STR(fixture_text(&f, "error.code"), "RunCommandLimitExceeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", MACHINE "/runCommands" V, NULL), 200);
    CHECK_INT(moor_json_size(moor_json_get(f.body, "value")), 64);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", MACHINE V, NULL), 200);
    CHECK_INT(fixture_call(&f, f.owner, "GET", MACHINE "/runCommands/r1" V, NULL), 404);
    fixture_drop(&f);
}

CHECK_MAIN(CHECK_TEST(what_breaks_a_rule_is_refused_by_name_and_not_repeated),
           CHECK_TEST(defaults_are_filled_in_and_secrets_are_kept_apart),
           CHECK_TEST(writing_back_what_was_read_changes_nothing),
           CHECK_TEST(a_put_runs_until_the_agents_report_ends_it),
           CHECK_TEST(the_same_put_again_starts_nothing_but_after_a_failure),
           CHECK_TEST(a_delete_cancels_what_runs_and_is_done_when_the_machine_is),
           CHECK_TEST(a_report_about_an_earlier_execution_says_nothing),
           CHECK_TEST(the_desired_state_names_it_until_it_has_ended),
           CHECK_TEST(a_restored_control_plane_cancels_what_had_not_ended),
           CHECK_TEST(rights_and_limits_hold))
