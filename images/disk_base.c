#include "images/disk_base.h"

#include "base/str.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *disk_format_name(enum disk_format f)
{
    switch (f) {
    case DISK_RAW:
        return "raw";
    case DISK_QCOW2:
        return "qcow2";
    }
    return "raw";
}

void disk_base_done(struct disk_base *b)
{
    free(b->path);
    fd_close(b->fd);
    *b = (struct disk_base){.fd = FD_NONE};
}

/* --- what the first bytes say --------------------------------------------------------------------
 */

static uint64_t disk_big(const unsigned char *p, unsigned bytes)
{
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | *p++;
    return n;
}

/* qemu's docs/interop/qcow2.txt. */
enum {
    QCOW2_BACKING = 8,
    QCOW2_SIZE = 24,
    QCOW2_CRYPT = 32,
    QCOW2_INCOMPATIBLE = 72,
    QCOW2_HEADER_LENGTH = 100,
    QCOW2_V2 = 72,
    QCOW2_V3 = 104,
    QCOW2_CORRUPT = 1 << 1,
    QCOW2_DATA_FILE = 1 << 2,
    QCOW2_KNOWN = (1 << 5) - 1,
};

static int disk_read_qcow2(const unsigned char *h, size_t size, enum disk_format into,
                           uint64_t *ret, struct error *e)
{
    uint64_t version = size >= QCOW2_V2 ? disk_big(h + 4, 4) : 0;
    if (version != 2 && version != 3)
        return error_set(e, EBADMSG, "qcow2 of a version that nobody knows");
    if (version == 3 && (size < QCOW2_V3 || disk_big(h + QCOW2_HEADER_LENGTH, 4) < QCOW2_V3))
        return error_set(e, EBADMSG, "its qcow2 header is cut off");
    uint64_t features = version == 3 ? disk_big(h + QCOW2_INCOMPATIBLE, 8) : 0;
    if (disk_big(h + QCOW2_BACKING, 8))
        return error_set(e, EPERM,
                         "it is an overlay over another file, which its maker chose; make it whole "
                         "with: qemu-img convert -O %s",
                         disk_format_name(into));
    if (features & QCOW2_DATA_FILE)
        return error_set(e, EPERM,
                         "its content is in another file, which its maker chose; make it whole "
                         "with: qemu-img convert -O %s",
                         disk_format_name(into));
    if (features & QCOW2_CORRUPT)
        return error_set(e, EBADMSG, "it is marked as damaged: qemu-img check -r all");
    if (features & ~(uint64_t)QCOW2_KNOWN)
        return error_set(e, EBADMSG, "qcow2 with features that nobody knows");
    if (disk_big(h + QCOW2_CRYPT, 4))
        return error_set(e, ENOTSUP, "it is encrypted");
    *ret = disk_big(h + QCOW2_SIZE, 8);
    return 0;
}

static const struct disk_foreign {
    unsigned at, size;
    const char *magic, *name;
} disk_foreign[] = {
    {0,  4,  "KDMV",                  "a VMware disk (vmdk)"              },
    {0,  4,  "COWD",                  "a VMware disk (vmdk)"              },
    {0,  21, "# Disk DescriptorFile", "a VMware disk's description (vmdk)"},
    {0,  8,  "vhdxfile",              "a Hyper-V disk (vhdx)"             },
    {0,  8,  "conectix",              "a Virtual PC disk (vhd)"           },
    {64, 4,  "\x7f\x10\xda\xbe",      "a VirtualBox disk (vdi)"           },
    {0,  4,  "QED\0",                 "a QED disk"                        },
    {0,  4,  "QFI\xfa",               "a qcow disk of the first version"  },
    {0,  16, "WithoutFreeSpace",      "a Parallels disk"                  },
    {0,  16, "WithouFreSpacExt",      "a Parallels disk"                  },
};

static const struct disk_foreign disk_packed[] = {
    {0, 2, "\x1f\x8b",         "gzip" },
    {0, 6,
     "\xfd"
     "7zXZ",                   "xz"   },
    {0, 4, "\x28\xb5\x2f\xfd", "zstd" },
    {0, 3, "BZh",              "bzip2"},
};

static const char *disk_is_one_of(const struct disk_foreign *list, size_t count,
                                  const unsigned char *h, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (size >= list[i].at + list[i].size &&
            memcmp(h + list[i].at, list[i].magic, list[i].size) == 0)
            return list[i].name;
    return NULL;
}

