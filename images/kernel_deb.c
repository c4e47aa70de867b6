#include "images/kernel_deb.h"

#include "base/file.h"
#include "images/unpack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char deb_magic[] = "!<arch>\n";
enum { DEB_MAGIC = 8, DEB_HEADER = 60, DEB_MEMBERS = 16 };

static const struct image_limits deb_limits = {
    .bytes = (uint64_t)4 << 30, .entries = 200000, .depth = 64, .ratio = 100};

int kernel_deb_is(const char *path, struct error *e)
{
    char start[DEB_MAGIC];
    autofree char *shown = str_escape_z(path);
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", shown);
    if (!S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "%s is no file", shown);
    return pread(fd, start, sizeof(start), 0) == sizeof(start) &&
           memcmp(start, deb_magic, sizeof(start)) == 0;
}

int kernel_deb_find(int fd, uint64_t *ret_at, uint64_t *ret_size, struct error *e)
{
    char h[DEB_HEADER];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "reading it");
    uint64_t at = DEB_MAGIC, end = (uint64_t)st.st_size, size;
    for (int i = 0; i < DEB_MEMBERS && at + sizeof(h) <= end; i++) {
        if (pread(fd, h, sizeof(h), (off_t)at) != sizeof(h) || memcmp(h + 58, "`\n", 2) != 0)
            break;
        autofree char *digits = str_ndup(h + 48, 10);
        at += sizeof(h);
        if (str_to_uint(str_trim(digits), &size) < 0 || size > end - at)
            break;
        if (memcmp(h, "data.tar", 8) == 0) {
            *ret_at = at;
            *ret_size = size;
            return 0;
        }
        at += size + size % 2;
    }
    return error_set(e, EBADMSG, "it is no whole Debian package");
}

/* Its data.tar… alone. */
static int deb_data(int fd, struct error *e)
{
    uint64_t at = 0, size = 0;
    int r = kernel_deb_find(fd, &at, &size, e);
    if (r < 0)
        return r;
    autoclose int to = memfd_create("package", MFD_CLOEXEC);
    autofree char *chunk = mem_alloc(256 * 1024);
    if (to < 0)
        return error_errno(e, errno, "reading it");
    while (size) {
        ssize_t n = pread(fd, chunk, (size_t)MIN(size, 256 * 1024), (off_t)at);
        if (n <= 0)
            return error_set(e, EBADMSG, "it is cut off");
        r = fd_write_full(to, chunk, (size_t)n);
        if (r < 0)
            return error_errno(e, -r, "reading it");
        at += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return TAKE_FD(to);
}

int kernel_deb_unpack(const char *path, int dir, const char *name, int *ret, struct error *e)
{
    autofree char *shown = str_escape(path, strnlen(path, 200));
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, errno, "%s", shown);
    autoclose int data = deb_data(fd, e);
    if (data < 0)
        return error_wrap(e, "%s", shown);
    if (mkdirat(dir, name, 0700) < 0)
        return error_errno(e, errno, "%s", name);
    autoclose int folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int spill = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spill < 0)
        spill = memfd_create("spill", MFD_CLOEXEC);
    if (folder < 0 || spill < 0)
        return error_errno(e, errno, "%s", name);
    const struct unpack_job job = {.blob = data, .limits = deb_limits};
    struct unpack_result result;
    int r = unpack_layer(&job, folder, spill, &result, e);
    if (r < 0)
        return error_wrap(e, "%s", shown);
    *ret = TAKE_FD(folder);
    return 0;
}
