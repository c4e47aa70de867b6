/* A runtime's call that fails at its last step: said once, and nothing of ours is closed twice. */
#include "tests/unit/unit.h"

#include "backends/oci/hands_inner.h"
#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static pid_t start_command(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return pid;
}

static struct call *begin(struct hands *h, pid_t command)
{
    struct call *c = call_new(h, 0, false);
    assert_non_null(c);
    c->command = command;
    c->pid_file[0] = '\0'; /* a path of the host's here */
    for (int i = 0; i < 3; i++)
        c->outer[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    return c;
}

/* The one that was restored cannot be told who it is: there is no such runtime. */
static void fails_once(enum oci_kind kind)
{
    int pair[2], status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    struct plan plan = {
        .id = (char *)"00c0ffee0001", .hostname = (char *)"h", .runtime = (char *)"none"};
    const struct hands_wish w = {.plan = &plan, .whole = &plan};
    struct hands h = {
        .w = &w,
        .runtime = {.kind = kind, .program = "/no/such/runtime"},
        .control = pair[0],
        .image = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
    };
    struct call *c = begin(&h, start_command());
    pid_t command = c->command;

    call_runtime_ended(&h, c, 0);
    assert_true(h.over);
    assert_int_equal(waitpid(command, &status, 0), command);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(c->state, CALL_FREE);
    const int all[] = {c->listener, c->master, c->said, c->outer[0], c->outer[1], c->outer[2]};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(all[i], FD_NONE);
    assert_true(fcntl(0, F_GETFD) >= 0); /* what a zeroed call would have closed */

    struct hands_message m;
    assert_int_equal(recv(pair[1], &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
    assert_int_equal(m.word, HANDS_FAILED);
    assert_non_null(strstr(m.error.text, "saying who it is now"));
    assert_int_equal(recv(pair[1], &m, sizeof(m), MSG_DONTWAIT), -1);
    fd_close(h.image);
    fd_close(pair[0]);
    fd_close(pair[1]);
}

static void test_one_that_is_waited_for(void **state)
{
    fails_once(OCI_RUNSC);
}

static void test_one_that_is_left_behind(void **state)
{
    fails_once(OCI_CRUN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_is_waited_for),
        cmocka_unit_test(test_one_that_is_left_behind),
    };
    if (fcntl(0, F_GETFD) < 0)
        open("/dev/null", O_RDONLY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
