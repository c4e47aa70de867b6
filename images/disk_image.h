/* The disk of an image of the store. */
#ifndef COFFERDAM_IMAGES_DISK_IMAGE_H
#define COFFERDAM_IMAGES_DISK_IMAGE_H

#include "images/disk.h"
#include "images/image.h"

/*
 * Found by its diff-ids alone, so that a warm start reads nothing of the store; else layers that
 * are missing are unpacked (and committed) and the disk is made (disk.h).
 */
int disk_of_image(struct image_store *s, const struct image *i, const struct image_work *w,
                  const char *cache, struct disk *ret, struct error *e);

#endif
