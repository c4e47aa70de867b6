/* Records of a workload's become members of a tar, or nothing does. */
#include "app/cli/records_tar.h"

#include "app/cli/changed.h"
#include "app/cli/copy_out.h"
#include "app/cli/new_file.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/records.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 20 * 1024 };

struct sent {
    uint8_t type;
    const char *name, *content; /* of a link: where it leads */
    uint64_t size;              /* 0: the content's */
};

static int stream(const struct sent *list)
{
    int fd = memfd_create("records", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (; list->type; list++) {
        size_t content = list->content ? strlen(list->content) : 0;
        bool link = list->type == RECORD_LINK;
        struct record_head h = {.type = list->type,
                                .mode = list->type == RECORD_END ? 0 : 0644,
                                .size = list->size ? list->size
                                        : link     ? 0
                                                   : content,
                                .name_size = (uint16_t)strlen(list->name),
                                .link_size = link ? (uint16_t)content : 0};
        assert_int_equal(fd_write_full(fd, &h, sizeof(h)), 0);
        assert_int_equal(fd_write_full(fd, list->name, strlen(list->name)), 0);
        assert_int_equal(fd_write_full(fd, list->content ? list->content : "", content), 0);
    }
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static ssize_t read_back(void *data, void *to, size_t room)
{
    return read(*(int *)data, to, room);
}

static uint64_t left_out;
static char unsent[64];

static int pack_as(const struct sent *list, bool folder, uint64_t room, int out,
                   uint64_t *ret_files)
{
    struct records_tar t = {.room = room};
    struct records_tar_end end;
    disk_tar_init(&t.tar, out);
    int r = records_tar_read(&t, stream(list), "srv/top", folder, &end);
    if (r == 0)
        r = disk_tar_end(&t.tar);
    disk_tar_done(&t.tar);
    *ret_files = t.files;
    left_out = t.left_out;
    snprintf(unsent, sizeof(unsent), "%s", end.what ? end.what : "");
    records_tar_end_done(&end);
    return r == 0 ? -end.error : r;
}

static int pack(const struct sent *list, uint64_t room, int out, uint64_t *ret_files)
{
    return pack_as(list, false, room, out, ret_files);
}

static void expect_members(int out, const char *const *paths, size_t count)
{
    struct error e;
    const struct tar_member *m;
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    struct tar *t = tar_new(read_back, &out);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tar_next(t, &m, &e), 1);
        assert_string_equal(m->path, paths[i]);
        assert_int_equal(m->uid, getuid());
    }
    assert_int_equal(tar_next(t, &m, &e), 0);
    tar_free(t);
}

static void test_a_tree(void **state)
{
    static const struct sent list[] = {
        {RECORD_DIR,  "top", NULL, 0},
        {RECORD_DIR,       "a", NULL, 0},
        {RECORD_FILE,           "a/b", "hi", 0},
        {RECORD_LINK,  "a/up", "/", 0},
        {RECORD_FILE,          "c", "", 0},
        {RECORD_END, "", NULL, 0},
        {0      }
    };
    static const char *const paths[] = {"srv/top/", "srv/top/a/", "srv/top/a/b", "srv/top/a/up",
                                        "srv/top/c"};
    autoclose int out = memfd_create("tar", MFD_CLOEXEC);
    uint64_t files;
    assert_int_equal(pack_as(list, true, ROOM, out, &files), 0);
    assert_int_equal(files, ARRAY_SIZE(paths));
    assert_int_equal(left_out, 0);
    expect_members(out, paths, ARRAY_SIZE(paths));
}

static void test_names_of_whiteouts(void **state)
{
    static const struct sent list[] = {
        {RECORD_DIR,        "top", NULL, 0},
        {RECORD_FILE,             ".wh.x", "gone", 0},
        {RECORD_DIR,                 "a", NULL, 0},
        {RECORD_FILE,"a/.wh..wh..opq", "", 0},
        {RECORD_LINK,                "a/.wh.l", "/", 0},
        {RECORD_DIR,        ".wh.d", NULL, 0},
        {RECORD_FILE,             ".wh.d/f", "in it", 0},
        {RECORD_FILE,                 ".wh.d/.wh.g", "", 0},
        {RECORD_FILE,    "x.wh.y", "stays", 0},
        {RECORD_END,                "", NULL, 0},
        {0      }
    };
    static const char *const paths[] = {"srv/top/", "srv/top/a/", "srv/top/x.wh.y"};
    autoclose int out = memfd_create("tar", MFD_CLOEXEC);
    uint64_t files;
    assert_int_equal(pack(list, ROOM, out, &files), 0);
    assert_int_equal(files, ARRAY_SIZE(paths));
    assert_int_equal(left_out, 6);
    expect_members(out, paths, ARRAY_SIZE(paths));
    assert_true(records_tar_is_whiteout("/.wh.x") && records_tar_is_whiteout("a/.wh.x/b"));
    assert_false(records_tar_is_whiteout("/a.wh.x"));
}

