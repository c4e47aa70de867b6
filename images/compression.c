#include "images/compression.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name, *magic;
    size_t size;
} compressions[] = {
    [COMPRESSION_NONE] = {"none",     "",                 0},
    [COMPRESSION_GZIP] = {"gzip",     "\x1f\x8b",         2},
    [COMPRESSION_ZSTD] = {"zstd",     "\x28\xb5\x2f\xfd", 4},
    [COMPRESSION_XZ] = {"xz",       "\xfd\x37zXZ",      6},
    [COMPRESSION_BZIP2] = {"bzip2",    "BZh",              3},
    [COMPRESSION_LZ4] = {"lz4",      "\x04\x22\x4d\x18", 4},
    [COMPRESSION_LZMA] = {"lzma",     "]\0\0",            3},
    [COMPRESSION_LZIP] = {"lzip",     "LZIP\1",           5},
    [COMPRESSION_COMPRESS] = {"compress", "\x1f\x9d",         2},
};

/* A tar whose first member is called "]" begins like it, and goes on with zeros. */
static bool compression_has_size(const unsigned char *p, size_t size)
{
    return size >= 5 && (p[3] || p[4]);
}

enum compression compression_of(const void *start, size_t size)
{
    for (size_t i = 1; i < sizeof(compressions) / sizeof(compressions[0]); i++)
        if (size >= compressions[i].size &&
            memcmp(start, compressions[i].magic, compressions[i].size) == 0 &&
            (i != COMPRESSION_LZMA || compression_has_size(start, size)))
            return (enum compression)i;
    if (size >= 4 && memcmp(start, "\x02\x21\x4c\x18", 4) == 0)
        return COMPRESSION_LZ4;
    return COMPRESSION_NONE;
}

const char *compression_name(enum compression c)
{
    return compressions[c].name;
}
