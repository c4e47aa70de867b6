/* The host's side of the agent protocol: what is asked of the agent. */
#include "backends/agent/agent_inner.h"

#include "base/fd.h"
#include "base/str.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct agent_host *agent_host_new(int socket)
{
    struct agent_host *h = NEW(struct agent_host);
    h->socket = socket;
    h->out_end = &h->out;
    h->payload = h->small;
    h->payload_room = sizeof(h->small);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    int r = fd_nonblock(socket);
    if (r < 0 || h->epoll < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, socket, &ev) < 0) {
        int code = r < 0 ? -r : errno;
        agent_host_free(h);
        errno = code;
        return NULL;
    }
    return h;
}

void agent_host_drop_out(struct agent_host *h)
{
    while (h->out) {
        struct agent_out *o = h->out;
        h->out = o->next;
        fd_close(o->fd);
        free(o);
    }
    h->out_end = &h->out;
    h->out_size = 0;
}

void agent_host_drop_fds(struct agent_host *h)
{
    for (size_t i = 0; i < h->fds_count; i++)
        fd_close(h->fds[i]);
    h->fds_count = 0;
}

void agent_console_done(struct agent_console *slot)
{
    free(slot->what);
    free(slot->where);
    *slot = (struct agent_console){0};
}

void agent_host_free(struct agent_host *h)
{
    if (!h)
        return;
    agent_host_drop_out(h);
    agent_host_drop_fds(h);
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        agent_console_done(&h->consoles[i]);
    if (h->ops)
        h->ops->free(h);
    fd_close(h->epoll);
    fd_close(h->socket);
    free(h);
}

int agent_host_fd(const struct agent_host *h)
{
    return h->epoll;
}

/* --- to the agent ----------------------------------------------------------------------------- */

static void agent_host_watch_room(struct agent_host *h, bool writing)
{
    if (h->writing == writing)
        return;
    struct epoll_event ev = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0),
                             .data.u64 = UINT64_MAX};
    if (epoll_ctl(h->epoll, EPOLL_CTL_MOD, h->socket, &ev) == 0)
        h->writing = writing;
}

/* What is to be said first, and what follows without a descriptor: each packet that a guest gets
 * takes it a turn of its own. */
static ssize_t agent_host_send(int socket, const struct agent_out *first)
{
    struct iovec parts[AGENT_HOST_FRAMES_A_TURN];
    size_t count = 0;
    int fd = first->fd;
    for (const struct agent_out *o = first;
         o && count < ARRAY_SIZE(parts) && (o == first || o->fd < 0); o = o->next)
        parts[count++] =
            (struct iovec){.iov_base = (void *)(o->data + o->sent), .iov_len = o->size - o->sent};

    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void agent_host_sent(struct agent_host *h, size_t size)
{
    do {
        struct agent_out *o = h->out;
        size_t part = MIN(size, o->size - o->sent);
        o->fd = fd_close(o->fd);
        o->sent += part;
        size -= part;
        if (o->sent < o->size)
            return;
        h->out = o->next;
        if (!h->out)
            h->out_end = &h->out;
        h->out_size -= o->size;
        free(o);
    } while (size);
}

/* An agent that is gone is noticed by reading, so nothing is reported from here. */
void agent_host_flush(struct agent_host *h)
{
    while (h->out) {
        ssize_t n = agent_host_send(h->socket, h->out);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            agent_host_drop_out(h);
            shutdown(h->socket, SHUT_RDWR); /* half a frame is none: what has come is still read */
            break;
        }
        agent_host_sent(h, (size_t)n);
    }
    agent_host_watch_room(h, h->out != NULL);
}

void agent_host_cork(struct agent_host *h, bool corked)
{
    h->corked = corked;
    if (!corked)
        agent_host_flush(h);
}

