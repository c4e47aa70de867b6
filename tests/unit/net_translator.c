/* A private network: what it counts, and what it may not be given. */
#include "tests/unit/unit.h"

#include "backends/net/translator.h"

#include <errno.h>
#include <linux/capability.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
