/* Records of files (base/records.h) as members of a tar. */
#ifndef COFFERDAM_APP_CLI_RECORDS_TAR_H
#define COFFERDAM_APP_CLI_RECORDS_TAR_H

#include "images/disk_tar.h"

/* How one stream ended. */
struct records_tar_end {
    bool some;  /* a record had come */
    int error;  /* what the sender says of the first that it could not send: errno, or 0 */
    char *what; /* owned; that one, as a member would be called; NULL: no error */
};

struct records_tar {
    struct disk_tar tar;
    uint64_t room;     /* bytes that it may have in all, headers too */
    uint64_t unwritten; /* bytes that have come and are in no member; of the room too */
    uint64_t done;     /* bytes of content that have come */
    uint64_t total;    /* as far as anybody knows, for who looks on */
    uint64_t files;    /* members written */
    uint64_t left_out; /* with names that mean a whiteout, and what is in them */
};

/* Whether one more member with so much content has room. */
bool records_tar_fits(const struct records_tar *t, uint64_t size);
/* A name in `path` begins with ".wh.": who reads the tar would delete something else for it. */
bool records_tar_is_whiteout(const char *path);

/*
 * Reads one stream from `in` (taken) to its end; its first record becomes the member `base`, a
 * plain path, the others stand below it. Whatever the sender says may be a lie: -EBADMSG for
 * records that are cut off, malformed or out of their place, or if `folder` says that the first is
 * one and it is not, -EFBIG beyond `room` (no member is half-written), -ECANCELED, or what writing
 * says. What the sender itself says went wrong is in `*ret`, written always, for
 * records_tar_end_done(): the rest has come.
 */
int records_tar_read(struct records_tar *t, int in, const char *base, bool folder,
                     struct records_tar_end *ret);
void records_tar_end_done(struct records_tar_end *r);

#endif