/* What is read and not written costs as much: nobody sends it without end. */
static void test_room_for_whiteouts(void **state)
{
    const struct sent list[] = {
        {RECORD_DIR, "top", NULL, 0},
        {RECORD_FILE,      ".wh.a", "gone", 0},
        {RECORD_FILE,          ".wh.b", "gone", 0},
        {RECORD_END,"", NULL, 0},
        {0        }
    };
    autoclose int out = memfd_create("tar", MFD_CLOEXEC);
    uint64_t files;
    assert_int_equal(pack(list, 8192, out, &files), 0);
    assert_int_equal(pack(list, 2500, out, &files), -EFBIG);
}

/* Members cost room even if there is nothing in them. */
static void test_room_for_headers(void **state)
{
    static const uint8_t types[] = {RECORD_FILE, RECORD_DIR, RECORD_LINK};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const struct sent list[] = {
            {RECORD_DIR, "top", NULL, 0},
            {types[i],      "x", types[i] == RECORD_LINK ? "/" : NULL, 0},
            {RECORD_END,          "", NULL, 0},
            {0 }
        };
        autoclose int out = memfd_create("tar", MFD_CLOEXEC);
        uint64_t files;
        assert_int_equal(pack(list, 1000, out, &files), -EFBIG);
        assert_int_equal(files, 0);
        assert_int_equal(pack(list, 1200, out, &files), -EFBIG);
        assert_int_equal(files, 1);
        assert_int_equal(pack(list, ROOM, out, &files), 0);
        assert_int_equal(files, 2);
    }
}

static void refused(const struct sent *list, int r)
{
    autoclose int out = memfd_create("tar", MFD_CLOEXEC);
    uint64_t files;
    assert_int_equal(pack(list, ROOM, out, &files), r);
}

static void test_lies(void **state)
{
    refused(
        (const struct sent[]){
            {RECORD_END, "", NULL, 0},
            {0     }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_DIR, "top", NULL, 0},
            {0     }
    },
        -EBADMSG); /* cut off */
    refused(
        (const struct sent[]){
            {RECORD_FILE, "top", "hi", 50},
            {0      }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_FILE, "top", "hi", ROOM + 1},
            {0      }
    },
        -EFBIG);
    refused(
        (const struct sent[]){
            {RECORD_DIR, "..", NULL, 0},
            {0     }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_DIR, "top", NULL, 0},
            {RECORD_FILE,      "../x", "", 0},
            {RECORD_END,          "", NULL, 0},
            {0}
    },
        -EBADMSG);
    /* through a link, into a file, into a folder that was left */
    refused(
        (const struct sent[]){
            {RECORD_DIR, "top", NULL, 0},
            {RECORD_LINK,      "l", "/etc", 0},
            {RECORD_FILE,          "l/passwd", "", 0},
            {0 }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_FILE, "top", "", 0},
            {RECORD_FILE,         "x", "", 0},
            {0          }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_DIR, "top", NULL, 0},
            {RECORD_DIR,      "a", NULL, 0},
            {RECORD_FILE,          "b", "", 0},
            {RECORD_FILE,  "a/c", "", 0},
            {0        }
    },
        -EBADMSG);
    refused(
        (const struct sent[]){
            {RECORD_DIR, "top", NULL, 0},
            {RECORD_ERROR,      "x", NULL, EACCES},
            {0         }
    },
        -EACCES);
    assert_string_equal(unsent, "srv/top/x");
    /* an error of theirs is none of ours: the rest has come, and another may follow */
    refused(
        (const struct sent[]){
            {RECORD_ERROR, "top", NULL, ECANCELED},
            {0       }
    },
        -ECANCELED);
    assert_string_equal(unsent, "srv/top");
}

/* What the list says is a folder comes as one. */
static void test_another_type(void **state)
{
    static const uint8_t types[] = {RECORD_FILE, RECORD_LINK};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const struct sent list[] = {
            {types[i], "top", "/etc", 0},
            {RECORD_END,  "", NULL, 0},
            {0       }
        };
        autoclose int out = memfd_create("tar", MFD_CLOEXEC);
        uint64_t files;
        assert_int_equal(pack_as(list, true, ROOM, out, &files), -EBADMSG);
        assert_int_equal(files, 0);
        assert_int_equal(pack_as(list, false, ROOM, out, &files), 0);
    }
}

/* --- the list -----------------------------------------------------------------------------------
 */

static int order(struct change *list, size_t count)
{
    struct changes c = {.list = list, .count = count};
    struct error e;
    return changed_order(&c, &e);
}

