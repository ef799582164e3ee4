/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that reading lines, making JSON of them, compressing and posting can cost: one thread,
 * no TLS, nothing durable, nothing checked. tests/bench/logs compares the forwarder with it.
 *
 *   floor isal|zlib|libdeflate|none LEVEL FILE PORT      prints the number of lines
 */
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define WINDOW   ((size_t)256 * 1024)
#define RAW_MAX  ((size_t)8 * 1024 * 1024)
#define RAW_BODY ((size_t)3800 * 1000) /* about a megabyte of wire */

static const char before[] = "{\"TimeGenerated\":\"2026-11-22T17:19:30.000Z\",\"RawData\":\"";
static const char after[] = "\",\"FilePath\":\"/var/log/app.log\",\"Computer\":\"bench\"},";
static char raw[RAW_MAX], out[RAW_MAX], window[WINDOW];
static size_t raw_len;

static void add(const void *p, size_t n)
{
    memcpy(raw + raw_len, p, n);
    raw_len += n;
}

static void add_escaped(const char *p, size_t n)
{
    char *to = raw + raw_len;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"' || p[i] == '\\')
            *to++ = '\\';
        *to++ = p[i];
    }
    raw_len = (size_t)(to - raw);
}

static size_t with_isal(int level)
{
    static struct isal_zstream z;
    static unsigned char room[ISAL_DEF_LVL3_DEFAULT];
    isal_deflate_init(&z);
    z.level = (unsigned)level;
    z.level_buf = room;
    z.level_buf_size = sizeof(room);
    z.gzip_flag = IGZIP_GZIP;
    z.end_of_stream = 1;
    z.next_in = (unsigned char *)raw;
    z.avail_in = (unsigned)raw_len;
    z.next_out = (unsigned char *)out;
    z.avail_out = sizeof(out);
    isal_deflate(&z);
    return sizeof(out) - z.avail_out;
}

static size_t with_zlib(int level)
{
    static z_stream z;
    static int ready;
    if (!ready)
        ready = deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    deflateReset(&z);
    z.next_in = (unsigned char *)raw;
    z.avail_in = (unsigned)raw_len;
    z.next_out = (unsigned char *)out;
    z.avail_out = sizeof(out);
    deflate(&z, Z_FINISH);
    return sizeof(out) - z.avail_out;
}

static size_t with_libdeflate(int level)
{
    static struct libdeflate_compressor *c;
    if (!c)
        c = libdeflate_alloc_compressor(level);
    return libdeflate_gzip_compress(c, raw, raw_len, out, sizeof(out));
}

static size_t with_nothing(int level)
{
    (void)level;
    memcpy(out, raw, raw_len);
    return raw_len;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, 0);
        if (sent <= 0)
            exit(1);
        p += sent;
        n -= (size_t)sent;
    }
}

static void post(int fd, size_t (*squeeze)(int level), int level)
{
    char head[256], answer[1024];
    raw[raw_len - 1] = ']';
    size_t n = squeeze(level);
    const char *coding = squeeze == with_nothing ? "" : "Content-Encoding: gzip\r\n";
    raw_len = 0;
    int len = snprintf(head, sizeof(head),
                       "POST /floor HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s\r\n",
                       n, coding);
    send_all(fd, head, (size_t)len);
    send_all(fd, out, n);
    if (recv(fd, answer, sizeof(answer), 0) <= 0 || memcmp(answer, "HTTP/1.1 204", 12) != 0)
        exit(1);
}

static int connect_to(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        exit(1);
    return fd;
}

static size_t take_lines(size_t have, size_t *lines)
{
    const char *at = window, *end = window + have, *lf;
    while (at < end && (lf = memchr(at, '\n', (size_t)(end - at)))) {
        add(before, sizeof(before) - 1);
        add_escaped(at, (size_t)(lf - at));
        add(after, sizeof(after) - 1);
        at = lf + 1;
        ++*lines;
    }
    memmove(window, at, (size_t)(end - at));
    return (size_t)(end - at);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        size_t (*squeeze)(int level);
    } ways[] = { { "isal", with_isal },
                 { "zlib", with_zlib },
                 { "libdeflate", with_libdeflate },
                 { "none", with_nothing } };
    size_t way = 0, have = 0, lines = 0;
    if (argc != 5)
        return 2;
    while (way < 3 && strcmp(ways[way].name, argv[1]) != 0)
        way++;
    FILE *in = fopen(argv[3], "rb");
    int fd = connect_to(atoi(argv[4]));
    if (!in)
        return 1;
    for (size_t got; (got = fread(window + have, 1, WINDOW - have, in)) > 0;) {
        if (raw_len == 0)
            add("[", 1);
        have = take_lines(have + got, &lines);
        if (raw_len >= RAW_BODY)
            post(fd, ways[way].squeeze, atoi(argv[2]));
    }
    if (raw_len > 1)
        post(fd, ways[way].squeeze, atoi(argv[2]));
    printf("%zu\n", lines);
    return 0;
}
