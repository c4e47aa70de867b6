/* File trees as records: there and back, and every hostile stream that came to mind. */
#include "base/records.h"

#include "base/fd.h"
#include "base/file.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A folder of its own for each test, with "in" to write below and "outside" beside it. */
struct place {
    int dir, in;
    char name[64];
};

static int setup(void **state)
{
    struct place *p = NEW(struct place);
    strcpy(p->name, "/tmp/cofferdam-unit-XXXXXX");
    assert_non_null(mkdtemp(p->name));
    umask(022);
    p->dir = open(p->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(p->dir, "in", 0755), 0);
    assert_int_equal(mkdirat(p->dir, "outside", 0755), 0);
    p->in = openat(p->dir, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    close(p->in);
    close(p->dir);
    assert_int_equal(file_remove_tree(AT_FDCWD, p->name), 0);
    free(p);
    return 0;
}

/* --- streams made by hand
 * -------------------------------------------------------------------------- */

static void put(struct buf *b, int type, const char *name, const char *link, const char *content)
{
    struct record_head h = {
        .type = (uint8_t)type,
        .mode = type == RECORD_DIR    ? 0755
                : type == RECORD_FILE ? 0644
                                      : 0,
        .size = content ? strlen(content) : 0,
        .name_size = (uint16_t)strlen(name),
        .link_size = link ? (uint16_t)strlen(link) : 0,
    };
    buf_add(b, &h, sizeof(h));
    buf_puts(b, name);
    if (link)
        buf_puts(b, link);
    if (content)
        buf_puts(b, content);
}

static int receive(struct place *p, const struct buf *b, const char *name, uint64_t most)
{
    char what[256];
    autoclose int fd = memfd_create("records", MFD_CLOEXEC);
    assert_int_equal(fd_write_full(fd, b->data, b->used), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return records_receive(fd, p->in, name, most, what, sizeof(what));
}

static void assert_file(int dir, const char *name, const char *content)
{
    autofree char *text = NULL;
    size_t size;
    assert_int_equal(file_read(dir, name, 4096, &text, &size), 0);
    assert_string_equal(text, content);
}

static bool exists(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_names(void **state)
{
    static const char *const bad[] = {"..", ".", "/a", "a/", "a//b", "a/../b", "./a", "a/.", "/"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(record_check_name(bad[i], strlen(bad[i]), 0), -EBADMSG);
        assert_int_equal(record_check_name(bad[i], strlen(bad[i]), 1), -EBADMSG);
    }
    assert_int_equal(record_check_name("a\0b", 3, 0), -EBADMSG);
    assert_int_equal(record_check_name("", 0, 0), -EBADMSG);
    assert_int_equal(record_check_name("", 0, 1), 0);
    assert_int_equal(record_check_name("a/b", 3, 1), -EBADMSG);
    assert_int_equal(record_check_name("a/b/..c/.d", 10, 0), 0);
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(record_check_name(longest, 255, 0), 0);
    assert_int_equal(record_check_name(longest, 256, 0), -EBADMSG);
}

static void test_heads(void **state)
{
    struct record_head good = {.type = RECORD_FILE, .mode = 0644, .size = 5, .name_size = 1};
    assert_int_equal(record_check_head(&good), 0);
    struct record_head bad[] = {good, good, good, good, good, good, good, good, good, good};
    bad[0].type = 9;
    bad[1].mode = 04755;
    bad[2].pad[1] = 1;
    bad[3].name_size = RECORD_NAME_MAX;
    bad[4].link_size = 1;
    bad[5].mtime_ns = 1000000000;
    bad[6].type = RECORD_LINK;
    bad[7].type = RECORD_DIR;
    bad[8].size = UINT64_MAX;
    bad[9].type = RECORD_END;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(record_check_head(&bad[i]), -EBADMSG);
}

static void test_a_tree_is_made(void **state)
{
    struct place *p = *state;
    autobuf b = {0};
    put(&b, RECORD_DIR, "tree", NULL, NULL);
    put(&b, RECORD_FILE, "one", NULL, "1");
    put(&b, RECORD_DIR, "sub", NULL, NULL);
    put(&b, RECORD_FILE, "sub/two", NULL, "22");
    put(&b, RECORD_DIR, "sub/deeper", NULL, NULL);
    put(&b, RECORD_LINK, "sub/deeper/link", "../../one", NULL);
    put(&b, RECORD_FILE, "subway", NULL, "");
    put(&b, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &b, NULL, 0), 0);
    assert_file(p->in, "tree/one", "1");
    assert_file(p->in, "tree/sub/two", "22");
    assert_file(p->in, "tree/subway", "");
    char link[32] = "";
    assert_int_equal(readlinkat(p->in, "tree/sub/deeper/link", link, sizeof(link)), 9);
    assert_string_equal(link, "../../one");
    /* the caller's name goes before the stream's, and merges */
    assert_int_equal(receive(p, &b, "tree", 0), 0);
    assert_false(exists(p->in, "tree/tree"));
    assert_int_equal(receive(p, &b, "other", 0), 0);
    assert_file(p->in, "other/one", "1");
}

static void test_names_that_leave(void **state)
{
    struct place *p = *state;
    static const char *const names[] = {"../outside/x", "/tmp/x", "..", "a/../../outside/x"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autobuf b = {0}, first = {0};
        put(&b, RECORD_DIR, "", NULL, NULL);
        put(&b, RECORD_DIR, "a", NULL, NULL);
        put(&b, RECORD_FILE, names[i], NULL, "x");
        put(&b, RECORD_END, "", NULL, NULL);
        assert_int_equal(receive(p, &b, ".", 0), -EBADMSG);
        put(&first, RECORD_FILE, names[i], NULL, "x");
        put(&first, RECORD_END, "", NULL, NULL);
        assert_int_equal(receive(p, &first, NULL, 0), -EBADMSG);
    }
    assert_false(exists(p->dir, "outside/x"));
}

static void test_a_link_then_a_file_through_it(void **state)
{
    struct place *p = *state;
    autobuf b = {0}, dir = {0};
    put(&b, RECORD_DIR, "", NULL, NULL);
    put(&b, RECORD_LINK, "way", "../outside", NULL);
    put(&b, RECORD_FILE, "way/x", NULL, "x");
    put(&b, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &b, ".", 0), -EBADMSG);
    /* the link is there now: neither a folder of its name nor a file goes through it */
    put(&dir, RECORD_DIR, "", NULL, NULL);
    put(&dir, RECORD_DIR, "way", NULL, NULL);
    put(&dir, RECORD_FILE, "way/x", NULL, "x");
    put(&dir, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &dir, ".", 0), -ENOTDIR);
    assert_int_equal(receive(p, &dir, "way", 0), -ENOTDIR);
    assert_false(exists(p->dir, "outside/x"));
}

