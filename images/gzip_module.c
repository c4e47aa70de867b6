/* gzip by zlib: libarchive's reader does not look at the check sums. */
#include "images/gzip_module.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP_CHUNK = 256 * 1024, GZIP_WRAPPED = 16 + MAX_WBITS };

struct gzip {
    z_stream z;
    unsigned char *in; /* owned */
    int from;
    const struct images_sink *to;
    size_t room; /* of what next_out was at first */
};

static int gzip_room(struct gzip *g)
{
    char *to = g->z.avail_out ? (char *)g->z.next_out : g->to->room(g->to->data, &g->room);
    if (!to)
        return -1;
    if (!g->z.avail_out)
        g->z.avail_out = (unsigned)g->room;
    g->z.next_out = (unsigned char *)to;
    return 0;
}

static int gzip_put(struct gzip *g)
{
    size_t used = g->room - g->z.avail_out;
    g->z.avail_out = 0;
    g->room = 0;
    return used ? g->to->put(g->to->data, used) : 0;
}

/* 1: there is more input, 0: the end, -1: it cannot be read. */
static int gzip_fill(struct gzip *g)
{
    ssize_t n;
    if (g->z.avail_in)
        return 1;
    do
        n = read(g->from, g->in, GZIP_CHUNK);
    while (n < 0 && errno == EINTR);
    g->z.next_in = g->in;
    g->z.avail_in = n > 0 ? (unsigned)n : 0;
    return n < 0 ? -1 : n > 0;
}

/* One member after the other: estargz and pigz make many. NULL, or what is wrong. */
static const char *gzip_members(struct gzip *g)
{
    bool inside = false;
    for (bool any = false;; any = true) {
        int more = gzip_fill(g);
        if (more < 0)
            return "it cannot be read";
        if (more == 0 && (inside || !any))
            return "it is cut off";
        if (more == 0 || gzip_room(g) < 0)
            return more == 0 && gzip_put(g) == 0 ? NULL : "nobody reads any more";
        if (!inside && any && inflateReset(&g->z) != Z_OK)
            return "out of memory";
        int r = inflate(&g->z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END)
            return g->z.msg ? g->z.msg : "it is broken";
        inside = r != Z_STREAM_END;
        if (!g->z.avail_out && gzip_put(g) < 0)
            return "nobody reads any more";
    }
}

int gzip_inflate(int in, const struct images_sink *out, char *why, unsigned room)
{
    struct gzip g = {.from = in, .to = out};
    g.in = malloc(GZIP_CHUNK);
    const char *wrong = "out of memory";
    if (g.in && inflateInit2(&g.z, GZIP_WRAPPED) == Z_OK) {
        wrong = gzip_members(&g);
        if (wrong)
            snprintf(why, room, "%s", wrong);
        inflateEnd(&g.z);
    } else {
        snprintf(why, room, "%s", wrong);
    }
    free(g.in);
    return wrong ? -1 : 0;
}
