#include "app/plan/fields.h"

#define AT(member) offsetof(struct plan, member)
#define MOUNT(member) offsetof(struct plan_mount, member)

// clang-format off
static const struct field map_fields[] = {
    {"inside",  FIELD_UINT, offsetof(struct plan_id_map, inside)},
    {"outside", FIELD_UINT, offsetof(struct plan_id_map, outside)},
    {"count",   FIELD_UINT, offsetof(struct plan_id_map, count)},
    {0},
};

/* A plan has a hundred steps and more: what says nothing is left out. */
static const struct field mount_fields[] = {
    {"kind",    FIELD_WORD, MOUNT(kind), .names = plan_mount_names},
    {"source",  FIELD_TEXT, MOUNT(source)},
    {"target",  FIELD_TEXT, MOUNT(target)},
    {"content", FIELD_TEXT, MOUNT(content)},
    {"layers",  FIELD_TEXTS, MOUNT(layers), .brief = true},
    {"layers_owner", FIELD_UINT, MOUNT(layers_owner), .brief = true},
    {"flags",   FIELD_BITS, MOUNT(flags), .names = plan_flag_names, .brief = true},
    {"mode",    FIELD_UINT, MOUNT(mode), .brief = true},
    {"size",    FIELD_U64,  MOUNT(size), .brief = true},
    {"origin",  FIELD_TEXT, MOUNT(origin)},
    {0},
};

static const struct field limits_fields[] = {
    {"memory",      FIELD_U64,  offsetof(struct plan_limits, memory)},
    {"swap",        FIELD_U64,  offsetof(struct plan_limits, swap)},
    {"disk",        FIELD_U64,  offsetof(struct plan_limits, disk)},
    {"pids",        FIELD_U64,  offsetof(struct plan_limits, pids)},
    {"cpu_milli",   FIELD_UINT, offsetof(struct plan_limits, cpu_milli)},
    {"io_weight",   FIELD_UINT, offsetof(struct plan_limits, io_weight)},
    {"nice",        FIELD_INT,  offsetof(struct plan_limits, nice)},
    {"best_effort", FIELD_BOOL, offsetof(struct plan_limits, best_effort)},
    {0},
};

static const struct field rlimit_fields[] = {
    {"name", FIELD_RLIMIT, offsetof(struct plan_rlimit, name)},
    {"soft", FIELD_U64,    offsetof(struct plan_rlimit, soft)},
    {"hard", FIELD_U64,    offsetof(struct plan_rlimit, hard)},
    {0},
};

static const struct field sysctl_fields[] = {
    {"path",  FIELD_TEXT, offsetof(struct plan_sysctl, path)},
    {"value", FIELD_TEXT, offsetof(struct plan_sysctl, value)},
    {0},
};

#define MACHINE(member) offsetof(struct plan_machine, member)
static const struct field machine_fields[] = {
    {"type",      FIELD_TEXT,  MACHINE(type)},
    {"accel",     FIELD_WORD,  MACHINE(accel), .names = plan_accel_names},
    {"cpu_model", FIELD_TEXT,  MACHINE(cpu_model)},
    {"cpus",      FIELD_UINT,  MACHINE(cpus)},
    {"memory",    FIELD_U64,   MACHINE(memory)},
    {"warm",      FIELD_BOOL,  MACHINE(warm)},
    {"choice",    FIELD_TEXT,  MACHINE(choice), .brief = true},
    {"warmed",    FIELD_TEXT,  MACHINE(warmed)},
    {"warmed_bytes", FIELD_U64, MACHINE(warmed_bytes), .brief = true},
    {"program",   FIELD_TEXT,  MACHINE(program)},
    {"version",   FIELD_TEXT,  MACHINE(version)},
    {"jailer",    FIELD_TEXT,  MACHINE(jailer)},
    {"no_jailer", FIELD_TEXT,  MACHINE(no_jailer), .brief = true},
    {"files",     FIELD_TEXTS, MACHINE(files)},
    {"no_kvm",    FIELD_TEXT,  MACHINE(no_kvm)},
    {"tsc_khz",   FIELD_U64,   MACHINE(tsc_khz)},
    {"kernel",    FIELD_TEXT,  MACHINE(kernel)},
    {"no_kernel", FIELD_TEXT,  MACHINE(no_kernel)},
    {"release",   FIELD_TEXT,  MACHINE(release)},
    {"initramfs", FIELD_TEXT,  MACHINE(initramfs)},
    {"root",      FIELD_TEXT,  MACHINE(root)},
    {"root_type", FIELD_TEXT,  MACHINE(root_type)},
    {"uri",       FIELD_TEXT,  MACHINE(uri), .brief = true},
    {"client",    FIELD_TEXTS, MACHINE(client), .brief = true},
    {"folder",    FIELD_TEXT,  MACHINE(folder), .brief = true},
    {"sockets",   FIELD_TEXT,  MACHINE(sockets), .brief = true},
    {"firmware",  FIELD_TEXT,  MACHINE(firmware), .brief = true},
    {"loader",    FIELD_TEXT,  MACHINE(loader), .brief = true},
    {"vars",      FIELD_TEXT,  MACHINE(vars), .brief = true},
    {"disks",     FIELD_TEXTS, MACHINE(disks), .brief = true},
    {"disk_size", FIELD_U64,   MACHINE(disk_size), .brief = true},
    {"cdroms",    FIELD_TEXTS, MACHINE(cdroms), .brief = true},
    {"gpu",       FIELD_TEXT,  MACHINE(gpu), .brief = true},
    {"devices",   FIELD_TEXTS, MACHINE(devices), .brief = true},
    {"tpm",       FIELD_BOOL,  MACHINE(tpm), .brief = true},
    {"window",    FIELD_BOOL,  MACHINE(window), .brief = true},
    {"iommu",     FIELD_BOOL,  MACHINE(iommu), .brief = true},
    {0},
};

