#include "images/disk.h"

#include "base/file.h"
#include "base/sha256.h"
#include "images/box.h"
#include "images/disk_cache.h"
#include "images/disk_tool.h"
#include "images/disk_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_TIME_MS = 3600 * 1000, DISK_PIPE = 1 << 20 };
#define DISK_TREE_MEMORY ((uint64_t)512 << 20)
#define DISK_TOOL_MEMORY ((uint64_t)1 << 30)

void disk_done(struct disk *d)
{
    free(d->path);
    *d = (struct disk){0};
}

void disk_key(const char *const *diff_ids, size_t count, char ret[65])
{
    struct sha256 s;
    unsigned char digest[32];
    sha256_init(&s);
    sha256_add(&s, DISK_FORMAT "\n", sizeof(DISK_FORMAT));
    for (size_t i = 0; i < count; i++) {
        sha256_add(&s, diff_ids[i], strlen(diff_ids[i]));
        sha256_add(&s, "\n", 1);
    }
    sha256_end(&s, digest);
    sha256_hex(digest, ret);
}

/* A squashfs superblock whose file system ends within the file (kernel: squashfs_fs.h). */
static int disk_check(int fd, uint64_t *ret_size)
{
    unsigned char head[96];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || pread(fd, head, sizeof(head), 0) != sizeof(head) ||
        memcmp(head, "hsqs", 4) != 0)
        return -EBADMSG;
    uint64_t used = 0;
    for (int i = 7; i >= 0; i--)
        used = used << 8 | head[40 + i];
    if (used < sizeof(head) || used > (uint64_t)st.st_size || st.st_size % 4096)
        return -EBADMSG;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static char *disk_name(const char *key)
{
    return str_format("%s.squashfs", key);
}

static int disk_look(int dir, const char *folder, const char *key, struct disk *ret)
{
    autofree char *name = disk_name(key);
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct disk d = {0};
    int r = fd < 0 ? -errno : disk_check(fd, &d.size);
    if (r < 0)
        return r;
    d.path = str_join_path(folder, name);
    memcpy(d.key, key, sizeof(d.key));
    *ret = d;
    return 0;
}

int disk_find(const char *cache, const char *key, struct disk *ret, struct error *e)
{
    autofree char *folder = str_join_path(cache, "disks");
    autoclose int dir = file_open_private_dir(folder, false, e);
    if (dir < 0)
        return dir;
    int r = disk_look(dir, folder, key, ret);
    if (r == 0) {
        autofree char *name = disk_name(key);
        disk_cache_used(dir, name);
    }
    return r < 0 ? error_set(e, ENOENT, "no disk has been made of this image") : 0;
}

/* --- making it -----------------------------------------------------------------------------------
 */

struct disk_work {
    const struct disk_job *job;
    struct disk_map *owners; /* owned; one for each layer, or NULL */
    int *keep;               /* owned; the pipe, then layers' folders, which are owned too */
    size_t kept;             /* folders */
};

static int disk_read_owners(struct disk_work *w, struct error *e)
{
    const struct disk_job *job = w->job;
    if (job->owner.how != IMAGE_OWNER_SELF)
        return 0;
    w->owners = mem_zero(job->count, sizeof(*w->owners));
    for (size_t i = 0; i < job->count; i++) {
        const struct disk_layer *l = &job->layers[i];
        if (l->blob < 0)
            continue;
        int r = disk_owners_read(l->blob, l->diff_id, &job->limits, &w->owners[i], e);
        if (r < 0)
            return error_wrap(e, "layer %.12s", l->diff_id);
    }
    return 0;
}

/* Inside the box. */
static int disk_run_tree(void *data, struct box_report *report)
{
    const struct disk_work *w = data;
    const struct disk_tree_job tree = {
        .layers = w->keep + 1,
        .count = w->job->count,
        .owners = w->owners,
        .limits = w->job->limits,
    };
    struct disk_tar tar;
    disk_tar_init(&tar, w->keep[0]);
    int r = disk_tree_write(&tree, &tar, &report->counts, &report->error);
    disk_tar_done(&tar);
    return r;
}

/* `keep` becomes `out` and the layers' folders; whoever is root inside could not reach them by
 * name. */
static int disk_start_tree(struct disk_work *w, int out, struct box *ret, struct error *e)
{
    const struct disk_job *job = w->job;
    w->keep = mem_alloc((1 + job->count) * sizeof(*w->keep));
    w->keep[0] = out;
    int r = job->count ? 0 : error_set(e, EINVAL, "an image without layers");
    for (; r == 0 && w->kept < job->count; w->kept++) {
        const char *folder = job->layers[w->kept].folder;
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            r = error_errno(e, errno, "%s", folder);
            break;
        }
        w->keep[1 + w->kept] = fd;
    }
    if (r < 0)
        return r;
    const struct box_wish wish = {
        .owner = job->owner,
        .root = w->keep[1],
        .keep = w->keep,
        .keep_count = (unsigned)(1 + job->count),
        .read = w->keep + 1,
        .read_count = (unsigned)job->count,
        .memory = DISK_TREE_MEMORY,
        .run = disk_run_tree,
        .data = w,
    };
    return box_start(&wish, ret, e);
}

