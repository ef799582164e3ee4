/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what plat_netifs_read() sees: for tests that make the network it runs in. */
#include <stdio.h>

#include "platform/inventory.h"

int main(void)
{
    struct plat_netif list[8];
    size_t count = plat_netifs_read(list, 8);
    for (size_t i = 0; i < count; i++) {
        printf("%s %s\n", list[i].name, list[i].mac);
        for (size_t k = 0; k < list[i].address_count; k++)
            printf("%s %s/%u\n", list[i].addresses[k].text, list[i].addresses[k].network,
                   list[i].addresses[k].prefix);
    }
    return 0;
}
