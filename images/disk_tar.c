#include "images/disk_tar.h"

#include "base/fd.h"
#include "images/tar_parts.h"

#include <stdio.h>

enum { DISK_TAR_WAITING = 256 * 1024 };

void disk_tar_init(struct disk_tar *t, int out)
{
    *t = (struct disk_tar){.out = out};
}

void disk_tar_done(struct disk_tar *t)
{
    buf_done(&t->waiting);
}

static int disk_tar_flush(struct disk_tar *t)
{
    int r = t->waiting.used ? fd_write_full(t->out, t->waiting.data, t->waiting.used) : 0;
    t->waiting.used = 0;
    return r;
}

static int disk_tar_put(struct disk_tar *t, const void *data, size_t size)
{
    t->bytes += size;
    if (t->waiting.used + size > DISK_TAR_WAITING) {
        int r = disk_tar_flush(t);
        if (r < 0)
            return r;
        if (size > DISK_TAR_WAITING)
            return fd_write_full(t->out, data, size);
    }
    buf_add(&t->waiting, data, size);
    return 0;
}

static int disk_tar_pad(struct disk_tar *t, uint64_t size)
{
    static const char zeros[TAR_BLOCK];
    unsigned rest = (unsigned)(size % TAR_BLOCK);
    return rest ? disk_tar_put(t, zeros, TAR_BLOCK - rest) : 0;
}

/* --- headers -------------------------------------------------------------------------------------
 */

static int disk_tar_octal(char *field, size_t size, uint64_t value)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)value);
    bool fits = n == (int)size - 1;
    memcpy(field, fits ? text : "00000000000", size - 1);
    return fits;
}

static int disk_tar_header(struct disk_tar *t, struct tar_header *h)
{
    memcpy(h->magic, "ustar\00000", 8);
    memset(h->checksum, ' ', sizeof(h->checksum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += ((const unsigned char *)h)[i];
    snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
    return disk_tar_put(t, h, sizeof(*h));
}

/* "LENGTH KEY=VALUE\n", the length counting itself. */
static void disk_tar_record(struct buf *b, const char *prefix, const char *key, const void *value,
                            size_t size)
{
    size_t rest = 1 + strlen(prefix) + strlen(key) + 1 + size + 1, length = rest + 1, digits = 1;
    for (size_t limit = 10; length >= limit; limit *= 10)
        length = rest + ++digits;
    buf_printf(b, "%zu %s%s=", length, prefix, key);
    buf_add(b, value, size);
    buf_putc(b, '\n');
}

static void disk_tar_number_record(struct buf *b, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    disk_tar_record(b, "", key, text, strlen(text));
}

static char disk_tar_type(enum tar_type type)
{
    switch (type) {
    case TAR_FILE:
        return '0';
    case TAR_HARD_LINK:
        return '1';
    case TAR_SYMLINK:
        return '2';
    case TAR_CHAR:
        return '3';
    case TAR_BLOCK_DEVICE:
        return '4';
    case TAR_DIR:
        return '5';
    case TAR_FIFO:
        return '6';
    }
    return '0';
}

/* What does not fit into the header goes into records in front of it. */
static void disk_tar_fill(struct tar_header *h, struct buf *records, const char *path,
                          const struct tar_member *m)
{
    h->type = disk_tar_type(m->type);
    autofree char *name = str_format("%s%s", *path ? path : ".", m->type == TAR_DIR ? "/" : "");
    size_t length = strlen(name), link = m->link ? strlen(m->link) : 0;
    memcpy(h->name, name, MIN(length, sizeof(h->name)));
    if (length > sizeof(h->name))
        disk_tar_record(records, "", "path", name, length);
    if (link)
        memcpy(h->link, m->link, MIN(link, sizeof(h->link)));
    if (link > sizeof(h->link))
        disk_tar_record(records, "", "linkpath", m->link, link);
    disk_tar_octal(h->mode, sizeof(h->mode), m->mode & 07777);
    if (!disk_tar_octal(h->uid, sizeof(h->uid), m->uid))
        disk_tar_number_record(records, "uid", m->uid);
    if (!disk_tar_octal(h->gid, sizeof(h->gid), m->gid))
        disk_tar_number_record(records, "gid", m->gid);
    uint64_t size = m->type == TAR_FILE ? m->size : 0;
    if (!disk_tar_octal(h->size, sizeof(h->size), size))
        disk_tar_number_record(records, "size", size);
    int64_t time = MAX(m->mtime_s, 0);
    disk_tar_octal(h->mtime, sizeof(h->mtime), (uint64_t)MIN(time, (int64_t)UINT32_MAX));
    for (size_t i = 0; i < m->xattrs_count; i++)
        disk_tar_record(records, "SCHILY.xattr.", m->xattrs[i].name, m->xattrs[i].value,
                        m->xattrs[i].size);
}

static int disk_tar_records(struct disk_tar *t, const struct buf *records)
{
    struct tar_header h = {.name = "PaxHeader", .type = 'x'};
    disk_tar_octal(h.mode, sizeof(h.mode), 0644);
    disk_tar_octal(h.uid, sizeof(h.uid), 0);
    disk_tar_octal(h.gid, sizeof(h.gid), 0);
    disk_tar_octal(h.size, sizeof(h.size), records->used);
    disk_tar_octal(h.mtime, sizeof(h.mtime), 0);
    int r = disk_tar_header(t, &h);
    if (r == 0)
        r = disk_tar_put(t, records->data, records->used);
    return r < 0 ? r : disk_tar_pad(t, records->used);
}

int disk_tar_member(struct disk_tar *t, const char *path, const struct tar_member *m)
{
    if (t->left)
        return -EINVAL;
    struct tar_header h = {0};
    autobuf records = {0};
    disk_tar_fill(&h, &records, path, m);
    int r = records.used ? disk_tar_records(t, &records) : 0;
    if (r == 0)
        r = disk_tar_header(t, &h);
    if (r == 0 && m->type == TAR_FILE)
        t->left = m->size;
    t->pad = (unsigned)(t->left % TAR_BLOCK);
    return r;
}

int disk_tar_data(struct disk_tar *t, const void *data, size_t size)
{
    if (size > t->left)
        return -EINVAL;
    int r = disk_tar_put(t, data, size);
    t->left -= size;
    return r < 0 || t->left ? r : disk_tar_pad(t, t->pad);
}

int disk_tar_zeros(struct disk_tar *t, uint64_t size)
{
    static const char zeros[64 * 1024];
    int r = 0;
    while (r == 0 && size) {
        size_t n = (size_t)MIN(size, sizeof(zeros));
        r = disk_tar_data(t, zeros, n);
        size -= n;
    }
    return r;
}

int disk_tar_end(struct disk_tar *t)
{
    static const char zeros[2 * TAR_BLOCK];
    if (t->left)
        return -EINVAL;
    int r = disk_tar_put(t, zeros, sizeof(zeros));
    return r < 0 ? r : disk_tar_flush(t);
}
