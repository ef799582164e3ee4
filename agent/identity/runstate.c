/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/runstate.h"

#include <stdio.h>
#include <string.h>

#include "base/jsontab.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/random.h"
#include "run/log.h"

#define OWN_FOLDER "identity" /* in <RUN>, which is root's: this one is the role's own */
#define BEAT_NAME  "heartbeat.json"
#define TAGS_NAME  "tags.json"
#define TAGS_MAX   65536

struct beat_doc {
    const char *boot_id;
    uint64_t sequence;
    int64_t last_beat_ms;
    uint32_t wait_seconds, period_s;
    const char *revision;
};
static const struct moor_json_field beat_fields[] = {
    { MOOR_F_STR, "bootId", offsetof(struct beat_doc, boot_id), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_U64, "sequence", offsetof(struct beat_doc, sequence), MOOR_F_REQUIRED, 0, INT64_MAX,
      NULL },
    { MOOR_F_TIME, "lastHeartbeat", offsetof(struct beat_doc, last_beat_ms), 0, 0, 0, NULL },
    { MOOR_F_U32, "waitSeconds", offsetof(struct beat_doc, wait_seconds), 0, 0, 300, NULL },
    { MOOR_F_U32, "nextHeartbeatSeconds", offsetof(struct beat_doc, period_s), 0, 0, 86400, NULL },
    { MOOR_F_STR, "revision", offsetof(struct beat_doc, revision), 0, 0, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape beat_shape = { sizeof(struct beat_doc), beat_fields, 0 };

static moor_code own_path(const char *name, char **out, struct moor_error *err)
{
    return plat_path(PLAT_DIR_RUN, out, err, "%s/%s", OWN_FOLDER, name);
}

static bool is_boot_id(struct moor_span s)
{
    if (s.n != MOOR_BOOT_ID_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
            return false;
    return true;
}

static void hex_of(const unsigned char bytes[16], char out[MOOR_BOOT_ID_LEN + 1])
{
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static moor_code read_boot_id(const char *path, char out[MOOR_BOOT_ID_LEN + 1],
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(256);
    moor_code c = plat_read_all(path, 256, &text, err);
    if (c)
        return c;
    struct moor_span id = moor_span_trim(moor_buf_view(&text));
    if (!is_boot_id(id))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want 32 hexadecimal digits", path);
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return MOOR_OK;
}

/* Two roles may start at once: whoever creates the file wins, the other reads it. */
static moor_code make_boot_id(const char *path, char out[MOOR_BOOT_ID_LEN + 1],
                              struct moor_error *err)
{
    unsigned char bytes[16];
    plat_random(bytes, sizeof(bytes));
    hex_of(bytes, out);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = plat_create_new(path, PLAT_WORLD_READ, &f, err);
    if (c == MOOR_E_EXISTS)
        return read_boot_id(path, out, err);
    return c ? c : plat_append(&f, moor_span(out, MOOR_BOOT_ID_LEN), err);
}

/* Of the kernel's boot id and this machine's name: not the same in a container and its copy. */
static void derive_boot_id(const char *vm_id, char out[MOOR_BOOT_ID_LEN + 1])
{
    char kernel[40];
    unsigned char sum[32];
    plat_host_boot_id(kernel);
    moor_hmac_sha256(moor_span_str(vm_id), moor_span_str(kernel), sum);
    hex_of(sum, out);
}

static void load_boot_id(struct moor_runstate *s, const char *vm_id)
{
    MOOR_AUTOSTR path = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = plat_path(PLAT_DIR_RUN, &path, &err, "boot-id");
    if (!c)
        c = read_boot_id(path, s->boot_id, &err);
    if (c == MOOR_E_NOTFOUND)
        c = make_boot_id(path, s->boot_id, &err);
    if (!c)
        return;
    moor_log_error(MOOR_LOG_WARNING, "bootid.derived", &err, NULL);
    derive_boot_id(vm_id, s->boot_id);
}

void moor_runstate_load(struct moor_runstate *s, const char *vm_id)
{
    *s = (struct moor_runstate){ 0 };
    load_boot_id(s, vm_id);

    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2048);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    MOOR_AUTOSTR path = NULL;
    struct beat_doc doc = { 0 };
    moor_code c = own_path(BEAT_NAME, &path, NULL);
    if (!c)
        c = plat_read_all(path, 1024, &text, NULL);
    if (!c)
        c = moor_json_decode(moor_buf_view(&text), path, &beat_shape, &doc, &arena, NULL);
    if (c || !moor_streq(doc.boot_id, s->boot_id))
        return; /* none, or of an earlier boot */
    s->sequence = doc.sequence;
    s->last_beat_ms = doc.last_beat_ms;
    s->wait_seconds = doc.wait_seconds;
    s->period_s = doc.period_s;
    (void)snprintf(s->revision, sizeof(s->revision), "%s", doc.revision ? doc.revision : "");
}

static moor_code write_own(const char *name, const struct moor_buf *text, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOSTR path = NULL;
    moor_code c = moor_buf_ok(text, name, err);
    if (!c)
        c = plat_path(PLAT_DIR_RUN, &folder, err, "%s", OWN_FOLDER);
    if (!c)
        c = plat_make_dirs(folder, PLAT_WORLD_READ, err);
    if (!c)
        c = own_path(name, &path, err);
    return c ? c : plat_write_atomic(path, moor_buf_view(text), PLAT_WORLD_READ, err);
}

moor_code moor_runstate_save(const struct moor_runstate *s, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    const struct beat_doc doc = { s->boot_id,      s->sequence, s->last_beat_ms,
                                  s->wait_seconds, s->period_s, s->revision };
    moor_json_encode(&text, &beat_shape, &doc);
    return write_own(BEAT_NAME, &text, err);
}

struct moor_json *moor_runstate_tags(void)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(TAGS_MAX);
    MOOR_AUTOSTR path = NULL;
    struct moor_json *tags = NULL;
    moor_code c = own_path(TAGS_NAME, &path, NULL);
    if (!c)
        c = plat_read_all(path, TAGS_MAX, &text, NULL);
    if (!c)
        c = moor_json_parse(moor_buf_view(&text), &tags, NULL);
    return c ? NULL : tags;
}

moor_code moor_runstate_save_tags(const struct moor_json *tags, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(TAGS_MAX);
    moor_buf_json(&text, tags);
    return write_own(TAGS_NAME, &text, err);
}

void moor_runstate_forget(void)
{
    static const char *const names[] = { BEAT_NAME, TAGS_NAME };
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++) {
        MOOR_AUTOSTR path = NULL;
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = own_path(names[i], &path, &err);
        if (!c)
            c = plat_remove(path, &err);
        if (c && c != MOOR_E_NOTFOUND)
            moor_log_error(MOOR_LOG_WARNING, "state.not_removed", &err, NULL);
    }
}
