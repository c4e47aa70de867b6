/* Kernels, packages and modules made up here: what is read of them, what is refused, in what order
 * modules come. */
#include "images/kernel.h"

#include "tests/unit/unit.h"

#include "base/file.h"
#include "images/kernel_deb.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

static char place[64];
static struct error e;

static int make_place(void **state)
{
    snprintf(place, sizeof(place), "/tmp/cdt-kernel.XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static int leave_place(void **state)
{
    return file_remove_tree(AT_FDCWD, place);
}

static char *in_place(const char *name)
{
    return str_join_path(place, name);
}

static void put(const char *name, const void *data, size_t size)
{
    autofree char *path = in_place(name);
    autofree char *folder = str_dup(path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(file_make_dirs(folder, 0755), 0);
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, data, size), 0);
}

/* --- kernels -----------------------------------------------------------------------------------
 */

enum { BZ_SIZE = 8192, BZ_PAYLOAD_AT = 1024 + 512 };

static void le(unsigned char *p, uint64_t n, unsigned bytes)
{
    for (; bytes--; n >>= 8)
        *p++ = (unsigned char)n;
}

static void make_bzimage(unsigned char p[BZ_SIZE], const char *version)
{
    memset(p, 0, BZ_SIZE);
    p[0x1f1] = 1; /* so the kernel proper is at 1024 */
    p[0x1fe] = 0x55;
    p[0x1ff] = 0xaa;
    memcpy(p + 0x202, "HdrS", 4);
    le(p + 0x206, 0x20f, 2);
    le(p + 0x20e, 0x100, 2);
    memcpy(p + 0x300, version, strlen(version) + 1);
    le(p + 0x248, BZ_PAYLOAD_AT - 1024, 4);
    le(p + 0x24c, BZ_SIZE - BZ_PAYLOAD_AT, 4);
}

static void bzimage(void **state)
{
    unsigned char p[BZ_SIZE];
    struct kernel_head h;
    make_bzimage(p, "6.1.0-9-cloud-amd64 (somebody) #1 SMP\n\033[31m");
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), 0);
    assert_int_equal(h.form, KERNEL_BZIMAGE);
    assert_int_equal(h.protocol, 0x20f);
    assert_string_equal(h.release, "6.1.0-9-cloud-amd64");
    assert_null(strchr(h.version, '\033'));
    assert_int_equal(h.payload, BZ_PAYLOAD_AT);
    assert_int_equal(h.size, BZ_SIZE - BZ_PAYLOAD_AT);
}

static void bzimages_refused(void **state)
{
    unsigned char p[BZ_SIZE];
    struct kernel_head h;
    make_bzimage(p, "6.1 x");
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p) - 1, &h, &e), -EBADMSG);
    le(p + 0x248, UINT32_MAX, 4);
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), -EBADMSG);
    make_bzimage(p, "6.1 x");
    le(p + 0x206, 0x206, 2); /* too old to say where its payload is */
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), -ENOEXEC);
    make_bzimage(p, "6.1 x");
    p[0x203] = 'X';
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), -ENOEXEC);
    assert_int_equal(kernel_head_read(p, 100, 100, &h, &e), -ENOEXEC);
    make_bzimage(p, "6.1 x");
    le(p + 0x20e, 0xffff, 2); /* a version outside of the header is none */
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), 0);
    assert_string_equal(h.version, "");
    make_bzimage(p, "../../etc x");
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), 0);
    assert_string_equal(h.release, ""); /* would be a file's name */
}

enum { ELF_SIZE = 4096 };

static void make_vmlinux(unsigned char p[ELF_SIZE])
{
    Elf64_Ehdr elf = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_phoff = 64,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 2
    };
#if defined(__x86_64__)
    elf.e_machine = EM_X86_64;
#elif defined(__aarch64__)
    elf.e_machine = EM_AARCH64;
#endif
    const Elf64_Phdr segments[2] = {
        {.p_type = PT_LOAD, .p_offset = 1024, .p_filesz = 1024},
        {.p_type = PT_NOTE, .p_offset = 2048, .p_filesz = 40  },
    };
    const uint32_t notes[] = {4, 0, 1, 0x00554e47 /* "GNU" */, 4, 4, 18, 0x006e6558 /* "Xen" */, 0};
    memset(p, 0, ELF_SIZE);
    memcpy(p, &elf, sizeof(elf));
    memcpy(p + 64, segments, sizeof(segments));
    memcpy(p + 1024, "Linux version 6.9.1-test (a@b) #1\n", 34);
    memcpy(p + 2048, notes, sizeof(notes));
}

