/*
 * The plan: everything one launch will do, as data. Built purely, printed by `cofferdam plan`,
 * checked before anything starts, executed in one place by the backend.
 */
#ifndef COFFERDAM_APP_PLAN_PLAN_H
#define COFFERDAM_APP_PLAN_PLAN_H

#include "app/plan/host.h"
#include "base/error.h"
#include "base/str.h"
#include "profiles/settings.h"

#define PLAN_VERSION 1

enum plan_boundary { PLAN_CONTAINER, PLAN_SANDBOX, PLAN_MICROVM, PLAN_VM };
/* With a private network the translator itself answers here, with what the host's own servers say. */
#define PLAN_TRANSLATOR_DNS "10.0.2.3"
/* What a guest with such a network has and whom it asks; its machine's program answers there. */
#define PLAN_GUEST_ADDRESS "10.0.2.15/24"
#define PLAN_GUEST_GATEWAY "10.0.2.2"

enum plan_network {
    PLAN_NETWORK_NONE,
    PLAN_NETWORK_PRIVATE,
    PLAN_NETWORK_ALLOW,
    PLAN_NETWORK_HOST
};
enum plan_keep { PLAN_KEEP_NEVER, PLAN_KEEP_ON_FAILURE, PLAN_KEEP_ALWAYS };
enum plan_snapshot { PLAN_SNAPSHOT_NONE, PLAN_SNAPSHOT_FILES, PLAN_SNAPSHOT_MEMORY };
/* What starts from a snapshot needs that as long as it lives; what it was made from; nothing. */
enum plan_disks { PLAN_DISKS_LINKED, PLAN_DISKS_COPIED, PLAN_DISKS_FULL };
enum plan_restart { PLAN_RESTART_NO, PLAN_RESTART_ON_FAILURE, PLAN_RESTART_ALWAYS };

/* Bits of plan.namespaces. */
enum {
    PLAN_NS_USER = 1,
    PLAN_NS_MOUNT = 2,
    PLAN_NS_PID = 4,
    PLAN_NS_NET = 8,
    PLAN_NS_UTS = 16,
    PLAN_NS_IPC = 32,
    PLAN_NS_CGROUP = 64,
    PLAN_NS_TIME = 128,
};

/* Bits of plan.open: what is closed unless a profile opens it (isolation.open). */
enum {
    PLAN_OPEN_KEYRING = 1,
    PLAN_OPEN_CORE_DUMPS = 2,
    PLAN_OPEN_IO_URING = 4,
    PLAN_OPEN_BPF = 8,
    PLAN_OPEN_USERFAULTFD = 16,
    PLAN_OPEN_USERNS = 32,
    PLAN_OPEN_VSOCK = 64,
    PLAN_OPEN_PTRACE = 128,
    PLAN_OPEN_PERF = 256,
};

/* How the id maps are written. */
enum plan_map_by {
    PLAN_MAP_SELF,   /* one id, by the child itself */
    PLAN_MAP_PARENT, /* a range, by us as root; outside = 0: the backend picks a free range */
    PLAN_MAP_HELPER, /* ranges of /etc/subuid through newuidmap(1) and newgidmap(1) */
};

struct plan_id_map {
    uint32_t inside, outside, count;
};

/*
 * One step in the making of the workload's root, in the order it is done. Targets are absolute
 * paths as the workload will see them; every one is resolved inside the new root, never through a
 * link. The root begins as the empty root/ of the scratch layer (backends/changes.h) unless the
 * plan's first overlay has "/" as its target. A missing target is made, folders above it with mode
 * 0755.
 *
 * A DIR, FILE, SYMLINK or MASK whose target lies below the target of an OVERLAY that comes later is
 * made in that overlay's upper folder before it is mounted, and belongs to the workload's user: no
 * mount is spent on it, and folders of the host that a single id could not write become writable.
 * MASK is a whiteout there. Such a step is skipped if it is a MASK, or has PLAN_MOUNT_OPTIONAL, and
 * the lower folder has nothing (for MASK) or no folder (for DIR) of that path. After its overlay a
 * step acts on the merged tree. What these steps make is no change of the workload's ("made").
 */
