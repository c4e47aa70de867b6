/* A vmlinux out of a bzImage, for monitors that start ELF: Firecracker always, others faster. */
#include "images/kernel.h"

#include "base/copy.h"
#include "base/file.h"
#include "images/disk_cache.h"
#include "images/unpack.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int vmlinux_read(int fd, struct kernel_head *ret, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > KERNEL_MAX)
        return error_set(e, EBADMSG, "its size is no kernel's");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return error_errno(e, errno, "reading it");
    int r = kernel_vmlinux_read(p, (size_t)st.st_size, false, ret, e);
    munmap(p, (size_t)st.st_size);
    return r;
}

/* The packed kernel alone, in a file of its own. */
static int vmlinux_payload(int from, uint64_t at, uint64_t size, struct error *e)
{
    autoclose int to = memfd_create("kernel", MFD_CLOEXEC);
    char chunk[32 * 1024];
    if (to < 0)
        return error_errno(e, errno, "reading it");
    while (size) {
        ssize_t n = pread(from, chunk, (size_t)MIN(size, sizeof(chunk)), (off_t)at);
        if (n <= 0)
            return error_set(e, EBADMSG, "the kernel is cut off");
        int r = fd_write_full(to, chunk, (size_t)n);
        if (r < 0)
            return error_errno(e, -r, "reading it");
        at += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return TAKE_FD(to);
}

/* All packers but gzip leave the size behind what they packed (arch/x86/boot/compressed/Makefile).
 */
static int vmlinux_extract(const struct kernel *k, int to, struct error *e)
{
    autoclose int fd = open(k->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    unsigned char magic[COMPRESSION_MAGIC] = {0};
    uint32_t said = 0;
    if (fd < 0 || pread(fd, magic, sizeof(magic), (off_t)k->head.payload) != sizeof(magic))
        return error_errno(e, fd < 0 ? errno : EBADMSG, "%s", k->path);
    enum compression how = compression_of(magic, sizeof(magic));
    uint64_t size = k->head.size;
    if (how == COMPRESSION_NONE && memcmp(magic, "\177ELF", 4) != 0)
        return error_set(e, ENOTSUP,
                         "the kernel is packed with something this cannot unpack "
                         "(gzip, lz4, zstd, xz and bzip2 it can)");
    if (how != COMPRESSION_GZIP && how != COMPRESSION_NONE) {
        size -= sizeof(said);
        if (pread(fd, &said, sizeof(said), (off_t)(k->head.payload + size)) != sizeof(said))
            return error_set(e, EBADMSG, "the kernel is cut off");
    }
    autoclose int packed = vmlinux_payload(fd, k->head.payload, size, e);
    if (packed < 0)
        return packed;
    struct unpack_job job = {.blob = packed, .limits = image_limits_usual};
    struct unpack_result result;
    job.limits.bytes = KERNEL_MAX;
    int r = unpack_stream(&job, to, &result, e);
    if (r == 0 && said && result.stream != said)
        r = error_set(e, EBADMSG, "the kernel unpacks to another size than it says");
    return r;
}

static int vmlinux_look(int dir, const char *name, bool *ret_pvh, struct error *e)
{
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct kernel_head head;
    if (fd < 0)
        return error_errno(e, errno, "the unpacked kernel");
    int r = vmlinux_read(fd, &head, e);
    if (r == 0)
        *ret_pvh = head.pvh;
    return r;
}

/* A head and a table of segments of their own, the new one last; what they speak of stays. */
static int vmlinux_append(int fd, const struct kernel_extra *x, struct error *e)
{
    enum { SEGMENTS = 64 };
    Elf64_Ehdr head;
    Elf64_Phdr all[SEGMENTS];
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head))
        return error_set(e, EBADMSG, "it is cut off");
    const size_t size = head.e_phnum * sizeof(all[0]);
    if (head.e_phnum >= SEGMENTS || head.e_phentsize != sizeof(all[0]) ||
        pread(fd, all, size, (off_t)head.e_phoff) != (ssize_t)size)
        return error_set(e, EBADMSG, "its segments cannot be read");
    all[head.e_phnum++] = (Elf64_Phdr){.p_type = PT_LOAD,
                                       .p_flags = PF_R,
                                       .p_offset = (Elf64_Off)end,
                                       .p_vaddr = x->address,
                                       .p_paddr = x->address,
                                       .p_filesz = x->size,
                                       .p_memsz = x->size};
    head.e_phoff = (Elf64_Off)end + (x->size + 15) / 16 * 16;
    int r = fd_write_full(fd, x->bytes, x->size);
    if (r == 0 && lseek(fd, (off_t)head.e_phoff, SEEK_SET) < 0)
        r = -errno;
    if (r == 0)
        r = fd_write_full(fd, all, size + sizeof(all[0]));
    if (r == 0 && pwrite(fd, &head, sizeof(head), 0) != sizeof(head))
        r = -EIO;
    return r < 0 ? error_errno(e, -r, "writing it") : 0;
}

