/* A virtio-serial port, found by its name; or vsock: we call, or somebody calls us. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_AHEAD = 32 * 1024, PORT_BEHIND = 64 * 1024, PORT_AGAIN_MS = 10 };

static struct {
    const char *name;   /* of a virtio port; NULL: vsock */
    bool only;          /* or the only one there is */
    uint32_t number;    /* of a vsock port */
    int events, listen; /* owned; for devices to come, for hosts to come */
    bool gone, signals;
    size_t ahead, next; /* bytes read but not asked for yet */
} port = {.events = FD_NONE, .listen = FD_NONE};
static char port_bytes[PORT_AHEAD];
static char port_later[PORT_BEHIND]; /* not sent yet */
static size_t port_later_used;

static void port_on_signal(int signo)
{
    /* only there to end ppoll() */
}

void port_prepare(const char *transport)
{
    if (strncmp(transport, "vsock:", 6) == 0) {
        const char *digits = transport + 6;
        port.number = (uint32_t)guest_number(&digits);
        return;
    }
    port.name = strncmp(transport, "virtio:", 7) == 0 ? transport + 7 : AGENT_PORT_NAME;
    port.only = strcmp(transport, "port") == 0;
}

/* Before it is looked for: what comes after that is told. */
static void port_listen_for_devices(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    port.events =
        socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (port.events < 0 || bind(port.events, (struct sockaddr *)&address, sizeof(address)) < 0)
        guest_die("listening for devices", errno);
}

/* --- virtio-serial -----------------------------------------------------------------------------
 */

