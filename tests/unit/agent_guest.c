/* The host's side of a guest: streams, copies, breaches, clones. */
#include "tests/unit/agent_guest_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- streams -----------------------------------------------------------------------------------
 */

static void test_out_before_the_exit(void **state)
{
    struct peer *p = *state;
    char bytes[64];
    greet(p);
    start(p, 0, false);
    say_data(p, 0, 1, "out", 3);
    say_data(p, 0, 2, "err", 3);
    say_number(p, AGENT_EXITED, 0, 9);
    assert_int_equal(p->status[0], 9);
    assert_int_equal(read(p->streams[0].out, bytes, sizeof(bytes)), 3);
    assert_int_equal(read(p->streams[0].err, bytes, sizeof(bytes)), 3);
    /* what others still write comes after it */
    say_data(p, 0, 1, "late", 4);
    assert_int_equal(read(p->streams[0].out, bytes, sizeof(bytes)), 4);
    say_data(p, 0, 1, "", 0);
    assert_int_equal(read(p->streams[0].out, bytes, sizeof(bytes)), 0);
    assert_false(p->closed);
}

/* A reader that takes nothing costs a window of memory, no more credit, and holds up nobody. */
static void test_credit(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_DATA_MAX], back[8 * AGENT_DATA_MAX];
    struct agent_head head;
    greet(p);
    start(p, 0, true);
    for (unsigned i = 0; i < AGENT_WINDOW / AGENT_DATA_MAX; i++)
        say_data(p, 0, 1, bytes, sizeof(bytes));
    say_number(p, AGENT_EXITED, 0, 1);
    struct agent_credit credit;
    size_t granted = 0, got = 0;
    while (got < AGENT_WINDOW) {
        ssize_t n = read(p->streams[0].terminal, back, sizeof(back));
        if (n > 0)
            got += (size_t)n;
        turn(p);
        assert_false(p->closed);
    }
    turn(p);
    assert_int_equal(got, AGENT_WINDOW);
    assert_int_equal(p->status[0], 1);
    while (!silent(p)) {
        assert_int_equal(hear(p, (char *)&credit, sizeof(credit), &head), AGENT_CREDIT);
        granted += credit.bytes;
    }
    assert_in_range(granted, AGENT_WINDOW / 2, AGENT_WINDOW);
}

static void test_more_than_credit_is_a_breach(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_DATA_MAX];
    greet(p);
    start(p, 0, true);
    for (unsigned i = 0; i < 64 && !p->closed; i++)
        say_data(p, 0, 1, bytes, sizeof(bytes));
    assert_true(p->closed);
    assert_string_equal(p->why, "the agent broke the protocol");
}

static void test_in_waits_for_credit(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_WINDOW], payload[1 + AGENT_DATA_MAX];
    struct agent_head head;
    greet(p);
    start(p, 0, false);
    size_t heard = 0, written = 0;
    for (;;) {
        ssize_t n = write(p->streams[0].in, bytes, sizeof(bytes));
        written += n > 0 ? (size_t)n : 0;
        if (silent(p))
            break;
        assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_DATA);
        assert_int_equal(payload[0], 0);
        heard += head.size - 1;
    }
    assert_int_equal(heard, AGENT_WINDOW);
    assert_true(written > heard);
    struct agent_credit credit = {.bytes = 100};
    say(p, AGENT_CREDIT, 0, &credit, sizeof(credit));
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_DATA);
    assert_int_equal(head.size, 101);
    assert_true(silent(p));
    /* signals pass the stream that stands still */
    struct error e;
    assert_int_equal(agent_host_signal(p->host, 0, 15, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_SIGNAL);
}

static void test_a_reader_that_goes(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    struct agent_credit credit;
    greet(p);
    start(p, 0, false);
    p->streams[0].out = fd_close(p->streams[0].out);
    assert_int_equal(hear(p, (char *)&credit, sizeof(credit), &head), AGENT_CREDIT);
    assert_int_equal(credit.bytes, 0);
    assert_int_equal(credit.stream, 1);
    say_data(p, 0, 1, "on its way", 10);
    say_data(p, 0, 1, "", 0);
    assert_false(p->closed);
}

static void test_the_end_of_input(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    char payload[64];
    greet(p);
    start(p, 0, false);
    p->streams[0].in = fd_close(p->streams[0].in);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_DATA);
    assert_int_equal(head.size, 1);
}

/* --- set-up ------------------------------------------------------------------------------------
 */

