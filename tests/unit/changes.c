/* Changes read from layers made by hand: whiteouts, opaque folders, what set-up made, hostile
 * names. */
#include "backends/changes.h"
#include "backends/changes_notes.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[64];
    int dir;
};

static int set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);
    strcpy(f->path, "/tmp/cofferdam-test-XXXXXX");
    if (!mkdtemp(f->path))
        return -1;
    f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const folders[] = {
        "layers", "layers/0", "layers/0/upper",     "layers/0/work",
        "root",   "lower",    "layers/0/upper/bin", "lower/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (mkdirat(f->dir, folders[i], 0755) < 0)
            return -1;
    *state = f;
    return symlinkat("/usr", f->dir, "layers/0/target");
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fd_close(f->dir);
    int r = file_remove_tree(AT_FDCWD, f->path);
    free(f);
    return r;
}

static void put(struct fixture *f, const char *name, const char *text, mode_t mode)
{
    autoclose int fd = openat(f->dir, name, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void know_lower(struct fixture *f)
{
    autofree char *lower = str_join_path(f->path, "lower");
    assert_int_equal(symlinkat(lower, f->dir, "layers/0/lower"), 0);
}

static struct changes read_all(struct fixture *f, size_t most)
{
    struct changes c;
    struct error e = {0};
    assert_int_equal(changes_read(f->dir, most, &c, &e), 0);
    return c;
}

static const struct change *find(const struct changes *c, const char *path)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->list[i].path, path) == 0)
            return &c->list[i];
    return NULL;
}

static void sorts_the_worst_first(void **state)
{
    struct fixture *f = *state;
    put(f, "layers/0/upper/bin/plain", "abc", 0644);
    put(f, "layers/0/upper/bin/tool", "#!/bin/sh\n", 0755);
    put(f, "layers/0/upper/bin/suid", "x", 04755);
    mkdirat(f->dir, "root/home", 0755);
    mkdirat(f->dir, "root/home/me", 0755);
    put(f, "root/home/me/.bashrc", "evil", 0644);
    mkdirat(f->dir, "root/home/me/.ssh", 0700);
    put(f, "root/home/me/.ssh/authorized_keys", "k", 0600);

    know_lower(f); /* which has bin, so that bin itself is no change */
    struct changes c = read_all(f, 100);
    assert_int_equal(c.count, 8);
    assert_string_equal(c.list[0].path, "/usr/bin/suid");
    assert_int_equal(c.list[0].notes, CHANGE_SETID | CHANGE_EXECUTABLE);
    assert_string_equal(c.list[1].path, "/home/me/.bashrc");
    assert_string_equal(c.list[2].path, "/home/me/.ssh/authorized_keys");
    assert_int_equal(c.list[2].notes, CHANGE_KEY);
    assert_string_equal(c.list[3].path, "/usr/bin/tool");
    assert_int_equal(c.bytes, 3 + 10 + 1 + 4 + 1);
    assert_int_equal(find(&c, "/usr/bin/plain")->size, 3);
    assert_false(c.cut);
    changes_done(&c);
}

static void the_worst_survive_the_cut(void **state)
{
    struct fixture *f = *state;
    char name[64];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "root/%03d", i);
        put(f, name, "", 0644);
    }
    put(f, "root/zz-suid", "", 04755);
    struct changes c = read_all(f, 5);
    assert_int_equal(c.count, 5);
    assert_true(c.cut);
    assert_string_equal(c.list[0].path, "/zz-suid");
    assert_string_equal(c.list[1].path, "/000");
    changes_done(&c);
}

static void knows_changed_added_deleted(void **state)
{
    struct fixture *f = *state;
    know_lower(f);
    put(f, "lower/bin/old", "1", 0644);
    put(f, "lower/bin/gone", "1", 0644);
    put(f, "layers/0/upper/bin/old", "22", 0644);
    put(f, "layers/0/upper/bin/new", "3", 0644);
    if (mknodat(f->dir, "layers/0/upper/bin/gone", S_IFCHR, makedev(0, 0)) < 0) {
        print_message("skip: whiteouts cannot be made here\n");
        skip();
    }
    struct changes c = read_all(f, 100);
    assert_int_equal(find(&c, "/usr/bin/old")->kind, CHANGE_CHANGED);
    assert_int_equal(find(&c, "/usr/bin/new")->kind, CHANGE_ADDED);
    assert_int_equal(find(&c, "/usr/bin/gone")->kind, CHANGE_DELETED);
    assert_int_equal(c.count, 3); /* bin itself is in the lower */
    changes_done(&c);
}

static void what_set_up_made_can_be_deleted(void **state)
{
    struct fixture *f = *state;
    const char *deleted = "layers/0/upper/bin/link", *hidden = "layers/0/upper/bin/hidden";
    static const char made[] = "/usr/bin\0/usr/bin/link\0/usr/bin/hidden";
    if (mknodat(f->dir, hidden, S_IFCHR, makedev(0, 0)) < 0) {
        print_message("skip: whiteouts cannot be made here\n");
        skip();
    }
    assert_int_equal(file_write_whole(f->dir, "made", made, sizeof(made), 0600, false), 0);
    struct stat before, now;
    assert_int_equal(fstatat(f->dir, "made", &before, 0), 0);
    do { /* the clock of ctime is coarse */
        unlinkat(f->dir, deleted, 0);
        assert_int_equal(mknodat(f->dir, deleted, S_IFCHR, makedev(0, 0)), 0);
        assert_int_equal(fstatat(f->dir, deleted, &now, 0), 0);
    } while (now.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             now.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    struct changes c = read_all(f, 100);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.list[0].path, "/usr/bin/link");
    assert_int_equal(c.list[0].kind, CHANGE_DELETED);
    changes_done(&c);
}

