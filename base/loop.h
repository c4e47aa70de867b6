/* One event loop over epoll: descriptors, timers, deferred work. No threads. */
#ifndef COFFERDAM_BASE_LOOP_H
#define COFFERDAM_BASE_LOOP_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/epoll.h>

struct loop;       /* the loop */
struct loop_watch; /* one watched descriptor */
struct loop_timer; /* one timer */

/* `events` as epoll(7): EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef void loop_fd_fn(struct loop_watch *w, int fd, uint32_t events, void *data);
typedef void loop_timer_fn(struct loop_timer *t, void *data);

struct loop *loop_new(void); /* NULL with errno */
void loop_free(struct loop *l); /* NULL is fine; frees what is still watched, but not timers */

/*
 * Watches `fd` (borrowed: closed by its owner after loop_unwatch()). NULL with errno. Where epoll
 * refuses (regular files, /dev/null) it counts as always ready. With no `events` nothing at all is
 * reported, not even EPOLLHUP, until loop_rewatch().
 */
struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *data);
int loop_rewatch(struct loop_watch *w, uint32_t events); /* 0 or -errno */
void loop_unwatch(struct loop_watch *w); /* NULL is fine; safe inside any callback */

/* A timer, disarmed. Milliseconds of CLOCK_MONOTONIC from now; 0 disarms. Fires once. */
struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *data);
void loop_timer_set(struct loop_timer *t, uint64_t ms);
void loop_timer_free(struct loop_timer *t); /* NULL is fine; safe inside any callback */

/* Runs until loop_stop(), be it called before. Returns what loop_stop() was given, or -errno. */
int loop_run(struct loop *l);
/* One round, for callers with a loop of their own; -1 waits without end. 0 or -errno. */
int loop_step(struct loop *l, int timeout_ms);
void loop_stop(struct loop *l, int result);

uint64_t loop_now_ms(void); /* CLOCK_MONOTONIC */
uint64_t loop_now_us(void);

#endif
