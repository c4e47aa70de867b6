#include "images/disk_owners.h"

#include "base/fd.h"
#include "images/layer_parts.h"
#include "images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNERS_MEMORY = 256 << 20, OWNERS_BYTES = 256 << 20, OWNERS_PATH = 4096 };

/* In the file between the processes; the path follows. */
struct owners_record {
    struct disk_owner owner;
    uint32_t length;
};

/* --- reading headers -----------------------------------------------------------------------------
 */

static const struct disk_owner owners_root;

static const struct disk_owner *owners_get(const struct disk_map *m, const char *path)
{
    const struct disk_owner *o = disk_map_get(m, path, strlen(path), NULL);
    return o ? o : &owners_root;
}

/* As layer_write() takes them: the last of a name counts, a hard link is what it points to. */
static int owners_member(const struct tar_member *m, uint32_t depth, struct disk_map *to,
                         struct error *e)
{
    autobuf path = {0}, target = {0};
    if (m->type == TAR_CHAR || m->type == TAR_BLOCK_DEVICE)
        return 0;
    int r = layer_plain_path(m->path, depth, &path);
    if (r == 0 && m->type == TAR_HARD_LINK)
        r = layer_plain_path(m->link, depth, &target);
    if (r < 0)
        return error_errno(e, -r, "a member's path");
    if (m->uid >= UINT32_MAX || m->gid >= UINT32_MAX)
        return error_set(e, ERANGE, "an owner beyond 32 bits");
    struct disk_owner owner = {(uint32_t)m->uid, (uint32_t)m->gid};
    if (m->type == TAR_HARD_LINK)
        owner = *owners_get(to, target.data);
    const struct disk_owner *old = owners_get(to, path.data);
    if (old->uid != owner.uid || old->gid != owner.gid)
        disk_map_put(to, path.data, path.used, &owner, sizeof(owner));
    return 0;
}

int disk_owners_scan(struct tar *t, const struct image_limits *limits, struct disk_map *ret,
                     struct error *e)
{
    struct disk_map map = {0};
    const struct tar_member *m;
    uint64_t entries = 0;
    int r;
    while ((r = tar_next(t, &m, e)) == 1) {
        if (++entries > limits->entries) {
            r = error_set(e, EFBIG, "more than %llu members", (unsigned long long)limits->entries);
            break;
        }
        r = owners_member(m, limits->depth, &map, e);
        if (r < 0)
            break;
    }
    if (r == 0)
        r = tar_drain(t, e);
    if (r == 0)
        *ret = map;
    else
        disk_map_done(&map);
    return r;
}

/* --- the two processes ---------------------------------------------------------------------------
 */

struct owners_job {
    int in, out;
    const struct image_limits *limits;
};

static ssize_t owners_fill(void *data, void *to, size_t room)
{
    ssize_t n;
    do
        n = read(*(int *)data, to, room);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int owners_send(const struct disk_map *map, int out)
{
    autobuf b = {0};
    const void *key, *value;
    size_t size;
    int r = 0;
    for (size_t at = 0; r == 0 && disk_map_next(map, &at, &key, &size, &value);) {
        struct owners_record record = {*(const struct disk_owner *)value, (uint32_t)size};
        buf_add(&b, &record, sizeof(record));
        buf_add(&b, key, size);
        if (b.used > 64 * 1024) {
            r = fd_write_full(out, b.data, b.used);
            b.used = 0;
        }
    }
    return r < 0 || !b.used ? r : fd_write_full(out, b.data, b.used);
}

static int owners_run(void *data, struct box_report *report)
{
    const struct owners_job *job = data;
    struct disk_map map = {0};
    int in = job->in;
    struct tar *t = tar_new(owners_fill, &in);
    int r = disk_owners_scan(t, job->limits, &map, &report->error);
    tar_free(t);
    if (r < 0)
        return r;
    r = owners_send(&map, job->out);
    disk_map_done(&map);
    return r < 0 ? error_errno(&report->error, -r, "writing down owners") : 0;
}

/* What the other process says, which may have been taken over. */
static int owners_receive(int fd, struct disk_map *ret, struct error *e)
{
    struct stat st;
    struct owners_record record;
    char path[OWNERS_PATH];
    struct disk_map map = {0};
    if (fstat(fd, &st) < 0 || st.st_size > OWNERS_BYTES)
        return error_set(e, EFBIG, "more owners than this can hold");
    autofree char *bytes = mem_alloc((size_t)st.st_size + 1);
    if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_full(fd, bytes, (size_t)st.st_size) < 0)
        return error_set(e, EIO, "reading owners");
    for (size_t at = 0, end = (size_t)st.st_size; at < end;) {
        bool whole = end - at >= sizeof(record);
        if (whole)
            memcpy(&record, bytes + at, sizeof(record));
        if (!whole || record.length > sizeof(path) || record.length > end - at - sizeof(record)) {
            disk_map_done(&map);
            return error_set(e, EPROTO, "the list of owners is broken");
        }
        memcpy(path, bytes + at + sizeof(record), record.length);
        disk_map_put(&map, path, record.length, &record.owner, sizeof(record.owner));
        at += sizeof(record) + record.length;
    }
    *ret = map;
    return 0;
}

int disk_owners_read(int blob, const char *diff_id, const struct image_limits *limits,
                     struct disk_map *ret, struct error *e)
{
    autoclose int out = memfd_create("owners", MFD_CLOEXEC);
    int pair[2];
    if (out < 0 || fd_pipe(pair, 0) < 0)
        return error_errno(e, errno, "reading owners");
    struct owners_job job = {pair[0], out, limits};
    const int keep[] = {pair[0], out};
    struct box_wish wish = {
        .root = FD_NONE,
        .keep = keep,
        .keep_count = ARRAY_SIZE(keep),
        .memory = OWNERS_MEMORY,
        .file_bytes = OWNERS_BYTES,
        .run = owners_run,
        .data = &job,
    };
    struct box box = {0};
    struct unpack_result result;
    int r = box_start(&wish, &box, e);
    fd_close(pair[0]);
    if (r < 0) {
        fd_close(pair[1]);
        return r;
    }
    struct unpack_job stream = {.blob = blob, .limits = *limits, .diff_id = diff_id};
    struct error why;
    int poured = unpack_stream(&stream, pair[1], &result, &why);
    fd_close(pair[1]);
    r = box_finish(&box, NULL, e);
    if (poured < 0 && (r == 0 || poured != -EPIPE)) {
        *e = why;
        r = poured;
    }
    return r < 0 ? r : owners_receive(out, ret, e);
}
