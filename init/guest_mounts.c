/* The root of a guest: a read-only disk, what changes above it, and what is mounted in it. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MOUNTS_LOWER GUEST_RUN "/lower"
#define MOUNTS_SCRATCH GUEST_RUN "/scratch"
#define MOUNTS_UPPER MOUNTS_SCRATCH "/upper"
#define MOUNTS_WORK MOUNTS_SCRATCH "/work"

int steps_lower = FD_NONE, steps_upper = FD_NONE, steps_scratch = FD_NONE;
int steps_disks[8] = {FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE};
static bool mounts_read_only; /* the whole root, once it is finished */

/* --- disks -------------------------------------------------------------------------------------
 */

static const char mounts_serial[] = "serial:", mounts_block[] = "block:";

static bool mounts_named(const char *source, const char *how)
{
    return strncmp(source, how, strlen(how)) == 0;
}

struct mounts_disk_search {
    const char *serial;
    char *node;
    size_t room;
};

static int mounts_match(int dir, const char *name, void *data)
{
    struct mounts_disk_search *s = data;
    char path[300], serial[32];
    struct guest_text t = {.to = path, .room = sizeof(path)};
    guest_put(&t, name);
    guest_put(&t, "/serial");
    if (guest_read_file(dir, path, serial, sizeof(serial)) < 0 || strcmp(serial, s->serial) != 0)
        return 0;
    struct guest_text node = {.to = s->node, .room = s->room};
    guest_put(&node, "/dev/");
    guest_put(&node, name);
    return 1;
}

static int mounts_find_disk(const char *source, char *node, size_t room)
{
    struct guest_text t = {.to = node, .room = room};
    if (mounts_named(source, mounts_serial)) {
        struct mounts_disk_search s = {
            .serial = source + strlen(mounts_serial), .node = node, .room = room};
        int r = guest_each(AT_FDCWD, "/sys/block", mounts_match, &s);
        return r < 0 ? r : r ? 0 : -ENODEV;
    }
    if (mounts_named(source, mounts_block))
        source += strlen(mounts_block);
    if (!*source || strstr(source, ".."))
        return -EINVAL;
    guest_put(&t, "/dev/");
    guest_put(&t, source);
    return 0;
}

