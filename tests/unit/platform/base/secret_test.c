/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "check.h"

static void secret_is_set_replaced_and_dropped(void)
{
    MOOR_AUTO(moor_secret) s = MOOR_SECRET_INIT;
    CHECK(moor_secret_empty(&s));
    CHECK_STR(moor_secret_reveal(&s).p, "");
    CHECK_INT(moor_secret_set(&s, MOOR_SPAN_LIT("first"), NULL), MOOR_OK);
    struct moor_span part = moor_secret_reveal(&s);
    part.n = 3;
    CHECK_INT(moor_secret_set(&s, part, NULL), MOOR_OK);
    CHECK_STR(moor_secret_reveal(&s).p, "fir");
    CHECK(!moor_secret_empty(&s));
    moor_secret_drop(&s);
    moor_secret_drop(&s);
    CHECK(moor_secret_empty(&s));
}

static void secret_takes_the_text_of_a_buffer(void)
{
    MOOR_AUTO(moor_secret) s = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(4);
    moor_buf_str(&b, "pass");
    CHECK_INT(moor_secret_take(&s, &b, NULL), MOOR_OK);
    CHECK(moor_span_eq_str(moor_secret_reveal(&s), "pass"));
    CHECK(b.data == NULL && b.len == 0);
    moor_buf_str(&b, "longer");
    CHECK_INT(moor_secret_take(&s, &b, NULL), MOOR_E_NOMEM);
    CHECK(moor_span_eq_str(moor_secret_reveal(&s), "pass"));
}

static void secret_moves(void)
{
    MOOR_AUTO(moor_secret) a = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_secret) b = MOOR_SECRET_INIT;
    CHECK_INT(moor_secret_set(&a, MOOR_SPAN_LIT("a"), NULL), MOOR_OK);
    CHECK_INT(moor_secret_set(&b, MOOR_SPAN_LIT("b"), NULL), MOOR_OK);
    moor_secret_move(&a, &b);
    CHECK_STR(moor_secret_reveal(&a).p, "b");
    CHECK(moor_secret_empty(&b));
    moor_secret_move(&a, &a);
    CHECK_STR(moor_secret_reveal(&a).p, "b");
}

static void wipe_overwrites(void)
{
    char text[] = "secret";
    moor_wipe(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        CHECK_INT(text[i], 0);
    moor_wipe(NULL, 0);
}

CHECK_MAIN(CHECK_TEST(secret_is_set_replaced_and_dropped),
           CHECK_TEST(secret_takes_the_text_of_a_buffer), CHECK_TEST(secret_moves),
           CHECK_TEST(wipe_overwrites))
