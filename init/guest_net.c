/* The network of a guest, as far as it has one: an address that was said, no questions asked. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool net_wanted; /* a step was about a device */

static int net_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static void net_name(struct ifreq *r, const char *name)
{
    struct guest_text t = {.to = r->ifr_name, .room = sizeof(r->ifr_name)};
    memset(r, 0, sizeof(*r));
    guest_put(&t, name);
}

static int net_flags(int fd, const char *name, bool up)
{
    struct ifreq r;
    net_name(&r, name);
    if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        return -errno;
    r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
    return ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

int net_loopback(void)
{
    autoclose int fd = net_socket();
    return fd < 0 ? fd : net_flags(fd, "lo", true);
}

static int net_first(int dir, const char *name, void *data)
{
    char *to = data;
    size_t size = strlen(name) + 1;
    if (strcmp(name, "lo") == 0 || size > IFNAMSIZ)
        return 0;
    memcpy(to, name, size);
    return 1;
}

static int net_find(const char *wanted, char name[IFNAMSIZ])
{
    size_t size = strlen(wanted) + 1;
    if (size > IFNAMSIZ)
        return -ENODEV;
    memcpy(name, wanted, size);
    if (*wanted)
        return 0;
    int r = guest_each(guest_sys, "class/net", net_first, name);
    return r < 0 ? r : r ? 0 : -ENODEV;
}

void net_read_mac(char to[20])
{
    char name[IFNAMSIZ], path[64];
    struct guest_text t = {.to = path, .room = sizeof(path)};
    to[0] = 0;
    if (!net_wanted || net_find("", name) < 0) /* to look takes an emulated guest some 8 ms */
        return;
    guest_put(&t, "class/net/");
    guest_put(&t, name);
    guest_put(&t, "/address");
    if (guest_read_file(guest_sys, path, to, 20) < 0)
        to[0] = 0;
}

static int net_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_mac(const struct agent_step_view *v)
{
    char name[IFNAMSIZ];
    struct ifreq r;
    autoclose int fd = net_socket();
    int found = fd < 0 ? fd : net_find(v->target, name);
    net_wanted = true;
    if (found < 0)
        return found;
    if (strlen(v->source) != 17)
        return -EINVAL;
    net_name(&r, name);
    r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    for (int i = 0; i < 6; i++) {
        int high = net_digit(v->source[3 * i]), low = net_digit(v->source[3 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        r.ifr_hwaddr.sa_data[i] = (char)(high << 4 | low);
    }
    if (ioctl(fd, SIOCSIFHWADDR, &r) == 0)
        return 0;
    if (errno != EBUSY || net_flags(fd, name, false) < 0)
        return -errno;
    int code = ioctl(fd, SIOCSIFHWADDR, &r) < 0 ? -errno : 0;
    int up = net_flags(fd, name, true);
    return code < 0 ? code : up;
}

/* Dotted, in network order; `*s` stands behind it then. */
static int net_number(const char **s, uint32_t *ret)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        if (net_digit(**s) < 0 || net_digit(**s) > 9)
            return -EINVAL;
        uint64_t n = guest_number(s);
        if (n > 255 || (i < 3 && *(*s)++ != '.'))
            return -EINVAL;
        value = value << 8 | (uint32_t)n;
    }
    *ret = htonl(value);
    return 0;
}

static void net_put(struct sockaddr *to, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {address}};
    memcpy(to, &in, sizeof(in));
}

int net_address(const struct agent_step_view *v)
{
    char name[IFNAMSIZ];
    const char *p = v->source;
    uint32_t address = 0, gateway = 0;
    struct ifreq r;
    autoclose int fd = net_socket();
    int code = fd < 0 ? fd : net_find(v->target, name);
    net_wanted = true;
    if (code == 0)
        code = net_number(&p, &address);
    if (code < 0 || *p++ != '/')
        return code < 0 ? code : -EINVAL;
    uint64_t bits = guest_number(&p);
    if (*p || bits < 1 || bits > 32)
        return -EINVAL;
    net_name(&r, name);
    net_put(&r.ifr_addr, address);
    if (ioctl(fd, SIOCSIFADDR, &r) < 0)
        return -errno;
    net_put(&r.ifr_netmask, htonl(~(uint32_t)((UINT64_C(1) << (32 - bits)) - 1)));
    if (ioctl(fd, SIOCSIFNETMASK, &r) < 0)
        return -errno;
    code = net_flags(fd, name, true);
    p = v->content;
    if (code < 0 || !*p)
        return code;
    code = net_number(&p, &gateway);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = name};
    net_put(&route.rt_dst, 0);
    net_put(&route.rt_genmask, 0);
    net_put(&route.rt_gateway, gateway);
    if (code == 0 && ioctl(fd, SIOCADDRT, &route) < 0 && errno != EEXIST)
        code = -errno;
    return code;
}
