/* The file systems: the kernel's own, devices, mounts, ways out of the root, set-id bits. */
#include "tests/audit/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- proc and sys --------------------------------------------------------------------------- */

static int c_core_pattern(void)
{
    return inside_not_opened("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static int c_sysrq(void)
{
    return inside_not_opened("/proc/sysrq-trigger", O_WRONLY);
}
static int c_modprobe(void)
{
    return inside_not_opened("/proc/sys/kernel/modprobe", O_WRONLY);
}
static int c_binfmt(void)
{
    return inside_not_opened("/proc/sys/fs/binfmt_misc/register", O_WRONLY);
}
static int c_uevent_helper(void)
{
    return inside_not_opened("/sys/kernel/uevent_helper", O_WRONLY);
}

/* Files of the machine below /proc that tell or take what nobody inside should have. */
static int c_proc_silent(void)
{
    static const char *const names[] = {
        "acpi/wakeup",
        "allocinfo",
        "asound/cards",
        "bootconfig",
        "bus/pci/devices",
        "cmdline",
        "config.gz",
        "diskstats",
        "driver/rtc",
        "fs/ext4",
        "interrupts",
        "iomem",
        "ioports",
        "kallsyms",
        "kcore",
        "key-users",
        "keys",
        "kmsg",
        "kpagecgroup",
        "kpagecount",
        "kpageflags",
        "latency_stats",
        "locks",
        "mdstat",
        "modules",
        "mtrr",
        "pagetypeinfo",
        "partitions",
        "sched_debug",
        "schedstat",
        "scsi/scsi",
        "slabinfo",
        "softirqs",
        "swaps",
        "timer_list",
        "timer_stats",
        "vmallocinfo",
        "tty/drivers",
        "tty/driver/serial",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%s", names[i]);
        if (inside_not_read(path) != HELD)
            return HOLE;
    }
    inside_say("%zu files", sizeof(names) / sizeof(names[0]));
    return HELD;
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

/* Walks a tree and names the first thing that can be opened for writing. */
static bool find_writable(int parent, const char *name, const char *path, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return false;
    bool found = false;
    struct dirent *e;
    while (!found && (e = readdir(d))) {
        char full[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (depth == 0 && (is_number(e->d_name) || strstr(e->d_name, "self")))
            continue;
        snprintf(full, sizeof(full), "%.2000s/%.255s", path, e->d_name);
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode))
            continue;
        if (S_ISDIR(st.st_mode)) {
            found = depth < 8 && find_writable(dirfd(d), e->d_name, full, depth + 1);
            continue;
        }
        int w =
            openat(dirfd(d), e->d_name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (w >= 0) {
            inside_say("%s can be written", full);
            close(w);
            found = true;
        }
    }
    closedir(d);
    return found;
}
static int c_proc_writable(void)
{
    return find_writable(AT_FDCWD, "/proc", "/proc", 0) ? HOLE : HELD;
}
static int c_sys_writable(void)
{
    return find_writable(AT_FDCWD, "/sys", "/sys", 0) ? HOLE : HELD;
}
static int c_sysctl_net(void)
{
    return inside_not_opened("/proc/sys/net/ipv4/ip_forward", O_WRONLY);
}

static int c_kernel_addresses(void)
{
    static const char *const paths[] = {
        "/proc/kallsyms",          "/proc/modules",          "/proc/timer_list",
        "/sys/kernel/notes",       "/sys/kernel/vmcoreinfo", "/sys/kernel/boot_params/data",
        "/sys/kernel/btf/vmlinux", "/proc/self/stack",       "/proc/self/syscall"};
    for (size_t i = 0; i < 7; i++)
        if (inside_not_read(paths[i]) != HELD)
            return HOLE;
    const char *wchan = inside_read("/proc/self/wchan");
    return strncmp(wchan, "ffff", 4) == 0 ? HOLE : HELD;
}

static int c_pagemap(void)
{
    uint64_t entry = 0;
    int page = 1, fd = open("/proc/self/pagemap", O_RDONLY);
    if (fd < 0)
        return HELD;
    (void)*(volatile int *)&page;
    if (pread(fd, &entry, 8, (off_t)((uintptr_t)&page / 4096 * 8)) != 8)
        return HELD;
    return (entry & ((1ull << 55) - 1)) ? HOLE : HELD;
}

static int c_sys_hardware(void)
{
    static const char *const paths[] = {
        "/sys/class/dmi/id/product_name",
        "/sys/firmware/dmi/tables/DMI",
        "/sys/firmware/acpi",
        "/sys/devices/virtual/powercap",
        "/sys/class/powercap/intel-rapl:0/energy_uj",
        "/sys/block",
        "/sys/class/net",
        "/sys/bus/usb/devices",
        "/sys/bus/pci/devices",
        "/sys/kernel/debug",
        "/sys/kernel/tracing",
        "/sys/kernel/security",
        "/sys/fs/bpf",
        "/sys/fs/pstore",
        "/sys/module",
        "/sys/power/state",
        "/sys/hypervisor",
        "/sys/class/tty",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0) {
            inside_say("%s is there", paths[i]);
            return HOLE;
        }
    return HELD;
}

static int c_cgroup_files(void)
{
    static const char *const paths[] = {
        "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent",
        "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/rdma/release_agent",
        "/sys/fs/cgroup/memory.max"};
    for (size_t i = 0; i < 5; i++)
        if (open(paths[i], O_WRONLY) >= 0)
            return HOLE;
    return HELD;
}

static int c_cgroup_names(void)
{
    const char *text = inside_read("/proc/self/cgroup");
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        const char *path = strchr(strchr(line, ':') + 1, ':') + 1;
        if (strncmp(path, "/\n", 2) != 0) {
            inside_say("%.*s", (int)strcspn(path, "\n"), path);
            return HOLE;
        }
        if (!strchr(line, '\n'))
            break;
    }
    return HELD;
}

/* --- devices -------------------------------------------------------------------------------- */

static int c_dev_contents(void)
{
    static const char *const good[] = {"null",   "zero",   "full", "random", "urandom",
                                       "tty",    "pts",    "ptmx", "fd",     "stdin",
                                       "stdout", "stderr", "shm",  "mqueue", "console"};
    DIR *d = opendir("/dev");
    struct dirent *e;
    while (d && (e = readdir(d))) {
        bool known = e->d_name[0] == '.';
        for (size_t i = 0; !known && i < sizeof(good) / sizeof(good[0]); i++)
            known = strcmp(e->d_name, good[i]) == 0;
        if (!known) {
            inside_say("/dev/%s", e->d_name);
            return HOLE;
        }
    }
    return HELD;
}

static int c_dev_new(void)
{
    return inside_not_opened("/dev/audit", O_CREAT | O_WRONLY);
}
static int c_dev_new_folder(void)
{
    return inside_refused(mkdir("/dev/audit", 0755));
}
static int c_dev_unlink(void)
{
    return inside_refused(unlink("/dev/null"));
}
static int c_dev_rename(void)
{
    return inside_refused(rename("/dev/null", "/dev/zero"));
}
static int c_dev_chmod(void)
{
    return inside_refused(chmod("/dev/null", 0600));
}

static int c_mknod(void)
{
    static const struct {
        unsigned mode, major, minor;
    } nodes[] = {
        {S_IFCHR, 1,   1  },
        {S_IFCHR, 1,   3  },
        {S_IFCHR, 10,  200},
        {S_IFCHR, 10,  232},
        {S_IFBLK, 8,   0  },
        {S_IFBLK, 254, 0  },
        {S_IFBLK, 259, 0  },
        {S_IFCHR, 0,   0  }
    };
    static const char *const places[] = {"/tmp/node", "/dev/node", "/dev/shm/node", "/node"};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        for (size_t k = 0; k < 4; k++)
            if (mknod(places[k], nodes[i].mode | 0666, makedev(nodes[i].major, nodes[i].minor)) ==
                0) {
                inside_say("%s %u:%u", places[k], nodes[i].major, nodes[i].minor);
                return HOLE;
            }
    return HELD;
}

static int c_raw_devices(void)
{
    static const char *const paths[] = {
        "/dev/mem",          "/dev/kmem",        "/dev/port",         "/dev/kmsg",
        "/dev/kvm",          "/dev/fuse",        "/dev/net/tun",      "/dev/sda",
        "/dev/vda",          "/dev/nvme0n1",     "/dev/loop-control", "/dev/mapper/control",
        "/dev/input/event0", "/dev/snd",         "/dev/dri",          "/dev/tty0",
        "/dev/tty1",         "/dev/ttyS0",       "/dev/console",      "/dev/vcs",
        "/dev/uinput",       "/dev/vhost-net",   "/dev/vsock",        "/dev/hpet",
        "/dev/rtc0",         "/dev/userfaultfd", "/dev/watchdog",     "/dev/hwrng"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (open(paths[i], O_RDONLY | O_NONBLOCK | O_NOCTTY) >= 0) {
            inside_say("%s", paths[i]);
            return HOLE;
        }
    return HELD;
}

static int c_console_of_others(void)
{
    DIR *d = opendir("/dev/pts");
    struct dirent *e;
    int count = 0;
    while (d && (e = readdir(d)))
        count += is_number(e->d_name);
    inside_say("%d ptys", count);
    return count <= 1 ? HELD : HOLE;
}

static int c_controlling_terminal(void)
{
    return *inside_fact("terminal") ? SKIP : inside_not_opened("/dev/tty", O_RDWR);
}

/* --- mounts and roots ----------------------------------------------------------------------- */

static int c_mount_options(void)
{
    static char copy[65536];
    strcpy(copy, inside_read("/proc/self/mountinfo"));
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        char at[1000] = "", options[300] = "";
        sscanf(line, "%*s %*s %*s %*s %999s %299s", at, options);
        if (!strstr(options, "nosuid")) {
            inside_say("%s: %s", at, options);
            return HOLE;
        }
        bool device = strncmp(at, "/dev/", 5) == 0;
        if (!device && !strstr(options, "nodev")) {
            inside_say("%s: %s", at, options);
            return HOLE;
        }
        if (strstr(line, " shared:") || strstr(line, " master:")) {
            inside_say("%s is shared or a slave", at);
            return HOLE;
        }
    }
    return HELD;
}

/* Nothing in the list of mounts tells where things lie on the host. */
static int c_mount_paths(void)
{
    const char *home = inside_fact("home"), *text = inside_read("/proc/self/mountinfo");
    if (*home && strstr(text, home)) {
        inside_say("the home folder is named");
        return HOLE;
    }
    return HELD;
}

static int c_remount(void)
{
    static const char *const at[] = {"/proc/sys", "/dev", "/", "/usr", "/sys/devices/system/cpu"};
    for (size_t i = 0; i < 5; i++)
        if (mount(NULL, at[i], NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
            return HOLE;
    return HELD;
}

static int c_dotdot(void)
{
    struct stat root, up;
    int fd = open("/", O_PATH);
    for (int i = 0; i < 64; i++)
        fd = openat(fd, "..", O_PATH);
    stat("/", &root);
    fstat(fd, &up);
    return root.st_ino == up.st_ino && root.st_dev == up.st_dev ? HELD : HOLE;
}

static int c_root_of_init(void)
{
    return inside_not_opened("/proc/1/root", O_RDONLY | O_DIRECTORY);
}
static int c_cwd_of_init(void)
{
    return inside_not_opened("/proc/1/cwd", O_RDONLY | O_DIRECTORY);
}

/* Descriptors that were open before us, and whether one of them leads out. */
static int c_inherited(void)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    while (d && (e = readdir(d))) {
        int fd = atoi(e->d_name);
        char link[300] = "";
        if (e->d_name[0] == '.' || fd == dirfd(d))
            continue;
        if (readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1) < 0)
            continue;
        struct stat st;
        if (fstat(fd, &st) < 0)
            continue;
        if (fd > 2 || S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
            inside_say("%d is %s", fd, link);
            return HOLE;
        }
    }
    return HELD;
}

static int c_working_folder(void)
{
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof(cwd)) || cwd[0] != '/')
        return HOLE;
    inside_say("%s", cwd);
    return HELD;
}