static void test_a_copy_holds_up_what_follows(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    struct error e;
    char payload[4096];
    int pair[2];
    greet(p);
    assert_int_equal(fd_pipe(pair, 0), 0);
    assert_int_equal(agent_guest_copy(p->host, "/x", pair[0], &e), 0);
    assert_int_equal(agent_guest_end(p->host, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_COPY_IN);
    assert_int_equal(write(pair[1], "records", 7), 7);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_DATA);
    assert_int_equal(head.channel, AGENT_TRANSFER);
    assert_true(silent(p));
    say_result(p, AGENT_COPIED, 0, 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_STEP);
    struct agent_ready ready = {.hostname = "x"};
    say(p, AGENT_READY, 0, &ready, sizeof(ready));
    assert_int_equal(p->ready, 1);
    fd_close(pair[1]);
}

static void test_a_copy_that_fails_is_a_broken_set_up(void **state)
{
    struct peer *p = *state;
    struct error e;
    int pair[2];
    greet(p);
    assert_int_equal(fd_pipe(pair, 0), 0);
    assert_int_equal(agent_guest_copy(p->host, "/x", pair[0], &e), 0);
    turn(p);
    say_result(p, AGENT_COPIED, 0, ENOSPC);
    assert_int_equal(p->broken.code, ENOSPC);
    fd_close(pair[1]);
}

/* Who reads slowly gets all of it, and hears of the end after it; the number is taken until then.
 */
static void test_a_slow_reader_of_a_copy(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_DATA_MAX];
    struct agent_head head;
    struct error e;
    char payload[64];
    int pair[2];
    greet(p);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fd_pipe(pair, 0), 0);
        assert_int_equal(fcntl(pair[1], F_SETPIPE_SZ, 4096), 4096);
        assert_int_equal(agent_host_copy_out(p->host, 7, "/x", pair[1], &e), 0);
        while (hear(p, payload, sizeof(payload), &head) != AGENT_COPY_OUT)
            ;
        for (unsigned i = 0; i < 3; i++)
            say_data(p, AGENT_TRANSFER, 1, bytes, sizeof(bytes));
        say_data(p, AGENT_TRANSFER, 1, "", 0);
        say_result(p, AGENT_COPIED, 0, round ? EIO : 0);
        assert_int_equal(p->copied, round);
        size_t got = 0;
        for (ssize_t n = 1; n > 0; turn(p)) {
            n = read(pair[0], bytes, sizeof(bytes));
            got += n > 0 ? (size_t)n : 0;
        }
        assert_int_equal(got, 3 * sizeof(bytes));
        assert_int_equal(p->copied, round + 1);
        assert_int_equal(p->copy_code, round ? EIO : 0);
        fd_close(pair[0]);
    }
    assert_false(p->closed);
    /* what comes when it is over is a breach */
    say_result(p, AGENT_COPIED, 0, 0);
    assert_true(p->closed);
}

/* Who reads no further has not got the whole of it, unless that was all there was. */
static void test_a_reader_of_a_copy_that_hangs_up(void **state)
{
    struct peer *p = *state;
    static char bytes[AGENT_DATA_MAX];
    struct agent_head head;
    struct error e;
    char payload[64];
    int pair[2];
    signal(SIGPIPE, SIG_IGN); /* as the monitor has it */
    greet(p);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(fd_pipe(pair, 0), 0);
        assert_int_equal(fcntl(pair[1], F_SETPIPE_SZ, 4096), 4096);
        assert_int_equal(agent_host_copy_out(p->host, 7, "/x", pair[1], &e), 0);
        while (hear(p, payload, sizeof(payload), &head) != AGENT_COPY_OUT)
            ;
        /* what waits here is lost; what comes later is lost; nothing is lost */
        if (round == 0)
            say_data(p, AGENT_TRANSFER, 1, bytes, sizeof(bytes));
        fd_close(pair[0]);
        turn(p);
        if (round == 1)
            say_data(p, AGENT_TRANSFER, 1, bytes, sizeof(bytes));
        say_data(p, AGENT_TRANSFER, 1, "", 0);
        say_result(p, AGENT_COPIED, 0, 0);
        assert_int_equal(p->copied, round + 1);
        assert_int_equal(p->copy_code, round < 2 ? EPIPE : 0);
    }
    assert_false(p->closed);
}

/* --- what nobody asked for ---------------------------------------------------------------------
 */

