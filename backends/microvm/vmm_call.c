#include "backends/microvm/vmm_call.h"

#include "backends/microvm/vmm.h"
#include "base/fd.h"
#include "base/loop.h"
#include "init/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALL_TRY_MS = 1000, CALL_FIRST_MS = 200, CALL_REST_MS = 5, CALL_WORD_MAX = 32 };

/* 1: there is something to read; 0: not in time, or it is over. */
static int call_poll(int fd, int alive, uint64_t until)
{
    uint64_t now = loop_now_ms();
    struct pollfd p[] = {
        {.fd = fd,    .events = POLLIN},
        {.fd = alive, .events = POLLIN}
    };
    return now < until && poll(p, 2, (int)(until - now)) > 0 && p[0].revents != 0;
}

static int call_write(int fd, const void *from, size_t size)
{
    ssize_t n = send(fd, from, size, MSG_NOSIGNAL);
    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EPIPE;
}

/* Byte for byte: what follows the line is the guest's. */
static int call_read_line(int fd, int alive, uint64_t until, char line[CALL_WORD_MAX])
{
    for (size_t i = 0; i + 1 < CALL_WORD_MAX; i++) {
        if (!call_poll(fd, alive, until))
            return -EAGAIN;
        ssize_t n = read(fd, line + i, 1);
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        line[i + 1] = '\0';
        if (line[i] == '\n')
            return 0;
    }
    return -EPROTO;
}

/* It says a word back over this very connection. */
static int call_ping(int fd, int alive, uint64_t until)
{
    struct agent_head head;
    char *to = (char *)&head;
    agent_encode_head(&head, AGENT_PING, 0, 0);
    int r = call_write(fd, &head, sizeof(head));
    for (size_t got = 0; r == 0 && got < sizeof(head);) {
        if (!call_poll(fd, alive, until))
            return -EAGAIN;
        ssize_t n = read(fd, to + got, sizeof(head) - got);
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        got += (size_t)n;
    }
    return r < 0 ? r : head.type == AGENT_PONG && head.size == 0 ? 0 : -EPROTO;
}

int vmm_connect(int folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    autoclose int at = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0 || fstat(at, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EPROTO;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", at);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(fd, F_SETFL, O_RDWR) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int call_once(int folder, int alive, uint64_t until)
{
    static const char ask[] = "CONNECT " VMM_AGENT_PORT_TEXT "\n";
    char line[CALL_WORD_MAX];
    autoclose int fd = vmm_connect(folder, &VMM_MEET_VSOCK[sizeof(VMM_MEET)]);
    if (fd < 0)
        return fd;
    int r = call_write(fd, ask, sizeof(ask) - 1);
    if (r == 0)
        r = call_read_line(fd, alive, until, line);
    if (r == 0 && strncmp(line, "OK ", 3) != 0)
        r = -EPROTO;
    if (r == 0)
        r = call_ping(fd, alive, until);
    return r < 0 ? r : TAKE_FD(fd);
}

int vmm_call(int folder, int alive, int timeout_ms, struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)timeout_ms;
    struct pollfd p = {.fd = alive, .events = POLLIN};
    /* the first is soon given up: a guest that has such a connection from before hears none of it
     */
    for (uint64_t try = CALL_FIRST_MS;; try = MIN(2 * try, (uint64_t)CALL_TRY_MS)) {
        uint64_t now = loop_now_ms();
        int fd = call_once(folder, alive, MIN(until, now + try));
        if (fd >= 0)
            return fd;
        if (fd == -EPROTO)
            return error_set(e, EPROTO, "the guest's agent does not answer as one");
        /* nobody tells when the guest listens again */
        if (poll(&p, 1, CALL_REST_MS) > 0)
            return error_set(e, EPIPE, "the machine has ended before its agent answered");
        if (loop_now_ms() >= until)
            return error_errno(e, fd == -EAGAIN ? ETIMEDOUT : -fd, "calling the guest's agent");
    }
}
