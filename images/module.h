/* The table that cofferdam-images.so exports: the one part of the images that knows libarchive. */
#ifndef COFFERDAM_IMAGES_MODULE_H
#define COFFERDAM_IMAGES_MODULE_H

#include "images/compression.h"

struct images_module {
    /*
     * Writes what `in` holds, decompressed, to `out`. For a process that has nothing to lose
     * (box.h): only the one compression is enabled, and no format. A stream that is cut off, or
     * goes on behind its end with something else, is an error. 0, or -1 with a text in `why`.
     */
    int (*inflate)(int in, int out, enum compression how, char *why, unsigned room);
};

#endif
