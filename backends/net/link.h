/* Devices, addresses and routes of the network namespace one is in. Addresses in host byte order.
 */
#ifndef COFFERDAM_BACKENDS_NET_LINK_H
#define COFFERDAM_BACKENDS_NET_LINK_H

#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <stdint.h>

struct net_address {
    uint32_t address;
    uint8_t bits;
};

/* A tap device that stays; `filter`: to whom it sends, NULL is everybody. Its index, or -errno. */
int net_link_tap(const char *name, const struct tun_filter *filter);

/* `netlink` is of NETLINK_ROUTE; what the kernel says to one message. 0 or -errno */
int net_link_ask(int netlink, const struct nlmsghdr *n);
int net_link_up(int netlink, int index);
int net_link_address(int netlink, int index, const struct net_address *a);
/* Through the device; `gateway` 0: to a neighbour, else a neighbour whatever other routes say. */
int net_link_route(int netlink, int index, const struct net_address *a, uint32_t gateway);

#endif
