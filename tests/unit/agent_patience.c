/* How long a guest is waited for, with a bound of less than a second. */
#include "base/loop.h"
#include "tests/unit/agent_guest_kit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 160, BOUND_MS = 30000, STILL_MS = 2 * PATIENCE_MS };

static void begin(struct peer *p)
{
    signal(SIGPIPE, SIG_IGN); /* as the monitor has it */
    agent_guest_patience(p->host, PATIENCE_MS);
    greet(p);
}

/* What the host says meanwhile is thrown away, but for a PING where the guest is alive. */
static void listen_on(struct peer *p, bool alive)
{
    struct agent_head head;
    char payload[AGENT_DATA_MAX + 64];
    while (!silent(p))
        if (hear(p, payload, sizeof(payload), &head) == AGENT_PING && alive)
            say(p, AGENT_PONG, head.channel, NULL, 0);
}

/* Until `*what` is another than it is: only the clock, or the host's own ends, can make it so. */
static void await_other(struct peer *p, const int *what, bool alive)
{
    const int before = *what;
    uint64_t end = loop_now_ms() + BOUND_MS;
    while (*what == before) {
        uint64_t now = loop_now_ms();
        struct pollfd f = {.fd = agent_host_fd(p->host), .events = POLLIN};
        if (now >= end)
            fail_msg("the host never gave it up");
        poll(&f, 1, (int)(end - now));
        turn(p);
        listen_on(p, alive);
    }
    assert_false(p->closed);
}

static bool nothing_happens(struct peer *p)
{
    struct pollfd f = {.fd = agent_host_fd(p->host), .events = POLLIN};
    return poll(&f, 1, STILL_MS) == 0;
}

