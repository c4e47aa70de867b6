/* The root as containerd has it: a snapshot of its copy of our image, and what the plan adds. */
#include "backends/containerd/internal.h"

#include "backends/bundle/config.h"
#include "backends/root/steps.h"
#include "base/fd.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* <sys/mount.h> does not go with <linux/mount.h> everywhere */
int mount(const char *, const char *, const char *, unsigned long, const void *);

enum { ROOT_CTR_MS = 60000, ROOT_DEPTH = 256 };

static int root_path_of(int fd, char **ret, struct error *e)
{
    char link[48], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/')
        return error_errno(e, n < 0 ? errno : EINVAL, "our own folders");
    *ret = str_ndup(path, (size_t)n);
    return 0;
}

/* The image's ids become the range's: those of its first user namespace, as everywhere. */
static int root_shift(int dir, const char *name, uint32_t first, unsigned depth)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (st.st_uid >= ROOT_IDS_SIZE || st.st_gid >= ROOT_IDS_SIZE)
        return -EOVERFLOW;
    if (fchownat(dir, name, first + st.st_uid, first + st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return 0;
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || depth == ROOT_DEPTH)
        return fd < 0 ? -errno : -ELOOP;
    DIR *list = fdopendir(fd);
    if (!list)
        return -errno;
    fd = FD_NONE; /* the stream's now */
    int r = 0;
    for (struct dirent *d; r == 0 && (d = readdir(list));)
        if (!str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
            r = root_shift(dirfd(list), d->d_name, first, depth + 1);
    closedir(list);
    return r;
}

static bool root_is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* What the runtime does not make itself. */
static int root_step(const struct tree_maker *m, const struct plan_mount *s)
{
    if (root_is_below(s->target, "/proc") || root_is_below(s->target, "/dev") ||
        root_is_below(s->target, "/sys"))
        return 0;
    autofree char *path = NULL;
    int r = s->flags & PLAN_MOUNT_FOLLOW ? tree_follow(m->root, s->target, &path) : 0;
    if (s->kind == PLAN_MOUNT_DIR)
        return r < 0 ? r
                     : tree_need_dir(m, path ? path : s->target, s->mode ? s->mode : 0755, true);
    if (s->kind == PLAN_MOUNT_FILE)
        return step_make_file(m, s->target, s->content, s->mode ? s->mode : 0644);
    if (s->kind == PLAN_MOUNT_SYMLINK)
        return step_make_symlink(m, s->target, s->source);
    return 0;
}

static uint32_t root_first_id(const struct launch *l)
{
    uint32_t first = 0;
    if (!l->own_kernel)
        root_ids_outside(l->ids.uid_map, l->ids.uid_map_count, 0, &first);
    return first;
}

static int root_fill(struct launch *l, int parent, struct error *e)
{
    uint32_t first = root_first_id(l);
    int r = first ? root_shift(parent, "rootfs", first, 0) : 0;
    if (r < 0)
        return error_errno(e, -r, "giving the image to the workload's ids");
    autoclose int root = openat(parent, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return error_errno(e, errno, "the root");
    static struct tree_near near;
    const struct tree_maker m = {
        .root = root, .near = &near, .prefix = "", .uid = first, .gid = first};
    for (size_t i = 0; r == 0 && i < l->plan->mounts_count; i++) {
        const struct plan_mount *s = &l->plan->mounts[i];
        r = root_step(&m, s);
        if (r < 0)
            error_errno(e, -r, "%s", s->target);
    }
    tree_forget(&near);
    return r;
}

/* As it was handed over: with a tag. */
static char *root_reference(const char *image)
{
    const char *slash = strrchr(image, '/');
    return strpbrk(slash ? slash : image, ":@") ? str_dup(image) : str_format("%s:latest", image);
}

static int root_mount(struct launch *l, struct error *e)
{
    char **argv = ctr_argv(l->handler.address);
    const char *const words[] = {"images", "mount", "--rw"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    strv_take(&argv, root_reference(l->plan->image));
    strv_add(&argv, l->rootfs);
    int r = ctr_run(argv, ROOT_CTR_MS, NULL, e);
    if (r < 0)
        return error_wrap(e, "containerd's root of %s", l->plan->image);
    if (mount(NULL, l->rootfs, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL) < 0)
        return error_errno(e, errno, "containerd's root of %s", l->plan->image);
    return 0;
}

/* Where the workload's root can get, since the runtime becomes it, and nobody else of the host. */
static int root_folder(struct launch *l, int *ret, struct error *e)
{
    autofree char *line = ctr_journal_line(l->handler.address, l->plan->id, l->rootfs);
    int r = l->env.journal ? l->env.journal(l->env.journal_data, CTR_JOURNAL, line, e) : 0;
    if (r < 0)
        return r;
    l->journalled = true;
    autofree char *all = str_format("%s-roots", l->env.system_runtime_dir);
    autofree char *own = str_join_path(all, l->plan->id);
    gid_t first = root_first_id(l);
    /* whatever our umask is */
    if ((mkdir(all, 0711) < 0 && errno != EEXIST) || chmod(all, 0711) < 0 || mkdir(own, 0700) < 0)
        return error_errno(e, errno, "%s", own);
    autoclose int fd = open(own, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, 0, first) < 0 || fchmod(fd, 0710) < 0 ||
        mkdirat(fd, "rootfs", 0700) < 0)
        return error_errno(e, errno, "%s", own);
    *ret = TAKE_FD(fd);
    return 0;
}

int containerd_make_root(struct launch *l, struct error *e)
{
    autofree char *folder = NULL;
    int r = root_path_of(l->env.runtime_dir, &folder, e);
    if (r < 0)
        return r;
    free(l->rootfs);
    free(l->config);
    free(l->pid_file);
    l->rootfs = str_format("%s-roots/%s/rootfs", l->env.system_runtime_dir, l->plan->id);
    l->config = str_join_path(folder, "config.json");
    l->pid_file = str_join_path(folder, "task");
    if (strpbrk(folder, " \n\t"))
        return error_set(e, EINVAL, "%s: containerd's names take no space", folder);
    unlinkat(l->env.runtime_dir, "task", 0);
    autoclose int parent = FD_NONE;
    r = root_folder(l, &parent, e);
    if (r == 0)
        r = root_mount(l, e);
    return r < 0 ? r : root_fill(l, parent, e);
}

/* Where our own control group is, the runtime's is too: its limits and numbers are the same. */
static char *root_group(const struct launch *l)
{
    autofree char *text = NULL;
    if (cgroup_mode(l->cgroup) != PLAN_CGROUP_SYSTEMD ||
        file_read_virtual(AT_FDCWD, "/proc/self/cgroup", 4096, &text, NULL) < 0)
        return str_format("/" CGROUP_PREFIX "%s", l->plan->id);
    char *own = strstr(text, "0::/"), *slash;
    if (own)
        own[strcspn(own, "\n")] = '\0';
    slash = own ? strrchr(own, '/') : NULL;
    if (!slash)
        return str_format("/" CGROUP_PREFIX "%s", l->plan->id);
    *slash = '\0';
    return str_format("%s/workload", own + 3);
}

int containerd_write_config(struct launch *l, struct error *e)
{
    autofree char *init = NULL, *group = root_group(l);
    int r = root_path_of(l->env.init, &init, e);
    if (r < 0)
        return r;
    const struct oci_words words = {
        .kind = OCI_OTHER,
        .by_hand = true,
        .own_kernel = l->own_kernel,
        .range = root_first_id(l),
        .group = group,
        .root = l->rootfs,
        .init = init,
        .rows = l->env.rows,
        .cols = l->env.cols,
    };
    oci_lower_limits(l->plan);
    autofree char *text = oci_config(l->plan, &words);
    if (!text)
        return error_set(e, EINVAL, "the plan has no words in JSON: is it UTF-8?");
    r = file_write_whole(l->env.runtime_dir, "config.json", text, strlen(text), 0600, false);
    return r < 0 ? error_errno(e, -r, "%s", l->config) : 0;
}
