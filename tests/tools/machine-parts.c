/* Prints the paths of a kernel, its vmlinux and an initramfs around a given init; for tests. */
#include "images/initramfs.h"

#include "base/dirs.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct dirs d = {0};
    struct kernel_list l = {0};
    const struct kernel *k;
    struct initramfs i;
    struct error e;
    bool pvh;
    char *vmlinux;
    if (argc < 2)
        return 2;
    int r = dirs_init(&d, &e);
    if (r == 0)
        r = kernel_list_read(d.data, "", &l, &e);
    if (r == 0)
        r = kernel_choose(&l, argc > 2 ? argv[2] : NULL, &k, &e);
    if (r == 0)
        r = kernel_vmlinux(d.cache, k, &vmlinux, &pvh, &e);
    if (r == 0) {
        const struct initramfs_wish w = {
            .cache = d.cache,
            .kernel = k,
            .drivers = 1u << KERNEL_VIRTIO_MMIO | 1u << KERNEL_BLK | 1u << KERNEL_SQUASHFS |
                       1u << KERNEL_OVERLAY | 1u << KERNEL_EROFS,
            .init = argv[1],
        };
        r = initramfs_make(&w, &i, &e);
    }
    if (r < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    printf("kernel=%s\nvmlinux=%s\npvh=%d\ninitramfs=%s\n", k->path, vmlinux, pvh, i.path);
    return 0;
}
