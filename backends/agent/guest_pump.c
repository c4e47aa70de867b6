/* The streams of a guest's commands and copies: between frames and descriptors of ours. */
#include "backends/agent/guest_inner.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUEST_TURN = 64, GUEST_QUEUE = 256 * 1024 /* of frames that wait: no more DATA then */ };

/* --- descriptors -------------------------------------------------------------------------------
 */

static uint64_t guest_key(uint16_t channel, unsigned stream)
{
    return (uint64_t)channel << 2 | stream;
}

static void guest_end_open(struct guest_end *e, int fd, uint16_t channel, unsigned stream)
{
    *e = (struct guest_end){.fd = fd, .looks = UINT32_MAX, .key = guest_key(channel, stream)};
}

static void guest_end_close(struct agent_host *h, struct guest_end *e)
{
    if (e->fd >= 0 && e->looks != UINT32_MAX)
        epoll_ctl(h->epoll, EPOLL_CTL_DEL, e->fd, NULL);
    e->fd = fd_close(e->fd);
    e->looks = UINT32_MAX;
}

/* UINT32_MAX: not even for a hang-up. */
static void guest_end_look(struct agent_host *h, struct guest_end *e, uint32_t looks)
{
    if (e->fd < 0 || e->looks == looks)
        return;
    struct epoll_event ev = {.events = looks, .data.u64 = e->key};
    int how = looks == UINT32_MAX      ? EPOLL_CTL_DEL
              : e->looks == UINT32_MAX ? EPOLL_CTL_ADD
                                       : EPOLL_CTL_MOD;
    if (epoll_ctl(h->epoll, how, e->fd, &ev) == 0)
        e->looks = looks;
}

/* --- frames ------------------------------------------------------------------------------------
 */

/* There is always room: this much was left for it. */
static void guest_put(struct agent_host *h, enum agent_type type, uint16_t channel,
                      const void *payload, size_t size)
{
    struct error e;
    struct agent_out *o = agent_host_frame(h, type, channel, size, &e);
    if (!o)
        return;
    memcpy(o->data + sizeof(struct agent_head), payload, size);
    if (!guest_wait_still(h, o))
        agent_host_queue_now(h, o);
}

void guest_credit(struct agent_host *h, uint16_t channel, uint32_t stream, uint32_t bytes)
{
    struct agent_credit credit = {.bytes = bytes, .stream = stream};
    guest_put(h, AGENT_CREDIT, channel, &credit, sizeof(credit));
}

/* --- what is watched ---------------------------------------------------------------------------
 */

static bool guest_in_wants(const struct agent_host *h, const struct guest_in *in)
{
    return in->open && in->credit && h->out_size < GUEST_QUEUE;
}

static void guest_watch(struct agent_host *h, struct guest_in *in, struct guest_out *out,
                        bool shared)
{
    bool wants = in && guest_in_wants(h, in);
    uint32_t room = out && out->used > out->at ? (uint32_t)EPOLLOUT : 0;
    if (shared) {
        guest_end_look(h, &out->end, room | (wants ? (uint32_t)EPOLLIN : 0));
        return;
    }
    if (in)
        guest_end_look(h, &in->own, wants ? EPOLLIN : UINT32_MAX);
    if (out)
        guest_end_look(h, &out->end, room);
}

static void guest_watch_channel(struct agent_host *h, uint16_t n)
{
    struct guest_channel *c = &h->guest->channels[n];
    if (!c->busy)
        return;
    guest_watch(h, &c->in, &c->out[0], c->terminal);
    guest_watch(h, NULL, &c->out[1], false);
}

static void guest_watch_transfer(struct agent_host *h, uint16_t n)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    if (t->busy && !t->waits)
        guest_watch(h, &t->in, &t->out, false);
}

/* --- out: from the guest -----------------------------------------------------------------------
 */

static void guest_out_free(struct agent_host *h, struct guest_out *out)
{
    guest_end_close(h, &out->end);
    free(out->pending);
    out->pending = NULL;
    out->at = out->used = 0;
}

/* Nobody reads here any more: the guest is told, and what still comes is dropped. */
static void guest_out_gone(struct agent_host *h, struct guest_out *out, uint16_t channel,
                           unsigned stream)
{
    out->lost |= out->used > out->at;
    guest_out_free(h, out);
    if (!out->gone && !out->ended)
        guest_credit(h, channel, stream, 0);
    out->gone = true;
}

