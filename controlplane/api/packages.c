/* SPDX-License-Identifier: Apache-2.0 */
/* Package downloads: GET /packages/{sha256}.zip, resumable. */
#include <inttypes.h>
#include <string.h>

#include "api/range.h"
#include "api/routes.h"
#include "platform/file.h"
#include "store/packages.h"

#define DIGEST_LEN 64

static bool read_name(struct moor_call *c, char sha256[DIGEST_LEN + 1])
{
    const char *file = moor_http_param(c->ex, "file");
    if (!file || strspn(file, "0123456789abcdef") != DIGEST_LEN ||
        !moor_streq(file + DIGEST_LEN, ".zip"))
        return false;
    memcpy(sha256, file, DIGEST_LEN);
    sha256[DIGEST_LEN] = '\0';
    return true;
}

static void send_file(struct moor_call *c, const struct plat_file *file, uint64_t size,
                      const char *etag)
{
    const char *if_range = moor_http_header(c->ex, "If-Range");
    const char *asked = moor_http_header(c->ex, "Range");
    struct moor_range range = { 0, size };
    moor_range_kind kind = MOOR_RANGE_ALL;
    if (asked && (!if_range || moor_streq(if_range, etag)))
        kind = moor_range_read(asked, size, &range);
    moor_http_reply_header(c->ex, "Accept-Ranges", "bytes");
    moor_http_reply_header(c->ex, "ETag", etag);
    if (kind == MOOR_RANGE_NONE) {
        moor_http_reply_header(c->ex, "Content-Range", moor_call_fmt(c, "bytes */%" PRIu64, size));
        moor_call_error(c, 416, "InvalidRange", "the package has %" PRIu64 " bytes", size);
        return;
    }
    if (kind == MOOR_RANGE_PART)
        moor_http_reply_header(c->ex, "Content-Range",
                               moor_call_fmt(c, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                                             range.offset, range.offset + range.length - 1, size));
    moor_http_reply_file(c->ex, kind == MOOR_RANGE_PART ? 206 : 200, "application/zip", file,
                         range.offset, range.length);
}

static void on_get(struct moor_call *c)
{
    char sha256[DIGEST_LEN + 1];
    struct moor_package package;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    struct plat_stat st;
    moor_code code = read_name(c, sha256)
                         ? moor_package_by_sha256(c->app->store, sha256, c->arena, &package, &err)
                         : MOOR_E_NOTFOUND;
    if (!code)
        code = plat_open(moor_call_fmt(c, "%s/%s.zip", c->app->config.packages_dir, sha256),
                         PLAT_READ, &file, &err);
    if (!code)
        code = plat_fstat(&file, &st, &err);
    if (code == MOOR_E_NOTFOUND)
        moor_call_error(c, 404, "PackageNotFound", "no such package");
    else if (code)
        moor_call_fail(c, &err);
    else
        send_file(c, &file, st.size, moor_call_fmt(c, "\"%s\"", sha256));
}

static const struct moor_endpoint get = { MOOR_AUD_SERVICE, on_get, NULL };

const struct moor_http_route moor_package_routes[] = {
    MOOR_ROUTE("GET", "/packages/{file}", get, 0),
};
const size_t moor_package_route_count = MOOR_COUNTOF(moor_package_routes);