static int c_host_writes(void)
{
    static const char *const paths[] = {"/usr/audit-was-here",     "/etc/audit-was-here",
                                        "/opt/audit-was-here",     "/audit-was-here",
                                        "/var/audit-was-here",     "/tmp/audit-was-here",
                                        "/var/tmp/audit-was-here", "/root/audit-was-here",
                                        "/home/audit-was-here",    "/srv/audit-was-here"};
    /* the starter looks afterwards whether any of these is on the host */
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int fd = open(paths[i], O_CREAT | O_WRONLY, 0644);
        if (fd >= 0)
            close(fd);
    }
    int fd = open("/etc/passwd", O_WRONLY | O_APPEND);
    if (fd >= 0 && write(fd, "audit-was-here\n", 15) != 15)
        inside_say("not written");
    return HELD;
}

/* --- set-id, capabilities, programs ----------------------------------------------------------- */

static int c_chmod_setid(void)
{
    static const unsigned modes[] = {04755, 02755, 06755};
    int fd = open("/tmp/audit-suid", O_CREAT | O_RDWR, 0755);
    struct stat st;
    for (size_t i = 0; i < 3; i++) {
        chmod("/tmp/audit-suid", modes[i]);
        fchmod(fd, modes[i]);
        fchmodat(AT_FDCWD, "/tmp/audit-suid", modes[i], 0);
        syscall(452, AT_FDCWD, "/tmp/audit-suid", modes[i], 0);
        close(open("/tmp/audit-suid2", O_CREAT | O_RDWR, modes[i]));
        close(creat("/tmp/audit-suid3", modes[i]));
        mknod("/tmp/audit-suid4", S_IFREG | modes[i], 0);
        int t = open("/tmp", O_TMPFILE | O_RDWR, modes[i]);
        if (t >= 0 && fstat(t, &st) == 0 && (st.st_mode & 06000))
            return HOLE;
    }
    for (int i = 1; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/tmp/audit-suid%.*d", i > 1, i);
        if (stat(path, &st) == 0 && (st.st_mode & 06000)) {
            inside_say("%s has mode %o", path, st.st_mode);
            return HOLE;
        }
    }
    return HELD;
}

