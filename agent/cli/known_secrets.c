/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/known_secrets.h"

#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "contract/settings.h"
#include "core/settings.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "crypto/key.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define FILE_MAX_BYTES (64 * 1024)
#define WORD_MIN       8

static void add_words(struct moor_redactor *r, struct moor_span text)
{
    size_t begin = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && !strchr(" \t\r\n\"'`;,=", text.p[i]))
            continue;
        if (i - begin >= WORD_MIN)
            moor_redactor_add(r, moor_span(text.p + begin, i - begin));
        begin = i + 1;
    }
}

static void add_text(struct moor_redactor *r, struct moor_span text)
{
    moor_redactor_add(r, text);
    add_words(r, text);
}

/* Depth is that of a parsed value: MOOR_JSON_DEPTH_MAX at most. */
static void add_value(struct moor_redactor *r,
                      const struct moor_json *v) // NOLINT(misc-no-recursion)
{
    const char *text = moor_json_str(v);
    if (text)
        add_text(r, moor_span_str(text));
    MOOR_JSON_EACH(child, v)
    {
        add_value(r, child);
    }
}

void moor_known_secrets_json(struct moor_redactor *r, struct moor_span text)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (moor_json_parse(text, &v, NULL) == MOOR_OK)
        add_value(r, v);
    else
        add_text(r, text);
}

/* Every line of a file: keys in PEM, challenge keys, "user:password". */
static void add_file(struct moor_redactor *r, const char *path)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(FILE_MAX_BYTES);
    if (plat_read_all(path, FILE_MAX_BYTES, &text, NULL) != MOOR_OK)
        return;
    struct moor_span rest = moor_buf_view(&text);
    while (rest.p) {
        struct moor_span line = moor_span_trim(moor_span_cut(&rest, '\n'));
        struct moor_span password = line;
        if (moor_span_starts(line, "-----"))
            continue;
        moor_redactor_add(r, line);
        (void)moor_span_cut(&password, ':');
        if (password.p)
            moor_redactor_add(r, password);
    }
}

struct folder_walk {
    struct moor_redactor *r;
    const char *path;
};

static bool add_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct folder_walk *w = ctx;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", w->path, name);
    if (st->is_file && (moor_span_ends(moor_span_str(name), ".key") ||
                        moor_span_ends(moor_span_str(name), ".prv")))
        add_file(w->r, moor_buf_cstr(&path));
    return true;
}

static void add_folder(struct moor_redactor *r, const char *path)
{
    struct folder_walk w = { r, path };
    moor_code c = plat_list_dir(path, add_entry, &w, NULL);
    (void)c; /* not there: no secrets */
}

static moor_code read_pair(const char *thumbprint, struct moor_cert **cert, struct moor_key **key)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(FILE_MAX_BYTES);
    MOOR_AUTO(moor_buf) prv = MOOR_BUF_SECRET(FILE_MAX_BYTES);
    const char *handlers = plat_dir_path(PLAT_DIR_HANDLERS);
    if (strspn(thumbprint, "0123456789ABCDEFabcdef") != strlen(thumbprint))
        return moor_fail(NULL, MOOR_E_BADINPUT, "thumbprint");
    moor_buf_fmt(&path, "%s/%s.crt", handlers, thumbprint);
    moor_code c = plat_read_all(moor_buf_cstr(&path), FILE_MAX_BYTES, &pem, NULL);
    moor_buf_reset(&path);
    moor_buf_fmt(&path, "%s/%s.prv", handlers, thumbprint);
    if (c == MOOR_OK)
        c = plat_read_all(moor_buf_cstr(&path), FILE_MAX_BYTES, &prv, NULL);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&pem), cert, NULL);
    return c == MOOR_OK ? moor_key_from_pem(moor_buf_view(&prv), key, NULL) : c;
}

static void add_protected(struct moor_redactor *r, const struct moor_handler_settings *s)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(MOOR_SETTINGS_MAX);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    if (!s->protected_settings || !s->protected_thumbprint ||
        read_pair(s->protected_thumbprint, &cert, &key) != MOOR_OK ||
        moor_base64_decode(moor_span_str(s->protected_settings), &der, NULL) != MOOR_OK ||
        moor_cms_decrypt(cert, key, moor_buf_view(&der), &clear, NULL) != MOOR_OK)
        return;
    moor_known_secrets_json(r, moor_secret_reveal(&clear));
}

static bool add_settings_file(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct folder_walk *w = ctx;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * MOOR_SETTINGS_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    struct moor_handler_settings s;
    moor_buf_fmt(&path, "%s/%s", w->path, name);
    if (st->is_file && moor_span_ends(moor_span_str(name), ".settings") &&
        plat_read_all(moor_buf_cstr(&path), MOOR_SETTINGS_MAX, &text, NULL) == MOOR_OK &&
        moor_handler_settings_parse(moor_buf_view(&text), &s, &arena, NULL) == MOOR_OK)
        add_protected(w->r, &s);
    return true;
}

static bool add_handler(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct folder_walk *outer = ctx;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s/config", outer->path, name);
    struct folder_walk w = { outer->r, moor_buf_cstr(&path) };
    if (st->is_dir) {
        moor_code c = plat_list_dir(w.path, add_settings_file, &w, NULL);
        (void)c; /* a folder that is no handler's */
    }
    return true;
}

void moor_known_secrets(struct moor_redactor *r, const struct moor_settings *settings)
{
    struct folder_walk handlers = { r, plat_dir_path(PLAT_DIR_HANDLERS) };
    add_folder(r, plat_dir_path(PLAT_DIR_CERTS));
    add_folder(r, plat_dir_path(PLAT_DIR_TOKENS));
    add_folder(r, handlers.path);
    if (*settings->proxy_credentials_file)
        add_file(r, settings->proxy_credentials_file);
    moor_code c = plat_list_dir(handlers.path, add_handler, &handlers, NULL);
    (void)c; /* none yet */
}