static void vmlinux(void **state)
{
    unsigned char p[ELF_SIZE];
    struct kernel_head h;
    make_vmlinux(p);
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), 0);
    assert_int_equal(h.form, KERNEL_VMLINUX);
    assert_int_equal(kernel_vmlinux_read(p, sizeof(p), true, &h, &e), 0);
    assert_true(h.pvh);
    assert_string_equal(h.release, "6.9.1-test");
    le(p + 2048 + 24, 17, 4); /* another note */
    assert_int_equal(kernel_vmlinux_read(p, sizeof(p), false, &h, &e), 0);
    assert_false(h.pvh);
    le(p + 2048, UINT32_MAX, 4); /* a name longer than everything */
    assert_int_equal(kernel_vmlinux_read(p, sizeof(p), false, &h, &e), 0);
    assert_false(h.pvh);
}

/* Its own segments stay where they are, and one more has what is given with it. */
static void vmlinux_with_more(void **state)
{
    unsigned char p[ELF_SIZE];
    autofree char *path = in_place("with-more"), *cache = in_place("cache");
    const struct kernel k = {.release = (char *)"6.9.1-test",
                             .path = path,
                             .readable = true,
                             .head = {.form = KERNEL_VMLINUX}};
    const struct kernel_extra x = {"tables 1", 0xe0000, "seventeen bytes!!", 17};
    make_vmlinux(p);
    assert_int_equal(file_make_dirs(cache, 0700), 0);
    put("with-more", p, sizeof(p));
    autofree char *one = NULL, *two = NULL, *text = NULL;
    size_t size = 0;
    assert_int_equal(kernel_vmlinux_plus(cache, &k, &x, &one, &e), 0);
    assert_int_equal(kernel_vmlinux_plus(cache, &k, &x, &two, &e), 0); /* the same */
    assert_string_equal(one, two);
    assert_string_not_equal(one, path);
    assert_int_equal(file_read(AT_FDCWD, one, 65536, &text, &size), 0);
    Elf64_Ehdr head;
    Elf64_Phdr all[3];
    memcpy(&head, text, sizeof(head));
    assert_int_equal(head.e_phnum, 3);
    assert_true(head.e_phoff + sizeof(all) == size);
    memcpy(all, text + head.e_phoff, sizeof(all));
    assert_memory_equal(all, p + 64, 2 * sizeof(all[0]));
    assert_true(all[2].p_type == PT_LOAD && all[2].p_paddr == 0xe0000 && all[2].p_filesz == 17 &&
                all[2].p_memsz == 17);
    assert_memory_equal(text + all[2].p_offset, x.bytes, 17);
    assert_memory_equal(text + sizeof(head), p + sizeof(head), ELF_SIZE - sizeof(head));
}

static void vmlinux_refused(void **state)
{
    unsigned char p[ELF_SIZE];
    struct kernel_head h;
    make_vmlinux(p);
    assert_int_equal(kernel_vmlinux_read(p, 2060, true, &h, &e), -EBADMSG);
    assert_int_equal(kernel_vmlinux_read(p, 70, true, &h, &e), -EBADMSG);
    assert_int_equal(kernel_vmlinux_read(p, 3, true, &h, &e), -ENOEXEC);
    p[18] ^= 0xff; /* another processor */
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), -ENOEXEC);
    make_vmlinux(p);
    le(p + 32, UINT64_MAX - 8, 8); /* headers beyond the end */
    assert_int_equal(kernel_vmlinux_read(p, sizeof(p), true, &h, &e), -EBADMSG);
    make_vmlinux(p);
    p[16] = ET_REL; /* an object file */
    assert_int_equal(kernel_head_read(p, sizeof(p), sizeof(p), &h, &e), -ENOEXEC);
}

static void releases(void **state)
{
    assert_true(kernel_is_release("6.1.0-18-cloud-amd64"));
    assert_true(kernel_is_release("6.8.0+test~rc1_x"));
    assert_false(kernel_is_release(""));
    assert_false(kernel_is_release(".."));
    assert_false(kernel_is_release("a/b"));
    assert_false(kernel_is_release("-rf"));
    assert_false(kernel_is_release("a\nb"));
}

