/* loop.h: descriptors and timers, and everything a callback may do to them. */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>

struct fixture {
    struct loop *loop;
    int a[2], b[2]; /* pipes */
    struct loop_watch *wa, *wb;
    struct loop_timer *t;
    int calls, other_calls;
    uint32_t events;
    char order[16];
};

static int set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->loop = loop_new();
    fd_pipe(f->a, O_NONBLOCK);
    fd_pipe(f->b, O_NONBLOCK);
    *state = f;
    return f->loop ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    for (int i = 0; i < 2; i++) {
        fd_close(f->a[i]);
        fd_close(f->b[i]);
    }
    free(f);
    return 0;
}

static void on_count(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct fixture *f = data;
    f->calls++;
    f->events = events;
}

static void on_other(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct fixture *f = data;
    f->other_calls++;
}

static void on_stop(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct fixture *f = data;
    f->calls++;
    loop_stop(f->loop, 42);
}

static void test_run_until_stopped(void **state)
{
    struct fixture *f = *state;
    f->wa = loop_watch(f->loop, f->a[0], EPOLLIN, on_stop, f);
    assert_int_equal(fd_write_full(f->a[1], "x", 1), 0);
    assert_int_equal(loop_run(f->loop), 42);
    assert_int_equal(f->calls, 1);
    loop_stop(f->loop, 7);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls, 1);
}

static void test_rewatch_to_nothing_is_silent(void **state)
{
    struct fixture *f = *state;
    f->wa = loop_watch(f->loop, f->a[0], EPOLLIN, on_count, f);
    f->a[1] = fd_close(f->a[1]);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 1);
    assert_true(f->events & EPOLLHUP);
    assert_int_equal(loop_rewatch(f->wa, 0), 0);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 1);
    assert_int_equal(loop_rewatch(f->wa, EPOLLIN), 0);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 2);
}

/* Whoever is called first takes the other away, and itself. */
static void on_unwatch_both(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct fixture *f = data;
    f->calls++;
    loop_unwatch(f->wa);
    loop_unwatch(f->wb);
    loop_unwatch(f->wb);
    f->a[0] = fd_close(f->a[0]);
    f->b[0] = fd_close(f->b[0]);
}

static void test_unwatch_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    f->wa = loop_watch(f->loop, f->a[0], EPOLLIN, on_unwatch_both, f);
    f->wb = loop_watch(f->loop, f->b[0], EPOLLIN, on_unwatch_both, f);
    fd_write_full(f->a[1], "x", 1);
    fd_write_full(f->b[1], "x", 1);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 1);
    loop_unwatch(NULL);
}

static void on_nested(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct fixture *f = data;
    if (f->calls++ == 0) {
        loop_step(f->loop, 0);
        loop_unwatch(w);
        f->wa = NULL;
        loop_step(f->loop, 0);
    }
}

static void test_a_round_inside_a_round(void **state)
{
    struct fixture *f = *state;
    f->wa = loop_watch(f->loop, f->a[0], EPOLLIN, on_nested, f);
    fd_write_full(f->a[1], "x", 1);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 2);
}

static void test_files_are_always_ready(void **state)
{
    struct fixture *f = *state;
    autoclose int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    f->wa = loop_watch(f->loop, file, EPOLLIN, on_count, f);
    assert_non_null(f->wa);
    assert_int_equal(loop_step(f->loop, -1), 0);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->events, EPOLLIN);
    assert_int_equal(loop_rewatch(f->wa, 0), 0);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 1);
    f->wb = loop_watch(f->loop, null, EPOLLOUT, on_count, f);
    assert_non_null(f->wb);
    assert_int_equal(loop_rewatch(f->wa, EPOLLIN), 0);
    loop_step(f->loop, -1);
    loop_step(f->loop, -1);
    assert_true(f->calls >= 4);
    loop_unwatch(f->wa);
    loop_unwatch(f->wb);
    f->calls = 0;
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 0);
}

static void test_a_bad_descriptor_is_refused(void **state)
{
    struct fixture *f = *state;
    errno = 0;
    assert_null(loop_watch(f->loop, FD_NONE, EPOLLIN, on_count, f));
    assert_int_equal(errno, EBADF);
}

static void on_timer(struct loop_timer *t, void *data)
{
    char *mark = data;
    (*mark)++;
}

static void on_timer_last(struct loop_timer *t, void *data)
{
    struct fixture *f = data;
    loop_stop(f->loop, f->order[0] * 100 + f->order[1] * 10 + f->order[2]);
}

