/* The making of what the runtime will find: the root, a bundle, places of its own. */
#include "backends/oci/hands.h"

#include "backends/root/steps.h"
#include "backends/root/tree.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A stage is called with the set-up alone. */
static const struct hands_wish *wish;
static char program[300];
static int program_tree = FD_NONE; /* owned */

enum { HANDS_RUN_SIZE = 64 * 1024 * 1024, HANDS_DETACH = 2 /* MNT_DETACH */ };

int umount2(const char *, int); /* <sys/mount.h> does not go with <linux/mount.h> everywhere */

static int hands_mount(struct setup *s, const char *type, const char *const *options,
                       const char *target, uint64_t attributes)
{
    autoclose int mount = tree_new_fs(type, options, attributes);
    int r = mount;
    if (mount >= 0) {
        autoclose int place = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = place < 0 ? -errno : tree_attach(mount, place);
    }
    return r < 0 ? error_errno(&s->error, -r, "%s", target) : 0;
}

const char *hands_program(void)
{
    return program[0] ? program : wish->whole->runtime;
}

/* The folder a person's path leads through may be closed to the ids we are about to have. */
static int hands_open_runtime(struct setup *s)
{
    const char *path = wish->whole->runtime, *slash = strrchr(path, '/');
    if (!slash)
        return 0;
    autofree char *real = realpath(path, NULL);
    program_tree = real ? tree_clone(AT_FDCWD, real, false) : -errno;
    if (program_tree < 0)
        return error_errno(&s->error, -program_tree, "%s", path);
    int r = tree_attributes(program_tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                            false);
    snprintf(program, sizeof(program), OCI_RUN "/runtime/%.255s", slash + 1);
    return r < 0 ? error_errno(&s->error, -r, "protecting %s", path) : 0;
}

static int hands_readonly_root(struct setup *s)
{
    int r = wish->whole->read_only ? tree_attributes(s->root, MOUNT_ATTR_RDONLY, false) : 0;
    return r < 0 ? error_errno(&s->error, -r, "a read-only root") : 0;
}

/*
 * Of our PID namespace: runtimes look for themselves there. By what is in the folder of the
 * network's settings runsc takes a namespace for the host's first one, and refuses it; on newer
 * kernels every one has that.
 */
static int hands_proc(struct setup *s)
{
    const uint64_t tight = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int r = hands_mount(s, "proc", (const char *const[]){NULL}, "/proc", tight);
    if (r < 0 || wish->words.kind != OCI_RUNSC || wish->whole->network != PLAN_NETWORK_PRIVATE)
        return r;
    return hands_mount(s, "tmpfs", (const char *const[]){"size=64k", "mode=0555", NULL},
                       "/proc/sys/net", tight);
}

