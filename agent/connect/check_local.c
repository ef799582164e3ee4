/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/check_local.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "connect/himds.h"
#include "connect/session.h"
#include "platform/account.h"
#include "platform/caller.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/self.h"

#define PORT         40342
#define CALL_MS      (10 * 1000)
#define TOKEN_PATH   "/metadata/identity/oauth2/token"
#define TOKEN_MS     (40 * 1000)
#define KEY_MAX      4096
#define REALM        "Basic realm="
#define SDK_TOKENS   "/var/opt/azcmagent/tokens"
#define ARM_AUDIENCE "https://management.azure.com/"

struct local {
    struct moor_session *session;
    struct moor_arena *arena;
    struct moor_local_check *out;
    const char *resource;
    uint32_t port;
    bool owner_known; /* the identity service runs, as this user: */
    uint32_t owner;
    bool port_is_ours; /* on IPv4, where the requests go */
    const char *realm; /* NULL: there was no challenge */
};

MOOR_PRINTF(5, 6)
static void add(struct local *l, const char *name, bool good, const char *remedy, const char *fmt,
                ...)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2048);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&text, fmt, ap);
    va_end(ap);
    const char *detail = moor_arena_str(l->arena, moor_buf_view(&text));
    if (l->out->count == MOOR_FINDINGS_MAX)
        return;
    l->out->all_good = l->out->all_good && good;
    l->out->items[l->out->count++] =
        (struct moor_finding){ name, good, detail ? detail : "", good ? "" : remedy };
}

/* Where the endpoint is: trials choose their port. */
static uint32_t find_port(void)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    uint32_t port = PORT;
    if (!*plat_dirs_root())
        return port;
    moor_buf_fmt(&path, "%s/run/himds.port", plat_dirs_root());
    if (plat_read_all(moor_buf_cstr(&path), 16, &text, NULL) != MOOR_OK ||
        moor_parse_u32(moor_span_trim(moor_buf_view(&text)), 1, 65535, &port, NULL) != MOOR_OK)
        return PORT;
    return port;
}

static void check_variable(struct local *l, const char *name, const char *path)
{
    const char *is = plat_environment(name);
    const char *want = moor_arena_fmt(l->arena, "http://localhost:%" PRIu32 "%s", l->port, path);
    const char *remedy = moor_arena_fmt(l->arena, "export %s=%s", name, want ? want : "");
    if (is && want && moor_streq(is, want))
        add(l, name, true, "", "%s", is);
    else
        add(l, name, false, remedy ? remedy : "", "%s%s; libraries then look elsewhere",
            is ? "is " : "is not set", is ? is : "");
}

static void check_service(struct local *l)
{
    MOOR_AUTOPTR(moor_json) status = NULL;
    MOOR_AUTOSTR socket = NULL;
    struct moor_error why = MOOR_ERROR_INIT;
    struct plat_stat st;
    if (moor_himds_status(l->session, &status, &why) != MOOR_OK ||
        plat_path(PLAT_DIR_SOCKS, &socket, &why, "himds.sock") != MOOR_OK ||
        plat_stat_path(socket, &st, &why) != MOOR_OK) {
        add(l, "identity service", false, "start it: systemctl start mooring-identity", "%s",
            why.msg);
        return;
    }
    l->owner_known = true;
    l->owner = st.uid;
    add(l, "identity service", true, "", "runs as user %" PRIu32 ", machine is %s", st.uid,
        moor_json_get_str(status, "status"));
}

static bool check_holder(struct local *l, const char *name, const char *address, bool needed)
{
    uint32_t uid = 0;
    if (plat_port_holder(address, (uint16_t)l->port, &uid, NULL) != MOOR_OK) {
        add(l, name, !needed, "start the service: systemctl start mooring-identity",
            "nobody listens on port %" PRIu32, l->port);
        return false;
    }
    bool ours = l->owner_known && uid == l->owner;
    add(l, name, ours, "find the program with ss -ltnp, stop it, restart mooring-identity",
        ours ? "port %" PRIu32 " is the identity service's (user %" PRIu32 ")"
             : "port %" PRIu32 " is held by user %" PRIu32 ", which is not the identity service",
        l->port, uid);
    return ours;
}

/* One request to the endpoint; authorization NULL = none. */
static moor_code ask(struct local *l, const char *authorization, struct moor_reply *reply,
                     struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(8192);
    const struct moor_http_header headers[] = { { "Metadata", "true" },
                                                { "Authorization", authorization } };
    moor_buf_fmt(
        &url, "http://127.0.0.1:%" PRIu32 TOKEN_PATH "?api-version=2020-06-01&resource=", l->port);
    moor_buf_url_part(&url, moor_span_str(l->resource));
    moor_code c = moor_buf_ok(&url, "resource", err);
    const struct moor_http_request req = { .method = "GET",
                                           .url = moor_buf_cstr(&url),
                                           .headers = headers,
                                           .header_count = authorization ? 2 : 1,
                                           .timeout_ms = authorization ? TOKEN_MS : CALL_MS };
    return c == MOOR_OK ? moor_session_call(l->session, &req, reply, err) : c;
}

