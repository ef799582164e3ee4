/* SPDX-License-Identifier: Apache-2.0 */
/* An extension from its PUT to the report that ends it, over the real routes. */
#include "api/extensions.h"

#include "check.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "platform/clock.h"
#include "store/packages.h"
#include "unit/controlplane/api/fixture.h"

#define VM      "aaaaaaaa-1111-4111-8111-111111111111"
#define MACHINE FIX_MACHINE
#define EXT     MACHINE "/extensions/hello"
#define V       "?api-version=2024-07-10"
#define BODY(settings, more)                                                                       \
    "{\"location\":\"local\",\"properties\":{\"publisher\":\"P\",\"type\":\"T\","                  \
    "\"typeHandlerVersion\":\"1.0\",\"settings\":" settings more "}}"

static void start(struct fixture *f)
{
    const struct moor_package p = {
        .publisher = "P", .type = "T", .version = "1.0.3", .sha256 = "00"
    };
    fixture_make(f);
    CHECK(moor_package_add(f->app.store, &p, NULL) == MOOR_OK);
    fixture_machine(f, VM);
}

static struct moor_extension row_of(struct fixture *f)
{
    struct moor_extension e = { .name = NULL };
    CHECK(moor_extension_get(f->app.store, EXT, &f->arena, &e, NULL) == MOOR_OK);
    return e;
}

static void settle(struct fixture *f, uint64_t seq, const char *state, const char *message)
{
    struct moor_machine m;
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_extension_report r = { .name = "hello",
                                             .settings_seq = seq,
                                             .provisioning_state = state,
                                             .installed_version = "1.0.3",
                                             .error_code = "HandlerCommandFailed",
                                             .status_code = "0",
                                             .status_level = "Information",
                                             .status_message = message,
                                             .usage = { 1234, 5678 },
                                             .observed_ms = plat_utc_ms() };
    CHECK(moor_machine_by_vm_id(f->app.store, VM, &f->arena, &m, NULL) == MOOR_OK);
    if (!CHECK(moor_extension_settle(&f->app, &m, &r, &f->arena, &err) == MOOR_OK))
        printf("# %s\n", err.msg);
}

static int64_t number_at(struct fixture *f, const char *dotted)
{
    int64_t n = -1;
    CHECK(moor_json_int(moor_json_path(f->body, dotted), &n));
    return n;
}

static void what_a_handler_uses_is_in_the_instance_view(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{}", "")), 202);
    settle(&f, 1, "Succeeded", "hi");
    CHECK_INT(fixture_call(&f, f.owner, "GET", EXT V, NULL), 200);
    CHECK_INT(number_at(&f, "properties.instanceView.usage.cpuMilliseconds"), 1234);
    CHECK_INT(number_at(&f, "properties.instanceView.usage.memoryBytes"), 5678);
    fixture_drop(&f);
}

static void a_put_runs_until_the_agents_report_ends_it(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{\"a\":1}", "")), 202);
    CHECK(*f.async && *f.location && *f.retry_after);
    const char *status = fixture_path(&f, f.async), *result = fixture_path(&f, f.location);
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "InProgress");
    CHECK(*f.retry_after);
    CHECK_INT(fixture_call(&f, f.owner, "GET", result, NULL), 202);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{\"a\":2}", "")), 409);
    CHECK_STR(fixture_text(&f, "error.code"), "HCRP409");
    settle(&f, 1, "Updating", "working");
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "InProgress");
    settle(&f, 1, "Succeeded", "hi");
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "Succeeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", result, NULL), 200);
    CHECK_STR(fixture_text(&f, "properties.provisioningState"), "Succeeded");
    CHECK_STR(fixture_text(&f, "properties.typeHandlerVersion"), "1.0.3");
    CHECK_STR(fixture_text(&f, "properties.instanceView.status.message"), "hi");
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{\"a\":1}", "")), 200);
    fixture_drop(&f);
}

static void a_failure_is_the_operations_error_and_may_be_tried_again(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{}", "")), 202);
    const char *status = fixture_path(&f, f.async);
    settle(&f, 0, "Failed", "about older settings");
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "InProgress");
    settle(&f, 1, "Failed", "exit status 3");
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "Failed");
    CHECK_STR(fixture_text(&f, "error.code"), "HandlerCommandFailed");
    CHECK_STR(fixture_text(&f, "error.message"), "exit status 3");
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{}", "")), 202);
    CHECK_INT(row_of(&f).settings_seq, 2);
    fixture_drop(&f);
}

static void a_delete_ends_when_the_agent_says_it_is_gone(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", EXT V, NULL), 204);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{}", "")), 202);
    settle(&f, 1, "Succeeded", "ok");
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", EXT V, NULL), 202);
    const char *status = fixture_path(&f, f.async), *result = fixture_path(&f, f.location);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", EXT V, NULL), 202);
    CHECK_STR(fixture_path(&f, f.async), status);
    CHECK_INT(fixture_call(&f, f.owner, "GET", EXT V, NULL), 200);
    CHECK_STR(fixture_text(&f, "properties.provisioningState"), "Deleting");
    settle(&f, 1, "Deleted", "");
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "Succeeded");
    CHECK_INT(fixture_call(&f, f.owner, "GET", result, NULL), 204);
    CHECK_INT(fixture_call(&f, f.owner, "GET", EXT V, NULL), 404);
    fixture_drop(&f);
}

