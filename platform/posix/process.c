/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "platform/oserr.h"
#include "proc.h"

/*
 * Children that were dropped while they ran. Somebody has to wait for them, or they stay as
 * zombies as long as we live; every start of another process does.
 */
static struct {
    pthread_mutex_t lock;
    pid_t *pids;
    size_t count, cap;
} orphans = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void adopt(pid_t pid)
{
    pthread_mutex_lock(&orphans.lock);
    if (orphans.count == orphans.cap) {
        size_t cap = orphans.cap ? orphans.cap * 2 : 8;
        pid_t *more = reallocarray(orphans.pids, cap, sizeof(*more));
        if (more) {
            orphans.pids = more;
            orphans.cap = cap;
        }
    }
    /* Out of memory: one zombie. */
    if (orphans.count < orphans.cap)
        orphans.pids[orphans.count++] = pid;
    pthread_mutex_unlock(&orphans.lock);
}

static void reap_orphans(void)
{
    pthread_mutex_lock(&orphans.lock);
    for (size_t i = 0; i < orphans.count;) {
        if (waitpid(orphans.pids[i], NULL, WNOHANG) == 0)
            i++;
        else
            orphans.pids[i] = orphans.pids[--orphans.count];
    }
    if (orphans.count == 0) {
        free(orphans.pids);
        orphans.pids = NULL;
        orphans.cap = 0;
    }
    pthread_mutex_unlock(&orphans.lock);
}

/* What the child needs, made before fork(): behind it only async-signal-safe calls are allowed. */
struct plan {
    const struct plat_spawn *how;
    int fds[4]; /* become 0..3; the last may be -1 */
    int report; /* an errno is written here when exec fails */
    int groups[POSIX_GROUP_TREES];
    size_t group_count;
};

