#include "images/unpack.h"

#include "base/fd.h"
#include "base/module.h"
#include "base/sha256.h"
#include "images/layer_parts.h"
#include "images/module.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNPACK_CHUNK = 256 * 1024, UNPACK_PIPE = 1 << 20, UNPACK_FREE = 64 << 20 };
/* zstd's and xz's largest windows fit, nothing much larger */
enum { UNPACK_INFLATE_MEMORY = 256 << 20, UNPACK_WRITE_MEMORY = 64 << 20 };

int unpack_compression(int blob)
{
    char start[COMPRESSION_MAGIC];
    ssize_t n = pread(blob, start, sizeof(start), 0);
    return n < 0 ? -errno : (int)compression_of(start, (size_t)n);
}

/* --- inside ------------------------------------------------------------------------------------
 */

struct unpack_inflate {
    const struct images_module *module;
    int in, out;
    enum compression how;
};

static int unpack_run_inflate(void *data, struct box_report *report)
{
    struct unpack_inflate *i = data;
    char why[200] = "";
    if (i->module->inflate(i->in, i->out, i->how, why, sizeof(why)) == 0)
        return 0;
    autofree char *shown = str_escape_z(why);
    return error_set(&report->error, EBADMSG, "%s: %s", compression_name(i->how), shown);
}

struct unpack_write {
    struct layer_job job;
    int in;
};

static ssize_t unpack_read(void *data, void *to, size_t room)
{
    ssize_t n;
    do
        n = read(*(int *)data, to, room);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int unpack_run_write(void *data, struct box_report *report)
{
    struct unpack_write *w = data;
    w->job.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->job.root < 0)
        return error_errno(&report->error, errno, "the layer's folder");
    struct tar *t = tar_new(unpack_read, &w->in);
    int r = layer_write(t, &w->job, &report->counts, &report->error);
    tar_free(t);
    return r;
}

static int unpack_run_remove(void *data, struct box_report *report)
{
    struct layer_job job = {.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct layer l = {.job = &job, .parent = FD_NONE};
    int r = job.root < 0 ? -errno : layer_empty_root(&l);
    return r < 0 ? error_errno(&report->error, -r, "removing a layer") : 0;
}

/* --- outside -----------------------------------------------------------------------------------
 */

struct unpack {
    const struct unpack_job *job;
    struct box inflate, write;
    int in, out; /* owned, or `in` is the blob */
    uint64_t blob_size;
    struct unpack_result result;
};

static void unpack_owner_of_root(const struct image_owner *o, uid_t *uid, gid_t *gid)
{
    bool shifted = o->how == IMAGE_OWNER_SHIFTED;
    *uid = shifted ? IMAGE_OWNER_FIRST : geteuid();
    *gid = shifted ? IMAGE_OWNER_FIRST : getegid();
}

static int unpack_pipe(int pair[2], struct error *e)
{
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "a pipe");
    fcntl(pair[1], F_SETPIPE_SZ, UNPACK_PIPE); /* fewer switches; never mind if not */
    return 0;
}

static int unpack_start_inflate(struct unpack *u, enum compression how, struct error *e)
{
    if (lseek(u->job->blob, 0, SEEK_SET) < 0)
        return error_errno(e, errno, "reading the blob");
    u->in = u->job->blob;
    if (how == COMPRESSION_NONE)
        return 0;
    const struct images_module *module = module_open("images", "images_module", e);
    int pair[2];
    int r = module ? unpack_pipe(pair, e) : -e->code;
    if (r < 0)
        return r;
    struct unpack_inflate data = {module, u->job->blob, pair[1], how};
    int keep[] = {u->job->blob, pair[1]};
    struct box_wish w = {
        .owner = {.how = u->job->owner.how == IMAGE_OWNER_SHIFTED ? IMAGE_OWNER_SHIFTED
                                                                  : IMAGE_OWNER_SELF},
        .root = FD_NONE,
        .keep = keep,
        .keep_count = ARRAY_SIZE(keep),
        .memory = UNPACK_INFLATE_MEMORY,
        .run = unpack_run_inflate,
        .data = &data,
    };
    r = box_start(&w, &u->inflate, e);
    fd_close(pair[1]);
    if (r < 0) {
        fd_close(pair[0]);
        return r;
    }
    u->in = pair[0];
    return 0;
}

static int unpack_start_write(struct unpack *u, int folder, int spill, struct error *e)
{
    int pair[2];
    uid_t uid;
    gid_t gid;
    unpack_owner_of_root(&u->job->owner, &uid, &gid);
    if (fchown(folder, uid, gid) < 0 || fchown(spill, uid, gid) < 0)
        return error_errno(e, errno, "the layer's folder");
    int r = unpack_pipe(pair, e);
    if (r < 0)
        return r;
    struct unpack_write data = {
        .job = {.spill = spill,
                .owners = u->job->owner.how != IMAGE_OWNER_SELF && !u->job->archive,
                .whiteouts = u->job->whiteouts,
                .archive = u->job->archive,
                .limits = u->job->limits},
        .in = pair[0],
    };
    int keep[] = {pair[0], spill};
    struct box_wish w = {
        .owner = u->job->owner,
        .root = folder,
        .keep = keep,
        .keep_count = ARRAY_SIZE(keep),
        .memory = UNPACK_WRITE_MEMORY,
        .file_bytes = MAX(u->job->limits.bytes, (uint64_t)UNPACK_FREE),
        .run = unpack_run_write,
        .data = &data,
    };
    r = box_start(&w, &u->write, e);
    fd_close(pair[0]);
    if (r < 0) {
        fd_close(pair[1]);
        return r;
    }
    u->out = pair[1];
    return 0;
}

