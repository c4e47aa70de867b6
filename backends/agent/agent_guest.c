/* The host's side of a guest's agent: what only guests are asked, and what they answer. */
#include "backends/agent/agent_guest.h"

#include "backends/agent/guest_inner.h"
#include "base/fd.h"
#include "base/str.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>

enum { GUEST_SEED = 64 };

/* --- frames of guests --------------------------------------------------------------------------
 */

/* Words a stranger chose: printable or not there. */
static bool guest_text_is_good(char *text, size_t room)
{
    if (!memchr(text, 0, room))
        return false;
    for (char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    return true;
}

static int guest_on_ready(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct agent_guest *g = h->guest;
    struct agent_ready ready;
    if (h->head.size != sizeof(ready) || !g->ends_asked)
        return -EBADMSG;
    memcpy(&ready, h->payload, sizeof(ready));
    if (!guest_text_is_good(ready.hostname, sizeof(ready.hostname)) ||
        !guest_text_is_good(ready.machine_id, sizeof(ready.machine_id)) ||
        !guest_text_is_good(ready.mac, sizeof(ready.mac)))
        return -EBADMSG;
    g->ends_asked--;
    g->ready = ready;
    g->was_ready = true;
    if (events->ready)
        events->ready(data, &g->ready);
    return 0;
}

/* An errno and a text, as an error. */
static int guest_take_error(const struct agent_host *h, const char *what, struct error *e,
                            uint32_t *ret_code)
{
    const char *text;
    if (agent_host_take_u32(h, ret_code, &text) < 0 || *ret_code >= 4096)
        return -EBADMSG;
    autofree char *shown = str_escape_z(text);
    if (*ret_code)
        error_errno(e, (int)*ret_code, "%s%.300s", what, shown);
    return 0;
}

static int guest_on_broken(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct error e;
    uint32_t code;
    if (guest_take_error(h, "in the guest: ", &e, &code) < 0 || !code)
        return -EBADMSG;
    h->end_is_due = true;
    if (events->broken)
        events->broken(data, &e);
    return 0;
}

static int guest_on_quiet(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct agent_guest *g = h->guest;
    struct error e;
    uint32_t code;
    if (!g->quiets_asked || guest_take_error(h, "in the guest: ", &e, &code) < 0)
        return -EBADMSG;
    g->quiets_asked--;
    struct agent_console *main = &h->consoles[0];
    if (g->adopting && main->state == CONSOLE_STARTING) {
        struct error gone;
        error_set(&gone, ESRCH, "the command had ended before the snapshot");
        h->end_is_due = true;
        agent_console_done(main);
        if (events->failed)
            events->failed(data, 0, &gone);
    }
    g->adopting = false;
    if (events->quiet)
        events->quiet(data, code ? &e : NULL);
    return 0;
}

static int guest_on_sampled(struct agent_host *h, const struct agent_host_events *events,
                            void *data)
{
    struct agent_guest *g = h->guest;
    if (h->head.size != sizeof(g->sample) || !g->samples_asked)
        return -EBADMSG;
    g->samples_asked--;
    memcpy(&g->sample, h->payload, sizeof(g->sample));
    g->was_sampled = true;
    if (events->sampled)
        events->sampled(data, &g->sample);
    return 0;
}

static int guest_on_running(struct agent_host *h, const struct agent_host_events *events,
                            void *data)
{
    struct agent_running running;
    struct agent_console *main = &h->consoles[0];
    struct launch_streams streams;
    if (h->head.size != sizeof(running) || h->head.channel != 0 || !h->guest->adopting ||
        main->state != CONSOLE_STARTING || !events->started)
        return -EBADMSG;
    memcpy(&running, h->payload, sizeof(running));
    bool terminal = running.flags & AGENT_START_TERMINAL;
    if (terminal != main->terminal || running.flags & ~(uint32_t)AGENT_START_TERMINAL ||
        running.pid < 2 || running.pid > INT32_MAX || running.ended & ~6u ||
        (running.room_in > AGENT_WINDOW && running.room_in != UINT32_MAX))
        return -EBADMSG;
    int r = guest_adopted(h, &running, &streams);
    if (r < 0)
        return r;
    main->state = CONSOLE_RUNNING;
    events->started(data, 0, (pid_t)running.pid, &streams);
    return 0;
}

/* --- copies ------------------------------------------------------------------------------------
 */

static void guest_release(struct agent_host *h)
{
    struct agent_guest *g = h->guest;
    g->barrier = false;
    while (g->held && !g->barrier && !g->still) {
        struct agent_out *o = g->held;
        g->held = o->next;
        o->next = NULL;
        if (!g->held)
            g->held_end = &g->held;
        agent_host_queue(h, o);
    }
}

static bool guest_keep(struct agent_guest *g, struct agent_out *o)
{
    *g->held_end = o;
    g->held_end = &o->next;
    return true;
}

bool guest_wait_still(struct agent_host *h, struct agent_out *o)
{
    return h->guest->still && guest_keep(h->guest, o);
}

/* A frame that waits behind a copy of the set-up; copies begin when theirs is on its way. */
static bool guest_hold(struct agent_host *h, struct agent_out *o)
{
    struct agent_guest *g = h->guest;
    struct agent_head head;
    memcpy(&head, o->data, sizeof(head));
    guest_patience_look(h);
    if ((g->barrier || g->still) && head.type != AGENT_SHUTDOWN && head.type != AGENT_QUIESCE)
        return guest_keep(g, o);
    if (head.type != AGENT_COPY_IN && head.type != AGENT_COPY_OUT && head.type != AGENT_CHANGES)
        return false;
    g->barrier = o->barrier;
    agent_host_queue_now(h, o);
    guest_transfer_go(h, head.channel);
    return true;
}

/* 1: a copy of somebody's, which agent_answers.c tells of. */
static int guest_on_copied(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    uint16_t n = h->head.channel;
    struct error e;
    uint32_t code;
    if (n >= AGENT_HOST_TRANSFERS_MAX || !h->transfers[n].used || h->guest->transfers[n].waits)
        return -EBADMSG;
    bool changes = h->guest->transfers[n].changes;
    if (!changes && !h->transfers[n].setup) {
        const char *text;
        if (h->guest->transfers[n].copied || agent_host_take_u32(h, &code, &text) < 0)
            return -EBADMSG;
        if (guest_transfer_lingers(h, n, code, text))
            return 0;
        uint32_t true_code = guest_transfer_code(h, n, code, &text);
        if (true_code != code) {
            guest_transfer_done(h, n);
            return agent_host_tell_copied(h, n, true_code, text, events, data);
        }
    }
    guest_transfer_done(h, n);
    if (!changes && !h->transfers[n].setup)
        return 1;
    bool setup = h->transfers[n].setup, given_up = h->transfers[n].given_up;
    h->transfers[n] = (struct agent_transfer){0};
    if (guest_take_error(h, "copying into the guest: ", &e, &code) < 0)
        return -EBADMSG;
    if (given_up)
        return 0;
    if (!setup)
        return guest_changes_end(h, code, events, data);
    if (!code) {
        guest_release(h);
        return 0;
    }
    h->end_is_due = true;
    if (events->broken)
        events->broken(data, &e);
    return 0;
}

static int guest_frame(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    switch (h->head.type) {
    case AGENT_DATA:
        return guest_on_data(h, events, data);
    case AGENT_CREDIT:
        return guest_on_credit(h);
    case AGENT_EXITED:
        return guest_on_exited(h, events, data);
    case AGENT_COPIED:
        return guest_on_copied(h, events, data);
    case AGENT_READY:
        return guest_on_ready(h, events, data);
    case AGENT_BROKEN:
        return guest_on_broken(h, events, data);
    case AGENT_QUIET:
        return guest_on_quiet(h, events, data);
    case AGENT_SAMPLED:
        return guest_on_sampled(h, events, data);
    case AGENT_RUNNING:
        return guest_on_running(h, events, data);
    case AGENT_PONG:
        return guest_on_pong(h);
    }
    return 1;
}

/* --- its life ----------------------------------------------------------------------------------
 */

static void guest_drop_held(struct agent_host *h)
{
    while (h->guest->held) {
        struct agent_out *o = h->guest->held;
        h->guest->held = o->next;
        fd_close(o->fd);
        free(o);
    }
    h->guest->held_end = &h->guest->held;
}

static void guest_close(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct agent_guest *g = h->guest;
    guest_streams_close(h, events, data);
    guest_drop_held(h);
    guest_patience_look(h);
    for (size_t i = 0; i < ARRAY_SIZE(h->transfers); i++)
        if (h->transfers[i].setup || h->transfers[i].given_up ||
            (g->changes.asked && h->transfers[i].number == UINT32_MAX))
            h->transfers[i] = (struct agent_transfer){0};
    if (!g->changes.asked)
        return;
    struct error e;
    error_set(&e, ECONNRESET, "the guest ended before its changes were read");
    guest_changes_drop(h, &e, events, data);
}

static void guest_free(struct agent_host *h)
{
    guest_streams_close(h, NULL, NULL);
    guest_drop_held(h);
    guest_changes_done(&h->guest->changes);
    fd_close(h->guest->clock);
    free(h->guest);
}

struct agent_host *agent_guest_new(int socket)
{
    static const struct agent_guest_ops ops = {
        .frame = guest_frame,
        .started = guest_started,
        .transfer = guest_transfer,
        .pump = guest_pump,
        .hold = guest_hold,
        .close = guest_close,
        .free = guest_free,
    };
    struct agent_host *h = agent_host_new(socket);
    if (!h)
        return NULL;
    h->ops = &ops;
    h->guest = NEW(struct agent_guest);
    h->guest->held_end = &h->guest->held;
    h->payload = h->guest->payload;
    h->payload_room = sizeof(h->guest->payload);
    int r = guest_patience_open(h);
    if (r < 0) {
        agent_host_free(h);
        errno = -r;
        return NULL;
    }
    return h;
}

/* --- requests ----------------------------------------------------------------------------------
 */

int agent_guest_step(struct agent_host *h, const struct agent_guest_step *s, struct error *e)
{
    const char *source = s->source ? s->source : "", *target = s->target ? s->target : "";
    const char *content = s->content ? s->content : "";
    struct agent_step head = {
        .kind = s->kind,
        .flags = s->flags,
        .number = s->number,
        .more = s->more,
        .mode = s->mode,
        .uid = s->uid,
        .gid = s->gid,
        .data_size = (uint32_t)s->data_size,
    };
    if (s->data_size > AGENT_FRAME_MAX)
        return error_set(e, E2BIG, "too much for a step of a guest's set-up");
    struct agent_out *o = agent_host_frame(
        h, AGENT_STEP, 0,
        sizeof(head) + strlen(source) + strlen(target) + strlen(content) + 3 + s->data_size, e);
    if (!o)
        return -e->code;
    char *p = o->data + sizeof(struct agent_head);
    p = (char *)memcpy(p, &head, sizeof(head)) + sizeof(head);
    p = agent_host_put_string(p, source);
    p = agent_host_put_string(p, target);
    p = agent_host_put_string(p, content);
    if (s->data_size)
        memcpy(p, s->data, s->data_size);
    agent_host_queue(h, o);
    h->guest->ends_asked += s->kind == AGENT_STEP_END;
    return 0;
}

int agent_guest_refresh(struct agent_host *h, const char *hostname, struct error *e)
{
    char seed[GUEST_SEED];
    struct timespec now;
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return error_errno(e, errno, "random bytes for the guest");
    clock_gettime(CLOCK_REALTIME, &now);
    const struct agent_guest_step steps[] = {
        {.kind = AGENT_STEP_SEED, .data = seed, .data_size = sizeof(seed)},
        {.kind = AGENT_STEP_CLOCK,
         .number = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec           },
        {.kind = AGENT_STEP_HOSTNAME,                       .source = hostname},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps) - (hostname ? 0 : 1); i++)
        r = agent_guest_step(h, &steps[i], e);
    explicit_bzero(seed, sizeof(seed));
    return r;
}

