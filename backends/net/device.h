/* The device of a private network (translator.h), and what it must not lead to. */
#ifndef COFFERDAM_BACKENDS_NET_DEVICE_H
#define COFFERDAM_BACKENDS_NET_DEVICE_H

#include "base/error.h"

#include <stdbool.h>

/*
 * Makes NET_TAP in the user and network namespaces given, which stay the caller's, with an address,
 * a route out and everything closed; the translator finds it there; and with `guest` a second one
 * behind it (guest.h). `user` FD_NONE: the caller's own. By a process of its own, since who has
 * entered namespaces does not come back; it has ended on return, in ten seconds at most.
 */
int net_device_make(int user, int net, bool guest, struct error *e);

#endif
