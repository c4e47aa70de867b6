/* Files, links and owners in the new root. */
#include "backends/root/steps.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int step_make_symlink(const struct tree_maker *m, const char *path, const char *text)
{
    const char *leaf;
    int parent = tree_make_parent(m, path, &leaf);
    if (parent < 0)
        return parent;
    int r = symlinkat(text, parent, leaf);
    if (r < 0 && errno == EEXIST && unlinkat(parent, leaf, 0) == 0)
        r = symlinkat(text, parent, leaf);
    if (r < 0)
        return -errno;
    tree_note(m, path);
    if (m->uid != (uid_t)-1 && fchownat(parent, leaf, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

int step_make_file(const struct tree_maker *m, const char *path, const char *content, mode_t mode)
{
    const char *leaf;
    int parent = tree_make_parent(m, path, &leaf);
    if (parent < 0)
        return parent;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    autoclose int fd = openat(parent, leaf, flags, mode & 0777);
    if (fd < 0 && errno == EEXIST && unlinkat(parent, leaf, 0) == 0)
        fd = openat(parent, leaf, flags, mode & 0777);
    if (fd < 0)
        return -errno;
    tree_note(m, path);
    int r = content ? fd_write_full(fd, content, strlen(content)) : 0;
    if (r == 0 && m->uid != (uid_t)-1 && fchown(fd, m->uid, m->gid) < 0)
        r = -errno;
    return r;
}

enum { OWN_DEPTH = 256 };

static int own_one(int dir, const char *name, uid_t uid, gid_t gid, unsigned depth)
{
    if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    if (depth == OWN_DEPTH)
        return -ELOOP;
    DIR *list = fdopendir(fd);
    if (!list)
        return -errno;
    fd = FD_NONE; /* the stream's now */
    int r = 0;
    for (struct dirent *d; r == 0 && (d = readdir(list));)
        if (!str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
            r = own_one(dirfd(list), d->d_name, uid, gid, depth + 1);
    closedir(list);
    return r;
}

int step_own_tree(int dir, const char *name, uid_t uid, gid_t gid)
{
    return own_one(dir, name, uid, gid, 0);
}
