/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include "base/buf.h"

#include "check.h"

/* FIPS 180-4 examples and NIST CAVS SHA256ShortMsg vectors. */
static void published_digests_are_met(void)
{
    static const struct {
        struct moor_span in;
        const char *hex;
    } rows[] = {
        { MOOR_SPAN_LIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { MOOR_SPAN_LIT("abc"),
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { MOOR_SPAN_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { MOOR_SPAN_LIT("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                        "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
        { MOOR_SPAN_LIT("\xd3"),
          "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1" },
        { MOOR_SPAN_LIT("\x11\xaf"),
          "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        char hex[65];
        moor_sha256_hex(rows[i].in, hex);
        CHECK_STR(hex, rows[i].hex);
    }
}

static void a_million_letters_in_uneven_pieces(void)
{
    char piece[997];
    memset(piece, 'a', sizeof piece);
    struct moor_sha256 s;
    moor_sha256_init(&s);
    for (size_t left = 1000000; left > 0;) {
        size_t n = left < sizeof piece ? left : sizeof piece;
        moor_sha256_add(&s, moor_span(piece, n));
        left -= n;
    }
    unsigned char sum[MOOR_SHA256_LEN];
    moor_sha256_end(&s, sum);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(64);
    moor_buf_hex(&b, moor_span(sum, sizeof sum));
    CHECK_STR(moor_buf_cstr(&b),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Lengths around the block and the place of the length field agree with byte-wise input. */
static void pieces_do_not_matter_at_block_borders(void)
{
    char text[130];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t n = 50; n <= sizeof text; n++) {
        unsigned char whole[MOOR_SHA256_LEN], parts[MOOR_SHA256_LEN];
        moor_sha256_of(moor_span(text, n), whole);
        struct moor_sha256 s;
        moor_sha256_init(&s);
        for (size_t i = 0; i < n; i++)
            moor_sha256_add(&s, moor_span(text + i, 1));
        moor_sha256_end(&s, parts);
        CHECK(memcmp(whole, parts, sizeof whole) == 0);
    }
}

CHECK_MAIN(CHECK_TEST(published_digests_are_met), CHECK_TEST(a_million_letters_in_uneven_pieces),
           CHECK_TEST(pieces_do_not_matter_at_block_borders))
