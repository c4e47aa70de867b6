/*
 * The device of a guest's card, behind the one of the translator (translator.h): the kernel hands
 * on what goes from one to the other by its routes, so what these close to the namespace is closed
 * to the guest, whose packets come from its own address alone or not at all.
 */
#ifndef COFFERDAM_BACKENDS_NET_GUEST_H
#define COFFERDAM_BACKENDS_NET_GUEST_H

#define NET_GUEST_TAP "tap1"

/* Makes it in the namespace one is in; `tap` is the index of NET_TAP. 0 or -errno */
int net_guest_make(int netlink, int tap);

#endif
