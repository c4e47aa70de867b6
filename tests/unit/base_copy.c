/* copy.h: a tree is there again as it was, nothing is followed, what is odd is refused. */
#include "tests/unit/unit.h"

#include "base/copy.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static char folder[64];
static int from = FD_NONE, to = FD_NONE;

static int set_up(void **state)
{
    umask(022);
    snprintf(folder, sizeof(folder), "/tmp/cofferdam-unit.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(dir, "from", 0755);
    mkdirat(dir, "to", 0755);
    from = openat(dir, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    to = openat(dir, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return from < 0 || to < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    from = fd_close(from);
    to = fd_close(to);
    return file_remove_tree(AT_FDCWD, folder);
}

static void put(const char *name, const char *text, mode_t mode)
{
    assert_int_equal(file_write_whole(from, name, text, strlen(text), mode, false), 0);
}

static int copy(uint64_t most, struct copy_counts *ret, struct error *e)
{
    const struct copy_wish w = {.from = from, .to = to, .bytes_most = most};
    return copy_tree(&w, ret, e);
}

static struct stat look(int dir, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void test_looks(void **state)
{
    const struct timespec times[2] = {
        {1000000, 1        },
        {2000000, 123456789}
    };
    struct copy_counts n;
    struct error e;
    assert_int_equal(mkdirat(from, "d", 0700), 0);
    put("d/f", "text", 0641);
    assert_int_equal(fchmodat(from, "d/f", 04641, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", from, "d/l"), 0);
    assert_int_equal(mkfifoat(from, "d/p", 0600), 0);
    assert_int_equal(utimensat(from, "d/f", times, 0), 0);
    assert_int_equal(utimensat(from, "d", times, 0), 0);
    assert_int_equal(copy(UINT64_MAX, &n, &e), 0);
    assert_int_equal(n.entries, 4);
    assert_int_equal(look(to, "d/f").st_mode, S_IFREG | 04641);
    assert_int_equal(look(to, "d/f").st_mtim.tv_nsec, 123456789);
    assert_int_equal(look(to, "d").st_mode, S_IFDIR | 0700);
    assert_int_equal(look(to, "d").st_mtim.tv_sec, 2000000);
    assert_true(S_ISFIFO(look(to, "d/p").st_mode));
    char text[32] = "";
    assert_int_equal(readlinkat(to, "d/l", text, sizeof(text) - 1), 11);
    assert_string_equal(text, "/etc/passwd");
}

static void test_names_of_one_file(void **state)
{
    struct copy_counts n;
    struct error e;
    put("a", "one", 0644);
    assert_int_equal(mkdirat(from, "z", 0755), 0);
    assert_int_equal(linkat(from, "a", from, "z/b", 0), 0);
    assert_int_equal(copy(UINT64_MAX, &n, &e), 0);
    assert_int_equal(look(to, "a").st_ino, look(to, "z/b").st_ino);
    assert_int_equal(look(to, "a").st_nlink, 2);
    assert_int_not_equal(look(to, "a").st_ino, look(from, "a").st_ino);
}

static void test_holes(void **state)
{
    struct copy_counts n;
    struct error e;
    autoclose int fd = openat(from, "s", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    assert_int_equal(pwrite(fd, "x", 1, 32 << 20), 1);
    assert_int_equal(copy(1 << 20, &n, &e), 0); /* what it holds counts, not how long it is */
    assert_int_equal(look(to, "s").st_size, 64 << 20);
    assert_true(look(to, "s").st_blocks * 512 < 1 << 20);
    autoclose int copied = openat(to, "s", O_RDONLY | O_CLOEXEC);
    char c = 0;
    assert_int_equal(pread(copied, &c, 1, 32 << 20), 1);
    assert_int_equal(c, 'x');
}

static void test_attributes(void **state)
{
    struct copy_counts n;
    struct error e;
    char path[128], value[8] = "";
    assert_int_equal(mkdirat(from, "d", 0755), 0);
    snprintf(path, sizeof(path), "%s/from/d", folder);
    if (setxattr(path, "user.overlay.opaque", "y", 1, 0) < 0)
        skip();
    assert_int_equal(copy(UINT64_MAX, &n, &e), 0);
    snprintf(path, sizeof(path), "%s/to/d", folder);
    assert_int_equal(getxattr(path, "user.overlay.opaque", value, sizeof(value)), 1);
    assert_int_equal(value[0], 'y');
}

static void test_whiteouts_and_devices(void **state)
{
    struct copy_counts n;
    struct error e = {0};
    if (mknodat(from, "gone", S_IFCHR, makedev(0, 0)) < 0)
        skip();
    assert_int_equal(copy(UINT64_MAX, &n, &e), 0);
    assert_true(S_ISCHR(look(to, "gone").st_mode) && look(to, "gone").st_rdev == 0);
    if (mknodat(from, "null", S_IFCHR | 0600, makedev(1, 3)) < 0)
        skip(); /* only root can */
    assert_int_equal(unlinkat(to, "gone", 0), 0);
    assert_int_equal(copy(UINT64_MAX, &n, &e), -EPERM);
    assert_non_null(strstr(e.text, "null"));
}

static void test_bounds(void **state)
{
    struct copy_counts n = {.entries = 77};
    struct error e;
    put("big", "12345678", 0644);
    assert_int_equal(copy(0, &n, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "big"));
    assert_int_equal(n.entries, 77);
    assert_int_equal(unlinkat(from, "big", 0), 0);
    int at = fcntl(from, F_DUPFD_CLOEXEC, 0);
    for (unsigned i = 0; i <= COPY_DEPTH_MOST; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    assert_int_equal(copy(UINT64_MAX, &n, &e), -ELOOP);
}

/* A name on the side of the target is never passed through: it must not be there. */
static void test_links_in_the_target(void **state)
{
    struct copy_counts n;
    struct error e;
    put("f", "mine", 0644);
    assert_int_equal(symlinkat("../outside", to, "f"), 0);
    assert_int_equal(copy(UINT64_MAX, &n, &e), -EEXIST);
    assert_int_equal(unlinkat(to, "f", 0), 0);
    assert_int_equal(unlinkat(from, "f", 0), 0);
    assert_int_equal(mkdirat(from, "d", 0755), 0);
    put("d/x", "mine", 0644);
    assert_int_equal(symlinkat("..", to, "d"), 0);
    assert_true(copy(UINT64_MAX, &n, &e) < 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/x", folder);
    assert_int_equal(access(path, F_OK), -1);
}

static bool wants_no_b(void *data, const char *path, const struct stat *st)
{
    return strcmp(path, "d/b") != 0;
}

static void test_choice_and_count(void **state)
{
    struct copy_counts n;
    struct error e;
    assert_int_equal(mkdirat(from, "d", 0755), 0);
    put("d/a", "a", 0644);
    put("d/b", "b", 0644);
    const struct copy_wish w = {
        .from = from, .to = to, .bytes_most = UINT64_MAX, .wants = wants_no_b};
    assert_int_equal(copy_tree(&w, &n, &e), 0);
    assert_int_equal(faccessat(to, "d/a", F_OK, 0), 0);
    assert_int_equal(faccessat(to, "d/b", F_OK, 0), -1);
    const struct copy_wish count = {.from = from, .to = FD_NONE, .bytes_most = UINT64_MAX};
    assert_int_equal(copy_tree(&count, &n, &e), 0);
    assert_int_equal(n.entries, 3);
}

/* Holes stay holes, and a file that is no file is refused. */
static void test_one_files_content(void **state)
{
    struct stat st;
    put("a", "begin", 0644);
    int in = openat(from, "a", O_RDWR | O_CLOEXEC);
    int out = openat(to, "b", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(in, "end", 3, 40 << 20), 3);
    assert_int_equal(ftruncate(in, 64 << 20), 0);
    assert_int_equal(copy_content(in, out), 0);
    assert_int_equal(fstat(out, &st), 0);
    assert_int_equal(st.st_size, 64 << 20);
    assert_true(st.st_blocks * 512 < 1 << 20);
    char text[8] = "";
    assert_int_equal(pread(out, text, 5, 0), 5);
    assert_string_equal(text, "begin");
    assert_int_equal(pread(out, text, 4, 40 << 20), 4);
    assert_memory_equal(text, "end", 4);
    assert_int_equal(copy_content(from, out), -EINVAL);
    /* over that: what it has, zeros too, takes the place of what was there, and nothing else */
    int over = openat(to, "over", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const char zeros[4096] = "";
    assert_int_equal(ftruncate(over, 64 << 20), 0);
    assert_int_equal(pwrite(over, zeros, sizeof(zeros), 0), sizeof(zeros));
    assert_int_equal(pwrite(over, "new", 3, 20 << 20), 3);
    assert_int_equal(copy_over(over, out), 0);
    assert_int_equal(pread(out, text, 5, 0), 5);
    assert_memory_equal(text, zeros, 5);
    assert_int_equal(pread(out, text, 3, 20 << 20), 3);
    assert_memory_equal(text, "new", 3);
    assert_int_equal(pread(out, text, 4, 40 << 20), 4);
    assert_memory_equal(text, "end", 4);
    close(over);
    close(in);
    close(out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_looks),
        TEST(test_names_of_one_file),
        TEST(test_holes),
        TEST(test_attributes),
        TEST(test_whiteouts_and_devices),
        TEST(test_bounds),
        TEST(test_links_in_the_target),
        TEST(test_one_files_content),
        TEST(test_choice_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
