#include "base/copy.h"

#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    XATTR_LIST_MOST = 65536,
    XATTR_VALUE_MOST = 65536,
    CHUNK_MOST = 1 << 30,
    CHUNK_TOLD_MOST = 1 << 24,
};

/* A file with several names, and the first of them. */
struct twin {
    dev_t dev;
    ino_t ino;
    char *path; /* owned; relative to `to` */
};

struct copier {
    const struct copy_wish *w;
    struct copy_counts n;
    dev_t dev;       /* the source's file system */
    struct buf path; /* of the entry at hand */
    void *twins;     /* owned; tsearch(3) */
    uint64_t before; /* of n.bytes, without the file at hand */
    bool no_share;   /* FICLONE does not work between these two */
    bool no_range;   /* nor does copy_file_range(2) */
    char *value;     /* owned; XATTR_VALUE_MOST bytes */
    struct error *e;
};

static int copier_fail(struct copier *c, int code)
{
    autofree char *safe = str_escape(c->path.data ? c->path.data : "", c->path.used);
    return error_errno(c->e, code, "%.300s", *safe ? safe : ".");
}

static int twin_order(const void *a, const void *b)
{
    const struct twin *x = a, *y = b;
    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

static void twin_free(void *data)
{
    struct twin *t = data;
    free(t->path);
    free(t);
}

/* --- attributes ------------------------------------------------------------------------------- */

static bool attribute_is_wanted(const char *name)
{
    return str_starts(name, "user.") || str_equal(name, "security.capability") ||
           str_equal(name, "system.posix_acl_access") ||
           str_equal(name, "system.posix_acl_default");
}

/* By paths that lead through descriptors of ours to the thing itself, never through a link. */
static int copy_attributes(struct copier *c, const char *from, const char *to)
{
    char list[XATTR_LIST_MOST];
    ssize_t size = llistxattr(from, list, sizeof(list));
    if (size < 0)
        return errno == ENOTSUP ? 0 : -errno;
    for (const char *name = list; name < list + size; name += strlen(name) + 1) {
        if (!attribute_is_wanted(name))
            continue;
        if (!c->value)
            c->value = mem_alloc(XATTR_VALUE_MOST);
        ssize_t n = lgetxattr(from, name, c->value, XATTR_VALUE_MOST);
        if (n < 0 && errno == ENODATA)
            continue;
        if (n < 0 || lsetxattr(to, name, c->value, (size_t)n, 0) < 0)
            return -errno;
    }
    return 0;
}

struct place {
    char text[64 + NAME_MAX];
};

static const char *place_of(struct place *p, int dir, const char *name)
{
    snprintf(p->text, sizeof(p->text), "/proc/self/fd/%d/%s", dir, name);
    return p->text;
}

/* Owner first, for a change of it takes set-id bits and capabilities away; times last. */
static int copy_looks(struct copier *c, int from, int to, const char *name, const struct stat *st)
{
    struct place a, b;
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    place_of(&b, to, name);
    if (!S_ISLNK(st->st_mode) && chmod(b.text, st->st_mode & 07777) < 0)
        return -errno;
    int r = copy_attributes(c, place_of(&a, from, name), b.text);
    if (r == 0 && utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    return r;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool is_not_possible(int code)
{
    return code == EXDEV || code == EOPNOTSUPP || code == EINVAL || code == ENOSYS ||
           code == ENOTTY || code == EPERM;
}

/* One stretch of data; by the kernel where it can, else through the page cache. */
static int copy_range(struct copier *c, int from, int to, off_t at, off_t end)
{
    while (at < end) {
        bool tells = c->w && c->w->tells;
        size_t most = (size_t)MIN(end - at, (off_t)(tells ? CHUNK_TOLD_MOST : CHUNK_MOST));
        loff_t in = at, out = at;
        ssize_t n = -1;
        if (!c->no_range) {
            n = copy_file_range(from, &in, to, &out, most, 0);
            c->no_range = n < 0 && is_not_possible(errno);
        }
        if (c->no_range) {
            if (lseek(to, at, SEEK_SET) < 0)
                return -errno;
            off_t where = at;
            n = sendfile(to, from, &where, most);
        }
        if (n < 0)
            return -errno;
        if (n == 0) /* it is shorter than it was */
            return -EIO;
        at += n;
        if (tells) /* never more than the file has on the disk: it may be mostly holes */
            c->w->tells(c->w->data, MIN(c->before += (uint64_t)n, c->n.bytes));
    }
    return 0;
}

static int copy_data(struct copier *c, int from, int to, const struct stat *st)
{
    if (!c->no_share && st->st_size) {
        if (ioctl(to, FICLONE, from) == 0) {
            c->n.shared += (uint64_t)st->st_blocks * 512;
            return 0;
        }
        if (!is_not_possible(errno))
            return -errno;
        c->no_share = true;
    }
    for (off_t at = 0; at < st->st_size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        int r = copy_range(c, from, to, data, MIN(hole, st->st_size));
        if (r < 0)
            return r;
        at = hole;
    }
    return ftruncate(to, st->st_size) < 0 ? -errno : 0;
}

static int copy_file(struct copier *c, int from, int to, const char *name, const struct stat *st)
{
    struct stat now;
    autoclose int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (in < 0 || fstat(in, &now) < 0)
        return -errno;
    if (!S_ISREG(now.st_mode) || now.st_ino != st->st_ino)
        return -ESTALE;
    autoclose int out =
        openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return out < 0 ? -errno : copy_data(c, in, out, st);
}

/* 1: it was linked to its first name; 0: this is the first. */
static int copy_twin(struct copier *c, int to, const char *name, const struct stat *st)
{
    struct twin key = {.dev = st->st_dev, .ino = st->st_ino};
    struct twin **found = tfind(&key, &c->twins, twin_order);
    if (found)
        return linkat(c->w->to, (*found)->path, to, name, 0) < 0 ? -errno : 1;
    struct twin *t = NEW(struct twin);
    *t = (struct twin){st->st_dev, st->st_ino, str_dup(c->path.data)};
    if (!tsearch(t, &c->twins, twin_order))
        abort();
    return 0;
}

static int copy_link(int from, int to, const char *name)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);
    if (n < 0 || n == (ssize_t)sizeof(text) - 1)
        return n < 0 ? -errno : -ENAMETOOLONG;
    text[n] = '\0';
    return symlinkat(text, to, name) < 0 ? -errno : 0;
}

static int copy_special(int to, const char *name, const struct stat *st)
{
    bool whiteout = S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
    if (!whiteout && !S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode))
        return -EPERM;
    if (to < 0)
        return 0;
    return mknodat(to, name, (st->st_mode & S_IFMT) | 0600, whiteout ? makedev(0, 0) : 0) < 0
               ? -errno
               : 0;
}

