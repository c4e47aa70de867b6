/* What gVisor's log says of refused calls, however it is cut, and whatever stands between. */
#include "tests/unit/unit.h"

#include "backends/oci/refused.h"

static const char head[] =
    "D1122 11:09:46.757274      17 task_syscall.go:241] [   1:   1] Syscall ";

static struct refused fed(const char *text, size_t step)
{
    struct refused r = {0};
    for (size_t at = 0, size = strlen(text); at < size; at += step)
        refused_feed(&r, text + at, MIN(step, size - at));
    return r;
}

static void test_counts(void **state)
{
    autofree char *text = str_format("I1122 x\n%s165: denied by seccomp\nD other\n%s165: denied by "
                                     "seccomp\n%s0: denied by seccomp\n%s7: denied by seccomp",
                                     head, head, head, head);
    for (size_t step = 1; step < 200; step += 7) {
        struct refused r = fed(text, step);
        assert_int_equal(r.count[165], 2);
        assert_int_equal(r.count[0], 1);
        assert_int_equal(r.count[7], 0); /* it has not ended */
    }
}

static void test_others(void **state)
{
    static const char *const tails[] = {
        "512: denied by seccomp", "99999: denied by seccomp", "100000165: denied by seccomp",
        "-1: denied by seccomp",  ": denied by seccomp",      "165: denied by seccomp ",
        "165: killed by seccomp", "165:  denied by seccomp",  "0x10: denied by seccomp",
    };
    for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
        autofree char *text =
            str_format("%s%s\nI%s165: denied by seccomp\n", head, tails[i], head + 1);
        struct refused r = fed(text, 64);
        for (size_t n = 0; n < HANDS_CALLS_END; n++)
            assert_int_equal(r.count[n], 0);
    }
}

/* A line without an end is forgotten as far as it is too long, and the next is one of its own. */
static void test_long_lines(void **state)
{
    struct refused r = {0};
    static char much[5000];
    memset(much, 'x', sizeof(much));
    for (int i = 0; i < 100; i++)
        refused_feed(&r, much, sizeof(much));
    autofree char *text =
        str_format("%s165: denied by seccomp\n%s165: denied by seccomp\n", head, head);
    refused_feed(&r, text, strlen(text));
    assert_int_equal(r.count[165], 1);
    memset(much, 0, sizeof(much));
    refused_feed(&r, much, sizeof(much));
    refused_feed(&r, "\n", 1);
    r.count[165] = INT32_MAX;
    refused_feed(&r, text, strlen(text));
    assert_int_equal(r.count[165], INT32_MAX);
}

/* Bytes of any kind, in pieces of any size. */
static void test_anything(void **state)
{
    struct refused r = {0};
    unsigned seed = 12345;
    char block[700];
    for (int i = 0; i < 20000; i++) {
        size_t size = 0;
        while (size < sizeof(block) && ((seed = seed * 1103515245u + 12345u) >> 16) % 90) {
            unsigned pick = (seed >> 8) % 8;
            block[size++] = pick == 0   ? '\n'
                            : pick == 1 ? head[(seed >> 12) % strlen(head)]
                                        : (char)(seed >> 20);
        }
        refused_feed(&r, block, size);
        assert_true(r.used <= sizeof(r.line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
