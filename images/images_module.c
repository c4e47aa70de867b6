#include "images/gzip_module.h"
#include "images/module.h"
#include "images/zstd_module.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024 };

static int fail(struct archive *a, const char *text, char *why, unsigned room)
{
    const char *said = text ? text : archive_error_string(a);
    snprintf(why, room, "%s", said ? said : "it cannot be decompressed");
    archive_read_free(a);
    return -1;
}

static int enable(struct archive *a, enum compression how)
{
    switch (how) {
    case COMPRESSION_NONE:
    case COMPRESSION_GZIP:
        break;
    case COMPRESSION_ZSTD:
        return archive_read_support_filter_zstd(a);
    case COMPRESSION_XZ:
        return archive_read_support_filter_xz(a);
    case COMPRESSION_BZIP2:
        return archive_read_support_filter_bzip2(a);
    case COMPRESSION_LZ4:
        return archive_read_support_filter_lz4(a);
    case COMPRESSION_LZMA:
        return archive_read_support_filter_lzma(a);
    case COMPRESSION_LZIP:
        return archive_read_support_filter_lzip(a);
    case COMPRESSION_COMPRESS:
        return archive_read_support_filter_compress(a);
    }
    return ARCHIVE_FATAL;
}

/* Blocks are smaller than the room there is: several are handed on at once. */
struct filled {
    const struct images_sink *to;
    char *at; /* NULL: none yet */
    size_t used, room;
};

static int hand_on(struct filled *f)
{
    int r = f->at && f->used ? f->to->put(f->to->data, f->used) : 0;
    f->at = NULL;
    f->used = 0;
    return r;
}

static int put(struct filled *f, const char *data, size_t size)
{
    while (size) {
        if (!f->at)
            f->at = f->to->room(f->to->data, &f->room);
        if (!f->at)
            return -1;
        size_t n = size < f->room - f->used ? size : f->room - f->used;
        memcpy(f->at + f->used, data, n);
        f->used += n;
        data += n;
        size -= n;
        if (f->used == f->room && hand_on(f) < 0)
            return -1;
    }
    return 0;
}

static int inflate(int in, const struct images_sink *out, enum compression how, char *why,
                   unsigned room)
{
    if (how == COMPRESSION_GZIP)
        return gzip_inflate(in, out, why, room);
#ifdef COFFERDAM_ZSTD
    if (how == COMPRESSION_ZSTD)
        return zstd_inflate(in, out, why, room);
#endif
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    if (!a)
        return fail(a, "out of memory", why, room);
    /* WARN: libarchive would start a program for it, which the box does not allow */
    if (enable(a, how) != ARCHIVE_OK || archive_read_support_format_raw(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, in, BLOCK) != ARCHIVE_OK)
        return fail(a, NULL, why, room);
    int r = archive_read_next_header(a, &entry);
    if (r != ARCHIVE_OK)
        return fail(a, r == ARCHIVE_EOF ? "nothing is in it" : NULL, why, room);
    if (archive_filter_count(a) != 2)
        return fail(a, "it is compressed in an odd way", why, room);
    struct filled f = {.to = out};
    const void *data;
    size_t size;
    la_int64_t at;
    while ((r = archive_read_data_block(a, &data, &size, &at)) == ARCHIVE_OK)
        if (put(&f, data, size) < 0)
            return fail(a, "nobody reads any more", why, room);
    if (r != ARCHIVE_EOF)
        return fail(a, NULL, why, room);
    if (hand_on(&f) < 0)
        return fail(a, "nobody reads any more", why, room);
    archive_read_free(a);
    return 0;
}

__attribute__((visibility("default"))) extern const struct images_module images_module;
const struct images_module images_module = {.inflate = inflate};
