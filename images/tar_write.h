/* A writer of pax tar streams: the same members give the same bytes. */
#ifndef COFFERDAM_IMAGES_TAR_WRITE_H
#define COFFERDAM_IMAGES_TAR_WRITE_H

#include "images/tar.h"

/* Writes the headers of a member; `m->size` bytes of content have to follow. 0 or -errno. */
int tar_write_member(int fd, const struct tar_member *m);
/* Those headers, appended. */
void tar_write_format(struct buf *to, const struct tar_member *m);
/* The content, from a file of exactly that size (-EIO if it is shorter), padded. */
int tar_write_content(int fd, int from, uint64_t size);
int tar_write_bytes(int fd, const void *data, size_t size);
/* The end of the archive. */
int tar_write_end(int fd);

#endif