const struct field plan_fields[] = {
    {"id",          FIELD_TEXT,  AT(id)},
    {"name",        FIELD_TEXT,  AT(name)},
    {"profile",     FIELD_TEXT,  AT(profile)},
    {"boundary",    FIELD_WORD,  AT(boundary), .names = plan_boundary_names},
    {"runtime",     FIELD_TEXT,  AT(runtime)},
    {"image",       FIELD_TEXT,  AT(image)},

    {"argv",        FIELD_TEXTS, AT(argv)},
    {"env",         FIELD_TEXTS, AT(env)},
    {"cwd",         FIELD_TEXT,  AT(cwd)},
    {"uid",         FIELD_UINT,  AT(uid)},
    {"gid",         FIELD_UINT,  AT(gid)},
    {"groups",      FIELD_IDS,   AT(groups), .count = AT(groups_count)},
    {"user_name",   FIELD_TEXT,  AT(user_name)},
    {"home",        FIELD_TEXT,  AT(home)},
    {"terminal",    FIELD_BOOL,  AT(terminal)},
    {"umask",       FIELD_UINT,  AT(umask)},

    {"namespaces",  FIELD_BITS,  AT(namespaces), .names = plan_namespace_names},
    {"map_by",      FIELD_WORD,  AT(map_by), .names = plan_map_names},
    {"uid_map",     FIELD_LIST,  AT(uid_map), .rows = map_fields, .size = sizeof(struct plan_id_map),
     .count = AT(uid_map_count), .most = ARRAY_SIZE(((struct plan *)0)->uid_map)},
    {"gid_map",     FIELD_LIST,  AT(gid_map), .rows = map_fields, .size = sizeof(struct plan_id_map),
     .count = AT(gid_map_count), .most = ARRAY_SIZE(((struct plan *)0)->gid_map)},
    {"kept_groups", FIELD_TEXT,  AT(kept_groups)},
    {"mounts",      FIELD_LIST,  AT(mounts), .rows = mount_fields, .size = sizeof(struct plan_mount),
     .count = AT(mounts_count)},
    {"read_only",   FIELD_BOOL,  AT(read_only)},
    {"scratch",     FIELD_TEXT,  AT(scratch)},
    {"capabilities", FIELD_BITS64, AT(capabilities), .names = plan_capability_names},
    {"no_new_privileges", FIELD_BOOL, AT(no_new_privileges)},
    {"seccomp",     FIELD_BOOL,  AT(seccomp)},
    {"open",        FIELD_BITS,  AT(open), .names = plan_open_names},
    {"landlock",    FIELD_WORD,  AT(landlock), .names = plan_landlock_names},
    {"apparmor",    FIELD_TEXT,  AT(apparmor)},
    {"selinux",     FIELD_TEXT,  AT(selinux)},
    {"platform",    FIELD_TEXT,  AT(platform)},
    {"hostname",    FIELD_TEXT,  AT(hostname)},
    {"sysctls",     FIELD_LIST,  AT(sysctls), .rows = sysctl_fields,
     .size = sizeof(struct plan_sysctl), .count = AT(sysctls_count)},
    {"network",     FIELD_WORD,  AT(network), .names = plan_network_names},
    {"limits",      FIELD_OBJECT, AT(limits), .rows = limits_fields},
    {"rlimits",     FIELD_LIST,  AT(rlimits), .rows = rlimit_fields,
     .size = sizeof(struct plan_rlimit), .count = AT(rlimits_count),
     .most = ARRAY_SIZE(((struct plan *)0)->rlimits)},
    {"machine",     FIELD_OBJECT, AT(machine), .rows = machine_fields, .brief = true},

    {"keep",        FIELD_WORD,  AT(keep), .names = plan_keep_names},
    {"restart",     FIELD_WORD,  AT(restart), .names = plan_restart_names},
    {"restart_most", FIELD_UINT, AT(restart_most)},
    {"time_limit_ms", FIELD_U64, AT(time_limit_ms)},
    {"idle_limit_ms", FIELD_U64, AT(idle_limit_ms)},
    {"stop_signal", FIELD_INT,   AT(stop_signal)},
    {"stop_grace_ms", FIELD_U64, AT(stop_grace_ms)},
    {"scrollback",  FIELD_UINT,  AT(scrollback)},
    {"record",      FIELD_BOOL,  AT(record)},
    {"detach_keys", FIELD_TEXT,  AT(detach_keys)},
    {"labels",      FIELD_TEXTS, AT(labels)},
    {"snapshot_on_exit", FIELD_BOOL, AT(snapshot_on_exit), .brief = true},
    {"snapshot",    FIELD_TEXT,  AT(snapshot)},
    {"snapshot_path", FIELD_TEXT, AT(snapshot_path)},
    {"snapshot_kind", FIELD_WORD, AT(snapshot_kind), .names = plan_snapshot_names, .brief = true},
    {"origins",     FIELD_ORIGINS, AT(origins)},
    {0},
};
// clang-format on
