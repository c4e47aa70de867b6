#include "images/disk_tar.h"

#include "base/fd.h"
#include "images/tar_write.h"

enum { DISK_TAR_WAITING = 256 * 1024 };

void disk_tar_init(struct disk_tar *t, int out)
{
    *t = (struct disk_tar){.out = out};
}

void disk_tar_done(struct disk_tar *t)
{
    buf_done(&t->waiting);
}

static int disk_tar_flush(struct disk_tar *t)
{
    int r = t->waiting.used ? fd_write_full(t->out, t->waiting.data, t->waiting.used) : 0;
    t->waiting.used = 0;
    return r;
}

static int disk_tar_put(struct disk_tar *t, const void *data, size_t size)
{
    t->bytes += size;
    if (t->waiting.used + size > DISK_TAR_WAITING) {
        int r = disk_tar_flush(t);
        if (r < 0)
            return r;
        if (size > DISK_TAR_WAITING)
            return fd_write_full(t->out, data, size);
    }
    buf_add(&t->waiting, data, size);
    return 0;
}

static int disk_tar_pad(struct disk_tar *t, uint64_t size)
{
    static const char zeros[TAR_BLOCK];
    unsigned rest = (unsigned)(size % TAR_BLOCK);
    return rest ? disk_tar_put(t, zeros, TAR_BLOCK - rest) : 0;
}

int disk_tar_member(struct disk_tar *t, const char *path, const struct tar_member *m)
{
    if (t->left)
        return -EINVAL;
    autofree char *name = str_format("%s%s", *path ? path : ".", m->type == TAR_DIR ? "/" : "");
    struct tar_member plain = *m;
    plain.path = name;
    plain.size = m->type == TAR_FILE ? m->size : 0;
    plain.mtime_s = MAX(0, MIN(m->mtime_s, (int64_t)UINT32_MAX));
    plain.mtime_ns = 0;
    autobuf headers = {0};
    tar_write_format(&headers, &plain);
    t->left = plain.size;
    t->pad = (unsigned)(t->left % TAR_BLOCK);
    return disk_tar_put(t, headers.data, headers.used);
}

int disk_tar_data(struct disk_tar *t, const void *data, size_t size)
{
    if (size > t->left)
        return -EINVAL;
    int r = disk_tar_put(t, data, size);
    t->left -= size;
    return r < 0 || t->left ? r : disk_tar_pad(t, t->pad);
}

int disk_tar_zeros(struct disk_tar *t, uint64_t size)
{
    static const char zeros[64 * 1024];
    int r = 0;
    while (r == 0 && size) {
        size_t n = (size_t)MIN(size, sizeof(zeros));
        r = disk_tar_data(t, zeros, n);
        size -= n;
    }
    return r;
}

int disk_tar_end(struct disk_tar *t)
{
    static const char zeros[2 * TAR_BLOCK];
    if (t->left)
        return -EINVAL;
    int r = disk_tar_put(t, zeros, sizeof(zeros));
    return r < 0 ? r : disk_tar_flush(t);
}
