/* The set-up of a guest: one row for each kind of step. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_FILES = 32, STEPS_SEED = 512, STEPS_DEEP = 64 };

uint32_t steps_seeded;
static bool steps_in;

bool steps_entered(void)
{
    return steps_in;
}

/* --- who and when ------------------------------------------------------------------------------
 */

static int step_clock(const struct agent_step_view *v)
{
    struct timespec t = {.tv_sec = (time_t)(v->head.number / 1000000000),
                         .tv_nsec = (long)(v->head.number % 1000000000)};
    return syscall(SYS_clock_settime, CLOCK_REALTIME, &t) < 0 ? -errno : 0;
}

/* Kept: a clone would be longer at opening it than at all that is done with it. */
static int step_random = FD_NONE;

/* random(4): what is added counts as entropy, and the pool behind getrandom(2) begins anew. */
static int step_seed(const struct agent_step_view *v)
{
    struct {
        int entropy, size;
        char bytes[STEPS_SEED];
    } pool = {.entropy = (int)v->head.data_size * 8, .size = (int)v->head.data_size};
    if (v->head.data_size > sizeof(pool.bytes))
        return -EINVAL;
    memcpy(pool.bytes, v->data, v->head.data_size);
    if (step_random < 0)
        step_random = openat(guest_dev, "urandom", O_WRONLY | O_CLOEXEC);
    if (step_random < 0)
        return -errno;
    int r = ioctl(step_random, RNDADDENTROPY, &pool) < 0 ? -errno : 0;
    if (r == 0 && ioctl(step_random, RNDRESEEDCRNG, 0) < 0)
        r = -errno;
    memset(&pool, 0, sizeof(pool));
    __asm__ volatile("" : : "r"(&pool) : "memory"); /* it is cleared for good */
    steps_seeded += r == 0;
    return r;
}

static int step_hostname(const struct agent_step_view *v)
{
    return syscall(SYS_sethostname, v->source, strlen(v->source)) < 0 ? -errno : 0;
}

/* --- what stands in the root -------------------------------------------------------------------
 */

