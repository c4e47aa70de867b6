/* The initramfs read back: what is in it, in what order, the same bytes each time; and the cache.
 */
#include "images/initramfs.h"

#include "tests/unit/unit.h"

#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char place[64];
static struct error e;

static int make_place(void **state)
{
    snprintf(place, sizeof(place), "/tmp/cdt-initramfs.XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static int leave_place(void **state)
{
    return file_remove_tree(AT_FDCWD, place);
}

static char *put(const char *name, const void *data, size_t size)
{
    char *path = str_join_path(place, name);
    autofree char *folder = str_dup(path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(file_make_dirs(folder, 0755), 0);
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, data, size), 0);
    return path;
}

static void put_module(const char *name, const char *info)
{
    static const char names[] = "\0.shstrtab\0.modinfo";
    const Elf64_Ehdr elf = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_REL,
        .e_shoff = 64,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 3,
        .e_shstrndx = 1
    };
    const Elf64_Shdr sections[3] = {
        {0                           },
        { .sh_name = 1,  .sh_offset = 512, .sh_size = sizeof(names)},
        {    .sh_name = 11, .sh_offset = 1024, .sh_size = strlen(info) + 1},
    };
    char p[2048] = {0};
    memcpy(p, &elf, sizeof(elf));
    memcpy(p + 64, sections, sizeof(sections));
    memcpy(p + 512, names, sizeof(names));
    memcpy(p + 1024, info, strlen(info) + 1);
    free(put(name, p, sizeof(p)));
}

/* What libarchive reads, as lines. */
static char *list(int fd)
{
    autobuf b = {0};
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    archive_read_support_format_cpio(a);
    assert_int_equal(archive_read_open_fd(a, fd, 65536), ARCHIVE_OK);
    while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
        char text[64] = "";
        buf_printf(&b, "%o %lld:%lld %lld %s", archive_entry_mode(entry),
                   (long long)archive_entry_uid(entry), (long long)archive_entry_gid(entry),
                   (long long)archive_entry_mtime(entry), archive_entry_pathname(entry));
        if (archive_read_data(a, text, sizeof(text) - 1) > 0 && text[0] != 0x7f) {
            for (char *c = text; *c; c++)
                *c = *c == '\n' ? '|' : *c;
            buf_printf(&b, " [%s]", text);
        }
        buf_putc(&b, '\n');
    }
    archive_read_free(a);
    return buf_take(&b);
}

static void make_wish(struct kernel *k, struct initramfs_wish *w)
{
    put_module("m/kernel/virtio_ring.ko", "depends=");
    put_module("m/kernel/virtio.ko", "depends=virtio_ring");
    put_module("m/kernel/virtio-blk.ko", "depends=virtio");
    put_module("m/kernel/unwanted.ko", "depends=");
    free(put("m/modules.builtin", "kernel/squashfs.ko\n", 19));
    *k = (struct kernel){.release = str_dup("6.1-test"),
                         .path = put("vmlinuz", "kernel", 6),
                         .modules = str_join_path(place, "m")};
    *w = (struct initramfs_wish){.cache = str_join_path(place, "cache"),
                                 .kernel = k,
                                 .drivers = 1u << KERNEL_BLK | 1u << KERNEL_SQUASHFS,
                                 .init = put("init", "#!init", 6)};
}

static void free_wish(struct kernel *k, struct initramfs_wish *w)
{
    free(k->release);
    free(k->path);
    free(k->modules);
    free((char *)w->cache);
    free((char *)w->init);
}

static void content(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    struct stat st;
    make_wish(&k, &w);
    autoclose int fd = memfd_create("cpio", MFD_CLOEXEC);
    int r = initramfs_write(&w, fd, &e);
    if (r < 0)
        print_error("%s\n", e.text);
    assert_int_equal(r, 0);
    autofree char *out = list(fd);
    assert_string_equal(out,
                        "40755 0:0 0 dev\n"
                        "40755 0:0 0 modules\n"
                        "40755 0:0 0 proc\n"
                        "40755 0:0 0 root\n"
                        "40755 0:0 0 run\n"
                        "40755 0:0 0 sys\n"
                        "100555 0:0 0 init [#!init]\n"
                        "100444 0:0 0 modules/virtio_ring.ko\n"
                        "100444 0:0 0 modules/virtio.ko\n"
                        "100444 0:0 0 modules/virtio_blk.ko\n"
                        "100444 0:0 0 modules/load [virtio_ring.ko|virtio.ko|virtio_blk.ko|]\n");
    char magic[6];
    assert_int_equal(pread(fd, magic, 6, 0), 6);
    assert_memory_equal(magic, "070701", 6);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size % 512, 0);
    free_wish(&k, &w);
}

static void reads_same(int a, int b)
{
    struct stat x, y;
    assert_int_equal(fstat(a, &x), 0);
    assert_int_equal(fstat(b, &y), 0);
    assert_int_equal(x.st_size, y.st_size);
    autofree char *p = mem_alloc((size_t)x.st_size), *q = mem_alloc((size_t)x.st_size);
    assert_int_equal(pread(a, p, (size_t)x.st_size, 0), x.st_size);
    assert_int_equal(pread(b, q, (size_t)x.st_size, 0), x.st_size);
    assert_memory_equal(p, q, (size_t)x.st_size);
}

