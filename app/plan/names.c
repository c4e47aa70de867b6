#include "app/plan/names.h"

const char *const plan_boundary_names[] = {"container", "sandbox", "microvm", "vm", NULL};
const char *const plan_network_names[] = {"none", "private", "allow-list", "host", NULL};
const char *const plan_keep_names[] = {"never", "on-failure", "always", NULL};
const char *const plan_restart_names[] = {"no", "on-failure", "always", NULL};
const char *const plan_snapshot_names[] = {"none", "files", "memory", NULL};
const char *const plan_namespace_names[] = {"user", "mount",  "pid",  "net", "uts",
                                            "ipc",  "cgroup", "time", NULL};
const char *const plan_open_names[] = {"keyring", "core-dumps", "io-uring", "bpf",  "userfaultfd",
                                       "userns",  "vsock",      "ptrace",   "perf", NULL};
const char *const plan_map_names[] = {"self", "parent", "helper", NULL};
const char *const plan_mount_names[] = {
    "overlay", "bind", "tmpfs",     "proc", "sysfs",   "devpts", "mqueue", "cgroup",
    "device",  "mask", "read-only", "dir",  "symlink", "file",   "copy",   NULL};
const char *const plan_flag_names[] = {"ro",       "nosuid", "nodev", "noexec",
                                       "optional", "owned",  "lent",  "kept",  NULL};
const char *const plan_accel_names[] = {"kvm", "tcg", NULL};
const char *const plan_landlock_names[] = {"no", "auto", "yes", NULL};

/* In the order of capabilities(7)'s numbers. */
const char *const plan_capability_names[] = {
    "chown",
    "dac-override",
    "dac-read-search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux-immutable",
    "net-bind-service",
    "net-broadcast",
    "net-admin",
    "net-raw",
    "ipc-lock",
    "ipc-owner",
    "sys-module",
    "sys-rawio",
    "sys-chroot",
    "sys-ptrace",
    "sys-pacct",
    "sys-admin",
    "sys-boot",
    "sys-nice",
    "sys-resource",
    "sys-time",
    "sys-tty-config",
    "mknod",
    "lease",
    "audit-write",
    "audit-control",
    "setfcap",
    "mac-override",
    "mac-admin",
    "syslog",
    "wake-alarm",
    "block-suspend",
    "audit-read",
    "perfmon",
    "bpf",
    "checkpoint-restore",
    NULL,
};

const char *const plan_rlimit_names[] = {
    "as",     "core",  "cpu", "data",   "fsize",  "locks",      "memlock", "msgqueue", "nice",
    "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",   NULL,
};

int plan_name_find(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool plan_is_machine(const struct plan *p)
{
    return p->boundary == PLAN_MICROVM || p->boundary == PLAN_VM;
}

const char *plan_boundary_name(enum plan_boundary b)
{
    return plan_boundary_names[b];
}

const char *plan_capability_name(unsigned capability)
{
    return capability < ARRAY_SIZE(plan_capability_names) - 1 ? plan_capability_names[capability]
                                                              : NULL;
}
