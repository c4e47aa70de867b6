/* Names of images: what people type, what archives say, what the index holds. */
#ifndef COFFERDAM_IMAGES_NAMES_H
#define COFFERDAM_IMAGES_NAMES_H

#include "base/error.h"
#include "base/str.h"

/*
 * "[HOST[:PORT]/]PATH[:TAG]", lower case but for the tag, as registries have it, made plain: the
 * tag is written out (":latest"), "docker.io/", "docker.io/library/" and "localhost/" are left out.
 * At most 255 bytes. Owned by the caller; NULL with text (-EINVAL).
 */
char *image_name_plain(const char *name, struct error *e);

/* A name out of a file's ("busybox.tar.gz": "busybox:latest"). Owned by the caller; NULL: none. */
char *image_name_of_file(const char *path);

#endif