static int c_openat2_setid(void)
{
    uint64_t how[3] = {O_CREAT | O_WRONLY, 04755, 0};
    long fd = syscall(437, AT_FDCWD, "/tmp/audit-suid5", how, sizeof(how));
    return inside_refused(fd);
}

static int c_file_capability(void)
{
    static const unsigned char cap[20] = {0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};
    close(open("/tmp/audit-cap", O_CREAT | O_RDWR, 0755));
    return inside_refused(setxattr("/tmp/audit-cap", "security.capability", cap, sizeof(cap), 0));
}

static int c_trusted_attribute(void)
{
    close(open("/tmp/audit-x", O_CREAT | O_RDWR, 0755));
    return inside_refused(setxattr("/tmp/audit-x", "trusted.overlay.opaque", "y", 1, 0));
}

/* The kernel may keep such a word under another name; it must not obey it. */
static int c_overlay_attribute(void)
{
    struct stat st;
    setxattr("/usr/bin", "user.overlay.opaque", "y", 1, 0);
    setxattr("/usr/local/bin", "user.overlay.opaque", "y", 1, 0);
    setxattr("/usr/bin/true", "user.overlay.redirect", "/etc/shadow", 11, 0);
    inside_say("not obeyed");
    return stat("/usr/bin/true", &st) == 0 && S_ISREG(st.st_mode) ? HELD : HOLE;
}

