/* fd.h: descriptors that are born closed to others, travel, and never leak. */
#include "tests/unit/unit.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
    return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static void test_close_keeps_errno(void **state)
{
    int fd = open("/dev/null", O_RDONLY);
    errno = EXDEV;
    assert_int_equal(fd_close(fd), FD_NONE);
    assert_int_equal(errno, EXDEV);
    assert_false(is_open(fd));
    assert_int_equal(fd_close(FD_NONE), FD_NONE);
    int kept;
    {
        autoclose int scoped = open("/dev/null", O_RDONLY);
        kept = scoped;
        assert_true(is_open(kept));
    }
    assert_false(is_open(kept));
    {
        autoclose int scoped = open("/dev/null", O_RDONLY);
        kept = TAKE_FD(scoped);
        assert_int_equal(scoped, FD_NONE);
    }
    assert_true(is_open(kept));
    fd_close(kept);
}

static void test_read_and_write_full(void **state)
{
    int ends[2];
    assert_int_equal(fd_pipe(ends, 0), 0);
    assert_true(is_cloexec(ends[0]) && is_cloexec(ends[1]));
    assert_int_equal(fd_write_full(ends[1], "abcdef", 6), 0);
    char text[8] = "";
    assert_int_equal(fd_read_full(ends[0], text, 4), 0);
    assert_string_equal(text, "abcd");
    fd_close(ends[1]);
    assert_int_equal(fd_read_full(ends[0], text, 4), -EPIPE);
    fd_close(ends[0]);
    assert_int_equal(fd_write_full(FD_NONE, "a", 1), -EBADF);
}

static void test_flags(void **state)
{
    int ends[2];
    assert_int_equal(fd_pipe(ends, 0), 0);
    assert_int_equal(fd_nonblock(ends[0]), 0);
    char c;
    assert_int_equal(fd_read_full(ends[0], &c, 1), -EAGAIN);
    assert_int_equal(fd_cloexec(ends[0], 0), 0);
    assert_false(is_cloexec(ends[0]));
    assert_int_equal(fd_cloexec(ends[0], 1), 0);
    assert_true(is_cloexec(ends[0]));
    fd_close(ends[0]);
    fd_close(ends[1]);
}

static void test_descriptors_travel(void **state)
{
    int pair[2], ends[2];
    assert_int_equal(fd_socketpair(pair), 0);
    assert_true(is_cloexec(pair[0]) && is_cloexec(pair[1]));
    assert_int_equal(fd_pipe(ends, 0), 0);
    assert_int_equal(fd_send(pair[0], "hi", 2, ends, 2), 0);
    char text[8] = "";
    int got[4];
    size_t count = 4;
    assert_int_equal(fd_receive(pair[1], text, sizeof(text), got, &count), 2);
    assert_string_equal(text, "hi");
    assert_int_equal(count, 2);
    assert_true(is_cloexec(got[0]) && is_cloexec(got[1]));
    assert_int_equal(fd_write_full(got[1], "x", 1), 0);
    assert_int_equal(fd_read_full(ends[0], text, 1), 0);
    assert_int_equal(text[0], 'x');
    fd_close(got[0]);
    fd_close(got[1]);

    /* more than there is room for: the surplus is closed, not leaked */
    int before = open("/dev/null", O_RDONLY);
    fd_close(before);
    assert_int_equal(fd_send(pair[0], "x", 1, ends, 2), 0);
    count = 1;
    assert_int_equal(fd_receive(pair[1], text, sizeof(text), got, &count), 1);
    assert_int_equal(count, 1);
    fd_close(got[0]);
    int after = open("/dev/null", O_RDONLY);
    assert_int_equal(after, before);
    fd_close(after);

    int many[17] = {0};
    assert_int_equal(fd_send(pair[0], "x", 1, many, 17), -EINVAL);
    fd_close(pair[0]);
    count = 4;
    assert_int_equal(fd_receive(pair[1], text, sizeof(text), got, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
    fd_close(pair[1]);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

static void test_openat2(void **state)
{
    autoclose int dir = fd_openat2(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0700, 0);
    assert_true(dir >= 0 && is_cloexec(dir));
    assert_int_equal(fd_openat2(dir, "../etc", O_PATH, 0, RESOLVE_BENEATH), -EXDEV);
    assert_int_equal(fd_openat2(dir, "self", O_PATH, 0, RESOLVE_NO_SYMLINKS), -ELOOP);
    assert_int_equal(fd_openat2(dir, "none-such", O_PATH, 0, 0), -ENOENT);
}

static void test_sealed(void **state)
{
    autoclose int fd = fd_sealed("test", "content", 7);
    assert_true(fd >= 0 && is_cloexec(fd));
    char text[8] = "";
    assert_int_equal(fd_read_full(fd, text, 7), 0);
    assert_string_equal(text, "content");
    assert_int_equal(fd_write_full(fd, "x", 1), -EPERM);
    assert_true(ftruncate(fd, 0) < 0 && ftruncate(fd, 100) < 0);
    assert_true(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_keeps_errno),
        cmocka_unit_test(test_read_and_write_full),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_descriptors_travel),
        cmocka_unit_test(test_openat2),
        cmocka_unit_test(test_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
