#include "console/log.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void console_log_init(struct console_log *l, int dir)
{
    *l = (struct console_log){.most = LOG_MEMORY, .dir = dir, .file = FD_NONE};
}

void console_log_done(struct console_log *l)
{
    buf_done(&l->chunks);
    l->file = fd_close(l->file);
}

/* A log that cannot be written costs the log, never the workload. */
static void to_file(struct console_log *l, struct log_chunk *head, const char *data)
{
    if (l->dir < 0)
        return;
    if (l->file >= 0 && l->file_size + sizeof(*head) + head->size > LOG_FILE) {
        l->file = fd_close(l->file);
        renameat(l->dir, "log", l->dir, "log.old");
    }
    if (l->file < 0) {
        l->file =
            openat(l->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct stat st;
        l->file_size = l->file >= 0 && fstat(l->file, &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    struct iovec parts[2] = {
        {head,         sizeof(*head)},
        {(void *)data, head->size   }
    };
    ssize_t n = l->file < 0 ? -1 : writev(l->file, parts, 2);
    if (n != (ssize_t)(sizeof(*head) + head->size)) {
        l->file = fd_close(l->file);
        l->dir = FD_NONE; /* a torn chunk is where every reader stops */
    } else {
        l->file_size += (uint64_t)n;
    }
}

/* Room is made a quarter at a time, so that it costs little for each chunk. */
static void forget_oldest(struct console_log *l)
{
    size_t drop = 0;
    while (l->chunks.used - drop > l->most - l->most / 4) {
        struct log_chunk head;
        memcpy(&head, l->chunks.data + drop, sizeof(head));
        drop += sizeof(head) + head.size;
    }
    buf_drop(&l->chunks, drop);
    l->base += drop;
}

void console_log_add(struct console_log *l, int64_t at_ms, uint32_t stream, const char *data,
                     size_t size)
{
    struct log_chunk head = {at_ms, (uint32_t)size, stream};
    if (l->chunks.used + sizeof(head) + size > l->most)
        forget_oldest(l);
    buf_add(&l->chunks, &head, sizeof(head));
    buf_add(&l->chunks, data, size);
    to_file(l, &head, data);
}

void console_log_save(const struct console_log *l, int fd)
{
    if (fd < 0 || ftruncate(fd, 0) < 0)
        return;
    size_t at = 0;
    while (at < l->chunks.used) {
        ssize_t n = pwrite(fd, l->chunks.data + at, l->chunks.used - at, (off_t)at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
}

void console_log_load(struct console_log *l, int fd)
{
    if (fd < 0)
        return;
    autofree char *text = mem_alloc(LOG_MEMORY);
    size_t used = 0, whole = 0;
    ssize_t n;
    struct log_chunk head;
    while ((n = pread(fd, text + used, LOG_MEMORY - used, (off_t)used)) > 0)
        used += (size_t)n;
    while (console_log_parse(text, used, &whole, &head))
        ;
    buf_add(&l->chunks, text, whole);
}

const char *console_log_parse(const char *data, size_t size, size_t *at, struct log_chunk *ret)
{
    struct log_chunk head;
    if (*at > size || size - *at < sizeof(head))
        return NULL;
    memcpy(&head, data + *at, sizeof(head));
    if (head.size > LOG_CHUNK_MAX || head.size > size - *at - sizeof(head))
        return NULL;
    const char *bytes = data + *at + sizeof(head);
    *at += sizeof(head) + head.size;
    *ret = head;
    return bytes;
}

const char *console_log_next(const struct console_log *l, uint64_t *at, struct log_chunk *ret)
{
    if (*at < l->base)
        *at = l->base;
    size_t inside = (size_t)(*at - l->base);
    if (inside >= l->chunks.used)
        return NULL;
    const char *bytes = console_log_parse(l->chunks.data, l->chunks.used, &inside, ret);
    *at = l->base + inside;
    return bytes;
}
