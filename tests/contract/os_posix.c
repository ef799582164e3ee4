/* SPDX-License-Identifier: Apache-2.0 */
#include "os.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/span.h"
#include "platform/file.h"

static char temp[64];
static size_t descriptors_at_start;

static void remove_temp(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (plat_remove_tree(temp, &err) != MOOR_OK)
        printf("# %s\n", err.msg);
}

const char *os_temp_dir(void)
{
    if (!temp[0]) {
        (void)snprintf(temp, sizeof(temp), "/tmp/moor-test-XXXXXX");
        MOOR_ASSERT(mkdtemp(temp));
        descriptors_at_start = os_open_descriptors();
        MOOR_ASSERT(atexit(remove_temp) == 0);
    }
    return temp;
}

const char *os_temp(const char *name)
{
    static char *kept[256];
    static size_t count;
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", os_temp_dir(), name);
    for (size_t i = 0; i < count; i++)
        if (strcmp(kept[i], path) == 0)
            return kept[i];
    MOOR_ASSERT(count < MOOR_COUNTOF(kept));
    return kept[count++] = moor_strdup(path);
}

void os_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    MOOR_ASSERT(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

const char *os_read(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    return text;
}

void os_link(const char *target, const char *path)
{
    MOOR_ASSERT(symlink(target, path) == 0);
}

void os_hard_link(const char *file, const char *path)
{
    MOOR_ASSERT(link(file, path) == 0);
}

void os_pipe_node(const char *path)
{
    MOOR_ASSERT(mkfifo(path, 0600) == 0);
}

unsigned os_umask(unsigned mask)
{
    return umask(mask);
}

void os_mode(const char *path, unsigned mode)
{
    MOOR_ASSERT(chmod(path, mode) == 0);
}

bool os_give_away(const char *path)
{
    return chown(path, 65533, 65533) == 0;
}

void os_setenv(const char *name, const char *value)
{
    MOOR_ASSERT((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

size_t os_open_descriptors(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    MOOR_ASSERT(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

size_t os_new_descriptors(void)
{
    return os_open_descriptors() - descriptors_at_start;
}

void os_sleep_ms(unsigned ms)
{
    const struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&t, NULL);
}

bool os_wait_readable(int fd, unsigned ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, (int)ms) == 1;
}

void os_limit_file_size(size_t bytes)
{
    struct rlimit r;
    MOOR_ASSERT(getrlimit(RLIMIT_FSIZE, &r) == 0);
    r.rlim_cur = bytes ? bytes : r.rlim_max;
    MOOR_ASSERT(setrlimit(RLIMIT_FSIZE, &r) == 0);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    MOOR_ASSERT(sigaction(SIGXFSZ, &ignore, NULL) == 0);
}

int os_connect_tcp(const char *address, uint16_t port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    MOOR_ASSERT(is_v4 || inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = is_v4 ? connect(fd, (const struct sockaddr *)&v4, sizeof(v4))
                  : connect(fd, (const struct sockaddr *)&v6, sizeof(v6));
    if (r == 0)
        return fd;
    (void)close(fd);
    return -1;
}

int os_listen_messages(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4) != 0)
        abort();
    return fd;
}

int os_accept(int listener)
{
    return os_wait_readable(listener, 10000) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static const char *const cgroup_roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

static bool move_to(const char *folder)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool moved = fd >= 0 && write(fd, "0", 1) == 1;
    if (fd >= 0)
        (void)close(fd);
    return moved;
}

const char *os_enter_cgroup(const char *name)
{
    static char group[64];
    for (size_t i = 0; i < MOOR_COUNTOF(cgroup_roots); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", cgroup_roots[i], name);
        if (mkdir(path, 0755) != 0)
            continue;
        if (move_to(path)) {
            (void)snprintf(group, sizeof(group), "/%s", name);
            return group;
        }
        (void)rmdir(path);
    }
    return NULL;
}

void os_leave_cgroup(const char *name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(cgroup_roots); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", cgroup_roots[i], name);
        if (move_to(cgroup_roots[i]))
            (void)rmdir(path);
    }
}

const void *os_address(const char *address, size_t *n)
{
    static struct sockaddr_in v4;
    static struct sockaddr_in6 v6;
    v4 = (struct sockaddr_in){ .sin_family = AF_INET };
    v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        *n = sizeof(v4);
        return &v4;
    }
    MOOR_ASSERT(inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
    *n = sizeof(v6);
    return &v6;
}

size_t os_read_socket(int fd, char *room, size_t n)
{
    ssize_t r = read(fd, room, n);
    return r > 0 ? (size_t)r : 0;
}

void os_leaky_descriptors(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, that is the point */
        MOOR_ASSERT(fds[i] >= 0);
    }
}

void os_block_signals(bool block)
{
    sigset_t some;
    struct sigaction act = { .sa_handler = block ? SIG_IGN : SIG_DFL };
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    MOOR_ASSERT(sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &some, NULL) == 0);
    MOOR_ASSERT(sigaction(SIGHUP, &act, NULL) == 0 && sigaction(SIGPIPE, &act, NULL) == 0);
}

static size_t count_where(bool (*fn)(long pid, const char *word), const char *word)
{
    size_t n = 0;
    DIR *d = opendir("/proc");
    MOOR_ASSERT(d);
    const struct dirent *e;
    while ((e = readdir(d)))
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            n += fn(strtol(e->d_name, NULL, 10), word);
    (void)closedir(d);
    return n;
}

static bool runs(long pid, const char *word)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        (void)fclose(f);
    text[n] = '\0';
    for (size_t i = 0; i < n; i += strlen(text + i) + 1)
        if (strcmp(text + i, word) == 0)
            return true;
    return false;
}

static bool is_zombie(long pid, const char *word)
{
    (void)word;
    char path[64], text[512];
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        (void)fclose(f);
    text[n] = '\0';
    const char *state = strrchr(text, ')');
    return state && state[1] && state[2] == 'Z' && strtol(state + 3, NULL, 10) == getpid();
}

size_t os_count_processes(const char *word)
{
    return count_where(runs, word);
}

size_t os_count_zombies(void)
{
    return count_where(is_zombie, NULL);
}

int os_notify_socket(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", os_temp("notify"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    MOOR_ASSERT(fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
    os_setenv("NOTIFY_SOCKET", a.sun_path);
    return fd;
}

void os_pass_socket(int fd, const char *name)
{
    char pid[16];
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    MOOR_ASSERT(!name || dup2(fd, 3) == 3);
    if (fd > 3)
        (void)close(fd);
    os_setenv("LISTEN_PID", name ? pid : NULL);
    os_setenv("LISTEN_FDS", name ? "1" : NULL);
    os_setenv("LISTEN_FDNAMES", name);
}

void os_capture_errors(const char *path)
{
    static int before = -1;
    (void)fflush(stderr);
    if (before < 0)
        before = fcntl(2, F_DUPFD_CLOEXEC, 10);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : before;
    MOOR_ASSERT(fd >= 0 && dup2(fd, 2) == 2);
    if (path)
        (void)close(fd);
}

void os_pretend_journal(bool on)
{
    struct stat st;
    char name[64];
    MOOR_ASSERT(fstat(2, &st) == 0);
    (void)snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    os_setenv("JOURNAL_STREAM", on ? name : "1:1");
}

bool os_leaves_memory(void)
{
    struct rlimit core = { 1, 1 };
    return prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0;
}