/* What came alone needs nothing to load, if all of it is built in. */
static void without_modules(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    make_wish(&k, &w);
    k.modules = (free(k.modules), NULL);
    autoclose int fd = memfd_create("cpio", MFD_CLOEXEC);
    assert_int_equal(initramfs_write(&w, fd, &e), -ENOENT);
    assert_string_equal(e.text,
                        "kernel 6.1-test came without modules and has no virtio-blk built in");
    free(k.path);
    k.path = put("vmlinuz", "x\0virtio_blk\0squashfs_x\0squashfs\0", 33);
    w.drivers |= 1u << KERNEL_RNG; /* which it may lack */
    autoclose int whole = memfd_create("cpio", MFD_CLOEXEC);
    assert_int_equal(initramfs_write(&w, whole, &e), 0);
    autofree char *out = list(whole);
    assert_non_null(strstr(out, " 0 modules/load\n"));
    assert_null(strstr(out, ".ko"));
    free(k.release);
    k.release = str_dup("5.10.225");
    assert_int_equal(initramfs_write(&w, whole, &e), -ENOTSUP);
    assert_string_equal(e.text, "kernel 5.10.225 is too old: our init needs Linux 5.12");
    free_wish(&k, &w);
}

static void the_same_bytes(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    autoclose int one = memfd_create("cpio", MFD_CLOEXEC), two = memfd_create("cpio", MFD_CLOEXEC);
    make_wish(&k, &w);
    assert_int_equal(initramfs_write(&w, one, &e), 0);
    free_wish(&k, &w);
    assert_int_equal(leave_place(NULL), 0);
    make_place(NULL); /* elsewhere, with other times and inodes */
    make_wish(&k, &w);
    assert_int_equal(initramfs_write(&w, two, &e), 0);
    free_wish(&k, &w);
    reads_same(one, two);
}

/* Nothing but the signature goes, and not where its length is a lie. */
static void signatures_are_cut(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    static const char true_one[] =
        "SIGNED!!!\0\0\0\0\0\0\0\0\0\0\0\x09~Module signature appended~\n";
    static const char lie[] = "\0\0\0\0\0\0\0\0\xff\xff\xff\xff~Module signature appended~\n";
    autoclose int plain = memfd_create("cpio", MFD_CLOEXEC),
                  cut = memfd_create("cpio", MFD_CLOEXEC);
    autoclose int whole = memfd_create("cpio", MFD_CLOEXEC);
    make_wish(&k, &w);
    autofree char *path = str_join_path(place, "m/kernel/virtio-blk.ko");
    assert_int_equal(initramfs_write(&w, plain, &e), 0);
    autoclose int module = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fd_write_full(module, true_one, sizeof(true_one) - 1), 0);
    assert_int_equal(initramfs_write(&w, cut, &e), 0);
    reads_same(plain, cut);
    assert_int_equal(fd_write_full(module, lie, sizeof(lie) - 1), 0);
    assert_int_equal(initramfs_write(&w, whole, &e), 0);
    autofree char *a = list(plain), *b = list(whole);
    assert_string_equal(a, b);
    struct stat x, y;
    assert_int_equal(fstat(plain, &x), 0);
    assert_int_equal(fstat(whole, &y), 0);
    assert_true(y.st_size >= x.st_size);
    free_wish(&k, &w);
}

static void the_cache(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    struct initramfs a, b, c;
    make_wish(&k, &w);
    assert_int_equal(initramfs_make(&w, &a, &e), 0);
    assert_true(a.made);
    assert_int_equal(initramfs_make(&w, &b, &e), 0);
    assert_false(b.made);
    assert_string_equal(a.path, b.path);
    w.drivers = 1u << KERNEL_BLK;
    assert_int_equal(initramfs_make(&w, &c, &e), 0);
    assert_true(c.made);
    initramfs_done(&c);
    free(put("init", "#!other", 7));
    assert_int_equal(initramfs_make(&w, &c, &e), 0);
    assert_true(c.made); /* another init is another archive */
    assert_string_not_equal(a.path, c.path);
    initramfs_done(&a);
    initramfs_done(&b);
    initramfs_done(&c);
    free_wish(&k, &w);
}

static int count_files(const char *folder)
{
    autofree char *path = str_join_path(place, folder);
    DIR *d = opendir(path);
    int n = -2; /* "." and ".." */
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void failures_leave_nothing(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    struct initramfs i;
    make_wish(&k, &w);
    w.drivers |= 1u << KERNEL_NET;
    assert_int_equal(initramfs_make(&w, &i, &e), -ENOENT);
    assert_non_null(strstr(e.text, "virtio-net"));
    assert_int_equal(count_files("cache/initramfs"), 0);
    free_wish(&k, &w);
}

static void two_at_once(void **state)
{
    struct kernel k;
    struct initramfs_wish w;
    struct initramfs i;
    int made = 0, status;
    make_wish(&k, &w);
    pid_t pids[4];
    for (size_t p = 0; p < ARRAY_SIZE(pids); p++) {
        pids[p] = fork();
        if (pids[p] == 0)
            _exit(initramfs_make(&w, &i, &e) < 0 ? 2 : i.made);
    }
    for (size_t p = 0; p < ARRAY_SIZE(pids); p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        made += WEXITSTATUS(status);
    }
    assert_int_equal(made, 1);
    assert_int_equal(count_files("cache/initramfs"), 1); /* no lock, nothing half */
    free_wish(&k, &w);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, make_place, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(content),         ROW(the_same_bytes), ROW(signatures_are_cut),
        ROW(without_modules), ROW(the_same_bytes), ROW(signatures_are_cut),
        ROW(the_cache),       ROW(two_at_once),    ROW(failures_leave_nothing),
    };
    return cmocka_run_group_tests_name("initramfs", tests, NULL, NULL);
}