/* Bytes have left for the reader: the guest may send as many again. */
static void guest_out_freed(struct agent_host *h, struct guest_out *out, size_t n, uint16_t channel,
                            unsigned stream)
{
    out->freed += (uint32_t)n;
    if (out->freed < AGENT_WINDOW / 2 || out->ended || out->gone)
        return;
    out->credit += out->freed;
    guest_credit(h, channel, stream, out->freed);
    out->freed = 0;
}

/* What of these bytes the reader took, or -errno: it is gone. */
static ssize_t guest_out_write(const struct guest_out *out, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = send(out->end.fd, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == ENOTSOCK)
            n = write(out->end.fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static void guest_out_push(struct agent_host *h, struct guest_out *out, uint16_t channel,
                           unsigned stream)
{
    if (out->end.fd < 0)
        return;
    ssize_t n = guest_out_write(out, out->pending + out->at, out->used - out->at);
    if (n < 0) {
        guest_out_gone(h, out, channel, stream);
        return;
    }
    out->at += (size_t)n;
    if (out->at == out->used)
        out->at = out->used = 0;
    guest_out_freed(h, out, (size_t)n, channel, stream);
    if (out->ended && !out->used)
        guest_out_free(h, out);
}

static int guest_out_take(struct agent_host *h, struct guest_out *out, const char *data,
                          size_t size, uint16_t channel, unsigned stream)
{
    if (out->ended || size > out->credit)
        return -EBADMSG;
    out->credit -= (uint32_t)size;
    out->ended = size == 0;
    if (out->gone) {
        out->lost |= size > 0;
        return 0;
    }
    size_t done = 0;
    if (size && !out->used) {
        ssize_t n = guest_out_write(out, data, size);
        if (n < 0) {
            out->lost = true;
            guest_out_gone(h, out, channel, stream);
            return 0;
        }
        done = (size_t)n;
        guest_out_freed(h, out, done, channel, stream);
    }
    if (done < size) {
        if (!out->pending)
            out->pending = mem_alloc(AGENT_WINDOW);
        if (out->used + size - done > AGENT_WINDOW) {
            memmove(out->pending, out->pending + out->at, out->used - out->at);
            out->used -= out->at;
            out->at = 0;
        }
        memcpy(out->pending + out->used, data + done, size - done);
        out->used += size - done;
    }
    if (out->ended && !out->used)
        guest_out_free(h, out);
    return 0;
}

/* --- in: to the guest --------------------------------------------------------------------------
 */

static void guest_in_close(struct agent_host *h, struct guest_in *in)
{
    in->open = false;
    guest_end_close(h, &in->own);
}

/* One frame; false: there is nothing more to do now. `shared`: a terminal's end. */
static bool guest_in_pull(struct agent_host *h, struct guest_in *in, uint16_t channel)
{
    if (!guest_in_wants(h, in) || in->end->fd < 0)
        return false;
    char data[1 + AGENT_DATA_MAX];
    ssize_t n = read(in->end->fd, data + 1, MIN(in->credit, AGENT_DATA_MAX));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    data[0] = 0;
    if (n < 0)
        n = 0;
    in->credit -= (uint32_t)n;
    guest_put(h, AGENT_DATA, channel, data, 1 + (size_t)n);
    if (n == 0)
        guest_in_close(h, in);
    return n > 0;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static int guest_make_terminal(struct guest_channel *c, uint16_t n, struct launch_streams *ret)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return r;
    fd_nonblock(pair[0]);
    fd_nonblock(pair[1]);
    guest_end_open(&c->out[0].end, pair[0], n, 1);
    guest_end_open(&c->out[1].end, FD_NONE, n, 2);
    guest_end_open(&c->in.own, FD_NONE, n, 0);
    c->in.end = &c->out[0].end;
    *ret =
        (struct launch_streams){.terminal = pair[1], .in = FD_NONE, .out = FD_NONE, .err = FD_NONE};
    return 0;
}

static int guest_make_pipes(struct guest_channel *c, uint16_t n, struct launch_streams *ret)
{
    int pairs[3][2];
    for (int i = 0; i < 3; i++) {
        int r = fd_pipe(pairs[i], O_NONBLOCK);
        if (r == 0)
            continue;
        while (--i >= 0) {
            fd_close(pairs[i][0]);
            fd_close(pairs[i][1]);
        }
        return r;
    }
    guest_end_open(&c->in.own, pairs[0][0], n, 0);
    c->in.end = &c->in.own;
    for (unsigned i = 0; i < 2; i++)
        guest_end_open(&c->out[i].end, pairs[1 + i][1], n, 1 + i);
    *ret = (struct launch_streams){
        .terminal = FD_NONE, .in = pairs[0][1], .out = pairs[1][0], .err = pairs[2][0]};
    return 0;
}

static int guest_make(struct agent_host *h, uint16_t n, bool terminal, struct launch_streams *ret)
{
    struct guest_channel *c = &h->guest->channels[n];
    *c = (struct guest_channel){.busy = true, .terminal = terminal};
    int r = terminal ? guest_make_terminal(c, n, ret) : guest_make_pipes(c, n, ret);
    if (r < 0) {
        c->busy = false;
        return r;
    }
    c->in.open = true;
    c->in.credit = c->out[0].credit = c->out[1].credit = AGENT_WINDOW;
    if (terminal)
        c->out[1].ended = true;
    guest_watch_channel(h, n);
    return 0;
}

int guest_started(struct agent_host *h, uint16_t channel, struct launch_streams *ret)
{
    return guest_make(h, channel, h->consoles[channel].terminal, ret);
}

int guest_adopted(struct agent_host *h, const struct agent_running *running,
                  struct launch_streams *ret)
{
    int r = guest_make(h, 0, h->consoles[0].terminal, ret);
    if (r < 0)
        return r;
    struct guest_channel *c = &h->guest->channels[0];
    if (running->room_in == UINT32_MAX)
        guest_in_close(h, &c->in);
    else
        c->in.credit = running->room_in;
    for (unsigned i = 0; i < 2; i++) {
        if (!(running->ended & 2u << i) || c->out[i].ended)
            continue;
        c->out[i].ended = true;
        guest_out_free(h, &c->out[i]);
    }
    guest_watch_channel(h, 0);
    return 0;
}

static void guest_channel_free(struct agent_host *h, uint16_t n)
{
    struct guest_channel *c = &h->guest->channels[n];
    guest_in_close(h, &c->in);
    for (int i = 0; i < 2; i++)
        guest_out_free(h, &c->out[i]);
    c->busy = false;
}

static bool guest_out_waits(const struct guest_out *out)
{
    return out->used > out->at;
}

/* Tells of an exit once what came before it has been handed on; frees what nobody uses. */
static void guest_settle(struct agent_host *h, uint16_t n, const struct agent_host_events *events,
                         void *data)
{
    struct guest_channel *c = &h->guest->channels[n];
    struct agent_console *slot = &h->consoles[n];
    if (!c->busy)
        return;
    bool waits = guest_out_waits(&c->out[0]) || guest_out_waits(&c->out[1]);
    h->guest->untold |= c->exited && !events->exited;
    if (c->exited && !waits && slot->state == CONSOLE_RUNNING && events->exited) {
        uint32_t number = slot->number;
        slot->state = CONSOLE_DRAINING;
        if (!c->terminal)
            guest_in_close(h, &c->in);
        if (!slot->given_up)
            events->exited(data, number, c->status);
    }
    if (slot->state == CONSOLE_DRAINING && c->out[0].ended && c->out[1].ended && !waits) {
        guest_channel_free(h, n);
        agent_console_done(slot);
        return;
    }
    guest_watch_channel(h, n);
}

int guest_on_exited(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    uint32_t status;
    uint16_t n = h->head.channel;
    if (n >= AGENT_CHANNELS_MAX || h->consoles[n].state != CONSOLE_RUNNING ||
        h->guest->channels[n].exited || agent_host_take_u32(h, &status, NULL) < 0 || status > 255)
        return -EBADMSG;
    if (n == 0)
        h->end_is_due = true;
    h->guest->channels[n].exited = true;
    h->guest->channels[n].status = (int)status;
    guest_settle(h, n, events, data);
    return 0;
}

/* --- copies ------------------------------------------------------------------------------------
 */

void guest_transfer(struct agent_host *h, uint16_t n, bool in, int fd)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    uint16_t channel = (uint16_t)(AGENT_TRANSFER + n);
    free(t->text);
    *t = (struct guest_transfer){.busy = true, .waits = true, .changes = fd < 0};
    if (fd >= 0)
        fd_nonblock(fd);
    guest_end_open(&t->in.own, in ? fd : FD_NONE, channel, 0);
    t->in.end = &t->in.own;
    t->in.open = in;
    guest_end_open(&t->out.end, in ? FD_NONE : fd, channel, 1);
    t->in.credit = t->out.credit = AGENT_WINDOW;
    t->out.ended = in;
}

void guest_transfer_go(struct agent_host *h, uint16_t n)
{
    h->guest->transfers[n].waits = false;
    guest_watch_transfer(h, n);
}

void guest_transfer_done(struct agent_host *h, uint16_t n)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    guest_in_close(h, &t->in);
    guest_out_free(h, &t->out);
    free(t->text);
    t->text = NULL;
    t->busy = t->copied = false;
}