/* --- folders ---------------------------------------------------------------------------------- */

static int copy_entries(struct copier *c, int from, int to, unsigned depth);

static int copy_folder(struct copier *c, int from, int to, const char *name, const struct stat *st,
                       unsigned depth)
{
    const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (depth == COPY_DEPTH_MOST)
        return -ELOOP;
    autoclose int out = FD_NONE;
    if (to >= 0) {
        if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
            return -errno;
        out = openat(to, name, how);
        if (out < 0)
            return -errno;
    }
    autoclose int in = openat(from, name, how);
    if (in < 0) /* who only counts may not see everything */
        return to < 0 && errno == EACCES ? 0 : -errno;
    return copy_entries(c, in, out, depth + 1);
}

/* Mounted there, with owners of its own; what it covers cannot be seen. Only the place is made. */
static int copy_place(int to, const char *name, const struct stat *st)
{
    if (to < 0)
        return 0;
    if (S_ISDIR(st->st_mode))
        return mkdirat(to, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
    autoclose int fd = openat(to, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : 0;
}

static int copy_one(struct copier *c, int from, int to, const char *name, const struct stat *st,
                    unsigned depth)
{
    int r = 0;
    if (st->st_dev != c->dev)
        return copy_place(to, name, st);
    if (S_ISDIR(st->st_mode)) {
        r = copy_folder(c, from, to, name, st, depth);
    } else {
        r = st->st_nlink > 1 && to >= 0 ? copy_twin(c, to, name, st) : 0;
        if (r != 0)
            return MIN(r, 0);
        /* who only counts keeps no list: each name has its share */
        c->before = c->n.bytes;
        c->n.bytes += (uint64_t)st->st_blocks * 512 / (to < 0 && st->st_nlink ? st->st_nlink : 1);
        if (c->n.bytes > c->w->bytes_most)
            return -ENOSPC;
        if (S_ISREG(st->st_mode))
            r = to < 0 ? 0 : copy_file(c, from, to, name, st);
        else if (S_ISLNK(st->st_mode))
            r = to < 0 ? 0 : copy_link(from, to, name);
        else
            r = copy_special(to, name, st);
    }
    return r < 0 || to < 0 ? r : copy_looks(c, from, to, name, st);
}

static int copy_entry(struct copier *c, int from, int to, const char *name, unsigned depth)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return copier_fail(c, errno);
    if (c->w->wants && !c->w->wants(c->w->data, c->path.data, &st))
        return 0;
    if (++c->n.entries > COPY_ENTRIES_MOST)
        return copier_fail(c, E2BIG);
    int r = copy_one(c, from, to, name, &st, depth);
    return r < 0 && !c->e->code ? copier_fail(c, -r) : r;
}

static int copy_entries(struct copier *c, int from, int to, unsigned depth)
{
    int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = own < 0 ? NULL : fdopendir(own);
    if (!list) {
        int code = errno;
        fd_close(own);
        return -code;
    }
    size_t used = c->path.used;
    int r = 0;
    for (struct dirent *d; r == 0 && (errno = 0, d = readdir(list));) {
        if (str_equal(d->d_name, ".") || str_equal(d->d_name, ".."))
            continue;
        if (used)
            buf_putc(&c->path, '/');
        buf_puts(&c->path, d->d_name);
        r = copy_entry(c, from, to, d->d_name, depth);
        if (r == 0) {
            c->path.used = used;
            c->path.data[used] = '\0';
        }
    }
    if (r == 0 && errno)
        r = -errno;
    closedir(list);
    return r;
}

int copy_tree(const struct copy_wish *w, struct copy_counts *ret, struct error *e)
{
    struct stat st;
    struct error mine = {0};
    struct copier c = {.w = w, .e = &mine};
    if (fstat(w->from, &st) < 0)
        return error_errno(e, errno, "what is to be copied");
    c.dev = st.st_dev;
    int r = copy_entries(&c, w->from, w->to, 0);
    if (r < 0 && !mine.code)
        copier_fail(&c, -r);
    tdestroy(c.twins, twin_free);
    buf_done(&c.path);
    free(c.value);
    if (r < 0) {
        *e = mine;
        return r;
    }
    *ret = c.n;
    return 0;
}

static int copy_bytes(int from, int to, bool no_share)
{
    struct stat st;
    struct copier c = {.no_share = no_share};
    if (fstat(from, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? copy_data(&c, from, to, &st) : -EINVAL;
}

int copy_content(int from, int to)
{
    return copy_bytes(from, to, false);
}

int copy_over(int from, int to)
{
    return copy_bytes(from, to, true);
}
