/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_child: the program contract tests start. It is linked with nothing of the project, so
 * that what it sees is what plat_spawn() made. The first argument says what it does.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int number(const char *text)
{
    return text ? (int)strtol(text, NULL, 10) : 0;
}

/* Open descriptors, one line: "0 1 2". */
static int list_descriptors(const char *arg)
{
    (void)arg;
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' && number(e->d_name) != dirfd(d))
            printf("%s ", e->d_name);
    printf("\n");
    return 0;
}

static int show_environment(const char *arg)
{
    (void)arg;
    for (char **e = environ; *e; e++)
        printf("%s\n", *e);
    return 0;
}

/* How it was set up: session leader, folder, umask, signals blocked and ignored, limits. */
static int show_setup(const char *arg)
{
    (void)arg;
    char cwd[4096], line[256];
    struct rlimit memory, files;
    mode_t mask = umask(0);
    (void)getrlimit(RLIMIT_AS, &memory);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    printf("leader=%d cwd=%s umask=%03o memory=%lld files=%lld\n",
           getsid(0) == getpid() && getpgrp() == getpid(), getcwd(cwd, sizeof(cwd)), (unsigned)mask,
           (long long)memory.rlim_cur, (long long)files.rlim_cur);
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
            printf("%s", line);
    return 0;
}

/* What scripts do: they open their standard output again by name. */
static int write_through_dev_stdout(const char *arg)
{
    (void)arg;
    FILE *f = fopen("/dev/stdout", "ae");
    return f && fputs("again\n", f) >= 0 && fclose(f) == 0 ? 0 : 1;
}

static int echo(const char *arg)
{
    (void)arg;
    char room[64];
    ssize_t n = read(0, room, sizeof(room));
    return write(1, room, n > 0 ? (size_t)n : 0) == n && write(2, "err", 3) == 3 ? 0 : 1;
}

static int write_to_extra(const char *arg)
{
    (void)arg;
    return write(3, "extra", 5) == 5 ? 0 : 1;
}

/* Ends at once, leaving a process behind that holds the standard output open for arg ms. */
static int leave_behind(const char *arg)
{
    pid_t pid = fork();
    if (pid == 0)
        usleep((useconds_t)number(arg) * 1000);
    else
        printf("%d\n", (int)pid);
    return 0;
}

/* Itself, a child, a grandchild, and a child in a session of its own, all waiting for ever. */
static int tree(const char *arg)
{
    (void)arg;
    int ready[2];
    char c;
    if (pipe(ready) != 0)
        return 1;
    if (fork() == 0) {
        if (fork() != 0)
            (void)signal(SIGTERM, SIG_IGN);
    } else if (fork() == 0) {
        (void)setsid();
    } else {
        for (int i = 0; i < 3; i++)
            (void)!read(ready[0], &c, 1);
        printf("ready\n");
        (void)fflush(stdout);
        for (;;)
            (void)pause();
    }
    (void)!write(ready[1], "x", 1);
    for (;;)
        (void)pause();
}

static int sleep_ms(const char *arg)
{
    usleep((useconds_t)number(arg) * 1000);
    return 0;
}

static int end_with(const char *arg)
{
    return number(arg);
}

static int end_by_signal(const char *arg)
{
    return raise(number(arg));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*fn)(const char *arg);
    } acts[] = {
        { "descriptors", list_descriptors },
        { "environment", show_environment },
        { "setup", show_setup },
        { "dev-stdout", write_through_dev_stdout },
        { "echo", echo },
        { "extra", write_to_extra },
        { "leave-behind", leave_behind },
        { "tree", tree },
        { "sleep", sleep_ms },
        { "exit", end_with },
        { "raise", end_by_signal },
    };
    for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(acts[0]); i++)
        if (strcmp(argv[1], acts[i].name) == 0)
            return acts[i].fn(argc > 2 ? argv[2] : NULL);
    return 99;
}
