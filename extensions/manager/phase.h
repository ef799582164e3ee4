/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phase.h: where an extension is on its way, and how it stands to what is wanted of it.
 */
#ifndef MOOR_MANAGER_PHASE_H
#define MOOR_MANAGER_PHASE_H

typedef enum moor_item_phase {
    MOOR_PHASE_ABSENT,    /* nothing on the disk */
    MOOR_PHASE_UNPACKED,  /* the folder is there, install has not succeeded */
    MOOR_PHASE_INSTALLED, /* installed, or disabled again */
    MOOR_PHASE_ENABLED,   /* enable succeeded for some sequence number */
    /* On the way from old_version to version: */
    MOOR_PHASE_UPDATE_UNPACKED, /* the new folder is there, the old handler is enabled */
    MOOR_PHASE_UPDATE_DISABLED, /* the old handler is disabled */
    MOOR_PHASE_UPDATE_COPIED,   /* its memory and statuses are in the new folder */
    MOOR_PHASE_UPDATE_DONE,     /* update of the new handler succeeded */
    MOOR_PHASE_UNINSTALLED,     /* gone; kept until the service knows */
    MOOR_PHASE_COUNT_
} moor_item_phase;
const char *moor_phase_name(moor_item_phase p);

typedef enum moor_item_outcome {
    MOOR_OUTCOME_GOING_ON,
    MOOR_OUTCOME_SUCCEEDED,
    MOOR_OUTCOME_FAILED
} moor_item_outcome;

#endif