struct agent_out *agent_host_frame(struct agent_host *h, enum agent_type type, uint16_t channel,
                                   size_t size, struct error *e)
{
    if (h->dead) {
        error_set(e, EPIPE, "the agent is gone");
        return NULL;
    }
    if (size > AGENT_FRAME_MAX) {
        error_set(e, E2BIG, "the command and its environment are too long (%zu bytes of %u)", size,
                  AGENT_FRAME_MAX);
        return NULL;
    }
    /* credit is as rare as its windows are wide, and a stream would stand still without it */
    if (h->corked && h->out_size + sizeof(struct agent_head) + size > AGENT_HOST_CORKED_MAX)
        agent_host_flush(h);
    size_t most = AGENT_HOST_QUEUE_MAX + (size <= AGENT_HOST_SMALL ? AGENT_HOST_RESERVE : 0);
    if (h->out_size + sizeof(struct agent_head) + size > most && type != AGENT_CREDIT) {
        error_set(e, EAGAIN, "the agent does not answer");
        return NULL;
    }
    struct agent_out *o = mem_alloc(sizeof(*o) + sizeof(struct agent_head) + size);
    *o = (struct agent_out){.fd = FD_NONE, .size = sizeof(struct agent_head) + size};
    struct agent_head head;
    agent_encode_head(&head, type, channel, (uint32_t)size);
    memcpy(o->data, &head, sizeof(head));
    return o;
}

void agent_host_queue(struct agent_host *h, struct agent_out *o)
{
    if (!h->ops || !h->ops->hold(h, o))
        agent_host_queue_now(h, o);
}

void agent_host_queue_now(struct agent_host *h, struct agent_out *o)
{
    *h->out_end = o;
    h->out_end = &o->next;
    h->out_size += o->size;
    if (!h->corked)
        agent_host_flush(h);
}

int agent_host_put(struct agent_host *h, enum agent_type type, uint16_t channel,
                   const void *payload, size_t size, struct error *e)
{
    struct agent_out *o = agent_host_frame(h, type, channel, size, e);
    if (!o)
        return -e->code;
    if (size)
        memcpy(o->data + sizeof(struct agent_head), payload, size);
    agent_host_queue(h, o);
    return 0;
}

struct agent_console *agent_host_console(struct agent_host *h, uint32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        if (h->consoles[i].state != CONSOLE_FREE && h->consoles[i].state != CONSOLE_DRAINING &&
            !h->consoles[i].given_up && h->consoles[i].number == number)
            return &h->consoles[i];
    return NULL;
}

static struct agent_console *agent_host_free_console(struct agent_host *h, uint32_t number)
{
    if (number == 0)
        return &h->consoles[0];
    for (size_t i = 1; i < ARRAY_SIZE(h->consoles); i++)
        if (h->consoles[i].state == CONSOLE_FREE)
            return &h->consoles[i];
    return NULL;
}

/* What was given up still has its place: the agent may answer yet. */
static int agent_host_full(const char *what, unsigned given_up, struct error *e)
{
    if (!given_up)
        return error_set(e, EBUSY, "too many %s at once in this workload", what);
    return error_set(e, EBUSY, "too many %s at once in this workload, %u of them never answered",
                     what, given_up);
}

static size_t agent_host_strings_size(char *const *v)
{
    size_t size = 0;
    for (; v && *v; v++)
        size += strlen(*v) + 1;
    return size;
}

char *agent_host_put_string(char *to, const char *s)
{
    size_t size = strlen(s) + 1;
    memcpy(to, s, size);
    return to + size;
}

