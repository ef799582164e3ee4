/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cloud.h"

#include <string.h>

#include "base/text.h"
#include "core/document.h"
#include "core/url.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define DOCUMENT_MAX (128 * 1024)
#define CLOUDS_MAX   256

#define AT(member) offsetof(struct moor_cloud, member)

static const struct moor_json_field fields[] = {
    { MOOR_F_U32, "schema", AT(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_STR, "name", AT(name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "resourceManager", AT(resource_manager), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "loginEndpoint", AT(login_endpoint), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "tokenEndpoint", AT(token_endpoint), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "armAudience", AT(arm_audience), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_STR, "hisEndpoint", AT(his_endpoint), 0, 1, 1024, NULL },
    { MOOR_F_STR, "serviceAudience", AT(service_audience), 0, 1, 256, NULL },
    { MOOR_F_STR, "ingestionAudience", AT(ingestion_audience), 0, 1, 1024, NULL },
    { MOOR_F_STR, "portal", AT(portal), 0, 1, 1024, NULL },
    { MOOR_F_STR_LIST, "hostSuffixes", AT(host_suffixes), 0, 0, 16, NULL },
    { MOOR_F_OBJ_JSON, "metadata", AT(metadata), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_cloud), fields, MOOR_F_STRICT };

#define AAD_TOKEN "/{tenant}/oauth2/v2.0/token"

static const struct moor_cloud built_in[] = {
    { .schema = 1,
      .name = "AzureCloud",
      .resource_manager = "https://management.azure.com",
      .login_endpoint = "https://login.microsoftonline.com",
      .token_endpoint = "https://login.microsoftonline.com" AAD_TOKEN,
      .arm_audience = "https://management.azure.com",
      .portal = "https://portal.azure.com",
      .built_in = true },
    { .schema = 1,
      .name = "AzureUSGovernment",
      .resource_manager = "https://management.usgovcloudapi.net",
      .login_endpoint = "https://login.microsoftonline.us",
      .token_endpoint = "https://login.microsoftonline.us" AAD_TOKEN,
      .arm_audience = "https://management.usgovcloudapi.net",
      .ingestion_audience = "https://monitor.azure.us",
      .portal = "https://portal.azure.us",
      .built_in = true },
    { .schema = 1,
      .name = "AzureChinaCloud",
      .resource_manager = "https://management.chinacloudapi.cn",
      .login_endpoint = "https://login.chinacloudapi.cn",
      .token_endpoint = "https://login.chinacloudapi.cn" AAD_TOKEN,
      .arm_audience = "https://management.chinacloudapi.cn",
      .ingestion_audience = "https://monitor.azure.cn",
      .portal = "https://portal.azure.cn",
      .built_in = true },
};

static const struct moor_cloud *find_built_in(const char *name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(built_in); i++)
        if (moor_strcasecmp(built_in[i].name, name) == 0)
            return &built_in[i];
    return NULL;
}

moor_code moor_cloud_check_name(const char *name, struct moor_error *err)
{
    size_t n = strlen(name);
    bool ok = n >= 1 && n <= 64 && name[0] != '.' && name[0] != '-' && name[0] != '_';
    for (size_t i = 0; ok && i < n; i++) {
        char c = name[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '.' || c == '_' || c == '-';
    }
    return ok ? MOOR_OK
              : moor_fail(err, MOOR_E_BADINPUT,
                          "cloud name: want 1 to 64 letters, digits, '.', '_' or '-'");
}

/* Every URL of the document is https; an entry is skipped when the document leaves it out. */
static moor_code check_urls(const struct moor_cloud *c, struct moor_error *err)
{
    const struct {
        const char *name;
        const char *url;
    } urls[] = {
        { "resourceManager", c->resource_manager },
        { "loginEndpoint", c->login_endpoint },
        { "hisEndpoint", c->his_endpoint },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(urls); i++) {
        struct moor_url u;
        if (!urls[i].url)
            continue;
        if (moor_url_parse(urls[i].url, &u, err) != MOOR_OK)
            return moor_context(err, "cloud %s: %s", c->name, urls[i].name);
        if (!u.https)
            return moor_fail(err, MOOR_E_BADINPUT, "cloud %s: %s: want https", c->name,
                             urls[i].name);
    }
    if (!moor_span_starts(moor_span_str(c->token_endpoint), "https://"))
        return moor_fail(err, MOOR_E_BADINPUT, "cloud %s: tokenEndpoint: want https", c->name);
    return MOOR_OK;
}

moor_code moor_cloud_parse(struct moor_span text, struct moor_cloud *out, struct moor_arena *arena,
                           struct moor_error *err)
{
    struct moor_cloud c = { .schema = 0 };
    moor_code code = moor_document_decode(text, "cloud document", &shape, 1, &c, arena, err);
    if (code == MOOR_OK)
        code = moor_cloud_check_name(c.name, err);
    if (code == MOOR_OK)
        code = check_urls(&c, err);
    if (code == MOOR_OK && c.his_endpoint && !c.service_audience)
        code = moor_fail(err, MOOR_E_BADINPUT, "cloud %s: hisEndpoint without serviceAudience",
                         c.name);
    if (code == MOOR_OK)
        *out = c;
    return code;
}

struct name_list {
    struct moor_arena *arena;
    const char *names[CLOUDS_MAX];
    size_t count;
    bool no_memory;
};

static bool add_name(void *ctx, const char *name, const struct plat_stat *st)
{
    struct name_list *l = ctx;
    struct moor_span s = moor_span_str(name);
    if (!st->is_file || !moor_span_ends(s, ".json") || name[0] == '.' || l->count == CLOUDS_MAX)
        return true;
    const char *copy = moor_arena_str(l->arena, moor_span(s.p, s.n - strlen(".json")));
    l->no_memory = !copy;
    if (!copy)
        return false;
    size_t at = l->count++;
    for (; at > 0 && strcmp(l->names[at - 1], copy) > 0; at--)
        l->names[at] = l->names[at - 1];
    l->names[at] = copy;
    return true;
}

moor_code moor_cloud_list(bool built_in_too, struct moor_str_list *out, struct moor_arena *arena,
                          struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c = plat_path(PLAT_DIR_ETC, &folder, err, "clouds.d");
    if (c != MOOR_OK)
        return c;
    struct name_list l = { .arena = arena };
    c = plat_list_dir(folder, add_name, &l, err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return c;
    size_t more = built_in_too ? MOOR_COUNTOF(built_in) : 0;
    const char **items = moor_arena_array(arena, l.count + more, sizeof(*items));
    if (l.no_memory || !items)
        return moor_fail(err, MOOR_E_NOMEM, "list of clouds: out of memory");
    for (size_t i = 0; i < l.count; i++)
        items[i] = l.names[i];
    for (size_t i = 0; i < more; i++)
        items[l.count + i] = built_in[i].name;
    *out = (struct moor_str_list){ .items = items, .count = l.count + more };
    return MOOR_OK;
}

/* The registered name as it is spelled on disk, or NULL. */
static const char *find_registered(const struct moor_str_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (moor_strcasecmp(names->items[i], name) == 0)
            return names->items[i];
    return NULL;
}

static moor_code load_file(const char *name, struct moor_cloud *out, struct moor_arena *arena,
                           struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR pem = NULL;
    moor_code c = plat_path(PLAT_DIR_ETC, &path, err, "clouds.d/%s.json", name);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_ETC, &pem, err, "clouds.d/%s.pem", name);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOCUMENT_MAX);
    c = plat_read_all(path, DOCUMENT_MAX, &text, err);
    if (c != MOOR_OK)
        return c;
    struct moor_cloud cloud;
    c = moor_cloud_parse(moor_buf_view(&text), &cloud, arena, err);
    if (c != MOOR_OK)
        return moor_context(err, "%s", path);
    if (!moor_streq(cloud.name, name))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: name: want %s, as the file is called", path,
                         name);
    if (plat_exists(pem)) {
        cloud.ca_file = moor_arena_str(arena, moor_span_str(pem));
        if (!cloud.ca_file)
            return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    }
    *out = cloud;
    return MOOR_OK;
}

