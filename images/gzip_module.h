/* Within cofferdam-images.so alone. */
#ifndef COFFERDAM_IMAGES_GZIP_MODULE_H
#define COFFERDAM_IMAGES_GZIP_MODULE_H

#include "images/module.h"

/* As images_module.inflate, of gzip: any number of members, each with its check sum verified. */
int gzip_inflate(int in, const struct images_sink *out, char *why, unsigned room);

#endif