int agent_guest_copy(struct agent_host *h, const char *target, int fd, struct error *e)
{
    static uint32_t number = UINT32_MAX; /* never one of the monitor's */
    return agent_host_copy(h, AGENT_COPY_IN, --number, target, fd, true, e);
}

int agent_guest_end(struct agent_host *h, struct error *e)
{
    return agent_guest_step(h, &(struct agent_guest_step){.kind = AGENT_STEP_END}, e);
}

static void guest_first_ready(void *data, const struct agent_ready *ready)
{
    struct agent_first *first = data;
    first->over = true;
    first->ready = *ready;
}

static void guest_first_broken(void *data, const struct error *e)
{
    struct agent_first *first = data;
    first->over = true;
    first->e = *e;
}

int agent_guest_wait_ready(struct agent_host *h, int timeout_ms, struct agent_ready *ret,
                           struct error *e)
{
    static const struct agent_host_events events = {.ready = guest_first_ready,
                                                    .broken = guest_first_broken};
    struct agent_first first = {0};
    int r = agent_host_wait(h, timeout_ms, &events, &first, e);
    if (r == 0)
        *ret = first.ready;
    return r;
}

static void guest_first_started(void *data, uint32_t console, pid_t pid,
                                struct launch_streams *streams)
{
    struct agent_first *first = data;
    first->streams = *streams;
    first->pid = pid;
}

