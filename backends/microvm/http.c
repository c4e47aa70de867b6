#include "backends/microvm/http.h"

#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct http {
    int socket; /* owned */
    bool dead;
    http_answer_fn *asked; /* whose answer is due; NULL: none is */
    void *data;
    struct buf in;
};

/* --- reading a head -----------------------------------------------------------------------------
 */

static int head_status(const char *line, size_t size, unsigned *ret)
{
    static const char version[] = "HTTP/1.";
    const size_t at = sizeof(version) + 1; /* behind the minor version and a space */
    if (size < at + 3 || memcmp(line, version, sizeof(version) - 1) != 0 ||
        (line[at - 2] != '0' && line[at - 2] != '1') || line[at - 1] != ' ')
        return -EPROTO;
    unsigned status = 0;
    for (size_t i = at; i < at + 3; i++) {
        if (line[i] < '0' || line[i] > '9')
            return -EPROTO;
        status = status * 10 + (unsigned)(line[i] - '0');
    }
    if ((size > at + 3 && line[at + 3] != ' ') || status < 200)
        return -EPROTO;
    *ret = status;
    return 0;
}

static int head_length(const char *value, size_t size, size_t *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9' ||
            (n = n * 10 + (size_t)(value[i] - '0')) > HTTP_BODY_MAX)
            return -EPROTO;
    }
    *ret = n;
    return size ? 0 : -EPROTO;
}

