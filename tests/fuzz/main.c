/*
 * Runs a fuzz target without libFuzzer: NAME SEED ROUNDS [FILE…]. Each file as it is, cut short,
 * and ROUNDS changed copies of it from a fixed seed; a crash is the failure.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };

static uint32_t seed;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return below ? (seed >> 8) % below : 0;
}

/* Runs on a copy of the exact size, so that a sanitizer sees the first byte read too far. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t change(uint8_t *data, size_t size)
{
    for (uint32_t n = 1 + next(8); n && size; n--) {
        size_t at = next((uint32_t)size);
        switch (next(5)) {
        case 0:
            data[at] = (uint8_t)next(256);
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << next(8));
            break;
        case 2: /* a piece goes */
        {
            size_t length = 1 + next((uint32_t)(size - at));
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        }
        case 3: /* a piece comes twice */
        {
            size_t length = 1 + next(16);
            if (length > size - at || size + length > MOST)
                break;
            memmove(data + at + length, data + at, size - at);
            size += length;
            break;
        }
        default:
            data[at] = (uint8_t) "\x1b[;:?hlmrHJK\x9c\xff\x00\x7f"[next(16)];
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t whole[MOST], changed[MOST];
    if (argc < 3)
        return 2;
    seed = (uint32_t)atoi(argv[1]);
    int rounds = atoi(argv[2]);
    for (int i = 3; i < argc; i++) {
        FILE *f = fopen(argv[i], "rbe");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(whole, 1, sizeof(whole), f);
        fclose(f);
        run(whole, size);
        for (size_t cut = 0; cut < size && cut < 256; cut++)
            run(whole, cut);
        for (int round = 0; round < rounds; round++) {
            memcpy(changed, whole, size);
            run(changed, change(changed, size));
        }
    }
    return 0;
}
