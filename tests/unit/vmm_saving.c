/* A snapshot of a guest that does not say that it rests, or that it goes on. */
#include "tests/unit/unit.h"

#include "backends/microvm/vmm_launch.h"
#include "base/fd.h"
#include "init/agent.h"

#include <sys/timerfd.h>

struct case_of {
    struct launch launch;
    struct plan plan;
    int guest; /* owned; the other end of its channel */
};

static int freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    return 0;
}

static int dump(struct vmm_control *c, int memory, struct error *e)
{
    return error_set(e, ENOSPC, "no room");
}

static const struct vmm_driver driver = {.name = "none", .freeze = freeze, .dump = dump};

static int set_up(void **state)
{
    struct case_of *c = NEW(struct case_of);
    struct launch *l = &c->launch;
    int pair[2];
    if (fd_socketpair(pair) < 0)
        return -1;
    c->guest = pair[1];
    l->driver = &driver;
    l->plan = l->jail = &c->plan;
    l->agent = agent_guest_new(pair[0]);
    l->patience = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    l->saving = (struct vmm_saving){.memory = FD_NONE, .state = FD_NONE};
    *state = c;
    return l->agent && l->patience >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct case_of *c = *state;
    agent_host_free(c->launch.agent);
    fd_close(c->launch.patience);
    fd_close(c->guest);
    free(c);
    return 0;
}

static void on_quiet(void *data, const struct error *e)
{
    vmm_saving_quiet(data, e);
}

static const struct agent_host_events events = {.quiet = on_quiet};

static void say(struct case_of *c, enum agent_type type, const void *payload, size_t size)
{
    struct agent_head head;
    agent_encode_head(&head, type, 0, (uint32_t)size);
    assert_int_equal(fd_write_full(c->guest, &head, sizeof(head)), 0);
    assert_int_equal(fd_write_full(c->guest, payload, size), 0);
    agent_host_dispatch(c->launch.agent, &events, &c->launch);
}

static void say_quiet(struct case_of *c)
{
    say(c, AGENT_QUIET, "\0\0\0\0", 5);
}

/* As vmm_saving_begin() leaves it, who reads the memory being done. */
static void begin(struct case_of *c)
{
    static const uint32_t hello[2] = {AGENT_VERSION, 0};
    struct error e;
    say(c, AGENT_HELLO, hello, sizeof(hello));
    assert_int_equal(agent_guest_quiesce(c->launch.agent, AGENT_QUIESCE_ON, &e), 0);
    c->launch.saving.step = SAVING_QUIET;
    c->launch.saving.agent_due = true;
    c->launch.saving.patience_s = 25;
    c->launch.saving.until_ms = UINT64_MAX;
}

static bool timer_runs(const struct launch *l)
{
    struct itimerspec rest;
    assert_int_equal(timerfd_gettime(l->patience, &rest), 0);
    return rest.it_value.tv_sec || rest.it_value.tv_nsec;
}

static void test_it_never_rests(void **state)
{
    struct case_of *c = *state;
    struct launch *l = &c->launch;
    struct error e;
    const struct launch_snapshot wish = {.dir = FD_NONE};
    begin(c);
    assert_false(vmm_saving_turn(l));
    l->saving.until_ms = 1; /* long ago */
    assert_true(vmm_saving_turn(l));
    assert_int_equal(l->saving.error.code, ETIMEDOUT);
    assert_string_equal(l->saving.error.text, "the guest has not come to rest within 25 s");
    assert_int_equal(l->saving.step, SAVING_NONE);
    assert_false(timer_runs(l));

    /* its late words are those of this one, and nobody else's */
    assert_int_equal(vmm_snapshot(l, 2, &wish, &e), -EBUSY);
    assert_string_equal(e.text, "the guest has not answered yet to the snapshot before");
    say_quiet(c);
    assert_true(agent_guest_quiet_is_due(l->agent));
    assert_int_equal(vmm_snapshot(l, 2, &wish, &e), -EBUSY);
    say_quiet(c);
    assert_false(agent_guest_quiet_is_due(l->agent));
    assert_int_equal(l->saving.step, SAVING_NONE);
}

static void test_it_never_goes_on(void **state)
{
    struct case_of *c = *state;
    struct launch *l = &c->launch;
    begin(c);
    say_quiet(c); /* its memory cannot be written */
    assert_int_equal(l->saving.step, SAVING_AWAKE);
    assert_true(l->saving.agent_due);
    assert_true(timer_runs(l));
    assert_false(vmm_saving_turn(l));
    l->saving.until_ms = 1;
    assert_true(vmm_saving_turn(l));
    assert_int_equal(l->saving.error.code, ENOSPC);
    assert_false(timer_runs(l));
}

static void test_it_rests_late(void **state)
{
    struct case_of *c = *state;
    struct launch *l = &c->launch;
    struct error e;
    begin(c);
    error_set(&e, EPIPE, "gone");
    l->saving.error = e;
    l->saving.step = SAVING_AWAKE; /* who reads the memory had given up before */
    assert_int_equal(agent_guest_quiesce(l->agent, AGENT_QUIESCE_OFF, &e), 0);
    say_quiet(c); /* to the first */
    assert_false(vmm_saving_turn(l));
    say_quiet(c);
    assert_true(vmm_saving_turn(l));
    assert_int_equal(l->saving.error.code, EPIPE);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_it_never_rests),
        ROW(test_it_never_goes_on),
        ROW(test_it_rests_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
