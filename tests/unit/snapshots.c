/* snapshots.h: what is shown is whole, what is half there is found, names answer as workloads' do.
 */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/file.h"
#include "console/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[64];
static struct dirs d;

static int set_up(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/cofferdam-unit.XXXXXX");
    d.state = folder;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    return file_remove_tree(AT_FDCWD, folder);
}

static void make(const char *id, const char *name, const char *parent)
{
    struct snapshot_writer *w;
    struct error e;
    const struct snapshot_record r = {
        .id = (char *)id,
        .name = (char *)name,
        .workload = (char *)"0123456789ab",
        .workload_name = (char *)"web",
        .parent = (char *)parent,
        .runtime = (char *)"native",
        .kind = LAUNCH_SNAPSHOT_FILES,
        .created_ms = 5,
        .bytes = 4096,
    };
    assert_int_equal(snapshot_writer_open(&d, id, &w, &e), 0);
    assert_int_equal(snapshot_writer_plan(w, "{}", 2, &e), 0);
    assert_int_equal(file_write_whole(snapshot_writer_files(w), "f", "x", 1, 0600, false), 0);
    assert_int_equal(snapshot_writer_publish(w, &r, &e), 0);
    snapshot_writer_free(w, NULL);
}

static size_t count_all(void)
{
    struct snapshot_record *list;
    struct error e;
    size_t count;
    assert_int_equal(snapshots_list(&d, &list, &count, &e), 0);
    snapshots_list_free(list, count);
    return count;
}

static void test_round_trip(void **state)
{
    struct snapshot_record r;
    struct error e;
    assert_int_equal(count_all(), 0); /* no folder at all */
    make("aaaaaaaaaaaa", "one", NULL);
    make("abbbbbbbbbbb", "two", "aaaaaaaaaaaa");
    assert_int_equal(count_all(), 2);
    assert_int_equal(snapshots_find(&d, "two", &r, &e), 0);
    assert_string_equal(r.parent, "aaaaaaaaaaaa");
    assert_string_equal(r.workload_name, "web");
    assert_int_equal(r.bytes, 4096);
    assert_int_equal(r.kind, LAUNCH_SNAPSHOT_FILES);
    snapshot_record_done(&r);
    assert_int_equal(snapshots_find(&d, "ab", &r, &e), 0);
    assert_string_equal(r.name, "two");
    snapshot_record_done(&r);
    assert_int_equal(snapshots_find(&d, "a", &r, &e), -EEXIST);
    assert_int_equal(snapshots_find(&d, "onee", &r, &e), -ENOENT);
    assert_non_null(strstr(e.text, "\"one\"?"));
    assert_int_equal(snapshots_find(&d, "", &r, &e), -ENOENT);
}

static void test_half_ones(void **state)
{
    struct snapshot_writer *w;
    struct error e;
    make("aaaaaaaaaaaa", "one", NULL);
    assert_int_equal(snapshot_writer_open(&d, "bbbbbbbbbbbb", &w, &e), 0);
    assert_int_equal(snapshots_sweep(&d, NULL, true), 0); /* somebody is at it */
    snapshot_writer_free(w, NULL);
    assert_int_equal(snapshots_sweep(&d, NULL, true), 0); /* and has given it up */
    char path[128];
    snprintf(path, sizeof(path), "%s/snapshots/.half-cccccccccccc", folder);
    assert_int_equal(mkdir(path, 0700), 0); /* its maker was killed */
    assert_int_equal(count_all(), 1);
    assert_int_equal(snapshots_sweep(&d, NULL, true), 1);
    assert_int_equal(snapshots_sweep(&d, NULL, false), 1);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(snapshot_writer_open(&d, "aaaaaaaaaaaa", &w, &e), -EEXIST);
    assert_int_equal(snapshot_writer_open(&d, "../aaaaaaaaa", &w, &e), -EINVAL);
}

static void test_removal(void **state)
{
    struct error e;
    make("aaaaaaaaaaaa", "one", NULL);
    int hold = snapshots_hold(&d, "aaaaaaaaaaaa", &e);
    assert_true(hold >= 0);
    assert_int_equal(snapshots_remove(&d, "aaaaaaaaaaaa", NULL, &e), -EBUSY);
    assert_int_equal(count_all(), 1);
    close(hold);
    assert_int_equal(snapshots_remove(&d, "aaaaaaaaaaaa", NULL, &e), 0);
    assert_int_equal(count_all(), 0);
    assert_true(snapshots_hold(&d, "aaaaaaaaaaaa", &e) < 0);
    assert_int_equal(snapshots_remove(&d, "..", NULL, &e), -EINVAL);
}

