/* Files and folders: read whole, written whole, never through a stranger's link. */
#ifndef COFFERDAM_BASE_FILE_H
#define COFFERDAM_BASE_FILE_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

/*
 * Reads a regular file of at most `most` bytes below `dir` (or AT_FDCWD) into a NUL-terminated
 * heap buffer. -EFBIG beyond `most`, -EINVAL if it is not a regular file (a FIFO never blocks).
 */
int file_read(int dir, const char *path, size_t most, char **ret, size_t *ret_size);

/* As file_read(), for files of proc, sysfs and cgroupfs, whose size is unknown. */
int file_read_virtual(int dir, const char *path, size_t most, char **ret, size_t *ret_size);

/* Writes a temporary neighbour, optionally fsync()s file and folder, and renames. 0 or -errno. */
int file_write_whole(int dir, const char *name, const void *data, size_t size, mode_t mode,
                     bool sync);

/* The same, mode 0600, for a file that need not outlive the machine's run and will go soon. */
int file_write_brief(int dir, const char *name, const void *data, size_t size);

/* One write(2) to an existing file (proc, cgroup). 0 or -errno. */
int file_put(int dir, const char *path, const char *text);

/* Makes `path` and its parents with `mode`; an existing one is fine. 0 or -errno. */
int file_make_dirs(const char *path, mode_t mode);

/*
 * Opens (making it if asked) a private folder: a real directory, owned by us, 0700 (mended if it
 * is ours and wider). Never follows a link in the last part. Returns an O_DIRECTORY descriptor.
 */
int file_open_private_dir(const char *path, bool make, struct error *e);

/*
 * Removes a tree below `dir` without following links or crossing mounts; makes unreadable folders
 * readable first. A missing tree is no error. 0 or the first -errno (the rest still goes).
 */
int file_remove_tree(int dir, const char *name);

#endif
