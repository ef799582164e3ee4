/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/gallery.h"
#include "engine/package.h"

#define COMMANDS                                                                                   \
    "\"handlerManifest\":{\"installCommand\":\"a\",\"enableCommand\":\"b\","                       \
    "\"disableCommand\":\"c\",\"uninstallCommand\":\"d\",\"updateCommand\":\"e\"}"

static struct moor_package_name name;
static bool found;
static struct moor_error err;

static moor_code manifest(const char *json)
{
    memset(&name, 0, sizeof name);
    return moor_package_from_manifest(moor_span_str(json), &name, &found, &err);
}

static void signing_info_names_the_package(void)
{
    CHECK_INT(manifest("\xef\xbb\xbf[{\"version\":1.0," COMMANDS
                       ",\"signingInfo\":{\"publisher\":\"Contoso.Tools\",\"type\":\"Hello\","
                       "\"version\":\"1.2.3\"}}]"),
              MOOR_OK);
    CHECK(found);
    CHECK_STR(name.publisher, "Contoso.Tools");
    CHECK_STR(name.type, "Hello");
    CHECK_STR(name.version, "1.2.3");
}

static void a_manifest_without_signing_info_names_nothing(void)
{
    CHECK_INT(manifest("[{" COMMANDS "}]"), MOOR_OK);
    CHECK(!found);
}

static void manifests_that_cannot_run_are_refused(void)
{
    CHECK_INT(manifest("[]"), MOOR_E_BADINPUT);
    CHECK_INT(manifest("[{}]"), MOOR_E_BADINPUT);
    CHECK_INT(manifest("[{\"handlerManifest\":{\"installCommand\":\"a\"}}]"), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "HandlerManifest.json: handlerManifest.enableCommand: missing");
    CHECK_INT(manifest("[{" COMMANDS "},{" COMMANDS "}]"), MOOR_E_BADINPUT);
    CHECK_INT(manifest("not json"), MOOR_E_BADINPUT);
    CHECK_INT(manifest("[{" COMMANDS ",\"signingInfo\":{\"publisher\":\"../x\",\"type\":\"H\","
                       "\"version\":\"1.0\"}}]"),
              MOOR_E_BADINPUT);
}

static void manifest_xml_names_the_package(void)
{
    static const char xml[] =
        "<?xml version='1.0'?>\n<!-- <Type>No</Type> -->\n<ExtensionImage xmlns=\"http://x\">\n"
        "<ProviderNameSpace> Contoso.Tools </ProviderNameSpace><Type>Hello</Type>\n"
        "<Version>1.2.3.4</Version></ExtensionImage>";
    memset(&name, 0, sizeof name);
    CHECK_INT(moor_package_from_xml(moor_span_str(xml), &name, &found, &err), MOOR_OK);
    CHECK_STR(name.publisher, "Contoso.Tools");
    CHECK_STR(name.type, "Hello");
    CHECK_STR(name.version, "1.2.3.4");
    CHECK_INT(moor_package_from_xml(moor_span_str("<Type>x</Type>"), &name, &found, &err),
              MOOR_E_BADINPUT);
    CHECK_INT(moor_package_from_xml(moor_span_str("<!-- "), &name, &found, &err), MOOR_E_BADINPUT);
}

static void a_file_name_names_the_package(void)
{
    CHECK_INT(moor_package_from_file_name("A.B.C__1.0.zip", &name, &found, &err), MOOR_OK);
    CHECK(found);
    CHECK_STR(name.publisher, "A.B");
    CHECK_STR(name.type, "C");
    CHECK_STR(name.version, "1.0");
    CHECK_INT(moor_package_from_file_name("hello.zip", &name, &found, &err), MOOR_OK);
    CHECK(!found);
    CHECK_INT(moor_package_from_file_name("A.B__one.zip", &name, &found, &err), MOOR_E_BADINPUT);
    CHECK_INT(moor_package_from_file_name("AB__1.0.zip", &name, &found, &err), MOOR_OK);
    CHECK(!found);
}

static void unsafe_entry_names_are_refused(void)
{
    static const char *const bad[] = { "",     "/a",    "a//b", "../a", "a/../b", "a/..",
                                       "a\\b", "c:\\x", "./a",  "a\nb", "a\xff" };
    static const char *const good[] = { "a", "a/b", "a/b/", "bin/run.sh", "x..y" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!moor_package_entry_safe(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(moor_package_entry_safe(good[i]));
}

static const char *chosen(const char *asked, bool auto_minor)
{
    static struct moor_package items[] = { { .version = "1.0.9" },   { .version = "1.0.10" },
                                           { .version = "1.2.0" },   { .version = "2.0.1" },
                                           { .version = "2.0.1.5" }, { .version = "1.1.0" } };
    struct moor_package_list list = { items, sizeof items / sizeof items[0] };
    const struct moor_package *p = moor_gallery_choose(&list, asked, auto_minor);
    return p ? p->version : NULL;
}

static void versions_are_chosen_by_their_start(void)
{
    CHECK_STR(chosen("1.0", false), "1.0.10");
    CHECK_STR(chosen("1.0", true), "1.2.0");
    CHECK_STR(chosen("1", false), "1.2.0");
    CHECK_STR(chosen("1.0.9", false), "1.0.9");
    CHECK_STR(chosen("1.0.9", true), "1.0.9");
    CHECK_STR(chosen("2.0.1", false), "2.0.1");
    CHECK_STR(chosen("2.0.1.5", false), "2.0.1.5");
    CHECK_STR(chosen("", false), "2.0.1.5");
    CHECK_STR(chosen("1.5", true), NULL);
    CHECK_STR(chosen("3.0", true), NULL);
}

CHECK_MAIN(CHECK_TEST(signing_info_names_the_package),
           CHECK_TEST(a_manifest_without_signing_info_names_nothing),
           CHECK_TEST(manifests_that_cannot_run_are_refused),
           CHECK_TEST(manifest_xml_names_the_package), CHECK_TEST(a_file_name_names_the_package),
           CHECK_TEST(unsafe_entry_names_are_refused),
           CHECK_TEST(versions_are_chosen_by_their_start))
