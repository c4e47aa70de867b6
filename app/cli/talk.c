#include "app/cli/talk.h"

#include "base/cancel.h"
#include "base/fd.h"
#include "base/str.h"
#include "console/state.h"

#include <poll.h>

enum { TALK_EACH_MS = 250 };

static void on_fd(void *data, uint32_t request, int fd)
{
    struct talk *t = data;
    fd_close(t->fd);
    t->fd = fd;
    t->over |= request == t->request;
}

static void on_state(void *data, const char *json, size_t size)
{
    struct talk *t = data;
    free(t->state);
    t->state = str_ndup(json, size);
    t->over = true;
}

static void on_report(void *data, const char *json, size_t size)
{
    struct talk *t = data;
    free(t->report);
    t->report = str_ndup(json, size);
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct talk *t = data;
    if (t->request && request != t->request)
        return;
    t->over = true;
    if (e)
        t->error = *e;
}

static void on_closed(void *data, const char *why)
{
    struct talk *t = data;
    if (!t->over)
        error_set(&t->error, EPIPE, "its monitor is gone");
    t->over = true;
}

int talk_open(struct talk *t, const struct dirs *d, const char *id, struct error *e)
{
    static const struct client_events events = {
        .fd = on_fd, .state = on_state, .report = on_report, .done = on_done, .closed = on_closed};
    *t = (struct talk){.fd = FD_NONE};
    autofree char *path = state_socket_path(d, id);
    return client_connect(path, &events, t, &t->client, e);
}

static int talk_poll(const struct talk *t, struct pollfd *p)
{
    int most = t->meanwhile ? TALK_EACH_MS : -1;
    if (!t->whole)
        return cancel_poll(p, 1, most);
    int n = poll(p, 1, most);
    return n < 0 ? -errno : n;
}

int talk_await(struct talk *t, uint32_t request, struct error *e)
{
    t->request = request;
    while (!t->over) {
        struct pollfd p = {
            .fd = client_fd(t->client),
            .events = (short)(POLLIN | (client_wants_write(t->client) ? POLLOUT : 0)),
        };
        /* it may have gone with the last bytes of the answer before: nobody is told twice */
        if (client_dispatch(t->client) < 0)
            on_closed(t, NULL);
        int n = t->over ? 1 : talk_poll(t, &p);
        if (n < 0 && n != -EINTR)
            error_errno(&t->error, -n, "waiting"), t->over = true;
        if (n == -EINTR && cancelled && !t->whole)
            error_set(&t->error, ECANCELED, "given up"), t->over = true;
        if (n == 0)
            t->meanwhile(t->data);
    }
    t->over = false;
    t->request = 0;
    if (t->error.code == 0)
        return 0;
    *e = t->error;
    t->error.code = 0;
    return -e->code;
}

void talk_close(struct talk *t)
{
    if (t->client)
        fd_close(t->fd);
    client_free(t->client);
    free(t->state);
    free(t->report);
    *t = (struct talk){.fd = FD_NONE};
}
