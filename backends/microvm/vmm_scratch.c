/* The disk that takes what a guest changes: a sparse file without a name. */
#include "backends/microvm/vmm_launch.h"

#include "base/copy.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* For a program of an id that is neither ours nor our group's, in a folder nobody else gets at. */
static int scratch_named(const struct plan *p)
{
    autofree char *path = vmm_scratch_path(p);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0666) == 0)
        return fd < 0 ? -errno : fd;
    int code = errno;
    unlink(path);
    fd_close(fd);
    return -code;
}

/* Where there can be no files without a name it has one for a moment, that nobody else may open. */
static int scratch_new(const char *beside, const char *id)
{
    autofree char *folder = str_dup(beside);
    *strrchr(folder, '/') = '\0';
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd < 0 ? -errno : fd;
    autofree char *name = str_format("%s/%s.new", folder, id);
    fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink(name);
    return fd < 0 ? -errno : fd;
}

/* As another description of the same file, which the program's does not move. */
static int scratch_look(int fd)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, O_RDONLY | O_CLOEXEC);
    return own < 0 ? -errno : own;
}

int vmm_scratch_make(struct launch *l, int from, int *ret, struct error *e)
{
    const struct plan_machine *m = &l->plan->machine;
    struct stat st;
    if (!m->blank)
        return error_set(e, EINVAL, "the plan has nothing to make a scratch disk of");
    autoclose int blank = from < 0 ? open(m->blank, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : FD_NONE;
    int source = from < 0 ? blank : from;
    if (source < 0 || fstat(source, &st) < 0)
        return error_errno(e, errno, "%s", m->blank);
    /* an overlay has what has been written to it */
    if (!S_ISREG(st.st_mode) ||
        (m->scratch && (uint64_t)st.st_size != l->plan->limits.disk / 4096 * 4096))
        return error_set(e, EINVAL, "that is not the scratch disk of this machine");
    autoclose int disk =
        l->driver->meets ? scratch_named(l->plan) : scratch_new(m->blank, l->plan->id);
    if (disk < 0)
        return error_errno(e, -disk, "a scratch disk");
    int r = copy_content(source, disk);
    if (r < 0)
        return error_errno(e, -r, "a scratch disk");
    l->scratch = scratch_look(disk);
    if (l->scratch < 0)
        return error_errno(e, -l->scratch, "a scratch disk");
    *ret = TAKE_FD(disk);
    return 0;
}

/* For reading alone: that is all the program could make of it, whatever its guest made of that. */
static int scratch_open_below(const char *path, int how, struct error *e)
{
    struct stat st;
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | how);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "%s is no file", path);
    return TAKE_FD(fd);
}

int vmm_base_open(const struct plan *p, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    /* a disk's name is its owner's, the image's is the cache's */
    return plan_boots_disk(p) ? scratch_open_below(m->disks[0], O_NONBLOCK | O_NOCTTY, e)
                              : scratch_open_below(m->root, O_NOFOLLOW, e);
}

int vmm_disk_open(const struct plan *p, size_t disk, struct error *e)
{
    return scratch_open_below(p->machine.disks[disk], O_NONBLOCK | O_NOCTTY, e);
}

uint64_t vmm_scratch_bytes(const struct launch *l)
{
    struct stat st;
    return l->scratch >= 0 && fstat(l->scratch, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}
