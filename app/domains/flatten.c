/* A disk of its own out of a snapshot: by qemu-img, confined, which opens nothing by its name. */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/str.h"
#include "images/disk_base.h"
#include "images/disk_tool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FLATTEN_LAYERS = DISK_TOOL_FILES - 1, /* and what is written */
    FLATTEN_MEMORY = 512 << 20,
    FLATTEN_CACHE = 2 << 20,
    FLATTEN_END_MS = 10000,
    FLATTEN_MAPS = 64 << 20, /* a qcow2 of 64 TiB has no more beside its data */
};

/* From the uppermost down, and in the end what is written; the descriptors are owned. */
struct flatten {
    int fds[DISK_TOOL_FILES];
    enum disk_format formats[DISK_TOOL_FILES];
    size_t count;
    uint64_t size; /* of the uppermost */
    /* Bytes that all of them hold, those of the lowest unpacked: no more are written, whatever a
       machine's program made its disk say (many of a disk's clusters can be one of the file's). */
    uint64_t held;
};

static int flatten_add(struct flatten *f, int fd, enum disk_format format, struct error *e)
{
    if (f->count == FLATTEN_LAYERS) {
        fd_close(fd);
        return error_set(e, E2BIG,
                         "it lies on %d others, one on another, which is too many for a full clone",
                         FLATTEN_LAYERS - 1);
    }
    f->fds[f->count] = fd;
    f->formats[f->count++] = format;
    return 0;
}

/* What lies at the bottom is somebody's disk: it says itself what it is. */
static int flatten_add_base(struct flatten *f, const char *base, struct error *e)
{
    struct disk_base b = {.fd = FD_NONE};
    int r = disk_base_open(base, &b, e);
    if (r == 0) {
        f->held += b.size;
        r = flatten_add(f, TAKE_FD(b.fd), b.format, e);
    }
    disk_base_done(&b);
    return r < 0 ? error_wrap(e, "%s", base) : 0;
}

static int flatten_add_overlay(struct flatten *f, const char *path, struct error *e)
{
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    f->held += (uint64_t)st.st_size;
    return flatten_add(f, TAKE_FD(fd), DISK_QCOW2, e);
}

static int flatten_open(struct flatten *f, const char *from, const char *base, const char *snapshot,
                        struct error *e)
{
    autofree char *path = str_dup(from), *real = realpath(base, NULL);
    int r = 0;
    while (r == 0 && path) {
        autofree char *below = NULL;
        uint64_t size = 0;
        r = domains_snapshot_check(path, base, snapshot, &size, &below, e);
        if (r < 0)
            break;
        f->size = f->count ? f->size : size;
        r = flatten_add_overlay(f, path, e);
        free(TAKE(path));
        if (r == 0 && (str_equal(below, base) || str_equal(below, real)))
            return flatten_add_base(f, base, e);
        path = TAKE(below);
    }
    return r;
}

/* One within another, as qemu(1) has "json:": what the headers name is not looked at. */
static char *flatten_chain(const struct flatten *f)
{
    struct buf b = {0};
    size_t layers = f->count - 1;
    buf_puts(&b, "json:");
    for (size_t i = 0; i < layers; i++) {
        if (i)
            buf_puts(&b, ",\"backing\":");
        buf_printf(&b,
                   "{\"driver\":\"%s\",\"file\":{\"driver\":\"file\",\"locking\":\"off\","
                   "\"filename\":\"/proc/self/fd/%zu\"}",
                   disk_format_name(f->formats[i]), i + 3);
        if (f->formats[i] == DISK_QCOW2) /* of large disks each would have up to 32 MiB */
            buf_printf(&b, ",\"l2-cache-size\":%d", FLATTEN_CACHE);
    }
    for (size_t i = 0; i < layers; i++)
        buf_putc(&b, '}');
    return buf_take(&b);
}

/* Whoever asked for the machine is heard meanwhile: what they say now ends it. */
static int flatten_wait(struct disk_tool_running *t, struct error *e)
{
    struct pollfd p[] = {
        {.fd = t->pidfd,          .events = POLLIN},
        {.fd = DOMAIN_FD_CONTROL, .events = POLLIN},
    };
    while (poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
        ;
    if (!p[0].revents && p[1].revents) {
        disk_tool_kill(t);
        return error_set(e, ECANCELED, "it was ended before it had started");
    }
    return disk_tool_finish(t, FLATTEN_END_MS, e);
}

static int flatten_run(const struct flatten *f, struct error *e)
{
    autofree char *chain = flatten_chain(f);
    autofree char *to = str_format("/proc/self/fd/%zu", f->count + 2);
    const char *const argv[] = {"qemu-img", "convert", "-n", "--target-is-zero", "-O", "qcow2",
                                chain,      to,        NULL};
    const struct disk_tool tool = {
        .argv = argv,
        .package = "qemu-utils",
        .in = FD_NONE,
        .out = FD_NONE,
        .files = f->fds,
        .files_count = f->count,
        .writable = 1,
        .file_bytes = MIN(f->size, f->held) + FLATTEN_MAPS,
        .memory = FLATTEN_MEMORY,
    };
    struct disk_tool_running running = {0};
    int r = disk_tool_start(&tool, &running, e);
    return r < 0 ? r : flatten_wait(&running, e);
}

int domains_flatten(const char *from, const char *base, const char *snapshot, const char *to,
                    struct error *e)
{
    struct flatten f = {0};
    domains_limit(0, NULL); /* as long as it takes */
    int r = flatten_open(&f, from, base, snapshot, e);
    int fd = r < 0 ? FD_NONE : open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (r == 0 && fd < 0)
        r = error_errno(e, errno, "%s", to);
    if (r == 0)
        r = disk_overlay_write(fd, NULL, DISK_QCOW2, f.size, e);
    if (fd >= 0)
        f.fds[f.count++] = fd;
    if (r == 0)
        r = flatten_run(&f, e);
    for (size_t i = 0; i < f.count; i++)
        fd_close(f.fds[i]);
    return r;
}
