#include "base/loop.h"

#include "base/fd.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

struct loop_watch {
    struct loop *loop;              /* borrowed */
    struct loop_watch *next, *prev; /* of loop.watches, or (next only) of loop.dead */
    loop_fd_fn *fn;                 /* NULL: unwatched, waits to be freed */
    void *data;                     /* borrowed */
    int fd;                         /* borrowed */
    uint32_t events;
    bool polled; /* the descriptor is in the epoll set */
    bool always; /* epoll(7) refuses it (a regular file, /dev/null): it is always ready */
    bool stray;  /* epoll has no room for it (a user's watches are counted): poll(2) looks */
    short seen;  /* what poll(2) saw of a stray */
};

struct loop_timer {
    struct loop *loop;              /* borrowed */
    struct loop_timer *next, *prev; /* of loop.timers while armed */
    loop_timer_fn *fn;
    void *data; /* borrowed */
    uint64_t due_us;
    bool armed;
};

struct loop {
    int epoll;                  /* owned */
    struct loop_watch *watches; /* owned */
    struct loop_watch *dead;    /* owned; unwatched inside a callback, freed between rounds */
    struct loop_timer *timers;  /* those armed, the soonest first */
    unsigned always;            /* watches that are always ready and want something */
    unsigned strays;            /* watches that epoll would not take */
    unsigned depth;             /* rounds on the stack */
    bool stopped;
    int result;
};

uint64_t loop_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t loop_now_ms(void)
{
    return loop_now_us() / 1000u;
}

struct loop *loop_new(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return NULL;
    struct loop *l = NEW(struct loop);
    l->epoll = epoll;
    return l;
}

static void loop_bury(struct loop *l)
{
    while (l->dead) {
        struct loop_watch *w = l->dead;
        l->dead = w->next;
        free(w);
    }
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->watches)
        loop_unwatch(l->watches);
    loop_bury(l);
    while (l->timers)
        loop_timer_set(l->timers, 0);
    fd_close(l->epoll);
    free(l);
}

static int loop_control(struct loop_watch *w, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(w->loop->epoll, operation, w->fd, &event) < 0 ? -errno : 0;
}

static bool loop_is_hot(const struct loop_watch *w)
{
    return w->always && (w->events & (EPOLLIN | EPOLLOUT));
}

/* Brings the kernel's set in line with what is wanted; no events at all means not in the set. */
static int loop_apply(struct loop_watch *w, uint32_t events)
{
    int r = 0;
    if (!w->always && !w->stray && events) {
        r = loop_control(w, w->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, events);
        if (r == 0)
            w->polled = true;
        else if (w->polled || r == -EBADF)
            return r;
        else if (r == -EPERM)
            w->always = true;
        else
            w->stray = true;
    } else if (w->polled) {
        loop_control(w, EPOLL_CTL_DEL, 0);
        w->polled = false;
    }
    return 0;
}

struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *data)
{
    struct loop_watch *w = NEW(struct loop_watch);
    *w = (struct loop_watch){.loop = l, .fn = fn, .data = data, .fd = fd};
    int r = loop_apply(w, events);
    if (r < 0) {
        free(w);
        errno = -r;
        return NULL;
    }
    w->events = events;
    l->always += loop_is_hot(w);
    l->strays += w->stray;
    w->next = l->watches;
    if (w->next)
        w->next->prev = w;
    l->watches = w;
    return w;
}

int loop_rewatch(struct loop_watch *w, uint32_t events)
{
    if (w->events == events)
        return 0;
    w->loop->always -= loop_is_hot(w);
    w->loop->strays -= w->stray;
    int r = loop_apply(w, events);
    if (r == 0)
        w->events = events;
    w->loop->always += loop_is_hot(w);
    w->loop->strays += w->stray;
    return r;
}

void loop_unwatch(struct loop_watch *w)
{
    if (!w || !w->fn)
        return;
    struct loop *l = w->loop;
    l->always -= loop_is_hot(w);
    l->strays -= w->stray;
    loop_apply(w, 0);
    w->fn = NULL;
    if (w->prev)
        w->prev->next = w->next;
    else
        l->watches = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->next = l->dead;
    l->dead = w;
    if (!l->depth)
        loop_bury(l);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *data)
{
    struct loop_timer *t = NEW(struct loop_timer);
    *t = (struct loop_timer){.loop = l, .fn = fn, .data = data};
    return t;
}