static int port_match(int dir, const char *name, void *data)
{
    char path[300], label[128];
    struct guest_text t = {.to = path, .room = sizeof(path)};
    guest_put(&t, name);
    guest_put(&t, "/name");
    if (guest_read_file(dir, path, label, sizeof(label)) < 0 || strcmp(label, port.name) != 0)
        return 0;
    t.used = 0;
    guest_put(&t, "/dev/");
    guest_put(&t, name);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/*
 * To look for its name takes an emulated guest 5 ms. A controller has its number among all devices,
 * which are seldom more than ten. Its node is there before the driver has done with it: until then
 * opening it gives ENXIO. 0: it is not there yet.
 */
static int port_look(void)
{
    char node[] = "vport0p1";
    for (; port.only && node[5] <= '9'; node[5]++) {
        int fd = openat(guest_dev, node, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            return errno == ENXIO ? 0 : -errno;
    }
    int fd = guest_each(AT_FDCWD, "/sys/class/virtio-ports", port_match, NULL);
    return fd == -ENOENT ? 0 : fd;
}

/*
 * The name of a port is told some time after the port itself: each event may be the one. That the
 * only one can be opened is told by none.
 */
static int port_find(void)
{
    int fd = port.only ? port_look() : 0;
    if (fd > 0)
        return fd;
    port_listen_for_devices();
    for (;;) {
        fd = port_look();
        if (fd > 0)
            return fd;
        if (fd < 0)
            guest_die("opening the agent's port", fd);
        char event[2048];
        struct pollfd p = {.fd = port.events, .events = POLLIN};
        poll(&p, 1, port.only ? PORT_AGAIN_MS : -1);
        while (read(port.events, event, sizeof(event)) > 0)
            ;
    }
}

/* --- vsock -------------------------------------------------------------------------------------
 */

static void port_listen(void)
{
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_port = port.number, .svm_cid = VMADDR_CID_ANY};
    port.listen = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (port.listen < 0 || bind(port.listen, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(port.listen, 1) < 0)
        guest_die("listening on vsock", errno);
}

/* The host alone may speak to us: nobody inside. */
static int port_accept(void)
{
    for (;;) {
        struct sockaddr_vm peer = {0};
        socklen_t size = sizeof(peer);
        int fd =
            accept4(port.listen, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return -errno;
        if (peer.svm_cid == VMADDR_CID_HOST)
            return fd;
        close(fd);
    }
}

/* --- either ------------------------------------------------------------------------------------
 */

static void port_place(int fd)
{
    if (fd < 0 || (fd != AGENT_FD && dup3(fd, AGENT_FD, O_CLOEXEC) < 0))
        guest_die("the agent's port", fd < 0 ? fd : errno);
    if (fd != AGENT_FD)
        close(fd);
    port.gone = false;
    port.ahead = port.next = 0;
}

/*
 * A host that waits for us is told at once; one that does not refuses, and comes when it likes. We
 * listen before, so that it may come in any case. Nothing else runs in the guest yet: nobody can be
 * before us.
 */
static int port_call(void)
{
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_port = port.number, .svm_cid = VMADDR_CID_HOST};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return fd_close(fd);
    fd_nonblock(fd);
    return fd;
}

void port_open(sigset_t *waiting)
{
    if (!port.name) {
        port_listen();
        int fd = port_call();
        port_place(fd >= 0 ? fd : port_accept());
        fd_nonblock(port.listen);
        return;
    }
    port_place(port_find());
    port.events = fd_close(port.events);
    struct sigaction io = {.sa_handler = port_on_signal};
    sigaction(SIGIO, &io, NULL);
    sigdelset(waiting, SIGIO);
    /* the driver learns of a host some time after the port's name */
    for (int wait; !port_is_connected(&wait);)
        ppoll(NULL, 0, NULL, waiting);
}

/*
 * The driver signals when a host comes, and each time it sends something: that is asked for only as
 * long as nobody is there, and before it is looked whether that is so.
 */
static bool port_has_host(void)
{
    struct pollfd p = {.fd = AGENT_FD, .events = POLLIN};
    for (;;) {
        poll(&p, 1, 0);
        bool there = !(p.revents & POLLHUP) || port.next < port.ahead;
        if (there == !port.signals)
            return there;
        port.signals = !there;
        fcntl(AGENT_FD, F_SETOWN, port.signals ? 1 : 0);
        fcntl(AGENT_FD, F_SETFL, O_RDWR | O_NONBLOCK | (port.signals ? O_ASYNC : 0));
        if (there)
            return true;
    }
}

bool port_is_connected(int *ret_wait)
{
    *ret_wait = FD_NONE;
    if (port.name)
        return port_has_host();
    if (!port.gone)
        return true;
    int fd = port_accept();
    if (fd >= 0)
        port_place(fd);
    *ret_wait = port.listen;
    return fd >= 0;
}

int port_callers(void)
{
    return port.listen;
}

void port_change(void)
{
    int fd = port_accept();
    if (fd >= 0)
        port_place(fd);
}

ssize_t port_read(void *to, size_t size)
{
    if (port.next == port.ahead) {
        port.next = port.ahead = 0;
        bool direct = size >= sizeof(port_bytes);
        ssize_t n = read(AGENT_FD, direct ? to : port_bytes, direct ? size : sizeof(port_bytes));
        if (n <= 0) {
            bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
            port.gone = !later;
            return later ? -EAGAIN : 0;
        }
        if (direct)
            return n;
        port.ahead = (size_t)n;
    }
    size_t left = port.ahead - port.next;
    size_t n = size < left ? size : left;
    memcpy(to, port_bytes + port.next, n);
    port.next += n;
    return (ssize_t)n;
}

/* Each write costs an exit to the VMM: what is said in one turn goes in one. */
int port_write(const void *from, size_t size)
{
    if (port_later_used + size > sizeof(port_later)) {
        int r = port_flush();
        if (r < 0)
            return r;
    }
    memcpy(port_later + port_later_used, from, size);
    port_later_used += size;
    return 0;
}

int port_flush(void)
{
    const char *p = port_later;
    size_t size = port_later_used;
    port_later_used = 0;
    while (size) {
        ssize_t n = write(AGENT_FD, p, size);
        if (n >= 0) {
            p += n;
            size -= (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        struct pollfd room = {.fd = AGENT_FD, .events = POLLOUT};
        if (errno != EAGAIN || poll(&room, 1, -1) < 0 || (room.revents & POLLHUP))
            return -EPIPE; /* reading notices it */
    }
    return 0;
}
