/* What the files of unpacking share. */
#ifndef COFFERDAM_IMAGES_UNPACK_PARTS_H
#define COFFERDAM_IMAGES_UNPACK_PARTS_H

#include "base/sha256.h"
#include "images/ring.h"
#include "images/unpack.h"

enum { UNPACK_FREE = 64 << 20 }; /* bytes that a bomb's ratio is not asked of */

/* The stream on its way through us: hashed, counted, passed on. */
struct pump {
    const struct unpack_job *job; /* borrowed */
    uint64_t blob_size;
    struct ring_end from; /* what is decompressed; none: the blob itself is the stream */
    struct ring_end into; /* none: */
    int to;               /* borrowed; a file */
    char *chunk;          /* owned; where it is collected for that */
    struct sha256 hash, blob_hash;
    uint64_t stream, blob_done; /* bytes that are hashed */
    char *blob_chunk;           /* owned */
};

/* Everything from one to the other. -EPIPE: nobody takes it any more. */
int pump_run(struct pump *p, struct unpack_result *ret, struct error *e);
/* Afterwards: whether blob and stream have the digests they must have. */
int pump_verify(struct pump *p, const struct unpack_result *result, struct error *e);
void pump_done(struct pump *p); /* idempotent */

#endif