static void child_signals(void)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    for (int s = 1; s < NSIG; s++)
        (void)sigaction(s, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_descriptors(struct plan *p)
{
    /* First out of the way of 0..3, so that no dup2() overwrites a source. */
    for (size_t i = 0; i < MOOR_COUNTOF(p->fds); i++)
        if (p->fds[i] >= 0 && (p->fds[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, 10)) < 0)
            return errno;
    if ((p->report = fcntl(p->report, F_DUPFD_CLOEXEC, 10)) < 0)
        return errno;
    for (int i = 0; i < (int)MOOR_COUNTOF(p->fds); i++)
        if (p->fds[i] >= 0 && dup2(p->fds[i], i) < 0)
            return errno;
    /* The rest goes at exec. Ours all have that flag; a library's may not. */
    unsigned first = p->fds[3] >= 0 ? 4 : 3;
    if (syscall(SYS_close_range, first, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0)
        return 0;
    struct rlimit r;
    int end = getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < 65536 ? (int)r.rlim_cur : 65536;
    for (int fd = (int)first; fd < end; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

static int child_groups(const struct plan *p)
{
    for (size_t i = 0; i < p->group_count; i++)
        if (write(p->groups[i], "0", 1) != 1)
            return errno;
    return 0;
}

static int child_limits(const struct plat_spawn *how)
{
    const struct rlimit memory = { how->memory_max, how->memory_max };
    const struct rlimit files = { how->files_max, how->files_max };
    const struct rlimit tasks = { how->tasks_max, how->tasks_max };
    if (how->memory_max && setrlimit(RLIMIT_AS, &memory) != 0)
        return errno;
    if (how->files_max && setrlimit(RLIMIT_NOFILE, &files) != 0)
        return errno;
    if (how->tasks_max && setrlimit(RLIMIT_NPROC, &tasks) != 0)
        return errno;
    return 0;
}

static int child_user(const struct plat_account *user)
{
    bool same = !user || (user->uid == geteuid() && user->uid != 0);
    if (same)
        return 0;
    if (setgroups(user->group_count, user->groups) != 0 || setgid(user->gid) != 0 ||
        setuid(user->uid) != 0)
        return errno;
    return user->uid != 0 && setuid(0) == 0 ? EPERM : 0;
}

MOOR_NORETURN static void child_main(struct plan *p)
{
    static char *const empty[] = { NULL };
    child_signals();
    int e = setsid() < 0 ? errno : child_groups(p);
    if (!e)
        e = child_descriptors(p);
    if (!e)
        e = child_limits(p->how);
    if (!e)
        e = child_user(p->how->user); /* last: a folder may be open to the user alone */
    if (!e && chdir(p->how->cwd ? p->how->cwd : "/") != 0)
        e = errno;
    if (!e) {
        (void)umask(022);
        (void)execve(p->how->argv[0], (char *const *)(uintptr_t)p->how->argv,
                     p->how->env ? (char *const *)(uintptr_t)p->how->env : empty);
        e = errno;
    }
    (void)!write(p->report, &e, sizeof(e));
    _exit(127);
}

/* Waits for one process in a thread of its own, where the kernel gives no descriptor for it. */
struct waiter {
    pid_t pid;
    int done; /* written end of a pipe: closing it is the event */
};

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    siginfo_t info;
    while (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    (void)close(w->done);
    free(w);
    return NULL;
}

int posix_exit_fd_by_thread(pid_t pid)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    struct waiter *w = calloc(1, sizeof(*w));
    sigset_t all, before;
    pthread_t id;
    int e = ENOMEM;
    if (w) {
        *w = (struct waiter){ pid, ends[1] };
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        e = pthread_create(&id, NULL, wait_in_thread, w);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (e) {
        free(w);
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    (void)pthread_detach(id);
    return ends[0];
}

static int exit_fd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0 ? fd : posix_exit_fd_by_thread(pid);
}

/* 0 when exec worked (the pipe is closed by it), else the child's errno. */
static int read_report(int fd)
{
    int e = 0;
    ssize_t n;
    do {
        n = read(fd, &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(e) ? e : 0;
}

static int start(struct plan *p, int report_read, pid_t *out)
{
    /* No handler of ours may run in the child. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int e = pid < 0 ? errno : 0;
    if (pid == 0)
        child_main(p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e)
        return e;
    (void)close(p->report);
    p->report = -1;
    e = read_report(report_read);
    if (e)
        (void)waitpid(pid, NULL, 0);
    *out = pid;
    return e;
}

moor_code plat_spawn(const struct plat_spawn *how, struct plat_process *out, struct moor_error *err)
{
    const char *name = how->argv[0];
    if (!name || name[0] != '/')
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want the absolute path of a program",
                         name ? name : "(none)");
    reap_orphans();

    MOOR_AUTO(plat_file) null = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) report = PLAT_FILE_INIT;
    int ends[2];
    null.fd_ = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null.fd_ < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return plat_fail(err, errno, "%s: cannot start", name);
    report.fd_ = ends[0];
    struct plan p = { .how = how, .report = ends[1] };
    const struct plat_file *files[] = { how->in, how->out, how->err, how->extra };
    for (size_t i = 0; i < MOOR_COUNTOF(files); i++)
        p.fds[i] = files[i] ? files[i]->fd_ : i < 3 ? null.fd_ : -1;

    if (how->group)
        p.group_count = posix_group_open(how->group, p.groups);
    pid_t pid = -1;
    int e = start(&p, report.fd_, &pid);
    for (size_t i = 0; i < p.group_count; i++)
        (void)close(p.groups[i]);
    if (p.report >= 0)
        (void)close(p.report);
    if (e)
        return plat_fail(err, e, "%s: cannot start", name);

    struct plat_process made = PLAT_PROCESS_INIT;
    struct posix_proc seen;
    made.pid = pid;
    made.exit_fd_ = exit_fd(pid);
    /* Even one that ended already is there to be read: it was not waited for. */
    if (posix_proc_read(pid, &seen))
        made.start_ = posix_proc_stamp(seen.start);
    if (made.exit_fd_ < 0) {
        e = errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return plat_fail(err, e, "%s: cannot watch", name);
    }
    *out = made;
    return MOOR_OK;
}

moor_code plat_process_poll(struct plat_process *p, bool *ended, struct plat_exit *how,
                            struct moor_error *err)
{
    if (p->pid <= 0 || p->ended_)
        return moor_fail(err, MOOR_E_BUG, "process %lld: was waited for", (long long)p->pid);
    int status = 0;
    pid_t r = waitpid((pid_t)p->pid, &status, WNOHANG);
    if (r < 0)
        return plat_fail(err, errno, "process %lld: cannot wait", (long long)p->pid);
    *ended = r > 0;
    if (r == 0)
        return MOOR_OK;
    how->signaled = WIFSIGNALED(status);
    how->code = how->signaled ? WTERMSIG(status) : WEXITSTATUS(status);
    p->ended_ = true;
    (void)close(p->exit_fd_);
    p->exit_fd_ = -1;
    return MOOR_OK;
}

void plat_process_kill_tree(const struct plat_process *p)
{
    if (p->pid > 1 && p->start_ != 0)
        posix_kill_tree((pid_t)p->pid, p->start_);
}

void plat_process_drop(struct plat_process *p)
{
    if (p->exit_fd_ >= 0)
        (void)close(p->exit_fd_);
    if (p->pid > 0 && !p->ended_)
        adopt((pid_t)p->pid);
    *p = (struct plat_process)PLAT_PROCESS_INIT;
}
