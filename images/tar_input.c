/* The stream below the headers: pieces as they come, and blocks that two of them share. */
#include "images/tar_parts.h"

#include <string.h>

enum { TAR_BUFFER = 256 * 1024 };

int tar_bad(const struct tar *t, struct error *e, const char *what)
{
    return error_set(e, EBADMSG, "the tar stream is broken near byte %llu: %s",
                     (unsigned long long)t->at, what);
}

static ssize_t tar_read_piece(void *data, const char **ret)
{
    struct tar *t = data;
    *ret = t->buffer;
    return t->read(t->read_data, t->buffer, TAR_BUFFER);
}

struct tar *tar_new_of_pieces(tar_more_fn *more, void *data)
{
    struct tar *t = NEW(struct tar);
    t->more = more;
    t->data = data;
    return t;
}

struct tar *tar_new(tar_read_fn *read, void *data)
{
    struct tar *t = tar_new_of_pieces(tar_read_piece, NULL);
    t->data = t;
    t->read = read;
    t->read_data = data;
    t->buffer = mem_alloc(TAR_BUFFER);
    return t;
}

void tar_free(struct tar *t)
{
    if (!t)
        return;
    tar_member_done(&t->member);
    free(t->map);
    free(t->buffer);
    free(t);
}

int tar_fill(struct tar *t, struct error *e)
{
    t->from = t->to = 0;
    ssize_t n = t->more(t->data, &t->piece);
    if (n < 0)
        return error_errno(e, (int)-n, "reading");
    t->to = (size_t)n;
    return n > 0;
}

static int tar_join(struct tar *t, size_t size, struct error *e)
{
    for (size_t used = 0; used < size;) {
        if (t->from == t->to) {
            int r = tar_fill(t, e);
            if (r <= 0)
                return r < 0 ? r : tar_bad(t, e, "it ends too early");
        }
        size_t n = MIN(size - used, t->to - t->from);
        memcpy(t->joined + used, t->piece + t->from, n);
        t->from += n;
        used += n;
    }
    return 0;
}

int tar_take(struct tar *t, size_t size, const char **ret, struct error *e)
{
    if (t->to - t->from < size) {
        int r = tar_join(t, size, e);
        if (r < 0)
            return r;
        *ret = t->joined;
    } else {
        *ret = t->piece + t->from;
        t->from += size;
    }
    t->at += size;
    return 0;
}

int tar_skip(struct tar *t, uint64_t size, struct error *e)
{
    while (size) {
        if (t->from == t->to) {
            int r = tar_fill(t, e);
            if (r <= 0)
                return r < 0 ? r : tar_bad(t, e, "it ends too early");
        }
        size_t n = (size_t)MIN(size, (uint64_t)(t->to - t->from));
        t->from += n;
        t->at += n;
        size -= n;
    }
    return 0;
}

int tar_drain(struct tar *t, struct error *e)
{
    for (;;) {
        t->at += t->to - t->from;
        int r = tar_fill(t, e);
        if (r <= 0)
            return r;
    }
}