static void protected_settings_are_sealed_then_encrypted_and_never_shown(void)
{
    struct fixture f;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) shown = MOOR_BUF(64u << 10);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_machine m;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V,
                           BODY("{}", ",\"protectedSettings\":{\"k\":\"hunter2\"}")),
              202);
    CHECK_INT(row_of(&f).guarded.protect, MOOR_PROTECT_SEALED);
    const struct moor_cert_spec spec = { .common_name = "settings",
                                         .not_after_ms = plat_utc_ms() + 1000000,
                                         .key_encipherment = true };
    struct moor_cert_spec full = spec;
    CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &key, NULL) == MOOR_OK);
    full.subject = full.issuer_key = key;
    CHECK(moor_cert_make(&full, &cert, NULL) == MOOR_OK);
    CHECK(moor_cert_to_pem(cert, &pem, NULL) == MOOR_OK);
    CHECK(moor_machine_set_settings_cert(f.app.store, VM, moor_buf_cstr(&pem), NULL) == MOOR_OK);
    CHECK(moor_machine_by_vm_id(f.app.store, VM, &f.arena, &m, NULL) == MOOR_OK);
    CHECK(moor_extension_protect_all(&f.app, &m, NULL) == MOOR_OK);
    struct moor_extension e = row_of(&f);
    CHECK_INT(e.guarded.protect, MOOR_PROTECT_CMS);
    CHECK(strlen(e.guarded.thumbprint) == 40);
    CHECK(moor_cms_decrypt(cert, key, e.guarded.blob, &clear, NULL) == MOOR_OK);
    CHECK_STR(moor_secret_reveal(&clear).p, "{\"k\":\"hunter2\"}");
    settle(&f, 1, "Succeeded", "ok");
    CHECK_INT(fixture_call(&f, f.owner, "GET", EXT V, NULL), 200);
    moor_buf_json(&shown, f.body);
    CHECK(!strstr(moor_buf_cstr(&shown), "hunter2") &&
          !strstr(moor_buf_cstr(&shown), "protectedSettings"));
    /* The same secret again keeps the ciphertext; another one is new work. */
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V,
                           BODY("{}", ",\"protectedSettings\":{\"k\":\"hunter2\"}")),
              200);
    CHECK(moor_span_eq(row_of(&f).guarded.blob, e.guarded.blob));
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V,
                           BODY("{}", ",\"protectedSettings\":{\"k\":\"hunter3\"}")),
              202);
    CHECK_INT(row_of(&f).settings_seq, 2);
    fixture_drop(&f);
}

static void a_version_nobody_published_fails_at_once(void)
{
    struct fixture f;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V,
                           "{\"properties\":{\"publisher\":\"P\",\"type\":\"T\","
                           "\"typeHandlerVersion\":\"9.0\"}}"),
              404);
    CHECK_STR(fixture_text(&f, "error.code"), "ArtifactNotFound");
    CHECK_INT(fixture_call(&f, f.owner, "GET", EXT V, NULL), 404);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", MACHINE "x/extensions/e" V, BODY("{}", "")), 404);
    CHECK_STR(fixture_text(&f, "error.code"), "ParentResourceNotFound");
    fixture_drop(&f);
}

static void deleting_the_group_ends_everything_in_it(void)
{
    struct fixture f;
    struct moor_machine m;
    start(&f);
    CHECK_INT(fixture_call(&f, f.owner, "PUT", EXT V, BODY("{}", "")), 202);
    const char *status = fixture_path(&f, f.async);
    CHECK_INT(fixture_call(&f, f.owner, "DELETE", FIX_GROUP V, NULL), 202);
    CHECK_INT(fixture_call(&f, f.owner, "GET", fixture_path(&f, f.location), NULL), 200);
    CHECK_INT(fixture_call(&f, f.owner, "GET", status, NULL), 200);
    CHECK_STR(fixture_text(&f, "status"), "Canceled");
    CHECK(moor_machine_by_resource(f.app.store, MACHINE, &f.arena, &m, NULL) == MOOR_E_NOTFOUND);
    fixture_drop(&f);
}

CHECK_MAIN(CHECK_TEST(a_put_runs_until_the_agents_report_ends_it),
           CHECK_TEST(what_a_handler_uses_is_in_the_instance_view),
           CHECK_TEST(a_failure_is_the_operations_error_and_may_be_tried_again),
           CHECK_TEST(a_delete_ends_when_the_agent_says_it_is_gone),
           CHECK_TEST(protected_settings_are_sealed_then_encrypted_and_never_shown),
           CHECK_TEST(a_version_nobody_published_fails_at_once),
           CHECK_TEST(deleting_the_group_ends_everything_in_it))
