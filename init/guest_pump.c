/*
 * Streams of commands and copies as frames. A stream is read only while the host has given credit
 * for it, and what the host sends always fits: so none waits for another.
 */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* From the host to a descriptor. */
struct pump_in {
    int fd; /* FD_NONE: ended, or never was */
    bool owned, ends;
    size_t at, used;
    uint32_t taken; /* bytes written since the last CREDIT */
};

/* From a descriptor to the host. */
struct pump_out {
    int fd;
    bool ended;      /* the host has been told, or never waits for it */
    uint32_t credit; /* bytes */
    size_t drain;    /* bytes that still come before EXITED */
};

struct pump_channel {
    bool busy, exited, told;
    int terminal; /* a descriptor of its inner end: while we hold it nobody's hanging up shows */
    pid_t pid;
    int status;
    struct pump_in in;
    struct pump_out out[2];
};

struct pump_transfer {
    bool busy, copied;
    int code;
    char text[INIT_TEXT_MAX];
    struct pump_in in;
    struct pump_out out;
};

/* Untouched pages of these cost nothing. */
static struct pump_channel pump_channels[AGENT_CHANNELS_MAX];
static struct pump_transfer pump_transfers[AGENT_TRANSFERS_MAX];
static char pump_bytes[AGENT_CHANNELS_MAX + AGENT_TRANSFERS_MAX][AGENT_WINDOW];
static char pump_frame[sizeof(struct agent_head) + 1 + AGENT_DATA_MAX];

/* --- frames ------------------------------------------------------------------------------------
 */

static void pump_send_data(uint16_t channel, unsigned stream, size_t size)
{
    struct agent_head head;
    agent_encode_head(&head, AGENT_DATA, channel, (uint32_t)(1 + size));
    memcpy(pump_frame, &head, sizeof(head));
    pump_frame[sizeof(head)] = (char)stream;
    init_hooks->write(pump_frame, sizeof(head) + 1 + size);
}

static void pump_send_credit(uint16_t channel, unsigned stream, uint32_t bytes)
{
    struct agent_credit credit = {.bytes = bytes, .stream = stream};
    wire_send(AGENT_CREDIT, channel, &credit, sizeof(credit), NULL, 0);
}

/* --- in ----------------------------------------------------------------------------------------
 */

static void pump_in_close(struct pump_in *in)
{
    if (in->owned)
        fd_close(in->fd);
    in->fd = FD_NONE;
    in->at = in->used = 0;
}

/* Writes what it takes. */
static void pump_in_push(struct pump_in *in, uint16_t channel, char *bytes)
{
    while (in->used > in->at) {
        ssize_t n = write(in->fd, bytes + in->at, in->used - in->at);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            pump_in_close(in);
            pump_send_credit(channel, 0, 0);
            return;
        }
        in->at += (size_t)n;
        in->taken += (uint32_t)n;
    }
    if (in->at == in->used)
        in->at = in->used = 0;
    if (in->taken >= AGENT_WINDOW / 2) {
        pump_send_credit(channel, 0, in->taken);
        in->taken = 0;
    }
    if (in->ends && !in->used)
        pump_in_close(in);
}

static int pump_in_take(struct pump_in *in, uint16_t channel, char *bytes, const char *data,
                        size_t size)
{
    if (in->fd < 0)
        return 0;
    if (in->ends || in->used - in->at + size > AGENT_WINDOW)
        return -EBADMSG;
    if (in->used + size > AGENT_WINDOW) {
        memmove(bytes, bytes + in->at, in->used - in->at);
        in->used -= in->at;
        in->at = 0;
    }
    memcpy(bytes + in->used, data, size);
    in->used += size;
    in->ends = size == 0;
    pump_in_push(in, channel, bytes);
    return 0;
}

/* --- out ---------------------------------------------------------------------------------------
 */

static void pump_out_end(struct pump_out *out, uint16_t channel, unsigned stream)
{
    if (out->ended)
        return;
    out->fd = fd_close(out->fd);
    out->ended = true;
    out->drain = 0;
    pump_send_data(channel, stream, 0);
}

