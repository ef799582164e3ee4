/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a package as the checker for authors reads them, and names of files and folders. */
#include "fuzz.h"

#include <string.h>

#include "contract/names.h"
#include "sdk/check_parts.h"

static void on_finding(void *ctx, const struct moor_finding *f)
{
    (void)ctx;
    MOOR_ASSERT(*f->rule && *f->message && *f->remedy);
    MOOR_ASSERT(*moor_severity_name(f->severity));
}

static void judges_files(struct moor_span in)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(16 * MOOR_MANIFEST_MAX);
    const struct moor_check c = { on_finding, NULL, "file" };
    struct moor_manifest m;
    char text[64];
    if (moor_check_manifest(&c, in, &m, &arena))
        for (size_t v = 0; v < MOOR_VERB_COUNT_; v++)
            MOOR_ASSERT(moor_check_program_of(m.command[v], &arena));
    moor_check_program(&c, in, true);
    moor_check_xml_text(in, "Type", text, sizeof(text));
    MOOR_ASSERT(strlen(text) < sizeof(text));
}

static void takes_names_apart(struct moor_span in)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(1024);
    struct moor_check_name parts;
    struct moor_span full, version;
    uint32_t seq = 0;
    moor_buf_span(&name, in);
    if (name.failed || (in.n > 0 && memchr(in.p, 0, in.n)))
        return;
    const char *s = moor_buf_cstr(&name);
    if (moor_check_split_name(s, &parts))
        MOOR_ASSERT(strlen(parts.publisher) + strlen(parts.type) + strlen(parts.version) + 7 ==
                    in.n);
    if (moor_handler_folder_split(s, &full, &version))
        MOOR_ASSERT(full.n + 1 + version.n == in.n);
    MOOR_ASSERT(!(moor_status_name_seq(s, &seq) && moor_settings_name_seq(s, &seq)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span in = moor_span(data, size);
    judges_files(in);
    takes_names_apart(in);
    return 0;
}