static void guest_first_failed(void *data, uint32_t console, const struct error *e)
{
    guest_first_broken(data, e);
}

int agent_guest_wait_adopted(struct agent_host *h, int timeout_ms,
                             struct launch_streams *ret_streams, pid_t *ret_pid,
                             struct agent_ready *ret, struct error *e)
{
    static const struct agent_host_events events = {.ready = guest_first_ready,
                                                    .broken = guest_first_broken,
                                                    .started = guest_first_started,
                                                    .failed = guest_first_failed};
    struct agent_first first = {
        .streams = {FD_NONE, FD_NONE, FD_NONE, FD_NONE}
    };
    int r = agent_host_wait(h, timeout_ms, &events, &first, e);
    if (r == 0 && first.pid == 0)
        r = error_set(e, EPROTO, "the agent broke the protocol");
    if (r < 0) {
        fd_close(first.streams.terminal);
        fd_close(first.streams.in);
        fd_close(first.streams.out);
        fd_close(first.streams.err);
        return r;
    }
    *ret_streams = first.streams;
    *ret_pid = first.pid;
    *ret = first.ready;
    return 0;
}

const struct agent_ready *agent_guest_ready(const struct agent_host *h)
{
    return h->guest->was_ready ? &h->guest->ready : NULL;
}

