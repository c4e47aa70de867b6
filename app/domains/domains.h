/* cofferdam-domain: all that talks to libvirt. Started by the monitor and the CLI, not by hand. */
#ifndef COFFERDAM_APP_DOMAINS_DOMAINS_H
#define COFFERDAM_APP_DOMAINS_DOMAINS_H

#include "app/plan/plan.h"
#include "backends/libvirt/domain_xml.h"
#include "backends/libvirt/wire.h"

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

enum { CONNECT_S = 60, KEEPALIVE_S = 5, KEEPALIVE_COUNT = 3 };

/* libvirt.c: its last error as ours, "what: text". Returns -EIO or so. */
int domains_error(struct error *e, const char *what);
/* Opens it; a daemon that has hung is cut off by keepalive later, here by the caller's alarm. */
virConnectPtr domains_connect(const char *uri, struct error *e);
/* A daemon that does not answer in so many seconds ends this program with 124; 0: no more. */
void domains_limit(unsigned seconds, void (*last_word)(void));
/*
 * What the first of these elements holds, as XML has it; the caller's; NULL: there is none. libvirt
 * writes them, and before all that somebody else has put there no text of theirs holds a '<'.
 */
char *domains_element(const char *xml, const char *name);
/* Of all its disks together: "rd.bytes". */
uint64_t domains_blocks(virDomainStatsRecordPtr r, const char *what);
bool domains_are_ours(const char *uuid); /* made by this person, on this host */
/* By its name or its UUID; NULL with error. */
virDomainPtr domains_lookup(virConnectPtr c, const char *word, struct error *e);
/* The same, but for what is ours, which is told by its own name. */
virDomainPtr domains_lookup_others(virConnectPtr c, const char *word, struct error *e);
/* By the workload's id; NULL without error: there is none. Only ours. */
virDomainPtr domains_find(virConnectPtr c, const char *id);

/*
 * undo.c: ends and forgets the domain of this workload, and removes the folder made for it ("-":
 * that is somebody else's to do). Idempotent.
 */
int domains_undo(virConnectPtr c, const char *uri, const char *id, const char *folder,
                 struct error *e);
int domains_forget_folder(const char *folder, const char *id, struct error *e);
int domains_undo_by(const char *uri, const char *id, const char *folder, struct error *e);

/*
 * lend.c: who QEMU is at this libvirt, and what such a one may get to: a folder with what belongs to
 * the machine, and nothing else of ours. -EACCES: it cannot get to a disk of somebody's, and how
 * that is mended; nobody's rights are changed for it. `*ret_program`, owned by the caller: QEMU's
 * path; NULL: it does not say.
 */
int domains_host(virConnectPtr c, struct domain_host *ret, char **ret_program, struct error *e);
int domains_lend_folder(const struct plan *p, const struct domain_host *h, struct error *e);
int domains_lend(const struct plan *p, const struct domain_host *h, struct error *e);
/* What a kept workload's folder gets back before the other one goes; not kept: nothing. */
int domains_lend_back(const char *folder, const char *id, struct error *e);

/*
 * far.c: for a machine on another host. make() brings there what it is made from; it hears the
 * monitor between two pieces: -ECANCELED. undo() removes that; idempotent.
 */
int domains_far_make(virConnectPtr c, const struct plan *p, struct error *e);
int domains_far_undo(virConnectPtr c, const char *id, struct error *e);

/*
 * install.c: the empty disk of a machine that a system is installed in; -EEXIST: its place is taken.
 * keep() puts it there when the machine has ended well; where that has been taken meanwhile, beside
 * it, which is an error that says so.
 */
int domains_install_make(const struct plan *p, struct error *e);
int domains_install_keep(const struct plan *p, struct error *e);

/* lend.c: moves a file of ours to `to`, another file system too; there is none yet: -EEXIST */
int domains_carry(int from, const char *name, int to, const char *to_name, struct error *e);

/* make.c: the folder with the overlays of this plan, all or nothing. */
int domains_make_disks(const struct plan *p, const struct domain_host *h, struct error *e);
/* Makes and starts it, its processors standing still. */
virDomainPtr domains_make(virConnectPtr c, const struct plan *p, const struct domain_host *h,
                          struct error *e);
/* A connection to its serial line, and to the agent of a guest of ours. */
int domains_open_console(const struct plan *p, struct error *e);
int domains_open_agent(const struct plan *p, struct error *e);
/*
 * The process that runs it (process.h), with a pidfd of it, owned by the caller. -ESRCH: it is not
 * seen from here; -EEXIST: several say to be it.
 */
int domains_find_process(virDomainPtr d, const char *id, const struct domain_host *h,
                         pid_t *ret_pid, int *ret_pidfd);

