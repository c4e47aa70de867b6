/*
 * What disks begin as that take what a guest changes: empty file systems, and empty overlays over a
 * disk of somebody's. One for each size, sparse.
 */
#ifndef COFFERDAM_IMAGES_BLANK_H
#define COFFERDAM_IMAGES_BLANK_H

#include "images/disk_base.h"

#include <stdbool.h>
#include <stdint.h>

#define BLANK_FILE_SYSTEM "ext4"
#define BLANK_FOLDER "blanks" /* of the cache */
#define BLANK_ENDING ".ext4"
#define BLANK_OVERLAY_ENDING ".qcow2"
#define BLANK_LEAST (16ull << 20) /* bytes; less is no disk to work on */

/*
 * The file of the cache that is an empty ext4 of so many bytes (whole 4 KiB are taken), without a
 * journal: who uses it copies it, and throws that away. Made once, by mke2fs(8). `*ret_path` is the
 * caller's; `*ret_made`: by this call. -ENOENT: mke2fs is not installed, with the package's name.
 */
int blank_make(const char *cache, uint64_t size, char **ret_path, bool *ret_made, struct error *e);

/*
 * The same as an empty qcow2 of so many bytes (0: those of `base`), which names no other file: over
 * what it lies says who opens it. Refused as disk_overlay_check() does.
 */
int blank_overlay_make(const char *cache, const struct disk_base *base, uint64_t size,
                       char **ret_path, bool *ret_made, struct error *e);

#endif