static int unpack_check_cost(const struct unpack *u, struct error *e)
{
    const struct image_limits *l = &u->job->limits;
    uint64_t n = u->result.stream;
    if (n > l->bytes)
        return error_set(e, EFBIG, "it is larger than the limit of %llu bytes when decompressed",
                         (unsigned long long)l->bytes);
    if (u->inflate.pid > 0 && n > UNPACK_FREE && n / l->ratio > u->blob_size)
        return error_set(e, EFBIG,
                         "it is more than %u times as large when decompressed (a bomb?); "
                         "--limit-ratio allows it",
                         l->ratio);
    return 0;
}

/*
 * The next bytes, passed on and in `chunk`: how many, 0 at the end. Between two pipes they are
 * passed on by reference; whoever wrote them can change them no more.
 */
static ssize_t unpack_pass(struct unpack *u, char *chunk, struct error *e)
{
    bool piped = u->inflate.pid > 0 && u->write.pid > 0;
    ssize_t n;
    do
        n = piped ? tee(u->in, u->out, UNPACK_CHUNK, 0) : read(u->in, chunk, UNPACK_CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(e, errno, "reading the blob");
    int r = n == 0  ? 0
            : piped ? fd_read_full(u->in, chunk, (size_t)n)
                    : fd_write_full(u->out, chunk, (size_t)n);
    return r < 0 ? error_errno(e, -r, "writing") : n;
}

/* Everything from one to the other, hashed on its way. -EPIPE: the writer has given up. */
static int unpack_pump(struct unpack *u, struct error *e)
{
    autofree char *chunk = mem_alloc(UNPACK_CHUNK);
    struct sha256 hash;
    sha256_init(&hash);
    for (;;) {
        ssize_t n = unpack_pass(u, chunk, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        sha256_add(&hash, chunk, (size_t)n);
        u->result.stream += (uint64_t)n;
        int r = unpack_check_cost(u, e);
        if (r < 0)
            return r;
        if (u->job->progress)
            u->job->progress(u->job->progress_data, u->inflate.pid > 0
                                                        ? (uint64_t)lseek(u->job->blob, 0, SEEK_CUR)
                                                        : u->result.stream);
    }
    unsigned char digest[32];
    sha256_end(&hash, digest);
    sha256_hex(digest, u->result.diff_id);
    return 0;
}

static int unpack_verify(const struct unpack *u, struct error *e)
{
    const char *want = u->job->diff_id;
    if (!want || str_equal(want, u->result.diff_id))
        return 0;
    return error_set(e, EBADMSG, "its diff-id is sha256:%.16s… and not sha256:%.16s…",
                     u->result.diff_id, want);
}

/* The pump's own trouble is often only the echo of a process that has already said why. */
static int unpack_run(struct unpack *u, bool writes, struct error *e)
{
    struct error why;
    int r = unpack_pump(u, e);
    if (writes)
        u->out = fd_close(u->out);
    if (r < 0 && r != -EPIPE) {
        box_kill(&u->inflate);
        box_kill(&u->write);
        return r;
    }
    if (u->in != u->job->blob)
        u->in = fd_close(u->in);
    if (u->inflate.pid > 0) {
        int inflated = box_finish(&u->inflate, NULL, &why);
        if (r == 0 && inflated < 0) {
            box_kill(&u->write);
            *e = why;
            return inflated;
        }
    }
    struct box_report report;
    int written = u->write.pid > 0 ? box_finish(&u->write, &report, &why) : 0;
    if (written < 0) {
        *e = why;
        return written;
    }
    if (r == 0 && writes)
        u->result.counts = report.counts;
    return r < 0 ? r : unpack_verify(u, e);
}

static int unpack_any(const struct unpack_job *job, int folder, int spill, int to,
                      struct unpack_result *ret, struct error *e)
{
    struct unpack u = {.job = job, .in = FD_NONE, .out = to};
    struct stat st;
    int how = unpack_compression(job->blob);
    if (how < 0 || fstat(job->blob, &st) < 0)
        return error_errno(e, how < 0 ? -how : errno, "reading the blob");
    u.blob_size = (uint64_t)st.st_size;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    int r = unpack_start_inflate(&u, (enum compression)how, e);
    if (r == 0 && folder >= 0)
        r = unpack_start_write(&u, folder, spill, e);
    if (r == 0)
        r = unpack_run(&u, folder >= 0, e);
    box_kill(&u.inflate);
    box_kill(&u.write);
    if (u.in != job->blob)
        fd_close(u.in);
    if (folder >= 0)
        fd_close(u.out);
    sigaction(SIGPIPE, &before, NULL);
    if (r == 0)
        *ret = u.result;
    return r;
}

int unpack_layer(const struct unpack_job *job, int folder, int spill, struct unpack_result *ret,
                 struct error *e)
{
    return unpack_any(job, folder, spill, FD_NONE, ret, e);
}

int unpack_stream(const struct unpack_job *job, int to, struct unpack_result *ret, struct error *e)
{
    return unpack_any(job, FD_NONE, FD_NONE, to, ret, e);
}

int unpack_remove(const struct image_owner *owner, int folder, struct error *e)
{
    struct box box;
    struct box_wish w = {
        .owner = *owner,
        .root = folder,
        .memory = UNPACK_WRITE_MEMORY,
        .run = unpack_run_remove,
    };
    int r = box_start(&w, &box, e);
    return r < 0 ? r : box_finish(&box, NULL, e);
}
