/* Debian packages (deb(5)), unpacked as strangers' archives are. */
#ifndef COFFERDAM_IMAGES_KERNEL_DEB_H
#define COFFERDAM_IMAGES_KERNEL_DEB_H

#include "base/fd.h"

/* 1: it begins like one; 0: not; -errno. */
int kernel_deb_is(const char *path, struct error *e);

/* Where data.tar… is, by an ar archive's headers. Pure over pread(2). */
int kernel_deb_find(int fd, uint64_t *ret_at, uint64_t *ret_size, struct error *e);

/* Unpacks its files into a new folder `name` below `dir`, confined; gives a descriptor of it. */
int kernel_deb_unpack(const char *path, int dir, const char *name, int *ret, struct error *e);

#endif