static void loop_timer_remove(struct loop_timer *t)
{
    if (!t->armed)
        return;
    t->armed = false;
    if (t->prev)
        t->prev->next = t->next;
    else
        t->loop->timers = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

void loop_timer_set(struct loop_timer *t, uint64_t ms)
{
    loop_timer_remove(t);
    if (!ms)
        return;
    uint64_t now = loop_now_us();
    t->due_us = ms > (UINT64_MAX - now) / 1000u ? UINT64_MAX : now + ms * 1000u;
    struct loop_timer *before = NULL;
    struct loop_timer *after = t->loop->timers;
    while (after && after->due_us <= t->due_us) {
        before = after;
        after = after->next;
    }
    t->prev = before;
    t->next = after;
    *(before ? &before->next : &t->loop->timers) = t;
    if (after)
        after->prev = t;
    t->armed = true;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    loop_timer_remove(t);
    free(t);
}

/* How long epoll may wait: no longer than the caller said, nor than the next timer. */
static int loop_patience(const struct loop *l, int timeout_ms)
{
    if (l->always)
        return 0;
    if (!l->timers)
        return timeout_ms;
    uint64_t now = loop_now_us();
    if (l->timers->due_us <= now)
        return 0;
    uint64_t ms = (l->timers->due_us - now + 999) / 1000;
    if (ms > INT_MAX)
        ms = INT_MAX;
    return timeout_ms >= 0 && (uint64_t)timeout_ms < ms ? timeout_ms : (int)ms;
}

static void loop_fire_always(struct loop *l)
{
    struct loop_watch *next;
    for (struct loop_watch *w = l->watches; w && l->always; w = next) {
        if (loop_is_hot(w))
            w->fn(w, w->fd, w->events & (EPOLLIN | EPOLLOUT), w->data);
        /* The dead keep no place in the list: should `w` have gone, the next round goes on. */
        next = w->fn ? w->next : NULL;
    }
}

static void loop_fire_timers(struct loop *l)
{
    uint64_t now = l->timers ? loop_now_us() : 0;
    while (l->timers && l->timers->due_us <= now) {
        struct loop_timer *t = l->timers;
        loop_timer_remove(t);
        t->fn(t, t->data);
    }
}

/* Waits for the strays and for epoll's own descriptor. How long epoll may wait afterwards. */
static int loop_poll_strays(struct loop *l, int patience)
{
    autofree struct pollfd *fds = mem_zero(l->strays + 1, sizeof(*fds));
    unsigned count = 0;
    fds[count++] = (struct pollfd){.fd = l->epoll, .events = POLLIN};
    for (struct loop_watch *w = l->watches; w; w = w->next)
        if (w->stray)
            fds[count++] =
                (struct pollfd){.fd = w->events ? w->fd : -1, .events = (short)w->events};
    if (poll(fds, count, patience) < 0)
        memset(fds, 0, count * sizeof(*fds));
    count = 1;
    for (struct loop_watch *w = l->watches; w; w = w->next)
        if (w->stray)
            w->seen = fds[count++].revents;
    return 0;
}

static void loop_fire_strays(struct loop *l)
{
    struct loop_watch *next;
    for (struct loop_watch *w = l->watches; w; w = next) {
        short seen = w->stray ? w->seen : 0;
        w->seen = 0;
        if (seen && w->events)
            w->fn(w, w->fd, (uint32_t)(unsigned short)seen, w->data);
        next = w->fn ? w->next : NULL; /* as above */
    }
}

int loop_step(struct loop *l, int timeout_ms)
{
    struct epoll_event events[32];
    int patience = loop_patience(l, timeout_ms);
    if (l->strays)
        patience = loop_poll_strays(l, patience);
    int n = epoll_wait(l->epoll, events, ARRAY_SIZE(events), patience);
    if (n < 0 && errno != EINTR)
        return -errno;
    l->depth++;
    for (int i = 0; i < n; i++) {
        struct loop_watch *w = events[i].data.ptr;
        if (w->fn && w->events)
            w->fn(w, w->fd, events[i].events, w->data);
    }
    if (l->always)
        loop_fire_always(l);
    if (l->strays)
        loop_fire_strays(l);
    loop_fire_timers(l);
    if (--l->depth == 0)
        loop_bury(l);
    return 0;
}

int loop_run(struct loop *l)
{
    while (!l->stopped) {
        int r = loop_step(l, -1);
        if (r < 0)
            return r;
    }
    l->stopped = false;
    return l->result;
}

void loop_stop(struct loop *l, int result)
{
    l->stopped = true;
    l->result = result;
}
