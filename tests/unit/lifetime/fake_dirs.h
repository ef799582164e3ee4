/* SPDX-License-Identifier: Apache-2.0 */
/* fake_dirs.h: platform/dirs.h with a root that the test changes, so that one program holds
 * several machines. Linked before posix. */
#ifndef MOOR_FAKE_DIRS_H
#define MOOR_FAKE_DIRS_H

#define FAKE_DIRS_MAX 4

/* Adds a root, an absolute path below which everything is; its number. */
unsigned fake_dirs_add(const char *root);
/* What plat_dir_path() answers from now on. */
void fake_dirs_use(unsigned root);

#endif
