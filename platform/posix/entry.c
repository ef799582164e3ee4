/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from folder.c: tests that pretend the disk still read /proc. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "path.h"

const struct dirent *posix_next_entry(DIR *d)
{
    const struct dirent *e;
    do {
        errno = 0;
        e = readdir(d); /* NOLINT(concurrency-mt-unsafe): each stream has one user */
    } while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
    return e;
}
