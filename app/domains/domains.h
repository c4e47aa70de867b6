/* cofferdam-domain: all that talks to libvirt. Started by the monitor and the CLI, not by hand. */
#ifndef COFFERDAM_APP_DOMAINS_DOMAINS_H
#define COFFERDAM_APP_DOMAINS_DOMAINS_H

#include "app/plan/plan.h"
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
/* Of all its disks together: "rd.bytes". */
uint64_t domains_blocks(virDomainStatsRecordPtr r, const char *what);
bool domains_are_ours(const char *uuid);
/* By its name or its UUID; NULL with error. */
virDomainPtr domains_lookup(virConnectPtr c, const char *word, struct error *e);
/* By the workload's id; NULL without error: there is none. Only ours. */
virDomainPtr domains_find(virConnectPtr c, const char *id);

/*
 * undo.c: ends and forgets the domain of this workload, and removes the folder made for it ("-":
 * that is somebody else's to do). Idempotent.
 */
int domains_undo(virConnectPtr c, const char *id, const char *folder, struct error *e);
int domains_forget_folder(const char *folder, const char *id, struct error *e);
int domains_undo_by(const char *uri, const char *id, const char *folder, struct error *e);

/* make.c: the folder with the overlays of this plan, all or nothing. */
int domains_make_disks(const struct plan *p, struct error *e);
/* Makes and starts it, its processors standing still. */
virDomainPtr domains_make(virConnectPtr c, const struct plan *p, struct error *e);
/* A connection to its serial line, and to the agent of a guest of ours. */
int domains_open_console(const struct plan *p, struct error *e);
int domains_open_agent(const struct plan *p, struct error *e);
/* The process that runs it, found by its UUID; 0: not seen. */
pid_t domains_find_process(const char *id);

/* snapshot.c: fills `path`. The machine runs on as before. */
int domains_snapshot(virDomainPtr d, const struct plan *p, unsigned kind, const char *path,
                     struct error *e);
/* What a machine that starts from one has as disks. */
int domains_snapshot_disks(const struct plan *p, struct error *e);
/* Brings it back with its memory, standing still. */
virDomainPtr domains_snapshot_revert(virConnectPtr c, const struct plan *p, struct error *e);

/*
 * watch.c: the console of a domain of others, for the default loop. `*ret_fd` (the caller's) is the
 * person's end. ended() is called once, when either side has ended; then only free() is left.
 */
struct domains_console;
int domains_console_open(virDomainPtr d, void (*ended)(void *data), void *data, int *ret_fd,
                         struct domains_console **ret, struct error *e);
void domains_console_free(struct domains_console *c); /* NULL is fine */

int domains_drive(void);            /* drive.c */
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

#endif
