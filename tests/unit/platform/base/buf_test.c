/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "check.h"

static void text_grows_piece_by_piece(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    CHECK_STR(moor_buf_cstr(&b), "");
    for (int i = 0; i < 200; i++) {
        moor_buf_str(&b, "ab");
        moor_buf_char(&b, 'c');
        moor_buf_span(&b, MOOR_SPAN_LIT("d"));
        moor_buf_fmt(&b, "%03d", i);
        moor_buf_add(&b, "\n", 1);
    }
    CHECK_INT(b.len, 200 * 8);
    CHECK(moor_span_ends(moor_buf_view(&b), "abcd199\n"));
    CHECK_INT(moor_buf_ok(&b, "text", NULL), MOOR_OK);
    moor_buf_str(&b, NULL);
    CHECK_INT(b.len, 200 * 8);
}

static void limit_is_exact_and_reported_by_name(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(5);
    moor_buf_str(&b, "12345");
    CHECK_INT(moor_buf_ok(&b, "x", NULL), MOOR_OK);
    CHECK(b.cap <= 6 || b.cap == 64);
    moor_buf_char(&b, '6');
    CHECK(b.failed && b.data == NULL && b.len == 0);
    moor_buf_str(&b, "1");
    CHECK_STR(moor_buf_cstr(&b), "");
    struct moor_error err = MOOR_ERROR_INIT;
    char *out = NULL;
    CHECK_INT(moor_buf_take(&b, "request body", &out, &err), MOOR_E_NOMEM);
    CHECK_STR(err.msg, "request body: over the limit of 5 bytes, or out of memory");
    CHECK(out == NULL);
    moor_buf_reset(&b);
    moor_buf_str(&b, "ok");
    CHECK_STR(moor_buf_cstr(&b), "ok");
}

static void unlimited_buffer_survives_absurd_lengths(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SIZE_MAX);
    moor_buf_str(&b, "x");
    CHECK(moor_buf_room(&b, SIZE_MAX) == NULL);
    CHECK(b.failed);
    moor_buf_reset(&b);
    CHECK(moor_buf_room(&b, SIZE_MAX / 2) == NULL);
    MOOR_AUTO(moor_buf) none = MOOR_BUF(0);
    moor_buf_str(&none, "");
    CHECK(!none.failed);
    moor_buf_char(&none, 'x');
    CHECK(none.failed);
}

static void take_gives_a_text_even_when_empty(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(10);
    MOOR_AUTOSTR empty = NULL;
    CHECK_INT(moor_buf_take(&b, "x", &empty, NULL), MOOR_OK);
    CHECK_STR(empty, "");
    moor_buf_str(&b, "abc");
    MOOR_AUTOSTR abc = NULL;
    CHECK_INT(moor_buf_take(&b, "x", &abc, NULL), MOOR_OK);
    CHECK_STR(abc, "abc");
    CHECK(b.data == NULL && b.len == 0);
    moor_buf_str(&b, "again");
    CHECK_STR(moor_buf_cstr(&b), "again");
}

static void room_is_filled_by_the_caller(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(300);
    for (char c = 'a'; c < 'd'; c++) {
        char *p = moor_buf_room(&b, 100);
        if (!CHECK(p != NULL))
            return;
        memset(p, c, 100);
        moor_buf_grew(&b, 99);
    }
    CHECK_INT(b.len, 297);
    CHECK_INT(strlen(moor_buf_cstr(&b)), 297);
}

static void cut_and_eat_take_bytes_off_the_ends(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(100);
    moor_buf_cut(&b, 0);
    moor_buf_eat(&b, 3);
    moor_buf_str(&b, "0123456789");
    moor_buf_cut(&b, 8);
    moor_buf_eat(&b, 2);
    CHECK_STR(moor_buf_cstr(&b), "234567");
    CHECK_INT(b.data[7], 0);
    moor_buf_cut(&b, 100);
    CHECK_INT(b.len, 6);
    moor_buf_eat(&b, 7);
    CHECK_STR(moor_buf_cstr(&b), "");
    for (int i = 0; i < 100; i++)
        moor_buf_char(&b, 's');
    CHECK_INT(b.len, 100);
}

