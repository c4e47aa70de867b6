#include "backends/microvm/qmp.h"

#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QMP_GREETING_MS = 5000, QMP_LINES_A_TURN = 256 };

struct qmp {
    int socket; /* owned */
    bool dead;  /* gone, or not to be understood */
    bool greeted;
    uint64_t last;   /* number of the last command */
    uint64_t wanted; /* whose answer is waited for; 0: none */
    json_t *answer;  /* owned; to it */
    struct buf in;   /* what is no whole line yet */
    qmp_event_fn *event;
    void *data;
    uint64_t query; /* whose answer is due without being waited for; 0: none */
    qmp_answer_fn *answered;
    void *answered_data;
};

struct qmp *qmp_new(int socket)
{
    int r = fd_nonblock(socket);
    if (r < 0) {
        fd_close(socket);
        errno = -r;
        return NULL;
    }
    struct qmp *q = NEW(struct qmp);
    q->socket = socket;
    return q;
}

void qmp_free(struct qmp *q)
{
    if (!q)
        return;
    fd_close(q->socket);
    json_decref(q->answer);
    buf_done(&q->in);
    free(q);
}

int qmp_fd(const struct qmp *q)
{
    return q->dead ? FD_NONE : q->socket;
}

/* What QEMU takes is far less than a socket holds: if it does not fit, nobody reads. */
static int qmp_send(struct qmp *q, json_t *o, int fd)
{
    autofree char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text)
        return -EINVAL;
    autofree char *line = str_format("%s\n", text);
    return fd_send(q->socket, line, strlen(line), &fd, fd >= 0) < 0 ? -EPIPE : 0;
}

static int qmp_line(struct qmp *q, const char *line, size_t size)
{
    json_t *o = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        return -EPROTO;
    }
    const json_t *id = json_object_get(o, "id");
    const char *event = json_string_value(json_object_get(o, "event"));
    if (json_object_get(o, "QMP")) {
        q->greeted = true;
    } else if (event) {
        if (q->event)
            q->event(q->data, event, json_object_get(o, "data"));
    } else if (q->query && json_is_integer(id) && (uint64_t)json_integer_value(id) == q->query) {
        const json_t *value = json_object_get(o, "return");
        q->query = 0;
        if (value)
            q->answered(q->answered_data, value);
    } else if (q->wanted && json_is_integer(id) && (uint64_t)json_integer_value(id) == q->wanted &&
               !q->answer) {
        q->answer = json_incref(o);
    }
    json_decref(o);
    return 0;
}

static void qmp_lines(struct qmp *q)
{
    for (int i = 0; i < QMP_LINES_A_TURN && !q->dead; i++) {
        char *end = q->in.used ? memchr(q->in.data, '\n', q->in.used) : NULL;
        if (!end) {
            q->dead = q->in.used > QMP_LINE_MAX;
            return;
        }
        size_t size = (size_t)(end - q->in.data);
        if (size > QMP_LINE_MAX || qmp_line(q, q->in.data, size) < 0)
            q->dead = true;
        buf_drop(&q->in, size + 1);
    }
}