/* The host's own set-id programs give nothing. */
static int c_host_setid(void)
{
    static const char *const programs[] = {
        "/bin/su",         "/usr/bin/su",        "/usr/bin/sudo", "/usr/bin/mount",
        "/usr/bin/passwd", "/usr/bin/newuidmap", "/usr/bin/ping"};
    uid_t uid = getuid();
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (access(programs[i], X_OK) < 0)
            continue;
        int p[2];
        if (pipe(p) < 0)
            return SKIP;
        pid_t pid = fork();
        if (pid == 0) {
            dup2(p[0], 0);
            close(p[1]);
            close(1);
            close(2);
            execl(programs[i], programs[i], NULL);
            _exit(1);
        }
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        for (int k = 0; k < 50; k++) {
            const char *at = strstr(inside_read(path), "Uid:");
            unsigned real, effective;
            if (at && sscanf(at, "Uid: %u %u", &real, &effective) == 2 && effective != uid) {
                inside_say("%s runs as %u", programs[i], effective);
                return HOLE;
            }
        }
        close(p[1]);
    }
    return HELD;
}

static int c_init_program_write(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/1/exe", "x", NULL);
        _exit(1);
    }
    return inside_not_opened("/proc/1/exe", O_WRONLY);
}

static int c_init_program(void)
{
    return inside_not_opened("/proc/1/exe", O_RDONLY);
}

