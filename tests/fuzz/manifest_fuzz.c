/* SPDX-License-Identifier: Apache-2.0 */
/* HandlerManifest.json of a package, and HandlerEnvironment.json as handlers read it. */
#include "fuzz.h"

#include <string.h>

#include "contract/environment.h"
#include "contract/manifest.h"

static void reads_a_manifest(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8 * MOOR_MANIFEST_MAX);
    struct moor_manifest m;
    if (moor_manifest_parse(in, &m, &arena, NULL) != MOOR_OK)
        return;
    MOOR_ASSERT(in.n <= MOOR_MANIFEST_MAX);
    for (size_t i = 0; i < MOOR_VERB_COUNT_; i++) {
        /* It is put behind the handler's folder and a slash. */
        MOOR_ASSERT(*m.command[i] && *m.command[i] != '/' && strlen(m.command[i]) <= 1024);
    }
    MOOR_ASSERT(m.signing_publisher && m.signing_type && m.signing_version);
}

static void reads_back_an_environment(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(16 * MOOR_ENVIRONMENT_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(16 * MOOR_ENVIRONMENT_MAX);
    struct moor_handler_environment first, again;
    if (moor_handler_environment_parse(in, &first, &arena, NULL) != MOOR_OK)
        return;
    moor_buf_handler_environment(&text, &first);
    moor_code c = moor_handler_environment_parse(moor_buf_view(&text), &again, &arena, NULL);
    if (c == MOOR_E_NOMEM)
        return;
    MOOR_ASSERT(c == MOOR_OK);
    MOOR_ASSERT(strcmp(first.name, again.name) == 0);
    MOOR_ASSERT(strcmp(first.config_folder, again.config_folder) == 0);
    MOOR_ASSERT(strcmp(first.status_folder, again.status_folder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    reads_a_manifest(in);
    reads_back_an_environment(in);
    return 0;
}