/* --- modules -----------------------------------------------------------------------------------
 */

enum { MODULE_SIZE = 2048 };

/* An object file with nothing but a .modinfo; `info` has NULs in it. */
static void make_module(unsigned char p[MODULE_SIZE], const char *info, size_t size)
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
        {0                        },
        { .sh_name = 1,  .sh_offset = 512, .sh_size = sizeof(names)},
        { .sh_name = 11, .sh_offset = 1024, .sh_size = size},
    };
    memset(p, 0, MODULE_SIZE);
    memcpy(p, &elf, sizeof(elf));
    memcpy(p + 64, sections, sizeof(sections));
    memcpy(p + 512, names, sizeof(names));
    memcpy(p + 1024, info, size);
}
#define MAKE_MODULE(p, info) make_module(p, info, sizeof(info))

static void modinfo(void **state)
{
    unsigned char p[MODULE_SIZE];
    struct kernel_module_info i;
    MAKE_MODULE(p, "license=GPL\0depends=virtio-ring,virtio\0softdep=pre: crc32c aes post: x\0"
                   "name=virtio_blk\0");
    assert_int_equal(kernel_module_read(p, sizeof(p), &i, &e), 0);
    assert_string_equal(i.name, "virtio_blk");
    assert_int_equal(strv_length(i.depends), 2);
    assert_string_equal(i.depends[0], "virtio_ring");
    assert_int_equal(strv_length(i.soft), 2);
    assert_string_equal(i.soft[1], "aes");
    kernel_module_info_done(&i);

    MAKE_MODULE(p, "depends=");
    assert_int_equal(kernel_module_read(p, sizeof(p), &i, &e), 0);
    assert_int_equal(strv_length(i.depends), 0);
    kernel_module_info_done(&i);
}

static void modinfo_refused(void **state)
{
    unsigned char p[MODULE_SIZE];
    struct kernel_module_info i;
    MAKE_MODULE(p, "depends=a");
    assert_int_equal(kernel_module_read(p, 32, &i, &e), -ENOEXEC);
    assert_int_equal(kernel_module_read(p, 600, &i, &e), -EBADMSG);
    p[62] = 9; /* names in a section that is not there */
    assert_int_equal(kernel_module_read(p, sizeof(p), &i, &e), -EBADMSG);
    MAKE_MODULE(p, "depends=a");
    le(p + 40, UINT64_MAX - 4, 8);
    assert_int_equal(kernel_module_read(p, sizeof(p), &i, &e), -EBADMSG);
    MAKE_MODULE(p, "depends=a");
    le(p + 64 + 2 * sizeof(Elf64_Shdr) + 32, UINT64_MAX, 8); /* a section of all bytes */
    assert_int_equal(kernel_module_read(p, sizeof(p), &i, &e), -EBADMSG);
    assert_int_equal(
        kernel_module_read("no module, only text that is long enough to be a header..", 57, &i, &e),
        -ENOEXEC);
}

static void put_module(const char *name, const char *info, size_t size)
{
    unsigned char p[MODULE_SIZE];
    make_module(p, info, size);
    put(name, p, sizeof(p));
}
#define PUT_MODULE(name, info) put_module("m/kernel/" name, info, sizeof(info))

static void put_modules(void)
{
    PUT_MODULE("drivers/virtio/virtio.ko", "depends=virtio_ring");
    PUT_MODULE("drivers/virtio/virtio_ring.ko", "depends=");
    PUT_MODULE("drivers/virtio/virtio_mmio.ko", "depends=virtio,virtio_ring");
    PUT_MODULE("drivers/block/virtio_blk.ko", "depends=virtio,virtio_ring");
    PUT_MODULE("drivers/net/virtio-rng.ko", "depends=virtio");
    PUT_MODULE("fs/erofs.ko", "depends=libcrc32c\0softdep=pre: not-there");
    PUT_MODULE("lib/libcrc32c.ko", "depends=erofs"); /* a circle */
    PUT_MODULE("fs/ext4/ext4.ko", "depends=jbd2");   /* which is not there */
    static const char builtin[] =
        "kernel/fs/overlayfs/overlay.ko\nkernel/fs/squashfs/squashfs.ko\n";
    put("m/modules.builtin", builtin, sizeof(builtin) - 1);
}