static void an_opaque_folder_hides_what_was_there(void **state)
{
    struct fixture *f = *state;
    know_lower(f);
    put(f, "lower/bin/a", "", 0644);
    put(f, "lower/bin/b", "", 0644);
    put(f, "layers/0/upper/bin/b", "new", 0644);
    autofree char *bin = str_join_path(f->path, "layers/0/upper/bin");
    if (setxattr(bin, "user.overlay.opaque", "y", 1, 0) < 0) {
        print_message("skip: no user xattrs on this file system\n");
        skip();
    }
    struct changes c = read_all(f, 100);
    assert_int_equal(c.count, 2);
    assert_int_equal(find(&c, "/usr/bin/a")->kind, CHANGE_DELETED);
    assert_int_equal(find(&c, "/usr/bin/b")->kind, CHANGE_CHANGED);
    changes_done(&c);
}

static void set_up_is_no_change(void **state)
{
    struct fixture *f = *state;
    mkdirat(f->dir, "root/etc", 0755);
    put(f, "root/etc/passwd", "x", 0644);
    put(f, "root/etc/hosts", "x", 0644);
    mkdirat(f->dir, "root/src", 0755);
    mkdirat(f->dir, "root/src/sub", 0755);
    put(f, "root/src/sub/main.c", "x", 0755);
    static const char made[] = "/etc\0/etc/passwd\0/etc/hosts\0/usr/bin\0/src\0/src/";
    assert_int_equal(file_write_whole(f->dir, "made", made, sizeof(made), 0600, false), 0);
    struct changes c = read_all(f, 100);
    assert_int_equal(c.count, 0);
    changes_done(&c);

    /* a later write shows; the clock of ctime is coarse, so go on until it has moved */
    struct stat before, now;
    assert_int_equal(fstatat(f->dir, "made", &before, 0), 0);
    do {
        assert_int_equal(fchmodat(f->dir, "root/etc/passwd", 0600, 0), 0);
        assert_int_equal(fchmodat(f->dir, "root/etc/passwd", 0644, 0), 0);
        assert_int_equal(fstatat(f->dir, "root/etc/passwd", &now, 0), 0);
    } while (now.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             now.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    c = read_all(f, 100);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.list[0].path, "/etc/passwd");
    assert_int_equal(c.list[0].kind, CHANGE_CHANGED);
    assert_int_equal(c.list[0].notes, CHANGE_KEY);
    changes_done(&c);
}

static void links_are_never_followed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(symlinkat("/etc", f->dir, "root/etc"), 0);
    assert_int_equal(symlinkat("/", f->dir, "root/loop"), 0);
    put(f, "root/\033]0;evil\a\n", "", 0644);
    struct changes c = read_all(f, 1000);
    assert_int_equal(c.count, 4); /* and /usr/bin, of which nothing is known here */
    assert_true(S_ISLNK(find(&c, "/etc")->mode));
    assert_non_null(find(&c, "/\033]0;evil\a\n")); /* raw: who shows it escapes it */
    changes_done(&c);

    /* a layer that is a link leads nowhere */
    assert_int_equal(symlinkat("/", f->dir, "layers/1"), 0);
    c = read_all(f, 1000);
    assert_int_equal(c.count, 4);
    changes_done(&c);
}

static void a_very_deep_tree_is_counted_not_read(void **state)
{
    struct fixture *f = *state;
    int dir = openat(f->dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(mkdirat(dir, "d", 0755), 0);
        int next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(dir);
        dir = next;
    }
    fd_close(dir);
    struct changes c = read_all(f, 1000);
    assert_int_equal(c.unreadable, 1);
    assert_true(c.count > 100);
    changes_done(&c);
}

static void an_empty_folder_is_an_error(void **state)
{
    struct error e = {0};
    struct changes c;
    autoclose int dir = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(changes_read(dir, 10, &c, &e), -ENODATA);
}

static void notes(void **state)
{
    assert_int_equal(change_notes("/etc/cron.d/x", S_IFREG | 0644), CHANGE_STARTUP);
    assert_int_equal(change_notes("/home/u/p/.git/hooks/post-checkout", S_IFREG | 0755),
                     CHANGE_STARTUP | CHANGE_EXECUTABLE);
    assert_int_equal(change_notes("/home/u/server.pem", S_IFREG | 0600), CHANGE_KEY);
    assert_int_equal(change_notes("/dev/sda", S_IFBLK | 0600), CHANGE_DEVICE);
    assert_int_equal(change_notes("/tmp/dir", S_IFDIR | 06777), 0);
    assert_int_equal(change_notes("/tmp/readme", S_IFREG | 0644), 0);
    assert_true(change_badness(CHANGE_SETID) >
                change_badness(CHANGE_STARTUP | CHANGE_KEY | CHANGE_EXECUTABLE));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sorts_the_worst_first),
        TEST(the_worst_survive_the_cut),
        TEST(knows_changed_added_deleted),
        TEST(what_set_up_made_can_be_deleted),
        TEST(an_opaque_folder_hides_what_was_there),
        TEST(set_up_is_no_change),
        TEST(links_are_never_followed),
        TEST(a_very_deep_tree_is_counted_not_read),
        cmocka_unit_test(an_empty_folder_is_an_error),
        cmocka_unit_test(notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
