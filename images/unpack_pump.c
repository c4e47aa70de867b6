/* Between who decompresses and who writes: the one process that nobody can have taken over. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/unpack_parts.h"

#include <string.h>
#include <unistd.h>

enum { PUMP_CHUNK = 256 * 1024 };

static int pump_room(struct pump *p, char **ret)
{
    if (p->into.slots)
        return ring_room(&p->into, ret);
    if (!p->chunk)
        p->chunk = mem_alloc(RING_SLOT);
    *ret = p->chunk;
    return 0;
}

/*
 * The next bytes: how many, 0 at the end. In `to`; of what is decompressed they are where `*ret`
 * says, and whoever was taken over may still change them.
 */
static ssize_t pump_fetch(struct pump *p, char *to, const char **ret)
{
    ssize_t n;
    if (p->from.slots)
        return ring_take(&p->from, ret);
    *ret = to;
    do
        n = read(p->job->blob, to, RING_SLOT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int pump_check_cost(const struct pump *p, struct error *e)
{
    const struct image_limits *l = &p->job->limits;
    if (cancelled)
        return error_set(e, ECANCELED, "given up");
    if (p->stream > l->bytes)
        return error_set(e, EFBIG, "it is larger than the limit of %llu bytes when decompressed",
                         (unsigned long long)l->bytes);
    if (p->from.slots && p->stream > UNPACK_FREE && p->stream / l->ratio > p->blob_size)
        return error_set(e, EFBIG,
                         "it is more than %u times as large when decompressed (a bomb?); "
                         "--limit-ratio allows it",
                         l->ratio);
    return 0;
}

static bool pump_hashes_blob(const struct pump *p)
{
    return p->job->digest && p->from.slots;
}

/* Bytes of the blob that are hashed, where only we can change them. */
static int pump_copy(const struct pump *p, const char *bytes, size_t size)
{
    return p->job->copy ? fd_write_full(*p->job->copy, bytes, size) : 0;
}

/* The next bytes of the blob, as far as `end`, collected: how many, 0 at its end. */
static ssize_t pump_fetch_blob(struct pump *p, uint64_t end)
{
    if (!p->blob_chunk)
        p->blob_chunk = mem_alloc(PUMP_CHUNK);
    /* however much it grows */
    end = MIN(end, p->blob_size);
    size_t most = end < p->blob_done ? 0 : (size_t)MIN(end - p->blob_done, (uint64_t)PUMP_CHUNK);
    ssize_t n;
    do
        n = pread(p->job->blob, p->blob_chunk, most, (off_t)p->blob_done);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    p->blob_done += (uint64_t)n;
    int r = pump_copy(p, p->blob_chunk, (size_t)n);
    return r < 0 ? r : n;
}

/*
 * A piece of the stream, copied to where only we can change it unless it is there, and beside it
 * what is behind the other process of the blob.
 */
static int pump_hash(struct pump *p, char *chunk, const char *seen, size_t size, uint64_t end)
{
    ssize_t n = 0;
    if (chunk == seen) {
        sha256_add(&p->hash, chunk, size);
        return pump_copy(p, chunk, size);
    }
    /* whole blocks, for both at once; the end is for pump_verify() */
    if (pump_hashes_blob(p) && end - end % 64 > p->blob_done)
        n = pump_fetch_blob(p, end - end % 64);
    if (n < 0)
        return (int)n;
    if (n == 0)
        sha256_copy(&p->hash, chunk, seen, size);
    else
        sha256_copy_two(&p->hash, chunk, seen, size, &p->blob_hash, p->blob_chunk, (size_t)n);
    return ring_give_back(&p->from);
}

static int pump_hash_rest(struct pump *p)
{
    ssize_t n;
    while ((n = pump_fetch_blob(p, UINT64_MAX)) > 0)
        sha256_add(&p->blob_hash, p->blob_chunk, (size_t)n);
    return (int)n;
}

static int pump_piece(struct pump *p, struct error *e)
{
    char *chunk = NULL;
    int r = pump_room(p, &chunk);
    if (r < 0)
        return error_errno(e, -r, "writing");
    const char *seen = NULL;
    ssize_t n = pump_fetch(p, chunk, &seen);
    if (n <= 0)
        return n < 0 ? error_errno(e, (int)-n, "reading the blob") : 0;
    p->stream += (uint64_t)n;
    r = pump_check_cost(p, e);
    if (r < 0)
        return r;
    off_t at = p->from.slots ? lseek(p->job->blob, 0, SEEK_CUR) : (off_t)p->stream;
    r = at < 0 ? -errno : pump_hash(p, chunk, seen, (size_t)n, (uint64_t)at);
    if (r < 0)
        return error_errno(e, -r, "reading the blob");
    r = p->into.slots ? ring_put(&p->into, (size_t)n) : fd_write_full(p->to, chunk, (size_t)n);
    if (r < 0)
        return error_errno(e, -r, "writing");
    if (p->job->progress)
        p->job->progress(p->job->progress_data, (uint64_t)at);
    return 1;
}

int pump_run(struct pump *p, struct unpack_result *ret, struct error *e)
{
    int r;
    sha256_init(&p->hash);
    sha256_init(&p->blob_hash);
    while ((r = pump_piece(p, e)) == 1)
        ;
    if (r < 0)
        return r;
    unsigned char digest[32];
    sha256_end(&p->hash, digest);
    sha256_hex(digest, ret->diff_id);
    ret->stream = p->stream;
    return 0;
}

int pump_verify(struct pump *p, const struct unpack_result *result, struct error *e)
{
    const char *digest = p->job->digest, *diff_id = p->job->diff_id;
    char hex[65];
    memcpy(hex, result->diff_id, sizeof(hex));
    if (pump_hashes_blob(p)) {
        unsigned char sum[32];
        int r = pump_hash_rest(p);
        if (r < 0)
            return error_errno(e, -r, "reading the blob");
        sha256_end(&p->blob_hash, sum);
        sha256_hex(sum, hex);
    }
    if (digest && !str_equal(digest, hex))
        return error_set(e, EBADMSG, "the blob sha256:%.16s… has the digest sha256:%.16s…", digest,
                         hex);
    if (diff_id && !str_equal(diff_id, result->diff_id))
        return error_set(e, EBADMSG, "its diff-id is sha256:%.16s… and not sha256:%.16s…",
                         result->diff_id, diff_id);
    return 0;
}

void pump_done(struct pump *p)
{
    ring_end_done(&p->from);
    ring_end_done(&p->into);
    free(p->chunk);
    free(p->blob_chunk);
    p->chunk = p->blob_chunk = NULL;
}
