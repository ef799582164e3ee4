/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/hostcloud.h"

#include "rig.h"

#define BASE "http://imds"

struct bench {
    struct rig rig;
    struct moor_cloud_look *look;
    struct moor_host_cloud found;
    unsigned told;
};

static void on_found(void *ctx, const struct moor_host_cloud *found)
{
    struct bench *b = ctx;
    b->found = *found;
    b->told++;
}

static void start(struct bench *b, const struct plat_host *host)
{
    *b = (struct bench){ .told = 0 };
    rig_open(&b->rig);
    const struct moor_cloud_look_opts opts = {
        .loop = b->rig.loop, .http = &b->rig.http, .base = BASE, .done = on_found, .ctx = b
    };
    CHECK(moor_cloud_look_new(&opts, host, &b->look, NULL) == MOOR_OK);
}

static void turn(struct bench *b)
{
    fake_run(b->rig.loop, 1);
}

static void end(struct bench *b)
{
    moor_cloud_look_free(b->look);
    rig_close(&b->rig);
}

static const char *fact(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->found.fact_count; i++)
        if (moor_streq(b->found.facts[i].name, name))
            return b->found.facts[i].value;
    return NULL;
}

static void a_maker_of_servers_means_nobody_is_asked(void)
{
    struct bench b;
    start(&b, &(struct plat_host){ .manufacturer = "Dell Inc." });
    CHECK_INT(b.rig.sent, 0);
    turn(&b);
    CHECK_INT(b.told, 1);
    CHECK_STR(b.found.provider, "");
    end(&b);
}

static void a_cloud_the_firmware_names_is_the_only_one_asked(void)
{
    struct bench b;
    start(&b, &(struct plat_host){ .manufacturer = "Amazon EC2" });
    CHECK_INT(b.rig.sent, 1);
    CHECK(rig_answer(&b.rig, "/latest/api/token", 200, "TOKEN"));
    CHECK(rig_answer(&b.rig, "/latest/dynamic/instance-identity/document", 200,
                     "{\"accountId\":\"123456789012\",\"instanceId\":\"i-0abc\","
                     "\"region\":\"eu-west-1\",\"other\":7}"));
    turn(&b);
    CHECK_INT(b.told, 1);
    CHECK_STR(b.found.provider, "AWS");
    CHECK_STR(fact(&b, "awsAccountId"), "123456789012");
    CHECK_STR(fact(&b, "awsInstanceId"), "i-0abc");
    CHECK_STR(fact(&b, "awsRegion"), "eu-west-1");
    end(&b);
}

static void without_a_sign_all_are_asked_at_once(void)
{
    struct bench b;
    start(&b, &(struct plat_host){ .manufacturer = "QEMU" });
    CHECK_INT(b.rig.sent, 4);
    CHECK(rig_answer(&b.rig, "/metadata/instance/compute", 404, "no"));
    CHECK(rig_answer(&b.rig, "/latest/api/token", 0, NULL));
    CHECK(rig_answer(&b.rig, "/computeMetadata/", 200, "1234")); /* says not that it is Google */
    CHECK(rig_answer(&b.rig, "/opc/v2/instance/id", 404, ""));
    turn(&b);
    CHECK_INT(b.told, 1);
    CHECK_STR(b.found.provider, "");
    end(&b);
}

static void after_two_seconds_it_is_over(void)
{
    struct bench b;
    start(&b, &(struct plat_host){ .model = "Google Compute Engine" });
    fake_run(b.rig.loop, MOOR_CLOUD_LOOK_MS - 1);
    CHECK_INT(b.told, 0);
    fake_run(b.rig.loop, 1);
    CHECK_INT(b.told, 1);
    CHECK_STR(b.found.provider, "GCP"); /* the firmware's word is enough */
    CHECK_INT(b.rig.cancelled, 1);
    end(&b);
}

static void azure_must_say_so_itself(void)
{
    struct bench b;
    const struct plat_host host = { .asset_tag = "7783-7084-3265-9085-8269-3286-77" };
    start(&b, &host);
    CHECK_INT(b.rig.sent, 1);
    CHECK(rig_answer(&b.rig, "/metadata/instance/compute", 404, "{}"));
    turn(&b);
    CHECK_STR(b.found.provider, "");
    end(&b);
    start(&b, &host);
    CHECK(rig_answer(&b.rig, "/metadata/instance/compute", 200, "{\"vmId\":\"1\"}"));
    turn(&b);
    CHECK_STR(b.found.provider, "Azure");
    end(&b);
}

static void strange_answers_are_no_facts(void)
{
    struct bench b;
    char body[2048] = "{\"region\":\"";
    memset(body + strlen(body), 'x', 1000);
    memcpy(body + 1011, "\",\"accountId\":7,\"instanceId\":\"a\\nb\"}", 36);
    start(&b, &(struct plat_host){ .manufacturer = "Amazon EC2" });
    CHECK(rig_answer(&b.rig, "/latest/api/token", 200, "TOKEN"));
    CHECK(rig_answer(&b.rig, "/latest/dynamic/", 200, body));
    turn(&b);
    CHECK_INT(b.found.fact_count, 0);
    end(&b);
}

static void a_look_can_be_given_up(void)
{
    struct bench b;
    start(&b, &(struct plat_host){ .manufacturer = "" });
    moor_cloud_look_free(b.look);
    CHECK_INT(b.rig.cancelled, 4);
    CHECK_INT(b.told, 0);
    rig_close(&b.rig);
}

RIG_MAIN(CHECK_TEST(a_maker_of_servers_means_nobody_is_asked),
         CHECK_TEST(a_cloud_the_firmware_names_is_the_only_one_asked),
         CHECK_TEST(without_a_sign_all_are_asked_at_once), CHECK_TEST(after_two_seconds_it_is_over),
         CHECK_TEST(azure_must_say_so_itself), CHECK_TEST(strange_answers_are_no_facts),
         CHECK_TEST(a_look_can_be_given_up))