enum plan_mount_kind {
    PLAN_MOUNT_OVERLAY, /* source: lower folder on the host; changes go to the scratch layer */
    PLAN_MOUNT_BIND,    /* source: host path; recursive */
    PLAN_MOUNT_TMPFS,   /* size in bytes, mode */
    PLAN_MOUNT_PROC,
    PLAN_MOUNT_SYSFS,
    PLAN_MOUNT_DEVPTS, /* size: max= */
    PLAN_MOUNT_MQUEUE,
    PLAN_MOUNT_CGROUP,
    PLAN_MOUNT_DEVICE, /* source: a device node of the host, bound */
    PLAN_MOUNT_MASK,   /* hide what is there (file: /dev/null; folder: empty, read-only); none: fine
                        */
    PLAN_MOUNT_READONLY, /* bind in place, or, of a mount made before: it alone, read-only; missing:
                            fine */
    PLAN_MOUNT_DIR,      /* make a folder, mode; exists: fine */
    PLAN_MOUNT_SYMLINK,  /* source: what the link says */
    PLAN_MOUNT_FILE,     /* a small file with `content` and mode */
    PLAN_MOUNT_COPY, /* copy-in: source (file or folder on the host) copied into the scratch layer
                      */
};

/* Bits of plan_mount.flags. */
enum {
    PLAN_MOUNT_RO = 1,
    PLAN_MOUNT_NOSUID = 2,
    PLAN_MOUNT_NODEV = 4,
    PLAN_MOUNT_NOEXEC = 8,
    PLAN_MOUNT_OPTIONAL = 16, /* a missing source is no error */
    PLAN_MOUNT_OWNED = 32,    /* what is made belongs to the workload's user, not its root */
    PLAN_MOUNT_KEPT = 128, /* DIR, FILE, SYMLINK, MASK: what the snapshot has at the target stays */
    PLAN_MOUNT_MADE = 256, /* DEVICE: nothing is bound, the one who is started makes it there */
    PLAN_MOUNT_LENT = 64,     /* the files of root, who started it, are the workload's user's in it */
    PLAN_MOUNT_PUBLIC = 512,  /* OVERLAY: of its own entries only those that are for everybody */
    PLAN_MOUNT_FOLLOW = 1024, /* DIR: the image's own links on the way are followed, inside it */
    PLAN_MOUNT_WRITABLE = 2048, /* DIR: it can be written where the rest of the root cannot */
};

struct plan_mount {
    enum plan_mount_kind kind;
    char *source;   /* owned; by kind, else NULL */
    char *target;   /* owned; absolute, inside */
    char *content;  /* owned; FILE only */
    char **layers;  /* owned; OVERLAY only: several lower folders on the host, the lowest (which is
                       `source` as well) first; NULL: `source` alone */
    unsigned layers_owner; /* the first of the host's ids they belong to; 0: the workload's own */
    unsigned flags; /* PLAN_MOUNT_RO … */
    unsigned mode;  /* permission bits; 0: the kind's usual */
    uint64_t size;  /* bytes (TMPFS), ptys (DEVPTS); 0: none said */
    char *origin;   /* owned; "contained.ini:9", "--mount"; NULL: every plan of the kind has it */
};

struct plan_limits {
    uint64_t memory, swap, disk; /* bytes; 0: none (swap: 0 with memory set means no swap) */
    uint64_t pids;               /* 0: none */
    unsigned cpu_milli;          /* thousandths of a processor; 0: none */
    unsigned io_weight;          /* 1 to 10000; 0: none */
    int nice;                    /* 0 to 19 */
    bool best_effort;            /* rlimits may stand in where no cgroup can be had */
};

struct plan_rlimit {
    const char *name;    /* static: "nofile", "core", … as getrlimit(2) without RLIMIT_ */
    uint64_t soft, hard; /* what the backend itself has, if that is less */
};

struct plan_sysctl {
    char *path;  /* owned; below /proc/sys, "user/max_user_namespaces" */
    char *value; /* owned */
};

/* How a machine's processors are made. */
enum plan_accel {
    PLAN_ACCEL_KVM,
    PLAN_ACCEL_TCG, /* emulation: by QEMU's own word no security boundary */
};

