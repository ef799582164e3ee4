/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files named as arguments, and over each of their beginnings: an
 * input that ends early is where readers go past the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define SEED_MAX 4096

/* The input in memory of exactly its size, so that the sanitizer sees the first byte behind it. */
static void run_one(const char *bytes, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    MOOR_ASSERT(exact);
    memcpy(exact, bytes, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static int run_seed(const char *path)
{
    static char bytes[SEED_MAX];
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t len = 0; len <= n; len++)
        run_one(bytes, len);
    return 1;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    printf("1..1\n");
    for (int i = 1; i < argc; i++) {
        /* An assertion ends the program: say first which seed it was. */
        printf("# %s\n", argv[i]);
        fflush(stdout);
        if (!run_seed(argv[i]))
            failed = 1;
    }
    printf("%sok 1 - seeds_and_their_beginnings_break_nothing\n", failed ? "not " : "");
    return failed;
}
