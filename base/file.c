#include "base/file.h"

#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end of the file, at most `most` bytes; `guess` is where the buffer starts. */
static int file_slurp(int fd, size_t guess, size_t most, char **ret, size_t *ret_size)
{
    autobuf b = {0};
    size_t chunk = guess + 1; /* one more, so that the end shows without growing */
    for (;;) {
        buf_reserve(&b, chunk);
        ssize_t n = read(fd, b.data + b.used, b.room - b.used - 1);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            break;
        b.used += (size_t)n;
        if (b.used > most)
            return -EFBIG;
        chunk = b.used < 4096 ? 4096 : b.used;
    }
    buf_add(&b, "", 0);
    if (ret_size)
        *ret_size = b.used;
    *ret = buf_take(&b);
    return 0;
}

/* A regular file alone: -EINVAL for what is none. */
static int file_open_to_read(int dir, const char *path, struct stat *ret)
{
    autoclose int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, ret) < 0)
        return -errno;
    return S_ISREG(ret->st_mode) ? TAKE_FD(fd) : -EINVAL;
}

int file_read(int dir, const char *path, size_t most, char **ret, size_t *ret_size)
{
    struct stat st;
    autoclose int fd = file_open_to_read(dir, path, &st);
    if (fd < 0)
        return fd;
    if ((uint64_t)st.st_size > most)
        return -EFBIG;
    return file_slurp(fd, (size_t)st.st_size, most, ret, ret_size);
}

int file_read_virtual(int dir, const char *path, size_t most, char **ret, size_t *ret_size)
{
    struct stat st;
    autoclose int fd = file_open_to_read(dir, path, &st);
    if (fd < 0)
        return fd;
    return file_slurp(fd, 4094, most, ret, ret_size);
}