/* `plus` NULL: as it is. */
static int vmlinux_fill(const struct kernel *k, const struct kernel_extra *plus, const char *from,
                        int to, struct error *e)
{
    if (!plus)
        return vmlinux_extract(k, to, e);
    autoclose int fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int r = fd < 0 ? -errno : copy_content(fd, to);
    return r < 0 ? error_errno(e, -r, "%s", from) : vmlinux_append(to, plus, e);
}

struct vmlinux_work {
    const struct kernel *k;
    const struct kernel_extra *plus; /* NULL: none */
    const char *from;                /* of who has more */
};

static int vmlinux_make(const struct vmlinux_work *w, int dir, const char *name, bool *ret_pvh,
                        struct error *e)
{
    struct disk_cache_new new;
    struct kernel_head head;
    int r = disk_cache_begin(dir, name, &new, e);
    if (r < 0)
        return r;
    if (vmlinux_look(dir, name, ret_pvh, e) == 0) {
        disk_cache_end(&new);
        return 0;
    }
    r = vmlinux_fill(w->k, w->plus, w->from, new.fd, e);
    if (r == 0)
        r = vmlinux_read(new.fd, &head, e);
    if (r == 0)
        r = disk_cache_publish(&new, 0400, e);
    disk_cache_end(&new);
    if (r == 0)
        *ret_pvh = head.pvh;
    return r;
}

/* Where it lies in the cache; made if it does not. */
static int vmlinux_cached(const char *cache, const char *what, const struct vmlinux_work *w,
                          char **ret, bool *ret_pvh, struct error *e)
{
    char key[65];
    int r = kernel_key(w->k, what, key, e);
    if (r < 0)
        return r;
    autofree char *folder = str_join_path(cache, "vmlinux");
    autofree char *name = str_format("%s.vmlinux", key);
    autoclose int dir = disk_cache_open(cache, "vmlinux", e);
    if (dir < 0)
        return dir;
    r = vmlinux_look(dir, name, ret_pvh, e);
    if (r == 0)
        disk_cache_used(dir, name);
    else
        r = vmlinux_make(w, dir, name, ret_pvh, e);
    if (r == 0)
        *ret = str_join_path(folder, name);
    return r < 0 ? error_wrap(e, "kernel %s", w->k->release) : 0;
}

int kernel_vmlinux_plus(const char *cache, const struct kernel *k, const struct kernel_extra *x,
                        char **ret, struct error *e)
{
    bool pvh;
    autofree char *from = NULL;
    autofree char *what = str_format("%s, %s", KERNEL_VMLINUX_FORMAT, x->name);
    int r = kernel_vmlinux(cache, k, &from, &pvh, e);
    if (r < 0)
        return r;
    return vmlinux_cached(cache, what, &(struct vmlinux_work){k, x, from}, ret, &pvh, e);
}

int kernel_vmlinux(const char *cache, const struct kernel *k, char **ret, bool *ret_pvh,
                   struct error *e)
{
    if (!k->readable)
        return error_set(e, EACCES, "kernel %s: only root may read %s", k->release, k->path);
    if (k->head.form == KERNEL_VMLINUX) {
        int r = vmlinux_look(AT_FDCWD, k->path, ret_pvh, e);
        if (r == 0)
            *ret = str_dup(k->path);
        return r < 0 ? error_wrap(e, "kernel %s", k->release) : 0;
    }
    return vmlinux_cached(cache, KERNEL_VMLINUX_FORMAT, &(struct vmlinux_work){.k = k}, ret,
                          ret_pvh, e);
}
