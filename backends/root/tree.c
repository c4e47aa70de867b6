#include "backends/root/tree.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TREE_LINKS_MAX = 40 };

int tree_open(int root, const char *path, int flags)
{
    while (*path == '/')
        path++;
    return fd_openat2(root, *path ? path : ".", flags | O_NOFOLLOW, 0,
                      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

/* One part more, or one less. */
static void tree_go(struct buf *way, const char *part, size_t size)
{
    if (size == 2 && part[0] == '.' && part[1] == '.') {
        while (way->used && way->data[--way->used] != '/')
            ;
        if (way->data)
            way->data[way->used] = '\0';
    } else if (size && !(size == 1 && part[0] == '.')) {
        buf_putc(way, '/');
        buf_add(way, part, size);
    }
}

/* The size of what the link there says; -EINVAL if it is none, -ENOENT if nothing is there. */
static ssize_t tree_read_link(int root, const char *path, char *to, size_t room)
{
    autoclose int fd = tree_open(root, path, O_PATH);
    ssize_t n = fd < 0 ? fd : readlinkat(fd, "", to, room - 1);
    if (fd < 0 || n < 0)
        return fd < 0 ? fd : errno == ENOENT ? -EINVAL : -errno;
    to[n] = '\0';
    return n;
}

int tree_follow(int root, const char *path, char **ret)
{
    autobuf way = {0};
    autofree char *rest = str_dup(path);
    char link[4096];
    int links = 0;
    buf_puts(&way, "");
    for (const char *p = rest; *p;) {
        p += strspn(p, "/");
        size_t size = strcspn(p, "/"), before = way.used;
        tree_go(&way, p, size);
        p += size;
        ssize_t n =
            way.used > before ? tree_read_link(root, way.data, link, sizeof(link)) : -EINVAL;
        if (n == -EINVAL || n == -ENOENT)
            continue;
        if (n < 0)
            return (int)n;
        if (++links > TREE_LINKS_MAX)
            return -ELOOP;
        way.used = *link == '/' ? 0 : before;
        way.data[way.used] = '\0';
        char *longer = str_format("%s/%s", link, p);
        free(rest);
        p = rest = longer;
    }
    *ret = way.used ? buf_take(&way) : str_dup("/");
    return 0;
}

void tree_forget(struct tree_near *n)
{
    if (n->result > 0)
        close(n->result);
    n->result = 0;
}

static void tree_keep(struct tree_near *n, const char *path, size_t size, int result)
{
    tree_forget(n);
    n->result = result;
    n->size = size;
    memcpy(n->path, path, size);
    n->path[size] = '\0';
}

static bool tree_is_near(const struct tree_near *n, const char *path, size_t size)
{
    return n->result != 0 && n->size == size && memcmp(n->path, path, size) == 0;
}

int tree_open_near(int root, struct tree_near *n, const char *path, size_t size)
{
    while (size && *path == '/')
        path++, size--;
    if (size == 0)
        return root;
    if (size >= sizeof(n->path))
        return -ENAMETOOLONG;
    if (!tree_is_near(n, path, size)) {
        tree_keep(n, path, size, 0);
        n->result = tree_open(root, n->path, O_PATH | O_DIRECTORY);
    }
    return n->result;
}

void tree_note(const struct tree_maker *m, const char *path)
{
    if (!m->made)
        return;
    while (*path == '/')
        path++;
    buf_puts(m->made, m->prefix);
    buf_putc(m->made, '/');
    buf_puts(m->made, path);
    buf_add(m->made, "", 1);
}

static bool tree_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool tree_is_opaque(int fd)
{
    char self[48], value[2];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    return getxattr(self, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* 1: what lies below this layer at `path`, which it does not have, is hidden by it. */
static int tree_hides(int layer, const char *path)
{
    char part[4096];
    if (strlen(path) >= sizeof(part))
        return -ENAMETOOLONG;
    for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
        struct stat st;
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        autoclose int fd = tree_open(layer, part, O_PATH);
        if (fd < 0 || fstat(fd, &st) < 0)
            return fd == -ENOENT ? 0 : fd < 0 ? fd : -errno;
        if (!S_ISDIR(st.st_mode))
            return tree_is_whiteout(&st) ? 1 : S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
        if (tree_is_opaque(fd))
            return 1;
    }
    return 0;
}

int tree_find(const int *layers, size_t count, const char *path, struct stat *ret)
{
    while (*path == '/')
        path++;
    for (size_t i = count; i-- > 0;) {
        struct stat st;
        autoclose int fd = tree_open(layers[i], path, O_PATH);
        if (fd >= 0 && fstat(fd, &st) < 0)
            return -errno;
        if (fd >= 0 && !tree_is_whiteout(&st)) {
            *ret = st;
            return 0;
        }
        if (fd >= 0 || i == 0)
            return fd < 0 ? fd : -ENOENT;
        int hides =
            fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? tree_hides(layers[i], path) : fd;
        if (hides != 0)
            return hides < 0 ? hides : -ENOENT;
    }
    return -ENOENT;
}

static int tree_model(const struct tree_maker *m, const char *path, size_t size, struct stat *ret)
{
    char part[4096];
    if (size >= sizeof(part))
        return -ENAMETOOLONG;
    memcpy(part, path, size);
    part[size] = '\0';
    int r = tree_find(m->models, m->models_count, part, ret);
    return r < 0 || S_ISDIR(ret->st_mode) ? r : -ENOTDIR;
}

/* `like`: the image's own folder of that name, whose owner and bits it keeps; or NULL. */
static int tree_make_one(const struct tree_maker *m, int dir, const char *name, mode_t mode,
                         bool owned, const struct stat *like)
{
    if (mkdirat(dir, name, mode & 07777) < 0)
        return -errno;
    uid_t uid = like ? like->st_uid : owned ? m->uid : (uid_t)-1;
    gid_t gid = like ? like->st_gid : m->gid;
    if (uid != (uid_t)-1 && (!like || uid != geteuid() || gid != getegid()) &&
        fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    /* mkdir(2) lets no set-gid or sticky bit through everywhere */
    if ((mode & 07000) && fchmodat(dir, name, mode & (like ? 03777 : 01777), 0) < 0)
        return -errno;
    return 0;
}

/* Whether the model has a real folder where the folder above `path` is. */
static bool tree_model_has_parent(const struct tree_maker *m, const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    int r = tree_model(m, path, slash ? (size_t)(slash - path) : 0, &st);
    return r != -ELOOP && r != -ENOTDIR;
}

/* Makes the last part of `path` in the folder `at`. */
static int tree_make_leaf(const struct tree_maker *m, int at, const char *path, const char *name,
                          mode_t mode, bool owned)
{
    mode_t with = mode;
    const struct stat *like = NULL;
    struct stat st;
    if (!mode) {
        int r = tree_model(m, path, strlen(path), &st);
        if (r < 0 && r != -ENOENT && tree_model_has_parent(m, path))
            return r; /* it would silently take the place of something that is no folder */
        with = r == 0 ? st.st_mode : 0755;
        like = r == 0 && m->keeps ? &st : NULL;
    }
    int r = tree_make_one(m, at, name, with, owned, like);
    if (r == 0)
        tree_note(m, path);
    return r;
}

/* One part of a path, in a folder at hand: it must be a folder itself. */
static int tree_open_leaf(int at, const char *name)
{
    int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int tree_make_dir(const struct tree_maker *m, const char *path, mode_t mode, bool leaf_owned)
{
    if (path[strspn(path, "/")] == '\0')
        return tree_open(m->root, path, O_PATH | O_DIRECTORY);
    const char *leaf;
    int parent = tree_make_parent(m, path, &leaf);
    if (parent < 0)
        return parent;
    int fd = tree_open_leaf(parent, leaf);
    if (fd != -ENOENT)
        return fd;
    int r = tree_make_leaf(m, parent, path, leaf, mode, leaf_owned);
    return r < 0 ? r : tree_open_leaf(parent, leaf);
}

int tree_need_dir(const struct tree_maker *m, const char *path, mode_t mode, bool leaf_owned)
{
    if (path[strspn(path, "/")] == '\0')
        return 0;
    const char *leaf;
    int parent = tree_make_parent(m, path, &leaf);
    int r = parent < 0 ? parent : tree_make_leaf(m, parent, path, leaf, mode, leaf_owned);
    if (r != -EEXIST)
        return r;
    autoclose int fd = tree_open_leaf(parent, leaf);
    return fd < 0 ? fd : 0;
}

int tree_make_parent(const struct tree_maker *m, const char *path, const char **ret_leaf)
{
    while (*path == '/')
        path++;
    const char *slash = strrchr(path, '/');
    const char *leaf = slash ? slash + 1 : path;
    if (str_empty(leaf) || str_equal(leaf, ".") || str_equal(leaf, ".."))
        return -EINVAL;
    *ret_leaf = leaf;
    size_t size = slash ? (size_t)(slash - path) : 0;
    int fd = tree_open_near(m->root, m->near, path, size);
    if (fd != -ENOENT)
        return fd;
    char parent[sizeof(m->near->path)];
    memcpy(parent, path, size);
    parent[size] = '\0';
    /* each turn is a part shorter; what a path lacks belongs to whom the rest does */
    fd = tree_make_dir(m, parent, 0, m->uid != (uid_t)-1);
    if (fd >= 0)
        tree_keep(m->near, parent, size, fd);
    return fd;
}

int tree_new_fs(const char *type, const char *const *options, uint64_t attributes)
{
    autoclose int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    for (; *options; options++) {
        const char *equals = strchr(*options, '=');
        char key[32];
        size_t size = equals ? (size_t)(equals - *options) : strlen(*options);
        if (size >= sizeof(key))
            return -EINVAL;
        memcpy(key, *options, size);
        key[size] = '\0';
        long r = syscall(SYS_fsconfig, fs, equals ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
                         equals ? equals + 1 : NULL, 0);
        if (r < 0)
            return -errno;
    }
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
    return mount < 0 ? -errno : mount;
}

int tree_clone(int fd, const char *path, bool recursive)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if (!*path)
        flags |= AT_EMPTY_PATH;
    if (recursive)
        flags |= AT_RECURSIVE;
    int tree = (int)syscall(SYS_open_tree, fd, path, flags);
    return tree < 0 ? -errno : tree;
}

int tree_attributes(int fd, uint64_t set, bool recursive)
{
    struct mount_attr attr = {.attr_set = set};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int tree_attach(int tree, int target)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return syscall(SYS_move_mount, tree, "", target, "", flags) < 0 ? -errno : 0;
}
