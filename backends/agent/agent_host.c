#include "backends/agent/agent_host.h"

#include "backends/agent/agent_streams.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "init/agent.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    AGENT_HOST_PAYLOAD_MAX = 1024, /* of what an agent sends where descriptors carry the data */
    AGENT_HOST_QUEUE_MAX = 2 * (int)(AGENT_FRAME_MAX + sizeof(struct agent_head)),
    AGENT_HOST_TRANSFERS_MAX = 16,
    AGENT_HOST_FRAMES_A_TURN = 64,
};

/* A frame on its way to the agent; its descriptor travels with its first bytes. */
struct agent_out {
    struct agent_out *next;
    int fd; /* owned, or FD_NONE */
    size_t size, sent;
    char data[];
};

struct agent_console {
    enum { CONSOLE_FREE, CONSOLE_STARTING, CONSOLE_RUNNING } state;
    uint32_t number;
    bool terminal;
    char *what; /* owned; argv[0], escaped */
};

struct agent_transfer {
    bool used;
    uint32_t number;
};

struct agent_host {
    int socket, epoll; /* owned */
    bool writing;      /* epoll watches for room too */
    bool dead;         /* closed() has been called, or the wait for the start failed */
    bool greeted;
    bool end_is_due; /* main has exited or was never started, or a shutdown was asked for */
    struct agent_out *out, **out_end;
    size_t out_size;
    struct agent_console consoles[AGENT_CHANNELS_MAX];
    struct agent_transfer transfers[AGENT_HOST_TRANSFERS_MAX];

    /* the frame being read */
    size_t got;
    struct agent_head head;
    char payload[AGENT_HOST_PAYLOAD_MAX];
    int fds[AGENT_STREAMS_MAX + 1];
    size_t fds_count;
};

struct agent_host *agent_host_new(int socket)
{
    struct agent_host *h = NEW(struct agent_host);
    h->socket = socket;
    h->out_end = &h->out;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN};
    int r = fd_nonblock(socket);
    if (r < 0 || h->epoll < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, socket, &ev) < 0) {
        int code = r < 0 ? -r : errno;
        agent_host_free(h);
        errno = code;
        return NULL;
    }
    return h;
}

static void agent_host_drop_out(struct agent_host *h)
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

static void agent_host_drop_fds(struct agent_host *h)
{
    for (size_t i = 0; i < h->fds_count; i++)
        fd_close(h->fds[i]);
    h->fds_count = 0;
}

void agent_host_free(struct agent_host *h)
{
    if (!h)
        return;
    agent_host_drop_out(h);
    agent_host_drop_fds(h);
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        free(h->consoles[i].what);
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
    struct epoll_event ev = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0)};
    if (epoll_ctl(h->epoll, EPOLL_CTL_MOD, h->socket, &ev) == 0)
        h->writing = writing;
}

static ssize_t agent_host_send(int socket, const char *data, size_t size, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
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

/* An agent that is gone is noticed by reading, so nothing is reported from here. */
static void agent_host_flush(struct agent_host *h)
{
    while (h->out) {
        struct agent_out *o = h->out;
        ssize_t n = agent_host_send(h->socket, o->data + o->sent, o->size - o->sent, o->fd);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            agent_host_drop_out(h);
            break;
        }
        o->fd = fd_close(o->fd);
        o->sent += (size_t)n;
        if (o->sent < o->size)
            continue;
        h->out = o->next;
        if (!h->out)
            h->out_end = &h->out;
        h->out_size -= o->size;
        free(o);
    }
    agent_host_watch_room(h, h->out != NULL);
}

