/* Which process runs a machine: /proc is asked, not libvirt. */
#ifndef COFFERDAM_APP_DOMAINS_PROCESS_H
#define COFFERDAM_APP_DOMAINS_PROCESS_H

#include <sys/types.h>

/*
 * What a process has to be. Its words alone are anybody's to choose, and its effective id is not
 * who has started it.
 */
struct process_mark {
    const char *uuid;    /* borrowed; "-uuid" and this are two of its words */
    const char *program; /* borrowed; the path of the very file it runs */
    uid_t uid;           /* each of its four ids */
};

/*
 * 0, with the one that is all that and a pidfd of it (owned by the caller). -ESRCH: none is seen;
 * -EEXIST: there are several, and which of them it is nobody can say. Or -errno.
 */
int process_find(const struct process_mark *m, pid_t *ret_pid, int *ret_pidfd);

/*
 * Through a socket (SOCK_STREAM) to whoever clears up, should this process be killed: expect() says
 * what is about to be started, keep() puts the pidfd there once it has been. end_kept() kills what
 * that is of, or where there is none yet the one process that is as expected. Nothing there:
 * nothing; it never waits.
 */
void process_expect(int socket, const struct process_mark *m);
void process_keep(int socket, int pidfd);
void process_end_kept(int socket);

#endif
