/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a TPM that cannot make PS256's salt length. The TPM is played by this program. */
#include "base/text.h"
#include "crypto/jws.h"

#include "check.h"

#define PAYLOAD "{\"a\":1}"

bool __wrap_moor_key_in_tpm(const struct moor_key *k);
moor_code __wrap_moor_tpm_sign(const struct moor_key *k, bool pss, struct moor_span data,
                               unsigned char *sig, size_t *n, struct moor_error *err);

static struct {
    bool in_tpm;      /* what is said of every key */
    moor_code to_pss; /* the answer to PS256; MOOR_OK = it can */
    unsigned pss, pkcs1;
} tpm;

bool __wrap_moor_key_in_tpm(const struct moor_key *k)
{
    (void)k;
    return tpm.in_tpm;
}

/* Signs as a key in a file would: the same header and payload give the same text. */
moor_code __wrap_moor_tpm_sign(const struct moor_key *k, bool pss, struct moor_span data,
                               unsigned char *sig, size_t *n, struct moor_error *err)
{
    const struct moor_jws_header h = { .alg = pss ? MOOR_JWS_PS256 : MOOR_JWS_RS256, .typ = "t" };
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
    MOOR_AUTO(moor_buf) raw = MOOR_BUF(1024);
    *(pss ? &tpm.pss : &tpm.pkcs1) += 1;
    if (pss && tpm.to_pss != MOOR_OK)
        return moor_fail(err, tpm.to_pss, "the TPM: scheme");
    tpm.in_tpm = false;
    CHECK_INT(moor_jws_sign(k, &h, MOOR_SPAN_LIT(PAYLOAD), &token, err), MOOR_OK);
    tpm.in_tpm = true;
    CHECK(token.len > data.n && memcmp(token.data, data.p, data.n) == 0);
    CHECK_INT(moor_base64url_decode(moor_span(token.data + data.n + 1, token.len - data.n - 1),
                                    &raw, err),
              MOOR_OK);
    memcpy(sig, raw.data, raw.len);
    *n = raw.len;
    return MOOR_OK;
}

static void the_other_algorithm_is_taken_only_where_the_tpm_has_no_other(void)
{
    static const struct {
        moor_code to_pss, result;
        moor_jws_alg alg;
        unsigned pkcs1;
    } cases[] = {
        { MOOR_OK, MOOR_OK, MOOR_JWS_PS256, 0 },
        { MOOR_E_UNSUPPORTED, MOOR_OK, MOOR_JWS_RS256, 1 },
        { MOOR_E_IO, MOOR_E_IO, MOOR_JWS_PS256, 0 },         /* absent */
        { MOOR_E_DENIED, MOOR_E_DENIED, MOOR_JWS_PS256, 0 }, /* locked */
    };
    MOOR_AUTOPTR(moor_key) k = NULL;
    CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &k, NULL) == MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
        const struct moor_jws_header h = { .alg = MOOR_JWS_PS256, .typ = "t" };
        struct moor_jws j;
        tpm.in_tpm = true;
        tpm.to_pss = cases[i].to_pss;
        tpm.pss = tpm.pkcs1 = 0;
        CHECK_INT(moor_jws_sign(k, &h, MOOR_SPAN_LIT(PAYLOAD), &token, NULL), cases[i].result);
        CHECK_INT(tpm.pss, 1);
        CHECK_INT(tpm.pkcs1, cases[i].pkcs1);
        tpm.in_tpm = false;
        if (cases[i].result != MOOR_OK) {
            CHECK_INT(token.len, 0);
            continue;
        }
        CHECK_INT(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL), MOOR_OK);
        CHECK_INT(j.header.alg, cases[i].alg);
        CHECK_INT(moor_jws_verify(&j, cases[i].alg, k, NULL), MOOR_OK);
        CHECK(moor_span_eq_str(j.payload, PAYLOAD));
    }
}

CHECK_MAIN(CHECK_TEST(the_other_algorithm_is_taken_only_where_the_tpm_has_no_other))
