/* What machines boot from, out of strangers' hands: kernels, modules, packages, disks. */
#include "images/disk_base.h"
#include "images/kernel_deb.h"
#include "images/kernel_head.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void read_kernel(const uint8_t *data, size_t size)
{
    struct kernel_head head = {0};
    struct error e = {0};
    uint64_t file = size + 1000;
    int r = kernel_head_read(data, size, file, &head, &e);
    if ((r < 0) != (e.code != 0))
        abort();
    if (r == 0 && head.form == KERNEL_BZIMAGE &&
        (head.payload > file || head.size > file - head.payload))
        abort();
    if (r == 0 && head.release[0] && !kernel_is_release(head.release))
        abort();
    memset(&head, 0, sizeof(head));
    if (kernel_vmlinux_read(data, size, true, &head, &e) == 0 &&
        strlen(head.version) >= sizeof(head.version))
        abort();
}

static void read_module(const uint8_t *data, size_t size)
{
    struct kernel_module_info info = {0};
    struct error e = {0};
    if (kernel_module_read(data, size, &info, &e) == 0)
        kernel_module_info_done(&info);
}

static void read_package(const uint8_t *data, size_t size)
{
    struct error e = {0};
    uint64_t at, bytes;
    autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || fd_write_full(fd, data, size) < 0)
        abort();
    if (kernel_deb_find(fd, &at, &bytes, &e) == 0 && (at > size || bytes > size - at))
        abort();
}

static void read_disk(const uint8_t *data, size_t size)
{
    enum disk_format format;
    struct error e = {0};
    uint64_t bytes;
    int r = disk_base_read(data, size, 1 << 20, &format, &bytes, &e);
    if ((r < 0) != (e.code != 0) || (r == 0 && (bytes < 512 || bytes > (uint64_t)64 << 40)))
        abort();
    /* what begins as qcow2 is never taken for raw, and never leads to another file */
    bool qcow2 = size >= 4 && memcmp(data, "QFI\xfb", 4) == 0;
    if (r == 0 && (qcow2 != (format == DISK_QCOW2) ||
                   (qcow2 && memcmp(data + 8, "\0\0\0\0\0\0\0\0", 8) != 0)))
        abort();
    const struct disk_base b = {.format = DISK_QCOW2, .size = 1 << 20, .fd = FD_NONE};
    disk_base_agree(&b, (const char *)data, size, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_kernel(data, size);
    read_module(data, size);
    read_package(data, size);
    read_disk(data, size);
    return 0;
}
