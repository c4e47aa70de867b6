/* System calls that the translator's own filter leaves open to it (slirp4netns --enable-seccomp).
 */
#ifndef COFFERDAM_BACKENDS_NET_CALLS_H
#define COFFERDAM_BACKENDS_NET_CALLS_H

/*
 * For this process and all it becomes: sockets are of IPv4 or IPv6, and pairs of streams, which
 * connect to nobody else; no signal (a limit or an owner that would bring one included), nothing of
 * another process, no key, and no io_uring(7), which asks no filter. Others of
 * these are EACCES. Sets no_new_privs. 0 or -errno
 */
int net_calls_confine(void);

#endif
