/* rtnetlink(7), as much of it as a private network takes. */
#include "backends/net/link.h"

#include "backends/net/translator.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int net_link_tap(const char *name, const struct tun_filter *filter)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    autoclose int tun = open(NET_TUN, O_RDWR | O_CLOEXEC);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &r) < 0 || ioctl(tun, TUNSETPERSIST, 1) < 0 ||
        (filter && ioctl(tun, TUNSETTXFILTER, filter) < 0))
        return -errno;
    int index = (int)if_nametoindex(name);
    return index ? index : -errno;
}

int net_link_ask(int netlink, const struct nlmsghdr *n)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr answer;
        char rest[256];
    } got;
    if (send(netlink, n, n->nlmsg_len, 0) < 0 || recv(netlink, &got, sizeof(got), 0) < 0)
        return -errno;
    return got.head.nlmsg_type == NLMSG_ERROR ? got.answer.error : -EPROTO;
}

int net_link_address(int netlink, int index, const struct net_address *a)
{
    uint32_t address = htonl(a->address);
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg body;
        struct rtattr attribute;
        uint32_t address;
    } m = {
        .head = {.nlmsg_len = sizeof(m),
                 .nlmsg_type = RTM_NEWADDR,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
        .body = {.ifa_family = AF_INET,                             .ifa_prefixlen = a->bits,         .ifa_index = (unsigned)index},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(address)), .rta_type = IFA_LOCAL},
        .address = address,
    };
    return net_link_ask(netlink, &m.head);
}

int net_link_route(int netlink, int index, const struct net_address *a, uint32_t gateway)
{
    uint32_t mask = a->bits ? ~(uint32_t)0 << (32 - a->bits) : 0;
    struct {
        struct nlmsghdr head;
        struct rtmsg body;
        struct {
            struct rtattr head;
            uint32_t value;
        } to, by, through;
    } m = {
        .head = {.nlmsg_len = sizeof(m),
                 .nlmsg_type = RTM_NEWROUTE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
        .body = {.rtm_family = AF_INET,
                 .rtm_dst_len = a->bits,
                 .rtm_table = RT_TABLE_MAIN,
                 .rtm_protocol = RTPROT_STATIC,
                 .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                 .rtm_type = RTN_UNICAST,
                 .rtm_flags = gateway ? RTNH_F_ONLINK : 0},
        .to = {{RTA_LENGTH(sizeof(uint32_t)), RTA_DST},              htonl(a->address & mask)                                                 },
        .by = {{RTA_LENGTH(sizeof(uint32_t)), RTA_OIF},                 (uint32_t)index                                      },
        .through = {{RTA_LENGTH(sizeof(uint32_t)), RTA_GATEWAY}, htonl(gateway)},
    };
    if (!gateway)
        m.head.nlmsg_len -= sizeof(m.through);
    return net_link_ask(netlink, &m.head);
}

int net_link_up(int netlink, int index)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
    } m = {
        .head = {.nlmsg_len = sizeof(m),
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = { .ifi_family = AF_UNSPEC,
                 .ifi_index = index,
                 .ifi_flags = IFF_UP,
                 .ifi_change = IFF_UP},
    };
    return net_link_ask(netlink, &m.head);
}
