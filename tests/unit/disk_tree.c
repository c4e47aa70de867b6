/* Layers stacked into a tar stream: what hides, owners, links, attributes, odd names, bounds. */
#include "images/disk_tree.h"

#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int ground = FD_NONE;
static char place[64];

static int make_ground(void **state)
{
    snprintf(place, sizeof(place), "/tmp/cdt-tree.XXXXXX");
    assert_non_null(mkdtemp(place));
    ground = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return ground < 0;
}

static int leave_ground(void **state)
{
    ground = fd_close(ground);
    return file_remove_tree(AT_FDCWD, place);
}

static void put(const char *path, const char *text, unsigned mode)
{
    autoclose int fd = openat(ground, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    const struct timespec times[2] = {
        {1000, 999},
        {1000, 999}
    };
    assert_int_equal(futimens(fd, times), 0);
}

static void folder(const char *path, unsigned mode)
{
    assert_int_equal(mkdirat(ground, path, 0700), 0);
    assert_int_equal(fchmodat(ground, path, mode, 0), 0);
}

static void hide(const char *path)
{
    assert_int_equal(mknodat(ground, path, S_IFCHR, makedev(0, 0)), 0);
}

static bool set_xattr(const char *path, const char *name, const char *value, size_t size)
{
    autoclose int fd = openat(ground, path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fsetxattr(fd, name, value, size, 0) == 0;
}

/* --- what comes out, as lines ------------------------------------------------------------------
 */

static ssize_t fill(void *data, void *to, size_t room)
{
    return read(*(int *)data, to, room);
}

static void show(struct buf *b, const struct tar_member *m, const char *content)
{
    static const char types[] = "-hlcbdp";
    autofree char *path = str_escape_z(m->path);
    buf_printf(b, "%c %04o %llu:%llu %s", types[m->type], m->mode, (unsigned long long)m->uid,
               (unsigned long long)m->gid, path);
    if (m->link)
        buf_printf(b, " > %s", m->link);
    for (size_t i = 0; i < m->xattrs_count; i++) {
        autofree char *value = str_escape(m->xattrs[i].value, m->xattrs[i].size);
        buf_printf(b, " %s=%s", m->xattrs[i].name, value);
    }
    if (*content)
        buf_printf(b, " [%s]", content);
    buf_putc(b, '\n');
}

static char *list(int stream)
{
    autobuf b = {0};
    const struct tar_member *m;
    struct error e;
    int r;
    assert_int_equal(lseek(stream, 0, SEEK_SET), 0);
    struct tar *t = tar_new(fill, &stream);
    while ((r = tar_next(t, &m, &e)) == 1) {
        autobuf content = {0};
        const void *data;
        size_t size;
        uint64_t at;
        while (m->type == TAR_FILE && tar_data(t, &data, &size, &at, &e) == 1)
            buf_add(&content, data, MIN(size, 40));
        show(&b, m, content.data ? content.data : "");
    }
    assert_int_equal(r, 0);
    tar_free(t);
    return buf_take(&b);
}

static int stack(const char *const *layers, size_t count, const struct disk_map *owners,
                 const struct image_limits *limits, int *ret, struct error *e)
{
    int folders[4];
    assert_true(count <= ARRAY_SIZE(folders));
    for (size_t i = 0; i < count; i++) {
        folders[i] = openat(ground, layers[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(folders[i] >= 0);
    }
    const struct disk_tree_job job = {.layers = folders,
                                      .count = count,
                                      .owners = owners,
                                      .limits = limits ? *limits : image_limits_usual};
    struct layer_counts counts;
    struct disk_tar to;
    autoclose int fd = memfd_create("tree", MFD_CLOEXEC);
    disk_tar_init(&to, fd);
    int r = disk_tree_write(&job, &to, &counts, e);
    disk_tar_done(&to);
    for (size_t i = 0; i < count; i++)
        fd_close(folders[i]);
    if (r == 0)
        *ret = TAKE_FD(fd);
    return r;
}

static char *stacked(const char *const *layers, size_t count)
{
    struct error e = {0};
    autoclose int fd = FD_NONE;
    struct disk_map owners[4] = {0};
    int r = stack(layers, count, owners, NULL, &fd, &e);
    if (r < 0)
        print_error("%s\n", e.text);
    assert_int_equal(r, 0);
    return list(fd);
}

/* --- the tests ---------------------------------------------------------------------------------
 */

static void whiteouts_hide(void **state)
{
    static const char *const layers[] = {"a", "b", "c"};
    folder("a", 0755);
    put("a/gone", "a", 0644);
    put("a/kept", "a", 0644);
    put("a/twice", "a", 0644);
    folder("a/dir", 0700);
    put("a/dir/below", "a", 0644);
    folder("a/opaque", 0755);
    put("a/opaque/hidden", "a", 0644);
    folder("a/was-dir", 0755);
    put("a/was-dir/x", "a", 0644);
    put("a/was-file", "a", 0644);
    folder("b", 0755);
    hide("b/gone");
    hide("b/twice");
    folder("b/dir", 0711);
    put("b/dir/above", "b", 0644);
    folder("b/opaque", 0750);
    put("b/opaque/shown", "b", 0644);
    put("b/was-dir", "b", 0644);
    folder("b/was-file", 0755);
    if (!set_xattr("b/opaque", "user.overlay.opaque", "y", 1))
        skip();
    folder("c", 0751);
    put("c/twice", "c", 04755);
    hide("c/nothing");

    autofree char *one = stacked(layers, 3);
    assert_string_equal(one, "d 0751 0:0 ./\n"
                             "d 0711 0:0 dir/\n"
                             "- 0644 0:0 dir/above [b]\n"
                             "- 0644 0:0 dir/below [a]\n"
                             "- 0644 0:0 kept [a]\n"
                             "d 0750 0:0 opaque/\n"
                             "- 0644 0:0 opaque/shown [b]\n"
                             "- 4755 0:0 twice [c]\n"
                             "- 0644 0:0 was-dir [b]\n"
                             "d 0755 0:0 was-file/\n");
    static const char *const upside[] = {"c", "b"};
    autofree char *two = stacked(upside, 2);
    assert_non_null(strstr(two, "d 0755 0:0 ./\n"));
    assert_null(strstr(two, "twice"));
}

static void a_layer_that_skips(void **state)
{
    /* the middle one has a file where the others have folders: below it nothing is seen */
    static const char *const layers[] = {"a", "b", "c"};
    folder("a", 0755);
    folder("a/d", 0755);
    put("a/d/old", "a", 0644);
    folder("b", 0755);
    put("b/d", "b", 0644);
    folder("c", 0755);
    folder("c/d", 0755);
    put("c/d/new", "c", 0644);
    autofree char *out = stacked(layers, 3);
    assert_string_equal(out, "d 0755 0:0 ./\nd 0755 0:0 d/\n- 0644 0:0 d/new [c]\n");
}

static void hard_links(void **state)
{
    static const char *const layers[] = {"a", "b"};
    folder("a", 0755);
    put("a/one", "same", 0644);
    assert_int_equal(linkat(ground, "a/one", ground, "a/two", 0), 0);
    assert_int_equal(linkat(ground, "a/one", ground, "a/three", 0), 0);
    folder("b", 0755);
    hide("b/one"); /* the first name goes, the content must not */
    autofree char *out = stacked(layers, 2);
    assert_string_equal(out, "d 0755 0:0 ./\n- 0644 0:0 three [same]\nh 0644 0:0 two > three\n");
}

static void odd_names(void **state)
{
    static const char *const layers[] = {"a"};
    folder("a", 0755);
    put("a/new\nline", "1", 0644);
    put("a/\xff\xfe", "2", 0644);
    put("a/-rf *", "3", 0644);
    put("a/.wh.kept", "4", 0644);
    put("a/e\xcc\x81", "5", 0644); /* two ways to write one character stay two names */
    put("a/\xc3\xa9", "6", 0644);
    assert_int_equal(symlinkat("../../etc/pass\nwd", ground, "a/link"), 0);
    assert_int_equal(mkfifoat(ground, "a/pipe", 0600), 0);
    autofree char *out = stacked(layers, 1);
    assert_non_null(strstr(out, "new\\x0aline [1]\n"));
    assert_non_null(strstr(out, "\\xff\\xfe [2]\n"));
    assert_non_null(strstr(out, " -rf * [3]\n"));
    assert_non_null(strstr(out, " .wh.kept [4]\n"));
    assert_non_null(strstr(out, "[5]\n"));
    assert_non_null(strstr(out, "[6]\n"));
    assert_non_null(strstr(out, "link > ../../etc/pass\nwd\n"));
    assert_non_null(strstr(out, "p 0600 0:0 pipe\n"));
}

static void long_names(void **state)
{
    static const char *const layers[] = {"a"};
    char part[201], link[3001];
    autobuf path = {0};
    memset(part, 'd', 200);
    part[200] = '\0';
    memset(link, 'l', 3000);
    link[3000] = '\0';
    folder("a", 0755);
    buf_puts(&path, "a");
    for (int i = 0; i < 15; i++) {
        buf_printf(&path, "/%s", part);
        folder(path.data, 0755);
    }
    buf_puts(&path, "/x");
    put(path.data, "deep", 0644);
    assert_int_equal(symlinkat(link, ground, "a/l"), 0);
    autofree char *out = stacked(layers, 1);
    autofree char *line = str_format("%s [deep]\n", path.data + 2);
    autofree char *linked = str_format("l > %s\n", link);
    assert_non_null(strstr(out, line));
    assert_non_null(strstr(out, linked));
}

static void attributes(void **state)
{
    static const char *const layers[] = {"a"};
    folder("a", 0755);
    put("a/f", "x", 0644);
    if (!set_xattr("a/f", "user.b", "two\0\n=", 6))
        skip();
    assert_true(set_xattr("a/f", "user.a", "", 0));
    assert_true(set_xattr("a/f", "user.overlay.metacopy", "y", 1));
    autofree char *out = stacked(layers, 1);
    assert_non_null(strstr(out, "f user.a= user.b=two\\x00\\x0a= [x]\n"));
    assert_null(strstr(out, "metacopy"));
}

static void owners_are_the_layers(void **state)
{
    static const char *const layers[] = {"a", "b"};
    struct disk_map owners[2] = {0};
    struct disk_owner five = {5, 50}, huge = {4000000000u, 3000000};
    struct error e;
    autoclose int fd = FD_NONE;
    folder("a", 0755);
    put("a/f", "x", 0644);
    put("a/g", "x", 0644);
    folder("b", 0755);
    put("b/g", "y", 0644);
    disk_map_put(&owners[0], "f", 1, &five, sizeof(five));
    disk_map_put(&owners[0], "g", 1, &five, sizeof(five)); /* of the one that is not seen */
    disk_map_put(&owners[1], "", 0, &huge, sizeof(huge));
    assert_int_equal(stack(layers, 2, owners, NULL, &fd, &e), 0);
    autofree char *out = list(fd);
    assert_string_equal(out, "d 0755 4000000000:3000000 ./\n"
                             "- 0644 5:50 f [x]\n"
                             "- 0644 0:0 g [y]\n");
    disk_map_done(&owners[0]);
    disk_map_done(&owners[1]);
}

static void the_same_bytes(void **state)
{
    /* two folders filled in another order, at another time */
    static const char *const names[] = {"a/z", "a/b", "a/m", "b/m", "b/z", "b/b"};
    static const char *const one[] = {"a"}, *const two[] = {"b"};
    struct stat x, y;
    struct disk_map owners[1] = {0};
    struct error e;
    autoclose int first = FD_NONE, second = FD_NONE;
    folder("a", 0755);
    folder("b", 0755);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        put(names[i], "same", 0644);
    assert_int_equal(stack(one, 1, owners, NULL, &first, &e), 0);
    assert_int_equal(stack(two, 1, owners, NULL, &second, &e), 0);
    assert_int_equal(fstat(first, &x), 0);
    assert_int_equal(fstat(second, &y), 0);
    assert_int_equal(x.st_size, y.st_size);
    void *p = mmap(NULL, (size_t)x.st_size, PROT_READ, MAP_PRIVATE, first, 0);
    void *q = mmap(NULL, (size_t)y.st_size, PROT_READ, MAP_PRIVATE, second, 0);
    assert_true(p != MAP_FAILED && q != MAP_FAILED);
    assert_memory_equal(p, q, (size_t)x.st_size);
    munmap(p, (size_t)x.st_size);
    munmap(q, (size_t)y.st_size);
}

static void sparse(void **state)
{
    static const char *const layers[] = {"a"};
    folder("a", 0755);
    put("a/f", "", 0644);
    autoclose int fd = openat(ground, "a/f", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
    assert_int_equal(ftruncate(fd, 3 << 20), 0);
    autoclose int stream = FD_NONE;
    struct disk_map owners[1] = {0};
    struct error e;
    assert_int_equal(stack(layers, 1, owners, NULL, &stream, &e), 0);
    autofree char *out = list(stream);
    char at[2] = "";
    assert_non_null(strstr(out, " f"));
    assert_int_equal(pread(stream, at, 1, 3 * 512 + (1 << 20) - 512), 1);
    assert_string_equal(at, "x"); /* behind the headers of "./" and of the file */
}

static void bounds(void **state)
{
    static const char *const layers[] = {"a"}, *const nothing[] = {"b"};
    struct image_limits l = image_limits_usual;
    struct disk_map owners[1] = {0};
    struct error e;
    int fd = FD_NONE;
    folder("a", 0755);
    folder("a/d", 0755);
    put("a/d/f", "12345", 0644);
    folder("b", 0755);
    l.bytes = 4;
    assert_int_equal(stack(layers, 1, owners, &l, &fd, &e), -EFBIG);
    l.bytes = 5;
    l.entries = 1;
    assert_int_equal(stack(layers, 1, owners, &l, &fd, &e), -EFBIG);
    l.entries = 2;
    l.depth = 0;
    assert_int_equal(stack(layers, 1, owners, &l, &fd, &e), -ENAMETOOLONG);
    l.depth = 1;
    assert_int_equal(stack(layers, 1, owners, &l, &fd, &e), 0);
    fd_close(fd);
    assert_int_equal(stack(nothing, 1, owners, NULL, &fd, &e), -ENOENT);
}

static void owners_from_headers(void **state)
{
    struct disk_tar to;
    struct disk_map owners = {0};
    struct error e;
    autoclose int fd = memfd_create("layer", MFD_CLOEXEC);
    disk_tar_init(&to, fd);
    struct tar_member m = {.type = TAR_FILE, .mode = 0644, .uid = 5, .gid = 6};
    assert_int_equal(disk_tar_member(&to, "./a//b", &m), 0);
    assert_int_equal(disk_tar_member(&to, "twice", &m), 0);
    assert_int_equal(
        disk_tar_member(&to, "device", &(struct tar_member){.type = TAR_CHAR, .uid = 9}), 0);
    m = (struct tar_member){.type = TAR_HARD_LINK, .link = (char *)"a/b", .uid = 99};
    assert_int_equal(disk_tar_member(&to, "link", &m), 0);
    m = (struct tar_member){.type = TAR_FILE};
    assert_int_equal(disk_tar_member(&to, "twice", &m), 0);
    assert_int_equal(disk_tar_end(&to), 0);
    disk_tar_done(&to);

    int in = fd;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    struct tar *t = tar_new(fill, &in);
    assert_int_equal(disk_owners_scan(t, &image_limits_usual, &owners, &e), 0);
    tar_free(t);
    const struct disk_owner *o = disk_map_get(&owners, "a/b", 3, NULL);
    assert_true(o && o->uid == 5 && o->gid == 6);
    o = disk_map_get(&owners, "link", 4, NULL);
    assert_true(o && o->uid == 5 && o->gid == 6);
    o = disk_map_get(&owners, "twice", 5, NULL);
    assert_true(o && o->uid == 0 && o->gid == 0);
    assert_null(disk_map_get(&owners, "device", 6, NULL));
    disk_map_done(&owners);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, make_ground, leave_ground)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(whiteouts_hide),
        ROW(a_layer_that_skips),
        ROW(hard_links),
        ROW(odd_names),
        ROW(long_names),
        ROW(attributes),
        ROW(owners_are_the_layers),
        ROW(the_same_bytes),
        ROW(sparse),
        ROW(bounds),
        ROW(owners_from_headers),
    };
    return cmocka_run_group_tests_name("disk_tree", tests, NULL, NULL);
}