/* snapshot.c: fills `path`. The machine runs on as before. */
int domains_snapshot(virDomainPtr d, const struct plan *p, unsigned kind, const char *path,
                     struct error *e);
/*
 * flatten.c: `to`, an absolute path, becomes a disk that stands alone with all that `from` shows, an
 * overlay in `snapshot` over `base`, maybe over others between. Hears the monitor: -ECANCELED.
 */
int domains_flatten(const char *from, const char *base, const char *snapshot, const char *to,
                    struct error *e);
/*
 * Whether an overlay is still what we laid there: what is below it may be `base`, or lie in
 * `snapshot`'s neighbours; the machine's program wrote it. Its size, and what is below (owned by the
 * caller; NULL: it stands alone).
 */
int domains_snapshot_check(const char *path, const char *base, const char *snapshot,
                           uint64_t *ret_size, char **ret_below, struct error *e);
/* What a machine that starts from one has as disks. */
int domains_snapshot_disks(const struct plan *p, const struct domain_host *h, struct error *e);
/* Brings it back with its memory, standing still. */
virDomainPtr domains_snapshot_revert(virConnectPtr c, const struct plan *p,
                                     const struct domain_host *h, struct error *e);

/*
 * watch.c: the console of a domain of others or of another host, or a channel of it by its name, for
 * the default loop. `fd`, one end of a socket of which the other is the person's, is taken over.
 * ended() is called once, when either side has ended; then only release() and free() are left.
 */
struct domains_console;
int domains_console_open(virDomainPtr d, const char *channel, int fd, void (*ended)(void *data),
                         void *data, struct domains_console **ret, struct error *e);
bool domains_console_is_over(const struct domains_console *c); /* NULL: so it is */
/* Nothing comes from it any more, nor goes there: the person hears of that. */
void domains_console_hang_up(struct domains_console *c);
int domains_console_release(struct domains_console *c); /* frees it and gives `fd` back */
void domains_console_free(struct domains_console *c);   /* NULL is fine */

/*
 * agent.c: one command through qemu-guest-agent, for the monitor: descriptors DOMAIN_FD_CONTROL, then what
 * is wanted, where its output goes, and its errors.
 */
int domains_agent(const char *uri, const char *id, const char *console);
/*
 * Holds its file systems still, and lets them go on, which it tries for a while; what fails is said
 * as a note. hold() gives whether they are to be let go: false, nobody in it could be asked.
 */
bool domains_agent_hold(virDomainPtr d);
void domains_agent_let_go(virDomainPtr d);
int domains_addresses(const char *uri, const char *id); /* prints what its agent says of them */
/*
 * command.c: that command, by a process of its own: an agent that hangs holds up nobody. Says
 * DOMAIN_EXECED with what it fails with. The descriptors are the caller's.
 */
void domains_command(const struct plan *p, const struct domain_message *m,
                     const int fds[DOMAIN_FDS_MAX]);
int domains_drive(void);            /* drive.c */
/*
 * hang.c: what libvirt is asked between begin() and end() may never be answered. After so many seconds
 * the monitor is heard all the same: what it wants is refused, but for the end of the machine, which
 * ends this program: 124, where its parent is to clear up.
 */
struct domains_call {
    const struct plan *plan; /* borrowed */
    int pidfd;               /* borrowed; QEMU's; FD_NONE */
    bool killed;             /* its end is what is asked for */
};
void domains_call_begin(unsigned seconds, const struct domains_call *c);
void domains_call_end(void);
int domains_probe(const char *uri); /* list.c */
/*
 * list.c: the domains of each of these as one line of JSON, all asked at once; one that does not
 * answer within two seconds is said to hang. `figures`: what they read and write as well.
 */
int domains_list(char *const *uris, bool figures);
/* Those that are not ours, as an array; NULL: it does not answer. Owned by the caller. */
json_t *domains_others(virConnectPtr c);
/* events.c: the same for as long as somebody reads: a line of JSON for each that has changed. */
int domains_watch(char *const *uris);
int domains_control(const char *uri, const char *word,
                    const char *verb); /* list.c; by name or UUID */
/*
 * others.c: the snapshots that libvirt itself keeps of a domain of others, as one line of JSON. One
 * is taken ("create", called `name`, or as libvirt likes where that is empty; `how` "files": the
 * disks alone, as new files; prints it as JSON), gone back to ("revert"; "force": though libvirt
 * calls it risky) or removed ("rm"; "recursive": with those that come from it).
 */
int domains_snapshots(const char *uri, const char *word);
int domains_snapshot_do(const char *uri, const char *word, const char *verb, const char *name,
                        const char *how);

#endif
