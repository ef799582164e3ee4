/* SPDX-License-Identifier: Apache-2.0 */
#include "http/forget.h"

#include <curl/curl.h>
#include <event2/event.h>

#include "base/json.h"
#include "platform/memory.h"

void moor_http_forget(void)
{
    event_set_mem_functions(plat_wiped_alloc, plat_wiped_realloc, plat_wiped_free);
    moor_json_memory(plat_wiped_alloc, plat_wiped_free);
}

bool moor_http_start_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, plat_wiped_alloc, plat_wiped_free,
                                plat_wiped_realloc, plat_wiped_strdup,
                                plat_wiped_calloc) == CURLE_OK;
}
