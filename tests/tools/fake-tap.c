/* The card of a stand-in's guest: its tap, opened as the real programs do, and a few packets. */
#include "tests/tools/fake-vmm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TAP_WAIT_MS = 3000, TAP_ARPS = 3, TAP_HEAD = sizeof(struct virtio_net_hdr_v1) };
#define TAP_OWN "10.0.2.15"
#define TAP_GATEWAY "10.0.2.2"
#define TAP_NAMES "10.0.2.3"

static int tap = -1;
static uint8_t tap_mac[ETH_ALEN] = {2, 0xcf, 0, 0, 0, 1};

int tap_open(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int size = TAP_HEAD;
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
        return -errno;
    tap = fd;
    return 0;
}

int tap_is_up(const char *name)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0 ? -errno
            : r.ifr_flags & IFF_UP                    ? 0
            : ioctl(fd, SIOCSIFFLAGS, &r) < 0         ? -errno
                                                      : 0;
    close(fd);
    return n;
}

static void tap_send(const void *frame, size_t size)
{
    char all[TAP_HEAD + 1514] = {0};
    memcpy(all + TAP_HEAD, frame, size);
    (void)!write(tap, all, TAP_HEAD + size);
}

/* The next frame of this kind that is for us, without what stands before it; 0: none comes. */
static size_t tap_receive(uint16_t kind, int wait_ms, char *to, size_t room)
{
    for (;;) {
        char all[TAP_HEAD + 2048];
        struct ether_header *e = (struct ether_header *)(void *)(all + TAP_HEAD);
        struct pollfd p = {.fd = tap, .events = POLLIN};
        if (poll(&p, 1, wait_ms) <= 0)
            return 0;
        ssize_t n = read(tap, all, sizeof(all));
        if (n < (ssize_t)(TAP_HEAD + sizeof(*e)) || ntohs(e->ether_type) != kind ||
            memcmp(e->ether_dhost, tap_mac, ETH_ALEN) != 0)
            continue;
        size_t size = (size_t)n - TAP_HEAD - sizeof(*e);
        memcpy(to, e + 1, size < room ? size : room);
        return size;
    }
}

static bool tap_arp(const char *whom, uint8_t to[ETH_ALEN])
{
    struct {
        struct ether_header head;
        struct ether_arp arp;
    } __attribute__((packed)) m = {
        .head = {.ether_type = htons(ETHERTYPE_ARP)},
        .arp = {.ea_hdr = {htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4,
                           htons(ARPOP_REQUEST)}},
    };
    struct ether_arp answer;
    memset(m.head.ether_dhost, 0xff, ETH_ALEN);
    memcpy(m.head.ether_shost, tap_mac, ETH_ALEN);
    memcpy(m.arp.arp_sha, tap_mac, ETH_ALEN);
    inet_pton(AF_INET, TAP_OWN, m.arp.arp_spa);
    inet_pton(AF_INET, whom, m.arp.arp_tpa);
    for (int asked = 0; asked < TAP_ARPS;
         asked++) { /* as Linux does: an Ethernet may lose a frame */
        tap_send(&m, sizeof(m));
        while (tap_receive(ETHERTYPE_ARP, TAP_WAIT_MS / TAP_ARPS, (char *)&answer, sizeof(answer)))
            if (answer.ea_hdr.ar_op == htons(ARPOP_REPLY) &&
                memcmp(answer.arp_spa, m.arp.arp_tpa, 4) == 0) {
                memcpy(to, answer.arp_sha, ETH_ALEN);
                return true;
            }
    }
    return false;
}

static uint16_t tap_sum(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* RFC 1035: the address of a name of one label and another. */
static size_t tap_question(const char *name, uint8_t *to)
{
    static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1}, tail[5] = {0, 0, 1, 0, 1};
    size_t at = sizeof(head);
    memcpy(to, head, sizeof(head));
    for (const char *s = name; *s;) {
        size_t length = strcspn(s, ".");
        to[at++] = (uint8_t)length;
        memcpy(to + at, s, length);
        at += length;
        s += length + (s[length] == '.');
    }
    memcpy(to + at, tail, sizeof(tail));
    return at + sizeof(tail);
}

void tap_ask(const char *name, char *ret, size_t room)
{
    struct {
        struct ether_header head;
        struct iphdr ip;
        struct udphdr udp;
        uint8_t question[300];
    } __attribute__((packed)) m = {
        .head = {.ether_type = htons(ETHERTYPE_IP)},
        .ip = {          .version = 4,                         .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
        .udp = { .source = htons(40000),                                 .dest = htons(53)},
    };
    char answer[1500];
    snprintf(ret, room, "nobody answers");
    if (tap < 0 || strlen(name) > 200 || !tap_arp(TAP_GATEWAY, m.head.ether_dhost))
        return;
    const uint8_t *g = m.head.ether_dhost;
    snprintf(ret, room, "%02x:%02x:%02x:%02x:%02x:%02x and no names", g[0], g[1], g[2], g[3], g[4],
             g[5]);
    if (!tap_arp(TAP_NAMES, m.head.ether_dhost))
        return;
    size_t asked = tap_question(name, m.question);
    memcpy(m.head.ether_shost, tap_mac, ETH_ALEN);
    inet_pton(AF_INET, TAP_OWN, &m.ip.saddr);
    inet_pton(AF_INET, TAP_NAMES, &m.ip.daddr);
    m.udp.len = htons((uint16_t)(sizeof(m.udp) + asked));
    m.ip.tot_len = htons((uint16_t)(sizeof(m.ip) + sizeof(m.udp) + asked));
    m.ip.check = tap_sum(&m.ip, sizeof(m.ip));
    tap_send(&m, sizeof(m) - sizeof(m.question) + asked);
    size_t before = sizeof(m.ip) + sizeof(m.udp) + asked + 12; /* the first answer's data */
    size_t n = tap_receive(ETHERTYPE_IP, TAP_WAIT_MS, answer, sizeof(answer));
    if (n >= before + 4)
        inet_ntop(AF_INET, answer + before, ret, (socklen_t)room);
}
