/* A kernel that came alone: what is built into it stands in it by name. */
#include "images/kernel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What each driver calls itself when it registers; the zero byte behind it is part of it. */
// clang-format off
static const char *const plain_names[KERNEL_DRIVERS] = {
    [KERNEL_VIRTIO_MMIO] = "virtio-mmio",
    [KERNEL_VIRTIO_PCI] = "virtio-pci",
    [KERNEL_BLK] = "virtio_blk",
    [KERNEL_CONSOLE] = "virtio_console",
    [KERNEL_NET] = "virtio_net",
    [KERNEL_RNG] = "virtio_rng",
    [KERNEL_BALLOON] = "virtio_balloon",
    [KERNEL_VSOCK] = "vmw_vsock_virtio_transport",
    [KERNEL_SQUASHFS] = "squashfs",
    [KERNEL_EROFS] = "erofs",
    [KERNEL_OVERLAY] = "overlay",
    [KERNEL_EXT4] = "ext4",
    [KERNEL_VIRTIOFS] = "virtiofs",
    [KERNEL_9P] = "9p",
};
// clang-format on

int kernel_plain_lacks(const struct kernel *k, unsigned drivers, unsigned *ret, struct error *e)
{
    struct stat st;
    autoclose int fd = open(k->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", k->path);
    void *p =
        st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (p == MAP_FAILED)
        return error_set(e, EINVAL, "%s cannot be read", k->path);
    unsigned lacks = 0;
    for (unsigned d = 0; d < KERNEL_DRIVERS; d++)
        if (drivers >> d & 1 &&
            !memmem(p, (size_t)st.st_size, plain_names[d], strlen(plain_names[d]) + 1))
            lacks |= 1u << d;
    munmap(p, (size_t)st.st_size);
    *ret = lacks;
    return 0;
}