static char *order(const struct kernel_modules *m, unsigned drivers)
{
    autostrv char **names = NULL;
    int *fds = NULL;
    int r = kernel_modules_resolve(m, drivers, &names, &fds, &e);
    if (r < 0)
        return str_format("%d", r);
    kernel_fds_close(fds, strv_length(names));
    return strv_join(names, " ");
}

static void module_order(void **state)
{
    struct kernel_modules m;
    put_modules();
    autofree char *path = in_place("m");
    assert_int_equal(kernel_modules_open(path, &m, &e), 0);
    assert_int_equal(kernel_modules_state(&m, KERNEL_VIRTIO_MMIO), KERNEL_MODULE);
    assert_int_equal(kernel_modules_state(&m, KERNEL_RNG), KERNEL_MODULE);
    assert_int_equal(kernel_modules_state(&m, KERNEL_SQUASHFS), KERNEL_BUILT_IN);
    assert_int_equal(kernel_modules_state(&m, KERNEL_NET), KERNEL_MISSING);

    autofree char *one = order(&m, 1u << KERNEL_BLK | 1u << KERNEL_VIRTIO_MMIO);
    assert_string_equal(one, "virtio_ring virtio virtio_mmio virtio_blk");
    autofree char *none = order(&m, 1u << KERNEL_SQUASHFS | 1u << KERNEL_OVERLAY);
    assert_string_equal(none, "");
    autofree char *circle = order(&m, 1u << KERNEL_EROFS);
    assert_string_equal(circle, "libcrc32c erofs");
    autofree char *lacks = order(&m, 1u << KERNEL_EXT4);
    assert_int_equal(atoi(lacks), -ENOENT);
    assert_non_null(strstr(e.text, "jbd2"));
    kernel_modules_done(&m);
}

static void module_names(void **state)
{
    autofree char *plain = kernel_module_name("virtio-rng.ko");
    assert_string_equal(plain, "virtio_rng");
    autofree char *packed = kernel_module_name("ext4.ko.zst");
    assert_string_equal(packed, "ext4");
    assert_null(kernel_module_name("ext4.ko.bz2"));
    assert_null(kernel_module_name(".ko"));
    assert_null(kernel_module_name("a b.ko"));
    assert_null(kernel_module_name("README"));
}

/* A link in a package must not lead to the host's files. */
static void module_links(void **state)
{
    struct kernel_modules m;
    autofree char *path = in_place("m");
    autofree char *link = in_place("m/kernel/fs/overlay.ko");
    put("m/kernel/fs/x", "", 0);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(kernel_modules_open(path, &m, &e), 0);
    assert_true(kernel_modules_content(&m, "overlay", &e) < 0);
    kernel_modules_done(&m);
}

/* --- lists and packages ------------------------------------------------------------------------
 */

static void lists(void **state)
{
    unsigned char p[BZ_SIZE];
    struct kernel_list l;
    const struct kernel *k;
    autofree char *data = in_place("data");
    make_bzimage(p, "6.1.0-9-a x");
    put("boot/vmlinuz-6.1.0-9-a", p, sizeof(p));
    make_bzimage(p, "6.1.0-10-a x");
    put("boot/vmlinuz-6.1.0-10-a", p, sizeof(p));
    put("boot/config-6.1.0-10-a", "\nCONFIG_X=m\nCONFIG_YY=y\n", 24);
    put("boot/vmlinuz-5.0-broken", "nothing", 7);
    put("boot/initrd.img-6.1", "x", 1);
    put("usr/lib/modules/6.1.0-10-a/kernel/x", "", 0);
    put("usr/lib/modules/6.7.0-b/vmlinuz", p, sizeof(p));
    put("data/kernels/5.9.0-c/vmlinuz", p, sizeof(p));
    assert_int_equal(kernel_list_read(data, place, &l, &e), 0);
    assert_int_equal(l.count, 4);
    assert_string_equal(l.list[0].release, "5.9.0-c");
    assert_true(l.list[0].imported);
    assert_string_equal(l.list[1].release, "6.7.0-b");
    assert_string_equal(l.list[2].release, "6.1.0-10-a"); /* newer than -9 */
    assert_non_null(l.list[2].modules);
    assert_null(l.list[3].modules);
    assert_int_equal(kernel_config_has(&l.list[2], "CONFIG_X"), 1);
    assert_int_equal(kernel_config_has(&l.list[2], "CONFIG_Y"), 0);
    assert_int_equal(kernel_config_has(&l.list[3], "CONFIG_X"), -1);

    assert_int_equal(kernel_choose(&l, "6.1.0-9-a", &k, &e), 0);
    assert_string_equal(k->release, "6.1.0-9-a");
    assert_int_equal(kernel_choose(&l, "6.7", &k, &e), 0);
    assert_int_equal(kernel_choose(&l, "6.1", &k, &e), -EEXIST);
    assert_int_equal(kernel_choose(&l, "7", &k, &e), -ENOENT);
    assert_int_equal(kernel_choose(&l, NULL, &k, &e), -ENOENT); /* none has drivers */
    kernel_list_done(&l);
}

