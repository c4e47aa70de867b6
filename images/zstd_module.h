/* Within cofferdam-images.so alone. */
#ifndef COFFERDAM_IMAGES_ZSTD_MODULE_H
#define COFFERDAM_IMAGES_ZSTD_MODULE_H

#include "images/module.h"

/* As images_module.inflate, of zstd: any number of frames, those that are to be skipped too. */
int zstd_inflate(int in, const struct images_sink *out, char *why, unsigned room);

#endif