/* proc(5): who waits for a lock stands there behind an arrow. */
static bool somebody_waits(int lock)
{
    autofree char *text = NULL;
    char inode[32];
    struct stat st;
    fstat(lock, &st);
    snprintf(inode, sizeof(inode), ":%ju ", (uintmax_t)st.st_ino);
    if (file_read_virtual(AT_FDCWD, "/proc/locks", 1 << 20, &text, NULL) < 0)
        return false;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        if (strstr(line, "->") && strstr(line, inode))
            return true;
    return false;
}

/* Holds the lock until somebody waits for it; `hide`: as who removes the snapshot. */
static void be_in_the_way(const char *path, int ready, bool hide) __attribute__((noreturn));
static void be_in_the_way(const char *path, int ready, bool hide)
{
    autofree char *lock = str_format("%s/lock", path), *hidden = str_format("%s/hidden", folder);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    bool good = fd >= 0 && fcntl(fd, F_OFD_SETLK, &l) == 0 && write(ready, "x", 1) == 1;
    for (int i = 0; good && i < 10000 && !somebody_waits(fd); i++)
        poll(NULL, 0, 1); /* nobody is told */
    if (hide)
        good &= rename(path, hidden) == 0;
    _exit(good ? 0 : 1);
}

static void hold_against(bool hide)
{
    struct error e;
    int ready[2], status;
    char go;
    make("aaaaaaaaaaaa", "one", NULL);
    autofree char *path = str_format("%s/snapshots/aaaaaaaaaaaa", folder);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0)
        be_in_the_way(path, ready[1], hide);
    assert_int_equal(read(ready[0], &go, 1), 1);
    int hold = snapshots_hold(&d, "aaaaaaaaaaaa", &e);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    if (hide)
        assert_int_equal(hold, -EBUSY);
    else
        assert_true(hold >= 0);
    fd_close(hold);
    close(ready[0]);
    close(ready[1]);
}

static void test_held_for_a_moment(void **state)
{
    hold_against(false);
}

static void test_removed_meanwhile(void **state)
{
    hold_against(true);
}

static void test_published_ones_are_free(void **state)
{
    struct snapshot_writer *w;
    struct error e;
    const struct snapshot_record r = {.id = (char *)"aaaaaaaaaaaa",
                                      .name = (char *)"one",
                                      .workload = (char *)"cccccccccccc",
                                      .workload_name = (char *)"web",
                                      .runtime = (char *)"native",
                                      .kind = LAUNCH_SNAPSHOT_FILES};
    assert_int_equal(snapshot_writer_open(&d, "aaaaaaaaaaaa", &w, &e), 0);
    assert_int_equal(snapshot_writer_publish(w, &r, &e), 0);
    assert_int_equal(snapshots_remove(&d, "aaaaaaaaaaaa", NULL, &e), 0); /* its writer lives yet */
    snapshot_writer_free(w, NULL);
}

static void test_broken_ones(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"version\": 2, \"id\": \"aaaaaaaaaaaa\", \"name\": \"x\", \"runtime\": \"r\", "
        "\"workload\": \"w\"}",
        "{\"version\": 1, \"id\": \"bbbbbbbbbbbb\", \"name\": \"x\", \"runtime\": \"r\", "
        "\"workload\": \"w\"}",
    };
    char path[128];
    make("aaaaaaaaaaaa", "one", NULL);
    make("abbbbbbbbbbb", "two", NULL);
    snprintf(path, sizeof(path), "%s/snapshots/aaaaaaaaaaaa/snapshot", folder);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct snapshot_record *list;
        struct error e;
        size_t count;
        assert_int_equal(file_write_whole(AT_FDCWD, path, texts[i], strlen(texts[i]), 0600, false),
                         0);
        assert_int_equal(snapshots_list(&d, &list, &count, &e), 0);
        assert_int_equal(count, 2); /* one broken folder never empties the list */
        size_t broken = list[0].reason ? 0 : 1;
        assert_string_equal(list[broken].id, "aaaaaaaaaaaa");
        assert_non_null(list[broken].reason);
        assert_null(list[!broken].reason);
        snapshots_list_free(list, count);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),        TEST(test_half_ones),
        TEST(test_removal),           TEST(test_held_for_a_moment),
        TEST(test_removed_meanwhile), TEST(test_published_ones_are_free),
        TEST(test_broken_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