/* Room for a frame's payload, or NULL with the error set. */
static struct agent_out *agent_host_frame(struct agent_host *h, enum agent_type type,
                                          uint16_t channel, size_t size, struct error *e)
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
    if (h->out_size + sizeof(struct agent_head) + size > AGENT_HOST_QUEUE_MAX) {
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

static void agent_host_queue(struct agent_host *h, struct agent_out *o)
{
    *h->out_end = o;
    h->out_end = &o->next;
    h->out_size += o->size;
    agent_host_flush(h);
}

static int agent_host_put(struct agent_host *h, enum agent_type type, uint16_t channel,
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

static struct agent_console *agent_host_console(struct agent_host *h, uint32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        if (h->consoles[i].state != CONSOLE_FREE && h->consoles[i].number == number)
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

static size_t agent_host_strings_size(char *const *v)
{
    size_t size = 0;
    for (; v && *v; v++)
        size += strlen(*v) + 1;
    return size;
}

static char *agent_host_put_string(char *to, const char *s)
{
    size_t size = strlen(s) + 1;
    memcpy(to, s, size);
    return to + size;
}

int agent_host_start(struct agent_host *h, uint32_t console, const struct agent_host_command *c,
                     struct error *e)
{
    struct agent_console *slot = agent_host_free_console(h, console);
    if (!slot || agent_host_console(h, console))
        return error_set(e, EBUSY, "too many commands at once in this workload");
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

static int agent_host_copy(struct agent_host *h, enum agent_type type, uint32_t transfer,
                           const char *path, int fd, struct error *e)
{
    autoclose int taken = fd;
    struct stat st;
    if (fstat(taken, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return error_set(e, EINVAL, "a copy needs a pipe or a socket");
    if (path[0] != '/')
        return error_set(e, EINVAL, "the path inside must be absolute");
    struct agent_transfer *slot = NULL;
    for (size_t i = ARRAY_SIZE(h->transfers); i-- > 0;) {
        if (!h->transfers[i].used)
            slot = &h->transfers[i];
        else if (h->transfers[i].number == transfer)
            return error_set(e, EBUSY, "this transfer is going on already");
    }
    if (!slot)
        return error_set(e, EBUSY, "too many copies at once in this workload");
    struct agent_out *o =
        agent_host_frame(h, type, (uint16_t)(slot - h->transfers), strlen(path) + 1, e);
    if (!o)
        return -e->code;
    agent_host_put_string(o->data + sizeof(struct agent_head), path);
    o->fd = TAKE_FD(taken);
    *slot = (struct agent_transfer){.used = true, .number = transfer};
    agent_host_queue(h, o);
    return 0;
}

int agent_host_copy_in(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                       struct error *e)
{
    return agent_host_copy(h, AGENT_COPY_IN, transfer, path, fd, e);
}

int agent_host_copy_out(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                        struct error *e)
{
    return agent_host_copy(h, AGENT_COPY_OUT, transfer, path, fd, e);
}

/* --- from the agent --------------------------------------------------------------------------- */

/*
 * One frame at most, into h->head, payload and fds: 1, 0 when there is no whole one yet, -errno.
 * Head and payload are read apart, so nothing is ever read ahead, and descriptors can only belong
 * to the frame they came with.
 */
static int agent_host_read(struct agent_host *h)
{
    for (;;) {
        bool in_head = h->got < sizeof(h->head);
        size_t whole = sizeof(h->head) + (in_head ? 0 : h->head.size);
        if (!in_head && h->got == whole) {
            h->got = 0;
            return 1;
        }
        char *to = in_head ? (char *)&h->head + h->got : h->payload + h->got - sizeof(h->head);
        int fds[AGENT_STREAMS_MAX + 1];
        size_t count = ARRAY_SIZE(fds);
        ssize_t n = fd_receive(h->socket, to, whole - h->got, fds, &count);
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        for (size_t i = 0; i < count; i++) {
            if (h->fds_count < ARRAY_SIZE(h->fds))
                h->fds[h->fds_count++] = fds[i];
            else
                fd_close(fds[i]);
        }
        if (n == 0)
            return h->got ? -EBADMSG : -EPIPE;
        h->got += (size_t)n;
        if (in_head && h->got == sizeof(h->head) && h->head.size > sizeof(h->payload))
            return -EBADMSG;
    }
}

/* A u32, then (if `text`) a string to the payload's end, of which `*text` is made. */
static int agent_host_take_u32(const struct agent_host *h, uint32_t *ret, const char **text)
{
    uint32_t size = h->head.size;
    if (size < sizeof(*ret) || (!text && size != sizeof(*ret)))
        return -EBADMSG;
    memcpy(ret, h->payload, sizeof(*ret));
    if (!text)
        return 0;
    if (agent_strings(h->payload + sizeof(*ret), size - sizeof(*ret), 1) < 0)
        return -EBADMSG;
    *text = h->payload + sizeof(*ret);
    return 0;
}

/* Words a failure to start, and sorts its errno into what a shell's 127, 126 and our 125 mean. */
static void agent_host_word_failure(struct error *e, const char *what, uint32_t code,
                                    const char *step)
{
    int number = code > 0 && code < 4096 ? (int)code : EIO;
    if (strcmp(step, "exec") == 0) {
        bool missing = number == ENOENT || number == ENOTDIR || number == ENAMETOOLONG;
        if (number == ENOENT)
            error_set(e, ENOENT, "%s: not found", what);
        else
            error_errno(e, number, "%s", what);
        e->code = missing ? ENOENT : EACCES;
        return;
    }
    autofree char *escaped = str_escape_z(step);
    if (strcmp(step, "chdir") == 0)
        error_errno(e, number, "the working directory");
    else if (strcmp(step, "user") == 0 && number == ENOENT)
        error_set(e, EINVAL, "no such user or group inside the workload");
    else
        error_errno(e, number, "start %s: %s", what, escaped);
    e->code = EINVAL;
}

static int agent_host_on_started(struct agent_host *h, struct agent_console *slot,
                                 struct launch_streams *ret, pid_t *ret_pid)
{
    uint32_t pid;
    if (slot->state != CONSOLE_STARTING || agent_host_take_u32(h, &pid, NULL) < 0 || pid < 2 ||
        pid > INT32_MAX)
        return -EBADMSG;
    int r = agent_streams_check(h->fds, h->fds_count, slot->terminal, ret);
    if (r < 0)
        return r;
    h->fds_count = 0;
    slot->state = CONSOLE_RUNNING;
    *ret_pid = (pid_t)pid;
    return 0;
}

static int agent_host_on_failed(struct agent_host *h, struct agent_console *slot, struct error *e)
{
    uint32_t code;
    const char *step;
    if (slot->state != CONSOLE_STARTING || agent_host_take_u32(h, &code, &step) < 0)
        return -EBADMSG;
    agent_host_word_failure(e, slot->what, code, step);
    free(slot->what);
    if (slot == h->consoles)
        h->end_is_due = true;
    *slot = (struct agent_console){0};
    return 0;
}

static int agent_host_on_exited(struct agent_host *h, struct agent_console *slot, int *ret)
{
    uint32_t status;
    if (slot->state != CONSOLE_RUNNING || agent_host_take_u32(h, &status, NULL) < 0 || status > 255)
        return -EBADMSG;
    free(slot->what);
    if (slot == h->consoles)
        h->end_is_due = true;
    *slot = (struct agent_console){0};
    *ret = (int)status;
    return 0;
}

static int agent_host_on_hello(struct agent_host *h)
{
    uint32_t version;
    if (h->greeted || h->head.size != 2 * sizeof(version))
        return -EBADMSG;
    memcpy(&version, h->payload, sizeof(version));
    if (version != AGENT_VERSION)
        return -EPROTONOSUPPORT;
    h->greeted = true;
    return 0;
}

static int agent_host_on_copied(struct agent_host *h, const struct agent_host_events *events,
                                void *data)
{
    uint32_t code;
    const char *text;
    if (h->head.channel >= ARRAY_SIZE(h->transfers) || agent_host_take_u32(h, &code, &text) < 0)
        return -EBADMSG;
    struct agent_transfer *slot = &h->transfers[h->head.channel];
    if (!slot->used || code >= 4096)
        return -EBADMSG;
    uint32_t number = slot->number;
    *slot = (struct agent_transfer){0};
    struct error e;
    if (code) {
        autofree char *escaped = str_escape_z(text);
        if (*escaped)
            error_errno(&e, (int)code, "%s", escaped);
        else
            error_set(&e, (int)code, "%s", strerror((int)code));
    }
    if (events->copied)
        events->copied(data, number, code ? &e : NULL);
    return 0;
}

/* Acts on the frame read last. 0, or -errno: the agent broke the protocol. */
static int agent_host_handle(struct agent_host *h, const struct agent_host_events *events,
                             void *data)
{
    if (h->head.type == AGENT_HELLO)
        return agent_host_on_hello(h);
    if (!h->greeted || (h->fds_count && h->head.type != AGENT_STARTED))
        return -EBADMSG;
    if (h->head.type == AGENT_COPIED)
        return agent_host_on_copied(h, events, data);
    if (h->head.channel >= ARRAY_SIZE(h->consoles))
        return -EBADMSG;

    struct agent_console *slot = &h->consoles[h->head.channel];
    uint32_t number = slot->number;
    struct launch_streams streams;
    struct error e;
    pid_t pid;
    int status, r;
    switch (h->head.type) {
    case AGENT_STARTED:
        r = agent_host_on_started(h, slot, &streams, &pid);
        if (r == 0)
            events->started(data, number, pid, &streams);
        return r;
    case AGENT_FAILED:
        r = agent_host_on_failed(h, slot, &e);
        if (r == 0)
            events->failed(data, number, &e);
        return r;
    case AGENT_EXITED:
        r = agent_host_on_exited(h, slot, &status);
        if (r == 0)
            events->exited(data, number, status);
        return r;
    }
    return -EBADMSG; /* what the host sends, DATA where descriptors travel, or unknown */
}

/* Answers what is still open, then says the last word. */
static void agent_host_close(struct agent_host *h, int code, const struct agent_host_events *events,
                             void *data)
{
    h->dead = true;
    agent_host_drop_out(h);
    agent_host_drop_fds(h);
    epoll_ctl(h->epoll, EPOLL_CTL_DEL, h->socket, NULL);
    struct error e;
    error_set(&e, ECONNRESET, "the workload ended");
    for (size_t i = 0; i < ARRAY_SIZE(h->transfers); i++) {
        bool used = h->transfers[i].used;
        h->transfers[i].used = false;
        if (used && events->copied)
            events->copied(data, h->transfers[i].number, &e);
    }
    for (size_t i = 1; i < ARRAY_SIZE(h->consoles); i++) {
        struct agent_console *slot = &h->consoles[i];
        int state = slot->state;
        slot->state = CONSOLE_FREE;
        free(TAKE(slot->what));
        if (state == CONSOLE_STARTING)
            events->failed(data, slot->number, &e);
        else if (state == CONSOLE_RUNNING)
            events->exited(data, slot->number, 128 + SIGKILL);
    }
    if (code == -EPIPE || code == -ECONNRESET)
        events->closed(data, h->end_is_due ? NULL : "the agent ended unasked");
    else if (code == -EPROTONOSUPPORT)
        events->closed(data, "the agent broke the protocol: another version");
    else
        events->closed(data, "the agent broke the protocol");
}

void agent_host_dispatch(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    if (h->dead)
        return;
    if (h->out)
        agent_host_flush(h);
    for (int i = 0; i < AGENT_HOST_FRAMES_A_TURN; i++) {
        int r = agent_host_read(h);
        if (r > 0)
            r = agent_host_handle(h, events, data);
        else if (r == 0)
            return;
        if (r < 0) {
            agent_host_close(h, r, events, data);
            return;
        }
    }
}

/* --- the wait for main --------------------------------------------------------------------------
 */

struct agent_first {
    bool over;
    struct launch_streams streams;
    pid_t pid;
    struct error e;
};

static void agent_first_started(void *data, uint32_t console, pid_t pid,
                                struct launch_streams *streams)
{
    struct agent_first *first = data;
    first->over = true;
    first->streams = *streams;
    first->pid = pid;
}

static void agent_first_failed(void *data, uint32_t console, const struct error *e)
{
    struct agent_first *first = data;
    first->over = true;
    first->e = *e;
}

int agent_host_wait_started(struct agent_host *h, int timeout_ms,
                            struct launch_streams *ret_streams, pid_t *ret_pid, struct error *e)
{
    static const struct agent_host_events events = {
        .started = agent_first_started,
        .failed = agent_first_failed,
    };
    struct agent_first first = {0};
    uint64_t end = loop_now_ms() + (uint64_t)timeout_ms;
    while (!first.over) {
        if (h->out)
            agent_host_flush(h);
        int r = agent_host_read(h);
        if (r == 0) {
            uint64_t now = loop_now_ms();
            struct pollfd p = {.fd = h->epoll, .events = POLLIN};
            if (now >= end) {
                h->dead = true;
                return error_set(e, ETIMEDOUT, "the agent does not answer");
            }
            poll(&p, 1, (int)(end - now));
            continue;
        }
        if (r > 0)
            r = h->head.type == AGENT_EXITED || h->head.type == AGENT_COPIED
                    ? -EBADMSG
                    : agent_host_handle(h, &events, &first);
        if (r < 0) {
            h->dead = true;
            if (r == -EPIPE || r == -ECONNRESET)
                return error_set(e, EPIPE, "the agent ended before the command started");
            return error_set(e, EPROTO, "the agent broke the protocol");
        }
    }
    if (first.e.code) {
        *e = first.e;
        return -e->code;
    }
    *ret_streams = first.streams;
    *ret_pid = first.pid;
    return 0;
}
