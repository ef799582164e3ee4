/* SPDX-License-Identifier: Apache-2.0 */
/* agent publish, list; onboard script, command: what machines are onboarded with. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "engine/onboard.h"
#include "main/commands.h"
#include "main/state.h"
#include "platform/clock.h"
#include "platform/file.h"

#define CA_MAX     ((size_t)64 << 10)
#define SCRIPT_MAX ((size_t)256 << 10)

static struct moor_json *package_json(const struct moor_agent_package *p)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "name", p->name);
    moor_json_set_str(o, "format", p->format);
    moor_json_set_str(o, "architecture", p->arch);
    moor_json_set_str(o, "version", p->version);
    moor_json_set_str(o, "sha256", p->sha256);
    moor_json_set_int(o, "size", (int64_t)p->size);
    return o;
}

static void print_package(const struct moor_agent_package *p)
{
    printf("%s  %" PRIu64 " bytes  sha256 %s\n", p->name, p->size, p->sha256);
}

static void print_json(const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1u << 20);
    moor_buf_json_pretty(&text, v);
    printf("%s\n", moor_buf_cstr(&text));
}

int cp_run_agent_publish(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agent_package p = { 0 };
    int status = 0;
    if (cp_state_may_write(o->state, &err) || cp_state_open(o, &s, &err) ||
        moor_agent_publish(s.store, o->words[0], cp_state_path(&s, "agents"), plat_utc_ms(),
                           &s.arena, &p, &err)) {
        status = cp_complain(&err);
    } else if (o->json) {
        MOOR_AUTOPTR(moor_json) v = package_json(&p);
        print_json(v);
    } else {
        print_package(&p);
    }
    cp_state_drop(&s);
    return status;
}

int cp_run_agent_list(const struct cp_options *o)
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agent_list list = { NULL, 0 };
    MOOR_AUTOPTR(moor_json) items = moor_json_new_array();
    int status = 0;
    if (cp_state_open(o, &s, &err) || moor_agent_list(s.store, &s.arena, &list, &err))
        status = cp_complain(&err);
    for (size_t i = 0; i < list.count; i++) {
        if (!o->json)
            print_package(&list.items[i]);
        moor_json_push(items, package_json(&list.items[i]));
    }
    if (!status && o->json)
        print_json(items);
    cp_state_drop(&s);
    return status;
}

/* What the route would fill in, from the command line. The CA is not in it. */
static moor_code settings(const struct cp_options *o, struct cp_state *s, struct moor_onboard *out,
                          struct moor_error *err)
{
    const struct moor_app_config cfg = cp_state_app_config(s, cp_state_endpoint(s));
    *out = (struct moor_onboard){ .endpoint = cfg.base_url,
                                  .cloud = cfg.cloud_name,
                                  .tenant_id = cfg.tenant_id,
                                  .subscription_id = cfg.subscription_id,
                                  .location = o->location ? o->location : cfg.location,
                                  .resource_group = o->resource_group,
                                  .service_principal_id = o->service_principal_id,
                                  .tags = o->tags };
    return moor_onboard_check(out, err);
}

static moor_code print_script(const struct cp_options *o, struct cp_state *s,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) ca = MOOR_BUF(CA_MAX);
    MOOR_AUTO(moor_buf) script = MOOR_BUF(SCRIPT_MAX);
    struct moor_agent_list packages = { NULL, 0 };
    struct moor_onboard values;
    moor_code c;
    if ((c = settings(o, s, &values, err)) ||
        (c = plat_read_all(cp_state_path(s, "tls/ca.pem"), CA_MAX, &ca, err)) ||
        (c = moor_agent_list(s->store, &s->arena, &packages, err)))
        return c;
    values.ca = moor_arena_str(&s->arena, moor_span_trim(moor_buf_view(&ca)));
    if ((c = moor_onboard_script(&values, &packages, moor_onboard_template, &script, err)))
        return c;
    fwrite(script.data, 1, script.len, stdout);
    return MOOR_OK;
}

/* The server's key instead of its CA: that fits in a line, and there is no trust on first use. */
static moor_code print_command(const struct cp_options *o, struct cp_state *s,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(CA_MAX);
    MOOR_AUTO(moor_buf) query = MOOR_BUF(16384);
    MOOR_AUTO(moor_buf) pin = MOOR_BUF(64);
    MOOR_AUTOPTR(moor_cert) server = NULL;
    struct moor_onboard values;
    moor_code c;
    if ((c = settings(o, s, &values, err)) ||
        (c = plat_read_all(cp_state_path(s, "tls/server.pem"), CA_MAX, &pem, err)) ||
        (c = moor_cert_from_pem(moor_buf_view(&pem), &server, err)) ||
        (c = moor_cert_pin(server, &pin, err)))
        return c;
    moor_onboard_query(&values, &query);
    printf("curl -fsSk --proto =https --pinnedpubkey 'sha256//%s' -o onboard.sh "
           "'%s/his/onboard/linux?%s' && sudo sh onboard.sh\n",
           moor_buf_cstr(&pin), values.endpoint, moor_buf_cstr(&query));
    return MOOR_OK;
}

static int with_state(const struct cp_options *o,
                      moor_code (*print)(const struct cp_options *, struct cp_state *,
                                         struct moor_error *))
{
    struct cp_state s = CP_STATE_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    if (cp_state_open(o, &s, &err) || print(o, &s, &err))
        status = cp_complain(&err);
    cp_state_drop(&s);
    return status;
}

int cp_run_onboard_script(const struct cp_options *o)
{
    return with_state(o, print_script);
}

int cp_run_onboard_command(const struct cp_options *o)
{
    return with_state(o, print_command);
}
