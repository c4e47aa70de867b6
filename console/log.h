/* What a workload without a terminal has written: the last of it in memory, more of it in a file.
 */
#ifndef COFFERDAM_CONSOLE_LOG_H
#define COFFERDAM_CONSOLE_LOG_H

#include "base/str.h"

/* A chunk is this head and `size` bytes, in memory and in the file alike. */
struct log_chunk {
    int64_t at_ms; /* CLOCK_REALTIME */
    uint32_t size;
    uint32_t stream; /* 1 out, 2 err */
};
_Static_assert(sizeof(struct log_chunk) == 16, "the file's layout");

enum {
    LOG_MEMORY = 1024 * 1024,   /* bytes kept in memory */
    LOG_KERNEL = 256 * 1024,    /* the same of what a guest's kernel prints */
    LOG_FILE = 8 * 1024 * 1024, /* a file that is full becomes `log.old` */
    LOG_CHUNK_MAX = 256 * 1024,
    LOG_RECORD = 64 * 1024 * 1024, /* raw bytes of a recorded console */
};

struct console_log {
    struct buf chunks; /* whole chunks, oldest first */
    size_t most;       /* bytes of them; LOG_MEMORY, unless it is set before the first */
    uint64_t base;     /* absolute position of chunks.data[0] */
    int dir;           /* borrowed; the kept folder, or FD_NONE */
    int file;          /* owned; FD_NONE: none */
    uint64_t file_size;
};

void console_log_init(struct console_log *l, int dir);
void console_log_done(struct console_log *l);
void console_log_add(struct console_log *l, int64_t at_ms, uint32_t stream, const char *data,
                     size_t size);

/*
 * Hands what is in memory on to another process and takes it up there, without a word to the file.
 * `fd`: a file of both's, or FD_NONE. What cannot be written or read is left out.
 */
void console_log_save(const struct console_log *l, int fd);
void console_log_load(struct console_log *l, int fd);

/*
 * The chunk at absolute position `*at` (moved forward to the oldest if that is gone). Returns its
 * bytes, borrowed until the next add, and moves `*at` behind it; NULL at the end.
 */
const char *console_log_next(const struct console_log *l, uint64_t *at, struct log_chunk *ret);

/*
 * Takes a file's text apart: as console_log_next() on its bytes. NULL at the end or where the file
 * was cut off by a crash.
 */
const char *console_log_parse(const char *data, size_t size, size_t *at, struct log_chunk *ret);

#endif