static void disk_end_tree(struct disk_work *w)
{
    for (size_t i = 0; i < w->kept; i++)
        fd_close(w->keep[1 + i]);
    free(TAKE(w->keep));
    w->kept = 0;
}

static int disk_start_tool(const struct disk_job *job, int in, int image,
                           struct disk_tool_running *ret, struct error *e)
{
    char jobs[16];
    snprintf(jobs, sizeof(jobs), "%ld", MAX(1, MIN(sysconf(_SC_NPROCESSORS_ONLN), 16)));
    const char *const argv[] = {"tar2sqfs",     "--quiet", "--no-skip",       "--force",
                                "--compressor", "zstd",    "--comp-extra",    "level=1",
                                "--num-jobs",   jobs,      "/proc/self/fd/3", NULL};
    const struct disk_tool tool = {
        .argv = argv,
        .package = "squashfs-tools-ng",
        .in = in,
        .out = FD_NONE,
        .files = &image,
        .files_count = 1,
        .writable = 1,
        .file_bytes = job->limits.bytes,
        .memory = DISK_TOOL_MEMORY,
    };
    return disk_tool_start(&tool, ret, e);
}

/* A tree that could not be read cuts the stream off, so the program's word counts only after it. */
static int disk_pour(struct disk_work *w, int image, struct layer_counts *ret, struct error *e)
{
    int pair[2];
    if (fd_pipe(pair, 0) < 0)
        return error_errno(e, errno, "a pipe");
    fcntl(pair[1], F_SETPIPE_SZ, DISK_PIPE);
    struct disk_tool_running tool = {0};
    struct box box = {0};
    struct box_report report;
    struct error why;
    int r = disk_start_tool(w->job, pair[0], image, &tool, e);
    fd_close(pair[0]);
    if (r == 0)
        r = disk_start_tree(w, pair[1], &box, e);
    fd_close(pair[1]);
    disk_end_tree(w);
    if (r < 0) {
        disk_tool_kill(&tool);
        return r;
    }
    r = box_finish(&box, &report, e);
    int made = disk_tool_finish(&tool, DISK_TIME_MS, &why);
    if (made < 0 && (r == 0 || r == -EPIPE)) {
        *e = why;
        r = made;
    }
    if (r == 0)
        *ret = report.counts;
    return r;
}

static int disk_build(const struct disk_job *job, int image, struct layer_counts *ret,
                      struct error *e)
{
    struct disk_work w = {.job = job};
    uint64_t size;
    int r = disk_read_owners(&w, e);
    if (r == 0)
        r = disk_pour(&w, image, ret, e);
    for (size_t i = 0; w.owners && i < job->count; i++)
        disk_map_done(&w.owners[i]);
    free(w.owners);
    if (r == 0 && (r = disk_check(image, &size)) < 0)
        error_set(e, EIO, "tar2sqfs made no file system");
    return r;
}

int disk_make(const struct disk_job *job, struct disk *ret, struct error *e)
{
    char key[65];
    autofree const char **ids = mem_alloc(MAX(job->count, 1) * sizeof(*ids));
    for (size_t i = 0; i < job->count; i++)
        ids[i] = job->layers[i].diff_id;
    disk_key(ids, job->count, key);

    autofree char *folder = str_join_path(job->cache, "disks");
    autofree char *name = disk_name(key);
    autoclose int dir = disk_cache_open(job->cache, "disks", e);
    if (dir < 0)
        return dir;
    struct disk d = {0};
    if (disk_look(dir, folder, key, &d) == 0) {
        *ret = d;
        return 0;
    }
    struct disk_cache_new new;
    int r = disk_cache_begin(dir, name, &new, e);
    if (r < 0)
        return r;
    if (disk_look(dir, folder, key, &d) < 0) { /* else somebody made it while we waited */
        struct layer_counts counts = {0};
        r = disk_build(job, new.fd, &counts, e);
        if (r == 0)
            r = disk_cache_publish(&new, 0400, e);
        if (r == 0)
            r = disk_look(dir, folder, key, &d);
        d.made = true;
        d.counts = counts;
    }
    disk_cache_end(&new);
    if (r == 0)
        *ret = d;
    return r < 0 ? error_wrap(e, "making a disk of the image") : 0;
}
