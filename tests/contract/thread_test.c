/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/thread.h"

#include "check.h"
#include "os.h"
#include "platform/account.h"

static struct moor_error err;

struct shared {
    struct plat_mutex *m;
    struct plat_cond *c;
    unsigned sum, waiting;
    bool go;
};

static void add_many(void *ctx)
{
    struct shared *s = ctx;
    plat_mutex_lock(s->m);
    s->waiting++;
    while (!s->go)
        plat_cond_wait(s->c, s->m);
    plat_mutex_unlock(s->m);
    for (int i = 0; i < 10000; i++) {
        plat_mutex_lock(s->m);
        s->sum++;
        plat_mutex_unlock(s->m);
    }
}

static void threads_take_turns_behind_a_mutex(void)
{
    struct shared s = { 0 };
    struct plat_thread *t[4] = { NULL };
    CHECK_INT(plat_mutex_new(&s.m, &err), MOOR_OK);
    CHECK_INT(plat_cond_new(&s.c, &err), MOOR_OK);
    for (int i = 0; i < 4; i++)
        CHECK_INT(plat_thread_start("moor-test", add_many, &s, &t[i], &err), MOOR_OK);
    plat_mutex_lock(s.m);
    s.go = true;
    plat_cond_wake_all(s.c);
    plat_mutex_unlock(s.m);
    for (int i = 0; i < 4; i++)
        plat_thread_join(t[i]);
    CHECK_INT(s.sum, 40000);
    plat_thread_join(NULL);
    plat_cond_free(s.c);
    plat_mutex_free(s.m);
}

static void accounts_are_found_by_name(void)
{
    uint32_t id = 99;
    CHECK_INT(plat_find_user("root", &id, &err), MOOR_OK);
    CHECK_INT(id, 0);
    CHECK_INT(plat_find_user("no-such-user-here", &id, &err), MOOR_E_NOTFOUND);
    CHECK(strstr(err.msg, "no-such-user-here"));
    CHECK_INT(plat_find_group("no-such-group-here", &id, &err), MOOR_E_NOTFOUND);
    CHECK_INT(plat_is_admin(), plat_user_id() == 0);
}

CHECK_MAIN(CHECK_TEST(threads_take_turns_behind_a_mutex), CHECK_TEST(accounts_are_found_by_name))