/* Whether a guest may run machines of its own on the host's KVM. */
enum plan_nested {
    PLAN_NESTED_AUTO, /* no, where the machine's program can keep it from that: plan_hides_nested() */
    PLAN_NESTED_NO,   /* no, or it is not started */
    PLAN_NESTED_YES,
};

/* A machine as its program (QEMU …) puts it together. Paths are absolute, on the host. */
struct plan_machine {
    char *type; /* owned; "microvm", …; NULL: the plan is no machine's */
    enum plan_accel accel;
    char *cpu_model;  /* owned; NULL: what suits */
    enum plan_nested nested;
    unsigned cpus;    /* whole processors the guest sees */
    uint64_t memory;  /* bytes of the guest */
    bool warm;        /* from a prepared snapshot */
    char *choice;     /* owned; why this runtime, where nobody named one; NULL: somebody did */
    /*
     * Owned; the folder that one is in, or is to be made in; NULL: none. …/WHOSE-OF-SHAPE.warm:
     * once it is there, those of the same WHOSE and another OF are of no use.
     */
    char *warmed;
    uint64_t warmed_bytes; /* what it takes on the disk; 0: this start makes it */
    uint64_t disk_bandwidth;  /* bytes a second; 0: no bound */
    uint64_t disk_operations; /* a second; 0: no bound */
    bool scratch;     /* what changes goes to a disk of limits.disk bytes, not into its memory */
    bool shares;      /* its BINDs, all read-only, are served by its program (9p), or: */
    bool served;      /* by virtiofsd, a process beside it for each */
    char *virtiofsd;  /* owned; NULL: there is none that will do: */
    char *no_virtiofsd;     /* owned; why, with the mend */
    char **virtiofsd_files; /* owned; its libraries */
    char *blank;      /* owned; what that disk begins as; the disk is made beside it, without a name */
    char *no_blank;   /* owned; why there is none, with the mend */
    char *program;    /* owned; NULL: it is not installed */
    char *version;    /* owned; the program's, for people */
    char *jailer;     /* owned; by which root has it started; NULL: by ours alone */
    char *no_jailer;  /* owned; why not by the one that lies beside it; NULL: none does */
    char **files;     /* owned; libraries and firmware: all that the program sees beside itself */
    char *no_kvm;     /* owned; why KVM cannot be had here; NULL: it works */
    uint64_t tsc_khz; /* of the host; 0: not known */
    char *kernel;     /* owned; vmlinux or bzImage; NULL: none was found: */
    char *no_kernel;  /* owned; why, with the mend */
    char *release;    /* owned; the kernel's */
    char *initramfs;  /* owned */
    char *root;       /* owned; the read-only file system image below the layer for the changes */
    char *root_type;  /* owned; "squashfs" */

    /* of a whole machine (the vm boundary) alone */
    char *uri;           /* owned; libvirt's, "qemu:///session" */
    char **client;       /* owned; the environment libvirt's client works in */
    char *folder;        /* owned; made for it: overlays over the disks, variables of the firmware; of a
                            kept workload its scratch, unless QEMU could not get there */
    char *sockets;       /* owned; a folder for its sockets, short */
    char *firmware;      /* owned; "bios", "uefi", "secure-boot" */
    char *loader, *vars; /* owned; UEFI's code and the template of its variables; NULL: by libvirt */
    char **disks;        /* owned; never written; the first is what it boots from; of a microVM
                            plan_more_disks() */
    uint64_t disk_size;  /* bytes the first appears to have; 0: its own */
    char *disk_format;   /* owned; what the first is, to QEMU by itself: "raw", "qcow2" */
    bool clones_fresh;   /* no clone is made of what cannot be told who it is */
    char **cdroms;       /* owned; NULL: none */
    char *card;          /* owned; "passt", "bridge:NAME"; NULL: user */
    bool windows;        /* the guest's system */
    bool install;        /* the first disk is not there yet: what the CDs make of an empty one is put there */
    char *gpu;           /* owned; "none", "virtio", "passthrough" */
    char **devices;      /* owned; NULL: none; "pci:ADDRESS", "usb:VENDOR:PRODUCT" */
    bool tpm, window;
    char *watched; /* owned; not ours to make: the domain whose console is all there is; else NULL */
    bool iommu; /* this host has one */
    char **no_devices;   /* owned; why they cannot be handed over, a sentence each; NULL: they can */
    char **device_notes; /* owned; what handing them over does to this host */
};

