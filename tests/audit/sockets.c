/* Sockets: families, kinds, and whose network it is. */
#include "tests/audit/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int refused(int family, int type, int protocol)
{
    return inside_refused(socket(family, type, protocol));
}

/* Every family but local, IPv4, IPv6 and netlink, of every type. */
static int c_families(void)
{
    for (int family = 0; family < 64; family++) {
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
            continue;
        for (int type = 1; type <= 10; type++)
            if (socket(family, type, 0) >= 0) {
                inside_say("family %d, type %d", family, type);
                return HOLE;
            }
    }
    return HELD;
}
static int c_vsock(void)
{
    return refused(AF_VSOCK, SOCK_STREAM, 0);
}
static int c_packet(void)
{
    return refused(AF_PACKET, SOCK_RAW, htons(3));
}
static int c_packet_dgram(void)
{
    return refused(AF_PACKET, SOCK_DGRAM, htons(3));
}
static int c_packet_old(void)
{
    return refused(AF_INET, 10, htons(3));
}
static int c_alg(void)
{
    return refused(AF_ALG, SOCK_SEQPACKET, 0);
}
static int c_xdp(void)
{
    return refused(44, SOCK_RAW, 0);
}
static int c_can(void)
{
    return refused(AF_CAN, SOCK_RAW, 1);
}
static int c_bluetooth(void)
{
    return refused(AF_BLUETOOTH, SOCK_RAW, 1);
}
static int c_tipc(void)
{
    return refused(AF_TIPC, SOCK_RDM, 0);
}
static int c_rds(void)
{
    return refused(AF_RDS, SOCK_SEQPACKET, 0);
}
static int c_smc(void)
{
    return refused(43, SOCK_STREAM, 0);
}
static int c_kcm(void)
{
    return refused(41, SOCK_SEQPACKET, 0);
}
static int c_qipcrtr(void)
{
    return refused(42, SOCK_DGRAM, 0);
}
static int c_key(void)
{
    return refused(AF_KEY, SOCK_RAW, 2);
}
static int c_ax25(void)
{
    return refused(AF_AX25, SOCK_DGRAM, 0);
}
static int c_raw4(void)
{
    return refused(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int c_raw4_tcp(void)
{
    return refused(AF_INET, SOCK_RAW, IPPROTO_TCP);
}
static int c_raw6(void)
{
    return refused(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}
static int c_sctp(void)
{
    return refused(AF_INET, SOCK_SEQPACKET, 132);
}
static int c_dccp(void)
{
    return refused(AF_INET, 6, 33);
}
static int c_mptcp(void)
{
    return refused(AF_INET, SOCK_STREAM, 262);
}
static int c_udplite(void)
{
    return refused(AF_INET, SOCK_DGRAM, 136);
}

static int c_netlink_kinds(void)
{
    for (int kind = 1; kind < 32; kind++)
        for (int type = 2; type <= 3; type++)
            if (socket(AF_NETLINK, type, kind) >= 0) {
                inside_say("netlink kind %d", kind);
                return HOLE;
            }
    return HELD;
}

static int c_interfaces(void)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0)
        return HELD;
    for (struct ifaddrs *i = list; i; i = i->ifa_next)
        if (strcmp(i->ifa_name, "lo") != 0) {
            inside_say("interface %s", i->ifa_name);
            return HOLE;
        }
    return HELD;
}

static int c_routes(void)
{
    const char *text = inside_read("/proc/net/route");
    const char *line = strchr(text, '\n');
    inside_say("%s", line ? line + 1 : "");
    return line && line[1] ? HOLE : HELD;
}

static int c_outside(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "1.1.1.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd < 0 ? HELD : inside_refused(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int c_metadata(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "169.254.169.254", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? HELD : inside_refused(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

/* A port the starter listens on, on the host's loopback. */
static int c_host_loopback(void)
{
    int port = atoi(inside_fact("port"));
    if (!port)
        return SKIP;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? HELD : inside_refused(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int c_host_abstract(void)
{
    const char *name = inside_fact("abstract");
    if (!*name)
        return SKIP;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(a.sun_path + 1, name, length);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return HELD;
    return inside_refused(
        connect(fd, (struct sockaddr *)&a,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)));
}

static int c_unix_listing(void)
{
    const char *text = inside_read("/proc/net/unix");
    const char *line = strchr(text, '\n');
    for (; line && line[1]; line = strchr(line + 1, '\n'))
        if (memchr(line, '@', strcspn(line + 1, "\n") + 1)) {
            inside_say("%.80s", line + 1);
            return HOLE;
        }
    return HELD;
}

static int c_sockets_of_people(void)
{
    static const char *const paths[] = {
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/run/dbus/system_bus_socket",
        "/run/systemd/private",
        "/run/systemd/journal/socket",
        "/dev/log",
        "/run/udev/control",
        "/tmp/.X11-unix/X0",
        "/tmp/.ICE-unix",
        "/run/user/1000/bus",
        "/run/user/0/bus",
        "/run/libvirt/libvirt-sock",
        "/run/snapd.socket",
        "/var/run/nscd/socket",
        "/run/cofferdam",
        "/run/user/0/cofferdam",
        "/run/user/1000/cofferdam",
        "/run/user",
        "/tmp/.X11-unix",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0) {
            inside_say("%s", paths[i]);
            return HOLE;
        }
    return HELD;
}

static int c_low_port_outside(void)
{
    const char *text = inside_read("/proc/net/tcp");
    const char *line = strchr(text, '\n');
    inside_say("%.60s", line ? line + 1 : "");
    return line && line[1] ? HOLE : HELD;
}

static int c_set_interface(void)
{
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = 0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd < 0 ? HELD : inside_refused(ioctl(fd, SIOCSIFFLAGS, &r));
}

static int c_mac_address(void)
{
    const char *mac = inside_fact("mac");
    if (!*mac)
        return SKIP;
    struct ifreq r = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 1; fd >= 0 && i < 64; i++) {
        r.ifr_ifindex = i;
        if (ioctl(fd, SIOCGIFNAME, &r) < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
            continue;
        char text[20];
        const unsigned char *b = (const unsigned char *)r.ifr_hwaddr.sa_data;
        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
                 b[5]);
        if (strcmp(text, mac) == 0)
            return HOLE;
    }
    return HELD;
}

const struct check checks_sockets[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(families),
    ROW(vsock),
    ROW(packet),
    ROW(packet_dgram),
    ROW(packet_old),
    ROW(alg),
    ROW(xdp),
    ROW(can),
    ROW(bluetooth),
    ROW(tipc),
    ROW(rds),
    ROW(smc),
    ROW(kcm),
    ROW(qipcrtr),
    ROW(key),
    ROW(ax25),
    ROW(raw4),
    ROW(raw4_tcp),
    ROW(raw6),
    ROW(sctp),
    ROW(dccp),
    ROW(mptcp),
    ROW(udplite),
    ROW(netlink_kinds),
    ROW(interfaces),
    ROW(routes),
    ROW(outside),
    ROW(metadata),
    ROW(host_loopback),
    ROW(host_abstract),
    ROW(unix_listing),
    ROW(sockets_of_people),
    ROW(low_port_outside),
    ROW(set_interface),
    ROW(mac_address),
    {NULL, NULL},
};