static void test_breaches(void **state)
{
    static const struct {
        enum agent_type type;
        uint16_t channel;
        size_t size;
    } rows[] = {
        {AGENT_READY,   0,                    sizeof(struct agent_ready)  },
        {AGENT_SAMPLED, 0,                    sizeof(struct agent_sample) },
        {AGENT_RUNNING, 0,                    sizeof(struct agent_running)},
        {AGENT_QUIET,   0,                    5                           },
        {AGENT_BROKEN,  0,                    5                           }, /* of error 0 */
        {AGENT_COPIED,  3,                    5                           },
        {AGENT_EXITED,  0,                    4                           },
        {AGENT_EXITED,  63,                   4                           },
        {AGENT_DATA,    0,                    2                           },
        {AGENT_DATA,    0xffff,               2                           },
        {AGENT_DATA,    AGENT_TRANSFER,       2                           },
        {AGENT_CREDIT,  0,                    sizeof(struct agent_credit) },
        {AGENT_CREDIT,  AGENT_TRANSFER + 200, sizeof(struct agent_credit) },
        {AGENT_DATA,    0,                    0                           },
        {AGENT_STEP,    0,                    40                          },
    };
    static const char zeros[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *p = *state;
        greet(p);
        say(p, rows[i].type, rows[i].channel, zeros, rows[i].size);
        if (!p->closed)
            print_error("row %zu\n", i);
        assert_true(p->closed);
        assert_string_equal(p->why, "the agent broke the protocol");
        tear_down(state);
        set_up(state);
    }
}

/* --- clones and changes ------------------------------------------------------------------------
 */

static void test_adopting(void **state)
{
    struct peer *p = *state;
    struct error e;
    struct agent_running running = {.pid = 7, .room_in = 10, .ended = 4};
    char bytes[8];
    assert_int_equal(agent_guest_adopt(p->host, false, &e), 0);
    greet(p);
    say(p, AGENT_RUNNING, 0, &running, sizeof(running));
    say_result(p, AGENT_QUIET, 0, 0);
    assert_int_equal(p->quiet, 0);
    assert_true(p->streams[0].in >= 0);
    assert_int_equal(read(p->streams[0].err, bytes, sizeof(bytes)), 0);
    say_number(p, AGENT_EXITED, 0, 3);
    assert_int_equal(p->status[0], 3);
}

static void test_adopting_nobody(void **state)
{
    struct peer *p = *state;
    struct error e;
    assert_int_equal(agent_guest_adopt(p->host, true, &e), 0);
    greet(p);
    say_result(p, AGENT_QUIET, 0, 0);
    assert_int_equal(p->failed[0], ESRCH);
}

static void test_another_kind_of_console_is_a_breach(void **state)
{
    struct peer *p = *state;
    struct error e;
    struct agent_running running = {.pid = 7, .flags = AGENT_START_TERMINAL};
    assert_int_equal(agent_guest_adopt(p->host, false, &e), 0);
    greet(p);
    say(p, AGENT_RUNNING, 0, &running, sizeof(running));
    assert_true(p->closed);
}

