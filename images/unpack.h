/*
 * From a blob to a folder in one pass, by up to three processes: one that only decompresses, we,
 * who hash what comes out of it, and one that writes files below one folder. So the digest of a
 * layer is of the very bytes it was made from, whoever was taken over on the way. They hand on
 * bytes through memory (ring.h); who writes files cannot change what we have hashed.
 */
#ifndef COFFERDAM_IMAGES_UNPACK_H
#define COFFERDAM_IMAGES_UNPACK_H

#include "base/cancel.h"
#include "images/box.h"
#include "images/compression.h"

struct unpack_job {
    int blob; /* borrowed; a regular file, read from its start */
    const int
        *copy; /* borrowed; an empty file that gets the very bytes that are hashed for `digest`;
                  only with a diff-id too, since what is unpacked is read apart. NULL: none */
    struct image_owner owner;
    struct image_limits limits;
    bool whiteouts, archive; /* as struct layer_job's */
    const char *digest;      /* of the blob, 64 hexadecimal digits it must have; NULL: any */
    const char *diff_id;     /* of the stream, likewise */
    /* Called from time to time with the bytes of the blob that are behind us. May be NULL. */
    void (*progress)(void *data, uint64_t done);
    void *progress_data;
};

struct unpack_result {
    char diff_id[65];
    uint64_t stream; /* bytes, decompressed */
    struct layer_counts counts;
};

/* Reads the first bytes of a file: what it is compressed with, or -errno. */
int unpack_compression(int blob);

/*
 * What can be said of a blob before it is read: -EFBIG if it is larger than all that may come out
 * of it, or mostly holes, which would be read for hours and copied to a full disk.
 */
int unpack_check_blob(int blob, const struct image_limits *limits, struct error *e);

/*
 * Unpacks into `folder` (an O_RDONLY descriptor of an empty folder that is the caller's; it is
 * given to whoever the owner says). `spill` is an empty file. What is there after an error is the
 * caller's to remove with unpack_remove().
 */
int unpack_layer(const struct unpack_job *job, int folder, int spill, struct unpack_result *ret,
                 struct error *e);

/* Only decompresses, into `to`. */
int unpack_stream(const struct unpack_job *job, int to, struct unpack_result *ret, struct error *e);

/* Empties `folder`, whoever owns what is in it. */
int unpack_remove(const struct image_owner *owner, int folder, struct error *e);

#endif
