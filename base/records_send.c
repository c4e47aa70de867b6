#include "base/fd.h"
#include "base/records.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

struct sender {
    int fd;
    uint64_t skipped;
    int broken; /* -errno of writing to `fd`: nothing more can be said */
    int error;  /* -errno of the first thing that could not be read */
    char error_path[RECORD_NAME_MAX];
    char path[RECORD_NAME_MAX]; /* of what is being sent, relative to the thing itself */
    size_t path_size;
    dev_t device; /* of the folder we are in */
    size_t used;
    char out[16384];
};

static void sender_flush(struct sender *s)
{
    if (!s->broken && s->used)
        s->broken = fd_write_full(s->fd, s->out, s->used);
    s->used = 0;
}

static void sender_put(struct sender *s, const void *data, size_t size)
{
    if (size > sizeof(s->out) - s->used)
        sender_flush(s);
    if (size)
        memcpy(s->out + s->used, data, size); /* never more than one name or link's text */
    s->used += size;
}

static void sender_put_record(struct sender *s, enum record_type type, const struct stat *st,
                              uint64_t size, const char *link, size_t link_size)
{
    struct record_head h = {
        .type = (uint8_t)type,
        .size = size,
        .name_size = (uint16_t)s->path_size,
        .link_size = (uint16_t)link_size,
    };
    if (st) {
        h.mode = st->st_mode & 0777;
        h.mtime_s = st->st_mtim.tv_sec;
        h.mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
    }
    sender_put(s, &h, sizeof(h));
    sender_put(s, s->path, s->path_size);
    sender_put(s, link, link_size);
}

static void sender_note(struct sender *s, int error)
{
    if (s->error)
        return;
    s->error = error;
    memcpy(s->error_path, s->path, s->path_size);
    s->error_path[s->path_size] = 0;
}

/* Exactly `size` bytes, whatever the file has become meanwhile. */
static void sender_put_content(struct sender *s, int file, uint64_t size)
{
    sender_flush(s);
    while (size && !s->broken) {
        size_t piece = size < (1u << 30) ? (size_t)size : 1u << 30;
        ssize_t n = sendfile(s->fd, file, NULL, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE) {
            s->broken = -EPIPE;
            return;
        }
        if (n < 0 && errno == EINVAL) { /* not every file system can */
            n = read(file, s->out, size < sizeof(s->out) ? (size_t)size : sizeof(s->out));
            if (n > 0)
                s->broken = fd_write_full(s->fd, s->out, (size_t)n);
        }
        if (n < 0)
            sender_note(s, -errno);
        if (n <= 0)
            break;
        size -= (uint64_t)n;
    }
    if (size && !s->broken)
        sender_note(s, -ESTALE); /* it shrank: the length is promised already */
    if (size)
        memset(s->out, 0, sizeof(s->out));
    while (size && !s->broken) {
        size_t piece = size < sizeof(s->out) ? (size_t)size : sizeof(s->out);
        s->broken = fd_write_full(s->fd, s->out, piece);
        size -= piece;
    }
}

static void sender_send_file(struct sender *s, int dir, const char *name)
{
    struct stat st;
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        sender_note(s, -errno);
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        s->skipped++;
        return;
    }
    sender_put_record(s, RECORD_FILE, &st, (uint64_t)st.st_size, NULL, 0);
    sender_put_content(s, fd, (uint64_t)st.st_size);
}

static void sender_send_link(struct sender *s, int dir, const char *name, const struct stat *st)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(dir, name, text, sizeof(text));
    if (n <= 0 || n == (ssize_t)sizeof(text)) {
        sender_note(s, n < 0 ? -errno : -ENAMETOOLONG);
        return;
    }
    struct stat plain = *st;
    plain.st_mode = S_IFLNK;
    sender_put_record(s, RECORD_LINK, &plain, 0, text, (size_t)n);
}

/* What a kernel shows of itself is no file to take along. */
static int sender_is_kernels(int dir)
{
    struct statfs fs;
    if (fstatfs(dir, &fs) < 0)
        return 0;
    switch ((unsigned long)fs.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case BPF_FS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
        return 1;
    }
    return 0;
}

static void sender_send_entry(struct sender *s, int dir, const char *name, unsigned depth);

static void sender_send_entries(struct sender *s, int dir, unsigned depth)
{
    char entries[4096] __attribute__((aligned(8)));
    for (;;) {
        long n = syscall(SYS_getdents64, dir, entries, sizeof(entries));
        if (n < 0)
            sender_note(s, -errno);
        if (n <= 0 || s->broken)
            return;
        for (long at = 0; at < n && !s->broken;) {
            const struct dirent64 *d = (const void *)(entries + at);
            at += d->d_reclen;
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                continue;
            size_t kept = s->path_size, length = strlen(d->d_name);
            if (kept + 1 + length >= sizeof(s->path)) {
                sender_note(s, -ENAMETOOLONG);
                continue;
            }
            if (kept)
                s->path[s->path_size++] = '/';
            memcpy(s->path + s->path_size, d->d_name, length);
            s->path_size += length;
            sender_send_entry(s, dir, d->d_name, depth + 1);
            s->path_size = kept;
        }
    }
}

static void sender_send_dir(struct sender *s, int dir, const char *name, unsigned depth)
{
    struct stat st;
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        sender_note(s, -errno);
        return;
    }
    if (depth >= RECORDS_DEPTH_MAX) {
        sender_note(s, -ELOOP);
        return;
    }
    dev_t outer = s->device;
    if (depth && st.st_dev != outer && sender_is_kernels(fd)) {
        s->skipped++;
        return;
    }
    sender_put_record(s, RECORD_DIR, &st, 0, NULL, 0);
    if (depth == 0)
        s->path_size = 0; /* the name of the thing itself is no part of the others' */
    s->device = st.st_dev;
    sender_send_entries(s, fd, depth);
    s->device = outer;
}

static void sender_send_entry(struct sender *s, int dir, const char *name, unsigned depth)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        sender_note(s, -errno);
    else if (S_ISDIR(st.st_mode))
        sender_send_dir(s, dir, name, depth);
    else if (S_ISREG(st.st_mode))
        sender_send_file(s, dir, name);
    else if (S_ISLNK(st.st_mode))
        sender_send_link(s, dir, name, &st);
    else if (depth == 0)
        sender_note(s, -EOPNOTSUPP);
    else
        s->skipped++;
}

int records_send(int fd, int dir, const char *name, char *what, size_t room, uint64_t *ret_skipped)
{
    struct sender s;
    memset(&s, 0, offsetof(struct sender, error_path));
    s.fd = fd;
    s.used = 0;
    s.path_size = strcmp(name, ".") == 0 ? 0 : strlen(name);
    what[0] = 0;
    if (s.path_size > NAME_MAX || memchr(name, '/', s.path_size))
        return -EINVAL;
    memcpy(s.path, name, s.path_size);
    sender_send_entry(&s, dir, name, 0);
    if (s.error) {
        s.path_size = strlen(s.error_path);
        memcpy(s.path, s.error_path, s.path_size);
        sender_put_record(&s, RECORD_ERROR, NULL, (uint64_t)-s.error, NULL, 0);
        size_t length = s.path_size < room ? s.path_size : room - 1;
        memcpy(what, s.path, length);
        what[length] = 0;
    } else {
        s.path_size = 0;
        sender_put_record(&s, RECORD_END, NULL, 0, NULL, 0);
    }
    sender_flush(&s);
    if (s.broken)
        return s.broken;
    if (s.error)
        return s.error;
    *ret_skipped = s.skipped;
    return 0;
}