uint32_t guest_transfer_code(const struct agent_host *h, uint16_t n, uint32_t code,
                             const char **text)
{
    if (code || !h->guest->transfers[n].out.lost)
        return code;
    *text = "whoever asked for the copy read no further";
    return EPIPE;
}

bool guest_transfer_lingers(struct agent_host *h, uint16_t n, uint32_t code, const char *text)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    if (!guest_out_waits(&t->out) || t->out.end.fd < 0 || code >= 4096)
        return false;
    t->copied = true;
    t->code = code;
    t->text = str_dup(text);
    guest_watch_transfer(h, n);
    return true;
}

bool guest_transfer_owes(const struct agent_host *h, uint16_t n)
{
    const struct guest_transfer *t = &h->guest->transfers[n];
    if (t->waits || t->copied)
        return false;
    if (t->in.open) /* as long as it takes more, whoever sends may take the time */
        return !guest_in_wants(h, &t->in);
    return !guest_out_waits(&t->out); /* who reads may take the time too */
}

void guest_transfer_leave(struct agent_host *h, uint16_t n)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    uint16_t channel = (uint16_t)(AGENT_TRANSFER + n);
    if (t->in.open)
        guest_put(h, AGENT_DATA, channel, "", 1);
    guest_in_close(h, &t->in);
    guest_out_gone(h, &t->out, channel, 1);
}

