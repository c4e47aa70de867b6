/* The ground the root stands on, and the moment it becomes the only one there is. */
#include "backends/root/snapshot.h"
#include "backends/root/steps.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int umount2(const char *, int);
enum { ROOT_MNT_DETACH = 2 };

/*
 * Where the scratch tmpfs hangs until the old root goes: any folder does, since every source has
 * been opened already and nobody else sees this mount namespace.
 */
static const char root_hook[] = "/tmp";

static int root_fail(struct setup *s, int r, const char *what)
{
    return error_errno(&s->error, -r, "%s", what);
}

static int root_mount_scratch(struct setup *s)
{
    struct step_tmpfs t;
    step_tmpfs_options(&t, step_disk(s->plan), 0755);
    autoclose int mount = tree_new_fs("tmpfs", t.options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (mount < 0)
        return root_fail(s, mount, "the scratch layer");
    autoclose int hook =
        fd_openat2(AT_FDCWD, root_hook, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
    int r = hook < 0 ? hook : tree_attach(mount, hook);
    if (r < 0)
        return root_fail(s, r, "the scratch layer");
    s->scratch = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->scratch < 0 ? root_fail(s, -errno, "the scratch layer") : 0;
}

/* Found by the person who asked, read by the workload's ids, whose it is. */
static int root_reopen_scratch(struct setup *s)
{
    int fd = openat(s->scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return root_fail(s, -errno, "the scratch folder");
    fd_close(s->scratch);
    s->scratch = fd;
    return 0;
}

static int root_make_ground(struct setup *s)
{
    int d = s->scratch;
    if (mkdirat(d, "layers", 0755) < 0 || mkdirat(d, "root", 0755) < 0 ||
        mkdirat(d, "void", 0555) < 0)
        return root_fail(s, -errno, "the scratch layer");
    autoclose int empty = openat(d, "empty", O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (empty < 0)
        return root_fail(s, -errno, "the scratch layer");
    return 0;
}

/* root/ on a mount of its own, for pivot_root(2) wants one. */
static int root_make_mount(struct setup *s)
{
    autoclose int tree = tree_clone(s->scratch, "root", false);
    if (tree < 0)
        return root_fail(s, tree, "the root");
    int r = tree_attributes(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
    autoclose int place = openat(s->scratch, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r == 0)
        r = place < 0 ? -errno : tree_attach(tree, place);
    if (r < 0)
        return root_fail(s, r, "the root");
    s->root = TAKE_FD(tree);
    return 0;
}

int setup_scratch(struct setup *s)
{
    int r = s->plan->scratch ? root_reopen_scratch(s) : root_mount_scratch(s);
    if (r == 0)
        r = root_make_ground(s);
    if (r == 0)
        r = setup_restore(s);
    return r < 0 ? r : root_make_mount(s);
}

/* What set-up made is no change of the workload's. Written last, when all is known. */
int setup_write_made(struct setup *s)
{
    autoclose int fd =
        openat(s->scratch, "made", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int r = fd < 0 ? -errno : fd_write_full(fd, s->made.data, s->made.used);
    return r < 0 ? root_fail(s, r, "the scratch layer") : 0;
}

/* The old root is out of sight and reach: "/" is ours, ".." of it too, and getcwd(2) agrees. */
static int root_verify(struct setup *s)
{
    struct stat root, up, ours;
    char cwd[16];
    if (stat("/", &root) < 0 || stat("/..", &up) < 0 || fstat(s->root, &ours) < 0)
        return root_fail(s, -errno, "the new root");
    if (root.st_dev != ours.st_dev || root.st_ino != ours.st_ino || up.st_dev != ours.st_dev ||
        up.st_ino != ours.st_ino)
        return error_set(&s->error, EXDEV, "the new root is not the one that was made");
    if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || !str_equal(cwd, "/"))
        return error_set(&s->error, EXDEV, "the working directory is outside the new root");
    return 0;
}

int setup_pivot(struct setup *s)
{
    int r = setup_write_made(s);
    if (r < 0)
        return r;
    if (s->plan->read_only) {
        r = tree_attributes(s->root, MOUNT_ATTR_RDONLY, false);
        if (r < 0)
            return root_fail(s, r, "a read-only root");
    }
    if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", ROOT_MNT_DETACH) < 0 || chdir("/") < 0)
        return root_fail(s, -errno, "changing to the new root");
    return root_verify(s);
}
