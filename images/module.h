/* The table that cofferdam-images.so exports: the one part of the images that knows libarchive. */
#ifndef COFFERDAM_IMAGES_MODULE_H
#define COFFERDAM_IMAGES_MODULE_H

#include "images/compression.h"

#include <stddef.h>

/* Where decompressed bytes go. */
struct images_sink {
    /* Where the next `*ret_size` bytes may be put; NULL: nobody reads any more. */
    char *(*room)(void *data, size_t *ret_size);
    /* So many of them are there, at least one. 0 or -1. */
    int (*put)(void *data, size_t used);
    void *data;
};

struct images_module {
    /*
     * Writes what `in` holds, decompressed, to `out`. For a process that has nothing to lose
     * (box.h): only the one compression is enabled, and no format. A stream that is cut off, or
     * goes on behind its end with something else, is an error. 0, or -1 with a text in `why`.
     */
    int (*inflate)(int in, const struct images_sink *out, enum compression how, char *why,
                   unsigned room);
};

#endif
