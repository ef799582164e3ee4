/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/journal.h"
#include "core/version.h"
#include "platform/clock.h"

#define LINE_MAX_BYTES (64 * 1024)
#define JSON_MAX       (4 * 1024 * 1024)

#define GREEN "\033[32m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"

void moor_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
}

void moor_say_json(const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(JSON_MAX);
    moor_buf_json_pretty(&text, v);
    (void)puts(moor_buf_cstr(&text));
}

static const char *color(const struct moor_cli *cli, const char *code)
{
    return cli->terminal && !cli->no_color ? code : "";
}

/* A full disk costs the log, not the command. */
static void log_line(struct moor_cli *cli, const char *level, const char *text)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF(2 * LINE_MAX_BYTES);
    moor_journal_line(&line, plat_utc_ms(), level, text, cli->verb ? cli->verb : "");
    if (plat_file_is_open(&cli->log) &&
        plat_append(&cli->log, moor_buf_view(&line), NULL) != MOOR_OK)
        plat_file_drop(&cli->log);
    if (cli->log_stderr)
        (void)fputs(moor_buf_cstr(&line), stderr);
}

void moor_cli_begin_log(struct moor_cli *cli)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(256);
    if (moor_journal_open(&cli->log, &err) != MOOR_OK)
        moor_warn(cli, "this command is not logged: %s", err.msg);
    moor_buf_fmt(&text, "mooring %s begins", moor_version());
    log_line(cli, "info", moor_buf_cstr(&text));
}

void moor_cli_end_log(struct moor_cli *cli, moor_azcm number)
{
    if (number == AZCM_OK)
        log_line(cli, "info", "done");
    plat_file_drop(&cli->log);
}

static const char *level_of(const char *prefix)
{
    return moor_streq(prefix, "error: ")     ? "fatal"
           : moor_streq(prefix, "warning: ") ? "warning"
                                             : "info";
}

/* Messages may quote what a server said: control characters do not reach the terminal. */
static void tell(struct moor_cli *cli, const char *prefix, const char *code, const char *text)
{
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(LINE_MAX_BYTES);
    log_line(cli, level_of(prefix), text);
    if (cli->log_stderr)
        return;
    for (const char *p = text; *p; p++)
        moor_buf_char(&clean, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
    if (cli->line_open)
        (void)fputc('\n', stderr);
    cli->line_open = false;
    (void)fprintf(stderr, "%s%s%s%s\n", color(cli, code), prefix, *code ? color(cli, PLAIN) : "",
                  moor_buf_cstr(&clean));
}

static void tell_formatted(struct moor_cli *cli, const char *prefix, const char *fmt, va_list ap)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_MAX_BYTES);
    moor_buf_vfmt(&text, fmt, ap);
    tell(cli, prefix, "", moor_buf_cstr(&text));
}

void moor_tell(struct moor_cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell_formatted(cli, "", fmt, ap);
    va_end(ap);
}

void moor_warn(struct moor_cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell_formatted(cli, "warning: ", fmt, ap);
    va_end(ap);
}

static void say_json_error(const struct moor_azcm_entry *row, const char *code,
                           const struct moor_error *err, const char *hint)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    struct moor_json *e = moor_json_set(v, "error", moor_json_new_object());
    moor_json_set_str(e, "code", code);
    moor_json_set_str(e, "name", row->name);
    moor_json_set_str(e, "message", err->msg);
    moor_json_set_str(e, "recommendedAction", hint);
    moor_json_set_str(e, "serviceCode", err->service_code);
    moor_json_set_str(e, "requestId", err->request_id);
    moor_say_json(v);
}

moor_azcm moor_cli_fail(struct moor_cli *cli, moor_azcm number, const struct moor_error *err,
                        const char *hint)
{
    const struct moor_azcm_entry *row = moor_azcm_find((int)number);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_MAX_BYTES);
    MOOR_AUTO(moor_buf) code = MOOR_BUF(32);
    moor_buf_fmt(&code, "AZCM%04d", (int)number);
    moor_buf_fmt(&text, "%s: %s: %s", moor_buf_cstr(&code), row->text, err->msg);
    if (*err->service_code && !strstr(err->msg, err->service_code))
        moor_buf_fmt(&text, " (%s)", err->service_code);
    tell(cli, "error: ", RED, moor_buf_cstr(&text));
    if (!hint)
        hint = row->remedy;
    if (*hint)
        tell(cli, "hint: ", "", hint);
    if (*err->request_id)
        tell(cli, "request id: ", "", err->request_id);
    if (cli->json)
        say_json_error(row, moor_buf_cstr(&code), err, hint);
    return number;
}