/* One read of what is there. */
static void qmp_read(struct qmp *q)
{
    char bytes[4096];
    if (q->dead)
        return;
    ssize_t n = recv(q->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        buf_add(&q->in, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        q->dead = true;
    qmp_lines(q);
}

void qmp_dispatch(struct qmp *q, qmp_event_fn *event, void *data)
{
    if (event)
        qmp_listen(q, event, data);
    qmp_read(q);
    if (event)
        qmp_listen(q, NULL, NULL);
}

void qmp_listen(struct qmp *q, qmp_event_fn *event, void *data)
{
    q->event = event;
    q->data = data;
}

int qmp_await(struct qmp *q, const bool *done, int timeout_ms, struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)timeout_ms;
    while (!*done && !q->dead) {
        uint64_t now = loop_now_ms();
        struct pollfd p = {.fd = q->socket, .events = POLLIN};
        if (now >= until || (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR))
            return error_set(e, ETIMEDOUT, "QEMU does not answer");
        qmp_read(q);
    }
    return *done ? 0 : error_set(e, EPIPE, "QEMU has ended");
}

/* Until there is an answer (or the greeting, where none is wanted). */
static int qmp_wait(struct qmp *q, uint64_t until)
{
    while (!q->dead && (q->wanted ? !q->answer : !q->greeted)) {
        uint64_t now = loop_now_ms();
        struct pollfd p = {.fd = q->socket, .events = POLLIN};
        if (now >= until || (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR))
            return -ETIMEDOUT;
        qmp_read(q);
    }
    return q->dead ? -EPIPE : 0;
}

/* With the next number. */
static json_t *qmp_command(struct qmp *q, const char *command, json_t *arguments)
{
    return json_pack("{s:s, s:I, s:o*}", "execute", command, "id", (json_int_t)++q->last,
                     "arguments", arguments);
}

int qmp_query(struct qmp *q, const char *command, int wait_ms, qmp_answer_fn *answered, void *data,
              struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)wait_ms;
    if (q->dead)
        return error_set(e, EPIPE, "QEMU has ended");
    qmp_read(q);
    if (q->query || !q->greeted)
        return 0;
    int r = q->last ? 0 : qmp_send(q, qmp_command(q, "qmp_capabilities", NULL), FD_NONE);
    if (r == 0)
        r = qmp_send(q, qmp_command(q, command, NULL), FD_NONE);
    if (r < 0)
        return error_errno(e, -r, "QEMU: %s", command);
    q->query = q->last;
    q->answered = answered;
    q->answered_data = data;
    while (q->query && !q->dead) {
        uint64_t now = loop_now_ms();
        struct pollfd p = {.fd = q->socket, .events = POLLIN};
        if (now >= until || (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR))
            break;
        qmp_read(q);
    }
    return 0;
}

static int qmp_ask(struct qmp *q, const char *command, json_t *arguments, int fd, uint64_t until,
                   struct error *e)
{
    json_t *o = qmp_command(q, command, arguments);
    json_decref(q->answer);
    q->answer = NULL;
    q->wanted = q->last;
    int r = o ? qmp_send(q, o, fd) : -EINVAL;
    if (r == 0)
        r = qmp_wait(q, until);
    q->wanted = 0;
    return r < 0 ? error_errno(e, -r, "QEMU: %s", command) : 0;
}

/* The first thing of all: without it QEMU takes nothing else. */
static int qmp_greet(struct qmp *q, uint64_t until, struct error *e)
{
    if (q->last)
        return 0;
    int r = qmp_wait(q, MIN(until, loop_now_ms() + QMP_GREETING_MS));
    return r < 0 ? error_errno(e, -r, "QEMU's greeting")
                 : qmp_ask(q, "qmp_capabilities", NULL, FD_NONE, until, e);
}

int qmp_call(struct qmp *q, const char *command, json_t *arguments, int timeout_ms, json_t **ret,
             struct error *e)
{
    return qmp_call_fd(q, command, arguments, FD_NONE, timeout_ms, ret, e);
}

int qmp_call_fd(struct qmp *q, const char *command, json_t *arguments, int fd, int timeout_ms,
                json_t **ret, struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)timeout_ms;
    int r = qmp_greet(q, until, e);
    if (r == 0)
        r = qmp_ask(q, command, arguments, fd, until, e);
    else
        json_decref(arguments);
    if (r < 0)
        return r;
    const json_t *why = json_object_get(q->answer, "error");
    if (why) {
        const char *text = json_string_value(json_object_get(why, "desc"));
        autofree char *shown = str_escape_z(text ? text : "no reason");
        return error_set(e, EIO, "QEMU: %s: %.200s", command, shown);
    }
    json_t *value = json_object_get(q->answer, "return");
    if (!value)
        return error_set(e, EPROTO, "QEMU: %s: an answer without one", command);
    if (ret)
        *ret = json_incref(value);
    return 0;
}