static int c_link_to_host_file(void)
{
    return link("/usr/bin/su", "/usr/bin/audit-su") < 0 ? HELD : SKIP;
}

static int c_immutable(void)
{
    int fd = open("/tmp/audit-i", O_CREAT | O_RDWR, 0644), flags = 0x10;
    return inside_refused(syscall(SYS_ioctl, fd, 0x40086602, &flags));
}

static int c_namespace_files(void)
{
    /* NS_GET_PARENT, NS_GET_USERNS: the doors to the namespaces above */
    int fd = open("/proc/self/ns/user", O_RDONLY);
    if (fd < 0)
        return HELD;
    return inside_refused(syscall(SYS_ioctl, fd, 0xb702, 0));
}

const struct check checks_files[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(core_pattern),
    ROW(sysrq),
    ROW(modprobe),
    ROW(binfmt),
    ROW(uevent_helper),
    ROW(proc_silent),
    ROW(proc_writable),
    ROW(sys_writable),
    ROW(sysctl_net),
    ROW(kernel_addresses),
    ROW(pagemap),
    ROW(sys_hardware),
    ROW(cgroup_files),
    ROW(cgroup_names),
    ROW(dev_contents),
    ROW(dev_new),
    ROW(dev_new_folder),
    ROW(dev_unlink),
    ROW(dev_rename),
    ROW(dev_chmod),
    ROW(mknod),
    ROW(raw_devices),
    ROW(console_of_others),
    ROW(controlling_terminal),
    ROW(mount_options),
    ROW(mount_paths),
    ROW(remount),
    ROW(dotdot),
    ROW(root_of_init),
    ROW(cwd_of_init),
    ROW(inherited),
    ROW(working_folder),
    ROW(host_writes),
    ROW(chmod_setid),
    ROW(openat2_setid),
    ROW(file_capability),
    ROW(trusted_attribute),
    ROW(overlay_attribute),
    ROW(host_setid),
    ROW(init_program),
    ROW(init_program_write),
    ROW(link_to_host_file),
    ROW(immutable),
    ROW(namespace_files),
    {NULL, NULL},
};
