#include "app/plan/names.h"

#include "profiles/forms.h"

#include <sys/resource.h>

const char *const plan_boundary_names[] = {"container", "sandbox", "microvm", "vm", NULL};
const char *const plan_network_names[] = {"none", "private", "allow-list", "host", NULL};
const char *const plan_keep_names[] = {"never", "on-failure", "always", NULL};
const char *const plan_restart_names[] = {"no", "on-failure", "always", NULL};
const char *const plan_snapshot_names[] = {"none", "files", "memory", NULL};
const char *const plan_disks_names[] = {"linked", "copied", "full", NULL};
const char *const plan_namespace_names[] = {"user", "mount",  "pid",  "net", "uts",
                                            "ipc",  "cgroup", "time", NULL};
const char *const plan_open_names[] = {"keyring", "core-dumps", "io-uring", "bpf",  "userfaultfd",
                                       "userns",  "vsock",      "ptrace",   "perf", NULL};
const char *const plan_map_names[] = {"self", "parent", "helper", NULL};
const char *const plan_mount_names[] = {
    "overlay", "bind", "tmpfs",     "proc", "sysfs",   "devpts", "mqueue", "cgroup",
    "device",  "mask", "read-only", "dir",  "symlink", "file",   "copy",   NULL};
const char *const plan_flag_names[] = {"ro",     "nosuid",   "nodev", "noexec", "optional",
                                       "owned",  "lent",     "kept",  "made",   "public",
                                       "follow", "writable", NULL};
const char *const plan_accel_names[] = {"kvm", "tcg", NULL};
const char *const plan_nested_names[] = {"auto", "no", "yes", NULL};
const char *const plan_landlock_names[] = {"no", "auto", "yes", NULL};

const char *const plan_rlimit_names[] = {
    "as",     "core",  "cpu", "data",   "fsize",  "locks",      "memlock", "msgqueue", "nice",
    "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",   NULL,
};

int plan_rlimit_resource(const char *name)
{
    static const int resources[] = {
        RLIMIT_AS,     RLIMIT_CORE,   RLIMIT_CPU,        RLIMIT_DATA,
        RLIMIT_FSIZE,  RLIMIT_LOCKS,  RLIMIT_MEMLOCK,    RLIMIT_MSGQUEUE,
        RLIMIT_NICE,   RLIMIT_NOFILE, RLIMIT_NPROC,      RLIMIT_RSS,
        RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
    };
    _Static_assert(ARRAY_SIZE(resources) + 1 == ARRAY_SIZE(plan_rlimit_names), "a number for each");
    int at = plan_name_find(plan_rlimit_names, name);
    return at < 0 ? at : resources[at];
}

int plan_name_find(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool plan_runtime_is(const char *runtime, const char *name)
{
    const char *slash = strrchr(runtime, '/');
    return str_equal(runtime[0] == '/' ? slash + 1 : runtime, name);
}

static bool runtime_is_of_microvms(const char *runtime)
{
    return str_equal(runtime, "qemu") || plan_runtime_is(runtime, "firecracker") ||
           plan_runtime_is(runtime, "cloud-hypervisor");
}

bool plan_runtime_warms(const char *runtime)
{
    return runtime_is_of_microvms(runtime);
}

bool plan_runtime_leads_out(const char *runtime)
{
    return runtime_is_of_microvms(runtime);
}

bool plan_runtime_shares(const char *runtime, const char *how)
{
    return str_equal(runtime, "qemu") ||
           (str_equal(how, "virtiofs") && plan_runtime_is(runtime, "cloud-hypervisor"));
}

bool plan_memory_is_one_piece(const struct plan_machine *m)
{
    return str_equal(m->type, "microvm") || m->memory <= 2ull << 30;
}

bool plan_is_machine(const struct plan *p)
{
    return p->boundary == PLAN_MICROVM || p->boundary == PLAN_VM;
}

bool plan_mount_is_one(enum plan_mount_kind kind)
{
    switch (kind) {
    case PLAN_MOUNT_OVERLAY:
    case PLAN_MOUNT_BIND:
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_PROC:
    case PLAN_MOUNT_SYSFS:
    case PLAN_MOUNT_DEVPTS:
    case PLAN_MOUNT_MQUEUE:
    case PLAN_MOUNT_CGROUP:
    case PLAN_MOUNT_DEVICE:
        return true;
    case PLAN_MOUNT_MASK:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_DIR:
    case PLAN_MOUNT_SYMLINK:
    case PLAN_MOUNT_FILE:
    case PLAN_MOUNT_COPY:
        break;
    }
    return false;
}

const char *plan_boundary_name(enum plan_boundary b)
{
    return plan_boundary_names[b];
}

const char *plan_capability_name(unsigned capability)
{
    return capability < FORM_CAPABILITIES ? form_capability_names[capability] : NULL;
}
