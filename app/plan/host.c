#include "app/plan/host.h"

#include "app/plan/host_parts.h"
#include "base/fd.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What programs read below /var; everything else there stays hidden. */
static const char *const var_places[] = {
    "/var/lib/dpkg",         "/var/lib/rpm",   "/var/lib/pacman", "/var/lib/ca-certificates",
    "/var/cache/fontconfig", "/var/lib/texmf",
};

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

char *host_read(const char *path, size_t most)
{
    char *text;
    size_t size;
    return file_read_virtual(AT_FDCWD, path, most, &text, &size) < 0 ? NULL : text;
}

/* The number in a file of proc, or `otherwise` where there is none. */
static uint64_t host_number(const char *path, uint64_t otherwise)
{
    autofree char *text = host_read(path, 64);
    uint64_t n;
    return text && str_to_uint(str_trim(text), &n) == 0 ? n : otherwise;
}

/* --- the person --------------------------------------------------------------------------------
 */

/* Fields of a line "name:x:uid:gid:gecos:home:shell". */
static bool host_take_passwd_line(struct plan_host *h, char *line)
{
    char *field[7];
    size_t n = 0;
    for (char *p = line; p && n < ARRAY_SIZE(field);)
        field[n++] = strsep(&p, ":");
    uint64_t uid;
    if (n < ARRAY_SIZE(field) || str_to_uint(field[2], &uid) < 0 || uid != h->uid)
        return false;
    h->user = str_dup(field[0]);
    h->home = str_dup(field[5][0] == '/' ? field[5] : "/");
    h->shell = str_dup(field[6][0] == '/' ? field[6] : "/bin/sh");
    return true;
}

static void host_read_groups(struct plan_host *h)
{
    int count = getgroups(0, NULL);
    autofree gid_t *groups = mem_zero((size_t)MAX(count, 1), sizeof(*groups));
    autobuf text = {0};
    count = getgroups(count, groups);
    for (int i = 0; i < count; i++)
        if (groups[i] != h->gid)
            buf_printf(&text, "%s%u", text.used ? " " : "", groups[i]);
    h->groups = text.used ? buf_take(&text) : NULL;
}

/* getpwuid(3) loads the modules of nsswitch.conf; the file itself nearly always knows. */
static void host_read_person(struct plan_host *h)
{
    h->uid = (uint32_t)getuid();
    h->gid = (uint32_t)getgid();
    host_read_groups(h);
    autofree char *passwd = host_read("/etc/passwd", 4u << 20);
    for (char *rest = passwd, *line; !h->user && (line = strsep(&rest, "\n"));)
        host_take_passwd_line(h, line);
    if (h->user)
        return;
    const struct passwd *pw = getpwuid(h->uid);
    h->user = pw ? str_dup(pw->pw_name) : str_format("%u", h->uid);
    h->home = str_dup(pw && pw->pw_dir[0] == '/' ? pw->pw_dir : "/");
    h->shell = str_dup(pw && pw->pw_shell[0] == '/' ? pw->pw_shell : "/bin/sh");
}

/* The first range of subuid(5) given to the user by name or number. */
static void host_read_range(const struct plan_host *h, const char *path, uint32_t *ret_first,
                            uint32_t *ret_count)
{
    autofree char *text = host_read(path, 4u << 20);
    autofree char *number = str_format("%u", h->uid);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char *who = strsep(&line, ":"), *first = strsep(&line, ":");
        uint64_t from, count;
        if (!first || !line || (!str_equal(who, h->user) && !str_equal(who, number)))
            continue;
        if (str_to_uint(first, &from) < 0 || str_to_uint(str_trim(line), &count) < 0)
            continue;
        if (from == 0 || from > UINT32_MAX || count > UINT32_MAX - from)
            continue;
        *ret_first = (uint32_t)from;
        *ret_count = (uint32_t)count;
        return;
    }
}

static void host_read_ranges(struct plan_host *h)
{
    host_read_range(h, "/etc/subuid", &h->subuid, &h->subuid_count);
    host_read_range(h, "/etc/subgid", &h->subgid, &h->subgid_count);
    h->newuidmap =
        access("/usr/bin/newuidmap", X_OK) == 0 && access("/usr/bin/newgidmap", X_OK) == 0;
}

/* --- the root file system ------------------------------------------------------------------------
 */

static void host_add_entry(struct plan_host *h, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return;
    char link[512];
    ssize_t length = -1;
    if (S_ISLNK(st.st_mode)) {
        length = readlink(path, link, sizeof(link));
        if (length <= 0 || (size_t)length == sizeof(link))
            return;
    } else if (!S_ISDIR(st.st_mode)) {
        return;
    }
    h->entries = mem_grow(h->entries, h->entries_count + 1, sizeof(h->entries[0]));
    h->entries[h->entries_count++] = (struct plan_host_entry){
        .path = str_dup(path),
        .link = length > 0 ? str_ndup(link, (size_t)length) : NULL,
    };
}

static void host_mark_split(struct plan_host *h, const char *mount)
{
    for (size_t i = 0; i < h->entries_count; i++) {
        size_t length = strlen(h->entries[i].path);
        if (strncmp(mount, h->entries[i].path, length) == 0 && mount[length] == '/')
            h->entries[i].split = true;
    }
}

