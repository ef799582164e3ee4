/* SPDX-License-Identifier: Apache-2.0 */
/*
 * himds_load: asks a local HTTP server over connections that are kept, from one thread, and says on
 * one line of JSON what came of it. It counts on well-formed answers with a Content-Length.
 *
 *   himds_load PORT PATH static CONNECTIONS SECONDS      one request after the other
 *   himds_load PORT PATH token CONNECTIONS SECONDS       the two requests of a token, and the file
 *   himds_load PORT PATH rate CONNECTIONS SECONDS RATE   so many tokens a second, evenly
 *   himds_load PORT PATH burst CONNECTIONS SECONDS       one token for each connection, all at once
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 8192
#define TIMES_MAX  4000000

struct conn {
    int fd;
    bool busy, second, ended; /* second: the request with the key is out */
    double since;             /* when the token was due */
    size_t got;
    char answer[ANSWER_MAX];
};

static struct {
    int port, epoll;
    const char *path;
    bool is_static, is_rate, is_burst;
    int connections;
    double seconds, rate;
    struct conn *conns;
    long requests, tokens, failed;
    float *times; /* ms a token */
    char first[1024];
    int first_len;
} g;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_all(struct conn *c, const char *text, size_t n)
{
    if (write(c->fd, text, n) != (ssize_t)n)
        die("write");
    c->got = 0;
}

static void start(struct conn *c, double since)
{
    c->busy = true;
    c->second = false;
    c->since = since;
    send_all(c, g.first, (size_t)g.first_len);
}

static void open_conn(struct conn *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)g.port) };
    const int on = 1;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    if (epoll_ctl(g.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("epoll_ctl");
}

/* The whole answer's length once its head is there, else 0. */
static size_t answer_length(const struct conn *c)
{
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = strcasestr(c->answer, "\ncontent-length: ");
    if (!length || length > end)
        die("no Content-Length");
    return (size_t)(end - c->answer) + 4 + strtoul(length + 17, NULL, 10);
}

static void answer_challenge(struct conn *c)
{
    char path[512], text[1600], key[128];
    const char *realm = strcasestr(c->answer, "realm=");
    size_t n = realm ? strcspn(realm + 6, "\r\n") : 0;
    if (n == 0 || n >= sizeof(path))
        die("no realm");
    memcpy(path, realm + 6, n);
    path[n] = '\0';
    int fd = open(path, O_RDONLY);
    ssize_t k = fd < 0 ? -1 : read(fd, key, sizeof(key));
    if (k <= 0)
        die(path);
    close(fd);
    int len = snprintf(text, sizeof(text), "%.*sAuthorization: Basic %.*s\r\n\r\n", g.first_len - 2,
                       g.first, (int)k, key);
    c->second = true;
    send_all(c, text, (size_t)len);
}

static void token_done(struct conn *c, bool well)
{
    double t = now();
    if (well && g.tokens < TIMES_MAX)
        g.times[g.tokens++] = (float)((t - c->since) * 1000);
    g.failed += !well;
    c->busy = false;
    c->ended = g.is_burst;
    if (!g.is_rate && !g.is_burst)
        start(c, t);
}

static void on_answer(struct conn *c)
{
    int status = atoi(c->answer + 9);
    g.requests++;
    if (g.is_static)
        token_done(c, status == 200);
    else if (!c->second && status == 401)
        answer_challenge(c);
    else
        token_done(c, status == 200);
}

static void on_readable(struct conn *c)
{
    ssize_t n = read(c->fd, c->answer + c->got, ANSWER_MAX - 1 - c->got);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        epoll_ctl(g.epoll, EPOLL_CTL_DEL, c->fd, NULL);
        g.failed += c->busy;
        c->busy = false;
        c->ended = true;
        return;
    }
    c->got += (size_t)n;
    c->answer[c->got] = '\0';
    size_t want = answer_length(c);
    if (want && c->got >= want)
        on_answer(c);
}

/* Starts what is due by now, as far as connections are free; says when the next one is due. */
static double start_due(double begun, long *started)
{
    double t = now(), due;
    while ((due = begun + (double)*started / g.rate) <= t) {
        struct conn *c = NULL;
        for (int i = 0; i < g.connections && !c; i++)
            if (!g.conns[i].busy)
                c = &g.conns[i];
        if (!c)
            return t + 0.001;
        start(c, due);
        ++*started;
    }
    return due;
}

static bool all_ended(void)
{
    for (int i = 0; i < g.connections; i++)
        if (!g.conns[i].ended)
            return false;
    return true;
}

static void run(void)
{
    struct epoll_event events[256];
    long started = 0;
    double begun = now(), end = begun + g.seconds;
    for (int i = 0; i < g.connections && !g.is_rate; i++)
        start(&g.conns[i], begun);
    while (now() < end && !(g.is_burst && all_ended())) {
        double wait = g.is_rate ? start_due(begun, &started) - now() : 0.1;
        const struct timespec limit = { 0, wait > 0 ? (long)(wait * 1e9) : 0 };
        int n = epoll_pwait2(g.epoll, events, 256, &limit, NULL);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr);
    }
    g.seconds = now() - begun;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double part(double p)
{
    long at = (long)((double)g.tokens * p);
    return g.tokens ? (double)g.times[at < g.tokens ? at : g.tokens - 1] : 0;
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 7) {
        fprintf(stderr, "usage: himds_load PORT PATH MODE CONNECTIONS SECONDS [RATE]\n");
        return 2;
    }
    g.port = atoi(argv[1]);
    g.path = argv[2];
    g.is_static = strcmp(argv[3], "static") == 0;
    g.is_rate = strcmp(argv[3], "rate") == 0;
    g.is_burst = strcmp(argv[3], "burst") == 0;
    g.connections = atoi(argv[4]);
    g.seconds = atof(argv[5]);
    g.rate = argc > 6 ? atof(argv[6]) : 0;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    g.first_len =
        snprintf(g.first, sizeof(g.first),
                 "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nMetadata: true\r\n\r\n", g.path, g.port);
    g.epoll = epoll_create1(0);
    g.conns = calloc((size_t)g.connections, sizeof(*g.conns));
    g.times = malloc(TIMES_MAX * sizeof(*g.times));
    if (!g.conns || !g.times)
        die("memory");
    double begun = now();
    for (int i = 0; i < g.connections; i++)
        open_conn(&g.conns[i]);
    double connected = now() - begun;
    run();
    qsort(g.times, (size_t)g.tokens, sizeof(*g.times), by_size);
    printf("{\"requests\": %ld, \"done\": %ld, \"failed\": %ld, \"seconds\": %.3f, "
           "\"connect_s\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           g.requests, g.tokens, g.failed, g.seconds, connected, part(0.5), part(0.99), part(1));
    return 0;
}
