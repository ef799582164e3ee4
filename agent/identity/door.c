/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/door.h"

#include "platform/account.h"
#include "platform/dirs.h"
#include "platform/net.h"
#include "platform/service.h"

#define BACKLOG 64

bool moor_door_is_admin(const struct moor_http_exchange *ex)
{
    const struct plat_peer *peer = moor_http_peer(ex);
    if (!peer->local)
        return false;
    return peer->uid == 0 || (plat_dirs_root()[0] && peer->uid == plat_user_id());
}

static const struct {
    moor_code code;
    int status;
} statuses[] = {
    { MOOR_E_BADINPUT, 400 },  { MOOR_E_DENIED, 403 },   { MOOR_E_NOTFOUND, 404 },
    { MOOR_E_EXISTS, 409 },    { MOOR_E_REMOTE, 502 },   { MOOR_E_PROTOCOL, 502 },
    { MOOR_E_TRANSIENT, 503 }, { MOOR_E_CANCELED, 503 }, { MOOR_E_UNSUPPORTED, 503 },
    { MOOR_E_THROTTLED, 429 }, { MOOR_E_TIMEOUT, 504 },  { MOOR_E_UNTRUSTED, 502 },
};

static int status_of(moor_code code)
{
    for (size_t i = 0; i < MOOR_COUNTOF(statuses); i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return 500;
}

void moor_door_refuse(struct moor_http_exchange *ex, const struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    struct moor_json *e = moor_json_new_object();
    moor_json_set_str(e, "code", moor_code_name(err->code));
    moor_json_set_str(e, "message", err->msg);
    struct moor_json *inner = moor_json_new_object();
    moor_json_set_str(inner, "serviceCode", err->service_code);
    moor_json_set_str(inner, "requestId", err->request_id);
    moor_json_set_int(inner, "httpStatus", err->http);
    (void)moor_json_set(e, "innererror", inner);
    (void)moor_json_set(v, "error", e);
    moor_http_reply_json(ex, status_of(err->code), v);
}

moor_code moor_door_listen(struct moor_http_server *s, const char *service_name, const char *path,
                           uint32_t mode, struct moor_error *err)
{
    int fd = plat_service_socket(service_name);
    if (fd < 0 && !path)
        return MOOR_OK;
    moor_code c = fd < 0 ? plat_listen_unix(path, mode, BACKLOG, &fd, err) : MOOR_OK;
    if (c)
        return c;
    c = moor_http_server_listen(s, fd, err);
    if (c)
        plat_net_close(fd);
    return c;
}
