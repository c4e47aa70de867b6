#include "app/cli/stream_out.h"

#include "base/fd.h"
#include "base/str.h"
#include "console/tokens.h"

#include <poll.h>
#include <unistd.h>

/* Text, newline, tab and colours get through; whatever else a terminal would obey does not. */
struct stream_filter {
    struct tokens tokens;
    struct buf out;
    bool coloured; /* since the last reset */
};

void stream_out_init(struct stream_out *o, int fd)
{
    *o = (struct stream_out){.fd = fd};
    if (isatty(fd))
        o->filter = NEW(struct stream_filter);
}

void stream_out_done(struct stream_out *o)
{
    if (!o->filter)
        return;
    if (o->filter->coloured && !o->closed)
        fd_write_full(o->fd, "\033[0m", 4);
    buf_done(&o->filter->out);
    free(o->filter);
    o->filter = NULL;
}

static void filter_colour(struct stream_filter *f)
{
    const struct tokens *t = &f->tokens;
    if (t->final != 'm' || t->leader || t->intermediate || t->overflow)
        return;
    buf_puts(&f->out, "\033[");
    for (unsigned i = 0; i < t->count; i++) {
        if (t->params[i] != TOKENS_MISSING)
            buf_printf(&f->out, "%u", t->params[i]);
        if (i + 1 < t->count)
            buf_putc(&f->out, t->joined & (1u << i) ? ':' : ';');
    }
    buf_putc(&f->out, 'm');
    f->coloured = true;
}

static void filter_char(struct stream_filter *f, uint32_t c)
{
    char utf8[4];
    size_t length = str_utf8_encode(c, utf8);
    autofree char *shown = str_escape(utf8, length); /* bidirectional and invisible ones too */
    buf_puts(&f->out, shown);
}

static void filter_add(struct stream_filter *f, const char *bytes, size_t size)
{
    while (size) {
        /* most of it is plain ASCII, which needs no looking at */
        size_t plain = 0;
        if (f->tokens.state == TOKENS_GROUND)
            while (plain < size && ((bytes[plain] >= ' ' && bytes[plain] < 0x7f) ||
                                    bytes[plain] == '\n' || bytes[plain] == '\t'))
                plain++;
        buf_add(&f->out, bytes, plain);
        bytes += plain;
        size -= plain;
        if (!size)
            break;
        enum token_kind kind = TOKEN_NONE;
        size_t used = tokens_next(&f->tokens, bytes, size, &kind);
        bytes += used;
        size -= used;
        if (kind == TOKEN_CHAR)
            filter_char(f, f->tokens.c);
        else if (kind == TOKEN_CONTROL && (f->tokens.c == '\n' || f->tokens.c == '\t'))
            buf_putc(&f->out, (char)f->tokens.c);
        else if (kind == TOKEN_CSI)
            filter_colour(f);
    }
}

/* Our standard output may be a stranger's non-blocking pipe. */
static int stream_out_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(fd, bytes, size);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int stream_out_write(struct stream_out *o, const char *bytes, size_t size)
{
    if (o->closed)
        return 0;
    int r;
    if (o->filter) {
        filter_add(o->filter, bytes, size);
        r = stream_out_all(o->fd, o->filter->out.data ? o->filter->out.data : "",
                           o->filter->out.used);
        buf_drop(&o->filter->out, o->filter->out.used);
    } else {
        r = stream_out_all(o->fd, bytes, size);
    }
    if (r < 0)
        o->closed = true;
    return r;
}