/* To look whether it is so already costs an emulated guest a tenth of making it so. */
static int step_looks(int fd, const struct agent_step *h, const struct stat *is)
{
    if ((is->st_mode & 07777) != h->mode && fchmod(fd, h->mode) < 0)
        return -errno;
    if ((is->st_uid != h->uid || is->st_gid != h->gid) &&
        fchownat(fd, "", h->uid, h->gid, AT_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

static int step_dir(const struct agent_step_view *v)
{
    struct stat st;
    autoclose int there = tree_open(v->target, O_PATH | O_DIRECTORY);
    if (there >= 0 || (there != -ENOENT && there != -ENOTDIR))
        return there < 0 ? there : 0;
    autoclose int fd = tree_folder(v->target, v->head.mode);
    if (fd < 0)
        return fd;
    autoclose int open = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return open < 0 || fstat(open, &st) < 0 ? -errno : step_looks(open, &v->head, &st);
}

static int step_symlink(const struct agent_step_view *v)
{
    const char *leaf;
    autoclose int parent = tree_parent(v->target, true, &leaf);
    if (parent < 0)
        return parent;
    unlinkat(parent, leaf, 0);
    if (symlinkat(v->source, parent, leaf) < 0)
        return -errno;
    return fchownat(parent, leaf, v->head.uid, v->head.gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int step_write(int fd, const struct agent_step_view *v)
{
    struct stat st;
    int r = fd_write_full(fd, v->data, v->head.data_size);
    if (r < 0 || fstat(fd, &st) < 0)
        return r < 0 ? r : -errno;
    return step_looks(fd, &v->head, &st);
}

/* What is mounted over a file where nothing new can be made: by number, in GUEST_RUN/files. */
static struct {
    char target[128];
} step_over[STEPS_FILES];

static int step_file_over(const struct agent_step_view *v)
{
    char path[64];
    struct guest_text t = {.to = path, .room = sizeof(path)};
    size_t i = 0, size = strlen(v->target) + 1;
    while (i < STEPS_FILES && step_over[i].target[0] && strcmp(step_over[i].target, v->target) != 0)
        i++;
    if (i == STEPS_FILES || size > sizeof(step_over[i].target))
        return -ENOSPC;
    bool again = step_over[i].target[0];
    guest_put(&t, "file-");
    guest_put_number(&t, i, 10);
    autoclose int fd = openat(guest_run, path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : step_write(fd, v);
    if (r < 0 || again)
        return r;
    autoclose int place = tree_open(v->target, O_PATH);
    autoclose int tree = place < 0 ? place : tree_clone(guest_run, path, false);
    r = tree < 0 ? tree : tree_attributes(tree, tree_flags(7 | AGENT_STEP_NOEXEC), false);
    if (r == 0)
        r = tree_attach(tree, place);
    if (r == 0)
        memcpy(step_over[i].target, v->target, size);
    return r;
}

static int step_file(const struct agent_step_view *v)
{
    const char *leaf;
    autoclose int parent = tree_parent(v->target, true, &leaf);
    if (parent < 0)
        return parent;
    /* after the start it may be anything: a link is replaced, never followed */
    int how = O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat st;
    bool is = fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (is && !S_ISREG(st.st_mode))
        unlinkat(parent, leaf, 0);
    else if (is && st.st_size > (off_t)v->head.data_size)
        how |= O_TRUNC; /* or all of the image's would be copied up first */
    autoclose int fd = openat(parent, leaf, how, v->head.mode);
    if (fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM || errno == ENOENT))
        return step_file_over(v);
    return fd < 0 ? -errno : step_write(fd, v);
}

/* --- a tree's owner ----------------------------------------------------------------------------
 */

struct step_owner {
    const struct agent_step *head;
    unsigned depth;
};

static int step_own_each(int dir, const char *name, void *data)
{
    struct step_owner *o = data;
    if (fchownat(dir, name, o->head->uid, o->head->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    struct step_owner below = {.head = o->head, .depth = o->depth + 1};
    return below.depth > STEPS_DEEP ? -ELOOP : guest_each(dir, name, step_own_each, &below);
}

static int step_own_tree(const struct agent_step_view *v)
{
    const char *leaf;
    autoclose int parent = tree_parent(v->target, false, &leaf);
    if (parent < 0)
        return parent;
    autoclose int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct step_owner o = {.head = &v->head};
    if (dir < 0)
        return -errno;
    autoclose int file =
        v->head.mode ? openat(dir, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : FD_NONE;
    struct stat st;
    if (file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode))
        fchmod(file, v->head.mode);
    return step_own_each(dir, leaf, &o);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static int step_sysctl(const struct agent_step_view *v)
{
    autoclose int dir = openat(guest_proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || strstr(v->source, ".."))
        return dir < 0 ? -errno : -EINVAL;
    return guest_write_file(dir, v->source, v->content, strlen(v->content));
}

static int step_end(const struct agent_step_view *v)
{
    if (steps_in)
        return 0;
    int r = net_loopback();
    if (r == 0)
        r = mounts_enter();
    if (r < 0)
        return r;
    changes_note_made();
    steps_in = true;
    return 0;
}

/* Only what may come again once commands run: a clone's identity. */
enum { STEP_ALWAYS = 1, STEP_HAS_TARGET = 2 };

static const struct step {
    const char *name;
    int (*run)(const struct agent_step_view *v);
    unsigned when;
} steps[AGENT_STEP_KINDS] = {
  // clang-format off
    [AGENT_STEP_CLOCK]        = {"setting the clock", step_clock, STEP_ALWAYS},
    [AGENT_STEP_SEED]         = {"seeding the random pool", step_seed, STEP_ALWAYS},
    [AGENT_STEP_HOSTNAME]     = {"hostname", step_hostname, STEP_ALWAYS},
    [AGENT_STEP_MAC]          = {"network address", net_mac, STEP_ALWAYS},
    [AGENT_STEP_ADDRESS]      = {"network", net_address, STEP_ALWAYS},
    [AGENT_STEP_LOWER]        = {"root disk", mounts_lower, 0},
    [AGENT_STEP_UPPER]        = {"scratch disk", mounts_upper, 0},
    [AGENT_STEP_ROOT]         = {"root", mounts_root, 0},
    [AGENT_STEP_TMPFS]        = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_PROC]         = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_SYSFS]        = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_DEVPTS]       = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_MQUEUE]       = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_CGROUP]       = {"mount", mounts_new, STEP_HAS_TARGET},
    [AGENT_STEP_DEVICE]       = {"device", mounts_device, STEP_HAS_TARGET},
    [AGENT_STEP_DISK]         = {"mount", mounts_disk, STEP_HAS_TARGET},
    [AGENT_STEP_SHARE]        = {"mount", mounts_disk, STEP_HAS_TARGET},
    [AGENT_STEP_MASK]         = {"hide", mounts_mask, STEP_HAS_TARGET},
    [AGENT_STEP_READONLY]     = {"read-only", mounts_readonly, STEP_HAS_TARGET},
    [AGENT_STEP_DIR]          = {"folder", step_dir, STEP_HAS_TARGET},
    [AGENT_STEP_SYMLINK]      = {"link", step_symlink, STEP_HAS_TARGET},
    [AGENT_STEP_FILE]         = {"file", step_file, STEP_ALWAYS | STEP_HAS_TARGET},
    [AGENT_STEP_OWN]          = {"owner", step_own_tree, STEP_HAS_TARGET},
    [AGENT_STEP_SYSCTL]       = {"sysctl", step_sysctl, 0},
    [AGENT_STEP_RLIMIT]       = {"limit", confine_step, 0},
    [AGENT_STEP_LIMIT]        = {"limit", confine_step, 0},
    [AGENT_STEP_CAPABILITIES] = {"capabilities", confine_step, 0},
    [AGENT_STEP_FILTER]       = {"the system call filter", confine_step, 0},
    [AGENT_STEP_END]          = {"entering the root", step_end, STEP_ALWAYS},
  // clang-format on
};

const char *steps_name(uint32_t kind)
{
    return steps[kind].name;
}

int steps_run(const struct agent_step_view *v)
{
    const struct step *s = &steps[v->head.kind];
    if (steps_in && !(s->when & STEP_ALWAYS))
        return -EALREADY;
    if ((s->when & STEP_HAS_TARGET) && (v->target[0] != '/' || tree_root < 0))
        return -EINVAL;
    if (v->head.flags & AGENT_STEP_KEPT) {
        autoclose int there = tree_open(v->target, O_PATH | O_NOFOLLOW);
        if (there >= 0)
            return 0;
    }
    return s->run(v);
}