/* One frame at most: a stream that always has something leaves time for the others. */
static void pump_out_pull(struct pump_out *out, uint16_t channel, unsigned stream)
{
    if (out->ended || !out->credit)
        return;
    size_t most = out->credit < AGENT_DATA_MAX ? out->credit : AGENT_DATA_MAX;
    ssize_t n = read(out->fd, pump_frame + sizeof(struct agent_head) + 1, most);
    if (n < 0 && errno == EAGAIN) {
        out->drain = 0;
        return;
    }
    if (n <= 0) {
        pump_out_end(out, channel, stream);
        return;
    }
    pump_send_data(channel, stream, (size_t)n);
    out->credit -= (uint32_t)n;
    out->drain = out->drain > (size_t)n ? out->drain - (size_t)n : 0;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static char *pump_room(uint16_t channel)
{
    return channel & AGENT_TRANSFER ? pump_bytes[AGENT_CHANNELS_MAX + (channel ^ AGENT_TRANSFER)]
                                    : pump_bytes[channel];
}

void pump_started(uint16_t channel, pid_t pid, const int *fds, size_t count)
{
    struct pump_channel *c = &pump_channels[channel];
    *c = (struct pump_channel){.busy = true, .pid = pid, .terminal = FD_NONE};
    for (size_t i = 0; i < count; i++)
        fd_nonblock(fds[i]);
    if (count == 1) {
        c->terminal = ioctl(fds[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        c->in = (struct pump_in){.fd = fds[0]};
        c->out[0] = (struct pump_out){.fd = fds[0], .credit = AGENT_WINDOW};
        c->out[1] = (struct pump_out){.fd = FD_NONE, .ended = true};
        return;
    }
    c->in = (struct pump_in){.fd = fds[0], .owned = true};
    for (int i = 0; i < 2; i++)
        c->out[i] = (struct pump_out){.fd = fds[1 + i], .credit = AGENT_WINDOW};
}

/* What it wrote before it ended comes first, then how it ended, then what others still write. */
static void pump_settle(uint16_t channel)
{
    struct pump_channel *c = &pump_channels[channel];
    if (c->out[0].ended && !c->in.owned)
        pump_in_close(&c->in); /* of a terminal: the same descriptor */
    if (c->exited && !c->told && !c->out[0].drain && !c->out[1].drain) {
        uint32_t status = (uint32_t)c->status;
        c->told = true;
        wire_send(AGENT_EXITED, channel, &status, sizeof(status), NULL, 0);
    }
    if (c->told && c->out[0].ended && c->out[1].ended)
        c->busy = false;
}

static void pump_drain(uint16_t channel)
{
    struct pump_channel *c = &pump_channels[channel];
    for (unsigned i = 0; i < 2; i++)
        while (c->out[i].drain && c->out[i].credit && !c->out[i].ended)
            pump_out_pull(&c->out[i], channel, 1 + i);
    pump_settle(channel);
}

void pump_exited(uint16_t channel, int status)
{
    struct pump_channel *c = &pump_channels[channel];
    if (channel == 0)
        kill(-1, SIGKILL);
    if (!c->busy)
        return;
    c->exited = true;
    c->status = status;
    bool terminal = !c->in.owned && c->in.fd >= 0;
    c->terminal = fd_close(c->terminal);
    if (c->in.owned)
        pump_in_close(&c->in);
    for (int i = 0; i < 2; i++) {
        int left = 0;
        if (!c->out[i].ended && ioctl(c->out[i].fd, FIONREAD, &left) < 0)
            left = 0;
        c->out[i].drain = c->out[i].ended ? 0 : terminal ? AGENT_WINDOW : (size_t)left;
    }
    pump_drain(channel);
}

bool pump_is_free(uint16_t channel)
{
    return channel < AGENT_CHANNELS_MAX && !pump_channels[channel].busy && reap_is_free(channel);
}

int pump_resize(const struct agent_frame *f)
{
    uint16_t size[2];
    if (f->size != sizeof(size) || f->channel >= AGENT_CHANNELS_MAX)
        return -EBADMSG;
    memcpy(size, f->payload, sizeof(size));
    const struct pump_channel *c = &pump_channels[f->channel];
    struct winsize w = {.ws_row = size[0], .ws_col = size[1]};
    if (c->busy && !c->in.owned && c->out[0].fd >= 0)
        ioctl(c->out[0].fd, TIOCSWINSZ, &w);
    return 0;
}

/* --- copies ------------------------------------------------------------------------------------
 */

static void pump_transfer_settle(uint16_t number)
{
    struct pump_transfer *t = &pump_transfers[number];
    if (!t->copied || !t->out.ended)
        return;
    t->busy = false;
    pump_in_close(&t->in);
    wire_send_result(AGENT_COPIED, number, t->code, t->text);
}

int pump_transfer(const struct agent_frame *f)
{
    int pair[2];
    if (f->channel >= AGENT_TRANSFERS_MAX || pump_transfers[f->channel].busy)
        return -EBADMSG;
    bool in = f->type == AGENT_COPY_IN;
    int r = fd_pipe(pair, 0);
    if (r < 0) {
        wire_send_result(AGENT_COPIED, f->channel, -r, "pipe");
        return 0;
    }
    int ours = pair[in ? 1 : 0], theirs = pair[in ? 0 : 1];
    fd_nonblock(ours);
    pump_transfers[f->channel] = (struct pump_transfer){
        .busy = true,
        .in = {.fd = in ? ours : FD_NONE, .owned = true         },
        .out = { .fd = in ? FD_NONE : ours,              .ended = in, .credit = AGENT_WINDOW},
    };
    return reap_copy(f, theirs, f->type == AGENT_CHANGES ? changes_run : NULL);
}

void pump_copied(uint16_t number, int code, const char *text)
{
    struct pump_transfer *t = &pump_transfers[number];
    if (!t->busy)
        return;
    struct guest_text to = {.to = t->text, .room = sizeof(t->text)};
    guest_put(&to, text);
    t->code = code;
    t->copied = true;
    pump_transfer_settle(number);
}

/* --- what the host says ------------------------------------------------------------------------
 */

/* Frames for what has ended meanwhile are no error. */
int pump_data(const struct agent_frame *f)
{
    if (f->size < 1 || f->size > 1 + AGENT_DATA_MAX || f->payload[0] != 0)
        return -EBADMSG;
    bool transfer = f->channel & AGENT_TRANSFER;
    unsigned number = f->channel & ~AGENT_TRANSFER;
    if (number >= (transfer ? AGENT_TRANSFERS_MAX : AGENT_CHANNELS_MAX))
        return -EBADMSG;
    bool busy = transfer ? pump_transfers[number].busy : pump_channels[number].busy;
    struct pump_in *in = transfer ? &pump_transfers[number].in : &pump_channels[number].in;
    if (!busy || (!in->owned && f->size == 1)) /* a terminal's input has no end */
        return 0;
    return pump_in_take(in, f->channel, pump_room(f->channel), f->payload + 1, f->size - 1);
}

static struct pump_out *pump_find_out(uint16_t channel, uint32_t stream)
{
    if (stream < 1 || stream > 2)
        return NULL;
    if (!(channel & AGENT_TRANSFER))
        return channel < AGENT_CHANNELS_MAX ? &pump_channels[channel].out[stream - 1] : NULL;
    channel ^= AGENT_TRANSFER;
    return channel < AGENT_TRANSFERS_MAX && stream == 1 ? &pump_transfers[channel].out : NULL;
}

int pump_credit(const struct agent_frame *f)
{
    struct agent_credit credit;
    if (f->size != sizeof(credit))
        return -EBADMSG;
    memcpy(&credit, f->payload, sizeof(credit));
    struct pump_out *out = pump_find_out(f->channel, credit.stream);
    if (!out || credit.bytes > AGENT_WINDOW)
        return -EBADMSG;
    bool transfer = f->channel & AGENT_TRANSFER;
    uint16_t number = f->channel & (uint16_t)~AGENT_TRANSFER;
    if (!(transfer ? pump_transfers[number].busy : pump_channels[number].busy) || out->ended)
        return 0;
    if (out->credit + credit.bytes > AGENT_WINDOW)
        return -EBADMSG;
    out->credit += credit.bytes;
    if (!credit.bytes)
        pump_out_end(out, f->channel, credit.stream);
    if (transfer)
        pump_transfer_settle(number);
    else
        pump_drain(number);
    return 0;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static size_t pump_watch_one(struct pollfd *ret, const struct pump_in *in,
                             const struct pump_out *out)
{
    size_t count = 0;
    if (out && !out->ended && out->credit)
        ret[count++] = (struct pollfd){.fd = out->fd, .events = POLLIN};
    if (in && in->fd >= 0 && in->used)
        ret[count++] = (struct pollfd){.fd = in->fd, .events = POLLOUT};
    return count;
}

size_t pump_watch(struct pollfd *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < AGENT_CHANNELS_MAX; i++) {
        const struct pump_channel *c = &pump_channels[i];
        if (!c->busy)
            continue;
        count += pump_watch_one(ret + count, &c->in, &c->out[0]);
        count += pump_watch_one(ret + count, NULL, &c->out[1]);
    }
    for (size_t i = 0; i < AGENT_TRANSFERS_MAX; i++)
        if (pump_transfers[i].busy)
            count += pump_watch_one(ret + count, &pump_transfers[i].in, &pump_transfers[i].out);
    return count;
}

static bool pump_ready_one(const struct pollfd *p, uint16_t channel, struct pump_in *in,
                           struct pump_out *out, unsigned stream)
{
    if (in && in->fd == p->fd && p->events == POLLOUT) {
        pump_in_push(in, channel, pump_room(channel));
        return true;
    }
    if (out->ended || out->fd != p->fd || p->events != POLLIN)
        return false;
    pump_out_pull(out, channel, stream);
    return true;
}

void pump_ready(const struct pollfd *p)
{
    for (uint16_t i = 0; i < AGENT_CHANNELS_MAX; i++) {
        struct pump_channel *c = &pump_channels[i];
        if (c->busy && (pump_ready_one(p, i, &c->in, &c->out[0], 1) ||
                        pump_ready_one(p, i, NULL, &c->out[1], 2))) {
            pump_settle(i);
            return;
        }
    }
    for (uint16_t i = 0; i < AGENT_TRANSFERS_MAX; i++) {
        struct pump_transfer *t = &pump_transfers[i];
        if (t->busy && pump_ready_one(p, (uint16_t)(AGENT_TRANSFER + i), &t->in, &t->out, 1)) {
            pump_transfer_settle(i);
            return;
        }
    }
}

/* --- a new host --------------------------------------------------------------------------------
 */

static void pump_drop(struct pump_channel *c)
{
    fd_close(c->terminal);
    pump_in_close(&c->in);
    for (int i = 0; i < 2; i++)
        if (!c->out[i].ended)
            fd_close(c->out[i].fd);
    c->busy = false;
}

void pump_adopt(void)
{
    for (size_t i = 1; i < AGENT_CHANNELS_MAX; i++)
        if (pump_channels[i].busy)
            pump_drop(&pump_channels[i]);
    for (size_t i = 0; i < AGENT_TRANSFERS_MAX; i++) {
        struct pump_transfer *t = &pump_transfers[i];
        if (t->busy) {
            pump_in_close(&t->in);
            if (!t->out.ended)
                fd_close(t->out.fd);
        }
        t->busy = false;
    }
    reap_forget();
    struct pump_channel *c = &pump_channels[0];
    if (!c->busy || c->told) {
        if (c->busy)
            pump_drop(c);
        return;
    }
    c->in.taken = 0;
    struct agent_running running = {
        .pid = (uint32_t)c->pid,
        .flags = c->in.owned ? 0 : AGENT_START_TERMINAL,
        .room_in = c->in.fd < 0 || c->in.ends ? UINT32_MAX
                                              : (uint32_t)(AGENT_WINDOW - (c->in.used - c->in.at)),
    };
    for (unsigned i = 0; i < 2; i++) {
        c->out[i].credit = AGENT_WINDOW;
        running.ended |= c->out[i].ended ? 2u << i : 0;
    }
    wire_send(AGENT_RUNNING, 0, &running, sizeof(running), NULL, 0);
}
