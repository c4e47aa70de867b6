/* Programs in their box: what they get is what they were given. */
#include "images/disk_tool.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct error e;

static int run_tool(const char *const *argv, const int *files, size_t count, size_t writable,
                    char **ret, size_t *ret_size)
{
    const struct disk_tool t = {
        .argv = argv,
        .package = "some-package",
        .in = FD_NONE,
        .files = files,
        .files_count = count,
        .writable = writable,
        .memory = 256 << 20,
    };
    return disk_tool_read(&t, 10000, 65536, ret, ret_size, &e);
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static int file_with(const char *text)
{
    char name[] = "/tmp/cdt-tool.XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    return fd;
}

static void given_files(void **state)
{
    autofree char *out = NULL;
    size_t size;
    autoclose int fd = file_with("given");
    const int files[] = {fd};
    const char *const argv[] = {"cat", "/proc/self/fd/3", NULL};
    assert_int_equal(run_tool(argv, files, 1, 0, &out, &size), 0);
    assert_int_equal(size, 5);
    assert_string_equal(out, "given");
}

static void other_files(void **state)
{
    char *out;
    size_t size;
    if (!has_landlock())
        skip();
    const char *const argv[] = {"cat", "/etc/passwd", NULL};
    assert_int_equal(run_tool(argv, NULL, 0, 0, &out, &size), -EIO);
    assert_non_null(strstr(e.text, "Permission denied"));
    const char *const touch[] = {"touch", "/tmp/cdt-tool-made", NULL};
    assert_int_equal(run_tool(touch, NULL, 0, 0, &out, &size), -EIO);
    assert_int_equal(access("/tmp/cdt-tool-made", F_OK), -1);
    autoclose int fd = file_with("kept");
    const int files[] = {fd};
    const char *const cut[] = {"truncate", "-s", "0", "/proc/self/fd/3", NULL};
    assert_int_equal(run_tool(cut, files, 1, 0, &out, &size), -EIO);
    assert_int_equal(lseek(fd, 0, SEEK_END), 4);
    autofree char *nothing = NULL;
    assert_int_equal(run_tool(cut, files, 1, 1, &nothing, &size), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
}

/* As many as a disk may lie on, of which the last alone is written. */
static void many_files(void **state)
{
    char *out;
    autofree char *nothing = NULL;
    size_t size;
    int files[DISK_TOOL_FILES];
    if (!has_landlock())
        skip();
    for (size_t i = 0; i < DISK_TOOL_FILES; i++)
        files[i] = file_with("kept");
    autofree char *last = str_format("/proc/self/fd/%d", 3 + DISK_TOOL_FILES - 1);
    autofree char *other = str_format("/proc/self/fd/%d", 3 + DISK_TOOL_FILES - 2);
    const char *const cut_last[] = {"truncate", "-s", "1", last, NULL};
    const char *const cut_other[] = {"truncate", "-s", "1", other, NULL};
    assert_int_equal(run_tool(cut_other, files, DISK_TOOL_FILES, 1, &out, &size), -EIO);
    assert_int_equal(run_tool(cut_last, files, DISK_TOOL_FILES, 1, &nothing, &size), 0);
    for (size_t i = 0; i < DISK_TOOL_FILES; i++) {
        assert_int_equal(lseek(files[i], 0, SEEK_END), i == DISK_TOOL_FILES - 1 ? 1 : 4);
        fd_close(files[i]);
    }
}

static void no_network(void **state)
{
    autofree char *out = NULL;
    size_t size;
    /* lo alone, and down; the file is the child's own namespace's */
    const char *const argv[] = {"readlink", "/proc/self/ns/net", NULL};
    assert_int_equal(run_tool(argv, NULL, 0, 0, &out, &size), 0);
    char ours[64] = "";
    assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
    assert_string_not_equal(str_trim(out), ours);
}

static void nothing_else_is_open(void **state)
{
    autofree char *out = NULL;
    size_t size;
    int careless = open("/dev/null", O_RDONLY); /* not close-on-exec */
    const char *const argv[] = {"readlink", "/proc/self/fd/4", "/proc/self/fd/5",
                                "/proc/self/fd/64", NULL};
    assert_true(careless >= 0);
    assert_int_equal(run_tool(argv, NULL, 0, 0, &out, &size), -EIO); /* none of them is there */
    fd_close(careless);
}

static void too_much(void **state)
{
    char *out;
    size_t size;
    const char *const argv[] = {"head", "-c", "100000", "/dev/zero", NULL};
    assert_int_equal(run_tool(argv, NULL, 0, 0, &out, &size), -EFBIG);
}

static void too_long(void **state)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    const struct disk_tool t = {.argv = argv, .in = FD_NONE, .out = FD_NONE, .memory = 64 << 20};
    struct disk_tool_running r;
    assert_int_equal(disk_tool_start(&t, &r, &e), 0);
    pid_t pid = r.pid;
    assert_int_equal(disk_tool_finish(&r, 1, &e), -ETIMEDOUT);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped already */
    disk_tool_kill(&r);
}

static void what_it_says(void **state)
{
    char *out;
    size_t size;
    const char *const argv[] = {"ls", "/usr/\033[31mnothing", NULL};
    assert_int_equal(run_tool(argv, NULL, 0, 0, &out, &size), -EIO);
    assert_true(str_starts(e.text, "ls: "));
    assert_null(strchr(e.text, '\033'));
    const char *const missing[] = {"no-such-program", NULL};
    assert_int_equal(run_tool(missing, NULL, 0, 0, &out, &size), -ENOENT);
    assert_non_null(strstr(e.text, "some-package"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_files),
        cmocka_unit_test(many_files),
        cmocka_unit_test(other_files),
        cmocka_unit_test(no_network),
        cmocka_unit_test(nothing_else_is_open),
        cmocka_unit_test(too_much),
        cmocka_unit_test(too_long),
        cmocka_unit_test(what_it_says),
    };
    return cmocka_run_group_tests_name("disk_tool", tests, NULL, NULL);
}