const struct agent_sample *agent_guest_sample(const struct agent_host *h)
{
    return h->guest->was_sampled ? &h->guest->sample : NULL;
}

int agent_host_resize(struct agent_host *h, uint32_t console, uint16_t rows, uint16_t cols)
{
    struct agent_console *slot = agent_host_console(h, console);
    uint16_t size[2] = {rows, cols};
    struct error e;
    if (!slot)
        return -ENOENT;
    return agent_host_put(h, AGENT_RESIZE, (uint16_t)(slot - h->consoles), size, sizeof(size), &e);
}

int agent_guest_ask_sample(struct agent_host *h, struct error *e)
{
    if (h->guest->samples_asked)
        return error_set(e, EALREADY, "asked before");
    int r = agent_host_put(h, AGENT_SAMPLE, 0, NULL, 0, e);
    h->guest->samples_asked += r == 0;
    return r;
}

static int guest_quiesce(struct agent_host *h, uint8_t how, struct error *e)
{
    int r = agent_host_put(h, AGENT_QUIESCE, 0, &how, sizeof(how), e);
    h->guest->quiets_asked += r == 0;
    return r;
}

int agent_guest_quiesce(struct agent_host *h, enum agent_quiesce how, struct error *e)
{
    if (how == AGENT_QUIESCE_ADOPT)
        return error_set(e, EINVAL, "a clone's host begins with agent_guest_adopt()");
    int r = guest_quiesce(h, (uint8_t)how, e);
    if (r < 0)
        return r;
    bool held = h->guest->still;
    h->guest->still = how == AGENT_QUIESCE_ON;
    if (held && !h->guest->still && !h->guest->barrier)
        guest_release(h);
    guest_patience_look(h);
    return 0;
}

bool agent_guest_quiet_is_due(const struct agent_host *h)
{
    return h->guest->quiets_asked > 0;
}

int agent_guest_move(struct agent_host *h, int socket, struct error *e)
{
    autoclose int mine = socket;
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (h->dead || !h->guest->still)
        return error_set(e, EINVAL, "the guest does not hold still");
    agent_host_drop_out(h);
    h->socket = fd_close(h->socket); /* which takes it out of the epoll too */
    h->writing = false;
    h->got = 0;
    if (mine < 0)
        return 0;
    int r = fd_nonblock(mine);
    if (r < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, mine, &ev) < 0)
        return error_errno(e, r < 0 ? -r : errno, "a channel to the guest");
    h->socket = TAKE_FD(mine);
    return 0;
}

int agent_guest_adopt_empty(struct agent_host *h, struct error *e)
{
    if (h->consoles[0].state != CONSOLE_FREE || h->guest->adopting)
        return error_set(e, EALREADY, "this guest has its host already");
    return guest_quiesce(h, AGENT_QUIESCE_ADOPT, e);
}

int agent_guest_adopt(struct agent_host *h, bool terminal, struct error *e)
{
    struct agent_console *main = &h->consoles[0];
    if (main->state != CONSOLE_FREE || h->guest->adopting)
        return error_set(e, EALREADY, "this guest has its host already");
    int r = guest_quiesce(h, AGENT_QUIESCE_ADOPT, e);
    if (r < 0)
        return r;
    h->guest->adopting = true;
    *main = (struct agent_console){.state = CONSOLE_STARTING,
                                   .terminal = terminal,
                                   .what = str_dup("the command"),
                                   .where = str_dup("/")};
    return 0;
}
