/* spawn.h: programs without a shell, with the descriptors they are given and no others; log.h. */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static char *run(const char *const *argv, int *ret_status)
{
    struct error e = {0};
    char *output = NULL;
    if (spawn_run(argv, 20000, 4096, ret_status, &output, &e) < 0)
        fail_msg("%s", e.text);
    return output;
}

static void test_run_gives_status_and_output(void **state)
{
    int status = -1;
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; read x || exit 7", NULL};
    autofree char *output = run(argv, &status);
    assert_string_equal(output, "out\nerr\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_errors_are_the_execs(void **state)
{
    struct error e = {0};
    int status = 4711;
    char *output = NULL;
    const char *const missing[] = {"no-such-program-anywhere", NULL};
    assert_int_equal(spawn_run(missing, 1000, 10, &status, &output, &e), -ENOENT);
    assert_non_null(strstr(e.text, "no-such-program-anywhere"));
    const char *const folder[] = {"/etc", NULL};
    assert_int_equal(spawn_run(folder, 1000, 10, &status, &output, &e), -EACCES);
    const char *const text[] = {"/etc/passwd", NULL};
    assert_int_equal(spawn_run(text, 1000, 10, &status, &output, &e), -EACCES);
    const char *const none[] = {NULL};
    assert_int_equal(spawn_run(none, 1000, 10, &status, &output, &e), -EINVAL);
    assert_int_equal(status, 4711);
    assert_null(output);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left to reap */
}

/* Its output is heard whole while it still runs, and nothing of it is left at the end. */
static void test_heard_before_its_end(void **state)
{
    struct error e = {0};
    struct spawn_running s;
    char *output = NULL;
    int status = -1;
    const char *const argv[] = {"sh", "-c", "echo said; exec >&- 2>&-; exec sleep 1000", NULL};
    assert_int_equal(spawn_run_begin(argv, 20000, &s, &e), 0);
    assert_int_equal(spawn_run_hear(&s, 4096, &output, &e), 0);
    assert_string_equal(output, "said\n");
    assert_int_equal(waitpid(s.pid, &status, WNOHANG), 0); /* it runs on */
    kill(s.pid, SIGTERM);
    assert_int_equal(spawn_run_end(&s, 0, &status, NULL, &e), 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    free(output);
}

/* Who says nothing in time is not waited for a second time. */
static void test_not_heard_in_time(void **state)
{
    struct error e = {0};
    struct spawn_running s;
    char *output = NULL;
    const char *const argv[] = {"sleep", "1000", NULL};
    assert_int_equal(spawn_run_begin(argv, 50, &s, &e), 0);
    assert_int_equal(spawn_run_hear(&s, 100, &output, &e), -ETIMEDOUT);
    assert_null(output);
    assert_int_equal(spawn_run_end(&s, 0, NULL, NULL, &e), -ETIMEDOUT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_output_is_bounded(void **state)
{
    struct error e = {0};
    int status = -1;
    char *output = NULL;
    const char *const argv[] = {"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x", NULL};
    assert_int_equal(spawn_run(argv, 20000, 100, &status, &output, &e), 0);
    assert_int_equal(strlen(output), 100);
    assert_int_equal(status, 0);
    free(output);
}

static void test_time_is_bounded(void **state)
{
    struct error e = {0};
    int status = 4711;
    const char *const argv[] = {"sh", "-c", "sleep 1000 & exec sleep 1000", NULL};
    assert_int_equal(spawn_run(argv, 50, 100, &status, NULL, &e), -ETIMEDOUT);
    assert_int_equal(status, 4711);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A child of the program that keeps the pipe open does not keep us. */
static void test_a_background_child_does_not_hold_us(void **state)
{
    int status = -1;
    const char *const argv[] = {"sh", "-c", "sleep 3 & echo done", NULL};
    autofree char *output = run(argv, &status);
    assert_string_equal(output, "done\n");
    assert_int_equal(status, 0);
}

static void test_only_given_descriptors_are_inherited(void **state)
{
    autoclose int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    assert_true(leak >= 0);
    int ends[2];
    assert_int_equal(fd_pipe(ends, 0), 0);
    /* fds[] crosses the numbers over: what is 4 here may be 3 there */
    const int fds[] = {FD_NONE, ends[1], FD_NONE, FD_NONE, ends[1], ends[0]};
    const char *const argv[] = {"/bin/ls", "/proc/self/fd", NULL};
    const struct spawn s = {.argv = argv, .fds = fds, .fds_count = ARRAY_SIZE(fds)};
    struct error e = {0};
    pid_t pid;
    autoclose int pidfd = FD_NONE;
    assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), 0);
    assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    fd_close(ends[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    char text[64] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "0\n1\n2\n3\n4\n5\n6\n"); /* 6 is its own, of /proc/self/fd */
    fd_close(ends[0]);
}

/* proc(5): "FDSize", the size of its table; a child's is by its highest open number. */
static void test_room_for_descriptors(void **state)
{
    static const char *const argv[] = {
        "/bin/sh", "-c", "(ls /proc/self/fd; grep FDSize /proc/self/status) | cat", NULL};
    for (unsigned room = 0; room <= 1024; room += 512) {
        int ends[2], status;
        pid_t pid;
        struct error e = {0};
        char text[128] = "", *size;
        assert_int_equal(fd_pipe(ends, 0), 0);
        const int fds[] = {FD_NONE, ends[1]};
        const struct spawn s = {.argv = argv, .fds = fds, .fds_count = 2, .room = room};
        assert_int_equal(spawn_start(&s, &pid, NULL, &e), 0);
        fd_close(ends[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
        fd_close(ends[0]);
        size = strstr(text, "FDSize:");
        assert_non_null(size);
        assert_true((unsigned)atoi(size + strlen("FDSize:")) >= room);
        autofree char *last = str_format("\n%u\n", room - 1);
        assert_true(room ? strstr(text, last) != NULL : strstr(text, "\n3\n4\n") == NULL);
    }
}

static void on_signal(int signo)
{
}

static void test_signals_are_as_a_program_expects(void **state)
{
    signal(SIGINT, SIG_DFL); /* a shell's background jobs are born with these two ignored */
    signal(SIGQUIT, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, on_signal);
    sigset_t block, kept;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, &kept);
    int status;
    const char *const argv[] = {"/bin/grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status", NULL};
    autofree char *output = run(argv, &status);
    assert_string_equal(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    sigset_t now;
    sigprocmask(SIG_SETMASK, &kept, &now);
    assert_true(sigismember(&now, SIGTERM)); /* ours is as it was */
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    assert_true(a.sa_handler == on_signal);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

static void test_environment_and_path(void **state)
{
    int ends[2];
    assert_int_equal(fd_pipe(ends, 0), 0);
    const int fds[] = {FD_NONE, ends[1], FD_NONE};
    const char *const argv[] = {"env", NULL};
    const char *const env[] = {"ONLY=this", NULL};
    const struct spawn s = {
        .argv = argv, .env = env, .fds = fds, .fds_count = 3, .new_session = true};
    struct error e = {0};
    pid_t pid;
    assert_int_equal(spawn_start(&s, &pid, NULL, &e), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    char text[64] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "ONLY=this\n");
    fd_close(ends[0]);
    fd_close(ends[1]);

    /* a relative folder in PATH is never searched */
    autofree char *path = str_dup(getenv("PATH"));
    assert_int_equal(chdir("/bin"), 0);
    setenv("PATH", ".::bin", 1);
    assert_int_equal(spawn_start(&s, &pid, NULL, &e), -ENOENT);
    setenv("PATH", path, 1);
}

/* Killed between the clone and the child's first step, which nobody tells the child of. */
static void test_dies_with_who_has_died(void **state)
{
    static const char *const argv[] = {"/bin/echo", "here", NULL};
    int said[2], status;
    unsigned long child = 0;
    char text[8] = "";
    assert_int_equal(fd_pipe(said, 0), 0);
    const int fds[] = {FD_NONE, said[1]};
    const struct spawn s = {.argv = argv, .fds = fds, .fds_count = 2, .dies_with_us = true};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t parent = fork();
    if (parent == 0) {
        struct error e;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(1);
        raise(SIGSTOP);
        _exit(spawn_start(&s, NULL, NULL, &e) < 0);
    }
    fd_close(said[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    if (!WIFSTOPPED(status)) { /* nobody may look into another here */
        fd_close(said[0]);
        skip();
    }
    ptrace(PTRACE_SETOPTIONS, parent, NULL, (void *)PTRACE_O_TRACEVFORK);
    ptrace(PTRACE_CONT, parent, NULL, NULL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_VFORK << 8);
    assert_int_equal(ptrace(PTRACE_GETEVENTMSG, parent, NULL, &child), 0);
    assert_int_equal(waitpid((pid_t)child, &status, __WALL), child);
    assert_true(WIFSTOPPED(status));
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(ptrace(PTRACE_DETACH, (pid_t)child, NULL, NULL), 0);
    assert_int_equal(read(said[0], text, sizeof(text)), 0);
    assert_int_equal(waitpid((pid_t)child, &status, 0), child);
    assert_true(WIFEXITED(status));
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    fd_close(said[0]);
}

static void test_log_lines_are_safe(void **state)
{
    int ends[2];
    assert_int_equal(fd_pipe(ends, 0), 0);
    log_open("who", ends[1], LOG_LEVEL_WARN);
    errno = EXDEV;
    log_error("a %s", "\x1b]0;title\a\nb");
    log_warn("w");
    log_info("not this");
    assert_int_equal(errno, EXDEV);
    char text[128] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "who: a \\x1b]0;title\\x07\\x0ab\nwho: warning: w\n");
    log_open("who", STDERR_FILENO, LOG_LEVEL_INFO);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

int main(void)
{
    signal(SIGHUP, SIG_DFL); /* whoever runs us may have it ignored: nohup(1) does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_gives_status_and_output),
        cmocka_unit_test(test_errors_are_the_execs),
        cmocka_unit_test(test_heard_before_its_end),
        cmocka_unit_test(test_not_heard_in_time),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_time_is_bounded),
        cmocka_unit_test(test_a_background_child_does_not_hold_us),
        cmocka_unit_test(test_only_given_descriptors_are_inherited),
        cmocka_unit_test(test_room_for_descriptors),
        cmocka_unit_test(test_signals_are_as_a_program_expects),
        cmocka_unit_test(test_environment_and_path),
        cmocka_unit_test(test_dies_with_who_has_died),
        cmocka_unit_test(test_log_lines_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
