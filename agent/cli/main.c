/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "crypto/memory.h"
#include "http/forget.h"
#include "platform/account.h"

int main(int argc, char **argv)
{
    plat_protect_process();
    moor_crypto_wipe_freed();
    moor_http_forget();
    return moor_cli_main(argc, argv);
}