static void test_what_is_there_is_replaced_not_written_through(void **state)
{
    struct place *p = *state;
    autobuf b = {0}, link = {0};
    assert_int_equal(file_write_whole(p->dir, "outside/secret", "kept", 4, 0600, false), 0);
    assert_int_equal(symlinkat("../outside/secret", p->in, "file"), 0);
    assert_int_equal(linkat(p->dir, "outside/secret", p->in, "hard", 0), 0);
    put(&b, RECORD_DIR, "", NULL, NULL);
    put(&b, RECORD_FILE, "file", NULL, "new");
    put(&b, RECORD_FILE, "hard", NULL, "new");
    put(&b, RECORD_FILE, "hard", NULL, "newer");
    put(&b, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &b, ".", 0), 0);
    assert_file(p->dir, "outside/secret", "kept");
    assert_file(p->in, "file", "new");
    assert_file(p->in, "hard", "newer");
    put(&link, RECORD_LINK, "", "/etc", NULL);
    put(&link, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &link, "file", 0), 0);
    char text[16] = "";
    assert_int_equal(readlinkat(p->in, "file", text, sizeof(text)), 4);
    /* a folder is not replaced by a file */
    assert_int_equal(mkdirat(p->in, "folder", 0755), 0);
    autobuf file = {0};
    put(&file, RECORD_FILE, "", NULL, "x");
    put(&file, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &file, "folder", 0), -EISDIR);
    assert_int_equal(receive(p, &file, NULL, 0), -EISDIR);
}

static void test_order_is_kept(void **state)
{
    struct place *p = *state;
    static const char *const orders[][3] = {
        {"a/b", NULL,    NULL }, /* no such folder was sent */
        {"d",   "e",     "d/x"}, /* left already */
        {"d",   "dd/x",  NULL }, /* a beginning of the letters, not of the path */
        {"d",   "d/e/x", NULL }, /* a step left out */
    };
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        autobuf b = {0};
        put(&b, RECORD_DIR, "", NULL, NULL);
        for (int j = 0; j < 3 && orders[i][j]; j++) {
            bool last = j == 2 || !orders[i][j + 1];
            put(&b, last ? RECORD_FILE : RECORD_DIR, orders[i][j], NULL, last ? "x" : NULL);
        }
        put(&b, RECORD_END, "", NULL, NULL);
        assert_int_equal(receive(p, &b, ".", 0), -EBADMSG);
    }
    autobuf file = {0};
    put(&file, RECORD_FILE, "", NULL, "x");
    put(&file, RECORD_FILE, "second", NULL, "x");
    put(&file, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &file, "first", 0), -EBADMSG);
}

static void test_bounds(void **state)
{
    struct place *p = *state;
    autobuf b = {0}, deep = {0}, path = {0};
    put(&b, RECORD_DIR, "", NULL, NULL);
    put(&b, RECORD_FILE, "a", NULL, "12345");
    put(&b, RECORD_FILE, "b", NULL, "12345");
    put(&b, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &b, ".", 10), 0);
    assert_int_equal(receive(p, &b, ".", 9), -EFBIG);
    autobuf huge = {0};
    struct record_head h = {.type = RECORD_FILE, .size = INT64_MAX};
    buf_add(&huge, &h, sizeof(h));
    assert_int_equal(receive(p, &huge, "huge", 1 << 20), -EFBIG);
    assert_false(exists(p->in, "huge"));

    put(&deep, RECORD_DIR, "", NULL, NULL);
    for (int i = 0; i < RECORDS_DEPTH_MAX; i++) {
        buf_puts(&path, i ? "/d" : "d");
        put(&deep, RECORD_DIR, path.data, NULL, NULL);
    }
    put(&deep, RECORD_END, "", NULL, NULL);
    assert_int_equal(receive(p, &deep, "deep", 0), -EBADMSG);
}

