/* Starting a machine's program in its jail (vmm.h). Shared by all of them. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_START_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_START_H

#include "backends/cgroup/cgroup.h"
#include "backends/microvm/vmm.h"
#include "backends/microvm/vmm_jailer.h"
#include "backends/net/translator.h"
#include "backends/root/ids.h"

/* All borrowed. */
struct vmm_wish {
    const struct plan *jail; /* vmm_jail() */
    const struct launch_env *env;
    struct root_ids *ids; /* taken for it */
    struct cgroup *cgroup;
    const char *program;
    const struct vmm_jailer_wish *jailer; /* NULL: the jail is ours alone */
    char *const *argv;
    const int *fds;             /* become the program's descriptors */
    int fds_count;              /* VMM_FDS, and one for each further disk */
    bool meets;                 /* it makes its sockets in VMM_MEET */
    bool saves;                 /* and snapshots in VMM_SAVE_FOLDER */
    unsigned shares;            /* folders others serve its guest: of one that meets, those listen
                                   at VMM_MEET_SHARE; else at the last of `fds` */
    bool serves;                /* it is no machine's program but virtiofsd */
    struct net_translator *net; /* initialised; where the jail's network leads out */
    bool small_pages;           /* its memory is never made of huge ones */
    uint64_t file_max;          /* bytes of the largest file it may write */
    int memory; /* what it gets when it opens VMM_MEMORY; FD_NONE: it has none of its own */
};

/* Where to meet such a program, once it runs; zeroed by vmm_meeting_init(). */
struct vmm_meeting {
    int folder;  /* owned; VMM_MEET */
    int agent;   /* owned; listens for the guest's agent */
    int metrics; /* owned; both ends of VMM_MEET_METRICS: it can always be opened, and never ends */
    int saves;   /* owned; VMM_SAVE_FOLDER; FD_NONE: there is none */
    int shares[VMM_SHARES_MAX]; /* owned; they listen for the machine's program; FD_NONE: no more */
};
void vmm_meeting_init(struct vmm_meeting *m);
void vmm_meeting_done(struct vmm_meeting *m);

/* Connects to its API as soon as that is there, while the program lives. A socket or -errno. */
int vmm_meet(const struct vmm_meeting *m, int pidfd, int timeout_ms, struct error *e);

/*
 * Returns when the program has been exec()ed, or with nothing left but what was there before.
 * `*ret_pidfd` and `ret_meeting` (initialised; NULL: it does not meet) are the caller's.
 */
int vmm_start(const struct vmm_wish *w, struct vmm_meeting *ret_meeting, pid_t *ret_pid,
              int *ret_pidfd, struct error *e);

/* Ends it and everything in its namespaces, and waits for it. */
void vmm_end(pid_t pid, int pidfd);

#endif
