#include "images/tar_write.h"

#include "base/fd.h"
#include "images/tar_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_CHUNK = 256 * 1024 };

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
static void write_record(struct buf *b, const char *key, const void *value, size_t size)
{
    size_t rest = strlen(key) + size + 3, length = rest + 1;
    char digits[24];
    while ((size_t)snprintf(digits, sizeof(digits), "%zu", length) + rest != length)
        length++;
    buf_printf(b, "%zu %s=", length, key);
    buf_add(b, value, size);
    buf_putc(b, '\n');
}

static void write_text(struct buf *b, const char *key, const char *value)
{
    write_record(b, key, value, strlen(value));
}

static void write_octal(char *field, size_t room, uint64_t n, bool *ret_fits)
{
    char digits[32];
    bool fits = n >> (3 * (room - 1)) == 0;
    snprintf(digits, sizeof(digits), "%0*llo", (int)room - 1, fits ? (unsigned long long)n : 0);
    memcpy(field, digits, room);
    if (ret_fits)
        *ret_fits = fits;
}

static void write_header(struct buf *to, struct tar_header *h)
{
    memcpy(h->magic, "ustar\00000", 8);
    memset(h->checksum, ' ', sizeof(h->checksum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += ((const unsigned char *)h)[i];
    snprintf(h->checksum, 7, "%06o", sum);
    buf_add(to, h, sizeof(*h));
}

static int write_pad(int fd, uint64_t size)
{
    static const char zero[TAR_BLOCK];
    return fd_write_full(fd, zero, (size_t)(-size % TAR_BLOCK));
}

static void write_pax(struct buf *to, const struct buf *records)
{
    static const char zero[TAR_BLOCK];
    struct tar_header h = {.name = "@PaxHeader", .type = 'x'};
    write_octal(h.mode, sizeof(h.mode), 0644, NULL);
    write_octal(h.uid, sizeof(h.uid), 0, NULL);
    write_octal(h.gid, sizeof(h.gid), 0, NULL);
    write_octal(h.size, sizeof(h.size), records->used, NULL);
    write_octal(h.mtime, sizeof(h.mtime), 0, NULL);
    write_header(to, &h);
    buf_add(to, records->data, records->used);
    buf_add(to, zero, -records->used % TAR_BLOCK);
}

/* A record of its own for what is finer than seconds, before 1970 or beyond the header's digits. */
static void write_time(struct buf *records, char *field, size_t room, const struct tar_member *m)
{
    const int64_t most = (int64_t)1 << 33;
    char time[48];
    int64_t s = m->mtime_s;
    bool fits = s >= 0 && s < most;
    write_octal(field, room, fits ? (uint64_t)s : 0, NULL);
    if (fits && !m->mtime_ns)
        return;
    if (s < 0 && m->mtime_ns) /* 0.75 behind -2 is -1.25 */
        snprintf(time, sizeof(time), "-%lld.%09u", -(long long)(s + 1), 1000000000 - m->mtime_ns);
    else if (m->mtime_ns)
        snprintf(time, sizeof(time), "%lld.%09u", (long long)s, m->mtime_ns);
    else
        snprintf(time, sizeof(time), "%lld", (long long)s);
    write_text(records, "mtime", time);
}

/* A number that may need a record of its own. */
static void write_number(struct buf *records, const char *key, char *field, size_t room, uint64_t n)
{
    bool fits;
    char digits[24];
    write_octal(field, room, n, &fits);
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    if (!fits)
        write_text(records, key, digits);
}

static void write_name(struct buf *records, const char *key, char *field, const char *name)
{
    size_t n = strlen(name);
    if (n <= 100)
        memcpy(field, name, n);
    else
        write_text(records, key, name);
}

void tar_write_format(struct buf *to, const struct tar_member *m)
{
    static const char types[] = {
        [TAR_FILE] = '0',         [TAR_HARD_LINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
        [TAR_BLOCK_DEVICE] = '4', [TAR_DIR] = '5',       [TAR_FIFO] = '6',
    };
    autobuf records = {0};
    struct tar_header h = {.type = types[m->type]};
    write_name(&records, "path", h.name, m->path);
    if (m->link)
        write_name(&records, "linkpath", h.link, m->link);
    write_octal(h.mode, sizeof(h.mode), m->mode, NULL);
    write_number(&records, "uid", h.uid, sizeof(h.uid), m->uid);
    write_number(&records, "gid", h.gid, sizeof(h.gid), m->gid);
    write_number(&records, "size", h.size, sizeof(h.size), m->size);
    write_time(&records, h.mtime, sizeof(h.mtime), m);
    for (size_t i = 0; i < m->xattrs_count; i++) {
        autofree char *key = str_format("SCHILY.xattr.%s", m->xattrs[i].name);
        write_record(&records, key, m->xattrs[i].value, m->xattrs[i].size);
    }
    if (records.used)
        write_pax(to, &records);
    write_header(to, &h);
}

int tar_write_member(int fd, const struct tar_member *m)
{
    autobuf b = {0};
    tar_write_format(&b, m);
    return fd_write_full(fd, b.data, b.used);
}

int tar_write_bytes(int fd, const void *data, size_t size)
{
    int r = fd_write_full(fd, data, size);
    return r < 0 ? r : write_pad(fd, size);
}

int tar_write_content(int fd, int from, uint64_t size)
{
    autofree char *chunk = mem_alloc(WRITE_CHUNK);
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(from, chunk, (size_t)MIN((uint64_t)WRITE_CHUNK, size - at), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = fd_write_full(fd, chunk, (size_t)n);
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    return write_pad(fd, size);
}

int tar_write_end(int fd)
{
    static const char zero[2 * TAR_BLOCK];
    return fd_write_full(fd, zero, sizeof(zero));
}
