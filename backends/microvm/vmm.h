/*
 * What every machine's program has in common here, whatever it is called: the jail it runs in, and
 * the descriptors it is born with.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_H

#include "app/plan/plan.h"
#include "backends/net/guest.h"

/* Descriptors of the program; 0 is /dev/null, 1 and 2 are what it says when something is wrong. */
enum {
    VMM_FD_AGENT = 3,   /* a stream: the other end of the guest's port */
    VMM_FD_CONTROL = 4, /* a stream: QMP, an API */
    VMM_FD_KERNEL = 5,  /* a stream: what the guest's kernel prints */
    VMM_FD_ROOT = 6,    /* the root image, or the disk it boots, read-only */
    VMM_FD_SCRATCH = 7, /* the scratch disk, or the overlay over that, for reading and writing;
                           /dev/null: there is none */
    VMM_FDS,            /* and from here the plan's further disks, read-only, and then connections
                           to who serves its folders (vmm_share_fd()) */
};
enum { VMM_SHARES_MAX = 8 };
enum { VMM_FDS_MAX = VMM_FDS + PLAN_DISKS_MAX + VMM_SHARES_MAX };

/* Where the jail shows the kernel and the initramfs. */
#define VMM_KERNEL "/kernel"
#define VMM_INITRAMFS "/initramfs"
/* What a program that goes on from a snapshot opens as its memory, for reading and writing. */
#define VMM_MEMORY "/memory"

/* Where the jail shows a folder the program serves: this, and the number of the plan's BIND. */
#define VMM_SHARE "/share"
#define VMM_SHARE_TAG "share"

/*
 * Or, where virtiofsd serves it, the jail of that, one for each. It listens on a descriptor it is
 * born with, and takes one connection: the machine's program's.
 */
#define VMM_SERVED VMM_SHARE
enum { VMM_FD_LISTENER = 3, VMM_SERVER_FDS };

/* Files of a snapshot: the guest's memory, everything else of the machine, and who can read it. */
#define VMM_SAVED_MEMORY "memory"
#define VMM_SAVED_STATE "state"
#define VMM_SAVED_SCRATCH "scratch" /* the disk, where there is one */
#define VMM_SAVED_BY "machine"

/*
 * Programs that take no descriptors make their sockets in a folder in memory of the jail, and open
 * the root image by name there. The guest's agent calls us on a port of vsock, which such a program
 * turns into a connection to a socket of that port's number.
 */
#define VMM_ROOT "/root.img"
#define VMM_SCRATCH "/scratch.img" /* where there is one */
#define VMM_MORE "/disk"           /* and a number from 1: the plan's further disks */
#define VMM_MEET "/run"
#define VMM_MEET_API_NAME "api.sock"
#define VMM_MEET_API VMM_MEET "/" VMM_MEET_API_NAME
#define VMM_MEET_METRICS VMM_MEET "/metrics" /* a named pipe */
#define VMM_MEET_VSOCK VMM_MEET "/vsock"
/* And a number: who serves a folder listens there. */
#define VMM_MEET_SHARE VMM_MEET "/" VMM_SHARE_TAG
/* Of such a program: what it goes on from, and what it writes snapshots to, which have no other
 * name. */
#define VMM_LOAD_MEMORY VMM_MEMORY
#define VMM_LOAD_STATE "/state"
#define VMM_SAVE_MEMORY "/saved.memory"
#define VMM_SAVE_STATE "/saved.state"
enum { VMM_SAVE_STATE_MAX = 64 << 20 };
/* Or a folder in memory in which it makes files of its own names, and one it goes on from. */
#define VMM_SAVE_FOLDER "/saved"
#define VMM_LOAD_FOLDER "/load"
#define VMM_FOLDER_MEMORY "memory-ranges"
#define VMM_FOLDER_STATE "state.json"
#define VMM_FOLDER_CONFIG "config.json"
#define VMM_GUEST_NET "10.0.2.0/24" /* PLAN_GUEST_ADDRESS is of it */
#define VMM_TAP NET_GUEST_TAP       /* in the jail's network namespace */
#define VMM_AGENT_PORT_TEXT "1024"
enum { VMM_AGENT_PORT = 1024, VMM_GUEST_CID = 3 };

