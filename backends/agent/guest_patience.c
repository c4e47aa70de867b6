/* A guest that is silent is waited for, but not without end. */
#include "backends/agent/guest_inner.h"

#include "base/fd.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* So that time in which we could not hear it ourselves counts as one turn at most. */
enum { PATIENCE_TURNS = 8 };

int guest_patience_open(struct agent_host *h)
{
    struct agent_guest *g = h->guest;
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = GUEST_CLOCK};
    g->patience_ms = AGENT_GUEST_PATIENCE_MS;
    g->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return g->clock < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, g->clock, &ev) < 0 ? -errno : 0;
}

void agent_guest_patience(struct agent_host *h, uint64_t ms)
{
    h->guest->patience_ms = ms;
}

/* --- what is due --------------------------------------------------------------------------------
 */

/* Main's start has a limit of its own, and a copy of the set-up is part of that. */
static bool patience_of_command(const struct agent_host *h, size_t n)
{
    return n > 0 && h->consoles[n].state == CONSOLE_STARTING && !h->consoles[n].given_up;
}

static bool patience_of_transfer(const struct agent_host *h, size_t n)
{
    return h->transfers[n].used && !h->transfers[n].setup && !h->transfers[n].given_up;
}

static bool patience_is_due(const struct agent_host *h)
{
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        if (patience_of_command(h, i))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(h->transfers); i++)
        if (patience_of_transfer(h, i))
            return true;
    return false;
}

void guest_patience_look(struct agent_host *h)
{
    struct agent_guest *g = h->guest;
    bool ticks = !h->dead && !g->still && !g->paused && patience_is_due(h);
    if (g->ticks == ticks)
        return;
    uint64_t ms = ticks ? MAX(g->patience_ms / PATIENCE_TURNS, (uint64_t)1) : 0;
    const struct timespec turn = {.tv_sec = (time_t)(ms / 1000),
                                  .tv_nsec = (long)(ms % 1000) * 1000000};
    const struct itimerspec when = {.it_interval = turn, .it_value = turn};
    if (timerfd_settime(g->clock, 0, &when, NULL) == 0)
        g->ticks = ticks;
}

void agent_guest_pause(struct agent_host *h, bool paused)
{
    h->guest->paused = paused;
    guest_patience_look(h);
}

/* --- turn by turn -------------------------------------------------------------------------------
 */

int guest_on_pong(struct agent_host *h)
{
    struct agent_guest *g = h->guest;
    if (!g->pinged || h->head.size || h->head.channel)
        return -EBADMSG;
    g->pinged = false;
    g->ponged = true;
    return 0;
}

static void patience_word(const struct agent_host *h, struct error *e, const char *what,
                          const char *then)
{
    error_set(e, ETIMEDOUT,
              "%.100s%sthe guest's agent has not answered within %u s%s; mend: cofferdam kill, and "
              "run it anew",
              what, *what ? ": " : "", (unsigned)(h->guest->patience_ms / 1000), then);
}

static void patience_end_command(struct agent_host *h, size_t n,
                                 const struct agent_host_events *events, void *data)
{
    struct agent_console *slot = &h->consoles[n];
    struct error e;
    patience_word(h, &e, slot->what, ", and if it begins this yet, it is killed at once");
    slot->given_up = true;
    events->failed(data, slot->number, &e);
}

static void patience_end_transfer(struct agent_host *h, size_t n,
                                  const struct agent_host_events *events, void *data)
{
    struct agent_transfer *slot = &h->transfers[n];
    struct error e;
    patience_word(h, &e, "", "");
    slot->given_up = true;
    guest_transfer_leave(h, (uint16_t)n);
    if (h->guest->transfers[n].changes)
        guest_changes_drop(h, &e, events, data);
    else if (events->copied)
        events->copied(data, slot->number, &e);
}

/* True: it has been silent for a turn, or longer. */
static bool patience_turn_transfer(struct agent_host *h, size_t n, bool alive,
                                   const struct agent_host_events *events, void *data)
{
    struct guest_transfer *t = &h->guest->transfers[n];
    bool silent = !t->moved && !alive && guest_transfer_owes(h, (uint16_t)n);
    t->moved = false;
    t->turns = silent ? t->turns + 1 : 0;
    if (t->turns > PATIENCE_TURNS)
        patience_end_transfer(h, n, events, data);
    return silent;
}

void guest_patience_turn(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    struct agent_guest *g = h->guest;
    struct error ignored;
    uint64_t turns;
    if (read(g->clock, &turns, sizeof(turns)) < 0 || !g->ticks)
        return;
    bool alive = g->ponged, silent = false;
    g->ponged = false;
    for (size_t i = 0; i < ARRAY_SIZE(h->consoles); i++)
        if (patience_of_command(h, i) && ++h->consoles[i].turns > PATIENCE_TURNS)
            patience_end_command(h, i, events, data);
    for (size_t i = 0; i < ARRAY_SIZE(h->transfers); i++)
        if (patience_of_transfer(h, i))
            silent |= patience_turn_transfer(h, i, alive, events, data);
    if (silent && !g->pinged)
        g->pinged = agent_host_put(h, AGENT_PING, 0, NULL, 0, &ignored) == 0;
    guest_patience_look(h);
}