/* epoll(7) takes no deep nest of its own kind, which stands for every way it can be full. */
static void test_what_epoll_does_not_take_is_watched(void **state)
{
    struct fixture *f = *state;
    int nest[7], inner = f->a[0];
    for (size_t i = 0; i < ARRAY_SIZE(nest); i++) {
        struct epoll_event event = {.events = EPOLLIN};
        nest[i] = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_ctl(nest[i], EPOLL_CTL_ADD, inner, &event) == 0)
            inner = nest[i];
    }
    struct epoll_event event = {.events = EPOLLIN};
    autoclose int other = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(epoll_ctl(other, EPOLL_CTL_ADD, inner, &event), -1);
    f->wa = loop_watch(f->loop, inner, EPOLLIN, on_count, f);
    f->wb = loop_watch(f->loop, f->b[0], EPOLLIN, on_other, f);
    assert_non_null(f->wa);
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->calls, 0);
    assert_int_equal(fd_write_full(f->a[1], "x", 1), 0);
    assert_int_equal(loop_step(f->loop, -1), 0); /* comes back because of it */
    assert_int_equal(f->calls, 1);
    assert_int_equal(fd_write_full(f->b[1], "x", 1), 0);
    assert_int_equal(loop_step(f->loop, -1), 0);
    assert_int_equal(f->calls, 2);
    assert_int_equal(f->other_calls, 1);
    assert_int_equal(loop_rewatch(f->wa, 0), 0);
    assert_int_equal(loop_step(f->loop, -1), 0);
    assert_int_equal(f->calls, 2);
    loop_unwatch(f->wa);
    assert_int_equal(loop_step(f->loop, -1), 0);
    assert_int_equal(f->other_calls, 3);
    for (size_t i = 0; i < ARRAY_SIZE(nest); i++)
        fd_close(nest[i]);
}

static void test_timers_fire_in_order_and_once(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *t[4];
    for (int i = 0; i < 3; i++)
        t[i] = loop_timer_new(f->loop, on_timer, &f->order[i]);
    t[3] = loop_timer_new(f->loop, on_timer_last, f);
    uint64_t start = loop_now_ms();
    loop_timer_set(t[3], 12);
    loop_timer_set(t[0], 5);
    loop_timer_set(t[1], 1);
    loop_timer_set(t[1], 2);      /* set anew: once */
    loop_timer_set(t[2], 600000); /* never within this test */
    assert_int_equal(loop_run(f->loop), 110);
    assert_true(loop_now_ms() - start >= 11);
    loop_timer_set(t[0], 1);
    loop_timer_set(t[0], 0);
    loop_timer_set(t[3], 3);
    assert_int_equal(loop_run(f->loop), 110);
    loop_timer_set(t[2], UINT64_MAX); /* no overflow into the past */
    assert_int_equal(loop_step(f->loop, 0), 0);
    assert_int_equal(f->order[2], 0);
    for (int i = 0; i < 4; i++)
        loop_timer_free(t[i]);
    loop_timer_free(NULL);
}

static void on_timer_free_both(struct loop_timer *t, void *data)
{
    struct fixture *f = data;
    f->calls++;
    loop_timer_free(f->t);
    loop_timer_free(t);
    loop_stop(f->loop, 1);
}

static void on_timer_never(struct loop_timer *t, void *data)
{
    struct fixture *f = data;
    f->other_calls++;
}

static void test_timers_freed_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *first = loop_timer_new(f->loop, on_timer_free_both, f);
    f->t = loop_timer_new(f->loop, on_timer_never, f);
    loop_timer_set(first, 1);
    loop_timer_set(f->t, 1);
    assert_int_equal(loop_run(f->loop), 1);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->other_calls, 0);
}

static void on_timer_again(struct loop_timer *t, void *data)
{
    struct fixture *f = data;
    if (++f->calls == 3)
        loop_stop(f->loop, 3);
    else
        loop_timer_set(t, 1);
}

static void test_a_timer_set_again_by_itself(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *t = loop_timer_new(f->loop, on_timer_again, f);
    loop_timer_set(t, 1);
    assert_int_equal(loop_run(f->loop), 3);
    loop_timer_free(t);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_run_until_stopped),
        ROW(test_rewatch_to_nothing_is_silent),
        ROW(test_unwatch_inside_a_callback),
        ROW(test_a_round_inside_a_round),
        ROW(test_files_are_always_ready),
        ROW(test_a_bad_descriptor_is_refused),
        ROW(test_what_epoll_does_not_take_is_watched),
        ROW(test_timers_fire_in_order_and_once),
        ROW(test_timers_freed_inside_a_callback),
        ROW(test_a_timer_set_again_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
