/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/hostcloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/secret.h"
#include "platform/dirs.h"
#include "platform/self.h"
#include "run/loop.h"

#define LINK_LOCAL    "http://169.254.169.254"
#define ANSWER_MAX    (64 * 1024)
#define PROBES_MAX    4
#define DOCUMENTS_MAX 8
#define FIELDS_MAX    4

/* ---- what is known of clouds ---- */

/* One fact of a document: a member of its JSON, or, with no member, the whole of its text. Of a
 * path ("projects/7/zones/europe-west1-b") only the last part counts. */
struct field {
    const char *member, *name;
    bool last_part;
};
struct document {
    const char *path;
    struct field fields[FIELDS_MAX];
};

struct cloud {
    const char *provider;
    /* A word of the firmware that is this cloud's alone; NULL = there is none. */
    struct {
        size_t offset; /* in struct plat_host */
        const char *start;
    } sign;
    bool sign_is_enough; /* else the metadata service must say so, too */

    /* The first call; path NULL: a cloud known by its firmware only. What it must answer to be
     * believed: a header, or a member of its JSON, or just something. */
    const char *method, *path;
    struct moor_http_header header;
    const char *must_header, *must_value, *must_member;
    const char *token_header; /* the answer is a token, to be sent under this name from now on */
    struct document documents[DOCUMENTS_MAX];
};

#define IN(member) offsetof(struct plat_host, member)
static const struct cloud clouds[] = {
    { .provider = "Azure",
      .sign = { IN(asset_tag), "7783-7084-3265-9085-8269-3286-77" },
      .method = "GET",
      .path = "/metadata/instance/compute?api-version=2019-06-01",
      .header = { "Metadata", "true" },
      .must_member = "vmId" },
    { .provider = "AWS",
      .sign = { IN(manufacturer), "Amazon EC2" },
      .sign_is_enough = true,
      .method = "PUT",
      .path = "/latest/api/token",
      .header = { "X-aws-ec2-metadata-token-ttl-seconds", "60" },
      .token_header = "X-aws-ec2-metadata-token",
      .documents = { { "/latest/dynamic/instance-identity/document",
                       { { "accountId", "awsAccountId", false },
                         { "instanceId", "awsInstanceId", false },
                         { "region", "awsRegion", false } } } } },
    { .provider = "GCP",
      .sign = { IN(model), "Google Compute Engine" },
      .sign_is_enough = true,
      .method = "GET",
      .path = "/computeMetadata/v1/instance/id",
      .header = { "Metadata-Flavor", "Google" },
      .must_header = "metadata-flavor",
      .must_value = "Google",
      .documents = { { "/computeMetadata/v1/instance/id", { { NULL, "gcpInstanceId", false } } },
                     { "/computeMetadata/v1/instance/image", { { NULL, "gcpImage", false } } },
                     { "/computeMetadata/v1/instance/machine-type",
                       { { NULL, "gcpMachineType", true } } },
                     { "/computeMetadata/v1/project/project-id",
                       { { NULL, "gcpProjectId", false } } },
                     { "/computeMetadata/v1/project/numeric-project-id",
                       { { NULL, "gcpProjectNumber", false } } },
                     { "/computeMetadata/v1/instance/service-accounts/default/email",
                       { { NULL, "gcpServiceAccounts", false } } },
                     { "/computeMetadata/v1/instance/zone", { { NULL, "gcpZone", true } } } } },
    { .provider = "OCI",
      .sign = { IN(asset_tag), "OracleCloud.com" },
      .sign_is_enough = true,
      .method = "GET",
      .path = "/opc/v2/instance/id",
      .header = { "Authorization", "Bearer Oracle" },
      .documents = { { "/opc/v2/instance/displayName", { { NULL, "ociDisplayName", false } } },
                     { "/opc/v2/instance/id", { { NULL, "ociInstanceId", false } } },
                     { "/opc/v2/instance/canonicalRegionName",
                       { { NULL, "ociRegion", false } } } } },
    /* Their metadata services are not on the link-local address, or tell no more. */
    { .provider = "AlibabaCloud",
      .sign = { IN(manufacturer), "Alibaba Cloud" },
      .sign_is_enough = true },
    { .provider = "TencentCloud",
      .sign = { IN(manufacturer), "Tencent Cloud" },
      .sign_is_enough = true },
    { .provider = "HuaweiCloud",
      .sign = { IN(manufacturer), "Huawei Cloud" },
      .sign_is_enough = true },
    { .provider = "DigitalOcean",
      .sign = { IN(manufacturer), "DigitalOcean" },
      .sign_is_enough = true },
    { .provider = "Hetzner", .sign = { IN(manufacturer), "Hetzner" }, .sign_is_enough = true },
    { .provider = "Vultr", .sign = { IN(manufacturer), "Vultr" }, .sign_is_enough = true },
    { .provider = "Scaleway", .sign = { IN(manufacturer), "Scaleway" }, .sign_is_enough = true },
};

