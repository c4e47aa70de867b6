/* The modules beside a kernel: which drivers it has, and what has to be loaded for them, in order.
 */
#ifndef COFFERDAM_IMAGES_KERNEL_MODULES_H
#define COFFERDAM_IMAGES_KERNEL_MODULES_H

#include "base/fd.h"
#include "images/disk_map.h"

/* What a machine may need of its kernel. A set of them is a mask of 1u << driver. */
enum kernel_driver {
    KERNEL_VIRTIO_MMIO,
    KERNEL_VIRTIO_PCI,
    KERNEL_BLK,
    KERNEL_CONSOLE,
    KERNEL_NET,
    KERNEL_RNG,
    KERNEL_BALLOON,
    KERNEL_VSOCK,
    KERNEL_SQUASHFS,
    KERNEL_EROFS,
    KERNEL_OVERLAY,
    KERNEL_EXT4,
    KERNEL_VIRTIOFS,
    KERNEL_9P,
    KERNEL_DRIVERS, /* how many */
};
extern const char *const kernel_driver_names[KERNEL_DRIVERS];

enum kernel_driver_state { KERNEL_MISSING, KERNEL_MODULE, KERNEL_BUILT_IN };

struct kernel_modules {
    int dir;                 /* owned; …/lib/modules/RELEASE */
    struct disk_map paths;   /* name -> path of the file, NUL-terminated */
    struct disk_map builtin; /* name -> "" */
};

/* Reads modules.builtin and the folder "kernel" (and "updates", "extra") below `path`. */
int kernel_modules_open(const char *path, struct kernel_modules *ret, struct error *e);
void kernel_modules_done(struct kernel_modules *m);

enum kernel_driver_state kernel_modules_state(const struct kernel_modules *m,
                                              enum kernel_driver driver);

/* One module's content, decompressed, in a memory file; -ENOENT. */
int kernel_modules_content(const struct kernel_modules *m, const char *name, struct error *e);

/*
 * The modules for these drivers and what they depend on, each after what it needs: names, owned by
 * the caller. `ret_fds` (or NULL): their contents in the same order, owned; kernel_fds_close().
 * -ENOENT: a driver, or what one needs, is not there, with its name. What would only be better
 * (soft dependencies) may be missing.
 */
int kernel_modules_resolve(const struct kernel_modules *m, unsigned drivers, char ***ret,
                           int **ret_fds, struct error *e);
void kernel_fds_close(int *fds, size_t count); /* and frees */

/* "virtio_mmio.ko.xz" -> "virtio_mmio", '-' as '_'; NULL if it is no module's. Owned. */
char *kernel_module_name(const char *file);

#endif