int agent_host_start(struct agent_host *h, uint32_t console, const struct agent_host_command *c,
                     struct error *e)
{
    struct agent_console *slot = agent_host_free_console(h, console);
    unsigned given_up = 0;
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        given_up += h->consoles[i].given_up;
    if (!slot || slot->state != CONSOLE_FREE || agent_host_console(h, console))
        return agent_host_full("commands", given_up, e);
    struct agent_start start = {
        .flags = (c->terminal ? (uint32_t)AGENT_START_TERMINAL : 0) |
                 (str_empty(c->user) ? 0 : (uint32_t)AGENT_START_USER_NAME),
        .uid = c->uid,
        .gid = c->gid,
        .groups_count = (uint32_t)c->groups_count,
        .argc = (uint32_t)strv_length(c->argv),
        .envc = (uint32_t)strv_length(c->env),
        .umask = c->umask & 0777,
        .rows = c->rows,
        .cols = c->cols,
    };
    const char *user = str_empty(c->user) ? "" : c->user;
    if (!start.argc || !c->argv[0][0] || c->cwd[0] != '/' || c->groups_count > 32)
        return error_set(e, EINVAL, "a command, an absolute working directory, 32 groups at most");
    size_t groups_size = c->groups_count * sizeof(uint32_t);
    struct agent_out *o =
        agent_host_frame(h, AGENT_START, (uint16_t)(slot - h->consoles),
                         sizeof(start) + groups_size + strlen(c->cwd) + 1 + strlen(user) + 1 +
                             agent_host_strings_size(c->argv) + agent_host_strings_size(c->env),
                         e);
    if (!o)
        return -e->code;
    char *p = o->data + sizeof(struct agent_head);
    p = (char *)memcpy(p, &start, sizeof(start)) + sizeof(start);
    if (groups_size)
        memcpy(p, c->groups, groups_size);
    p = agent_host_put_string(p + groups_size, c->cwd);
    p = agent_host_put_string(p, user);
    for (char *const *v = c->argv; v && *v; v++)
        p = agent_host_put_string(p, *v);
    for (char *const *v = c->env; v && *v; v++)
        p = agent_host_put_string(p, *v);
    *slot = (struct agent_console){
        .state = CONSOLE_STARTING,
        .number = console,
        .terminal = c->terminal,
        .what = str_escape_z(c->argv[0]),
        .where = str_escape_z(c->cwd),
    };
    agent_host_queue(h, o);
    return 0;
}

int agent_host_signal(struct agent_host *h, uint32_t console, int signo, struct error *e)
{
    uint16_t channel = UINT16_MAX;
    if (console != AGENT_HOST_ALL) {
        struct agent_console *slot = agent_host_console(h, console);
        if (!slot)
            return error_set(e, ENOENT, "no such console");
        channel = (uint16_t)(slot - h->consoles);
    }
    uint32_t value = (uint32_t)signo;
    return agent_host_put(h, AGENT_SIGNAL, channel, &value, sizeof(value), e);
}

int agent_host_freeze(struct agent_host *h, bool frozen, struct error *e)
{
    uint8_t value = frozen;
    return agent_host_put(h, AGENT_FREEZE, 0, &value, sizeof(value), e);
}

int agent_host_shutdown(struct agent_host *h, struct error *e)
{
    h->end_is_due = true;
    return agent_host_put(h, AGENT_SHUTDOWN, 0, NULL, 0, e);
}

int agent_host_copy(struct agent_host *h, enum agent_type type, uint32_t transfer, const char *path,
                    int fd, bool barrier, struct error *e)
{
    autoclose int taken = fd;
    struct stat st;
    bool plain = type != AGENT_CHANGES;
    if (plain && (fstat(taken, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))))
        return error_set(e, EINVAL, "a copy needs a pipe or a socket");
    if (plain && path[0] != '/')
        return error_set(e, EINVAL, "the path inside must be absolute");
    struct agent_transfer *slot = NULL;
    unsigned given_up = 0;
    for (size_t i = ARRAY_SIZE(h->transfers); i-- > 0;) {
        given_up += h->transfers[i].given_up;
        if (!h->transfers[i].used)
            slot = &h->transfers[i];
        else if (h->transfers[i].number == transfer && !h->transfers[i].given_up)
            return error_set(e, EBUSY, "this transfer is going on already");
    }
    if (!slot)
        return agent_host_full("copies", given_up, e);
    struct agent_out *o =
        agent_host_frame(h, type, (uint16_t)(slot - h->transfers), plain ? strlen(path) + 1 : 0, e);
    if (!o)
        return -e->code;
    if (plain)
        agent_host_put_string(o->data + sizeof(struct agent_head), path);
    o->barrier = barrier;
    *slot = (struct agent_transfer){.used = true, .number = transfer, .setup = barrier};
    if (h->ops)
        h->ops->transfer(h, (uint16_t)(slot - h->transfers), type == AGENT_COPY_IN, TAKE_FD(taken));
    else
        o->fd = TAKE_FD(taken);
    agent_host_queue(h, o);
    return 0;
}

int agent_host_copy_in(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                       struct error *e)
{
    return agent_host_copy(h, AGENT_COPY_IN, transfer, path, fd, false, e);
}

int agent_host_copy_out(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                        struct error *e)
{
    return agent_host_copy(h, AGENT_COPY_OUT, transfer, path, fd, false, e);
}
