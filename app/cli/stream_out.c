#include "app/cli/stream_out.h"

#include "base/fd.h"
#include "base/str.h"
#include "console/filter.h"

#include <poll.h>
#include <unistd.h>

struct stream_filter {
    struct filter filter;
    struct buf out;
};

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

void stream_out_init(struct stream_out *o, int fd)
{
    *o = (struct stream_out){.fd = fd};
    if (!isatty(fd))
        return;
    struct render_terminal terminal;
    render_terminal_detect(&terminal);
    o->filter = NEW(struct stream_filter);
    filter_init(&o->filter->filter, &terminal);
}

void stream_out_done(struct stream_out *o)
{
    if (!o->filter)
        return;
    filter_end(&o->filter->filter, &o->filter->out);
    if (!o->closed && o->filter->out.used)
        stream_out_all(o->fd, o->filter->out.data, o->filter->out.used);
    buf_done(&o->filter->out);
    free(o->filter);
    o->filter = NULL;
}

int stream_out_write(struct stream_out *o, const char *bytes, size_t size)
{
    if (o->closed)
        return 0;
    int r;
    if (o->filter) {
        filter_feed(&o->filter->filter, bytes, size, &o->filter->out);
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
