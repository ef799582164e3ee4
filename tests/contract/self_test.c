/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/account.h"
#include "platform/memory.h"
#include "platform/self.h"

#include "check.h"
#include "os.h"

static void the_program_knows_its_own_path(void)
{
    MOOR_AUTOSTR path = NULL;
    CHECK_INT(plat_program_path(&path, NULL), MOOR_OK);
    CHECK(path && strstr(path, "self") && plat_exists(path));
}

static void an_absent_variable_is_null(void)
{
    CHECK(plat_environment("MOORING_NO_SUCH_VARIABLE") == NULL);
    CHECK(plat_environment("PATH") != NULL);
}

static void descriptors_are_below_their_limit(void)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    CHECK_INT(plat_open("/proc/self/stat", PLAT_READ, &f, NULL), MOOR_OK);
    CHECK(f.fd_ >= 0 && (unsigned)f.fd_ < plat_files_max());
}

static void nothing_was_inherited_here(void)
{
    MOOR_AUTO(plat_file) socket = PLAT_FILE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(plat_inherited(&socket, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "parent's socket"));
    CHECK(!plat_file_is_open(&socket));
}

static void nobody_becomes_root_or_somebody_unknown(void)
{
    CHECK_INT(plat_become_user("root", NULL), MOOR_E_BADINPUT);
    CHECK_INT(plat_become_user("no-such-user", NULL), MOOR_E_NOTFOUND);
}

static void a_protected_process_leaves_no_memory_behind(void)
{
    plat_protect_process();
    CHECK(!os_leaves_memory());
}

static void wiped_memory_behaves_as_memory_does(void)
{
    char *p = plat_wiped_alloc(4096);
    memset(p, 'x', 4096);
    char *q = plat_wiped_realloc(p, 4000);
    CHECK(q == p); /* shrunk in place */
    q = plat_wiped_realloc(q, 100000);
    CHECK(q != NULL && q[0] == 'x' && q[3999] == 'x');
    plat_wiped_free(q);
    CHECK_STR(q = plat_wiped_strdup("secret"), "secret");
    CHECK(plat_wiped_realloc(q, 0) == NULL);
    q = plat_wiped_calloc(3, 5);
    CHECK(q != NULL && q[14] == 0);
    plat_wiped_free(q);
    plat_wiped_free(NULL);
}

CHECK_MAIN(CHECK_TEST(the_program_knows_its_own_path), CHECK_TEST(an_absent_variable_is_null),
           CHECK_TEST(descriptors_are_below_their_limit), CHECK_TEST(nothing_was_inherited_here),
           CHECK_TEST(nobody_becomes_root_or_somebody_unknown),
           CHECK_TEST(wiped_memory_behaves_as_memory_does),
           CHECK_TEST(a_protected_process_leaves_no_memory_behind))