/* Cut anywhere, a stream is refused and leaves no temporary file behind. */
static void test_truncated(void **state)
{
    struct place *p = *state;
    autobuf b = {0};
    put(&b, RECORD_FILE, "x", NULL, "content");
    put(&b, RECORD_END, "", NULL, NULL);
    size_t whole = b.used;
    for (b.used = 0; b.used < whole; b.used++)
        assert_int_equal(receive(p, &b, "x", 0), -EBADMSG);
    assert_true(exists(p->in, "x") && unlinkat(p->in, "x", 0) == 0);
    assert_int_equal(unlinkat(p->dir, "in", AT_REMOVEDIR), 0);
}

static void test_an_error_at_the_end(void **state)
{
    struct place *p = *state;
    autobuf b = {0};
    put(&b, RECORD_DIR, "", NULL, NULL);
    struct record_head h = {.type = RECORD_ERROR, .size = EACCES, .name_size = 6};
    buf_add(&b, &h, sizeof(h));
    buf_puts(&b, "secret");
    autoclose int fd = memfd_create("records", MFD_CLOEXEC);
    char what[256];
    assert_int_equal(fd_write_full(fd, b.data, b.used), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(records_receive(fd, p->in, "d", 0, what, sizeof(what)), -EACCES);
    assert_string_equal(what, "secret");
}

/* --- there and back
 * ---------------------------------------------------------------------------------- */

static void test_there_and_back(void **state)
{
    struct place *p = *state;
    uint64_t skipped = 0;
    char what[256];
    assert_int_equal(mkdirat(p->in, "src", 0755), 0);
    assert_int_equal(mkdirat(p->in, "src/locked", 0755), 0);
    assert_int_equal(file_write_whole(p->in, "src/locked/f", "abc", 3, 0640, false), 0);
    autoclose int big = openat(p->in, "src/big", O_RDWR | O_CREAT | O_CLOEXEC, 0755);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(write(big, &i, sizeof(i)), sizeof(i));
    assert_int_equal(fchmod(big, 06755), 0);
    struct timespec times[2] = {
        {.tv_sec = 1000, .tv_nsec = 5},
        {.tv_sec = 1000, .tv_nsec = 5}
    };
    assert_int_equal(futimens(big, times), 0);
    assert_int_equal(symlinkat("/no/where", p->in, "src/link"), 0);
    assert_int_equal(mkfifoat(p->in, "src/fifo", 0600), 0);
    assert_int_equal(fchmodat(p->in, "src/locked", 0555, 0), 0);

    autoclose int fd = memfd_create("records", MFD_CLOEXEC);
    assert_int_equal(records_send(fd, p->in, "src", what, sizeof(what), &skipped), 0);
    assert_int_equal(skipped, 1);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(records_receive(fd, p->dir, NULL, 0, what, sizeof(what)), 0);
    assert_file(p->dir, "src/locked/f", "abc");
    struct stat st;
    assert_int_equal(fstatat(p->dir, "src/big", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0755); /* set-id bits do not travel */
    assert_int_equal(st.st_size, 80000);
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    assert_int_equal(st.st_mtim.tv_nsec, 5);
    assert_int_equal(fstatat(p->dir, "src/locked", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0555);
    assert_false(exists(p->dir, "src/fifo"));
    assert_int_equal(fchmodat(p->dir, "src/locked", 0755, 0), 0);
    assert_int_equal(fchmodat(p->in, "src/locked", 0755, 0), 0);
}

static void test_sending_what_is_no_file(void **state)
{
    struct place *p = *state;
    uint64_t skipped;
    char what[256];
    autoclose int fd = memfd_create("records", MFD_CLOEXEC);
    assert_int_equal(mkfifoat(p->in, "fifo", 0600), 0);
    assert_int_equal(records_send(fd, p->in, "fifo", what, sizeof(what), &skipped), -EOPNOTSUPP);
    assert_string_equal(what, "fifo");
    assert_int_equal(records_send(fd, p->in, "gone", what, sizeof(what), &skipped), -ENOENT);
    assert_int_equal(records_send(fd, p->in, "../outside", what, sizeof(what), &skipped), -EINVAL);
}

#define RECORDS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_heads),
        RECORDS_TEST(test_a_tree_is_made),
        RECORDS_TEST(test_names_that_leave),
        RECORDS_TEST(test_a_link_then_a_file_through_it),
        RECORDS_TEST(test_what_is_there_is_replaced_not_written_through),
        RECORDS_TEST(test_order_is_kept),
        RECORDS_TEST(test_bounds),
        RECORDS_TEST(test_truncated),
        RECORDS_TEST(test_an_error_at_the_end),
        RECORDS_TEST(test_there_and_back),
        RECORDS_TEST(test_sending_what_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
