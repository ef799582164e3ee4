/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h: <STATE>/log/azcmagent.log: what commands that change something said, in the form that
 * scripts of the field look for:
 *
 *   time="2026-11-22T21:20:10Z" level=fatal msg="AZCM0044: ..." Command=connect
 *
 * The folder is the identity service's, so nothing in it is followed, and a file there that is not
 * the caller's alone is not written to. Nothing here fails a command.
 */
#ifndef MOOR_CLI_JOURNAL_H
#define MOOR_CLI_JOURNAL_H

#include "base/buf.h"
#include "platform/file.h"

#define MOOR_JOURNAL_NAME "azcmagent.log"      /* in plat_dir_path(PLAT_DIR_LOG) */
#define MOOR_JOURNAL_MAX  (4ULL * 1024 * 1024) /* then it is renamed to azcmagent.log.1 */

/* Opens it for appending. DENIED when the file is somebody else's, a link, or has more names. */
MOOR_NODISCARD moor_code moor_journal_open(struct plat_file *out, struct moor_error *err);

/* Pure: appends one line. level: "info", "warning", "fatal". */
void moor_journal_line(struct moor_buf *b, int64_t now_ms, const char *level, const char *text,
                       const char *command);

#endif
