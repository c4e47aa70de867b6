/* process.h: the machine's process is what libvirt started, whoever else says its UUID. */
#include "tests/unit/unit.h"

#include "app/domains/process.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static const char self[] = "/proc/self/exe";
static char uuid[40]; /* another run of this beside it has another */
static const char *const machine[] = {"machine", "-uuid", uuid, NULL};

/* What is started with our words, its real and effective ids set before; it stands still then. */
static pid_t begin(const char *program, const char *const *argv, uid_t real, uid_t effective)
{
    int status = 0, fd = open(program, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool as_we_are = real == geteuid() && effective == real;
        if (as_we_are || setresuid(real, effective, effective) == 0)
            fexecve(fd, (char *const *)argv, environ);
        _exit(1);
    }
    fd_close(fd);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status)); /* by itself: it is that program by then */
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void expect_found(pid_t expected)
{
    const struct process_mark m = {uuid, self, geteuid()};
    struct pollfd p = {.events = POLLIN};
    pid_t pid = 0;
    assert_int_equal(process_find(&m, &pid, &p.fd), 0);
    assert_int_equal(pid, expected);
    assert_int_equal(poll(&p, 1, 0), 0);
    end(pid);
    assert_int_equal(poll(&p, 1, 10000), 1); /* its, and no other's */
    fd_close(p.fd);
}

static void expect_none(int code)
{
    const struct process_mark m = {uuid, self, geteuid()};
    pid_t pid = -7;
    int fd = -7;
    assert_int_equal(process_find(&m, &pid, &fd), code);
    assert_int_equal(pid, -7);
    assert_int_equal(fd, -7);
}

static void test_one_is_found(void **state)
{
    const char *const another[] = {
        "machine", "-uuid", "c0ffe4da-0000-4000-8000-000000000000", "-name", uuid, "-uuid", NULL};
    expect_none(-ESRCH);
    pid_t other = begin(self, another, geteuid(), geteuid());
    expect_none(-ESRCH);
    expect_found(begin(self, machine, geteuid(), geteuid()));
    end(other);
}

/* Of the same user, in another program. */
static void test_words_are_not_enough(void **state)
{
    const char *const sh[] = {"sh", "-c", "kill -STOP $$", "-uuid", uuid, NULL};
    pid_t posing = begin("/bin/sh", sh, geteuid(), geteuid());
    expect_none(-ESRCH);
    expect_found(begin(self, machine, geteuid(), geteuid()));
    end(posing);
}

static void test_of_two_none_is_taken(void **state)
{
    pid_t one = begin(self, machine, geteuid(), geteuid());
    pid_t two = begin(self, machine, geteuid(), geteuid());
    expect_none(-EEXIST);
    end(one);
    expect_found(two);
}

/* The same program, run by others, or by others as us: set-user-id programs have but some ids. */
static void test_all_its_ids_count(void **state)
{
    if (geteuid() != 0)
        skip();
    const uid_t ids[][2] = {
        {NOBODY, NOBODY},
        {NOBODY, 0     },
        {0,      NOBODY}
    };
    pid_t posing[ARRAY_SIZE(ids)];
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        posing[i] = begin(self, machine, ids[i][0], ids[i][1]);
        expect_none(-ESRCH);
    }
    expect_found(begin(self, machine, 0, 0));
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        end(posing[i]);
}

static void test_what_is_kept_is_ended(void **state)
{
    int pair[2], status;
    assert_int_equal(fd_socketpair(pair), 0);
    process_keep(pair[1], FD_NONE);
    process_end_kept(pair[0]); /* nothing: it does not wait */
    pid_t pid = begin(self, machine, geteuid(), geteuid());
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    process_keep(pair[1], pidfd);
    fd_close(pidfd);
    fd_close(pair[1]);
    process_end_kept(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    process_end_kept(pair[0]); /* once */
    fd_close(pair[0]);
}

/* Killed before it has found it: what it was about to start is looked for. */
static void test_what_is_expected_is_ended(void **state)
{
    const struct process_mark m = {uuid, self, geteuid()};
    int pair[2], status;
    assert_int_equal(fd_socketpair(pair), 0);
    process_expect(pair[1], &m);
    fd_close(pair[1]);
    pid_t pid = begin(self, machine, geteuid(), geteuid());
    process_end_kept(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    fd_close(pair[0]);
}

/* One that is kept is that one, whatever looks like it. */
static void test_what_is_kept_comes_first(void **state)
{
    const struct process_mark m = {uuid, self, geteuid()};
    int pair[2], status;
    assert_int_equal(fd_socketpair(pair), 0);
    pid_t kept = begin(self, machine, geteuid(), geteuid());
    int pidfd = (int)syscall(SYS_pidfd_open, kept, 0);
    process_expect(pair[1], &m);
    process_keep(pair[1], pidfd);
    fd_close(pidfd);
    fd_close(pair[1]);
    end(kept);
    pid_t other = begin(self, machine, geteuid(), geteuid());
    process_end_kept(pair[0]);
    assert_int_equal(waitpid(other, &status, WNOHANG), 0);
    end(other);
    fd_close(pair[0]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_found),
        cmocka_unit_test(test_words_are_not_enough),
        cmocka_unit_test(test_of_two_none_is_taken),
        cmocka_unit_test(test_all_its_ids_count),
        cmocka_unit_test(test_what_is_kept_is_ended),
        cmocka_unit_test(test_what_is_expected_is_ended),
        cmocka_unit_test(test_what_is_kept_comes_first),
    };
    if (argc > 1)
        return raise(SIGSTOP);
    snprintf(uuid, sizeof(uuid), "c0ffe4da-0000-4000-8000-%012x", (unsigned)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
