/*
 * Kernels for guests: those of this machine's own packages, and imported ones.
 *
 *   DATA/kernels/RELEASE/vmlinuz, config, modules/…   an imported one; modules are those of the
 *                                                     drivers in kernel_modules.h
 *   CACHE/vmlinux/KEY.vmlinux                         what a bzImage holds, for who starts ELF
 */
#ifndef COFFERDAM_IMAGES_KERNEL_H
#define COFFERDAM_IMAGES_KERNEL_H

#include "images/kernel_head.h"
#include "images/kernel_modules.h"

struct kernel {
    char *release;           /* owned */
    char *path;              /* owned; absolute: bzImage or vmlinux */
    char *modules;           /* owned; the folder with modules.builtin; NULL: none was found */
    char *config;            /* owned; NULL: none was found */
    bool imported;           /* else it is this machine's own */
    bool readable;           /* some distributions let only root read it */
    struct kernel_head head; /* if readable */
};

struct kernel_list {
    struct kernel *list; /* owned; imported ones first, then newest release first */
    size_t count;
};
void kernel_list_done(struct kernel_list *l);

/*
 * All there are, in DATA and in `root` ("/": this machine): /boot/vmlinuz-RELEASE and
 * /{usr/,}lib/modules/RELEASE/vmlinuz. What is no kernel is passed over.
 */
int kernel_list_read(const char *data, const char *root, struct kernel_list *ret, struct error *e);

/*
 * The one of that release (or its only beginning), borrowed from the list; NULL: the one to take
 * when nobody says: the first that can be read and has modules for virtio, a block device, squashfs
 * and overlay, else an imported vmlinux that came alone. -ENOENT with the mend.
 */
int kernel_choose(const struct kernel_list *l, const char *release, const struct kernel **ret,
                  struct error *e);

/*
 * Imports Debian packages (one with the kernel, further ones with its modules, at most 8) or one
 * plain kernel file, which has only what is built in. Whole or not at all; one that is there is
 * replaced. `*ret_release` is owned by the caller. For single-threaded programs.
 */
int kernel_import(const char *data, const char *const *paths, size_t count, char **ret_release,
                  struct error *e);
int kernel_remove(const char *data, const char *release, struct error *e); /* an imported one */

/*
 * The path of its vmlinux, owned by the caller: its own, or taken out of the bzImage into the cache
 * (made once, by one process at a time). -ENOTSUP: packed in a way that nothing here reads.
 */
int kernel_vmlinux(const char *cache, const struct kernel *k, char **ret, bool *ret_pvh,
                   struct error *e);

/*
 * The same as a copy that has `bytes` besides, to be loaded at this physical address by whoever
 * starts ELF. `name` says what they are: others have another.
 */
struct kernel_extra {
    const char *name;
    uint64_t address;
    const void *bytes;
    size_t size;
};
int kernel_vmlinux_plus(const char *cache, const struct kernel *k, const struct kernel_extra *x,
                        char **ret, struct error *e);

/* Whether its configuration has "NAME=y" or "=m"; -1 if there is none to look into. */
int kernel_config_has(const struct kernel *k, const char *name);

/* What a vmlinux of the cache is named by; so many digits of the key of "" begin an initramfs'
 * name. */
#define KERNEL_VMLINUX_FORMAT "vmlinux 1"
enum { KERNEL_KEY_SHORT = 16 };
/*
 * Of a kernel that came without modules: which of these drivers (1u << enum kernel_driver) do not
 * stand in it. One that is packed shows none.
 */
int kernel_plain_lacks(const struct kernel *k, unsigned drivers, unsigned *ret, struct error *e);

/* A key for the cache: the same while the kernel's file and modules are the same ones. */
int kernel_key(const struct kernel *k, const char *more, char ret[65], struct error *e);

#endif
