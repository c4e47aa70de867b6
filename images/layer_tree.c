/* Folders, what is removed from them, what hides, and what a file wears. */
#include "base/fd.h"
#include "images/layer_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LAYER_SPILL = 64 * 1024 };

int layer_plain_path(const char *path, uint32_t depth, struct buf *to)
{
    uint32_t parts = 0;
    buf_puts(to, "");
    while (*path) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.')
            return -EPERM;
        if (n > 255 || to->used + n > 4000)
            return -ENAMETOOLONG;
        if (n && !(n == 1 && path[0] == '.')) {
            if (++parts > depth)
                return -ENAMETOOLONG;
            if (to->used)
                buf_putc(to, '/');
            buf_add(to, path, n);
        }
        path += n;
    }
    return 0;
}

/* --- folders -------------------------------------------------------------------------------------
 */

void layer_close_parent(struct layer *l)
{
    l->parent = fd_close(l->parent);
    l->parent_path.used = 0;
}

/* A folder no member has spoken of yet: as its first inhabitant is old. */
static int layer_make_way(struct layer *l, int dir, const char *name, const char *whole,
                          const struct tar_member *m)
{
    bool hides = false;
    int made = mkdirat(dir, name, 0755);
    if (made < 0 && errno == EEXIST && layer_is_whiteout(dir, name)) {
        hides = true;
        made = unlinkat(dir, name, 0) < 0 ? -1 : mkdirat(dir, name, 0755);
    }
    if (made < 0)
        return errno == EEXIST ? 0 : -errno;
    if (hides) {
        autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : layer_set_opaque(fd);
        if (r < 0)
            return r;
    }
    l->counts.entries++; /* a member's name may be that of a hundred folders */
    return layer_spill_time(l, whole, m);
}

/* How much of `path` are folders that lead to `other` as well. */
static size_t layer_common_way(const char *path, const struct buf *other)
{
    size_t common = 0, i = 0;
    for (; i < other->used && path[i] == other->data[i]; i++)
        if (path[i] == '/')
            common = i;
    return i == other->used && path[i] == '/' ? i : common;
}

/* All of them, behind the first `known` bytes, which were there for another member. */
static int layer_make_ways(struct layer *l, const char *path, size_t known,
                           const struct tar_member *m)
{
    autofree char *whole = str_dup(path);
    whole[known] = '\0';
    autoclose int dir =
        known ? fd_openat2(l->job->root, whole, O_PATH | O_DIRECTORY, 0, LAYER_RESOLVE)
              : openat(l->job->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (known && dir < 0) /* not any more */
        return layer_make_ways(l, path, 0, m);
    whole[known] = path[known];
    for (char *p = whole + known + (known > 0);;) {
        char *slash = strchr(p, '/');
        if (slash)
            *slash = '\0';
        int r = dir < 0 ? -errno : layer_make_way(l, dir, p, whole, m);
        if (r < 0)
            return r;
        int next = fd_openat2(dir, p, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, LAYER_RESOLVE);
        fd_close(dir);
        dir = next;
        if (dir < 0)
            return dir;
        if (!slash)
            return TAKE_FD(dir);
        *slash = '/';
        p = slash + 1;
    }
}

int layer_open_parent(struct layer *l, const char *path, const struct tar_member *m,
                      const char **ret_leaf)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    *ret_leaf = slash ? slash + 1 : path;
    if (!slash)
        return l->job->root;
    if (l->parent >= 0 && l->parent_path.used == length &&
        memcmp(l->parent_path.data, path, length) == 0)
        return l->parent;
    size_t known = layer_common_way(path, &l->parent_path);
    layer_close_parent(l);
    buf_add(&l->parent_path, path, length);
    l->parent =
        fd_openat2(l->job->root, l->parent_path.data, O_PATH | O_DIRECTORY, 0, LAYER_RESOLVE);
    if (l->parent == -ENOENT || l->parent == -ENOTDIR)
        l->parent = layer_make_ways(l, l->parent_path.data, known, m);
    return l->parent;
}

/* --- removing ------------------------------------------------------------------------------------
 */

/* Not by recursion over names: the tree is as deep as its maker liked. */
static int layer_empty(int dir, unsigned depth)
{
    if (depth > 4096)
        return -ELOOP;
    DIR *d = fdopendir(dir);
    if (!d) {
        int r = -errno;
        fd_close(dir);
        return r;
    }
    int r = 0;
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(d));) {
        if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
            continue;
        if (unlinkat(dirfd(d), entry->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            r = -errno;
            break;
        }
        int inner =
            openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = inner < 0 ? -errno : layer_empty(inner, depth + 1);
        if (r == 0 && unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR) < 0)
            r = -errno;
    }
    closedir(d);
    return r;
}