/* A guest that holds still is met again over another connection, and has missed nothing. */
static void test_moving(void **state)
{
    struct peer *p = *state;
    struct agent_head head;
    struct error e;
    char payload[256], c;
    int pair[2];
    greet(p);
    start(p, 0, false);
    assert_int_equal(agent_guest_move(p->host, FD_NONE, &e), -EINVAL); /* it is not still */
    assert_int_equal(agent_guest_quiesce(p->host, AGENT_QUIESCE_ON, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_QUIESCE);
    say_result(p, AGENT_QUIET, 0, 0);
    assert_int_equal(p->quiet, 0);
    assert_int_equal(agent_host_signal(p->host, 0, 15, &e), 0); /* waits */
    assert_int_equal(agent_guest_move(p->host, FD_NONE, &e), 0);
    assert_int_equal(read(p->socket, &c, 1), 0);
    turn(p);
    assert_false(p->closed);
    assert_int_equal(fd_socketpair(pair), 0);
    fd_close(p->socket);
    p->socket = pair[1];
    assert_int_equal(agent_guest_move(p->host, pair[0], &e), 0);
    assert_true(silent(p));
    assert_int_equal(agent_guest_quiesce(p->host, AGENT_QUIESCE_OFF, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_QUIESCE);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_SIGNAL);
    p->quiet = -1;
    say_result(p, AGENT_QUIET, 0, 0);
    assert_int_equal(p->quiet, 0);
    say_data(p, 0, 1, "on", 2);
    assert_int_equal(read(p->streams[0].out, payload, sizeof(payload)), 2);
    fd_close(p->socket);
    p->socket = FD_NONE;
    turn(p);
    assert_true(p->closed);
}

static void changes(struct peer *p, const char *path, uint32_t mode)
{
    struct error e;
    struct agent_change c = {.kind = 0, .name_size = (uint16_t)strlen(path), .mode = mode};
    char bytes[256];
    greet(p);
    assert_int_equal(agent_guest_changes(p->host, 10, &e), 0);
    memcpy(bytes, &c, sizeof(c));
    memcpy(bytes + sizeof(c), path, c.name_size);
    /* in two parts */
    say_data(p, AGENT_TRANSFER + AGENT_TRANSFERS_MAX - 16, 1, bytes, 5);
    if (!p->closed)
        say_data(p, AGENT_TRANSFER, 1, bytes + 5, sizeof(c) + c.name_size - 5);
    if (p->closed)
        return;
    say_data(p, AGENT_TRANSFER, 1, "", 0);
    say_result(p, AGENT_COPIED, 0, 0);
}

static void test_changes(void **state)
{
    struct peer *p = *state;
    changes(p, "/etc/x", 0100644);
    assert_int_equal(p->changes_count, 1);
    assert_string_equal(p->first_change, "/etc/x");
}

static void test_changes_that_lead_elsewhere(void **state)
{
    static const char *const paths[] = {"etc", "/etc/../x", "/./x", "//x", "/x/", "/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct peer *p = *state;
        changes(p, paths[i], 0100644);
        if (!p->closed)
            print_error("%s\n", paths[i]);
        assert_true(p->closed);
        assert_int_equal(p->changes_count, -ECONNRESET);
        tear_down(state);
        set_up(state);
    }
}

static void say_change(struct peer *p, const char *path, size_t size, uint32_t mode)
{
    const struct agent_change c = {.kind = 0, .name_size = (uint16_t)size, .mode = mode};
    char bytes[sizeof(c) + 4096], heard[4096];
    memcpy(bytes, &c, sizeof(c));
    memcpy(bytes + sizeof(c), path, size);
    say_data(p, AGENT_TRANSFER, 1, bytes, sizeof(c) + size);
    while (recv(p->socket, heard, sizeof(heard), MSG_DONTWAIT) > 0)
        ;
}

static void test_changes_of_long_names(void **state)
{
    struct peer *p = *state;
    struct error e;
    char path[4096];
    greet(p);
    assert_int_equal(agent_guest_changes(p->host, 10000, &e), 0);
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    say_change(p, "/bin/su", 7, 0104755);
    for (unsigned i = 0; i < 4500; i++) {
        path[1] = (char)('a' + i / 400);
        path[2] = (char)('a' + i / 20 % 20);
        path[3] = (char)('a' + i % 20);
        say_change(p, path, sizeof(path), 0100644);
    }
    say_data(p, AGENT_TRANSFER, 1, "", 0);
    say_result(p, AGENT_COPIED, 0, 0);
    assert_false(p->closed);
    assert_true(p->changes_count > 1000);
    assert_true(p->changes_bytes <= 8 << 20);
    assert_true(p->changes_cut);
    assert_string_equal(p->first_change, "/bin/su");
}

static void test_the_end_answers_all(void **state)
{
    struct peer *p = *state;
    greet(p);
    start(p, 0, false);
    start(p, 1, false);
    p->socket = fd_close(p->socket);
    turn(p);
    assert_true(p->closed);
    assert_int_equal(p->status[1], 128 + 9);
    assert_string_equal(p->why, "the agent ended unasked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_out_before_the_exit),
        ROW(test_credit),
        ROW(test_more_than_credit_is_a_breach),
        ROW(test_in_waits_for_credit),
        ROW(test_a_reader_that_goes),
        ROW(test_the_end_of_input),
        ROW(test_a_copy_holds_up_what_follows),
        ROW(test_a_copy_that_fails_is_a_broken_set_up),
        ROW(test_a_slow_reader_of_a_copy),
        ROW(test_a_reader_of_a_copy_that_hangs_up),
        ROW(test_breaches),
        ROW(test_adopting),
        ROW(test_adopting_nobody),
        ROW(test_another_kind_of_console_is_a_breach),
        ROW(test_moving),
        ROW(test_changes),
        ROW(test_changes_that_lead_elsewhere),
        ROW(test_changes_of_long_names),
        ROW(test_the_end_answers_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