moor_azcm moor_cli_refuse(struct moor_cli *cli, moor_azcm number, const char *fmt, ...)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_MAX_BYTES);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&text, fmt, ap);
    va_end(ap);
    err.code = moor_fail(&err, MOOR_E_BADINPUT, "%s", moor_buf_cstr(&text));
    return moor_cli_fail(cli, number, &err, NULL);
}

/* Steps: an open line that is finished on a terminal, one line at the end elsewhere, an object a
 * line with -j. */

static void event(const char *step, const char *status, uint64_t ms)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1024);
    moor_buf_str(&b, "{\"event\":\"step\",\"step\":");
    moor_buf_json_str(&b, moor_span_str(step));
    moor_buf_fmt(&b, ",\"status\":\"%s\",\"ms\":%" PRIu64 "}", status, ms);
    (void)fprintf(stderr, "%s\n", moor_buf_cstr(&b));
}

static void on_begin(void *ctx, const char *step, const char *text, size_t at, size_t of)
{
    struct moor_cli *cli = ctx;
    if (cli->json || cli->log_stderr) {
        if (cli->json)
            event(step, "started", 0);
        return;
    }
    (void)fprintf(stderr, "[%zu/%zu] %s ...", at, of, text);
    (void)fflush(stderr);
    cli->line_open = true;
}

static void on_end(void *ctx, const char *step, bool failed, uint64_t ms)
{
    struct moor_cli *cli = ctx;
    MOOR_AUTO(moor_buf) line = MOOR_BUF(1024);
    moor_buf_fmt(&line, "%s: %s", step, failed ? "failed" : "done");
    log_line(cli, "info", moor_buf_cstr(&line));
    if (cli->json || cli->log_stderr) {
        if (cli->json)
            event(step, failed ? "failed" : "done", ms);
        return;
    }
    (void)fprintf(stderr, "%s%s%s%s (%" PRIu64 ".%" PRIu64 " s)\n", cli->line_open ? " " : "  ",
                  color(cli, failed ? RED : GREEN), failed ? "failed" : "done", color(cli, PLAIN),
                  ms / 1000, ms % 1000 / 100);
    cli->line_open = false;
}

static void on_note(void *ctx, const char *text)
{
    struct moor_cli *cli = ctx;
    if (!cli->json) {
        tell(cli, "  ", "", text);
        return;
    }
    MOOR_AUTO(moor_buf) b = MOOR_BUF(LINE_MAX_BYTES);
    moor_buf_str(&b, "{\"event\":\"note\",\"text\":");
    moor_buf_json_str(&b, moor_span_str(text));
    (void)fprintf(stderr, "%s}\n", moor_buf_cstr(&b));
}

static void on_code(void *ctx, const char *url, const char *code, uint64_t seconds)
{
    struct moor_cli *cli = ctx;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(LINE_MAX_BYTES);
    if (!cli->json) {
        moor_buf_fmt(&b, "to sign in, open %s and enter the code %s within %" PRIu64 " minutes",
                     url, code, seconds / 60);
        tell(cli, "  ", "", moor_buf_cstr(&b));
        return;
    }
    moor_buf_str(&b, "{\"event\":\"deviceCode\",\"verificationUri\":");
    moor_buf_json_str(&b, moor_span_str(url));
    moor_buf_str(&b, ",\"userCode\":");
    moor_buf_json_str(&b, moor_span_str(code));
    (void)fprintf(stderr, "%s,\"expiresIn\":%" PRIu64 "}\n", moor_buf_cstr(&b), seconds);
    (void)fflush(stderr);
}

struct moor_progress moor_cli_progress(struct moor_cli *cli)
{
    return (struct moor_progress){
        .begin = on_begin, .end = on_end, .note = on_note, .code = on_code, .ctx = cli
    };
}
