/*
 * A disk of somebody's (`disk:PATH`), never written: a qcow2 overlay takes the changes.
 *
 * A disk can name other files: qcow2 a backing file and a data file, VMDK its extents. Whoever
 * made it chose those names, and a machine that read them would read this machine's files. So only
 * qcow2 that stands alone, and raw, are taken; what it is is read here, before any program sees it.
 */
#ifndef COFFERDAM_IMAGES_DISK_BASE_H
#define COFFERDAM_IMAGES_DISK_BASE_H

#include "base/fd.h"

enum disk_format { DISK_RAW, DISK_QCOW2 };
const char *disk_format_name(enum disk_format f); /* as qemu calls it */

struct disk_base {
    char *path; /* owned; absolute, without links */
    int fd;     /* owned; read-only */
    enum disk_format format;
    uint64_t size; /* bytes that a machine sees */
};
void disk_base_done(struct disk_base *b);

enum { DISK_HEAD = 4096 };
#define DISK_SIZE_MAX ((uint64_t)64 << 40)
/*
 * What the first bytes say. `file_size`: of the file or device. Pure. -EMEDIUMTYPE: a format that
 * has to be converted, with the command; -EPERM: it leads to other files; -EBADMSG: broken.
 */
int disk_base_read(const void *head, size_t size, uint64_t file_size, enum disk_format *ret_format,
                   uint64_t *ret_size, struct error *e);

/* Opens and reads it: a regular file or a block device. */
int disk_base_open(const char *path, struct disk_base *ret, struct error *e);

/* The same where only raw will do: what is not is refused with the command that makes it so. */
int disk_base_open_raw(const char *path, struct disk_base *ret, struct error *e);

/*
 * The same of one whose format its owner has told. A raw disk whose guest has written a qcow2
 * header to its start stays raw. -EMEDIUMTYPE: it was told to be qcow2 and is not.
 */
int disk_base_open_as(const char *path, enum disk_format told, struct disk_base *ret,
                      struct error *e);

/* qemu-img's own word (qemu-img info --output=json) against ours. Pure. -EPERM, -EBADMSG. */
int disk_base_agree(const struct disk_base *b, const char *json, size_t size, struct error *e);

/*
 * Whether one of `size` bytes (0: the base's) can lie over it. Over a qcow2 one qemu-img is asked,
 * confined: -ENOENT where it is missing.
 */
int disk_overlay_check(const struct disk_base *b, uint64_t size, struct error *e);

/*
 * Makes `overlay` (absolute, not there yet) of at least the base's size; `size` 0: the same.
 * Checked first, as above. Nothing is left after an error.
 */
int disk_overlay_make(const struct disk_base *b, const char *overlay, uint64_t size,
                      struct error *e);

/*
 * Writes an empty one (qcow2, version 3) into an empty file, for a machine that sees `size` bytes:
 * `base` is absolute, not looked at, and of that format; NULL: none, all of it is zeros.
 */
int disk_overlay_write(int fd, const char *base, enum disk_format format, uint64_t size,
                       struct error *e);

#endif
