/* file.h: whole reads and writes, private folders, removal that follows nothing. */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];
static int dir = FD_NONE;

static int set_up(void **state)
{
    umask(022);
    snprintf(folder, sizeof(folder), "/tmp/cofferdam-unit.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    dir = fd_close(dir);
    return file_remove_tree(AT_FDCWD, folder);
}

static char *below(const char *name)
{
    return str_join_path(folder, name);
}

static void test_read(void **state)
{
    assert_int_equal(file_write_whole(dir, "a", "one\0two", 7, 0640, true), 0);
    autofree char *text = NULL;
    size_t size = 0;
    assert_int_equal(file_read(dir, "a", 7, &text, &size), 0);
    assert_int_equal(size, 7);
    assert_memory_equal(text, "one\0two", 8);
    struct stat st;
    assert_int_equal(fstatat(dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);

    char *untouched = NULL;
    assert_int_equal(file_read(dir, "a", 6, &untouched, NULL), -EFBIG);
    assert_int_equal(file_read(dir, "none", 6, &untouched, NULL), -ENOENT);
    assert_int_equal(file_read(AT_FDCWD, folder, 6, &untouched, NULL), -EINVAL);
    assert_int_equal(file_read(AT_FDCWD, "/dev/null", 6, &untouched, NULL), -EINVAL);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(file_read(dir, "fifo", 6, &untouched, NULL), -EINVAL);
    assert_null(untouched);

    assert_int_equal(file_write_whole(dir, "empty", "", 0, 0600, false), 0);
    autofree char *empty = NULL;
    assert_int_equal(file_read(dir, "empty", 0, &empty, &size), 0);
    assert_int_equal(size, 0);
    assert_string_equal(empty, "");
}

static void test_read_virtual(void **state)
{
    autofree char *text = NULL;
    size_t size = 0;
    assert_int_equal(file_read_virtual(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &size), 0);
    assert_int_equal(strlen(text), size);
    assert_true(str_starts(text, "Name:"));
    char *untouched = NULL;
    assert_int_equal(file_read_virtual(AT_FDCWD, "/proc/self/status", 5, &untouched, NULL), -EFBIG);
    assert_null(untouched);
}

static void test_write_replaces_whole(void **state)
{
    assert_int_equal(file_write_whole(dir, "a", "long content", 12, 0600, false), 0);
    assert_int_equal(file_write_whole(dir, "a", "b", 1, 0600, true), 0);
    assert_int_equal(file_write_brief(dir, "a", "brief", 5), 0); /* in the place of another */
    assert_int_equal(file_write_brief(dir, "b", "first", 5), 0); /* and of none */
    autofree char *brief = NULL;
    assert_int_equal(file_read(dir, "a", 100, &brief, NULL), 0);
    assert_string_equal(brief, "brief");
    assert_int_equal(unlinkat(dir, "b", 0), 0);
    assert_int_equal(file_write_whole(dir, "a", "b", 1, 0600, true), 0);
    autofree char *text = NULL;
    assert_int_equal(file_read(dir, "a", 100, &text, NULL), 0);
    assert_string_equal(text, "b");

    /* a link is replaced, not written through */
    assert_int_equal(symlinkat("a", dir, "link"), 0);
    assert_int_equal(file_write_whole(dir, "link", "c", 1, 0600, false), 0);
    struct stat st;
    assert_int_equal(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));

    /* on failure no neighbour is left */
    assert_int_equal(mkdirat(dir, "taken", 0700), 0);
    assert_int_equal(file_write_whole(dir, "taken", "c", 1, 0600, false), -EISDIR);
    assert_int_equal(file_write_whole(dir, "none/x", "c", 1, 0600, false), -ENOENT);
    assert_int_equal(unlinkat(dir, "taken", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(dir, "a", 0), 0);
    assert_int_equal(unlinkat(dir, "link", 0), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void test_put(void **state)
{
    assert_int_equal(file_put(dir, "none", "x"), -ENOENT);
    assert_int_equal(file_write_whole(dir, "a", "12345", 5, 0600, false), 0);
    assert_int_equal(file_put(dir, "a", "xy"), 0);
    autofree char *text = NULL;
    assert_int_equal(file_read(dir, "a", 100, &text, NULL), 0);
    assert_string_equal(text, "xy345");
}

static void test_make_dirs(void **state)
{
    autofree char *deep = below("p/q//r/");
    assert_int_equal(file_make_dirs(deep, 0750), 0);
    assert_int_equal(file_make_dirs(deep, 0750), 0);
    struct stat st;
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(file_write_whole(dir, "file", "", 0, 0600, false), 0);
    autofree char *file = below("file");
    assert_int_equal(file_make_dirs(file, 0700), -ENOTDIR);
    autofree char *under = below("file/x");
    assert_int_equal(file_make_dirs(under, 0700), -ENOTDIR);
    assert_int_equal(file_make_dirs("/", 0700), 0);
    assert_int_equal(file_make_dirs("", 0700), -ENOENT);
    assert_int_equal(file_make_dirs("/proc/none/such", 0700), -ENOENT);
}

static void test_private_dir(void **state)
{
    struct error e = {0};
    autofree char *path = below("x/private");
    assert_int_equal(file_open_private_dir(path, false, &e), -ENOENT);
    autoclose int made = file_open_private_dir(path, true, &e);
    assert_true(made >= 0);
    assert_int_equal(chmod(path, 0777), 0);
    autoclose int again = file_open_private_dir(path, false, &e);
    assert_true(again >= 0);
    struct stat st;
    assert_int_equal(fstat(again, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);

    autofree char *link = below("link");
    assert_int_equal(symlink(path, link), 0);
    assert_true(file_open_private_dir(link, true, &e) < 0);
    assert_non_null(strstr(e.text, link));
    autofree char *file = below("file");
    assert_int_equal(file_write_whole(dir, "file", "", 0, 0600, false), 0);
    assert_int_equal(file_open_private_dir(file, true, &e), -ENOTDIR);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_int_equal(file_open_private_dir(path, true, &e), -EPERM);
        assert_non_null(strstr(e.text, "12345"));
    } else {
        assert_int_equal(file_open_private_dir("/etc", true, &e), -EPERM);
    }
}

static void test_remove_follows_nothing(void **state)
{
    autofree char *keep = below("keep/file");
    autofree char *keep_dir = below("keep");
    assert_int_equal(file_make_dirs(keep_dir, 0700), 0);
    assert_int_equal(file_write_whole(AT_FDCWD, keep, "x", 1, 0600, false), 0);
    autofree char *tree = below("tree/a/b");
    assert_int_equal(file_make_dirs(tree, 0700), 0);
    assert_int_equal(symlinkat("../keep", dir, "tree/link"), 0);
    assert_int_equal(symlinkat("/", dir, "tree/a/root"), 0);
    assert_int_equal(symlinkat("loop", dir, "tree/a/loop"), 0);
    assert_int_equal(mkfifoat(dir, "tree/fifo", 0600), 0);
    assert_int_equal(file_remove_tree(dir, "tree"), 0);
    assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
    assert_int_equal(access(keep, F_OK), 0);

    assert_int_equal(symlinkat("keep", dir, "top"), 0);
    assert_int_equal(file_remove_tree(dir, "top"), 0);
    assert_int_equal(access(keep, F_OK), 0);
    assert_int_equal(file_remove_tree(dir, "none"), 0);
    assert_int_equal(file_remove_tree(dir, "keep/file"), 0);
}

static void test_remove_unreadable(void **state)
{
    autofree char *tree = below("tree/closed/inner");
    assert_int_equal(file_make_dirs(tree, 0700), 0);
    assert_int_equal(file_write_whole(dir, "tree/closed/file", "x", 1, 0600, false), 0);
    assert_int_equal(fchmodat(dir, "tree/closed/inner", 0, 0), 0);
    assert_int_equal(fchmodat(dir, "tree/closed", 0, 0), 0);
    assert_int_equal(fchmodat(dir, "tree", 0500, 0), 0);
    assert_int_equal(file_remove_tree(dir, "tree"), 0);
    assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
}

/* Deeper than there are descriptors, and than a path can say. */
static void test_remove_deep(void **state)
{
    autoclose int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(mkdirat(at, "some-folder", 0700), 0);
        int next = openat(at, "some-folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(at);
        at = next;
    }
    assert_int_equal(file_remove_tree(dir, "some-folder"), 0);
    assert_int_equal(faccessat(dir, "some-folder", F_OK, 0), -1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_read),
        ROW(test_read_virtual),
        ROW(test_write_replaces_whole),
        ROW(test_put),
        ROW(test_make_dirs),
        ROW(test_private_dir),
        ROW(test_remove_follows_nothing),
        ROW(test_remove_unreadable),
        ROW(test_remove_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
