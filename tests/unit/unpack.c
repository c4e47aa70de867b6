/* Blobs that are mostly holes, also where a file system does not say how much it keeps. */
#include "images/unpack.h"

#include "tests/unit/unit.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { SIZE = 80 << 20, STEP = 1 << 20 };

static bool without_blocks; /* as FUSE does, and ZFS for what it has not written down yet */

/* In the C library's place. */
int fstat(int fd, struct stat *ret)
{
    int r = fstatat(fd, "", ret, AT_EMPTY_PATH);
    if (without_blocks)
        ret->st_blocks = 0;
    return r;
}

static const struct image_limits limits = {.bytes = 1 << 30, .ratio = 10};

/* With a page of data in every STEP of the first so many bytes, or all of them data. */
static int blob(off_t data, bool whole)
{
    static const char zeros[STEP] = "not only zeros";
    int fd = memfd_create("blob", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, SIZE) == 0);
    for (off_t at = 0; at < data; at += STEP)
        assert_true(pwrite(fd, zeros, whole ? STEP : 4096, at) > 0);
    return fd;
}

static int check(int fd)
{
    struct error e = {0};
    assert_int_equal(lseek(fd, 17, SEEK_SET), 17);
    int r = unpack_check_blob(fd, &limits, &e);
    assert_int_equal(r, -e.code);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
    return r;
}

static void test_holes(void **state)
{
    for (int i = 0; i < 2; i++) {
        without_blocks = i;
        autoclose int empty = blob(0, false);
        autoclose int sparse = blob(SIZE, false);
        autoclose int little = blob(SIZE / 20, true);
        assert_int_equal(check(empty), -EFBIG);
        assert_int_equal(check(sparse), -EFBIG);
        assert_int_equal(check(little), -EFBIG);
    }
}

static void test_honest(void **state)
{
    for (int i = 0; i < 2; i++) {
        without_blocks = i;
        autoclose int whole = blob(SIZE, true);
        autoclose int half = blob(SIZE / 2, true);
        assert_int_equal(check(whole), 0);
        assert_int_equal(check(half), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_honest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
