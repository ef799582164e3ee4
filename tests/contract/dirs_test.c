/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/dirs.h"

#include "check.h"
#include "os.h"
#include "platform/file.h"

static struct moor_error err;

static moor_code init_with(const char *root)
{
    os_setenv("MOORING_ROOT", root);
    return plat_dirs_init(false, &err);
}

static void make(const char *path, unsigned mode)
{
    CHECK_INT(plat_make_dirs(path, PLAT_OWNER_ONLY, &err), MOOR_OK);
    os_mode(path, mode);
}

static void without_a_root_paths_are_the_systems(void)
{
    CHECK_INT(init_with(NULL), MOOR_OK);
    CHECK_STR(plat_dirs_root(), "");
    CHECK_STR(plat_dir_path(PLAT_DIR_STATE), "/var/opt/azcmagent");
    CHECK_STR(plat_dir_path(PLAT_DIR_CP_LIB), "/var/lib/mooring-controlplane");
    MOOR_AUTOSTR path = NULL;
    CHECK_INT(plat_path(PLAT_DIR_ETC, &path, &err, "clouds.d/%s.json", "mine"), MOOR_OK);
    CHECK_STR(path, "/etc/mooring/clouds.d/mine.json");
}

static void service_ignores_the_variable(void)
{
    os_setenv("MOORING_ROOT", os_temp_dir());
    CHECK_INT(plat_dirs_init(true, &err), MOOR_OK);
    CHECK_STR(plat_dirs_root(), "");
}

static void root_others_can_write_is_refused(void)
{
    make(os_temp("open"), 0777);
    make(os_temp("open/inner"), 0755);
    CHECK_INT(init_with(os_temp("open")), MOOR_E_DENIED);
    CHECK_INT(init_with(os_temp("open/inner")), MOOR_E_DENIED);
    CHECK(strstr(err.msg, os_temp("open")));
    make(os_temp("group"), 0770);
    make(os_temp("group/inner"), 0755);
    CHECK_INT(init_with(os_temp("group/inner")), MOOR_E_DENIED);
    CHECK_STR(plat_dirs_root(), "");
}

static void sticky_ancestor_is_allowed_but_not_a_sticky_root(void)
{
    make(os_temp("sticky"), 01777);
    make(os_temp("sticky/inner"), 0755);
    CHECK_INT(init_with(os_temp("sticky")), MOOR_E_DENIED);
    CHECK_INT(init_with(os_temp("sticky/inner")), MOOR_OK);
    CHECK_STR(plat_dirs_root(), os_temp("sticky/inner"));
}

static void root_of_a_foreign_owner_is_refused(void)
{
    make(os_temp("foreign"), 0755);
    make(os_temp("foreign/inner"), 0755);
    if (!os_give_away(os_temp("foreign")))
        SKIP("giving files away needs an administrator");
    CHECK_INT(init_with(os_temp("foreign")), MOOR_E_DENIED);
    CHECK(strstr(err.msg, "belongs to user"));
    CHECK_INT(init_with(os_temp("foreign/inner")), MOOR_E_DENIED);
}

static void root_behind_a_link_is_refused(void)
{
    make(os_temp("real"), 0755);
    os_link("real", os_temp("link"));
    CHECK_INT(init_with(os_temp("link")), MOOR_E_DENIED);
    CHECK(strstr(err.msg, "MOORING_ROOT"));
}

static void odd_roots_are_refused(void)
{
    CHECK_INT(init_with("relative/path"), MOOR_E_BADINPUT);
    CHECK_INT(init_with(""), MOOR_E_BADINPUT);
    CHECK_INT(init_with("/tmp/../etc"), MOOR_E_BADINPUT);
    CHECK_INT(init_with(os_temp("does-not-exist")), MOOR_E_NOTFOUND);
}

static void every_path_is_below_the_root(void)
{
    make(os_temp("root"), 0755);
    char with_slash[200];
    (void)snprintf(with_slash, sizeof(with_slash), "%s//", os_temp("root"));
    CHECK_INT(init_with(with_slash), MOOR_OK);
    CHECK_STR(plat_dirs_root(), os_temp("root"));
    for (int d = 0; d < PLAT_DIR_COUNT; d++) {
        const char *path = plat_dir_path((plat_dir)d);
        CHECK(strncmp(path, os_temp("root"), strlen(os_temp("root"))) == 0);
        CHECK_INT(plat_make_dirs(path, PLAT_WORLD_READ, &err), MOOR_OK);
    }
    CHECK_STR(plat_dir_path(PLAT_DIR_SOCKS), os_temp("root/var/opt/azcmagent/socks"));
}

CHECK_MAIN(CHECK_TEST(without_a_root_paths_are_the_systems),
           CHECK_TEST(service_ignores_the_variable), CHECK_TEST(root_others_can_write_is_refused),
           CHECK_TEST(root_of_a_foreign_owner_is_refused),
           CHECK_TEST(root_behind_a_link_is_refused), CHECK_TEST(odd_roots_are_refused),
           CHECK_TEST(sticky_ancestor_is_allowed_but_not_a_sticky_root),
           CHECK_TEST(every_path_is_below_the_root))
