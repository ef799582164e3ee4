/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken out of text that leaves the machine. */
#include "check.h"
#include "cli/known_secrets.h"
#include "cli/redact.h"

#define CANARY "C4nary+\"value\"/with ~all&kinds?"

static const char *redacted(const struct moor_redactor *r, struct moor_span in,
                            struct moor_buf *out)
{
    moor_buf_reset(out);
    CHECK_INT(moor_redact(r, in, out, NULL), MOOR_OK);
    return moor_buf_cstr(out);
}

static void known_values_go_in_every_form(void)
{
    MOOR_AUTOPTR(moor_redactor) r = NULL;
    MOOR_AUTO(moor_buf) out = MOOR_BUF(65536);
    CHECK_INT(moor_redactor_new(&r, NULL), MOOR_OK);
    moor_redactor_add(r, MOOR_SPAN_LIT(CANARY));
    CHECK_STR(redacted(r, MOOR_SPAN_LIT("a " CANARY " b"), &out), "a [removed] b");
    for (size_t shift = 0; shift < 7; shift++) {
        MOOR_AUTO(moor_buf) clear = MOOR_BUF(256);
        MOOR_AUTO(moor_buf) coded = MOOR_BUF(1024);
        moor_buf_add(&clear, "prefix-", shift);
        moor_buf_str(&clear, CANARY);
        moor_buf_str(&clear, "suffix");
        moor_buf_base64(&coded, moor_buf_view(&clear));
        moor_buf_char(&coded, ' ');
        moor_buf_base64url(&coded, moor_buf_view(&clear));
        const char *text = redacted(r, moor_buf_view(&coded), &out);
        const char *first = strstr(text, MOOR_REDACTED);
        CHECK(first && strstr(first + 1, MOOR_REDACTED));
        CHECK(strlen(text) < 60);
    }
    MOOR_AUTO(moor_buf) url = MOOR_BUF(1024);
    moor_buf_url_part(&url, MOOR_SPAN_LIT(CANARY));
    CHECK_STR(redacted(r, moor_buf_view(&url), &out), "[removed]");
    MOOR_AUTO(moor_buf) json = MOOR_BUF(1024);
    moor_buf_json_str(&json, MOOR_SPAN_LIT(CANARY));
    CHECK_STR(redacted(r, moor_buf_view(&json), &out), "\"[removed]\"");
    MOOR_AUTO(moor_buf) nested = MOOR_BUF(1024);
    moor_buf_json_str(&nested, moor_buf_view(&json));
    CHECK(!strstr(redacted(r, moor_buf_view(&nested), &out), "nary"));
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(1024);
    moor_buf_hex(&hex, MOOR_SPAN_LIT(CANARY));
    CHECK_STR(redacted(r, moor_buf_view(&hex), &out), "[removed]");
}

static void text_of_two_bytes_a_character_is_read_too(void)
{
    MOOR_AUTOPTR(moor_redactor) r = NULL;
    CHECK_INT(moor_redactor_new(&r, NULL), MOOR_OK);
    moor_redactor_add(r, MOOR_SPAN_LIT("canary-value"));
    for (int big = 0; big < 2; big++) {
        MOOR_AUTO(moor_buf) wide = MOOR_BUF(1024);
        MOOR_AUTO(moor_buf) mixed = MOOR_BUF(4096);
        MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
        for (const char *p = "is canary-value"; *p; p++)
            moor_buf_add(&wide, big ? (char[]){ '\0', *p } : (char[]){ *p, '\0' }, 2);
        CHECK_STR(redacted(r, moor_buf_view(&wide), &out), "is [removed]");
        /* A few such bytes in other text. */
        for (int i = 0; i < 100; i++)
            moor_buf_str(&mixed, "plain text ");
        moor_buf_span(&mixed, moor_buf_view(&wide));
        CHECK_INT(moor_redact(r, moor_buf_view(&mixed), (moor_buf_reset(&out), &out), NULL),
                  MOOR_OK);
        CHECK(memcmp(out.data + out.len - 9, MOOR_REDACTED, 9) == 0 ||
              memcmp(out.data + out.len - 10, MOOR_REDACTED, 9) == 0);
    }
}

static void what_looks_like_a_secret_goes_whatever_its_value(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJS.eyJhdWQiOi.c2ln end", "Bearer [removed] end" },
        { "x=eyJ0eXAiOiJKV1QiLCJhbGciOiJS.eyJhdWQiOi.c2ln&y=1", "x=[removed]&y=1" },
        { "eyJshort", "eyJshort" },
        { "Authorization: Basic dXNlcjpwYXNz", "Authorization: [removed]" },
        { "https://user:pw@host/path", "https://[removed]@host/path" },
        { "https://host/path@x", "https://host/path@x" },
        { "https://h/c?sv=1&sig=abc%2B&se=2", "https://h/c?sv=1&sig=[removed]&se=2" },
        { "{\"clientSecret\": \"a b\", \"x\": 1}", "{\"clientSecret\": \"[removed]\", \"x\": 1}" },
        { "{\\\"password\\\":\\\"p\\\"}", "{\\\"password\\\":\\\"[removed]\"}" },
        { "tool --password hunter2 --user bob", "tool --password [removed] --user bob" },
        { "DB_PASSWORD=hunter2", "DB_PASSWORD=[removed]" },
        { "AccountKey=abc==;Endpoint=x", "AccountKey=[removed];Endpoint=x" },
        { "the password was wrong", "the password was wrong" },
        { "token_type: Bearer", "token_type: Bearer" },
        { "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b",
          "a [removed] b" },
        { "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
          "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----" },
        { "-----BEGIN PRIVATE KEY-----\nMII", "[removed]" },
    };
    MOOR_AUTOPTR(moor_redactor) r = NULL;
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    CHECK_INT(moor_redactor_new(&r, NULL), MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        CHECK_STR(redacted(r, moor_span_str(cases[i].in), &out), cases[i].out);
}

static void a_known_value_behind_a_name_goes_to_its_end(void)
{
    MOOR_AUTOPTR(moor_redactor) r = NULL;
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    CHECK_INT(moor_redactor_new(&r, NULL), MOOR_OK);
    moor_redactor_add(r, MOOR_SPAN_LIT("two words and more"));
    CHECK_STR(redacted(r, MOOR_SPAN_LIT("password=two words and more!"), &out),
              "password=[removed]!");
}

static void protected_settings_give_their_texts_and_longer_words(void)
{
    MOOR_AUTOPTR(moor_redactor) r = NULL;
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    CHECK_INT(moor_redactor_new(&r, NULL), MOOR_OK);
    moor_known_secrets_json(
        r, MOOR_SPAN_LIT("{\"a\":[{\"cmd\":\"run --key=Canary123 x\"}],\"b\":\"canaryvalue\"}"));
    CHECK_STR(redacted(r, MOOR_SPAN_LIT("x Canary123 canaryvalue cmd"), &out),
              "x [removed] [removed] cmd");
}

CHECK_MAIN(CHECK_TEST(known_values_go_in_every_form),
           CHECK_TEST(text_of_two_bytes_a_character_is_read_too),
           CHECK_TEST(what_looks_like_a_secret_goes_whatever_its_value),
           CHECK_TEST(a_known_value_behind_a_name_goes_to_its_end),
           CHECK_TEST(protected_settings_give_their_texts_and_longer_words))
