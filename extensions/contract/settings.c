/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/settings.h"

#include "base/json.h"
#include "base/jsontab.h"

#include <stddef.h>

static void text_or_null(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, ",\"%s\":", name);
    if (value)
        moor_buf_json_str(b, moor_span_str(value));
    else
        moor_buf_str(b, "null");
}

void moor_buf_handler_settings(struct moor_buf *b, const struct moor_handler_settings *s)
{
    moor_buf_str(b, "{\"runtimeSettings\":[{\"handlerSettings\":{\"publicSettings\":");
    moor_buf_str(b, s->public_settings ? s->public_settings : "null");
    text_or_null(b, "protectedSettings", s->protected_settings);
    text_or_null(b, "protectedSettingsCertThumbprint", s->protected_thumbprint);
    moor_buf_str(b, "}}]}");
}

static const struct moor_json_field fields[] = {
    { MOOR_F_OBJ_JSON, "publicSettings", offsetof(struct moor_handler_settings, public_settings), 0,
      0, 0, NULL },
    { MOOR_F_STR, "protectedSettings", offsetof(struct moor_handler_settings, protected_settings),
      0, 0, 0, NULL },
    { MOOR_F_STR, "protectedSettingsCertThumbprint",
      offsetof(struct moor_handler_settings, protected_thumbprint), 0, 0, 128, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_handler_settings), fields, 0 };

moor_code moor_handler_settings_parse(struct moor_span text, struct moor_handler_settings *out,
                                      struct moor_arena *arena, struct moor_error *err)
{
    struct moor_handler_settings s = { 0 };
    if (moor_span_trim(text).n > 0) {
        MOOR_AUTOPTR(moor_json) doc = NULL;
        if (moor_json_parse_lenient(text, &doc, err) != MOOR_OK)
            return moor_context(err, "settings");
        const struct moor_json *list = moor_json_get(doc, "runtimeSettings");
        if (moor_json_typeof(list) != MOOR_JSON_ARRAY || moor_json_size(list) != 1)
            return moor_fail(err, MOOR_E_BADINPUT, "settings: runtimeSettings: want one element");
        const struct moor_json *handler = moor_json_get(moor_json_first(list), "handlerSettings");
        moor_code c = moor_json_decode_value(handler, "settings", &shape, &s, arena, err);
        if (c != MOOR_OK)
            return c;
    }
    *out = s;
    return MOOR_OK;
}
