/* What the files of the tar reader share. */
#ifndef COFFERDAM_IMAGES_TAR_PARTS_H
#define COFFERDAM_IMAGES_TAR_PARTS_H

#include "images/tar.h"

/* A header as POSIX.1-1988 and GNU have it. */
struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[100], magic[8], user[32], group[32], major[8], minor[8];
    union {
        char prefix[155];
        struct {
            char atime[12], ctime[12], offset[12], longnames[4], unused;
            struct {
                char at[12], size[12];
            } sparse[4];
            char extended, realsize[12];
        } gnu;
    };
    char rest[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "the header's layout");

struct tar_piece {
    uint64_t at, size;
};

/* What headers before the member's own have said of it. */
struct tar_said {
    char *path, *link; /* owned */
    bool has_size, has_uid, has_gid, has_mtime, has_realsize, has_blocks;
    uint64_t size, uid, gid, realsize, blocks;
    int64_t mtime_s;
    uint32_t mtime_ns;
    unsigned sparse; /* 1: a map in the headers, 2: in front of the content */
    unsigned major, minor;
    struct tar_piece half; /* GNU.sparse.offset waits for its numbytes */
    bool has_half, has_map, has_major, has_minor;
    bool named;                        /* the path is a sparse file's real one */
    bool extended, has_path, has_link; /* an extended header has been there, and what it said */
};

struct tar {
    tar_more_fn *more;
    void *data;
    tar_read_fn *read; /* of tar_new(): puts the pieces into `buffer` */
    void *read_data;
    char *buffer;      /* owned */
    const char *piece; /* borrowed; its bytes `from` to `to` are still to come */
    size_t from, to;
    char joined[TAR_BLOCK]; /* what two pieces have in common */
    uint64_t at;            /* bytes of the stream behind us */
    uint64_t left;          /* of the member's stored content */
    unsigned pad;           /* behind it */
    bool ended;
    struct tar_member member;
    struct tar_piece *map; /* owned */
    size_t map_count, map_room, map_now;
    uint64_t map_done; /* bytes of the present piece that are out */
};

int tar_bad(const struct tar *t, struct error *e, const char *what);

/* tar_input.c: the next piece, when the one before is used up: 1, 0 at the end, or -errno. */
int tar_fill(struct tar *t, struct error *e);
/* Exactly `size` bytes, at most TAR_BLOCK; borrowed until the next call of anything here. */
int tar_take(struct tar *t, size_t size, const char **ret, struct error *e);
int tar_skip(struct tar *t, uint64_t size, struct error *e);
void tar_member_done(struct tar_member *m);

/* Octal, or base 256 as GNU writes large ones. */
int tar_number(const char *field, size_t size, uint64_t *ret);
int tar_decimal(const char *s, const char *end, uint64_t *ret);
int tar_add_piece(struct tar *t, uint64_t at, uint64_t size);

/* One extended header's records; `global`: of a 'g' one. */
int tar_pax(struct tar *t, struct tar_said *said, const char *text, size_t size, bool global,
            struct error *e);
/* The maps of sparse files: of old GNU headers, and of pax 1.0, which stands in the content. */
int tar_sparse_old(struct tar *t, const struct tar_header *h, uint64_t *ret_size, struct error *e);
int tar_sparse_inner(struct tar *t, struct error *e);
/* Whether what headers say of one is all there, and of a file. */
int tar_sparse_said(const struct tar *t, const struct tar_said *said, char type, struct error *e);
/* Rising, not overlapping, as much as is stored, within the file's size. */
int tar_sparse_check(struct tar *t, uint64_t stored, struct error *e);

#endif
