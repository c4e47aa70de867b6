/* One thing of the tree: its owner, attributes and content. */
#include "base/fd.h"
#include "images/disk_tree_parts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TREE_CHUNK = 256 * 1024, TREE_LINK = 4096, TREE_XATTR_LIST = 64 * 1024 };

bool tree_is_opaque(int dir)
{
    char value[2];
    return fgetxattr(dir, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* --- what it wears -------------------------------------------------------------------------------
 */

static void tree_dress(const struct tree *t, size_t layer, const struct stat *st,
                       struct tar_member *m)
{
    m->mode = st->st_mode & 07777;
    m->uid = st->st_uid;
    m->gid = st->st_gid;
    m->mtime_s = st->st_mtim.tv_sec;
    if (!t->job->owners)
        return;
    const struct disk_owner *o =
        disk_map_get(&t->job->owners[layer], t->path.data, t->path.used, NULL);
    m->uid = o ? o->uid : 0;
    m->gid = o ? o->gid : 0;
}

static void tree_undress(struct tar_member *m)
{
    for (size_t i = 0; i < m->xattrs_count; i++) {
        free(m->xattrs[i].name);
        free(m->xattrs[i].value);
    }
    free(m->xattrs);
    free(m->link);
}

static bool tree_keeps_xattr(const char *name)
{
    return (str_starts(name, "user.") && !str_starts(name, "user.overlay.")) ||
           str_equal(name, "security.capability");
}

static int tree_add_xattr(struct tar_member *m, int fd, const char *name)
{
    ssize_t size = fgetxattr(fd, name, NULL, 0);
    autofree char *value = size < 0 ? NULL : mem_alloc((size_t)size + 1);
    if (value)
        size = fgetxattr(fd, name, value, (size_t)size);
    if (size < 0)
        return -errno;
    if (m->xattrs_count == TAR_XATTRS_MAX)
        return -E2BIG;
    m->xattrs = mem_grow(m->xattrs, m->xattrs_count + 1, sizeof(*m->xattrs));
    m->xattrs[m->xattrs_count++] =
        (struct tar_xattr){.name = str_dup(name), .value = TAKE(value), .size = (size_t)size};
    return 0;
}

static int tree_compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

static int tree_xattrs(struct tar_member *m, int fd)
{
    ssize_t size = flistxattr(fd, NULL, 0);
    if (size == 0 || (size < 0 && errno == ENOTSUP))
        return 0;
    autofree char *list = mem_alloc(TREE_XATTR_LIST);
    size = size < 0 ? size : flistxattr(fd, list, TREE_XATTR_LIST);
    if (size < 0)
        return -errno;
    int r = 0;
    for (const char *name = list; r == 0 && name < list + size; name += strlen(name) + 1)
        if (tree_keeps_xattr(name))
            r = tree_add_xattr(m, fd, name);
    if (m->xattrs_count)
        qsort(m->xattrs, m->xattrs_count, sizeof(*m->xattrs), tree_compare_xattrs);
    return r;
}

/* --- kinds ---------------------------------------------------------------------------------------
 */

int tree_dir(struct tree *t, size_t layer, int64_t time, struct error *e)
{
    struct stat st;
    struct tar_member m = {.type = TAR_DIR};
    autoclose int fd = tree_open(t, layer, t->path.data);
    int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : tree_xattrs(&m, fd);
    if (r == 0) {
        tree_dress(t, layer, &st, &m);
        if (time >= 0)
            m.mtime_s = time;
        t->counts.entries++;
        r = disk_tar_member(t->to, t->path.data, &m);
    }
    tree_undress(&m);
    return r < 0 ? tree_fail(t, r, e) : 0;
}

/* `size` bytes from `at`; a file that has become shorter is an error. */
static int tree_copy(struct tree *t, int fd, uint64_t at, uint64_t size)
{
    while (size) {
        ssize_t n = pread(fd, t->chunk, (size_t)MIN(size, TREE_CHUNK), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = disk_tar_data(t->to, t->chunk, (size_t)n);
        if (r < 0)
            return r;
        at += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return 0;
}

/* Holes are not read. */
static int tree_pour(struct tree *t, int fd, const struct stat *st)
{
    uint64_t at = 0, end = (uint64_t)st->st_size;
    if ((uint64_t)st->st_blocks * 512 >= end)
        return tree_copy(t, fd, 0, end);
    int r = 0;
    while (r == 0 && at < end) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return tree_copy(t, fd, at, end - at);
        uint64_t from = data < 0 ? end : MIN((uint64_t)data, end);
        r = disk_tar_zeros(t->to, from - at);
        off_t hole = from < end ? lseek(fd, (off_t)from, SEEK_HOLE) : (off_t)end;
        at = hole < 0 ? end : MIN((uint64_t)hole, end);
        if (r == 0 && at > from)
            r = tree_copy(t, fd, from, at - from);
    }
    return r;
}

static int tree_file(struct tree *t, size_t layer, int parent, const char *leaf,
                     struct tar_member *m)
{
    struct stat st;
    autoclose int fd = openat(parent, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    m->size = (uint64_t)st.st_size;
    if (m->size > t->job->limits.bytes || t->counts.bytes > t->job->limits.bytes - m->size)
        return -EFBIG;
    t->counts.bytes += m->size;
    t->counts.files++;
    if (!t->chunk)
        t->chunk = mem_alloc(TREE_CHUNK);
    tree_dress(t, layer, &st, m);
    int r = tree_xattrs(m, fd);
    if (r == 0)
        r = disk_tar_member(t->to, t->path.data, m);
    return r < 0 ? r : tree_pour(t, fd, &st);
}

static int tree_symlink(struct tree *t, int parent, const char *leaf, struct tar_member *m)
{
    char text[TREE_LINK];
    ssize_t n = readlinkat(parent, leaf, text, sizeof(text));
    if (n < 0 || n == sizeof(text))
        return n < 0 ? -errno : -ENAMETOOLONG;
    m->link = str_ndup(text, (size_t)n);
    return disk_tar_member(t->to, t->path.data, m);
}

struct tree_inode {
    uint64_t layer, device, inode;
};

/* 1: it is another name of what has been written already. */
static int tree_hard_link(struct tree *t, size_t layer, const struct stat *st, struct tar_member *m)
{
    if (st->st_nlink < 2)
        return 0;
    struct tree_inode key = {layer, st->st_dev, st->st_ino};
    size_t length;
    const char *first = disk_map_get(&t->links, &key, sizeof(key), &length);
    if (!first) {
        disk_map_put(&t->links, &key, sizeof(key), t->path.data, t->path.used);
        return 0;
    }
    m->type = TAR_HARD_LINK;
    m->link = str_ndup(first, length);
    int r = disk_tar_member(t->to, t->path.data, m);
    return r < 0 ? r : 1;
}

static int tree_any(struct tree *t, size_t layer, int parent, const char *leaf,
                    struct tar_member *m)
{
    struct stat st;
    if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode)) {
        t->counts.devices++;
        return 0;
    }
    t->counts.entries++;
    tree_dress(t, layer, &st, m);
    int r = tree_hard_link(t, layer, &st, m);
    if (r != 0)
        return MIN(r, 0);
    if (S_ISREG(st.st_mode))
        return tree_file(t, layer, parent, leaf, m);
    m->type = S_ISLNK(st.st_mode) ? TAR_SYMLINK : TAR_FIFO;
    return m->type == TAR_SYMLINK ? tree_symlink(t, parent, leaf, m)
                                  : disk_tar_member(t->to, t->path.data, m);
}

int tree_thing(struct tree *t, size_t layer, int parent, const char *leaf, struct error *e)
{
    struct tar_member m = {.type = TAR_FILE};
    int r = tree_any(t, layer, parent, leaf, &m);
    tree_undress(&m);
    return r < 0 ? tree_fail(t, r, e) : 0;
}