/* --- frames from the agent ---------------------------------------------------------------------
 */

int guest_on_data(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    uint16_t channel = h->head.channel;
    unsigned stream = h->head.size ? (unsigned char)h->payload[0] : 0;
    const char *bytes = h->payload + 1;
    size_t size = h->head.size - 1;
    if (stream < 1 || stream > 2)
        return -EBADMSG;
    if (channel < AGENT_CHANNELS_MAX) {
        struct guest_channel *c = &h->guest->channels[channel];
        if (!c->busy)
            return -EBADMSG;
        int r = guest_out_take(h, &c->out[stream - 1], bytes, size, channel, stream);
        if (r == 0)
            guest_settle(h, channel, events, data);
        return r;
    }
    uint16_t n = channel - AGENT_TRANSFER;
    if (channel < AGENT_TRANSFER || n >= AGENT_HOST_TRANSFERS_MAX || stream != 1)
        return -EBADMSG;
    struct guest_transfer *t = &h->guest->transfers[n];
    if (!t->busy || t->waits || t->copied)
        return -EBADMSG;
    t->moved = true;
    if (t->changes) {
        if (t->out.ended || size > t->out.credit)
            return -EBADMSG;
        t->out.ended = size == 0;
        t->out.credit -= (uint32_t)size;
        int r = t->out.gone ? 0 : guest_changes_take(&h->guest->changes, bytes, size);
        if (r == 1)
            guest_out_gone(h, &t->out, channel, 1);
        else if (r == 0)
            guest_out_freed(h, &t->out, size, channel, 1);
        return r < 0 ? r : 0;
    }
    int r = guest_out_take(h, &t->out, bytes, size, channel, 1);
    guest_watch_transfer(h, n);
    return r;
}

