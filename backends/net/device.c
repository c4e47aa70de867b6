/* The device of a private network, made and configured in the workload's own namespaces. */
#include "backends/net/device.h"

#include "backends/net/guest.h"
#include "backends/net/link.h"
#include "backends/net/translator.h"
#include "base/fd.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NET_CLOSED_MAX = 256, NET_DEVICE_MS = 10000 };

/* 10.0.2.0/24 is the translator's own: nothing in it is handed on. */
enum { NET_OWN = 0x0a000200, NET_NOBODY = NET_OWN + 1 };
static const uint32_t net_own_mask = 0xffffff00;

/*
 * Where clouds answer for the machine, to whoever asks: the link-local ones, and those that Azure,
 * Alibaba Cloud and Oracle's Classic document beside them. IPv6's need nothing: there is none.
 */
static const struct net_address net_clouds[] = {
    {0xa9fe0001, 16}, /* 169.254.0.0/16 */
    {0xa83f8110, 32}, /* 168.63.129.16 */
    {0x646464c8, 32}, /* 100.100.100.200 */
    {0xc00000c0, 32}, /* 192.0.0.192 */
};

static bool net_has(const struct net_address *all, size_t count, uint32_t address)
{
    for (size_t i = 0; i < count; i++)
        if ((all[i].address ^ address) >> (32 - all[i].bits) == 0)
            return true;
    return false;
}

/* The host's own, seen from where it has them; and the clouds', whosever they are. */
static size_t net_hosts(struct net_address *to, size_t most)
{
    size_t count = ARRAY_SIZE(net_clouds);
    memcpy(to, net_clouds, sizeof(net_clouds));
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return 0;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
            continue;
        struct sockaddr_in in;
        memcpy(&in, i->ifa_addr, sizeof(in));
        uint32_t a = ntohl(in.sin_addr.s_addr);
        if (a >> 24 == 127 || (a & net_own_mask) == NET_OWN || net_has(to, count, a))
            continue;
        if (count == most) {
            count = 0; /* rather none than some */
            break;
        }
        to[count++] = (struct net_address){a, 32};
    }
    freeifaddrs(all);
    return count;
}

/*
 * The device the translator will find. To anybody but the two it answers for nothing is let out:
 * the host has listeners of its own in groups (RFC 1112), which no route stands before. Its index.
 */
static int net_make_tap(void)
{
    static const uint8_t whom[3][ETH_ALEN] = {
        {0x52, 0x55, 10,   0,    2,    2   },
        {0x52, 0x55, 10,   0,    2,    3   },
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
    };
    union {
        struct tun_filter head;
        char all[sizeof(struct tun_filter) + sizeof(whom)];
    } filter = {.head = {.count = ARRAY_SIZE(whom)}};
    memcpy(filter.all + sizeof(struct tun_filter), whom, sizeof(whom));
    return net_link_tap(NET_TAP, &filter.head);
}

/* Of devices made from now on; the loopback device keeps ::1. A kernel without it is as good. */
static int net_no_ipv6(void)
{
    autoclose int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    return fd_write_full(fd, "1", 1);
}

/*
 * The translator, which would make it otherwise and forget the routes that are there, has two
 * addresses on it. Nobody else is a neighbour: what the kernel remembers of neighbours it counts
 * for all its namespaces together, so none may be made up at will.
 */
static int net_configure(int netlink, int tap)
{
    static const struct {
        struct net_address to;
        uint32_t by;
    } routes[] = {
        {{NET_OWN + 2, 32}, 0          },
        {{NET_OWN + 3, 32}, 0          },
        {{NET_OWN, 24},     NET_NOBODY },
        {{0, 0},            NET_OWN + 2},
    };
    static const struct net_address own = {NET_OWN + 100, 32};
    struct ifreq r = {.ifr_name = NET_TAP, .ifr_mtu = NET_MTU};
    if (ioctl(netlink, SIOCSIFMTU, &r) < 0)
        return -errno;
    int n = net_link_up(netlink, tap);
    if (n == 0)
        n = net_link_address(netlink, tap, &own);
    for (size_t i = 0; n == 0 && i < ARRAY_SIZE(routes); i++)
        n = net_link_route(netlink, tap, &routes[i].to, routes[i].by);
    return n;
}

/*
 * A local address is passed over by who names the device to leave by, and gVisor's routes are those
 * of the device alone: so a route of that leads there as well, by a neighbour that nobody is.
 */
static int net_close_addresses(int netlink, int lo, int tap, const struct net_address *all,
                               size_t count)
{
    /* nowhere in particular, itself, everybody of a group */
    static const struct net_address nobody[] = {
        {0,          8},
        {0x7f000000, 8},
        {0xe0000000, 4}
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        if ((r = net_link_address(netlink, lo, &all[i])) == 0)
            r = net_link_route(netlink, tap, &all[i], NET_NOBODY);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nobody); i++)
        r = net_link_route(netlink, tap, &nobody[i], NET_NOBODY);
    return r;
}

/* What the host has is looked at where it has it, before the namespaces are entered. */
static int net_make(int user, int net, bool guest, struct error *e)
{
    static struct net_address all[NET_CLOSED_MAX];
    size_t count = net_hosts(all, ARRAY_SIZE(all));
    if (!count)
        return error_set(e, E2BIG, "the host's own addresses cannot be told, or are more than %d",
                         NET_CLOSED_MAX);
    if ((user >= 0 && setns(user, CLONE_NEWUSER) < 0) || setns(net, CLONE_NEWNET) < 0)
        return error_errno(e, errno, "entering the workload's network");
    autoclose int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0)
        return error_errno(e, errno, "asking the kernel for routes");
    int r = net_no_ipv6();
    if (r < 0)
        return error_errno(e, -r, "switching IPv6 off");
    int tap = net_make_tap();
    if (tap < 0)
        return error_errno(e, -tap, "making " NET_TAP " of " NET_TUN);
    const int lo = 1; /* it has this index in every namespace */
    r = net_link_up(netlink, lo);
    if (r == 0)
        r = net_configure(netlink, tap);
    if (r < 0)
        return error_errno(e, -r, "configuring " NET_TAP);
    r = net_close_addresses(netlink, lo, tap, all, count);
    if (r < 0)
        return error_errno(e, -r, "closing the host's addresses");
    r = guest ? net_guest_make(netlink, tap) : 0;
    return r < 0 ? error_errno(e, -r, "making " NET_GUEST_TAP " for the guest") : 0;
}

static void __attribute__((noreturn))
net_device_child(int user, int net, bool guest, int said, pid_t parent)
{
    struct error e = {0};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(1);
    net_make(user, net, guest, &e);
    _exit(fd_write_full(said, &e, sizeof(e)) < 0);
}

int net_device_make(int user, int net, bool guest, struct error *e)
{
    int ends[2];
    int r = fd_pipe(ends, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        net_device_child(user, net, guest, ends[1], parent);
    int code = errno;
    fd_close(ends[1]);
    autoclose int hears = ends[0];
    if (pid < 0)
        return error_errno(e, code, "a process to make " NET_TAP);
    struct error said = {0};
    struct pollfd p = {.fd = hears, .events = POLLIN};
    if (poll(&p, 1, NET_DEVICE_MS) == 0)
        error_set(&said, ETIMEDOUT, NET_TAP " is not made within %d s", NET_DEVICE_MS / 1000);
    else if (fd_read_full(hears, &said, sizeof(said)) < 0)
        error_set(&said, EIO, "who makes " NET_TAP " ended without a word");
    kill(pid, SIGKILL); /* it has said all it had to say */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return said.code ? error_take(e, &said) : 0;
}