/* "HTTP 503: this machine is not connected" */
static void describe(const struct moor_reply *reply, struct moor_buf *out)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_buf_fmt(out, "HTTP %d", reply->status);
    if (moor_json_parse(moor_buf_view(&reply->body), &v, NULL) == MOOR_OK &&
        moor_json_get_str(v, "error_description"))
        moor_buf_fmt(out, ": %s", moor_json_get_str(v, "error_description"));
}

static bool is_tokens_folder(struct moor_span folder)
{
    return moor_span_eq_str(folder, plat_dir_path(PLAT_DIR_TOKENS)) ||
           moor_span_eq_str(folder, SDK_TOKENS);
}

/* The file a challenge names; NULL unless it is one of the service's. */
static const char *read_realm(struct local *l, const struct moor_reply *reply)
{
    struct moor_span s = moor_span_str(reply->authenticate);
    if (!moor_span_starts(s, REALM))
        return NULL;
    const char *path =
        moor_arena_str(l->arena, moor_span(s.p + sizeof(REALM) - 1, s.n - (sizeof(REALM) - 1)));
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && is_tokens_folder(moor_span(path, (size_t)(slash - path))) ? path : NULL;
}

static void check_challenge(struct local *l)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    MOOR_AUTO(moor_buf) said = MOOR_BUF(2048);
    struct moor_error why = MOOR_ERROR_INIT;
    const char *remedy = "see mooring show and journalctl -u mooring-identity";
    if (ask(l, NULL, &reply, &why) != MOOR_OK) {
        add(l, "challenge", false, remedy, "%s", why.msg);
        return;
    }
    describe(&reply, &said);
    if (reply.status != 401) {
        add(l, "challenge", false, remedy, "%s", moor_buf_cstr(&said));
        return;
    }
    l->realm = read_realm(l, &reply);
    add(l, "challenge", l->realm != NULL, "somebody else answers on this port",
        l->realm ? "names the key file %s" : "names no key file of the service%s",
        l->realm ? l->realm : "");
}

/* The file is there for its group: what is missing is mostly membership. */
static moor_code read_key(const char *path, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(KEY_MAX);
    moor_buf_str(&text, "Basic ");
    moor_code c = plat_read_all(path, KEY_MAX, &text, err);
    return c == MOOR_OK ? moor_secret_set(out, moor_buf_view(&text), err) : c;
}

/* true: the token may be asked for with it. */
static bool check_key_file(struct local *l, struct moor_secret *key)
{
    struct plat_stat st;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = read_key(l->realm, key, &why);
    if (c == MOOR_E_DENIED) {
        add(l, "key file", false,
            "add the user to the group: usermod -aG himds USER, then log in again",
            "user %" PRIu32 " may not read it and is not in the group himds: %s", plat_user_id(),
            why.msg);
        return false;
    }
    if (c == MOOR_OK)
        c = plat_stat_path(l->realm, &st, &why);
    if (c != MOOR_OK) {
        add(l, "key file", false, "see journalctl -u mooring-identity", "%s", why.msg);
        return false;
    }
    bool good = (st.mode & 0777) == 0640 && (!l->owner_known || st.uid == l->owner);
    add(l, "key file", good, "something changes files in the tokens folder",
        "readable; mode %04o, owner %" PRIu32, (unsigned)(st.mode & 0777), st.uid);
    return good;
}

static void check_token(struct local *l, const struct moor_secret *key)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    MOOR_AUTO(moor_buf) said = MOOR_BUF(2048);
    struct moor_error why = MOOR_ERROR_INIT;
    bool asked = ask(l, moor_secret_reveal(key).p, &reply, &why) == MOOR_OK;
    if (asked)
        describe(&reply, &said);
    else
        moor_buf_str(&said, why.msg);
    add(l, "token", asked && reply.status == 200, "see mooring show for the agent's error",
        "%s for %s", moor_buf_cstr(&said), l->resource);
}

static void check_group(struct local *l)
{
    uint32_t gid = 0;
    bool there = plat_find_group("himds", &gid, NULL) == MOOR_OK;
    if (*plat_dirs_root())
        return; /* a trial runs as its caller */
    add(l, "group himds", there, "install the package, or: groupadd --system himds",
        there ? "is group %" PRIu32 : "there is none (%" PRIu32 ")", gid);
}

static void check_all(struct local *l)
{
    MOOR_AUTO(moor_secret) key = MOOR_SECRET_INIT;
    check_variable(l, "IDENTITY_ENDPOINT", TOKEN_PATH);
    check_variable(l, "IMDS_ENDPOINT", "");
    check_service(l);
    check_group(l);
    l->port_is_ours = check_holder(l, "port 127.0.0.1", "127.0.0.1", true);
    (void)check_holder(l, "port ::1", "::1", false);
    if (l->port_is_ours)
        check_challenge(l);
    if (l->realm && check_key_file(l, &key))
        check_token(l, &key);
}

moor_code moor_check_local(const char *resource, struct moor_local_check *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    *out = (struct moor_local_check){ .all_good = true };
    moor_code c = moor_session_new(NULL, NULL, &session, err);
    if (c != MOOR_OK)
        return c;
    struct local l = { .session = session,
                       .arena = arena,
                       .out = out,
                       .resource = resource ? resource : ARM_AUDIENCE,
                       .port = find_port() };
    check_all(&l);
    return MOOR_OK;
}