int guest_on_credit(struct agent_host *h)
{
    struct agent_credit credit;
    if (h->head.size != sizeof(credit))
        return -EBADMSG;
    memcpy(&credit, h->payload, sizeof(credit));
    uint16_t channel = h->head.channel, n = channel - AGENT_TRANSFER;
    bool command = channel < AGENT_CHANNELS_MAX;
    if (credit.stream != 0 || credit.bytes > AGENT_WINDOW ||
        (!command && (channel < AGENT_TRANSFER || n >= AGENT_HOST_TRANSFERS_MAX)))
        return -EBADMSG;
    bool busy = command ? h->guest->channels[channel].busy : h->guest->transfers[n].busy;
    struct guest_in *in = command ? &h->guest->channels[channel].in : &h->guest->transfers[n].in;
    if (!busy || in->credit + credit.bytes > AGENT_WINDOW)
        return -EBADMSG;
    in->credit += credit.bytes;
    if (!credit.bytes) /* who writes here finds nobody reading */
        guest_in_close(h, in);
    if (command) {
        guest_watch_channel(h, channel);
    } else {
        h->guest->transfers[n].moved = true;
        guest_watch_transfer(h, n);
    }
    return 0;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void guest_ready_channel(struct agent_host *h, uint16_t n, unsigned stream, uint32_t what,
                                const struct agent_host_events *events, void *data)
{
    struct guest_channel *c = &h->guest->channels[n];
    if (!c->busy)
        return;
    if (stream == 0) {
        guest_in_pull(h, &c->in, n);
    } else {
        struct guest_out *out = &c->out[stream - 1];
        if (out->used > out->at)
            guest_out_push(h, out, n, stream);
        if (c->terminal && (what & EPOLLIN))
            guest_in_pull(h, &c->in, n);
        if ((what & (EPOLLERR | EPOLLHUP)) && out->end.fd >= 0) {
            guest_out_gone(h, out, n, stream);
            if (c->terminal)
                c->in.open = false;
        }
    }
    guest_settle(h, n, events, data);
}

static void guest_ready_transfer(struct agent_host *h, uint16_t n, unsigned stream, uint32_t what,
                                 const struct agent_host_events *events, void *data)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    uint16_t channel = (uint16_t)(AGENT_TRANSFER + n);
    if (!t->busy)
        return;
    if (stream == 0)
        guest_in_pull(h, &t->in, channel);
    else if (t->out.used > t->out.at)
        guest_out_push(h, &t->out, channel, 1);
    if (stream == 1 && (what & (EPOLLERR | EPOLLHUP)) && t->out.end.fd >= 0)
        guest_out_gone(h, &t->out, channel, 1);
    if (t->copied && !guest_out_waits(&t->out)) {
        autofree char *said = TAKE(t->text);
        const char *text = said;
        uint32_t code = guest_transfer_code(h, n, t->code, &text);
        guest_transfer_done(h, n);
        agent_host_tell_copied(h, n, code, text, events, data);
        return;
    }
    guest_watch_transfer(h, n);
}

/* Those that waited for room in the queue. */
static void guest_look_again(struct agent_host *h)
{
    for (uint16_t i = 0; i < AGENT_CHANNELS_MAX; i++)
        guest_watch_channel(h, i);
    for (uint16_t i = 0; i < AGENT_HOST_TRANSFERS_MAX; i++)
        guest_watch_transfer(h, i);
}

void guest_pump(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct epoll_event ready[GUEST_TURN];
    int count = epoll_wait(h->epoll, ready, GUEST_TURN, 0);
    if (h->guest->untold && events->exited) { /* what ended while something else was waited for */
        h->guest->untold = false;
        guest_settle(h, 0, events, data);
    }
    for (int i = 0; i < count; i++) {
        uint64_t key = ready[i].data.u64;
        unsigned stream = key & 3, channel = (unsigned)(key >> 2);
        if (key == GUEST_CLOCK)
            guest_patience_turn(h, events, data);
        if (key >= GUEST_CLOCK)
            continue;
        if (channel < AGENT_CHANNELS_MAX)
            guest_ready_channel(h, (uint16_t)channel, stream, ready[i].events, events, data);
        else
            guest_ready_transfer(h, (uint16_t)(channel - AGENT_TRANSFER), stream, ready[i].events,
                                 events, data);
    }
    if (h->guest->choked != (h->out_size >= GUEST_QUEUE)) {
        h->guest->choked = !h->guest->choked;
        guest_look_again(h);
    }
}

void guest_streams_close(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    for (uint16_t i = 0; i < AGENT_CHANNELS_MAX; i++) {
        struct guest_channel *c = &h->guest->channels[i];
        if (!c->busy)
            continue;
        for (unsigned s = 0; s < 2; s++)
            if (guest_out_waits(&c->out[s]) && c->out[s].end.fd >= 0)
                guest_out_write(&c->out[s], c->out[s].pending + c->out[s].at,
                                c->out[s].used - c->out[s].at);
        guest_channel_free(h, i);
        struct agent_console *slot = &h->consoles[i];
        uint32_t number = slot->number;
        bool told = !slot->given_up;
        if (events && c->exited && slot->state == CONSOLE_RUNNING) {
            agent_console_done(slot);
            if (told)
                events->exited(data, number, c->status);
        }
    }
    for (uint16_t i = 0; i < AGENT_HOST_TRANSFERS_MAX; i++)
        if (h->guest->transfers[i].busy)
            guest_transfer_done(h, i);
}
