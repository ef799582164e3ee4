/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mooring-pack: a handler's files as a package that strict readers take. General archivers write
 * local headers that contradict the directory, which the gallery and the agent refuse. The result
 * depends on names and contents only, so that a rebuilt package is the same package.
 *
 *   mooring-pack OUT.zip FOLDER FILE...      files below bin/ become executable
 */
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "base/attr.h"
#include "base/buf.h"

enum {
    MODE_FILE = 0100644,
    MODE_PROGRAM = 0100755,
};
/* The first moment a zip can tell in every time zone. */
static const time_t epoch_of_zip = 315532800 + 86400;

static void discard(zip_t **z)
{
    if (*z)
        zip_discard(*z);
}

static bool add(zip_t *z, const char *folder, const char *name)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", folder, name);
    zip_source_t *source = zip_source_file(z, moor_buf_cstr(&path), 0, -1);
    if (!source)
        return false;
    zip_int64_t at = zip_file_add(z, name, source, ZIP_FL_ENC_UTF_8);
    if (at < 0) {
        zip_source_free(source);
        return false;
    }
    zip_uint64_t index = (zip_uint64_t)at;
    zip_uint32_t mode = strncmp(name, "bin/", 4) == 0 ? MODE_PROGRAM : MODE_FILE;
    return zip_file_set_external_attributes(z, index, 0, ZIP_OPSYS_UNIX, mode << 16) == 0 &&
           zip_file_set_mtime(z, index, epoch_of_zip, 0) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: mooring-pack OUT.zip FOLDER FILE...\n");
        return 2;
    }
    int why = 0;
    __attribute__((cleanup(discard))) zip_t *z = zip_open(argv[1], ZIP_CREATE | ZIP_TRUNCATE, &why);
    if (!z) {
        fprintf(stderr, "mooring-pack: %s: cannot be made (libzip error %d)\n", argv[1], why);
        return 1;
    }
    for (int i = 3; i < argc; i++) {
        if (!add(z, argv[2], argv[i])) {
            fprintf(stderr, "mooring-pack: %s: %s\n", argv[i], zip_strerror(z));
            return 1;
        }
    }
    if (zip_close(z) != 0) {
        fprintf(stderr, "mooring-pack: %s: %s\n", argv[1], zip_strerror(z));
        return 1;
    }
    z = NULL;
    return 0;
}