static bool head_is(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

static int head_field(const char *line, size_t size, struct http_head *h, bool *has_length)
{
    const char *colon = memchr(line, ':', size);
    if (!colon || colon == line)
        return -EPROTO;
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t left = size - name - 1;
    while (left && (*value == ' ' || *value == '\t')) {
        value++;
        left--;
    }
    while (left && (value[left - 1] == ' ' || value[left - 1] == '\t'))
        left--;
    if (head_is(line, name, "Transfer-Encoding"))
        return -EPROTO; /* none of the programs does, and lengths that disagree are an old trick */
    if (head_is(line, name, "Connection") && head_is(value, left, "close"))
        h->last = true;
    if (!head_is(line, name, "Content-Length"))
        return 0;
    if (*has_length)
        return -EPROTO;
    *has_length = true;
    return head_length(value, left, &h->body);
}

int http_head_read(const char *data, size_t size, struct http_head *ret)
{
    struct http_head h = {0};
    bool has_length = false;
    for (size_t at = 0, lines = 0;; lines++) {
        const char *end = at < size ? memmem(data + at, size - at, "\r\n", 2) : NULL;
        if (!end)
            return size > HTTP_HEAD_MAX ? -EPROTO : 0;
        size_t length = (size_t)(end - (data + at));
        if (at + length + 2 > HTTP_HEAD_MAX || memchr(data + at, '\0', length))
            return -EPROTO;
        int r = 0;
        if (lines == 0)
            r = head_status(data + at, length, &h.status);
        else if (length)
            r = head_field(data + at, length, &h, &has_length);
        if (r < 0)
            return r;
        at += length + 2;
        if (lines && !length) {
            h.size = at;
            break;
        }
    }
    if (h.status == 204 && h.body)
        return -EPROTO;
    *ret = h;
    return 1;
}

/* --- a connection -------------------------------------------------------------------------------
 */

struct http *http_new(int socket)
{
    int r = fd_nonblock(socket);
    if (r < 0) {
        fd_close(socket);
        errno = -r;
        return NULL;
    }
    struct http *h = NEW(struct http);
    h->socket = socket;
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    fd_close(h->socket);
    buf_done(&h->in);
    free(h);
}

int http_fd(const struct http *h)
{
    return h->dead ? FD_NONE : h->socket;
}

static void http_read(struct http *h)
{
    char bytes[4096];
    ssize_t n = recv(h->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        buf_add(&h->in, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        h->dead = true;
}

/* 1: a whole answer stands in h->in, and nothing else; 0: more is needed; -EPROTO. */
static int http_whole(const struct http *h, struct http_head *ret)
{
    int r = http_head_read(h->in.data, h->in.used, ret);
    if (r <= 0)
        return r;
    if (h->in.used < ret->size + ret->body)
        return 0;
    bool good = h->in.used == ret->size + ret->body &&
                !(ret->body && memchr(h->in.data + ret->size, '\0', ret->body));
    return good ? 1 : -EPROTO;
}

/* Owned. */
static char *http_take(struct http *h, const struct http_head *head)
{
    char *body = str_ndup(head->body ? h->in.data + head->size : "", head->body);
    buf_drop(&h->in, head->size + head->body);
    h->dead = h->dead || head->last;
    return body;
}

void http_dispatch(struct http *h)
{
    struct http_head head;
    if (h->dead)
        return;
    http_read(h);
    if (!h->in.used)
        return;
    int r = h->asked ? http_whole(h, &head) : -EPROTO;
    if (r < 0)
        h->dead = true;
    if (r <= 0)
        return;
    http_answer_fn *answered = h->asked;
    autofree char *body = http_take(h, &head);
    h->asked = NULL;
    answered(h->data, head.status, body);
}

/* Requests are small, and the other end reads before it answers: if it does not fit, nobody does.
 */
static int http_send(struct http *h, const char *method, const char *path, const char *body)
{
    autobuf out = {0};
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n", method,
               path);
    if (body)
        buf_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_puts(&out, "\r\n");
    if (body)
        buf_puts(&out, body);
    ssize_t n = send(h->socket, out.data, out.used, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == (ssize_t)out.used ? 0 : -EPIPE;
}

/* 1: there is something to read; 0: a signal came; -ETIMEDOUT. */
static int http_poll(const struct http *h, uint64_t until)
{
    uint64_t now = loop_now_ms();
    struct pollfd p = {.fd = h->socket, .events = POLLIN};
    if (now >= until || (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR))
        return -ETIMEDOUT;
    return p.revents != 0;
}

/* 0: the whole answer stands in h->in. */
static int http_wait(struct http *h, uint64_t until, struct http_head *ret)
{
    for (;;) {
        int r = http_whole(h, ret);
        if (r != 0)
            return r < 0 ? r : 0;
        if (h->dead)
            return -EPIPE;
        r = http_poll(h, until);
        if (r < 0)
            return r;
        if (r > 0)
            http_read(h);
    }
}

/* One at a time: what is due comes before anything else can. */
static int http_settle(struct http *h, uint64_t until)
{
    while (h->asked && !h->dead) {
        int r = http_poll(h, until);
        if (r < 0)
            return r;
        if (r > 0)
            http_dispatch(h);
    }
    return 0;
}

void http_await(struct http *h, int timeout_ms)
{
    http_settle(h, loop_now_ms() + (uint64_t)timeout_ms);
}

int http_ask(struct http *h, const char *method, const char *path, const char *body,
             http_answer_fn *answered, void *data)
{
    http_dispatch(h);
    if (h->asked || h->dead)
        return h->dead ? -EPIPE : -EBUSY;
    if (http_send(h, method, path, body) < 0) {
        h->dead = true; /* half of a request may be on its way */
        return -EPIPE;
    }
    h->asked = answered;
    h->data = data;
    return 0;
}

int http_call(struct http *h, const char *method, const char *path, const char *body,
              int timeout_ms, unsigned *ret_status, char **ret_body, struct error *e)
{
    struct http_head head = {0};
    uint64_t until = loop_now_ms() + (uint64_t)timeout_ms;
    http_dispatch(h);
    int r = http_settle(h, until);
    if (r == 0)
        r = h->dead ? -EPIPE : http_send(h, method, path, body);
    if (r == 0)
        r = http_wait(h, until, &head);
    if (r < 0) {
        h->dead = true; /* whose answer came next would not be known */
        return error_errno(e, -r, "no answer");
    }
    *ret_status = head.status;
    *ret_body = http_take(h, &head);
    return 0;
}
