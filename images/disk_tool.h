/*
 * A program of others that makes or reads disks: it gets no network, no socket, no file but the
 * system's programs and libraries to read and what it is told to, and bounded memory and output.
 */
#ifndef COFFERDAM_IMAGES_DISK_TOOL_H
#define COFFERDAM_IMAGES_DISK_TOOL_H

#include "base/fd.h"

#include <stdbool.h>

enum { DISK_TOOL_FILES = 80 };
struct disk_tool {
    const char *const *argv; /* argv[0] is looked up in PATH */
    const char *package;     /* where argv[0] comes from, for the error if it is missing */
    int in, out;             /* become 0 and 1; FD_NONE: /dev/null; borrowed */
    const int *files;        /* become 3, 4 … and may be opened again by name; borrowed */
    size_t files_count;      /* at most DISK_TOOL_FILES */
    size_t writable;         /* the last so many of them may be written */
    uint64_t file_bytes;     /* of one file at most */
    uint64_t memory;         /* bytes of data */
};

struct disk_tool_running {
    pid_t pid;         /* 0: none */
    int pidfd, errors; /* owned */
    const char *name;  /* borrowed */
};

/* -ENOENT: not installed, with the package's name. For single-threaded programs. */
int disk_tool_start(const struct disk_tool *t, struct disk_tool_running *ret, struct error *e);
/* 0, or -EIO with what it last said; -ETIMEDOUT (then it is killed) after so many milliseconds. */
int disk_tool_finish(struct disk_tool_running *r, unsigned timeout_ms, struct error *e);
void disk_tool_kill(struct disk_tool_running *r); /* idempotent */

/* Both, and keeps at most `most` bytes of what it prints, owned by the caller. */
int disk_tool_read(const struct disk_tool *t, unsigned timeout_ms, size_t most, char **ret,
                   size_t *ret_size, struct error *e);

/* In the child: gives up everything. `path`: the program's. 0 or -errno. */
int disk_tool_confine(const struct disk_tool *t, const char *path, const char **ret_step);

#endif
