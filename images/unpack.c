#include "images/unpack.h"

#include "base/fd.h"
#include "base/module.h"
#include "images/layer_parts.h"
#include "images/module.h"
#include "images/unpack_parts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Who decompresses is the slowest and gets ahead while the others write; what is between those is
 * small enough to stay in a processor's cache.
 */
enum { UNPACK_AHEAD = 16, UNPACK_BETWEEN = 4 };

/* zstd's and xz's largest windows fit, nothing much larger */
enum { UNPACK_INFLATE_MEMORY = 256 << 20, UNPACK_WRITE_MEMORY = 64 << 20 };

int unpack_compression(int blob)
{
    char start[COMPRESSION_MAGIC];
    ssize_t n = pread(blob, start, sizeof(start), 0);
    return n < 0 ? -errno : (int)compression_of(start, (size_t)n);
}

/*
 * Bytes that are stored, counted until `enough`. A file system that compresses, or does not say how
 * much it keeps (FUSE), shows honest files with hardly any blocks; where its holes are it says, or
 * that there are none. Reading goes on from where it was.
 */
static uint64_t unpack_stored(int blob, uint64_t size, uint64_t enough)
{
    uint64_t stored = 0;
    off_t was = lseek(blob, 0, SEEK_CUR), at = 0;
    while (stored < enough && (at = lseek(blob, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(blob, at, SEEK_HOLE);
        if (end <= at)
            break;
        stored += (uint64_t)(end - at);
        at = end;
    }
    if (at < 0 && errno == EINVAL) /* it knows of no holes */
        stored = size;
    lseek(blob, was, SEEK_SET);
    return stored;
}

int unpack_check_blob(int blob, const struct image_limits *limits, struct error *e)
{
    struct stat st;
    if (fstat(blob, &st) < 0)
        return error_errno(e, errno, "reading the blob");
    uint64_t size = (uint64_t)st.st_size, stored = (uint64_t)st.st_blocks * 512;
    uint64_t enough = size / limits->ratio;
    if (size > limits->bytes)
        return error_set(e, EFBIG, "it is larger than the limit of %llu bytes",
                         (unsigned long long)limits->bytes);
    if (size > UNPACK_FREE && enough > stored)
        stored = unpack_stored(blob, size, enough);
    if (size > UNPACK_FREE && enough > stored)
        return error_set(e, EFBIG, "it is mostly holes: %llu bytes, of which %llu are stored",
                         (unsigned long long)size, (unsigned long long)stored);
    return 0;
}

/* --- inside ------------------------------------------------------------------------------------
 */

struct unpack_inflate {
    const struct images_module *module;
    int in;
    struct ring out;
    enum compression how;
};

static char *unpack_sink_room(void *data, size_t *ret_size)
{
    char *to;
    *ret_size = RING_SLOT;
    return ring_room(data, &to) < 0 ? NULL : to;
}

static int unpack_sink_put(void *data, size_t used)
{
    return ring_put(data, used) < 0 ? -1 : 0;
}

static int unpack_run_inflate(void *data, struct box_report *report)
{
    struct unpack_inflate *i = data;
    struct ring_end end;
    char why[200] = "";
    int r = ring_open_writer(&i->out, &end);
    if (r < 0)
        return error_errno(&report->error, -r, "memory to decompress into");
    const struct images_sink sink = {unpack_sink_room, unpack_sink_put, &end};
    if (i->module->inflate(i->in, &sink, i->how, why, sizeof(why)) == 0)
        return 0;
    autofree char *shown = str_escape_z(why);
    return error_set(&report->error, EBADMSG, "%s: %s", compression_name(i->how), shown);
}

struct unpack_write {
    struct layer_job job;
    struct ring in;
};

static ssize_t unpack_more(void *data, const char **ret)
{
    return ring_take(data, ret);
}

static int unpack_run_write(void *data, struct box_report *report)
{
    struct unpack_write *w = data;
    struct ring_end end;
    int r = ring_open_reader(&w->in, &end);
    if (r < 0)
        return error_errno(&report->error, -r, "memory to read from");
    w->job.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->job.root < 0)
        return error_errno(&report->error, errno, "the layer's folder");
    struct tar *t = tar_new_of_pieces(unpack_more, &end);
    r = layer_write(t, &w->job, &report->counts, &report->error);
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
    struct ring in, out; /* of the two, if they run */
    struct pump pump;
    struct unpack_result result;
};

static void unpack_owner_of_root(const struct image_owner *o, uid_t *uid, gid_t *gid)
{
    bool shifted = o->how == IMAGE_OWNER_SHIFTED;
    *uid = shifted ? IMAGE_OWNER_FIRST : geteuid();
    *gid = shifted ? IMAGE_OWNER_FIRST : getegid();
}

static int unpack_start_inflate(struct unpack *u, enum compression how, struct error *e)
{
    if (lseek(u->job->blob, 0, SEEK_SET) < 0)
        return error_errno(e, errno, "reading the blob");
    if (how == COMPRESSION_NONE)
        return 0;
    const struct images_module *module = module_open("images", "images_module", e);
    if (!module)
        return -e->code;
    int r = ring_make(&u->in, UNPACK_AHEAD);
    if (r == 0)
        r = ring_open_reader(&u->in, &u->pump.from);
    if (r < 0)
        return error_errno(e, -r, "memory to decompress into");
    struct unpack_inflate data = {module, u->job->blob, u->in, how};
    int keep[] = {u->job->blob, u->in.memory, u->in.writer};
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
    u->in.memory = fd_close(u->in.memory);
    u->in.writer = fd_close(u->in.writer);
    return r;
}

static int unpack_start_write(struct unpack *u, int folder, int spill, struct error *e)
{
    uid_t uid;
    gid_t gid;
    unpack_owner_of_root(&u->job->owner, &uid, &gid);
    if (fchown(folder, uid, gid) < 0 || fchown(spill, uid, gid) < 0)
        return error_errno(e, errno, "the layer's folder");
    int r = ring_make(&u->out, UNPACK_BETWEEN);
    if (r == 0)
        r = ring_open_writer(&u->out, &u->pump.into);
    if (r == 0)
        r = ring_seal(&u->out);
    if (r < 0)
        return error_errno(e, -r, "memory to unpack from");
    struct unpack_write data = {
        .job = {.spill = spill,
                .owners = u->job->owner.how != IMAGE_OWNER_SELF && !u->job->archive,
                .whiteouts = u->job->whiteouts,
                .archive = u->job->archive,
                .limits = u->job->limits},
        .in = u->out,
    };
    int keep[] = {u->out.memory, u->out.reader, spill};
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
    u->out.memory = fd_close(u->out.memory);
    u->out.reader = fd_close(u->out.reader);
    return r;
}

/* The pump's own trouble is often only the echo of a process that has already said why. */
static int unpack_run(struct unpack *u, bool writes, struct error *e)
{
    struct error why;
    int r = pump_run(&u->pump, &u->result, e);
    ring_close(&u->out); /* the end of what there is to write */
    if (r < 0 && r != -EPIPE) {
        box_kill(&u->inflate);
        box_kill(&u->write);
        return r;
    }
    ring_close(&u->in);
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
    return r < 0 ? r : pump_verify(&u->pump, &u->result, e);
}

static int unpack_any(const struct unpack_job *job, int folder, int spill, int to,
                      struct unpack_result *ret, struct error *e)
{
    struct unpack u = {
        .job = job, .in = RING_NONE, .out = RING_NONE, .pump = {.job = job, .to = to}
    };
    struct stat st;
    int how = unpack_compression(job->blob);
    if (how < 0 || fstat(job->blob, &st) < 0)
        return error_errno(e, how < 0 ? -how : errno, "reading the blob");
    u.pump.blob_size = (uint64_t)st.st_size;
    int checked = unpack_check_blob(job->blob, &job->limits, e);
    if (checked < 0)
        return checked;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    int r = unpack_start_inflate(&u, (enum compression)how, e);
    if (r == 0 && folder >= 0)
        r = unpack_start_write(&u, folder, spill, e);
    if (r == 0)
        r = unpack_run(&u, folder >= 0, e);
    box_kill(&u.inflate);
    box_kill(&u.write);
    pump_done(&u.pump);
    ring_close(&u.in);
    ring_close(&u.out);
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