/* Makes "NAME.new-RANDOM" beside NAME. Returns its descriptor and, in `*ret`, its name. */
static int file_make_neighbour(int dir, const char *name, char **ret)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t dice;
        if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != (ssize_t)sizeof(dice))
            return -errno;
        autofree char *path = str_format("%s.new-%016llx", name, (unsigned long long)dice);
        int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            *ret = TAKE(path);
            return fd;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static int file_sync_parent(int dir, const char *name)
{
    const char *slash = strrchr(name, '/');
    autofree char *folder = NULL;
    if (slash)
        folder = slash == name ? str_dup("/") : str_ndup(name, (size_t)(slash - name));
    autoclose int fd = openat(dir, folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

/*
 * Takes the place of what is there at one stroke. A replacement makes ext4 write the data out at
 * once, and whoever removes the file soon waits for that; an exchange does not.
 */
static int file_take_place(int dir, const char *temporary, const char *name)
{
    if (renameat2(dir, temporary, dir, name, RENAME_EXCHANGE) < 0)
        return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
    return unlinkat(dir, temporary, 0) < 0 ? -errno : 0;
}

int file_write_brief(int dir, const char *name, const void *data, size_t size)
{
    autofree char *temporary = NULL;
    autoclose int fd = file_make_neighbour(dir, name, &temporary);
    if (fd < 0)
        return fd;
    int r = fd_write_full(fd, data, size);
    if (r == 0)
        r = file_take_place(dir, temporary, name);
    if (r < 0)
        unlinkat(dir, temporary, 0);
    return r;
}

int file_write_whole(int dir, const char *name, const void *data, size_t size, mode_t mode,
                     bool sync)
{
    autofree char *temporary = NULL;
    autoclose int fd = file_make_neighbour(dir, name, &temporary);
    if (fd < 0)
        return fd;
    int r = fd_write_full(fd, data, size);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = -errno;
    if (r == 0 && sync && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(dir, temporary, dir, name) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dir, temporary, 0);
        return r;
    }
    return sync ? file_sync_parent(dir, name) : 0;
}

int file_put(int dir, const char *path, const char *text)
{
    autoclose int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    size_t size = strlen(text);
    ssize_t n;
    do
        n = write(fd, text, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EIO;
}

int file_make_dirs(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return 0;
    int code = errno;
    if (code == ENOENT) {
        const char *end = path + strlen(path);
        while (end > path && end[-1] == '/')
            end--;
        while (end > path && end[-1] != '/')
            end--;
        while (end > path + 1 && end[-1] == '/')
            end--;
        if (end == path)
            return -ENOENT;
        autofree char *parent = str_ndup(path, (size_t)(end - path));
        int r = file_make_dirs(parent, mode);
        if (r < 0)
            return r;
        if (mkdir(path, mode) == 0)
            return 0;
        code = errno;
    }
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    return -code;
}

int file_open_private_dir(const char *path, bool make, struct error *e)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    autoclose int fd = open(path, FLAGS);
    if (fd < 0 && errno == ENOENT && make) {
        int r = file_make_dirs(path, 0700);
        if (r < 0)
            return error_errno(e, -r, "cannot make the folder %s", path);
        fd = open(path, FLAGS);
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return error_set(e, errno, "%s is a link or a file where a folder of our own belongs",
                         path);
    if (fd < 0)
        return error_errno(e, errno, "cannot open the folder %s", path);

    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "cannot look at the folder %s", path);
    if (st.st_uid != geteuid())
        return error_set(e, EPERM, "the folder %s belongs to user %u, not to user %u", path,
                         (unsigned)st.st_uid, (unsigned)geteuid());
    if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        return error_errno(e, errno, "cannot make the folder %s private", path);
    return TAKE_FD(fd);
}

/*
 * Removal keeps at most this many folders open. What lies deeper is first moved up to the top, so
 * that no depth a stranger can make runs us out of descriptors or stack.
 */
enum { REMOVE_DEPTH = 32 };

struct remove {
    int top;        /* borrowed; the tree's own folder */
    unsigned moved; /* folders moved up to it so far */
    bool again;     /* some were moved since the top was last read */
    int first;      /* the first error, or 0 */
};

static void remove_note(struct remove *r, int code)
{
    if (r->first == 0)
        r->first = -code;
}

/* Opens a folder for removal: no link, no mount, readable and writable by us. */
static int remove_open(int dir, const char *name)
{
    const uint64_t resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    autoclose int fd = fd_openat2(dir, name, flags, 0, resolve);
    if (fd == -EACCES) {
        autoclose int seen = fd_openat2(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
        if (seen < 0)
            return seen;
        char path[32];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", seen);
        if (chmod(path, 0700) < 0)
            return -EACCES;
        fd = fd_openat2(dir, name, flags, 0, resolve);
    }
    if (fd < 0)
        return TAKE_FD(fd);
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        fchmod(fd, 0700);
    return TAKE_FD(fd);
}

static void remove_move_up(struct remove *r, int dir, const char *name)
{
    char fresh[32];
    snprintf(fresh, sizeof(fresh), ".remove-%u", r->moved++);
    if (renameat2(dir, name, r->top, fresh, RENAME_NOREPLACE) == 0)
        r->again = true;
    else if (errno == EEXIST && r->moved < 1u << 20)
        remove_move_up(r, dir, name);
    else
        remove_note(r, errno);
}

static void remove_contents(struct remove *r, int dir, unsigned depth);

static void remove_entry(struct remove *r, int dir, const char *name, unsigned depth)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) {
        remove_note(r, errno);
        return;
    }
    int code = errno;
    autoclose int fd = remove_open(dir, name);
    if (fd < 0) {
        remove_note(r, fd == -ENOTDIR || fd == -ELOOP ? code : -fd);
        return;
    }
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
        return;
    if (depth >= REMOVE_DEPTH) {
        remove_move_up(r, dir, name);
        return;
    }
    remove_contents(r, fd, depth + 1);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        remove_note(r, errno);
}

static void remove_contents(struct remove *r, int dir, unsigned depth)
{
    int again = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (!list) {
        remove_note(r, errno);
        fd_close(again);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(list)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_entry(r, dir, entry->d_name, depth);
    closedir(list);
}

int file_remove_tree(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return -errno;
    int code = errno;
    autoclose int fd = remove_open(dir, name);
    if (fd < 0)
        return fd == -ENOTDIR || fd == -ELOOP ? -code : fd;
    struct remove r = {.top = fd};
    do {
        r.again = false;
        if (lseek(fd, 0, SEEK_SET) < 0)
            remove_note(&r, errno);
        remove_contents(&r, fd, 0);
    } while (r.again && r.first == 0);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        remove_note(&r, errno);
    return r.first;
}
