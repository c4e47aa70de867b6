#include "base/fd.h"
#include "base/records.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that is still being filled. Its mode and time are set when it is left. */
struct receiver_level {
    int fd; /* owned */
    size_t path_size;
    bool made; /* by us: else it keeps what it has */
    mode_t mode;
    struct timespec mtime;
};

struct receiver {
    int fd, dir;
    const char *name; /* NULL: the stream's */
    uint64_t room;    /* bytes of content that may still come */
    uint64_t entries;
    mode_t mask;
    size_t depth; /* levels in use */
    struct receiver_level levels[RECORDS_DEPTH_MAX];
    char path[RECORD_NAME_MAX]; /* of the last record */
    char link[PATH_MAX];
    size_t start, end; /* what is in `in` */
    char in[32768];
};

static int receiver_fill(struct receiver *r)
{
    ssize_t n;
    do
        n = read(r->fd, r->in, sizeof(r->in));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    r->start = 0;
    r->end = (size_t)n;
    return n ? 0 : -EBADMSG;
}

static int receiver_get(struct receiver *r, void *to, size_t size)
{
    char *p = to;
    while (size) {
        if (r->start == r->end) {
            int error = receiver_fill(r);
            if (error < 0)
                return error;
        }
        size_t piece = r->end - r->start < size ? r->end - r->start : size;
        memcpy(p, r->in + r->start, piece);
        r->start += piece;
        p += piece;
        size -= piece;
    }
    return 0;
}

/* --- what is made -------------------------------------------------------------------------------
 */

/* A fresh name beside the one that is to be replaced. */
static int receiver_temporary(char name[32])
{
    uint64_t number;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -EIO;
    memcpy(name, ".cofferdam-", 11);
    for (int i = 0; i < 16; i++, number >>= 4)
        name[11 + i] = "0123456789abcdef"[number & 15];
    name[27] = 0;
    return 0;
}

static int receiver_put_in_place(int dir, const char *temporary, const char *leaf)
{
    if (renameat(dir, temporary, dir, leaf) == 0)
        return 0;
    int error = -errno;
    unlinkat(dir, temporary, 0);
    return error;
}

/*
 * Nothing but zeros becomes a hole, as it may well have been one: a file of a stranger's can claim
 * to be far larger than any disk. The file is new, so what is passed over reads as zeros.
 */
static int receiver_write_piece(int file, const char *data, size_t size, bool last)
{
    if (size < 4096 || data[0] || memcmp(data, data + 1, size - 1) != 0)
        return fd_write_full(file, data, size);
    if (lseek(file, (off_t)(last ? size - 1 : size), SEEK_CUR) < 0)
        return -errno;
    return last ? fd_write_full(file, data, 1) : 0;
}

static int receiver_write_content(struct receiver *r, int file, uint64_t size)
{
    while (size) {
        if (r->start == r->end) {
            int error = receiver_fill(r);
            if (error < 0)
                return error;
        }
        size_t piece = r->end - r->start < size ? r->end - r->start : (size_t)size;
        int error = receiver_write_piece(file, r->in + r->start, piece, piece == size);
        if (error < 0)
            return error;
        r->start += piece;
        size -= piece;
    }
    return 0;
}

static int receiver_make_file(struct receiver *r, int dir, const char *leaf,
                              const struct record_head *h)
{
    if (h->size > r->room)
        return -EFBIG;
    r->room -= h->size;
    char temporary[32];
    int error = receiver_temporary(temporary);
    if (error < 0)
        return error;
    autoclose int file =
        openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, h->mode);
    if (file < 0)
        return -errno;
    error = receiver_write_content(r, file, h->size);
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT  },
        { .tv_sec = h->mtime_s, .tv_nsec = h->mtime_ns}
    };
    if (error == 0)
        futimens(file, times); /* a time the file system cannot hold is no reason to fail */
    if (error < 0) {
        unlinkat(dir, temporary, 0);
        return error;
    }
    return receiver_put_in_place(dir, temporary, leaf);
}

static int receiver_make_link(struct receiver *r, int dir, const char *leaf)
{
    if (symlinkat(r->link, dir, leaf) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    char temporary[32];
    int error = receiver_temporary(temporary);
    if (error < 0)
        return error;
    if (symlinkat(r->link, dir, temporary) < 0)
        return -errno;
    return receiver_put_in_place(dir, temporary, leaf);
}

static int receiver_make_dir(struct receiver *r, int dir, const char *leaf, size_t path_size,
                             const struct record_head *h)
{
    if (r->depth == RECORDS_DEPTH_MAX)
        return -EBADMSG;
    struct receiver_level level = {
        .path_size = path_size,
        .mode = h->mode & ~r->mask,
        .mtime = {.tv_sec = h->mtime_s, .tv_nsec = h->mtime_ns},
    };
    level.made = mkdirat(dir, leaf, 0700) == 0;
    if (!level.made && errno != EEXIST && strcmp(leaf, ".") != 0)
        return -errno;
    level.fd = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (level.fd < 0)
        return -errno;
    r->levels[r->depth++] = level;
    return 0;
}

static void receiver_leave(struct receiver *r)
{
    struct receiver_level *level = &r->levels[--r->depth];
    if (level->made) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, level->mtime};
        fchmod(level->fd, level->mode);
        futimens(level->fd, times);
    }
    fd_close(level->fd);
}

