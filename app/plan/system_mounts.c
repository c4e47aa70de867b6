/* What every root has: /proc, /sys and /dev, as little of each as programs can do with. */
#include "app/plan/build.h"

enum { PTYS_MAX = 64 };

/*
 * Files of proc that concern the whole machine, other workloads or nobody. The OCI default and
 * more: locks and keys of neighbours, addresses of the kernel's code, lists of hardware, and files
 * that anybody may write.
 */
static const char *const proc_hidden[] = {
    "/proc/acpi",        "/proc/asound",      "/proc/bootconfig",    "/proc/bus",
    "/proc/cmdline",     "/proc/config.gz",   "/proc/diskstats",     "/proc/driver",
    "/proc/fs",          "/proc/interrupts",  "/proc/iomem",         "/proc/ioports",
    "/proc/irq",         "/proc/kallsyms",    "/proc/kcore",         "/proc/key-users",
    "/proc/keys",        "/proc/kmsg",        "/proc/latency_stats", "/proc/locks",
    "/proc/mdstat",      "/proc/modules",     "/proc/mtrr",          "/proc/partitions",
    "/proc/pressure",    "/proc/sched_debug", "/proc/schedstat",     "/proc/scsi",
    "/proc/softirqs",    "/proc/swaps",       "/proc/sysrq-trigger", "/proc/timer_list",
    "/proc/timer_stats", "/proc/tty",
};

/* Of sysfs programs want to know how many processors there are; nothing else of it is shown. */
static const char *const sys_shown[] = {"/sys/devices/system/cpu", "/sys/devices/system/node"};

const char *const *plan_proc_hidden(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(proc_hidden);
    return proc_hidden;
}

void build_proc(struct build *b)
{
    build_step(b, PLAN_MOUNT_PROC, NULL, "/proc", PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(proc_hidden); i++)
        build_step(b, PLAN_MOUNT_MASK, NULL, proc_hidden[i], 0);
    build_step(b, PLAN_MOUNT_READONLY, NULL, "/proc/sys", 0);
    build_boot_id(b);
}

void build_sys(struct build *b)
{
    build_dir(b, "/sys", 0755, 0);
    for (size_t i = 0; i < ARRAY_SIZE(sys_shown); i++)
        build_step(b, PLAN_MOUNT_BIND, sys_shown[i], sys_shown[i],
                   PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC | PLAN_MOUNT_RO | PLAN_MOUNT_OPTIONAL);
}

void build_dev(struct build *b)
{
    static const struct {
        const char *target, *source;
    } links[] = {
        {"/dev/ptmx",   "pts/ptmx"       },
        {"/dev/fd",     "/proc/self/fd"  },
        {"/dev/stdin",  "/proc/self/fd/0"},
        {"/dev/stdout", "/proc/self/fd/1"},
        {"/dev/stderr", "/proc/self/fd/2"},
    };
    build_tmpfs(b, "/dev", 0755, 65536, PLAN_MOUNT_NOEXEC);
    for (size_t i = 0; b->host->devices && b->host->devices[i]; i++) {
        autofree char *path = str_join_path("/dev", b->host->devices[i]);
        build_step(b, PLAN_MOUNT_DEVICE, path, path, PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC);
    }
    for (size_t i = 1; i <= plan_more_disks(b->p); i++) {
        autofree char *serial = str_format(PLAN_DISK_SOURCE "%zu", i);
        autofree char *path = str_format("/dev/" PLAN_DISK "%zu", i);
        build_step(b, PLAN_MOUNT_DEVICE, serial, path, PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC);
    }
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        build_step(b, PLAN_MOUNT_SYMLINK, links[i].source, links[i].target, 0);
    struct plan_mount *pts =
        build_step(b, PLAN_MOUNT_DEVPTS, NULL, "/dev/pts", PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC);
    pts->size = PTYS_MAX;
    build_tmpfs(b, "/dev/shm", 01777, 64u << 20, PLAN_MOUNT_NOEXEC);
    build_step(b, PLAN_MOUNT_MQUEUE, NULL, "/dev/mqueue", PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC);
    build_step(b, PLAN_MOUNT_READONLY, NULL, "/dev", 0);
}
