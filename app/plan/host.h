/* Facts about this machine and this person that a plan is made from. Gathered apart, so building is
 * pure. */
#ifndef COFFERDAM_APP_PLAN_HOST_H
#define COFFERDAM_APP_PLAN_HOST_H

#include "base/error.h"
#include "base/str.h"

/* A folder or link of the host that the host image is put together from: every one of "/", some of
 * /var, the caller's home. */
struct plan_host_entry {
    char *path; /* owned; absolute */
    char *link; /* owned; what a symbolic link says; NULL: a folder */
    bool split; /* something is mounted below it, so no overlay can have it as its lower */
};

enum plan_cgroup {
    PLAN_CGROUP_NONE,    /* no cgroup can be had: rlimits only */
    PLAN_CGROUP_V2,      /* a folder we may write, with controllers */
    PLAN_CGROUP_SYSTEMD, /* systemd, the user's or root's, gives a delegated scope */
    PLAN_CGROUP_V1,      /* root, v1 hierarchies */
};

struct plan_host {
    uint32_t uid, gid;
    char *groups;                  /* owned; supplementary ones but for `gid`, "4 27"; NULL: none */
    char *user;                    /* owned */
    char *home;                    /* owned */
    char *hostname;                /* owned */
    uint32_t subuid, subuid_count; /* first range of /etc/subuid for the user; count 0: none */
    uint32_t subgid, subgid_count;
    bool newuidmap;                  /* newuidmap and newgidmap are installed */
    struct plan_host_entry *entries; /* owned */
    size_t entries_count;
    char **devices;    /* owned; which of the minimal /dev's nodes exist: "null", "zero", … */
    char **etc_closed; /* owned; names in /etc that are not for everybody, where no overlay
                          can see to it (PLAN_MOUNT_PUBLIC); NULL for root */
    enum plan_cgroup cgroup;
    char **cgroup_controllers; /* owned; usable ones: "memory", "pids", "cpu", … */
    unsigned landlock_abi;     /* 0: none */
    bool userns;               /* a user namespace can be made */
    bool timens;               /* time namespaces exist */
    bool apparmor, selinux;    /* active */
    char *kernel;              /* owned; "6.18.44" */
    char *arch;                /* owned; "x86_64" */
    unsigned cpus;
    uint64_t memory;   /* bytes */
    char *shell;       /* owned; the caller's, by the password database */
    char *resolv_conf; /* owned; what /etc/resolv.conf holds, or NULL */
};

/* The entry of exactly this path, or NULL. */
const struct plan_host_entry *plan_host_find(const struct plan_host *h, const char *path);

/* Reads them: quick (well under a millisecond), no program is started. */
int plan_host_read(struct plan_host *h, struct error *e);
void plan_host_done(struct plan_host *h);

/* A service manager listens, root's or the user's own: it can be asked for a delegated scope. */
bool plan_host_has_manager(uint32_t uid);

#endif