/* Makers of machines that stand in somebody's own room. */
static const char *const makers[] = { "Dell Inc.", "HP",     "Hewlett-Packard", "HPE",
                                      "Lenovo",    "IBM",    "Supermicro",      "FUJITSU",
                                      "Cisco",     "VMware", "innotek",         "Raspberry Pi" };

static bool has_sign(const struct plat_host *h, const struct cloud *c)
{
    return moor_span_starts(moor_span_str((const char *)h + c->sign.offset), c->sign.start);
}

/* ---- a look ---- */

struct probe;
struct asking {
    struct probe *probe;
    const struct document *document; /* NULL: the first call */
    struct moor_http_call *call;     /* NULL = not under way */
};
struct probe {
    struct moor_cloud_look *look;
    const struct cloud *cloud;
    struct moor_secret token;
    struct asking askings[DOCUMENTS_MAX + 1];
};
struct moor_cloud_look {
    struct moor_cloud_look_opts o;
    struct moor_timer *timer;
    struct probe probes[PROBES_MAX];
    size_t probe_count;
    size_t open; /* calls under way */
    struct moor_host_cloud found;
};

static void finish(struct moor_cloud_look *look)
{
    moor_timer_arm(look->timer, 0);
}

static void cancel_all(struct moor_cloud_look *look)
{
    for (size_t i = 0; i < look->probe_count; i++)
        for (size_t k = 0; k < MOOR_COUNTOF(look->probes[i].askings); k++) {
            struct asking *a = &look->probes[i].askings[k];
            if (a->call)
                moor_http_cancel(look->o.http, a->call);
            a->call = NULL;
        }
    look->open = 0;
}

/* The time is over, or nothing is open any more. */
static void on_timer(void *ctx)
{
    struct moor_cloud_look *look = ctx;
    cancel_all(look);
    look->o.done(look->o.ctx, &look->found);
}

static bool is_printable(struct moor_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return s.n > 0;
}

static void add_fact(struct moor_host_cloud *found, const struct field *f, struct moor_span value)
{
    value = moor_span_trim(value);
    for (size_t i = 0; f->last_part && i < value.n; i++)
        if (value.p[i] == '/') {
            value = moor_span(value.p + i + 1, value.n - i - 1);
            i = (size_t)-1;
        }
    struct moor_host_fact *out = &found->facts[found->fact_count];
    if (found->fact_count == MOOR_COUNTOF(found->facts) || !is_printable(value) ||
        value.n >= sizeof(out->value))
        return;
    out->name = f->name;
    (void)snprintf(out->value, sizeof(out->value), "%.*s", (int)value.n, value.p);
    found->fact_count++;
}

static void take_document(struct moor_host_cloud *found, const struct document *d,
                          struct moor_span body)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    for (size_t i = 0; i < FIELDS_MAX && d->fields[i].name; i++) {
        const struct field *f = &d->fields[i];
        if (f->member && !v && moor_json_parse(body, &v, NULL))
            return;
        add_fact(found, f, f->member ? moor_span_str(moor_json_get_str(v, f->member)) : body);
    }
}

/* Whether the first answer is this cloud's. */
static bool is_its_answer(const struct cloud *c, const struct moor_http_response *r)
{
    if (r->status != 200 || !r->body.n)
        return false;
    if (c->must_header)
        return moor_streq(moor_http_response_header(r, c->must_header), c->must_value);
    if (!c->must_member)
        return is_printable(moor_span_trim(r->body));
    MOOR_AUTOPTR(moor_json) v = NULL;
    return moor_json_parse(r->body, &v, NULL) == MOOR_OK && moor_json_get_str(v, c->must_member);
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err);