struct plan {
    char *id;      /* owned; 12 hex digits, random */
    char *name;    /* owned; unique among the living, [a-zA-Z0-9][a-zA-Z0-9_.-]{0,62} */
    char *profile; /* owned */
    enum plan_boundary boundary;
    char *runtime; /* owned; never "auto" any more */
    char *image;   /* owned; "host", "dir:/path", a name in the store … */

    /* the command */
    char **argv;       /* owned; at least one */
    char **env;        /* owned; complete, nothing is inherited */
    char *cwd;         /* owned; absolute, inside */
    uint32_t uid, gid; /* inside */
    uint32_t *groups;  /* owned; inside */
    size_t groups_count;
    char *user_name; /* owned; for the generated passwd line */
    char *home;      /* owned; inside */
    bool terminal;   /* a pty, else three pipes */
    unsigned umask;

    /* the boundary */
    uint32_t namespaces; /* PLAN_NS_… */
    enum plan_map_by map_by;
    struct plan_id_map uid_map[4], gid_map[4];
    size_t uid_map_count, gid_map_count;
    char *kept_groups; /* owned; the caller's other groups, which a single id cannot leave: "4 27" */
    struct plan_mount *mounts; /* owned */
    size_t mounts_count;
    bool read_only;        /* the root takes no changes at all */
    char *scratch;         /* owned; folder on the host for the changes; NULL: a tmpfs */
    uint64_t capabilities; /* bit n: capability n of capabilities(7) is kept */
    bool no_new_privileges;
    bool seccomp;
    uint32_t open; /* PLAN_OPEN_… */
    enum { PLAN_LANDLOCK_NO, PLAN_LANDLOCK_AUTO, PLAN_LANDLOCK_YES } landlock;
    char *apparmor, *selinux;    /* owned; NULL: none */
    char *platform;              /* owned; gVisor's; NULL: its own choice */
    char *hostname;              /* owned */
    struct plan_sysctl *sysctls; /* owned; written once all namespaces are made */
    size_t sysctls_count;
    enum plan_network network;
    struct plan_limits limits;
    struct plan_rlimit rlimits[16];
    size_t rlimits_count;

    struct plan_machine machine;

    /* its life and its console */
    enum plan_keep keep;
    enum plan_restart restart;
    unsigned restart_most;                 /* 0: no end */
    uint64_t time_limit_ms, idle_limit_ms; /* 0: none */
    int stop_signal;
    uint64_t stop_grace_ms;
    unsigned scrollback; /* lines */
    bool record;         /* keep the console's bytes in a file of the state folder */
    bool snapshot_on_exit;
    char *detach_keys;   /* owned; console.detach-keys as it was said */
    char **labels;       /* owned; KEY=VALUE */

    /*
     * Where it starts from, if not from nothing: a snapshot taken of a workload with this plan but
     * for its identity (plan_renew()). COPY steps are left out then: what they brought is in it.
     */
    enum plan_snapshot snapshot_kind;
    char *snapshot;      /* owned; its id; NULL: none */
    char *snapshot_path; /* owned; on the host: the folder the runtime filled; never written */
    enum plan_disks snapshot_disks; /* of a whole machine */

    char *origins[KEY_COUNT]; /* owned; where each key's value came from; NULL: default */
};

/* What an image of the store is and wants, found out by whoever asks for the plan. All borrowed. */
struct plan_image {
    char *const *layers;   /* folders on the host, the lowest first; at least one */
    unsigned layers_owner; /* as plan_mount's */
    char *const *env, *const *entrypoint, *const *command, *const *volumes, *const *labels;
    const char *workdir, *stop_signal; /* NULL: not said */
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t groups_count;
    const char *user_name, *home; /* of the image's passwd(5); NULL: not in it */
};

