/* The translator's life, from the monitor. */
#include "backends/net/translator.h"

#include "backends/net/become.h"
#include "backends/net/device.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NET_START_MS = 10000, NET_SAID_MAX = 1024, NET_DEV_MAX = 4096 };

/* --- the program -------------------------------------------------------------------------------
 */

static int net_open_namespace(pid_t pid, const char *name)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int net_spawn(struct net_translator *t, int user, int net, struct error *e)
{
    int ready[2] = {FD_NONE, FD_NONE}, leave[2] = {FD_NONE, FD_NONE}, said[2] = {FD_NONE, FD_NONE};
    int r = fd_pipe(ready, 0);
    if (r == 0)
        r = fd_pipe(leave, 0);
    if (r == 0)
        r = fd_pipe(said, O_NONBLOCK); /* it never waits for us to read its complaints */
    t->ready = ready[0];
    t->leave = leave[1];
    t->said = said[0];
    pid_t parent = getpid();
    t->pid = r < 0 ? -1 : fork();
    if (t->pid == 0) {
        const int fds[NET_FDS] = {[2] = said[1],
                                  [NET_FD_READY] = ready[1],
                                  [NET_FD_LEAVE] = leave[0],
                                  [NET_FD_USER] = user,
                                  [NET_FD_NET] = net};
        net_become(fds, parent);
    }
    int code = r < 0 ? -r : errno;
    fd_close(ready[1]);
    fd_close(leave[0]);
    fd_close(said[1]);
    if (t->pid < 0) {
        t->pid = 0;
        return error_errno(e, code, "starting slirp4netns");
    }
    t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
    return t->pidfd < 0 ? error_errno(e, errno, "watching slirp4netns") : 0;
}

/* Its last line is the reason. */
static int net_failed(struct net_translator *t, struct error *e)
{
    char text[NET_SAID_MAX + 1];
    ssize_t n = t->said >= 0 ? read(t->said, text, NET_SAID_MAX) : 0;
    text[n > 0 ? n : 0] = '\0';
    char *trimmed = str_trim(text), *last = strrchr(trimmed, '\n');
    autofree char *shown = str_escape_z(last ? last + 1 : trimmed);
    return error_set(e, EIO, "slirp4netns: %.300s", *shown ? shown : "it ended without a word");
}

static int net_wait_ready(struct net_translator *t, struct error *e)
{
    uint64_t end = loop_now_ms() + NET_START_MS;
    for (;;) {
        struct pollfd p[] = {
            {.fd = t->ready, .events = POLLIN},
            {.fd = t->pidfd, .events = POLLIN},
        };
        uint64_t now = loop_now_ms();
        int n = now < end ? poll(p, ARRAY_SIZE(p), (int)(end - now)) : 0;
        if (n < 0 && errno != EINTR)
            return error_errno(e, errno, "waiting for slirp4netns");
        if (n == 0)
            return error_set(e, ETIMEDOUT, "slirp4netns does not come to an end of its start");
        char byte;
        if (n > 0 && p[0].revents)
            return read(t->ready, &byte, 1) == 1 ? 0 : net_failed(t, e);
        if (n > 0 && p[1].revents)
            return net_failed(t, e);
    }
}

void net_translator_init(struct net_translator *t)
{
    *t = (struct net_translator){
        .pidfd = FD_NONE, .leave = FD_NONE, .ready = FD_NONE, .said = FD_NONE, .counts = FD_NONE};
}

static int net_refused(struct error *e, const struct error *why)
{
    return error_set(e, EIO, "network.mode = private: %s; cofferdam doctor says what it needs",
                     why->text);
}

/* FD_NONE: it has none of its own, which nobody can enter twice. */
static int net_open_user(pid_t inside)
{
    struct stat own, its;
    autoclose int fd = net_open_namespace(inside, "user");
    if (fd >= 0 && fstat(fd, &its) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
        own.st_ino == its.st_ino)
        return FD_NONE;
    return TAKE_FD(fd);
}

int net_translator_start(struct net_translator *t, const struct plan *p, pid_t inside,
                         struct error *e)
{
    if (p->network != PLAN_NETWORK_PRIVATE)
        return 0;
    autoclose int user = net_open_user(inside);
    autoclose int net = net_open_namespace(inside, "net");
    if ((user < 0 && user != FD_NONE) || net < 0)
        return error_errno(e, user < 0 ? -user : -net, "the workload's network");
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)inside);
    t->counts = open(path, O_RDONLY | O_CLOEXEC);
    if (t->counts < 0)
        return error_errno(e, errno, "%s", path);
    struct error why;
    int r = net_device_make(user, net, t->guest, &why);
    if (r == 0)
        r = net_spawn(t, user, net, &why);
    return r < 0 ? net_refused(e, &why) : 0;
}

int net_translator_wait(struct net_translator *t, struct error *e)
{
    if (t->pid <= 0)
        return 0;
    struct error why;
    int r = net_wait_ready(t, &why);
    return r < 0 ? net_refused(e, &why) : 0;
}

static void net_reap(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL); /* not reaped yet, so it is still that one */
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

void net_translator_end(struct net_translator *t)
{
    net_reap(&t->pid);
    const int all[] = {t->pidfd, t->leave, t->ready, t->said, t->counts};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        fd_close(all[i]);
    net_translator_init(t);
}

/* --- counting ----------------------------------------------------------------------------------
 */

int net_read_counts(const char *text, const char *name, uint64_t *ret_in, uint64_t *ret_out)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n ");
        if (!*line)
            break;
        if (strncmp(line, name, length) != 0 || line[length] != ':')
            continue;
        uint64_t in, out;
        if (sscanf(line + length + 1, "%" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &in,
                   &out) != 2)
            return -ENODATA;
        *ret_in = in;
        *ret_out = out;
        return 0;
    }
    return -ENODATA;
}

void net_translator_sample(const struct net_translator *t, uint64_t *ret_in, uint64_t *ret_out)
{
    char text[NET_DEV_MAX];
    ssize_t n = t->counts >= 0 ? pread(t->counts, text, sizeof(text) - 1, 0) : -1;
    if (n <= 0)
        return;
    text[n] = '\0';
    net_read_counts(text, NET_TAP, ret_in, ret_out);
}