static int mounts_make(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int mounts_put(int mount, const char *path)
{
    autoclose int taken = mount;
    if (taken < 0)
        return taken;
    int r = mounts_make(path, 0755);
    autoclose int place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return r < 0 ? r : place < 0 ? -errno : tree_attach(taken, place);
}

int mounts_lower(const struct agent_step_view *v)
{
    static const char *const none[] = {NULL};
    char node[300];
    int r = mounts_find_disk(v->source, node, sizeof(node));
    if (r == 0)
        r = mounts_put(tree_new_fs(v->content, node, none, AGENT_STEP_RO | AGENT_STEP_NODEV),
                       MOUNTS_LOWER);
    if (r < 0)
        return r;
    steps_lower = open(MOUNTS_LOWER, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return steps_lower < 0 ? -errno : 0;
}

/* It has to be frozen for a snapshot. */
static int mounts_note_disk(int dir)
{
    size_t i = 0;
    while (i < sizeof(steps_disks) / sizeof(steps_disks[0]) && steps_disks[i] >= 0)
        i++;
    if (i == sizeof(steps_disks) / sizeof(steps_disks[0]))
        return -EMFILE;
    steps_disks[i] = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return steps_disks[i] < 0 ? -errno : 0;
}

/* "size=" and "nr_inodes=" of a tmpfs that fills neither memory nor the inode table. */
static void mounts_tmpfs_options(uint64_t size, char bytes[40], char inodes[40])
{
    struct guest_text b = {.to = bytes, .room = 40}, i = {.to = inodes, .room = 40};
    struct sysinfo info;
    if (!size && syscall(SYS_sysinfo, &info) == 0)
        size = (uint64_t)info.totalram * info.mem_unit / 2;
    guest_put(&b, "size=");
    guest_put_number(&b, size, 10);
    guest_put(&i, "nr_inodes=");
    guest_put_number(&i, 4096 + size / 4096, 10);
}

/* What the guest gives up the host gets back; tables that read as zeros need not be written. */
static int mounts_scratch_disk(const struct agent_step_view *v)
{
    static const char *const ext4[] = {"discard", "noinit_itable", NULL}, *const none[] = {NULL};
    char node[300];
    int r = mounts_find_disk(v->source, node, sizeof(node));
    return r < 0 ? r
                 : tree_new_fs(v->content, node, strcmp(v->content, "ext4") == 0 ? ext4 : none,
                               AGENT_STEP_NODEV);
}

int mounts_upper(const struct agent_step_view *v)
{
    char bytes[40], inodes[40];
    mounts_tmpfs_options(v->head.number, bytes, inodes);
    const char *const tmpfs[] = {bytes, inodes, "mode=0755", NULL};
    bool disk = *v->source;
    int r = mounts_put(disk ? mounts_scratch_disk(v)
                            : tree_new_fs("tmpfs", "scratch", tmpfs, AGENT_STEP_NODEV),
                       MOUNTS_SCRATCH);
    if (r == 0)
        r = mounts_make(MOUNTS_UPPER, 0755);
    if (r == 0)
        r = mounts_make(MOUNTS_WORK, 0700);
    if (r < 0)
        return r;
    steps_upper = open(MOUNTS_UPPER, O_PATH | O_DIRECTORY | O_CLOEXEC);
    steps_scratch = open(MOUNTS_SCRATCH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (steps_upper < 0 || steps_scratch < 0)
        return -errno;
    return disk ? mounts_note_disk(steps_scratch) : 0;
}

/* The merged root looks as the upper folder does. */
static int mounts_same_looks(void)
{
    struct stat st;
    if (fstat(steps_lower, &st) < 0 ||
        fchownat(AT_FDCWD, MOUNTS_UPPER, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        syscall(SYS_fchmodat, AT_FDCWD, MOUNTS_UPPER, st.st_mode & 07777) < 0)
        return -errno;
    return 0;
}

int mounts_root(const struct agent_step_view *v)
{
    static const char *const options[] = {"lowerdir=" MOUNTS_LOWER, "upperdir=" MOUNTS_UPPER,
                                          "workdir=" MOUNTS_WORK, NULL};
    bool overlay = steps_upper >= 0;
    if (steps_lower < 0 || (!overlay && !(v->head.flags & AGENT_STEP_RO)))
        return -ENODEV;
    unsigned flags = v->head.flags & ~(unsigned)AGENT_STEP_RO;
    int r = overlay ? mounts_same_looks() : 0;
    autoclose int root = r < 0     ? r
                         : overlay ? tree_new_fs("overlay", "overlay", options, flags)
                                   : tree_clone(AT_FDCWD, MOUNTS_LOWER, false);
    if (root < 0)
        return root;
    mounts_read_only = overlay && (v->head.flags & AGENT_STEP_RO);
    if (!overlay)
        r = tree_attributes(root, tree_flags(v->head.flags), false);
    if (r == 0)
        r = mounts_put(TAKE_FD(root), GUEST_ROOT);
    if (r < 0)
        return r;
    tree_root = open(GUEST_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    guest_phases[AGENT_PHASE_ROOT] = guest_now_us();
    return tree_root < 0 ? -errno : 0;
}

/* The initramfs cannot be left by pivot_root(2): the root is moved over it. */
int mounts_enter(void)
{
    if (tree_root < 0)
        return -ENODEV;
    int r = mounts_read_only ? tree_attributes(tree_root, MOUNT_ATTR_RDONLY, false) : 0;
    if (r < 0)
        return r;
    unlinkat(AT_FDCWD, GUEST_NAME, 0);
    if (syscall(SYS_fchdir, tree_root) < 0 ||
        syscall(SYS_move_mount, tree_root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        syscall(SYS_chroot, ".") < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

/* --- in the root -------------------------------------------------------------------------------
 */

static int mounts_attach(const struct agent_step_view *v, int mount)
{
    autoclose int taken = mount;
    if (taken < 0)
        return taken;
    autoclose int place = tree_folder(v->target, 0755);
    return place < 0 ? place : tree_attach(taken, place);
}

static int mounts_tmpfs(const struct agent_step_view *v)
{
    char bytes[40], inodes[40], mode[16], uid[24], gid[24];
    struct guest_text m = {.to = mode, .room = sizeof(mode)};
    struct guest_text u = {.to = uid, .room = sizeof(uid)}, g = {.to = gid, .room = sizeof(gid)};
    mounts_tmpfs_options(v->head.number, bytes, inodes);
    guest_put(&m, "mode=");
    guest_put_number(&m, v->head.mode, 8);
    guest_put(&u, "uid=");
    guest_put_number(&u, v->head.uid, 10);
    guest_put(&g, "gid=");
    guest_put_number(&g, v->head.gid, 10);
    const char *const options[] = {bytes, inodes, mode, uid, gid, NULL};
    return mounts_attach(v, tree_new_fs("tmpfs", "tmpfs", options, v->head.flags));
}

static int mounts_devpts(const struct agent_step_view *v)
{
    char most[32];
    struct guest_text t = {.to = most, .room = sizeof(most)};
    guest_put(&t, "max=");
    guest_put_number(&t, v->head.number, 10);
    const char *const options[] = {"newinstance", "ptmxmode=0666", "mode=620", most, NULL};
    return mounts_attach(v, tree_new_fs("devpts", "devpts", options, v->head.flags));
}

int mounts_new(const struct agent_step_view *v)
{
    static const char *const none[] = {NULL};
    const char *type = v->head.kind == AGENT_STEP_PROC     ? "proc"
                       : v->head.kind == AGENT_STEP_SYSFS  ? "sysfs"
                       : v->head.kind == AGENT_STEP_MQUEUE ? "mqueue"
                                                           : "cgroup2";
    if (v->head.kind == AGENT_STEP_TMPFS)
        return mounts_tmpfs(v);
    if (v->head.kind == AGENT_STEP_DEVPTS)
        return mounts_devpts(v);
    /* these have one superblock, which a read-only mount must not make read-only for us */
    int mount = tree_new_fs(type, type, none, v->head.flags & ~(unsigned)AGENT_STEP_RO);
    if (mount >= 0 && (v->head.flags & AGENT_STEP_RO))
        tree_attributes(mount, MOUNT_ATTR_RDONLY, false);
    return mounts_attach(v, mount);
}

int mounts_disk(const struct agent_step_view *v)
{
    static const char *const none[] = {NULL}, *const nine[] = {"trans=virtio", "version=9p2000.L",
                                                               "msize=262144", NULL};
    char node[300];
    bool share = v->head.kind == AGENT_STEP_SHARE;
    int r = share ? 0 : mounts_find_disk(v->source, node, sizeof(node));
    if (r < 0)
        return r;
    r = mounts_attach(v, tree_new_fs(v->content, share ? v->source : node,
                                     share && strcmp(v->content, "9p") == 0 ? nine : none,
                                     v->head.flags));
    if (r < 0 || share || (v->head.flags & AGENT_STEP_RO))
        return r;
    autoclose int dir = tree_open(v->target, O_RDONLY | O_DIRECTORY);
    return dir < 0 ? dir : mounts_note_disk(dir);
}

/* A place for a file, empty if it is made. */
static int mounts_file_place(const char *path)
{
    const char *leaf;
    int fd = tree_open(path, O_PATH);
    if (fd != -ENOENT)
        return fd;
    autoclose int parent = tree_parent(path, true, &leaf);
    if (parent < 0)
        return parent;
    autoclose int file = openat(parent, leaf, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return file < 0 ? -errno : tree_open(path, O_PATH);
}

/* Such a disk cannot be written: whoever is in here may read it. */
int mounts_device(const struct agent_step_view *v)
{
    char node[300];
    int r = mounts_find_disk(v->source, node, sizeof(node));
    bool disk = mounts_named(v->source, mounts_serial) || mounts_named(v->source, mounts_block);
    if (r == 0 && disk && syscall(SYS_fchmodat, AT_FDCWD, node, 0444) < 0)
        r = -errno;
    autoclose int tree = r < 0 ? r : tree_clone(AT_FDCWD, node, false);
    if (tree < 0)
        return tree;
    autoclose int place = mounts_file_place(v->target);
    return place < 0 ? place : tree_attach(tree, place);
}

int mounts_mask(const struct agent_step_view *v)
{
    autoclose int place = tree_open(v->target, O_PATH);
    struct stat st;
    if (place < 0)
        return place == -ENOENT || place == -ENOTDIR ? 0 : place;
    if (fstat(place, &st) < 0)
        return -errno;
    bool folder = S_ISDIR(st.st_mode);
    const char *with = folder ? GUEST_RUN "/void" : GUEST_RUN "/empty";
    if (folder)
        mounts_make(with, 0555);
    else
        fd_close(open(with, O_CREAT | O_WRONLY | O_CLOEXEC, 0444));
    autoclose int tree = tree_clone(AT_FDCWD, with, false);
    if (tree < 0)
        return tree;
    int r = tree_attributes(
        tree, tree_flags(AGENT_STEP_RO | AGENT_STEP_NOSUID | AGENT_STEP_NODEV | AGENT_STEP_NOEXEC),
        false);
    return r < 0 ? r : tree_attach(tree, place);
}

/* As a container has it: a mount made before alone, anything else with what is in it. */
int mounts_readonly(const struct agent_step_view *v)
{
    autoclose int place = tree_open(v->target, O_PATH);
    if (place < 0)
        return place == -ENOENT || place == -ENOTDIR ? 0 : place;
    uint64_t set = MOUNT_ATTR_RDONLY | tree_flags(v->head.flags);
    if (tree_attributes(place, set, false) == 0) /* -EINVAL: not a mount's root */
        return 0;
    autoclose int tree = tree_clone(place, "", true);
    if (tree < 0)
        return tree;
    int r = tree_attributes(tree, set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, true);
    return r < 0 ? r : tree_attach(tree, place);
}
