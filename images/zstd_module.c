/* zstd by its own library, straight into the ring: libarchive copies every byte once more. */
#include "images/zstd_module.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

enum { ZSTD_CHUNK = 256 * 1024 };

struct zstd {
    ZSTD_DStream *stream; /* owned */
    char *buffer;         /* owned */
    ZSTD_inBuffer in;
    ZSTD_outBuffer out; /* dst: NULL while there is none */
    int from;
    const struct images_sink *to;
};

static const char zstd_nobody[] = "nobody reads any more";

/* 1: there is more input, 0: the end, -1: it cannot be read. */
static int zstd_fill(struct zstd *z)
{
    ssize_t n;
    if (z->in.pos < z->in.size)
        return 1;
    do
        n = read(z->from, z->buffer, ZSTD_CHUNK);
    while (n < 0 && errno == EINTR);
    z->in = (ZSTD_inBuffer){z->buffer, n > 0 ? (size_t)n : 0, 0};
    return n < 0 ? -1 : n > 0;
}

static int zstd_put(struct zstd *z)
{
    size_t used = z->out.dst ? z->out.pos : 0;
    z->out.dst = NULL;
    return used ? z->to->put(z->to->data, used) : 0;
}

/* As much as there is room for. NULL, or what is wrong; `left`: 0 where a frame has ended. */
static const char *zstd_step(struct zstd *z, size_t *left, bool *ret_full)
{
    if (!z->out.dst) {
        z->out.pos = 0;
        z->out.dst = z->to->room(z->to->data, &z->out.size);
    }
    if (!z->out.dst)
        return zstd_nobody;
    *left = ZSTD_decompressStream(z->stream, &z->out, &z->in);
    if (ZSTD_isError(*left))
        return ZSTD_getErrorName(*left);
    *ret_full = z->out.pos == z->out.size;
    return *ret_full && zstd_put(z) < 0 ? zstd_nobody : NULL;
}

/* One frame after the other, with their check sums. NULL, or what is wrong. */
static const char *zstd_frames(struct zstd *z)
{
    size_t left = 1;
    const char *wrong = NULL;
    for (bool full = false; !wrong;) {
        int more = zstd_fill(z);
        if (more < 0)
            return "it cannot be read";
        /* behind what just fitted there may be more of it */
        if (more == 0 && !(full && left))
            break;
        wrong = zstd_step(z, &left, &full);
    }
    if (!wrong && left)
        return "it is cut off";
    return !wrong && zstd_put(z) < 0 ? zstd_nobody : wrong;
}

int zstd_inflate(int in, const struct images_sink *out, char *why, unsigned room)
{
    struct zstd z = {.from = in, .to = out};
    z.stream = ZSTD_createDStream();
    z.buffer = malloc(ZSTD_CHUNK);
    const char *wrong = z.stream && z.buffer ? zstd_frames(&z) : "out of memory";
    if (wrong)
        snprintf(why, room, "%s", wrong);
    ZSTD_freeDStream(z.stream);
    free(z.buffer);
    return wrong ? -1 : 0;
}
