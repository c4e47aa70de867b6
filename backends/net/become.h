/* What a child of the monitor's does to become the translator; in a process of its own. */
#ifndef COFFERDAM_BACKENDS_NET_BECOME_H
#define COFFERDAM_BACKENDS_NET_BECOME_H

#include <sys/types.h>

/* Its descriptors; 0 and 1 are /dev/null, 2 takes what it complains of. */
enum { NET_FD_READY = 3, NET_FD_LEAVE, NET_FD_USER, NET_FD_NET, NET_FDS };

/*
 * fds[2] to fds[NET_FDS - 1] are given, NET_FD_USER as far as there is one. Ends with whoever made
 * it, may write no file, start no other program and reach no socket with a name, and its memory is
 * bounded: all by a filter of ours (calls.h) and slirp4netns's own; root by its mount namespace and
 * no capability but that of low ports as well, others by Landlock, where the kernel has it. What
 * fails is a line on fds[2] and an exit status. `parent` made it, and its end is this one's.
 */
void net_become(const int *fds, pid_t parent) __attribute__((noreturn));

#endif
