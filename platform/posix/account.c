/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/span.h"
#include "platform/oserr.h"

/* Groups with thousands of members have long entries. */
#define ENTRY_MAX ((size_t)1 << 20)

bool plat_is_admin(void)
{
    return geteuid() == 0;
}

uint32_t plat_user_id(void)
{
    return geteuid();
}

/* One look-up into a buffer of n bytes; returns an errno, ENOENT when there is no such name. */
typedef int (*lookup_fn)(const char *name, char *buf, size_t n, uint32_t *id);

static int lookup_user(const char *name, char *buf, size_t n, uint32_t *id)
{
    struct passwd entry, *found = NULL;
    int e = getpwnam_r(name, &entry, buf, n, &found);
    if (!found)
        return e ? e : ENOENT;
    *id = found->pw_uid;
    return 0;
}

static int lookup_group(const char *name, char *buf, size_t n, uint32_t *id)
{
    struct group entry, *found = NULL;
    int e = getgrnam_r(name, &entry, buf, n, &found);
    if (!found)
        return e ? e : ENOENT;
    *id = found->gr_gid;
    return 0;
}

static moor_code find(lookup_fn lookup, const char *kind, const char *name, uint32_t *id,
                      struct moor_error *err)
{
    for (size_t n = 1024; n <= ENTRY_MAX; n *= 4) {
        MOOR_AUTOSTR buf = malloc(n);
        if (!buf)
            return moor_fail(err, MOOR_E_NOMEM, "%s %s: out of memory", kind, name);
        int e = lookup(name, buf, n, id);
        if (e == 0)
            return MOOR_OK;
        if (e == ENOENT)
            return moor_fail(err, MOOR_E_NOTFOUND, "%s %s: does not exist", kind, name);
        if (e != ERANGE && e != EINTR)
            return plat_fail(err, e, "%s %s", kind, name);
    }
    return moor_fail(err, MOOR_E_NOMEM, "%s %s: entry is over %zu bytes", kind, name, ENTRY_MAX);
}

moor_code plat_find_user(const char *name, uint32_t *uid, struct moor_error *err)
{
    return find(lookup_user, "user", name, uid, err);
}

moor_code plat_find_group(const char *name, uint32_t *gid, struct moor_error *err)
{
    return find(lookup_group, "group", name, gid, err);
}

void plat_account_drop(struct plat_account *a)
{
    free(a->name);
    free(a->home);
    free(a->shell);
    free(a->groups);
    *a = (struct plat_account)PLAT_ACCOUNT_INIT;
}

static moor_code account_texts(const struct passwd *from, struct plat_account *a,
                               struct moor_error *err)
{
    moor_code c = moor_span_dup(moor_span_str(from->pw_name), &a->name, err);
    if (c == MOOR_OK)
        c = moor_span_dup(moor_span_str(from->pw_dir), &a->home, err);
    return c == MOOR_OK ? moor_span_dup(moor_span_str(from->pw_shell), &a->shell, err) : c;
}

static moor_code account_groups(struct plat_account *a, struct moor_error *err)
{
    int count = 32;
    for (;;) {
        gid_t *groups = reallocarray(a->groups, (size_t)count, sizeof(*groups));
        if (!groups)
            return moor_fail(err, MOOR_E_NOMEM, "user %s: out of memory", a->name);
        a->groups = groups;
        int room = count;
        if (getgrouplist(a->name, a->gid, groups, &count) >= 0) {
            a->group_count = (size_t)count;
            return MOOR_OK;
        }
        if (count <= room)
            return moor_fail(err, MOOR_E_IO, "user %s: cannot list its groups", a->name);
    }
}

moor_code plat_find_account(const char *name, struct plat_account *out, struct moor_error *err)
{
    MOOR_AUTO(plat_account) a = PLAT_ACCOUNT_INIT;
    MOOR_AUTOSTR room = malloc(ENTRY_MAX);
    struct passwd entry, *found = NULL;
    if (!room)
        return moor_fail(err, MOOR_E_NOMEM, "user %s: out of memory", name);
    int e = getpwnam_r(name, &entry, room, ENTRY_MAX, &found);
    if (e && e != ENOENT)
        return plat_fail(err, e, "user %s", name);
    if (!found)
        return moor_fail(err, MOOR_E_NOTFOUND, "user %s: does not exist", name);
    a.uid = found->pw_uid;
    a.gid = found->pw_gid;
    moor_code c = account_texts(found, &a, err);
    if (c == MOOR_OK)
        c = account_groups(&a, err);
    if (c != MOOR_OK)
        return c;
    *out = a;
    a = (struct plat_account)PLAT_ACCOUNT_INIT;
    return MOOR_OK;
}

/* By these the environment leads libraries to other modules, authorities and files: OpenSSL loads
 * what OPENSSL_CONF names, libcurl writes its sessions' keys where SSLKEYLOGFILE says. */
static void forget_variables(void)
{
    static const char *const names[] = {
        "OPENSSL_CONF",  "OPENSSL_CONF_INCLUDE", "OPENSSL_ENGINES", "OPENSSL_MODULES",
        "SSL_CERT_FILE", "SSL_CERT_DIR",         "SSLKEYLOGFILE",   "CURL_CA_BUNDLE",
        "CURL_HOME",     "CURL_SSL_BACKEND",     "HOSTALIASES",     "LOCALDOMAIN",
        "RES_OPTIONS",   "GCONV_PATH",           "TMPDIR",          "SQLITE_TMPDIR",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++)
        (void)unsetenv(names[i]);
}

bool plat_user_in_group(uint32_t uid, uint32_t gid)
{
    char room[16384];
    struct passwd entry, *found = NULL;
    gid_t groups[256];
    int count = (int)(sizeof(groups) / sizeof(groups[0]));
    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || !found)
        return false;
    /* More groups than fit: those that fit. */
    if (getgrouplist(found->pw_name, found->pw_gid, groups, &count) < 0)
        count = (int)(sizeof(groups) / sizeof(groups[0]));
    for (int i = 0; i < count; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

void plat_protect_process(void)
{
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    forget_variables();
}
