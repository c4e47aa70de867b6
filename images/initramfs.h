/*
 * What a guest's kernel starts with: our own init and the modules it needs before it can see a
 * device, as a plain cpio archive (Linux's driver-api/early-userspace/buffer-format.rst), not
 * compressed: at two megabytes that costs a boot more than it saves.
 *
 *   /init                 cofferdam-init
 *   /modules/NAME.ko      decompressed, without its signature
 *   /modules/load         one file name a line ("virtio.ko"), in the order to load them; may be
 * empty /dev /proc /sys /run /root    empty folders to mount on; the image's root goes on /root
 */
#ifndef COFFERDAM_IMAGES_INITRAMFS_H
#define COFFERDAM_IMAGES_INITRAMFS_H

#include "images/kernel.h"

/* Part of every key. */
#define INITRAMFS_FORMAT "initramfs 2"
#define INITRAMFS_LOAD "/modules/load"

struct initramfs_wish {
    const char *cache;           /* dirs.cache; borrowed */
    const struct kernel *kernel; /* borrowed */
    unsigned drivers;            /* 1u << enum kernel_driver, … */
    const char *init;            /* a static program; borrowed */
};

struct initramfs {
    char *path; /* owned; absolute, read-only */
    uint64_t size;
    bool made; /* by this call */
};
void initramfs_done(struct initramfs *i);

/*
 * The same bytes for the same kernel, drivers and init; made once, by one process at a time, whole.
 * A key of the inputs' identities (inode, size, times) makes finding it again cheap. -ENOENT: the
 * kernel lacks a driver, with its name. For single-threaded programs.
 */
int initramfs_make(const struct initramfs_wish *w, struct initramfs *ret, struct error *e);

/* Writes it to `fd`, without the cache. */
int initramfs_write(const struct initramfs_wish *w, int fd, struct error *e);

/*
 * The table cofferdam-images.so exports for it. One archive at a time; each returns 0, or -1 with
 * a text in `why`.
 */
struct initramfs_module {
    int (*begin)(int fd, char *why, unsigned room);
    int (*folder)(const char *name, char *why, unsigned room);
    /* `mode`: permission bits. */
    int (*file)(const char *name, unsigned mode, const void *data, size_t size, char *why,
                unsigned room);
    int (*end)(char *why, unsigned room); /* also after an error: forgets the archive */
};

#endif
