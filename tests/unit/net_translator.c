/* A private network: what it counts, and what it may not be given. */
#include "tests/unit/unit.h"

#include "backends/net/calls.h"
#include "backends/net/translator.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char table[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
    "    lo:     100       1    0    0    0     0          0         0      100       1    0\n"
    " tap01:       7       1    0    0    0     0          0         0        8       1    0\n"
    "  tap0:18446744073709551615 2 0 0 0 0 0 0 4096 3 0 0 0 0 0 0\n";

static void test_counts(void **state)
{
    uint64_t in = 1, out = 2;
    assert_int_equal(net_read_counts(table, "tap0", &in, &out), 0);
    assert_true(in == UINT64_MAX && out == 4096);
    assert_int_equal(net_read_counts(table, "tap01", &in, &out), 0);
    assert_true(in == 7 && out == 8);
    in = 1;
    out = 2;
    static const char *const none[] = {"", "tap0", "tap0:", "tap0: 1 2 3", "\n\n", "lo: 1\ntap0:x"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        assert_int_equal(net_read_counts(none[i], "tap0", &in, &out), -ENODATA);
    assert_int_equal(net_read_counts(table, "tap", &in, &out), -ENODATA);
    assert_true(in == 1 && out == 2);
}

/* Without one nothing is asked of the host; with one no right may open what is closed. */
static void test_check(void **state)
{
    struct error e;
    struct plan p = {.network = PLAN_NETWORK_NONE, .capabilities = ~0ull};
    assert_int_equal(net_check(&p, &e), 0);
    p.network = PLAN_NETWORK_HOST;
    assert_int_equal(net_check(&p, &e), 0);
    p.network = PLAN_NETWORK_PRIVATE;
    static const unsigned undo[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN};
    static const char *const names[] = {"net-admin", "net-raw", "sys-admin"};
    for (size_t i = 0; i < ARRAY_SIZE(undo); i++) {
        p.capabilities = 1ull << undo[i];
        assert_int_equal(net_check(&p, &e), -ENOTSUP);
        assert_non_null(strstr(e.text, names[i]));
    }
}

static void test_nothing(void **state)
{
    struct error e;
    struct net_translator t;
    net_translator_init(&t);
    const struct plan p = {.network = PLAN_NETWORK_NONE};
    assert_int_equal(net_translator_start(&t, &p, 1, &e), 0);
    assert_int_equal(net_translator_wait(&t, &e), 0);
    uint64_t in = 5, out = 6;
    net_translator_sample(&t, &in, &out);
    assert_true(in == 5 && out == 6 && t.pid == 0 && t.counts < 0);
    net_translator_end(&t);
    net_translator_end(&t);
}

/* Which is the first that is not as it should be; 0: none. */
static int calls_wrong(void)
{
    const struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getppid()};
    const struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    int pair[2], parent = getppid(), mine = eventfd(0, 0);
    const bool wrong[] = {
        socket(AF_UNIX, SOCK_STREAM, 0) >= 0,
        socket(AF_UNIX, SOCK_DGRAM, 0) >= 0,
        socket(AF_NETLINK, SOCK_RAW, 0) >= 0,
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) >= 0,
        kill(getpid(), 0) >= 0,
        syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EACCES,
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0,
        socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0) < 0,
    };
    const bool others[] = {
        fcntl(mine, F_SETOWN, parent) >= 0 || errno != EACCES,
        fcntl(mine, F_SETOWN_EX, &owner) >= 0 || errno != EACCES,
        fcntl(mine, F_SETSIG, SIGKILL) >= 0 || errno != EACCES,
        ioctl(mine, FIOSETOWN, &parent) >= 0 || errno != EACCES,
        ioctl(mine, SIOCSPGRP, &parent) >= 0 || errno != EACCES,
        prlimit(parent, RLIMIT_CPU, &most, NULL) >= 0 || errno != EACCES,
        syscall(SYS_pidfd_open, parent, 0) >= 0 || errno != EACCES,
        socketpair(AF_TIPC, SOCK_STREAM, 0, pair) >= 0 || errno != EACCES,
        setpriority(PRIO_PROCESS, (id_t)parent, 5) >= 0 || errno != EACCES,
        fcntl(mine, F_SETFL, O_NONBLOCK) < 0,
        prlimit(0, RLIMIT_CPU, NULL, &(struct rlimit){0}) < 0,
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (wrong[i])
            return 1 + (int)i;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i])
            return 101 + (int)i;
    return 0;
}

/* What it could become by a fault of its own speaks to no server of this host. */
static void test_calls(void **state)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(net_calls_confine() < 0 ? 255 : calls_wrong());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