static void copy_in(struct peer *p, uint32_t number, int fd)
{
    struct agent_head head;
    struct error e;
    char payload[64];
    assert_int_equal(agent_host_copy_in(p->host, number, "/x", fd, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_COPY_IN);
}

static void copy_out(struct peer *p, uint32_t number, int fd)
{
    struct agent_head head;
    struct error e;
    char payload[64];
    assert_int_equal(agent_host_copy_out(p->host, number, "/x", fd, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_COPY_OUT);
}

/* --- commands ----------------------------------------------------------------------------------
 */

/* One that is not begun has failed; what has begun may be silent. */
static void test_a_command_that_never_begins(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    char payload[64];
    uint32_t signo;
    begin(p);
    start(p, 0, false);
    start(p, 1, false);
    uint16_t late = ask_start(p, 2, false);
    await_other(p, &p->failed[2], false);
    assert_int_equal(p->failed[2], ETIMEDOUT);
    assert_int_equal(p->failed[1], -1);
    assert_int_equal(p->status[1], -1);

    /* its number is free, its channel is not */
    uint16_t other = ask_start(p, 2, false);
    assert_true(other != late);
    say_number(p, AGENT_STARTED, other, 8);
    int in = p->streams[2].in;
    assert_true(in >= 0);

    /* when it begins yet, it is killed, and nobody hears of it */
    say_number(p, AGENT_STARTED, late, 9);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_SIGNAL);
    assert_int_equal(head.channel, late);
    memcpy(&signo, payload, sizeof(signo));
    assert_int_equal(signo, SIGKILL);
    assert_int_equal(p->streams[2].in, in);
    listen_on(p, false);
    say_data(p, late, 1, "late", 4);
    say_number(p, AGENT_EXITED, late, 137);
    say_data(p, late, 1, "", 0);
    say_data(p, late, 2, "", 0);
    assert_int_equal(p->status[2], -1);
    assert_false(p->closed);
    say_number(p, AGENT_EXITED, other, 4);
    assert_int_equal(p->status[2], 4);
    listen_on(p, false);
    assert_int_equal(ask_start(p, 3, true), late); /* its channel is there again */
}

static void test_a_command_that_is_refused_too_late(void **state)
{
    struct peer *p = *state;
    begin(p);
    uint16_t late = ask_start(p, 1, true);
    await_other(p, &p->failed[1], false);
    p->failed[1] = -1;
    say(p, AGENT_FAILED, late, "\2\0\0\0exec", 9);
    assert_int_equal(p->failed[1], -1);
    assert_false(p->closed);
    assert_int_equal(ask_start(p, 1, true), late);
    say(p, AGENT_FAILED, late, "\2\0\0\0exec", 9);
    assert_int_equal(p->failed[1], ENOENT);
}

static void test_nobody_is_told_twice_at_the_end(void **state)
{
    struct peer *p = *state;
    int pair[2];
    begin(p);
    ask_start(p, 1, false);
    assert_int_equal(fd_pipe(pair, 0), 0);
    copy_out(p, 7, pair[1]);
    await_other(p, &p->failed[1], false);
    if (!p->copied)
        await_other(p, &p->copied, false);
    p->failed[1] = -1;
    p->socket = fd_close(p->socket);
    turn(p);
    assert_true(p->closed);
    assert_int_equal(p->failed[1], -1);
    assert_int_equal(p->copied, 1);
    fd_close(pair[0]);
}

/* The clock stands, and does not even wake anybody. */
static void test_while_it_is_stopped(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    struct error e;
    char payload[64];
    begin(p);
    agent_guest_pause(p->host, true);
    ask_start(p, 1, false);
    assert_true(nothing_happens(p));
    agent_guest_pause(p->host, false);
    assert_int_equal(agent_guest_quiesce(p->host, AGENT_QUIESCE_ON, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_QUIESCE);
    assert_true(nothing_happens(p));
    assert_int_equal(agent_guest_quiesce(p->host, AGENT_QUIESCE_OFF, &e), 0);
    assert_int_equal(p->failed[1], -1);
    await_other(p, &p->failed[1], false);
    assert_int_equal(p->failed[1], ETIMEDOUT);
    assert_true(nothing_happens(p)); /* nothing is due */
}

/* --- copies ------------------------------------------------------------------------------------
 */

/* Who reads sees the end, and is told why; what the guest says of it later is no breach. */
static void test_a_copy_out_that_never_comes(void **state)
{
    struct peer *p = *state;
    char bytes[16];
    int pair[2], other[2];
    begin(p);
    assert_int_equal(fd_pipe(pair, 0), 0);
    copy_out(p, 7, pair[1]);
    say_data(p, AGENT_TRANSFER, 1, "begun", 5);
    await_other(p, &p->copied, false);
    assert_int_equal(p->copy_code, ETIMEDOUT);
    assert_int_equal(read(pair[0], bytes, sizeof(bytes)), 5);
    assert_int_equal(read(pair[0], bytes, sizeof(bytes)), 0);
    assert_int_equal(fd_pipe(other, 0), 0);
    copy_out(p, 7, other[1]); /* the same number, and another copy */
    say_data(p, AGENT_TRANSFER, 1, "late", 4);
    say_result(p, AGENT_COPIED, 0, 0);
    assert_int_equal(p->copied, 1);
    assert_false(p->closed);
    say_result(p, AGENT_COPIED, 1, 0);
    assert_int_equal(p->copied, 2);
    assert_int_equal(p->copy_code, 0);
    fd_close(pair[0]);
    fd_close(other[0]);
}

/* Who writes finds nobody reading; the guest is told that no more comes. */
static void test_a_copy_in_that_is_never_taken(void **state)
{
    struct peer *p = *state;
    static char bytes[2 * AGENT_WINDOW];
    int pair[2];
    begin(p);
    assert_int_equal(fd_pipe(pair, O_NONBLOCK), 0);
    copy_in(p, 7, pair[0]);
    while (write(pair[1], bytes, sizeof(bytes)) > 0)
        listen_on(p, false);
    await_other(p, &p->copied, false);
    assert_int_equal(p->copy_code, ETIMEDOUT);
    assert_int_equal(write(pair[1], bytes, 1), -1);
    assert_int_equal(errno, EPIPE);
    struct agent_credit credit = {.bytes = AGENT_WINDOW};
    say(p, AGENT_CREDIT, AGENT_TRANSFER, &credit, sizeof(credit));
    say_result(p, AGENT_COPIED, 0, EIO);
    assert_int_equal(p->copied, 1);
    assert_false(p->closed);
    fd_close(pair[1]);
}

/* A command that is given up shows that the bound has passed for what was asked before it. */
static void pass_the_bound(struct peer *p, bool alive)
{
    listen_on(p, alive);
    ask_start(p, 3, false);
    await_other(p, &p->failed[3], alive);
    assert_int_equal(p->failed[3], ETIMEDOUT);
    p->failed[3] = -1;
}

/* Slow are those here: who reads, who writes. */
static void test_slow_ones_here(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_DATA_MAX];
    int in[2], out[2];
    begin(p);
    assert_int_equal(fd_pipe(in, 0), 0);
    assert_int_equal(fd_pipe(out, 0), 0);
    assert_int_equal(fcntl(out[1], F_SETPIPE_SZ, 4096), 4096);
    copy_in(p, 7, in[0]);
    copy_out(p, 8, out[1]);
    say_data(p, AGENT_TRANSFER + 1, 1, bytes, sizeof(bytes));
    pass_the_bound(p, false);
    pass_the_bound(p, false);
    assert_int_equal(p->copied, 0);
    assert_int_equal(write(in[1], "x", 1), 1); /* whoever is there */
    fd_close(in[1]);
    fd_close(out[0]);
}

/* A guest that answers is slow, and no more. */
static void test_a_slow_guest(void **state)
{
    struct peer *p = *state;
    struct error e;
    int pair[2];
    begin(p);
    assert_int_equal(fd_pipe(pair, 0), 0);
    copy_out(p, 7, pair[1]);
    assert_int_equal(agent_guest_changes(p->host, 10, &e), 0);
    pass_the_bound(p, true);
    pass_the_bound(p, true);
    assert_int_equal(p->copied, 0);
    assert_int_equal(p->changes_count, -1);
    await_other(p, &p->copied, false); /* and now it does not */
    assert_int_equal(p->copy_code, ETIMEDOUT);
    fd_close(pair[0]);
}

static void test_changes_that_are_never_told(void **state)
{
    struct peer *p = *state;
    struct error e;
    begin(p);
    assert_int_equal(agent_guest_changes(p->host, 10, &e), 0);
    await_other(p, &p->changes_count, false);
    assert_int_equal(p->changes_count, -ETIMEDOUT);
    p->changes_count = -1;
    assert_int_equal(agent_guest_changes(p->host, 10, &e), 0); /* asked once more */
    say_data(p, AGENT_TRANSFER, 1, "of the first", 12);
    say_result(p, AGENT_COPIED, 0, 0);
    assert_int_equal(p->changes_count, -1);
    say_data(p, AGENT_TRANSFER + 1, 1, "", 0);
    say_result(p, AGENT_COPIED, 1, 0);
    assert_int_equal(p->changes_count, 0);
    assert_false(p->closed);
}

/* Each has its place until it is answered, and the next is told what has taken them all. */
static void test_all_places_are_taken(void **state)
{
    struct peer *p = *state;
    struct error e;
    int pipes[AGENT_TRANSFERS_MAX + 1][2];
    begin(p);
    for (uint32_t i = 0; i <= AGENT_TRANSFERS_MAX; i++)
        assert_int_equal(fd_pipe(pipes[i], 0), 0);
    for (uint32_t i = 0; i < AGENT_TRANSFERS_MAX; i++)
        assert_int_equal(agent_host_copy_out(p->host, 100 + i, "/x", pipes[i][1], &e), 0);
    listen_on(p, false);
    while (p->copied < (int)AGENT_TRANSFERS_MAX)
        await_other(p, &p->copied, false);
    const int last = pipes[AGENT_TRANSFERS_MAX][1];
    assert_int_equal(agent_host_copy_out(p->host, 99, "/x", last, &e), -EBUSY);
    assert_non_null(strstr(e.text, "16 of them never answered"));
    for (uint32_t i = 0; i <= AGENT_TRANSFERS_MAX; i++)
        fd_close(pipes[i][0]);
}

static void test_an_answer_to_no_ping(void **state)
{
    struct peer *p = *state;
    begin(p);
    say(p, AGENT_PONG, 0, NULL, 0);
    assert_true(p->closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_a_command_that_never_begins),
        ROW(test_a_command_that_is_refused_too_late),
        ROW(test_nobody_is_told_twice_at_the_end),
        ROW(test_while_it_is_stopped),
        ROW(test_a_copy_out_that_never_comes),
        ROW(test_a_copy_in_that_is_never_taken),
        ROW(test_slow_ones_here),
        ROW(test_a_slow_guest),
        ROW(test_changes_that_are_never_told),
        ROW(test_all_places_are_taken),
        ROW(test_an_answer_to_no_ping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