moor_code moor_cloud_load(const char *name, struct moor_cloud *out, struct moor_arena *arena,
                          struct moor_error *err)
{
    const struct moor_cloud *known = find_built_in(name);
    if (known) {
        *out = *known;
        return MOOR_OK;
    }
    struct moor_str_list names = { .count = 0 };
    moor_code c = moor_cloud_check_name(name, err);
    if (c == MOOR_OK)
        c = moor_cloud_list(false, &names, arena, err);
    if (c != MOOR_OK)
        return c;
    const char *spelled = find_registered(&names, name);
    if (!spelled)
        return moor_fail(err, MOOR_E_NOTFOUND, "cloud %s is not registered on this machine", name);
    return load_file(spelled, out, arena, err);
}

moor_code moor_cloud_save(const struct moor_cloud *in, struct moor_span ca_pem,
                          struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR pem = NULL;
    moor_code c = moor_cloud_check_name(in->name, err);
    if (c == MOOR_OK && find_built_in(in->name))
        c = moor_fail(err, MOOR_E_EXISTS, "cloud %s is built in", in->name);
    if (c == MOOR_OK)
        c = check_urls(in, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_ETC, &path, err, "clouds.d/%s.json", in->name);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_ETC, &pem, err, "clouds.d/%s.pem", in->name);
    if (c == MOOR_OK)
        c = moor_document_make_parent(path, err);
    if (c == MOOR_OK)
        c = ca_pem.n > 0 ? plat_write_atomic(pem, ca_pem, PLAT_WORLD_READ, err)
                         : plat_remove(pem, err);
    return c == MOOR_OK ? moor_document_save(path, &shape, in, DOCUMENT_MAX, err) : c;
}