/* Serial numbers of the guest's disks. */
#define VMM_DISK_ROOT "root"
#define VMM_DISK_SCRATCH "scratch"
#define VMM_DISK_BASE \
    "base" /* below a disk that boots its own system, and not the guest's to see */
#define VMM_SCRATCH_TYPE "ext4" /* as images/blank.h makes them */

/* Who the program is in the jail: never root. (virtiofsd has the id of its guest's workload.) */
enum { VMM_UID = 1000, VMM_GID = 1000 };

/*
 * The jail as a plan of its own, for the code that makes containers' roots: an empty folder in
 * memory with the program, its libraries and firmware, kernel and initramfs, all read-only, and for
 * KVM its device. Pure. Owned by the caller.
 */
struct plan *vmm_jail(const struct plan *p);

/* The same for one that makes its guest's connections, where the plan has a private network. */
struct plan *vmm_jail_leading_out(const struct plan *p);

/* The same for programs that make sockets of their own. */
struct plan *vmm_jail_meeting(const struct plan *p);

/*
 * Such a jail where the program writes snapshots: to two files beside the root image, which lose
 * their names when they are mounted. And where it goes on from the one in `from`, beside that.
 */
enum { VMM_SAVES = 2 };
char *vmm_saving_path(const struct plan *p, size_t which); /* memory, state. Owned */
char *vmm_scratch_path(const struct plan *p);              /* likewise, of its disk */
void vmm_jail_saving(struct plan *j, const struct plan *p);
void vmm_jail_loading(struct plan *j, const char *from);

/*
 * The same where it makes files of its own: in memory, as much as one snapshot takes and no more,
 * which its control group has to have for as long. What says what the machine is comes from us
 * (`config`, JSON) and never from a snapshot.
 */
void vmm_jail_saving_folder(struct plan *j, const struct plan *p);
uint64_t vmm_saving_room(const struct plan *p); /* bytes of one */
void vmm_jail_loading_folder(struct plan *j, const char *from, const char *config);

/* Whether something is written to a disk, for which VMM_FD_SCRATCH is. */
bool vmm_writes(const struct plan *p);

/* Bytes of the largest file such a program may write. */
uint64_t vmm_file_max(const struct plan *p);

/* Adds a device of the host's to a jail, or a file that anybody reads. */
void vmm_jail_device(struct plan *j, const char *path);
void vmm_jail_text(struct plan *j, const char *target, const char *text);

/* How many of its folders virtiofsd serves, and which descriptor of a program that does not meet
 * leads to the first of these. */
unsigned vmm_served(const struct plan *p);
int vmm_share_fd(const struct plan *p);
/* The BIND of that number among the plan's; NULL: there are not so many. */
const struct plan_mount *vmm_share(const struct plan *p, unsigned share);

/*
 * virtiofsd's own jail, with that folder and nothing else of the host's, read-only, and a /proc of
 * its own namespace, by which it opens again what it has looked up. And its arguments. Pure; both
 * are the caller's.
 */
struct plan *vmm_jail_serving(const struct plan *p, unsigned share);
char **vmm_serving_argv(const struct plan *p);

/* The guest's network address: of our own making, the same for the same workload. Owned. */
char *vmm_mac(const struct plan *p);

/*
 * Arguments of Firecracker's own jailer (vmm_jailer.h): `uid` and `gid` are the host's, `base` the
 * folder it makes its own in, and `argv` is the program as the jail shows it, whose --id is the
 * jailer's to say. Pure; owned by the caller.
 */
char **vmm_jailer_argv(const struct plan *p, char *const *argv, uint32_t uid, uint32_t gid,
                       const char *base);

/* Limits of the control group: what the guest has, and what the program needs beside it. */
struct plan_limits vmm_limits(const struct plan *p);

#endif
