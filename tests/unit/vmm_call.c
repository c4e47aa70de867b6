/* Calling a guest through its program's vsock: what answers like an agent is one, and nobody else.
 */
#include "backends/microvm/vmm_call.h"

#include "backends/microvm/vmm.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "init/agent.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What each connection gets, one after the other; NULL: no more come. */
struct line {
    const char *answer; /* to CONNECT; NULL: hung up on */
    int pong;           /* -1: hung up on, 0: another frame, 1: it */
};

static char folder[] = "/tmp/vmm-call-XXXXXX";

static void serve(int listener, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char bytes[64];
        struct agent_head head = {0};
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
        if (n != 13 || memcmp(bytes, "CONNECT 1024\n", 13) != 0)
            _exit(1);
        if (lines[i].answer && fd_write_full(fd, lines[i].answer, strlen(lines[i].answer)) < 0)
            _exit(2);
        if (lines[i].answer && lines[i].pong >= 0) {
            if (fd_read_full(fd, &head, sizeof(head)) < 0 || head.type != AGENT_PING)
                _exit(3);
            agent_encode_head(&head, lines[i].pong ? AGENT_PONG : AGENT_HELLO, 0, 0);
            /* who is no agent's is hung up on at once */
            if (fd_write_full(fd, &head, sizeof(head)) < 0 ||
                (lines[i].pong && fd_write_full(fd, "more", 4) < 0))
                _exit(4);
        }
        if (lines[i].pong == 1 && read(fd, bytes, 1) != 0) /* the caller's to close */
            _exit(5);
        fd_close(fd);
    }
    _exit(0);
}

static int call(const struct line *lines, size_t count, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/vsock", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    pid_t pid = fork();
    if (pid == 0)
        serve(listener, lines, count);
    fd_close(listener);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = vmm_call(dir, FD_NONE, 20000, e);
    fd_close(dir);
    if (fd >= 0) {
        char bytes[5] = "";
        assert_int_equal(fd_read_full(fd, bytes, 4), 0); /* what follows is the guest's */
        assert_string_equal(bytes, "more");
        fd_close(fd);
        fd = 0;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(unlink(address.sun_path), 0);
    return fd;
}

static void test_it_is_tried_until_somebody_answers(void **state)
{
    static const struct line lines[] = {
        {NULL,              -1}, /* nobody listens yet */
        {"OK 1073741824\n", -1}, /* cut once more */
        {"OK 1073741825\n", 1 },
    };
    struct error e;
    assert_int_equal(call(lines, ARRAY_SIZE(lines), &e), 0);
}

static void test_others_are_none(void **state)
{
    static const struct line lines[] = {
        {"OK 1\n",                                    0 },
        {"NO 1\n",                                    -1},
        {"OK 11111111111111111111111111111111111111", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct error e;
        assert_int_equal(call(&lines[i], 1, &e), -EPROTO);
    }
}

static void test_one_that_has_ended_is_not_waited_for(void **state)
{
    struct error e;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(pidfd >= 0);
    assert_int_equal(vmm_call(dir, pidfd, 60000, &e), -EPIPE);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(vmm_call(dir, FD_NONE, 20, &e), -ENOENT);
    fd_close(pidfd);
    fd_close(dir);
}

/* Its queue is full, and whoever listens takes nobody. */
static void test_one_that_takes_nobody_is_not_waited_for(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error e;
    int waiting[2], count = 0;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/vsock", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 0), 0);
    while (count < 2 && (waiting[count] = vmm_connect(dir, "vsock")) >= 0)
        count++;
    assert_int_equal(count, 1);
    assert_int_equal(fcntl(waiting[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(waiting[1], -EAGAIN);
    assert_int_equal(vmm_call(dir, FD_NONE, 20, &e), -ETIMEDOUT);
    fd_close(waiting[0]);
    fd_close(listener);
    fd_close(dir);
    assert_int_equal(unlink(address.sun_path), 0);
}

/* Whoever has taken the program over could lead us to a server of the host's. */
static void test_no_link_is_followed(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofree char *link = str_format("%s/vsock", folder);
    struct error e;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/hosts", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(symlink(address.sun_path, link), 0);
    assert_int_equal(vmm_connect(dir, "vsock"), -EPROTO);
    assert_int_equal(vmm_call(dir, FD_NONE, 60000, &e), -EPROTO);
    int fd = vmm_connect(dir, "hosts");
    assert_true(fd >= 0);
    fd_close(fd);
    fd_close(listener);
    fd_close(dir);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(address.sun_path), 0);
}

static int make(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int drop(void **state)
{
    return file_remove_tree(AT_FDCWD, folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_tried_until_somebody_answers),
        cmocka_unit_test(test_others_are_none),
        cmocka_unit_test(test_one_that_has_ended_is_not_waited_for),
        cmocka_unit_test(test_one_that_takes_nobody_is_not_waited_for),
        cmocka_unit_test(test_no_link_is_followed),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