static void ask(struct asking *a)
{
    struct probe *p = a->probe;
    struct moor_cloud_look *look = p->look;
    const struct cloud *c = p->cloud;
    MOOR_AUTO(moor_buf) url = MOOR_BUF(1024);
    moor_buf_fmt(&url, "%s%s", look->o.base, a->document ? a->document->path : c->path);
    const bool token = a->document && c->token_header;
    const struct moor_http_header header = {
        token ? c->token_header : c->header.name,
        token ? moor_secret_reveal(&p->token).p : c->header.value,
    };
    const struct moor_http_request req = {
        .method = a->document ? "GET" : c->method,
        .url = moor_buf_cstr(&url),
        .headers = &header,
        .header_count = 1,
        .timeout_ms = MOOR_CLOUD_LOOK_MS,
        .connect_timeout_ms = MOOR_CLOUD_LOOK_MS,
        .body_max = ANSWER_MAX,
    };
    if (moor_http_send(look->o.http, &req, on_answer, a, &a->call, NULL) == MOOR_OK)
        look->open++;
}

static void ask_documents(struct probe *p)
{
    for (size_t i = 0; i < DOCUMENTS_MAX && p->cloud->documents[i].path; i++) {
        struct asking *a = &p->askings[i + 1];
        *a = (struct asking){ .probe = p, .document = &p->cloud->documents[i] };
        ask(a);
    }
}

static void take_first(struct probe *p, const struct moor_http_response *r)
{
    struct moor_cloud_look *look = p->look;
    const struct cloud *c = p->cloud;
    bool other = *look->found.provider && !moor_streq(look->found.provider, c->provider);
    if (other || !is_its_answer(c, r))
        return;
    if (c->token_header && moor_secret_set(&p->token, moor_span_trim(r->body), NULL))
        return;
    look->found.provider = c->provider;
    ask_documents(p);
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct asking *a = ctx;
    struct moor_cloud_look *look = a->probe->look;
    (void)err; /* who does not answer is not there */
    a->call = NULL;
    look->open--;
    if (r && a->document && r->status == 200)
        take_document(&look->found, a->document, r->body);
    else if (r && !a->document)
        take_first(a->probe, r);
    if (!look->open)
        finish(look);
}

static void add_probe(struct moor_cloud_look *look, const struct cloud *c)
{
    if (!c->path || look->probe_count == PROBES_MAX)
        return;
    struct probe *p = &look->probes[look->probe_count++];
    *p = (struct probe){ .look = look, .cloud = c, .token = MOOR_SECRET_INIT };
    p->askings[0].probe = p;
}

/* Whom to ask, and what is known before. */
static void choose(struct moor_cloud_look *look, const struct plat_host *h)
{
    for (size_t i = 0; i < MOOR_COUNTOF(clouds); i++)
        if (has_sign(h, &clouds[i])) {
            if (clouds[i].sign_is_enough)
                look->found.provider = clouds[i].provider;
            add_probe(look, &clouds[i]);
            return;
        }
    for (size_t i = 0; i < MOOR_COUNTOF(makers); i++)
        if (moor_span_starts(moor_span_str(h->manufacturer), makers[i]))
            return;
    for (size_t i = 0; i < MOOR_COUNTOF(clouds); i++)
        add_probe(look, &clouds[i]);
}

moor_code moor_cloud_look_new(const struct moor_cloud_look_opts *opts, const struct plat_host *host,
                              struct moor_cloud_look **out, struct moor_error *err)
{
    struct moor_cloud_look *look = calloc(1, sizeof(*look));
    if (!look)
        return moor_fail(err, MOOR_E_NOMEM, "cloud detection: out of memory");
    look->o = *opts;
    look->found.provider = "";
    moor_code c = moor_timer_new(opts->loop, on_timer, look, &look->timer, err);
    if (c) {
        free(look);
        return c;
    }
    choose(look, host);
    moor_timer_arm(look->timer, MOOR_CLOUD_LOOK_MS);
    for (size_t i = 0; opts->base && i < look->probe_count; i++)
        ask(&look->probes[i].askings[0]);
    if (!look->open)
        finish(look);
    *out = look;
    return MOOR_OK;
}

void moor_cloud_look_free(struct moor_cloud_look *look)
{
    if (!look)
        return;
    cancel_all(look);
    for (size_t i = 0; i < look->probe_count; i++)
        moor_secret_drop(&look->probes[i].token);
    moor_timer_free(look->timer);
    free(look);
}

const char *moor_cloud_look_base(void)
{
    return *plat_dirs_root() ? plat_environment("MOORING_IMDS") : LINK_LOCAL;
}