/* --- what comes
 * ----------------------------------------------------------------------------------- */

/*
 * Leaves the folders the record is not in; the innermost left must be its own. The open folders'
 * names are all beginnings of the name before, `before`. Gives the last part of the record's name.
 */
static int receiver_place(struct receiver *r, const char *before, size_t before_size, size_t size,
                          const char **ret_leaf)
{
    const char *slash = memrchr(r->path, '/', size);
    size_t parent = slash ? (size_t)(slash - r->path) : 0;
    while (r->depth > 1) {
        size_t open = r->levels[r->depth - 1].path_size;
        if (open <= parent && open <= before_size && memcmp(before, r->path, open) == 0 &&
            (open == parent || r->path[open] == '/'))
            break;
        receiver_leave(r);
    }
    if (!r->depth || r->levels[r->depth - 1].path_size != parent)
        return -EBADMSG;
    *ret_leaf = slash ? slash + 1 : r->path;
    return 0;
}

static int receiver_make(struct receiver *r, const struct record_head *h, int dir, const char *leaf,
                         size_t path_size)
{
    switch (h->type) {
    case RECORD_FILE:
        return receiver_make_file(r, dir, leaf, h);
    case RECORD_DIR:
        return receiver_make_dir(r, dir, leaf, path_size, h);
    case RECORD_LINK:
        return receiver_make_link(r, dir, leaf);
    }
    return -EBADMSG;
}

/* The thing itself. Its name counts only where the caller has none. */
static int receiver_take_first(struct receiver *r, const struct record_head *h)
{
    const char *leaf = r->name ? r->name : r->path;
    if (!*leaf && h->type == RECORD_DIR)
        leaf = ".";
    if (!*leaf)
        return -EISDIR;
    return receiver_make(r, h, r->dir, leaf, 0);
}

/* Reads and makes one record: 1, 0 after the last, -errno. */
static int receiver_step(struct receiver *r)
{
    struct record_head h;
    char before[RECORD_NAME_MAX];
    bool first = r->entries == 0;
    size_t before_size = strlen(r->path);
    memcpy(before, r->path, before_size + 1);
    int error = receiver_get(r, &h, sizeof(h));
    if (error == 0)
        error = record_check_head(&h);
    if (error == 0)
        error = receiver_get(r, r->path, h.name_size);
    if (error < 0)
        return error;
    r->path[h.name_size] = 0;
    if (h.type == RECORD_END)
        return first ? -EBADMSG : 0;
    if (h.type == RECORD_ERROR)
        return -(int)h.size;
    error = record_check_name(r->path, h.name_size, first);
    if (error == 0)
        error = receiver_get(r, r->link, h.link_size);
    if (error < 0)
        return error;
    r->link[h.link_size] = 0;
    if (strlen(r->link) != h.link_size || ++r->entries > RECORDS_ENTRIES_MAX)
        return -EBADMSG;
    if (first) {
        error = receiver_take_first(r, &h);
        if (error == 0)
            r->path[0] = 0; /* the others' names begin behind it */
        return error < 0 ? error : 1;
    }
    const char *leaf;
    error = receiver_place(r, before, before_size, h.name_size, &leaf);
    if (error == 0)
        error = receiver_make(r, &h, r->levels[r->depth - 1].fd, leaf, h.name_size);
    return error < 0 ? error : 1;
}

int records_receive(int fd, int dir, const char *name, uint64_t most, char *what, size_t room)
{
    struct receiver r;
    memset(&r, 0, offsetof(struct receiver, levels));
    r.fd = fd;
    r.dir = dir;
    r.name = name;
    r.room = most ? most : UINT64_MAX;
    r.start = r.end = 0;
    r.path[0] = 0;
    r.mask = umask(0);
    umask(r.mask);
    what[0] = 0;
    int result;
    do
        result = receiver_step(&r);
    while (result > 0);
    while (r.depth)
        receiver_leave(&r);
    if (result < 0) {
        size_t length = strnlen(r.path, room - 1);
        memcpy(what, r.path, length);
        what[length] = 0;
    }
    return result;
}
