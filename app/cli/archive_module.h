/* The table that cofferdam-archive.so exports: the only part that is linked with libarchive. */
#ifndef COFFERDAM_APP_CLI_ARCHIVE_MODULE_H
#define COFFERDAM_APP_CLI_ARCHIVE_MODULE_H

#include <stdint.h>

/* One entry, as it stands in the archive: a stranger's words. Borrowed for the call. */
struct archive_item {
    const char *path;
    const char *link; /* of symbolic and hard links; NULL */
    uint32_t mode;    /* type and permission bits */
    uint64_t size;
};

struct archive_module {
    /*
     * Reads the headers of all entries in `fd` and calls back, until `each` returns non-zero. To be
     * called in a process that has nothing to lose: see archive_list(). Only tar, cpio, ar, ZIP and
     * 7-Zip are known, compressed by gzip, bzip2, xz, lzma, zstd, lz4 or not at all; no program is
     * started. 0, or -1 with a text of `room` bytes in `why`.
     */
    int (*list)(int fd, int (*each)(void *data, const struct archive_item *item), void *data,
                char *why, unsigned room);
};

#endif
