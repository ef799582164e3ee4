/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "crypto/memory.h"
#include "platform/account.h"

int main(int argc, char **argv)
{
    plat_protect_process();
    moor_crypto_wipe_freed();
    return moor_cli_main(argc, argv);
}
