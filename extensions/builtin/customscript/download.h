/* SPDX-License-Identifier: Apache-2.0 */
/* download.h: fetching a job's files, one after another, each retried a few times. Blocks. */
#ifndef MOOR_CUSTOMSCRIPT_DOWNLOAD_H
#define MOOR_CUSTOMSCRIPT_DOWNLOAD_H

#include "base/error.h"
#include "http/proxy.h"
#include "settings.h"

/* What the environment and this machine's identity add to a job. */
struct customscript_access {
    const struct moor_proxy *proxy;
    const struct moor_secret *token; /* for Azure's blob storage; NULL = none */
};

/* Files come to folder under the last part of their URI, executable by the owner; text files get
 * Unix line ends unless the job says not to. The error names the file's number, never its URI. */
MOOR_NODISCARD moor_code customscript_download(const struct customscript_job *job,
                                               const char *folder,
                                               const struct customscript_access *access,
                                               struct moor_error *err);

#endif
