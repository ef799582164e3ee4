/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repair.h: what the administrator asks with `mooring extension repair`: what failed is done again,
 * from the step that can mend it. Asking twice is asking once.
 */
#ifndef MOOR_MANAGER_REPAIR_H
#define MOOR_MANAGER_REPAIR_H

#include "manager/internal.h"

typedef enum moor_wish { MOOR_WISH_NONE, MOOR_WISH_THERE, MOOR_WISH_GONE } moor_wish;

/* Puts the item back to where its work begins again, forgets its failure, and says so in a
 * sentence. whole: its folder holds a manifest that can be read. Nothing may go on for the item.
 * Pure. */
void moor_repair_item(struct moor_item *i, moor_wish wish, bool whole, struct moor_buf *said);

/* Deals with what is asked; an item for which something goes on waits until that ends. Orphans are
 * removed. Small files: loop. */
void moor_repair_asked(struct moor_manager *m);

#endif