static struct change of(mode_t mode, const char *path)
{
    return (struct change){
        .kind = CHANGE_ADDED, .mode = mode | 0755, .path = (char *)(uintptr_t)path};
}

static void test_a_folder_and_what_is_in_it(void **state)
{
    struct change list[] = {
        of(S_IFREG, "/a\x01/z"), of(S_IFREG, "/a b"),      of(S_IFREG, "/a/b"),
        of(S_IFDIR, "/a\x01"),   of(S_IFDIR, "/a/\x01"),   of(S_IFREG, "/a/b\xff"),
        of(S_IFDIR, "/a"),       of(S_IFREG, "/a/\x01/c"),
    };
    static const char *const sorted[] = {"/a",       "/a/\x01", "/a/\x01/c", "/a/b",
                                         "/a/b\xff", "/a\x01",  "/a\x01/z",  "/a b"};
    assert_int_equal(order(list, ARRAY_SIZE(list)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(list); i++)
        assert_string_equal(list[i].path, sorted[i]);
    assert_int_equal(order(NULL, 0), 0);
}

static void test_lists_that_lie(void **state)
{
    struct change below[] = {of(S_IFREG, "/a/b"), of(S_IFREG, "/a\x01"), of(S_IFLNK, "/a")};
    assert_int_equal(order(below, ARRAY_SIZE(below)), -EBADMSG);
    below[2].mode = S_IFREG;
    assert_int_equal(order(below, ARRAY_SIZE(below)), -EBADMSG);
    struct change deep[] = {of(S_IFREG, "/l/a/b/c"), of(S_IFLNK, "/l"), of(S_IFDIR, "/l\x01")};
    assert_int_equal(order(deep, ARRAY_SIZE(deep)), -EBADMSG);
    struct change twice[] = {of(S_IFDIR, "/a"), of(S_IFREG, "/a\x01"), of(S_IFLNK, "/a")};
    assert_int_equal(order(twice, ARRAY_SIZE(twice)), -EBADMSG);
    struct change beside[] = {of(S_IFLNK, "/a"), of(S_IFREG, "/a\x01"), of(S_IFREG, "/ab/c")};
    assert_int_equal(order(beside, ARRAY_SIZE(beside)), 0);
    static const char *const none[] = {"", "/", "a", "/../a", "/a/./b", "/a//b", "/a/"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        struct change c = of(S_IFREG, none[i]);
        assert_int_equal(order(&c, 1), -EBADMSG);
    }
}

/* --- the file, and who waits --------------------------------------------------------------------
 */

static bool no_such_rename; /* as on NFS */

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    assert_int_equal(flags, RENAME_NOREPLACE);
    if (no_such_rename) {
        errno = EINVAL;
        return -1;
    }
    return linkat(from_dir, from, to_dir, to, 0) < 0 ? -1 : unlinkat(from_dir, from, 0);
}

static void keep_by_name(const char *folder)
{
    struct error e;
    struct stat st;
    autofree char *path = str_join_path(folder, "x.tar");
    for (int there = 0; there < 2; there++) {
        struct new_file f = {.temporary = str_format("%s.part", path)};
        autofree char *temporary = str_dup(f.temporary);
        f.fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        assert_true(f.fd >= 0);
        assert_int_equal(fd_write_full(f.fd, "new", there ? 3 : 2), 0);
        assert_int_equal(new_file_keep(&f, path, &e), there ? -EEXIST : 0);
        new_file_done(&f);
        assert_int_equal(stat(temporary, &st), -1);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 2); /* never in place of another */
        assert_int_equal(st.st_nlink, 1);
    }
    unlink(path);
}

static void test_a_file_with_a_name(void **state)
{
    char folder[] = "/tmp/cofferdam-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    keep_by_name(folder);
    no_such_rename = true;
    keep_by_name(folder);
    no_such_rename = false;
    assert_int_equal(rmdir(folder), 0);
}

/* A monitor that says nothing is not waited for by who has given up. */
static void test_given_up(void **state)
{
    int pair[2];
    struct copy_answer answer = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct client *c = client_from_fd(pair[0], &copy_events, &answer);
    cancelled = SIGTERM;
    alarm(20); /* or it would wait for ever */
    copy_await(c, &answer);
    alarm(0);
    cancelled = 0;
    assert_true(answer.over);
    assert_int_equal(answer.error.code, ECANCELED);
    client_free(c);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tree),
        cmocka_unit_test(test_names_of_whiteouts),
        cmocka_unit_test(test_room_for_whiteouts),
        cmocka_unit_test(test_room_for_headers),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_another_type),
        cmocka_unit_test(test_a_folder_and_what_is_in_it),
        cmocka_unit_test(test_lists_that_lie),
        cmocka_unit_test(test_a_file_with_a_name),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