static int hands_attach(struct setup *s, int tree, const char *place)
{
    autoclose int fd = open(place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : tree_attach(tree, fd);
    return r < 0 ? error_errno(&s->error, -r, "%s", place) : 0;
}

/* runsc opens its terminals here: an instance of its own, as bounded as a workload's. */
static int hands_ptys(struct setup *s)
{
    static const char *const options[] = {"newinstance", "ptmxmode=0666", "mode=620", "max=64",
                                          NULL};
    int r = hands_mount(s, "devpts", options, "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    struct stat st;
    if (r < 0 || lstat("/dev/ptmx", &st) < 0 || S_ISLNK(st.st_mode))
        return r;
    autoclose int ptmx = tree_clone(AT_FDCWD, "/dev/pts/ptmx", false);
    if (ptmx < 0)
        return error_errno(&s->error, -ptmx, "/dev/ptmx");
    return hands_attach(s, ptmx, "/dev/ptmx");
}

/*
 * We are in the workload's control groups, with its limits, and what the runtime starts has to stay
 * there: in a delegated scope runc would make a group of its own beside ours. crun wants none of
 * them and refuses to look at a hybrid host's.
 */
static int hands_cgroups(struct setup *s)
{
    static const char folder[] = "/sys/fs/cgroup";
    autoclose int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (wish->words.kind != OCI_CRUN) {
        int r = tree_attributes(fd, MOUNT_ATTR_RDONLY, true);
        return r < 0 && r != -EINVAL /* nothing is mounted */
                   ? error_errno(&s->error, -r, "%s", folder)
                   : 0;
    }
    return hands_mount(s, "tmpfs", (const char *const[]){"size=64k", "mode=0755", NULL}, folder,
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/*
 * Where the root has been made only the folder stays that holds the changes: who reads them through
 * a descriptor must not find what is mounted in the workload.
 */
static int hands_leave_place(struct setup *s)
{
    for (;;) {
        autoclose int top = openat(s->scratch, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct statx st;
        if (top < 0 || statx(top, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
            return setup_fail(s, "the scratch layer");
        if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
            return 0;
        char path[48];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", top);
        if (umount2(path, HANDS_DETACH) < 0)
            return setup_fail(s, "the scratch layer");
    }
}

/* /run: the runtime's state, the bundle, the root as it will be, PID 1's program. */
static int hands_run_folder(struct setup *s)
{
    char size[40];
    snprintf(size, sizeof(size), "size=%d", HANDS_RUN_SIZE);
    int r = hands_mount(s, "tmpfs", (const char *const[]){size, "mode=0755", NULL}, OCI_RUN,
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (r < 0)
        return r;
    static const char *const folders[] = {OCI_STATE,       OCI_BUNDLE,         OCI_BUNDLE "/rootfs",
                                          OCI_RUN "/pids", OCI_RUN "/runtime", OCI_RUN "/tmp"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (mkdir(folders[i], 0755) < 0)
            return error_errno(&s->error, errno, "%s", folders[i]);
    r = file_write_whole(AT_FDCWD, OCI_BUNDLE "/config.json", wish->config, strlen(wish->config),
                         0644, false);
    if (r == 0)
        r = file_write_whole(AT_FDCWD, OCI_INIT, "", 0, 0755, false);
    if (r == 0 && wish->words.list)
        r = file_write_whole(AT_FDCWD, wish->words.list, wish->filter->code,
                             wish->filter->count * sizeof(wish->filter->code[0]), 0444, false);
    if (r < 0)
        return error_errno(&s->error, -r, "the bundle");
    if (program[0])
        r = file_write_whole(AT_FDCWD, program, "", 0, 0755, false);
    if (r < 0)
        return error_errno(&s->error, -r, "%s", program);
    autoclose int tree = tree_clone(s->root, "", true);
    if (tree < 0)
        return error_errno(&s->error, -tree, "the root");
    r = hands_attach(s, tree, OCI_BUNDLE "/rootfs");
    if (r == 0)
        r = hands_attach(s, s->executable, OCI_INIT);
    return r < 0 || !program[0] ? r : hands_attach(s, program_tree, program);
}

/* Limits of the workload's user namespace, or, if that is to come, of ours, which hold it too. */
static int hands_sysctls(struct setup *s)
{
    static const char nested[] = "user/max_user_namespaces";
    if (wish->words.kind == OCI_RUNSC) /* its workload makes none of the host's kernel's */
        return 0;
    for (size_t i = 0; i < s->plan->sysctls_count; i++) {
        const struct plan_sysctl *c = &s->plan->sysctls[i];
        autofree char *path = str_format("/proc/sys/%s", c->path);
        bool one = oci_nests(wish->whole, wish->words.kind) && str_equal(c->path, nested) &&
                   str_equal(c->value, "0");
        if (str_starts(c->path, "user/max_") && str_ends(c->path, "_namespaces") && !one &&
            !str_equal(c->path, nested))
            continue; /* the runtime makes these */
        int r = file_put(AT_FDCWD, path, one ? "1" : c->value);
        if (r < 0)
            return error_errno(&s->error, -r, "sysctl %s", c->path);
    }
    return 0;
}

/* A program of an id that is not 0 keeps nothing over exec that is not ambient. */
static int hands_ambient(struct setup *s)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2];
    if (!wish->alone)
        return 0;
    if (syscall(SYS_capget, &head, set) < 0)
        return setup_fail(s, "capabilities");
    for (int i = 0; i < 2; i++)
        set[i].inheritable = set[i].permitted;
    if (syscall(SYS_capset, &head, set) < 0)
        return setup_fail(s, "capabilities");
    for (unsigned c = 0; c < 64; c++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0 && errno != EINVAL)
            return setup_fail(s, "capabilities");
    return 0;
}

static int hands_lock(struct setup *s)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return setup_fail(s, "no_new_privs");
    if (chdir("/") < 0)
        return setup_fail(s, "/");
    return wish->words.kind == OCI_RUNSC ? hands_quicken(s, wish->whole) : 0;
}

static int hands_go(struct setup *s)
{
    hands_serve(s, wish);
}

static int (*const hands_stages[])(struct setup *s) = {
    // clang-format off
    setup_begin,
    setup_private_mounts,
    setup_open_sources, /* while we are still who the person is */
    hands_open_runtime,
    setup_wait,
    setup_ids,
    setup_enter_time,
    setup_scratch,
    setup_send_scratch,
    setup_mounts,
    setup_write_made,
    hands_readonly_root,
    hands_proc,
    hands_ptys,
    hands_cgroups,
    hands_run_folder,
    hands_leave_place,
    hands_sysctls,
    hands_ambient,
    hands_lock,
    hands_go,
    // clang-format on
};

void hands_run(struct setup *s, void *data)
{
    wish = data;
    setup_run(s, hands_stages, ARRAY_SIZE(hands_stages));
}
