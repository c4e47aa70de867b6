/*
 * A reader of tar streams: POSIX ustar and pax, GNU long names and sparse files, the old V7 form.
 *
 * Our own, because libarchive's hands out names in the locale's characters and composes Unicode:
 * two names of an archive would become one file. Here a name is bytes. Everything in a stream is a
 * stranger's; whatever is not understood is an error and not skipped.
 */
#ifndef COFFERDAM_IMAGES_TAR_H
#define COFFERDAM_IMAGES_TAR_H

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

enum {
    TAR_BLOCK = 512,
    TAR_HEADER_MAX = 1 << 20, /* bytes of one pax header or long name */
    TAR_SPARSE_MAX = 1 << 18, /* pieces of one sparse file */
    TAR_XATTRS_MAX = 256,     /* of one member */
};

enum tar_type {
    TAR_FILE,
    TAR_HARD_LINK,
    TAR_SYMLINK,
    TAR_CHAR,
    TAR_BLOCK_DEVICE,
    TAR_DIR,
    TAR_FIFO,
};

struct tar_xattr {
    char *name;  /* owned */
    char *value; /* owned; not NUL-terminated */
    size_t size;
};

struct tar_member {
    enum tar_type type;
    char *path;    /* owned; as written */
    char *link;    /* owned; of links, else NULL */
    uint32_t mode; /* 07777 */
    uint64_t uid, gid;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint64_t size;            /* bytes the file has when it is written, holes and all */
    struct tar_xattr *xattrs; /* owned */
    size_t xattrs_count;
};

/* Up to `room` bytes into `to`: how many, 0 at the end, or -errno. */
typedef ssize_t tar_read_fn(void *data, void *to, size_t room);

/* The next bytes, borrowed until the next call, in `*ret`: how many, 0 at the end, or -errno. */
typedef ssize_t tar_more_fn(void *data, const char **ret);

struct tar;
struct tar *tar_new(tar_read_fn *read, void *data);
struct tar *tar_new_of_pieces(tar_more_fn *more, void *data);
void tar_free(struct tar *t); /* NULL is fine */

/*
 * The next member, borrowed until the next call: 1, or 0 at the end of the archive; what is left of
 * the one before is passed over. -EBADMSG (or what the reader said) with what is wrong and where.
 */
int tar_next(struct tar *t, const struct tar_member **ret, struct error *e);

/*
 * The next piece of the member's content, borrowed until the next call: 1 with its place in the
 * file, 0 when there is no more. Places rise; between them are holes.
 */
int tar_data(struct tar *t, const void **ret, size_t *ret_size, uint64_t *ret_at, struct error *e);

/* Reads what follows the archive's end up to the stream's. 0 or -errno. */
int tar_drain(struct tar *t, struct error *e);

#endif
