#include "backends/net/guest.h"

#include "app/plan/plan.h"
#include "backends/net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * The gateway's, as QEMU and the translator have it: a clone knows its neighbours by what they were
 * called where it comes from.
 */
static const uint8_t guest_gateway[ETH_ALEN] = {0x52, 0x55, 10, 0, 2, 2};

struct guest_setting {
    struct rtattr head;
    uint32_t value;
};

/* Of a device: it hands on, and answers for whom it leads to; and more for the guest's. */
struct guest_link {
    struct nlmsghdr head;
    struct ifinfomsg body;
    struct rtattr all, ipv4, settings;
    struct guest_setting hands_on, answers, checks;
};

static struct guest_setting guest_set(unsigned short which, uint32_t value)
{
    return (struct guest_setting){
        {RTA_LENGTH(sizeof(value)), which},
        value
    };
}

static int guest_hand_on(int netlink, int index, bool checks)
{
    size_t size = sizeof(struct guest_link) - (checks ? 0 : sizeof(struct guest_setting));
    size_t before = offsetof(struct guest_link, all);
    unsigned short inside = (unsigned short)(size - before);
    const unsigned short step = sizeof(struct rtattr);
    const struct guest_link m = {
        .head = {.nlmsg_len = (uint32_t)size,
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {.ifi_family = AF_UNSPEC,                           .ifi_index = index            },
        .all = {inside,                           IFLA_AF_SPEC | NLA_F_NESTED                 },
        .ipv4 = {(unsigned short)(inside - step),                           AF_INET | NLA_F_NESTED},
        .settings = {(unsigned short)(inside - 2 * step),                           IFLA_INET_CONF | NLA_F_NESTED             },
        .hands_on = guest_set(IPV4_DEVCONF_FORWARDING, 1),
        .answers = guest_set(IPV4_DEVCONF_PROXY_ARP, 1),
        .checks = guest_set(IPV4_DEVCONF_RP_FILTER, 1),
    };
    return net_link_ask(netlink, &m.head);
}

/* For others it answers at once, which by itself it does not. */
static int guest_answer_at_once(int netlink, int index)
{
    const struct {
        struct nlmsghdr head;
        struct ndtmsg body;
        struct rtattr name;
        char table[12];
        struct rtattr parameters;
        struct guest_setting of;
        struct rtattr delay;
        uint32_t milliseconds[2];
    } m = {
        .head = {.nlmsg_len = sizeof(m),
                 .nlmsg_type = RTM_SETNEIGHTBL,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {.ndtm_family = AF_INET                                                                          },
        .name = {RTA_LENGTH(sizeof("arp_cache")),                                             NDTA_NAME                                                              },
        .table = "arp_cache",
        .parameters = {sizeof(struct rtattr) * 2 + sizeof(struct guest_setting) + sizeof(uint64_t),
                 NDTA_PARMS | NLA_F_NESTED},
        .of = guest_set(NDTPA_IFINDEX, (uint32_t)index),
        .delay = {RTA_LENGTH(sizeof(uint64_t)),                                                NDTPA_PROXY_DELAY                                                             },
    };
    return net_link_ask(netlink, &m.head);
}

static int guest_called(int netlink, int index)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
        struct rtattr address;
        uint8_t bytes[RTA_ALIGN(ETH_ALEN)];
    } m = {
        .head = {.nlmsg_len = sizeof(m),
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {.ifi_family = AF_UNSPEC,                      .ifi_index = index},
        .address = {RTA_LENGTH(ETH_ALEN),                      IFLA_ADDRESS   },
    };
    memcpy(m.bytes, guest_gateway, ETH_ALEN);
    return net_link_ask(netlink, &m.head);
}

static int guest_address(struct net_address *ret)
{
    char text[] = PLAN_GUEST_ADDRESS;
    struct in_addr in;
    text[strcspn(text, "/")] = '\0';
    if (inet_pton(AF_INET, text, &in) != 1)
        return -EINVAL;
    *ret = (struct net_address){ntohl(in.s_addr), 32};
    return 0;
}

int net_guest_make(int netlink, int tap)
{
    struct net_address own;
    int guest = net_link_tap(NET_GUEST_TAP, NULL);
    if (guest < 0)
        return guest;
    int r = guest_called(netlink, guest);
    if (r == 0)
        r = net_link_up(netlink, guest);
    if (r == 0)
        r = guest_address(&own);
    if (r == 0)
        r = net_link_route(netlink, guest, &own, 0);
    if (r == 0)
        r = guest_answer_at_once(netlink, guest);
    if (r == 0)
        r = guest_answer_at_once(netlink, tap);
    if (r == 0)
        r = guest_hand_on(netlink, guest, true);
    return r < 0 ? r : guest_hand_on(netlink, tap, false);
}