/* What a machine can be put together from here, found out by whoever asks. All borrowed. */
struct plan_parts {
    const char *runtime;           /* what "auto" means here; NULL: the first of the boundary */
    const char *choice;            /* why; NULL: it was named */
    const char *program, *version; /* as plan_machine's */
    const char *jailer, *no_jailer;
    char *const *files;
    const char *no_kvm;
    uint64_t tsc_khz;
    const char *kernel, *no_kernel, *release, *initramfs;
    const char *root, *root_type;
    const char *blank, *no_blank;
    const char *virtiofsd, *no_virtiofsd;
    char *const *virtiofsd_files;
    const char *disk_format; /* of the disk it boots, to QEMU by itself */
    uint64_t disk_size;      /* that the guest sees, bytes */
    const char *uri, *folder, *sockets, *loader, *vars; /* of a vm; folder: where each gets its own */
    char *const *client;
    bool iommu;
    char *const *no_devices, *const *device_notes;
    bool away; /* of a vm: `folder` is where QEMU may get to, and no folder of ours else is */
};

/* What the command line adds to the settings. All borrowed. */
struct plan_request {
    const char *id, *name; /* name NULL: made from the profile and the id */
    const char *profile;
    char *const *argv;       /* NULL: the settings' workload.command, the image's, else a shell */
    char *const *env;        /* KEY=VALUE from --env */
    const char *term;        /* for terminals; NULL: xterm-256color, what the emulator is */
    bool terminal_wanted;    /* stdin and stdout are terminals, or --tty */
    const char *cwd;         /* the caller's, absolute: what "." and "./x" mean; NULL: refused */
    char *const *caller_env; /* for variables named without a value; NULL: none */
    const char *scratch;     /* folder for the changes of a kept workload; NULL: a tmpfs */
    const struct plan_image *image; /* where files.image is a name of the store; NULL: it has none */
    const struct plan_parts *parts; /* for machines; NULL: nobody looked */
    const char *entrypoint; /* instead of the image's; "": none; NULL: the image's */
};

/*
 * Builds a plan from settings (profile, workload file and flags already merged) and facts. Pure:
 * opens nothing, starts nothing, prints nothing. -EINVAL with what contradicts what, with origins.
 */
int plan_build(const struct settings *s, const struct plan_request *r, const struct plan_host *host,
               struct plan **ret, struct error *e);
/*
 * What can be told of a plan before there are facts to build it from: the runtime (a literal) and
 * its namespaces, but for those the host may lack (PLAN_NS_TIME). A guess: the plan decides.
 * Nothing is told (false) where it could not be used.
 */
bool plan_foresee(const struct settings *s, const char **ret_runtime, uint32_t *ret_shape);
void plan_free(struct plan *p); /* NULL and half-built are fine */
DEFINE_CLEANUP(struct plan *, plan_free);

/* Who a clone is, and what it stands on. All borrowed. */
struct plan_renewal {
    const char *id, *name;
    bool fresh;          /* it is another one: a clone, not the same brought back */
    const char *scratch; /* as plan_request's */
    const char *snapshot, *snapshot_path;
    enum plan_snapshot kind;
    enum plan_disks disks;
};

/* The snapshot's id without which it cannot go on, or begin again; NULL: none. Borrowed. */
const char *plan_stands_on(const struct plan *p);

/*
 * Makes the plan of a snapshot that of a new workload which starts from it. With `fresh` the host name
 * and machine-id, and the files that hold them, are new; boot_id always is. The boundary, limits and
 * all else are as they were. Nothing is copied in a second time, and what set-up had made and the
 * workload may have changed since stays as the snapshot has it: those steps get PLAN_MOUNT_KEPT.
 */
void plan_renew(struct plan *p, const struct plan_renewal *r);

/*
 * A sentence of what goes on as another one from a snapshot with memory and has nobody of ours in
 * it, and of the same where the machine has a generation id.
 */
#define PLAN_SAME_INSIDE                                                                           \
    "nobody tells it that it is another one now: machine-id, host name, keys, hardware address "   \
    "and clock are those of the one it is from, and its random numbers too"
#define PLAN_SAME_BUT_STIRRED                                                                      \
    PLAN_SAME_INSIDE ", unless its kernel heeds the machine's generation id (Windows since 8, "    \
                     "Linux since 5.18 where it was built with VMGENID); where it would restart it is switched " \
                     "off"

/*
 * What stands in the way: contradictions and what the host lacks, each with what is missing and how
 * to get it. The plan may start only if it returns 0; the first finding is the error's text.
 */
