/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "group.h"
#include "platform/file.h"
#include "platform/oserr.h"
#include "platform/unit.h"
#include "proc.h"

#define ROOT      "/sys/fs/cgroup"
#define OURS      "mooring-extensions"
#define PERIOD_US 100000u
#define PATH_ROOM 512

/* Version 1 has a tree for each kind of limit; version 2 has one for all, and it is the first. */
enum tree { CPU, MEMORY, PIDS, CPUACCT, TREES };
static const char *const tree_names[TREES] = {
    [CPU] = "cpu", [MEMORY] = "memory", [PIDS] = "pids", [CPUACCT] = "cpuacct"
};

static bool is_unified(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

static size_t tree_count(void)
{
    return is_unified() ? 1 : TREES;
}

/* <root>[/<tree>]/<folder>[/<file>] */
static void path_in(char out[PATH_ROOM], size_t tree, const char *folder, const char *file)
{
    bool unified = is_unified();
    (void)snprintf(out, PATH_ROOM, ROOT "%s%s/%s%s%s", unified ? "" : "/",
                   unified ? "" : tree_names[tree], folder, *file ? "/" : "", file);
}

/* The same below mooring-extensions[/<group>]. */
static void path_of(char out[PATH_ROOM], size_t tree, const char *group, const char *file)
{
    char folder[PATH_ROOM];
    (void)snprintf(folder, sizeof(folder), OURS "%s%s", *group ? "/" : "", group);
    path_in(out, tree, folder, file);
}

static moor_code write_text(const char *path, const char *text, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    f.fd_ = open(path, O_WRONLY | O_CLOEXEC);
    if (f.fd_ < 0 || write(f.fd_, text, strlen(text)) < 0)
        return plat_fail(err, errno, "%s: cannot write", path);
    return MOOR_OK;
}

static moor_code make_folder(size_t tree, const char *group, struct moor_error *err)
{
    char path[PATH_ROOM];
    path_of(path, tree, group, "");
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return MOOR_OK;
    int e = errno;
    moor_code c = plat_fail(err, e, "%s: cannot create", path);
    return e == ENOENT || e == EROFS || e == EACCES || e == EPERM ? MOOR_E_UNSUPPORTED : c;
}

/* Version 2 gives a group only the controllers that its parents hand on. */
static void hand_on(void)
{
    static const char *const wanted[] = { "+cpu", "+memory", "+pids" };
    for (size_t n = 0; n < MOOR_COUNTOF(wanted); n++) {
        moor_code c = write_text(ROOT "/cgroup.subtree_control", wanted[n], NULL);
        c = write_text(ROOT "/" OURS "/cgroup.subtree_control", wanted[n], NULL);
        (void)c; /* a limit that cannot be set says so itself */
    }
}

/* One limit's file in version 2 and in version 1, with its text for "none". */
struct limit {
    enum tree tree;
    const char *file2, *none2, *file1, *none1;
};
static const struct limit limit_files[] = {
    { CPU, "cpu.max", "max", "cpu.cfs_quota_us", "-1" },
    { MEMORY, "memory.max", "max", "memory.limit_in_bytes", "-1" },
    { PIDS, "pids.max", "max", "pids.max", "max" },
};

static moor_code set_limit(const char *group, const struct limit *l, uint64_t value,
                           struct moor_error *err)
{
    char path[PATH_ROOM], text[64];
    bool unified = is_unified();
    path_of(path, l->tree, group, unified ? l->file2 : l->file1);
    if (value == 0)
        (void)snprintf(text, sizeof(text), "%s", unified ? l->none2 : l->none1);
    else if (unified && l->tree == CPU)
        (void)snprintf(text, sizeof(text), "%" PRIu64 " %u", value, PERIOD_US);
    else
        (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    moor_code c = write_text(path, text, err);
    return value == 0 ? MOOR_OK : c; /* no limit may not be there to be lifted */
}

moor_code plat_group_set(const char *name, const struct plat_limits *limits, struct moor_error *err)
{
    const uint64_t values[] = { (uint64_t)limits->cpu_percent * (PERIOD_US / 100),
                                limits->memory_max, limits->tasks_max };
    for (size_t tree = 0; tree < tree_count(); tree++) {
        moor_code c = make_folder(tree, "", err);
        if (c == MOOR_OK && is_unified())
            hand_on();
        if (c == MOOR_OK)
            c = make_folder(tree, name, err);
        if (c != MOOR_OK)
            return c;
    }
    for (size_t n = 0; n < MOOR_COUNTOF(limit_files); n++) {
        moor_code c = set_limit(name, &limit_files[n], values[n], err);
        if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

size_t posix_group_open(const char *name, int fds[POSIX_GROUP_TREES])
{
    size_t count = 0;
    for (size_t tree = 0; tree < tree_count(); tree++) {
        char path[PATH_ROOM];
        path_of(path, tree, name, "cgroup.procs");
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            fds[count++] = fd;
    }
    return count;
}

/* The number behind key in a file of lines, or the file's only number for key "". */
static bool read_number(const char *path, const char *key, uint64_t *out)
{
    char text[4096];
    if (!posix_read_system(path, text, sizeof(text)))
        return false;
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span line = moor_span_trim(moor_span_cut(&rest, '\n'));
        if (!moor_span_starts(line, key))
            continue;
        size_t skip = strlen(key);
        line = moor_span_trim(moor_span(line.p + skip, line.n - skip));
        return moor_parse_u64(line, 0, UINT64_MAX, out, NULL) == MOOR_OK;
    }
    return false;
}

static bool usage_in(const char *folder, struct plat_usage *out)
{
    char cpu[PATH_ROOM], memory[PATH_ROOM];
    bool unified = is_unified();
    uint64_t time, bytes;
    path_in(cpu, CPUACCT, folder, unified ? "cpu.stat" : "cpuacct.usage");
    path_in(memory, MEMORY, folder, unified ? "memory.current" : "memory.usage_in_bytes");
    if (!read_number(cpu, unified ? "usage_usec" : "", &time) || !read_number(memory, "", &bytes))
        return false;
    *out = (struct plat_usage){ time / (unified ? 1000 : 1000000), bytes };
    return true;
}

bool plat_group_usage(const char *name, struct plat_usage *out)
{
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(PATH_ROOM / 2);
    moor_buf_fmt(&folder, OURS "/%s", name);
    return usage_in(moor_buf_cstr(&folder), out);
}

/* The service manager's layout: "a-b" is the folder a.slice/a-b.slice. */
bool plat_slice_usage(const char *slice, struct plat_usage *out)
{
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(PATH_ROOM / 2);
    for (const char *p = strchr(slice, '-'); p; p = strchr(p + 1, '-'))
        moor_buf_fmt(&folder, "%.*s.slice/", (int)(p - slice), slice);
    moor_buf_fmt(&folder, "%s.slice", slice);
    return usage_in(moor_buf_cstr(&folder), out);
}

/* Made here rather than looked at: whether it may be is the question. */
const char *plat_group_kind(void)
{
    for (size_t tree = 0; tree < tree_count(); tree++)
        if (make_folder(tree, "", NULL) != MOOR_OK)
            return NULL;
    return is_unified() ? "cgroup2" : "cgroup1";
}

void plat_group_remove(const char *name)
{
    for (size_t tree = 0; tree < tree_count(); tree++) {
        char path[PATH_ROOM];
        path_of(path, tree, name, "");
        (void)rmdir(path);
    }
}
