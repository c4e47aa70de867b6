/* What a stream is compressed with, by its first bytes. */
#ifndef COFFERDAM_IMAGES_COMPRESSION_H
#define COFFERDAM_IMAGES_COMPRESSION_H

#include <stddef.h>

/* OCI layers are one of the first three; root file systems may come as any. */
enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_ZSTD,
    COMPRESSION_XZ,
    COMPRESSION_BZIP2,
    COMPRESSION_LZ4, /* frames, and the older form that kernels are packed in */
    COMPRESSION_LZMA,
    COMPRESSION_LZIP,
    COMPRESSION_COMPRESS, /* compress(1), .Z */
};

enum { COMPRESSION_MAGIC = 6 }; /* bytes that tell */
enum compression compression_of(const void *start, size_t size);
const char *compression_name(enum compression c);

#endif
