#include "images/disk_cache.h"

#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int disk_cache_open(const char *cache, const char *name, struct error *e)
{
    autofree char *folder = str_join_path(cache, name);
    int r = file_make_dirs(cache, 0700);
    if (r < 0)
        return error_errno(e, -r, "%s", cache);
    return file_open_private_dir(folder, true, e);
}

/* The lock file goes away with its holder: whoever waited for it may have waited for a dead name.
 */
static int disk_cache_lock(int dir, const char *name)
{
    for (;;) {
        struct stat held, named;
        autoclose int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return -errno;
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return -errno;
        if (fstat(fd, &held) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            held.st_ino == named.st_ino && held.st_dev == named.st_dev)
            return TAKE_FD(fd);
    }
}

/* Only its maker, who has the lock, ever uses the temporary name. */
static int disk_cache_file(struct disk_cache_new *n)
{
    int fd = openat(n->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd < 0 ? -errno : fd;
    n->temporary = str_format("%s.new", n->name);
    unlinkat(n->dir, n->temporary, 0);
    fd = openat(n->dir, n->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

int disk_cache_begin(int dir, const char *name, struct disk_cache_new *ret, struct error *e)
{
    struct disk_cache_new n = {.dir = dir, .fd = FD_NONE, .name = str_dup(name)};
    n.lock_name = str_format("%s.lock", name);
    n.lock = disk_cache_lock(dir, n.lock_name);
    int r = n.lock;
    if (r >= 0)
        r = n.fd = disk_cache_file(&n);
    if (r < 0) {
        error_errno(e, -r, "a new file in the cache");
        disk_cache_end(&n);
        return r;
    }
    *ret = n;
    return 0;
}

int disk_cache_publish(struct disk_cache_new *n, mode_t mode, struct error *e)
{
    if (fchmod(n->fd, mode) < 0 || fsync(n->fd) < 0)
        return error_errno(e, errno, "writing to the cache");
    if (!n->temporary) {
        char self[32];
        autofree char *temporary = str_format("%s.new", n->name);
        snprintf(self, sizeof(self), "/proc/self/fd/%d", n->fd);
        unlinkat(n->dir, temporary, 0);
        if (linkat(AT_FDCWD, self, n->dir, temporary, AT_SYMLINK_FOLLOW) < 0)
            return error_errno(e, errno, "naming a file of the cache");
        n->temporary = TAKE(temporary);
    }
    if (renameat(n->dir, n->temporary, n->dir, n->name) < 0)
        return error_errno(e, errno, "naming a file of the cache");
    free(TAKE(n->temporary));
    return fsync(n->dir) < 0 ? error_errno(e, errno, "writing to the cache") : 0;
}

void disk_cache_end(struct disk_cache_new *n)
{
    n->fd = fd_close(n->fd);
    if (n->temporary)
        unlinkat(n->dir, n->temporary, 0);
    if (n->lock >= 0)
        unlinkat(n->dir, n->lock_name, 0);
    n->lock = fd_close(n->lock);
    free(TAKE(n->temporary));
    free(TAKE(n->lock_name));
    free(TAKE(n->name));
}

void disk_cache_used(int dir, const char *name)
{
    /* many file systems are mounted so that reading says nothing, or not every time */
    const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}
