/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/environment.h"

#include "base/json.h"
#include "base/jsontab.h"

#include <stddef.h>

static void member(struct moor_buf *b, const char *before, const char *name, const char *value)
{
    moor_buf_fmt(b, "%s\"%s\": ", before, name);
    moor_buf_json_str(b, moor_span_str(value));
}

void moor_buf_handler_environment(struct moor_buf *b, const struct moor_handler_environment *e)
{
    member(b, "[{", "name", e->name);
    moor_buf_str(b, ", \"version\": 1.0, \"handlerEnvironment\": {");
    member(b, "", "logFolder", e->log_folder);
    member(b, ", ", "configFolder", e->config_folder);
    member(b, ", ", "statusFolder", e->status_folder);
    member(b, ", ", "heartbeatFile", e->heartbeat_file);
    member(b, ", ", "eventsFolder", e->events_folder);
    member(b, ", ", "eventsFolder_preview", e->events_folder);
    moor_buf_str(b, "}}]");
}

static const struct moor_json_field folder_fields[] = {
    { MOOR_F_STR, "logFolder", offsetof(struct moor_handler_environment, log_folder),
      MOOR_F_REQUIRED, 1, 4096, NULL },
    { MOOR_F_STR, "configFolder", offsetof(struct moor_handler_environment, config_folder),
      MOOR_F_REQUIRED, 1, 4096, NULL },
    { MOOR_F_STR, "statusFolder", offsetof(struct moor_handler_environment, status_folder),
      MOOR_F_REQUIRED, 1, 4096, NULL },
    { MOOR_F_STR, "heartbeatFile", offsetof(struct moor_handler_environment, heartbeat_file), 0, 0,
      4096, NULL },
    { MOOR_F_STR, "eventsFolder", offsetof(struct moor_handler_environment, events_folder), 0, 0,
      4096, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape folder_shape = { sizeof(struct moor_handler_environment),
                                                     folder_fields, 0 };

moor_code moor_handler_environment_parse(struct moor_span text,
                                         struct moor_handler_environment *out,
                                         struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (moor_json_parse_lenient(text, &doc, err) != MOOR_OK)
        return moor_context(err, "%s", MOOR_ENVIRONMENT_NAME);
    const struct moor_json *item =
        moor_json_typeof(doc) == MOOR_JSON_ARRAY ? moor_json_first(doc) : doc;
    struct moor_handler_environment e = { .name = "", .heartbeat_file = "", .events_folder = "" };
    moor_code c = moor_json_decode_value(moor_json_get(item, "handlerEnvironment"),
                                         MOOR_ENVIRONMENT_NAME, &folder_shape, &e, arena, err);
    if (c != MOOR_OK)
        return c;
    const char *name = moor_json_get_str(item, "name");
    e.name = moor_arena_str(arena, moor_span_str(name ? name : ""));
    if (!e.name)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", MOOR_ENVIRONMENT_NAME);
    *out = e;
    return MOOR_OK;
}