static void a_plain_file(void **state)
{
    unsigned char p[BZ_SIZE];
    char *release = NULL;
    struct stat st;
    autofree char *data = in_place("data"), *file = in_place("file");
    autofree char *kept = in_place("data/kernels/6.1.0-9-a/vmlinuz");
    const char *const paths[] = {file, file};
    make_bzimage(p, "6.1.0-9-a x");
    put("file", p, sizeof(p));
    for (int again = 0; again < 2; again++) { /* the second takes the first one's place */
        assert_int_equal(kernel_import(data, paths, 1, &release, &e), 0);
        assert_string_equal(release, "6.1.0-9-a");
        free(release);
        assert_int_equal(stat(kept, &st), 0);
        assert_int_equal(st.st_size, BZ_SIZE);
    }
    assert_int_equal(kernel_import(data, paths, 2, &release, &e), -EINVAL);
    put("file", p, sizeof(p) - 1);
    assert_int_equal(kernel_import(data, paths, 1, &release, &e), -EBADMSG);
    make_bzimage(p, "");
    put("file", p, sizeof(p));
    assert_int_equal(kernel_import(data, paths, 1, &release, &e), -EINVAL);
    assert_int_equal(stat(kept, &st), 0); /* what was there has stayed */
    assert_int_equal(kernel_remove(data, "../kernels", &e), -ENOENT);
    assert_int_equal(kernel_remove(data, "6.1.0-9-a", &e), 0);
    autofree char *store = in_place("data/kernels");
    assert_int_equal(rmdir(store), 0); /* nothing was left in it */
}

static void deb_headers(void **state)
{
    static const char good[] =
        "!<arch>\n"
        "debian-binary   0           0     0     100644  3         `\n2.0\n"
        "data.tar.xz     0           0     0     100644  5         `\nhello\n";
    uint64_t at, size;
    autoclose int fd = fd_sealed("deb", good, sizeof(good) - 1);
    assert_int_equal(kernel_deb_find(fd, &at, &size, &e), 0);
    assert_int_equal(size, 5);
    assert_memory_equal(good + at, "hello", 5);
    autoclose int cut = fd_sealed("deb", good, sizeof(good) - 4);
    assert_int_equal(kernel_deb_find(cut, &at, &size, &e), -EBADMSG);
    autofree char *bad = mem_copy(good, sizeof(good));
    memset(strstr(bad, "3         `"), '9', 10);
    autoclose int lying = fd_sealed("deb", bad, sizeof(good) - 1);
    assert_int_equal(kernel_deb_find(lying, &at, &size, &e), -EBADMSG);
    autoclose int empty = fd_sealed("deb", "!<arch>\n", 8);
    assert_int_equal(kernel_deb_find(empty, &at, &size, &e), -EBADMSG);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, make_place, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bzimage),
        cmocka_unit_test(bzimages_refused),
        cmocka_unit_test(vmlinux),
        cmocka_unit_test_setup_teardown(vmlinux_with_more, make_place, leave_place),
        cmocka_unit_test(vmlinux_refused),
        cmocka_unit_test(releases),
        cmocka_unit_test(modinfo),
        cmocka_unit_test(modinfo_refused),
        cmocka_unit_test(module_names),
        cmocka_unit_test(deb_headers),
        ROW(module_order),
        ROW(module_links),
        ROW(lists),
        ROW(a_plain_file),
    };
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
