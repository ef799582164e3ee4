/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_edit.h: changing one key of localconfig.json. The file is read, changed, checked as a
 * whole and replaced in one step; what it held before is kept beside it as
 * localconfig.json.backup. A file that breaks a rule already is not touched. Two commands at once
 * take turns. A change is in the audit log (trail.h) before it is done; one that monitor mode
 * refuses, too. For `mooring` run by the administrator; blocking.
 */
#ifndef MOOR_CORE_SETTINGS_EDIT_H
#define MOOR_CORE_SETTINGS_EDIT_H

#include "core/settings.h"

#define MOOR_LOCALCONFIG_BACKUP MOOR_LOCALCONFIG_NAME ".backup"

typedef enum moor_edit {
    MOOR_EDIT_SET,
    MOOR_EDIT_ADD,    /* lists: the items that are not there yet */
    MOOR_EDIT_REMOVE, /* lists: these items, case ignored */
    MOOR_EDIT_CLEAR   /* back to the default; text is not looked at */
} moor_edit;

/* text is what a person typed: items of lists are parted by commas, words ignore case. BADINPUT
 * says which rule it breaks; EXISTS: monitor mode holds the lists. Nothing is written when nothing
 * changes. values, unless NULL, gets what then holds; the caller frees. */
MOOR_NODISCARD moor_code moor_settings_edit(const struct moor_setting *s, moor_edit how,
                                            const char *text, struct moor_json **values,
                                            struct moor_error *err);

/* The pure half: document is the parsed file, changed in place; *changed says whether. */
MOOR_NODISCARD moor_code moor_settings_apply(struct moor_json *document,
                                             const struct moor_setting *s, moor_edit how,
                                             const char *text, bool *changed,
                                             struct moor_error *err);

#endif