moor_code moor_cloud_remove(const char *name, struct moor_error *err)
{
    static const struct {
        const char *folder, *suffix;
    } files[] = { { "clouds.d", "json" }, { "trust.d", "json" }, { "clouds.d", "pem" } };
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1024 * 1024);
    struct moor_str_list names = { .count = 0 };
    if (find_built_in(name))
        return moor_fail(err, MOOR_E_DENIED, "cloud %s is built in", name);
    moor_code c = moor_cloud_list(false, &names, &arena, err);
    if (c != MOOR_OK)
        return c;
    const char *spelled = find_registered(&names, name);
    if (!spelled)
        return moor_fail(err, MOOR_E_NOTFOUND, "cloud %s is not registered on this machine", name);
    for (size_t i = 0; i < MOOR_COUNTOF(files) && c == MOOR_OK; i++) {
        MOOR_AUTOSTR path = NULL;
        c = plat_path(PLAT_DIR_ETC, &path, err, "%s/%s.%s", files[i].folder, spelled,
                      files[i].suffix);
        if (c == MOOR_OK)
            c = plat_remove(path, err);
    }
    return c;
}

void moor_cloud_token_url(struct moor_buf *b, const struct moor_cloud *c, const char *tenant)
{
    const char *mark = strstr(c->token_endpoint, "{tenant}");
    if (!mark) {
        moor_buf_str(b, c->token_endpoint);
        return;
    }
    moor_buf_add(b, c->token_endpoint, (size_t)(mark - c->token_endpoint));
    moor_buf_url_part(b, moor_span_str(tenant));
    moor_buf_str(b, mark + strlen("{tenant}"));
}

const char *moor_cloud_ingestion_audience(const struct moor_cloud *c)
{
    return c->ingestion_audience ? c->ingestion_audience : "https://monitor.azure.com";
}

bool moor_cloud_allows_url(const struct moor_cloud *c, const char *url)
{
    struct moor_url u;
    if (moor_url_parse(url, &u, NULL) != MOOR_OK || !u.https)
        return false;
    const char *const known[] = { c->resource_manager, c->login_endpoint, c->his_endpoint };
    for (size_t i = 0; i < MOOR_COUNTOF(known); i++) {
        struct moor_url k;
        if (known[i] && moor_url_parse(known[i], &k, NULL) == MOOR_OK &&
            moor_url_same_origin(&u, &k))
            return true;
    }
    for (size_t i = 0; i < c->host_suffixes.count; i++)
        if (moor_host_within(u.host, c->host_suffixes.items[i]))
            return true;
    return false;
}
