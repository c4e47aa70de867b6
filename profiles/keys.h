/* The table of configuration keys: parser, `profile show`, completions and cofferdam.ini(5) all
 * read it. */
#ifndef COFFERDAM_PROFILES_KEYS_H
#define COFFERDAM_PROFILES_KEYS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* One for each row of the table, in the order of the file format. */
enum key_id {
    KEY_PROFILE_DESCRIPTION,
    KEY_PROFILE_INHERIT,
    KEY_PROFILE_TRUST, /* full some none */

    KEY_ISOLATION_BOUNDARY,     /* container sandbox microvm vm */
    KEY_ISOLATION_RUNTIME,      /* auto native crun runc runsc kata qemu firecracker … libvirt */
    KEY_ISOLATION_USER,         /* self root ranges, or a number: see cofferdam.ini(5) */
    KEY_ISOLATION_SECCOMP,      /* default off */
    KEY_ISOLATION_CAPABILITIES, /* list: none, default (docker's), or names without CAP_ */
    KEY_ISOLATION_NO_NEW_PRIVILEGES,
    KEY_ISOLATION_APPARMOR, /* label; empty: none */
    KEY_ISOLATION_SELINUX,  /* label; empty: none */
    KEY_ISOLATION_PLATFORM, /* gVisor's; auto: its own choice */
    KEY_ISOLATION_LANDLOCK, /* auto yes no */
    KEY_ISOLATION_READ_ONLY,
    KEY_ISOLATION_OPEN, /* list: keyring core-dumps io-uring bpf userfaultfd userns vsock ptrace …
                         */
    KEY_ISOLATION_HOSTNAME,

    KEY_RESOURCES_CPUS, /* decimal, 1.5 = one and a half processors */
    KEY_RESOURCES_MEMORY,
    KEY_RESOURCES_SWAP,
    KEY_RESOURCES_PIDS,
    KEY_RESOURCES_DISK, /* bytes of the throw-away layer */
    KEY_RESOURCES_IO_WEIGHT,
    KEY_RESOURCES_NICE,
    KEY_RESOURCES_LIMITS, /* strict best-effort: whether rlimits may stand in for a cgroup */

    KEY_NETWORK_MODE, /* none private allow-list host */
    KEY_NETWORK_ALLOW,
    KEY_NETWORK_PUBLISH,
    KEY_NETWORK_DNS,

    KEY_FILES_IMAGE,
    KEY_FILES_WORKDIR,
    KEY_FILES_MOUNT,   /* list of SOURCE[:TARGET][:ro|rw] */
    KEY_FILES_TMPFS,   /* list of TARGET[:SIZE] */
    KEY_FILES_COPY_IN, /* list of SOURCE[:TARGET] */
    KEY_FILES_HIDE,    /* list of paths */
    KEY_FILES_HOME,    /* none empty read-only overlay */

    KEY_LIFECYCLE_KEEP, /* never on-failure always */
    KEY_LIFECYCLE_TIME_LIMIT,
    KEY_LIFECYCLE_IDLE_LIMIT,
    KEY_LIFECYCLE_RESTART, /* no on-failure[:N] always */
    KEY_LIFECYCLE_STOP_SIGNAL,
    KEY_LIFECYCLE_STOP_GRACE,
    KEY_LIFECYCLE_SNAPSHOT_ON_EXIT,

    KEY_CONSOLE_TERMINAL,   /* auto yes no */
    KEY_CONSOLE_SCROLLBACK, /* lines */
    KEY_CONSOLE_RECORD,
    KEY_CONSOLE_DETACH_KEYS,

    KEY_MACHINE_KERNEL,
    KEY_MACHINE_FIRMWARE,
    KEY_MACHINE_CPUS_MODEL,
    KEY_MACHINE_NESTED,
    KEY_MACHINE_DISK,
    KEY_MACHINE_CDROM,
    KEY_MACHINE_INSTALL,
    KEY_MACHINE_GUEST,
    KEY_MACHINE_CARD,
    KEY_MACHINE_GPU,
    KEY_MACHINE_DEVICE,
    KEY_MACHINE_TPM,
    KEY_MACHINE_DISPLAY,
    KEY_MACHINE_ACCEL,
    KEY_MACHINE_TYPE,
    KEY_MACHINE_WARM,
    KEY_MACHINE_SCRATCH,
    KEY_MACHINE_SHARES,
    KEY_MACHINE_DISK_BANDWIDTH,
    KEY_MACHINE_DISK_OPERATIONS,
    KEY_MACHINE_CLONES,
    KEY_MACHINE_URI,
    KEY_MACHINE_DISK_SIZE,

    KEY_WORKLOAD_COMMAND,
    KEY_WORKLOAD_ENVIRONMENT,
    KEY_WORKLOAD_PROFILE,
    KEY_WORKLOAD_IMAGE,
    KEY_WORKLOAD_AUTOSTART,
    KEY_WORKLOAD_LABELS,

    KEY_COUNT,
};

enum key_type {
    KEY_TYPE_TEXT,
    KEY_TYPE_BOOL,
    KEY_TYPE_WORD,     /* one of `words` */
    KEY_TYPE_SIZE,     /* bytes, str_to_size() */
    KEY_TYPE_DURATION, /* milliseconds, str_to_duration() */
    KEY_TYPE_DECIMAL,
    KEY_TYPE_INTEGER,
    KEY_TYPE_LIST,  /* grows; an empty value resets it; split at white space, "…" keeps blanks */
    KEY_TYPE_LINES, /* as LIST, but each line is one item (commands, KEY=VALUE) */
};

struct key {
    const char *section;
    const char *name;
    enum key_type type;
    const char *words;    /* "none|private|…" for WORD, or for each item of a LIST; else NULL */
    const char *fallback; /* the default's text; NULL: not set, "" : an empty list */
    const char *synopsis; /* what stands right of '=' in the manual: "SIZE", "yes|no" */
    const char *doc;      /* what it does, in sentences, with scdoc(5)'s *bold* and _underline_ */
    unsigned files;       /* KEY_IN_PROFILE, KEY_IN_WORKLOAD */
    unsigned used_by;     /* KEY_USED_* : which boundaries' backends obey it in this version */
    const char *needs;    /* completes "needs …" where it is not obeyed: "the microvm boundary" */
    uint64_t least, most; /* the range of a number, both included, in bytes, ms or as it stands */
};

enum { KEY_IN_PROFILE = 1, KEY_IN_WORKLOAD = 2 };
enum { KEY_USED_CONTAINER = 1, KEY_USED_SANDBOX = 2, KEY_USED_MICROVM = 4, KEY_USED_VM = 8 };

extern const struct key keys[KEY_COUNT];

/* The row's index, or KEY_COUNT. */
enum key_id key_find(const char *section, const char *name);

/*
 * Whether `item` may be a value (or one item of a list) of the key: its type, words, range and
 * form. -EINVAL or -ERANGE with what is allowed, without the key's name.
 */
int key_check(enum key_id key, const char *item, struct error *e);

/* The nearest known "section.key" (or key within a known section), or NULL. Static storage. */
const char *key_nearest(const char *section, const char *name);

#endif
