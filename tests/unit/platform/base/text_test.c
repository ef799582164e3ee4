/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "check.h"

static void whole_numbers_are_read_whole_or_refused(void)
{
    static const struct {
        const char *in;
        uint64_t min, max;
        bool ok;
        uint64_t want;
    } rows[] = {
        { "0", 0, UINT64_MAX, true, 0 },
        { "007", 0, 10, true, 7 },
        { "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", 0, UINT64_MAX, false, 0 },
        { "99999999999999999999", 0, UINT64_MAX, false, 0 },
        { "30", 30, 86400, true, 30 },
        { "86400", 30, 86400, true, 86400 },
        { "29", 30, 86400, false, 0 },
        { "86401", 30, 86400, false, 0 },
        { "", 0, 10, false, 0 },
        { "-1", 0, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { "1e1", 0, 10, false, 0 },
        { "\xd9\xa1", 0, 10, false, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        uint64_t v = 42;
        moor_code c = moor_parse_u64(moor_span_str(rows[i].in), rows[i].min, rows[i].max, &v, NULL);
        CHECK_INT(c, rows[i].ok ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK(v == (rows[i].ok ? rows[i].want : 42));
    }
    uint64_t v = 42;
    CHECK_INT(moor_parse_u64(MOOR_SPAN_LIT("1\0"), 0, 10, &v, NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_parse_u64(MOOR_SPAN_NONE, 0, 10, &v, NULL), MOOR_E_BADINPUT);
}

static void narrow_numbers_keep_their_range(void)
{
    uint32_t v = 42;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_parse_u32(MOOR_SPAN_LIT("4294967295"), 0, UINT32_MAX, &v, &err), MOOR_OK);
    CHECK_INT(v, UINT32_MAX);
    CHECK_INT(moor_parse_u32(MOOR_SPAN_LIT("4294967296"), 0, UINT32_MAX, &v, &err),
              MOOR_E_BADINPUT);
    CHECK_INT(moor_parse_u32(MOOR_SPAN_LIT("secret"), 30, 86400, &v, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "want a whole number 30..86400");
    CHECK_INT(v, UINT32_MAX);
}

static void signed_numbers_reach_both_ends(void)
{
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "-1", true, -1 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "--1", false, 0 },
        { "+1", false, 0 },
        { "-", false, 0 },
        { "", false, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        int64_t v = 42;
        moor_code c = moor_parse_i64(moor_span_str(rows[i].in), INT64_MIN, INT64_MAX, &v, NULL);
        CHECK_INT(c, rows[i].ok ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK(v == (rows[i].ok ? rows[i].want : 42));
    }
    int64_t v = 0;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_parse_i64(MOOR_SPAN_LIT("6"), -5, 5, &v, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "want a whole number -5..5");
}

typedef moor_code decoder(struct moor_span, struct moor_buf *, struct moor_error *);

struct decode_row {
    struct moor_span in;
    const char *want; /* hexadecimal; NULL: refused */
};

static void check_decoder(decoder *decode, const struct decode_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(64);
        moor_buf_str(&out, "kept");
        moor_code c = decode(rows[i].in, &out, NULL);
        CHECK_INT(c, rows[i].want ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK(moor_span_starts(moor_buf_view(&out), "kept"));
        CHECK(rows[i].want || out.len == 4);
        CHECK_INT(moor_buf_cstr(&out)[out.len], 0);
        moor_buf_eat(&out, 4);
        MOOR_AUTO(moor_buf) hex = MOOR_BUF(128);
        moor_buf_hex(&hex, moor_buf_view(&out));
        CHECK_STR(moor_buf_cstr(&hex), rows[i].want ? rows[i].want : "");
    }
}

static void base64_is_read_in_its_one_form(void)
{
    static const struct decode_row rows[] = {
        { MOOR_SPAN_LIT(""), "" },
        { MOOR_SPAN_LIT("Zg=="), "66" },
        { MOOR_SPAN_LIT("Zm8="), "666f" },
        { MOOR_SPAN_LIT("Zm9v"), "666f6f" },
        { MOOR_SPAN_LIT("Zm9vYg=="), "666f6f62" },
        { MOOR_SPAN_LIT("+//+"), "fbfffe" },
        { MOOR_SPAN_LIT("Zh=="), NULL }, /* bits behind the last byte */
        { MOOR_SPAN_LIT("Zm9="), NULL },
        { MOOR_SPAN_LIT("Zg"), NULL },
        { MOOR_SPAN_LIT("Zg="), NULL },
        { MOOR_SPAN_LIT("Z==="), NULL },
        { MOOR_SPAN_LIT("===="), NULL },
        { MOOR_SPAN_LIT("="), NULL },
        { MOOR_SPAN_LIT("Zg==Zg=="), NULL },
        { MOOR_SPAN_LIT("Zm9v\n"), NULL },
        { MOOR_SPAN_LIT("Zm 9"), NULL },
        { MOOR_SPAN_LIT("-__-"), NULL },
        { MOOR_SPAN_LIT("Zm9\0"), NULL },
        { MOOR_SPAN_LIT("Zm9\xff"), NULL },
    };
    check_decoder(moor_base64_decode, rows, MOOR_COUNTOF(rows));
}

static void base64url_is_read_without_padding(void)
{
    static const struct decode_row rows[] = {
        { MOOR_SPAN_LIT(""), "" },        { MOOR_SPAN_LIT("Zg"), "66" },
        { MOOR_SPAN_LIT("Zm8"), "666f" }, { MOOR_SPAN_LIT("-__-"), "fbfffe" },
        { MOOR_SPAN_LIT("Zg=="), NULL },  { MOOR_SPAN_LIT("Zh"), NULL },
        { MOOR_SPAN_LIT("Zm9"), NULL },   { MOOR_SPAN_LIT("Z"), NULL },
        { MOOR_SPAN_LIT("+//+"), NULL },  { MOOR_SPAN_LIT("Zm9vZ"), NULL },
    };
    check_decoder(moor_base64url_decode, rows, MOOR_COUNTOF(rows));
}

static void hexadecimal_is_read_in_pairs(void)
{
    static const struct decode_row rows[] = {
        { MOOR_SPAN_LIT(""), "" },     { MOOR_SPAN_LIT("00fFAb"), "00ffab" },
        { MOOR_SPAN_LIT("0"), NULL },  { MOOR_SPAN_LIT("0g"), NULL },
        { MOOR_SPAN_LIT("0x"), NULL }, { MOOR_SPAN_LIT("00 1"), NULL },
    };
    check_decoder(moor_hex_decode, rows, MOOR_COUNTOF(rows));
}

static moor_code percent_path(struct moor_span s, struct moor_buf *out, struct moor_error *err)
{
    return moor_percent_decode(s, false, out, err);
}

static moor_code percent_form(struct moor_span s, struct moor_buf *out, struct moor_error *err)
{
    return moor_percent_decode(s, true, out, err);
}

static void percent_codes_are_decoded_or_refused(void)
{
    static const struct decode_row path[] = {
        { MOOR_SPAN_LIT("a%2Fb+%c3%BC"), "612f622bc3bc" },
        { MOOR_SPAN_LIT("%"), NULL },
        { MOOR_SPAN_LIT("a%2"), NULL },
        { MOOR_SPAN_LIT("%zz"), NULL },
        { MOOR_SPAN_LIT("%00"), NULL },
        { MOOR_SPAN_LIT("%%41"), NULL },
    };
    static const struct decode_row form[] = {
        { MOOR_SPAN_LIT("a+b%2B"), "6120622b" },
    };
    check_decoder(percent_path, path, MOOR_COUNTOF(path));
    check_decoder(percent_form, form, MOOR_COUNTOF(form));
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) out = MOOR_BUF(64);
    CHECK_INT(moor_percent_decode(MOOR_SPAN_LIT("%"), false, &out, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "want percent codes %01..%FF");
}

static void decoders_obey_the_limit_of_their_buffer(void)
{
    static decoder *const decoders[] = { moor_base64_decode, moor_base64url_decode, moor_hex_decode,
                                         percent_path };
    for (size_t i = 0; i < MOOR_COUNTOF(decoders); i++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(2);
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(decoders[i](MOOR_SPAN_LIT("00000000"), &out, &err), MOOR_E_NOMEM);
        CHECK(strstr(err.msg, "over the limit of 2 bytes") != NULL);
    }
}

static void every_byte_survives_each_coding(void)
{
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    static const struct {
        void (*encode)(struct moor_buf *, struct moor_span);
        decoder *decode;
    } pairs[] = {
        { moor_buf_base64, moor_base64_decode },
        { moor_buf_base64url, moor_base64url_decode },
        { moor_buf_hex, moor_hex_decode },
    };
    for (size_t n = 0; n < sizeof all; n++) {
        for (size_t i = 0; i < MOOR_COUNTOF(pairs); i++) {
            MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
            MOOR_AUTO(moor_buf) back = MOOR_BUF(1024);
            pairs[i].encode(&text, moor_span(all + n, sizeof all - n));
            CHECK_INT(pairs[i].decode(moor_buf_view(&text), &back, NULL), MOOR_OK);
            CHECK(moor_span_eq(moor_buf_view(&back), moor_span(all + n, sizeof all - n)));
        }
    }
}

static void utf8_sequences_are_well_formed_or_not(void)
{
    static const struct {
        struct moor_span in;
        size_t len;
    } rows[] = {
        { MOOR_SPAN_LIT(""), 0 },
        { MOOR_SPAN_LIT("a"), 1 },
        { MOOR_SPAN_LIT("\0"), 1 },
        { MOOR_SPAN_LIT("\x7f"), 1 },
        { MOOR_SPAN_LIT("\xc2\x80"), 2 },
        { MOOR_SPAN_LIT("\xdf\xbf"), 2 },
        { MOOR_SPAN_LIT("\xe0\xa0\x80"), 3 },
        { MOOR_SPAN_LIT("\xed\x9f\xbf"), 3 },
        { MOOR_SPAN_LIT("\xee\x80\x80"), 3 },
        { MOOR_SPAN_LIT("\xef\xbf\xbf"), 3 },
        { MOOR_SPAN_LIT("\xf0\x90\x80\x80"), 4 },
        { MOOR_SPAN_LIT("\xf4\x8f\xbf\xbf"), 4 },
        { MOOR_SPAN_LIT("\x80"), 0 },             /* continuation */
        { MOOR_SPAN_LIT("\xc0\x80"), 0 },         /* overlong NUL */
        { MOOR_SPAN_LIT("\xc1\xbf"), 0 },         /* overlong */
        { MOOR_SPAN_LIT("\xe0\x9f\xbf"), 0 },     /* overlong */
        { MOOR_SPAN_LIT("\xf0\x8f\xbf\xbf"), 0 }, /* overlong */
        { MOOR_SPAN_LIT("\xed\xa0\x80"), 0 },     /* surrogate */
        { MOOR_SPAN_LIT("\xed\xbf\xbf"), 0 },     /* surrogate */
        { MOOR_SPAN_LIT("\xf4\x90\x80\x80"), 0 }, /* above U+10FFFF */
        { MOOR_SPAN_LIT("\xf5\x80\x80\x80"), 0 },
        { MOOR_SPAN_LIT("\xff"), 0 },
        { MOOR_SPAN_LIT("\xc3"), 0 }, /* cut */
        { MOOR_SPAN_LIT("\xe2\x82"), 0 },
        { MOOR_SPAN_LIT("\xf0\x9f\x98"), 0 },
        { MOOR_SPAN_LIT("\xe2\x82\x41"), 0 }, /* wrong third byte */
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        CHECK_INT(moor_utf8_sequence(rows[i].in), rows[i].len);
        CHECK_INT(moor_utf8_valid(rows[i].in), rows[i].len > 0 || rows[i].in.n == 0);
    }
    CHECK(moor_utf8_valid(MOOR_SPAN_NONE));
    CHECK(!moor_utf8_valid(MOOR_SPAN_LIT("abc\xc3")));
}

/* Compares with the definition: encode every code point and see it taken exactly. */
static void every_code_point_is_one_sequence(void)
{
    size_t wrong = 0;
    for (uint32_t cp = 0x80; cp < 0x110000; cp++) {
        char s[4];
        size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
        s[0] = (char)(leads[n] | cp >> (6 * (n - 1)));
        for (size_t i = 1; i < n; i++)
            s[i] = (char)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3f));
        bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
        wrong += moor_utf8_sequence(moor_span(s, n)) != (surrogate ? 0 : n);
    }
    CHECK_INT(wrong, 0);
}

static void repair_replaces_what_is_ill_formed(void)
{
    static const struct {
        struct moor_span in;
        const char *want;
    } rows[] = {
        { MOOR_SPAN_LIT(""), "" },
        { MOOR_SPAN_LIT("\xe2\x82\xac ok"), "\xe2\x82\xac ok" },
        { MOOR_SPAN_LIT("a\xff"
                        "b\xe2\x82"),
          "a\xef\xbf\xbd"
          "b\xef\xbf\xbd\xef\xbf\xbd" },
        { MOOR_SPAN_LIT("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_buf) out = MOOR_BUF(64);
        moor_utf8_repair(&out, rows[i].in);
        CHECK_STR(moor_buf_cstr(&out), rows[i].want);
        CHECK(moor_utf8_valid(moor_buf_view(&out)));
    }
}

static void uuids_are_checked_lowered_and_made(void)
{
    CHECK(moor_uuid_valid(MOOR_SPAN_LIT("0a1B2c3D-0000-4000-8000-00000000000f")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_LIT("0a1b2c3d-0000-4000-8000-00000000000")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_LIT("0a1b2c3d-0000-4000-8000-00000000000ff")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_LIT("0a1b2c3d00000-4000-8000-00000000000f")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_LIT("0a1b2c3d-0000-4000-8000-00000000000g")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_LIT("0a1b2c3-d0000-4000-8000-00000000000f")));
    CHECK(!moor_uuid_valid(MOOR_SPAN_NONE));
    char text[MOOR_UUID_LEN + 1] = "ABCDEF00-0000-4000-8000-00000000000F";
    moor_uuid_lower(text);
    CHECK_STR(text, "abcdef00-0000-4000-8000-00000000000f");
    unsigned char bytes[16];
    memset(bytes, 0xff, sizeof bytes);
    moor_uuid_format(bytes, text);
    CHECK_STR(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    memset(bytes, 0, sizeof bytes);
    moor_uuid_format(bytes, text);
    CHECK_STR(text, "00000000-0000-4000-8000-000000000000");
}

static void versions_are_checked_and_ordered(void)
{
    static const struct {
        const char *in;
        bool valid;
    } rows[] = {
        { "1", true },           { "1.2.3.4", true },    { "0.0", true },  { "999999999", true },
        { "1000000000", false }, { "1.2.3.4.5", false }, { "", false },    { "1.", false },
        { ".1", false },         { "1..2", false },      { "1.a", false }, { "1.-2", false },
        { "v1", false },         { "1.2 ", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++)
        CHECK_INT(moor_version_valid(moor_span_str(rows[i].in)), rows[i].valid);
    static const struct {
        const char *a, *b;
        int order;
    } pairs[] = {
        { "1", "1.0.0", 0 },
        { "1.2", "1.10", -1 },
        { "2", "1.9.9.9", 1 },
        { "1.0.1", "1", 1 },
        { "01.002", "1.2", 0 },
        { "", "0.0", 0 },
        { "1.0.0.0.1", "1", 1 },
        { "", "", 0 },
        { "10", "9", 1 },
        { "1.123456789012345678901234567890", "1.123456789012345678901234567891", -1 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(pairs); i++) {
        struct moor_span a = moor_span_str(pairs[i].a), b = moor_span_str(pairs[i].b);
        CHECK_INT(moor_version_cmp(a, b), pairs[i].order);
        CHECK_INT(moor_version_cmp(b, a), -pairs[i].order);
    }
}

CHECK_MAIN(
    CHECK_TEST(whole_numbers_are_read_whole_or_refused),
    CHECK_TEST(narrow_numbers_keep_their_range), CHECK_TEST(signed_numbers_reach_both_ends),
    CHECK_TEST(base64_is_read_in_its_one_form), CHECK_TEST(base64url_is_read_without_padding),
    CHECK_TEST(hexadecimal_is_read_in_pairs), CHECK_TEST(percent_codes_are_decoded_or_refused),
    CHECK_TEST(decoders_obey_the_limit_of_their_buffer),
    CHECK_TEST(every_byte_survives_each_coding), CHECK_TEST(utf8_sequences_are_well_formed_or_not),
    CHECK_TEST(every_code_point_is_one_sequence), CHECK_TEST(repair_replaces_what_is_ill_formed),
    CHECK_TEST(uuids_are_checked_lowered_and_made), CHECK_TEST(versions_are_checked_and_ordered))