static void encoders_append_their_form(void)
{
    static const struct {
        void (*fn)(struct moor_buf *, struct moor_span);
        struct moor_span in;
        const char *want;
    } rows[] = {
        { moor_buf_json_str, MOOR_SPAN_LIT(""), "\"\"" },
        { moor_buf_json_str, MOOR_SPAN_LIT("a\"\\/\b\f\n\r\t\x01\x7f"),
          "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\"" },
        { moor_buf_json_str, MOOR_SPAN_LIT("\xe2\x82\xac\xff\xc3z"),
          "\"\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbdz\"" },
        { moor_buf_json_str, MOOR_SPAN_LIT("\0"), "\"\\u0000\"" },
        { moor_buf_url_part, MOOR_SPAN_LIT("aZ09-._~ /%+&=\xc3\xbc"),
          "aZ09-._~%20%2F%25%2B%26%3D%C3%BC" },
        { moor_buf_url_part, MOOR_SPAN_LIT("\0"), "%00" },
        { moor_buf_base64, MOOR_SPAN_LIT(""), "" },
        { moor_buf_base64, MOOR_SPAN_LIT("f"), "Zg==" },
        { moor_buf_base64, MOOR_SPAN_LIT("fo"), "Zm8=" },
        { moor_buf_base64, MOOR_SPAN_LIT("foo"), "Zm9v" },
        { moor_buf_base64, MOOR_SPAN_LIT("foobar"), "Zm9vYmFy" },
        { moor_buf_base64, MOOR_SPAN_LIT("\xfb\xff\xfe"), "+//+" },
        { moor_buf_base64url, MOOR_SPAN_LIT("\xfb\xff\xfe"), "-__-" },
        { moor_buf_base64url, MOOR_SPAN_LIT("f"), "Zg" },
        { moor_buf_base64url, MOOR_SPAN_LIT("fo"), "Zm8" },
        { moor_buf_hex, MOOR_SPAN_LIT("\x00\x9f\xff"), "009fff" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
        rows[i].fn(&b, rows[i].in);
        CHECK_STR(moor_buf_cstr(&b), rows[i].want);
    }
}
/* Blocks of plain bytes are copied together: what is not plain may stand anywhere in one. */
static void a_json_string_is_the_same_wherever_its_bytes_stand(void)
{
    static const struct {
        const char *in, *out;
    } odd[] = { { "\"", "\\\"" },
                { "\x1f", "\\u001f" },
                { "\xc3\xbc", "\xc3\xbc" },
                { "\x80", "\xef\xbf\xbd" } };
    char text[600];
    for (size_t i = 0; i < MOOR_COUNTOF(odd); i++) {
        for (size_t at = 0; at < 300; at++) {
            size_t n = strlen(odd[i].in), m = strlen(odd[i].out), rest = at * 7 % 290;
            MOOR_AUTO(moor_buf) b = MOOR_BUF(1000);
            memset(text, 'p', sizeof(text));
            memcpy(text + at, odd[i].in, n);
            moor_buf_json_str(&b, (struct moor_span){ text, at + n + rest });
            CHECK_INT(b.len, at + m + rest + 2);
            CHECK(memcmp(b.data + 1 + at, odd[i].out, m) == 0);
            CHECK(b.data[0] == '"' && b.data[at] == (at ? 'p' : '"') && b.data[b.len - 1] == '"');
        }
    }
}

CHECK_MAIN(CHECK_TEST(text_grows_piece_by_piece), CHECK_TEST(limit_is_exact_and_reported_by_name),
           CHECK_TEST(unlimited_buffer_survives_absurd_lengths),
           CHECK_TEST(take_gives_a_text_even_when_empty), CHECK_TEST(room_is_filled_by_the_caller),
           CHECK_TEST(cut_and_eat_take_bytes_off_the_ends), CHECK_TEST(encoders_append_their_form),
           CHECK_TEST(a_json_string_is_the_same_wherever_its_bytes_stand))