struct plan_finding {
    enum { PLAN_REFUSES, PLAN_WARNS } weight;
    char *text; /* owned; one sentence */
    char *mend; /* owned or NULL: "apt install uidmap", "--set resources.limits=best-effort" */
};
int plan_check(const struct plan *p, const struct plan_host *host, struct plan_finding **ret,
               size_t *ret_count, struct error *e);
void plan_findings_free(struct plan_finding *f, size_t count);

/* What the workload can still reach, the worst first, with the smallest change that closes it. */
struct plan_reach {
    unsigned badness;    /* 0 (nothing) to 100 (as good as no boundary) */
    const char *subject; /* static: "kernel", "home", "network", "devices", "display", … */
    char *text;          /* owned */
    char *close;         /* owned or NULL: "network.mode = none" */
};
void plan_explain(const struct plan *p, struct plan_reach **ret, size_t *ret_count);
void plan_reach_free(struct plan_reach *r, size_t count);

/* The plan as JSON (one object, "version": PLAN_VERSION), and back. Owned by the caller. */
char *plan_to_json(const struct plan *p, bool pretty);
int plan_from_json(const char *json, size_t size, struct plan **ret, struct error *e);

/* It is that one, or a program of that name by its path. */
bool plan_runtime_is(const char *runtime, const char *name);

/* Machines of this runtime can begin from a template (machine.warm) and take snapshots of memory. */
bool plan_runtime_warms(const char *runtime);
/* A microVM of this runtime can be served folders so: machine.shares = "9p", "virtiofs". */
bool plan_runtime_shares(const char *runtime, const char *how);
/* A microVM of this runtime can have a network that leads out (network.mode = private). */
bool plan_runtime_leads_out(const char *runtime);
/* Of one with more the chipset puts it in two pieces: no template and no snapshot is made of it. */
bool plan_memory_is_one_piece(const struct plan_machine *m);
/* Paths below /proc that concern the whole machine: what is masked where a process has its own. */
const char *const *plan_proc_hidden(size_t *ret_count);
/* The guest is kept from this host's KVM, as it is to be: Cloud Hypervisor before 52 cannot on AMD. */
bool plan_hides_nested(const struct plan *p);
bool plan_is_machine(const struct plan *p); /* a kernel of its own on a VMM */
bool plan_boots_disk(const struct plan *p); /* what runs in it is the disk's own system */
/*
 * How many of machine.disks a microVM reads beside its root: raw files, read-only, in the order they
 * were named. Their serial numbers, and names in the guest's /dev, are PLAN_DISK and a number from 1.
 */
size_t plan_more_disks(const struct plan *p);
#define PLAN_DISK "disk"
#define PLAN_DISK_SOURCE "/dev/serial:" PLAN_DISK /* and that: of their DEVICE */
enum { PLAN_DISKS_MAX = 8 };
/* A whole machine that QEMU runs by itself, in a jail of ours and without libvirt. */
bool plan_is_by_qemu_alone(const struct plan *p);
/* A whole machine that boots our kernel and our PID 1, for an image of the store. */
bool plan_boots_image(const struct plan *p);
/*
 * A libvirt of another host, by its URI ("qemu+ssh://…"): what a machine is made from is brought
 * there, into plan.machine.folder, which is a path of that host's then.
 */
bool plan_uri_is_far(const char *uri);
/* By ssh: the one way to another host that virt-viewer goes for a screen on a socket there. */
bool plan_uri_is_by_ssh(const char *uri);
bool plan_uri_is_unverified(const char *uri); /* libvirt is told to take whoever answers there */
bool plan_is_far(const struct plan *p);
/* What is removed with a whole machine; "-": that is somebody else's to do, or there is nothing. */
const char *plan_folder_to_forget(const struct plan *p);
/* Whether somebody here does what that key says. */
bool plan_key_counts(const struct plan *p, enum key_id key);
const char *plan_boundary_name(enum plan_boundary b);  /* "container" … */
bool plan_mount_is_one(enum plan_mount_kind kind); /* not a file, folder or mask put in place */
int plan_rlimit_resource(const char *name); /* "nofile": RLIMIT_NOFILE …; -1: no such one */
const char *plan_capability_name(unsigned capability); /* "net-raw"; NULL beyond the last */

#endif