int layer_remove(struct layer *l, int parent, const char *leaf)
{
    if (unlinkat(parent, leaf, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int dir = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = dir < 0 ? -errno : layer_empty(dir, 0);
    if (r == 0 && unlinkat(parent, leaf, AT_REMOVEDIR) < 0)
        r = -errno;
    /* The folder that is kept open may have been in there; unless it is the very `parent`. */
    if (parent != l->parent)
        layer_close_parent(l);
    return r;
}

int layer_empty_root(struct layer *l)
{
    int dir = openat(l->job->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -errno : layer_empty(dir, 0);
}

/* --- hiding --------------------------------------------------------------------------------------
 */

bool layer_is_whiteout(int parent, const char *leaf)
{
    struct stat st;
    return fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

int layer_set_opaque(int dir)
{
    return fsetxattr(dir, "user.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

int layer_whiteout(struct layer *l, int parent, const char *leaf)
{
    struct stat st;
    if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode))
            return 0; /* what this layer has made hides it already */
        autoclose int dir = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return dir < 0 ? -errno : layer_set_opaque(dir);
    }
    return mknodat(parent, leaf, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

/* --- what it wears -------------------------------------------------------------------------------
 */

static bool layer_keeps_xattr(const char *name)
{
    static const char overlay[] = "user.overlay.", user[] = "user.";
    return (str_starts(name, user) && !str_starts(name, overlay)) ||
           str_equal(name, "security.capability");
}

int layer_dress(struct layer *l, int fd, const struct tar_member *m)
{
    if (l->job->owners && (m->uid || m->gid) && fchown(fd, (uid_t)m->uid, (gid_t)m->gid) < 0)
        return -errno;
    /* made with the other bits already, unless it was there before */
    if (((m->mode & 07000) || m->type == TAR_DIR) && fchmod(fd, m->mode) < 0)
        return -errno;
    for (size_t i = 0; i < m->xattrs_count; i++) {
        const struct tar_xattr *x = &m->xattrs[i];
        if (layer_keeps_xattr(x->name) && fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
            continue;
        if (layer_keeps_xattr(x->name) && (errno == ENOSPC || errno == EDQUOT))
            return -errno;
        l->counts.xattrs++;
    }
    if (m->type == TAR_DIR)
        return 0;
    const struct timespec times[2] = {
        {m->mtime_s, m->mtime_ns},
        {m->mtime_s, m->mtime_ns}
    };
    return futimens(fd, times) < 0 ? -errno : 0;
}

/* --- times of folders ----------------------------------------------------------------------------
 */

struct layer_time {
    int64_t s;
    uint32_t ns, length;
};

static int layer_flush_times(struct layer *l)
{
    int r = l->spilled.used ? fd_write_full(l->job->spill, l->spilled.data, l->spilled.used) : 0;
    l->spilled.used = 0;
    return r;
}

/* Into a file: there may be millions, and memory is for few. */
int layer_spill_time(struct layer *l, const char *path, const struct tar_member *m)
{
    struct layer_time time = {m->mtime_s, m->mtime_ns, (uint32_t)strlen(path)};
    buf_add(&l->spilled, &time, sizeof(time));
    buf_add(&l->spilled, path, time.length);
    return l->spilled.used < LAYER_SPILL ? 0 : layer_flush_times(l);
}

static int layer_set_time(struct layer *l, const struct layer_time *time, const char *path)
{
    const struct timespec times[2] = {
        {time->s, time->ns},
        {time->s, time->ns}
    };
    autoclose int fd =
        fd_openat2(l->job->root, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, LAYER_RESOLVE);
    if (fd < 0) /* replaced by something else since */
        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
    return futimens(fd, times) < 0 ? -errno : 0;
}

int layer_set_times(struct layer *l)
{
    int r = layer_flush_times(l);
    if (r < 0)
        return r;
    if (lseek(l->job->spill, 0, SEEK_SET) < 0)
        return -errno;
    autobuf text = {0};
    for (bool end = false;;) {
        while (!end && text.used < LAYER_SPILL) {
            buf_reserve(&text, LAYER_SPILL);
            ssize_t n = read(l->job->spill, text.data + text.used, LAYER_SPILL);
            if (n < 0)
                return -errno;
            text.used += (size_t)n;
            end = n == 0;
        }
        struct layer_time time;
        size_t at = 0;
        while (text.used - at >= sizeof(time)) {
            memcpy(&time, text.data + at, sizeof(time));
            if (text.used - at - sizeof(time) < time.length)
                break;
            char path[4097];
            memcpy(path, text.data + at + sizeof(time), time.length);
            path[time.length] = '\0';
            r = layer_set_time(l, &time, path);
            if (r < 0)
                return r;
            at += sizeof(time) + time.length;
        }
        buf_drop(&text, at);
        if (end)
            return 0;
    }
}