/* `into`: what one that cannot be used is to become. */
static int disk_read(const void *head, size_t size, uint64_t file_size, enum disk_format into,
                     enum disk_format *ret_format, uint64_t *ret_size, struct error *e)
{
    const char *name = disk_is_one_of(disk_foreign, ARRAY_SIZE(disk_foreign), head, size);
    if (name)
        return error_set(e, EMEDIUMTYPE, "it is %s: qemu-img convert -O %s makes one to use", name,
                         disk_format_name(into));
    name = disk_is_one_of(disk_packed, ARRAY_SIZE(disk_packed), head, size);
    if (name)
        return error_set(e, EMEDIUMTYPE, "it is compressed with %s: decompress it first", name);
    bool qcow2 = size >= 4 && memcmp(head, "QFI\xfb", 4) == 0;
    uint64_t seen = file_size;
    int r = qcow2 ? disk_read_qcow2(head, size, into, &seen, e) : 0;
    if (r < 0)
        return r;
    if (seen < 512 || seen > DISK_SIZE_MAX)
        return error_set(e, EBADMSG, "a disk of %llu bytes is %s", (unsigned long long)seen,
                         seen < 512 ? "none" : "larger than any here may be");
    *ret_format = qcow2 ? DISK_QCOW2 : DISK_RAW;
    *ret_size = seen;
    return 0;
}

int disk_base_read(const void *head, size_t size, uint64_t file_size, enum disk_format *ret_format,
                   uint64_t *ret_size, struct error *e)
{
    return disk_read(head, size, file_size, DISK_QCOW2, ret_format, ret_size, e);
}

/* --- opening it ----------------------------------------------------------------------------------
 */

static int disk_file_size(int fd, uint64_t *ret, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "looking at it");
    if (S_ISREG(st.st_mode)) {
        *ret = (uint64_t)st.st_size;
        return 0;
    }
    if (!S_ISBLK(st.st_mode))
        return error_set(e, EINVAL, "it is neither a file nor a block device");
    return ioctl(fd, BLKGETSIZE64, ret) < 0 ? error_errno(e, errno, "its size") : 0;
}

/* `told`: NULL, or what its owner says. */
static int disk_base_look(int fd, uint64_t file_size, const enum disk_format *told,
                          enum disk_format into, struct disk_base *b, struct error *e)
{
    unsigned char head[DISK_HEAD];
    ssize_t n = pread(fd, head, sizeof(head), 0);
    if (n < 0)
        return error_errno(e, errno, "reading it");
    if (told && *told == DISK_RAW) {
        n = 0; /* whatever stands there is the guest's */
        memset(head, 0, sizeof(head));
    }
    int r = disk_read(head, (size_t)n, file_size, into, &b->format, &b->size, e);
    if (r == 0 && told && b->format != *told)
        r = error_set(e, EMEDIUMTYPE, "it is said to be %s, and is none", disk_format_name(*told));
    return r;
}

static int disk_base_open_any(const char *path, const enum disk_format *told, enum disk_format into,
                              struct disk_base *ret, struct error *e)
{
    struct disk_base b = {.fd = FD_NONE, .path = realpath(path, NULL)};
    autofree char *shown = str_escape_z(path);
    if (!b.path)
        return error_errno(e, errno, "disk %s", shown);
    b.fd = open(b.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    uint64_t file_size = 0;
    int r = b.fd < 0 ? error_errno(e, errno, "opening it") : disk_file_size(b.fd, &file_size, e);
    if (r == 0)
        r = disk_base_look(b.fd, file_size, told, into, &b, e);
    if (r < 0) {
        disk_base_done(&b);
        return error_wrap(e, "disk %s", shown);
    }
    *ret = b;
    return 0;
}

int disk_base_open(const char *path, struct disk_base *ret, struct error *e)
{
    return disk_base_open_any(path, NULL, DISK_QCOW2, ret, e);
}

int disk_base_open_raw(const char *path, struct disk_base *ret, struct error *e)
{
    struct disk_base b;
    autofree char *shown = str_escape_z(path);
    int r = disk_base_open_any(path, NULL, DISK_RAW, &b, e);
    if (r < 0 || b.format == DISK_RAW) {
        if (r == 0)
            *ret = b;
        return r;
    }
    disk_base_done(&b);
    return error_set(e, EMEDIUMTYPE,
                     "disk %s: it is qcow2, and has to be raw here: qemu-img convert -O raw makes "
                     "one to use",
                     shown);
}

int disk_base_open_as(const char *path, enum disk_format told, struct disk_base *ret,
                      struct error *e)
{
    return disk_base_open_any(path, &told, DISK_QCOW2, ret, e);
}