static void host_read_mounts(struct plan_host *h)
{
    autofree char *text = host_read("/proc/self/mountinfo", 16u << 20);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char *mount = NULL;
        for (int field = 0; field < 5 && line; field++)
            mount = strsep(&line, " ");
        if (line && mount) {
            str_unescape_octal(mount);
            host_mark_split(h, mount);
        }
    }
}

/*
 * What of /etc is not for everybody: a user's workload has the user's own id, and their groups
 * where these cannot be left, so these bits would not keep it out.
 */
static void host_read_closed(struct plan_host *h)
{
    DIR *etc = opendir("/etc");
    for (struct dirent *d; etc && (d = readdir(etc));) {
        struct stat st;
        if (d->d_type == DT_LNK || str_equal(d->d_name, ".") || str_equal(d->d_name, "..") ||
            fstatat(dirfd(etc), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        mode_t open = S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
        if (!S_ISLNK(st.st_mode) && (st.st_mode & open) != open)
            strv_add(&h->etc_closed, d->d_name);
    }
    if (etc)
        closedir(etc);
}

static int host_read_entries(struct plan_host *h, struct error *e)
{
    DIR *root = opendir("/");
    if (!root)
        return error_errno(e, errno, "cannot read /");
    for (struct dirent *d; (d = readdir(root));) {
        if (d->d_name[0] == '.' || (d->d_type != DT_DIR && d->d_type != DT_LNK && d->d_type))
            continue;
        char path[264] = "/";
        memcpy(path + 1, d->d_name, strlen(d->d_name) + 1);
        host_add_entry(h, path);
    }
    closedir(root);
    if (plan_host_find(h, "/nix"))
        host_add_entry(h, "/run/current-system");
    for (size_t i = 0; i < ARRAY_SIZE(var_places); i++)
        host_add_entry(h, var_places[i]);
    if (!str_equal(h->home, "/") && !plan_host_find(h, h->home))
        host_add_entry(h, h->home);
    host_read_mounts(h);

    const struct plan_host_entry *etc = plan_host_find(h, "/etc");
    if (h->uid != 0 && etc && etc->split)
        host_read_closed(h);

    h->devices = mem_zero(1, sizeof(char *));
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        char path[32] = "/dev/";
        memcpy(path + 5, devices[i], strlen(devices[i]) + 1);
        if (access(path, F_OK) == 0)
            strv_add(&h->devices, devices[i]);
    }
    return 0;
}

const struct plan_host_entry *plan_host_find(const struct plan_host *h, const char *path)
{
    for (size_t i = 0; i < h->entries_count; i++)
        if (str_equal(h->entries[i].path, path))
            return &h->entries[i];
    return NULL;
}

/* --- the kernel
 * ------------------------------------------------------------------------------------ */

static bool host_has_userns(const struct plan_host *h)
{
    if (host_number("/proc/sys/user/max_user_namespaces", 0) == 0)
        return false;
    if (h->uid == 0)
        return true;
    if (host_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
        return false;
    if (host_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 0)
        return true;
    /* Restricted are those without a profile of their own; distributions can give us one. */
    autofree char *label = host_read("/proc/self/attr/apparmor/current", 256);
    return label && !str_starts(label, "unconfined");
}

static void host_read_kernel(struct plan_host *h)
{
    struct utsname u;
    if (uname(&u) == 0) {
        h->kernel = str_dup(u.release);
        h->arch = str_dup(u.machine);
        h->hostname = str_dup(u.nodename);
    } else {
        h->kernel = str_dup("");
        h->arch = str_dup("");
        h->hostname = str_dup("");
    }
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    h->landlock_abi = abi > 0 ? (unsigned)abi : 0;
    h->userns = host_has_userns(h);
    h->timens = access("/proc/self/ns/time", F_OK) == 0;
    autofree char *apparmor = host_read("/sys/module/apparmor/parameters/enabled", 8);
    h->apparmor = apparmor && apparmor[0] == 'Y';
    h->selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;

    struct sysinfo info;
    if (sysinfo(&info) == 0)
        h->memory = (uint64_t)info.totalram * info.mem_unit;
    cpu_set_t set;
    h->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

int plan_host_read(struct plan_host *h, struct error *e)
{
    *h = (struct plan_host){0};
    host_read_person(h);
    host_read_ranges(h);
    int r = host_read_entries(h, e);
    if (r < 0) {
        plan_host_done(h);
        return r;
    }
    host_read_kernel(h);
    host_read_cgroup(h);
    h->resolv_conf = host_read("/etc/resolv.conf", 16384);
    return 0;
}

void plan_host_done(struct plan_host *h)
{
    free(h->user);
    free(h->home);
    free(h->groups);
    free(h->hostname);
    for (size_t i = 0; i < h->entries_count; i++) {
        free(h->entries[i].path);
        free(h->entries[i].link);
    }
    free(h->entries);
    strv_free(h->devices);
    strv_free(h->etc_closed);
    strv_free(h->cgroup_controllers);
    free(h->kernel);
    free(h->arch);
    free(h->shell);
    free(h->resolv_conf);
    *h = (struct plan_host){0};
}
