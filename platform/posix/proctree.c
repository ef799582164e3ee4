/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/text.h"
#include "path.h"
#include "platform/file.h"
#include "platform/process.h"
#include "proc.h"

bool posix_read_system(const char *path, char *out, size_t n)
{
    out[0] = '\0';
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    f.fd_ = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f.fd_ < 0)
        return false;
    size_t sum = 0;
    while (sum < n - 1) {
        ssize_t r = read(f.fd_, out + sum, n - 1 - sum);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        sum += (size_t)r;
    }
    while (sum > 0 && (out[sum - 1] == '\n' || out[sum - 1] == ' '))
        sum--;
    out[sum] = '\0';
    return true;
}

/* Numbers of fields in /proc/PID/stat as proc(5) counts them, less the three that come before the
 * first number: pid, the name in parentheses, the state. */
enum { STAT_PARENT = 0, STAT_GROUP = 1, STAT_SESSION = 2, STAT_START = 18, STAT_FIELDS };

bool posix_proc_read(pid_t pid, struct posix_proc *out)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!posix_read_system(path, text, sizeof(text)))
        return false;
    /* The name may hold anything, parentheses too: what counts starts behind the last one. */
    const char *state = strrchr(text, ')');
    if (!state || strlen(state) < 4)
        return false;
    struct moor_span rest = moor_span_str(state + 4);
    int64_t fields[STAT_FIELDS];
    for (size_t i = 0; i < STAT_FIELDS; i++)
        if (moor_parse_i64(moor_span_cut(&rest, ' '), INT64_MIN, INT64_MAX, &fields[i], NULL) !=
            MOOR_OK)
            return false;
    *out = (struct posix_proc){
        .pid = pid,
        .parent = (pid_t)fields[STAT_PARENT],
        .group = (pid_t)fields[STAT_GROUP],
        .session = (pid_t)fields[STAT_SESSION],
        .start = (uint64_t)fields[STAT_START],
        .zombie = state[2] == 'Z' || state[2] == 'X',
    };
    return true;
}

void posix_proc_each(void (*fn)(void *ctx, const struct posix_proc *p), void *ctx)
{
    DIR *d = opendir("/proc");
    if (!d)
        return;
    const struct dirent *e;
    while ((e = posix_next_entry(d))) {
        uint32_t pid;
        struct posix_proc p;
        if (moor_parse_u32(moor_span_str(e->d_name), 1, INT32_MAX, &pid, NULL) == MOOR_OK &&
            posix_proc_read((pid_t)pid, &p))
            fn(ctx, &p);
    }
    (void)closedir(d);
}

/* 37 bits of ticks last 43 years at 100 Hz; 15 bits of the boot's name stand above them. */
#define STAMP_TICK_BITS 37
#define STAMP_TICK_MASK ((UINT64_C(1) << STAMP_TICK_BITS) - 1)

uint64_t posix_proc_stamp(uint64_t start)
{
    char boot[64];
    (void)posix_read_system("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
    uint64_t tag = 0;
    for (const char *p = boot; *p; p++)
        tag = (tag * 31 + (unsigned char)*p) & 0x7fff;
    return tag << STAMP_TICK_BITS | (start & STAMP_TICK_MASK);
}

moor_code plat_process_identify(int64_t pid, struct plat_process_id *out, struct moor_error *err)
{
    struct posix_proc p;
    if (pid == 0)
        pid = getpid();
    if (pid <= 0 || pid > INT32_MAX || !posix_proc_read((pid_t)pid, &p) || p.zombie)
        return moor_fail(err, MOOR_E_NOTFOUND, "process %lld: is not running", (long long)pid);
    *out = (struct plat_process_id){ pid, posix_proc_stamp(p.start) };
    return MOOR_OK;
}

bool plat_process_alive(const struct plat_process_id *id)
{
    struct plat_process_id now = { 0, 0 };
    return plat_process_identify(id->pid, &now, NULL) == MOOR_OK && now.start == id->start;
}

void plat_process_kill_tree_id(const struct plat_process_id *id)
{
    if (id->pid > 1 && id->pid <= INT32_MAX)
        posix_kill_tree((pid_t)id->pid, id->start);
}

struct table {
    struct posix_proc *rows;
    size_t count, cap;
};

static void add_row(void *ctx, const struct posix_proc *p)
{
    struct table *t = ctx;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct posix_proc *more = reallocarray(t->rows, cap, sizeof(*more));
        if (!more)
            return; /* the next round sees the rest */
        t->rows = more;
        t->cap = cap;
    }
    t->rows[t->count++] = *p;
}

static const struct posix_proc *find_row(const struct table *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].pid == pid)
            return &t->rows[i];
    return NULL;
}

/* Whether p is root, in its session, or below a process that is. */
static bool belongs(const struct table *t, const struct posix_proc *p, pid_t root, uint64_t start)
{
    for (unsigned hops = 0; p && hops < 1000; hops++) {
        /* The number of a session is not given to a new process as long as one is in it. */
        if (p->start >= start && (p->pid == root || p->session == root || p->group == root))
            return true;
        p = p->parent > 1 ? find_row(t, p->parent) : NULL;
    }
    return false;
}

/* Kills exactly the process p describes: between looking and killing the number may change hands,
 * a descriptor of the process does not. */
static void kill_exactly(const struct posix_proc *p)
{
    MOOR_AUTO(plat_file) handle = PLAT_FILE_INIT;
    handle.fd_ = (int)syscall(SYS_pidfd_open, p->pid, 0);
    struct posix_proc now;
    if (!posix_proc_read(p->pid, &now) || now.start != p->start)
        return;
    if (handle.fd_ >= 0)
        (void)syscall(SYS_pidfd_send_signal, handle.fd_, SIGKILL, NULL, 0);
    else
        (void)kill(p->pid, SIGKILL);
}

/* One round; returns how many were running. */
static size_t kill_round(pid_t root, uint64_t stamp)
{
    struct table t = { 0 };
    posix_proc_each(add_row, &t);
    const struct posix_proc *leader = find_row(&t, root);
    size_t killed = 0;
    /* Another process has the number now: the one meant is gone, and its session too. */
    bool stranger = leader && posix_proc_stamp(leader->start) != stamp;
    for (size_t i = 0; i < t.count && !stranger; i++) {
        const struct posix_proc *p = &t.rows[i];
        if (p->zombie || p->pid == getpid() || !belongs(&t, p, root, stamp & STAMP_TICK_MASK))
            continue;
        kill_exactly(p);
        killed++;
    }
    free(t.rows);
    return killed;
}

void posix_kill_tree(pid_t pid, uint64_t stamp)
{
    /* A boot ago: nothing of it can be there. */
    if (posix_proc_stamp(stamp & STAMP_TICK_MASK) != stamp)
        return;
    /* What was started while we looked is met by the next round. A killed process may need a
     * moment to go; one that does not go is in the kernel and cannot be helped. */
    for (unsigned round = 0; round < 100 && kill_round(pid, stamp) > 0; round++) {
        const struct timespec moment = { 0, 2000000 };
        (void)nanosleep(&moment, NULL);
    }
}
