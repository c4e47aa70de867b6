/* Files of every kind, made here: whole, cut off and hostile. */
#include "app/cli/look.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/cofferdam-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    return file_remove_tree(AT_FDCWD, folder);
}

static char *put(const char *name, const void *bytes, size_t size, mode_t mode)
{
    char *path = str_join_path(folder, name);
    autoclose int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, bytes, size), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    return path;
}

static struct look look(const char *path)
{
    struct look l;
    struct error e = {0};
    assert_int_equal(look_at(path, &l, NULL, &e), 0);
    return l;
}

static bool noted(const struct look *l, const char *part)
{
    for (size_t i = 0; l->notes && l->notes[i]; i++)
        if (strstr(l->notes[i], part))
            return true;
    return false;
}

static void kinds(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
        enum look_kind kind;
        const char *type;
    } rows[] = {
        {"a.gz",    "\x1f\x8b\x08",              3,  LOOK_ARCHIVE,  "gzip"  },
        {"a.xz",
         "\xfd"
         "7zXZ\0",                               6,  LOOK_ARCHIVE,  "xz"    },
        {"a.zip",   "PK\3\4aaaa",                8,  LOOK_ARCHIVE,  "zip"   },
        {"a.docx",  "PK\3\4aaaa",                8,  LOOK_DOCUMENT, "office"},
        {"a.jar",   "PK\3\4aaaa",                8,  LOOK_ARCHIVE,  "jar"   },
        {"a.7z",    "7z\xbc\xaf\x27\x1c",        6,  LOOK_ARCHIVE,  "7z"    },
        {"a.deb",   "!<arch>\ndebian-binary   ", 24, LOOK_PACKAGE,  "deb"   },
        {"a.a",     "!<arch>\nsomething/",       18, LOOK_ARCHIVE,  "ar"    },
        {"a.rpm",   "\xed\xab\xee\xdb\3",        5,  LOOK_PACKAGE,  "rpm"   },
        {"a.qcow2", "QFI\xfb\0\0\0\3",           8,  LOOK_DISK,     "qcow2" },
        {"a.pdf",   "%PDF-1.7\n",                9,  LOOK_DOCUMENT, "pdf"   },
        {"a.txt",   "hello\n",                   6,  LOOK_TEXT,     NULL    },
        {"a.sh",    "echo hello\n",              11, LOOK_TEXT,     "sh"    },
        {"a.bin",   "\x00\x01\x02\x03",          4,  LOOK_DATA,     NULL    },
        {"empty",   "",                          0,  LOOK_EMPTY,    NULL    },
        {"cut-elf", "\177ELF",                   4,  LOOK_DATA,     NULL    },
        {"mz",      "MZ",                        2,  LOOK_DATA,     NULL    },
        {"bang",    "#!",                        2,  LOOK_TEXT,     NULL    },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autofree char *path = put(rows[i].name, rows[i].bytes, rows[i].size, 0644);
        struct look l = look(path);
        if (l.kind != rows[i].kind)
            print_error("%s is a %s\n", rows[i].name, look_kind_name(l.kind));
        assert_int_equal(l.kind, rows[i].kind);
        assert_true(str_equal(l.type, rows[i].type));
        assert_non_null(l.what);
        assert_int_equal(l.size, rows[i].size);
        look_done(&l);
    }
}

static void a_hash_and_a_descriptor(void **state)
{
    autofree char *path = put("abc", "abc", 3, 0644);
    struct look l;
    struct error e = {0};
    char text[4] = {0};
    int fd;
    assert_int_equal(look_at(path, &l, &fd, &e), 0);
    assert_string_equal(l.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(read(fd, text, 3), 3); /* from the beginning */
    assert_string_equal(text, "abc");
    fd_close(fd);
    look_done(&l);
}

static void scripts(void **state)
{
    static const char plain[] = "#!/usr/bin/env python3\nprint(1)\n";
    autofree char *path = put("s.pdf", plain, strlen(plain), 0755);
    struct look l = look(path);
    assert_int_equal(l.kind, LOOK_SCRIPT);
    assert_string_equal(l.loader, "/usr/bin/env");
    assert_string_equal(l.loader_argument, "python3");
    assert_true(noted(&l, "ends in .pdf"));
    look_done(&l);

    char big[9000];
    memset(big, '#', sizeof(big));
    memcpy(big, "#!/bin/sh\n", 10);
    memset(big + 6000, 0, 3000);
    autofree char *run = put("s.run", big, sizeof(big), 0755);
    l = look(run);
    assert_int_equal(l.kind, LOOK_SCRIPT);
    assert_true(noted(&l, "self-extracting"));
    look_done(&l);

    static const char hostile[] = "#!\033]0;x\a\r\n";
    autofree char *bad = put("s.bad", hostile, strlen(hostile), 0755);
    l = look(bad);
    assert_null(strchr(l.what, '\033'));
    assert_true(noted(&l, "Windows"));
    look_done(&l);
}

static void this_very_program(void **state)
{
    struct look l = look("/proc/self/exe");
    assert_int_equal(l.kind, LOOK_PROGRAM);
    assert_non_null(strstr(l.what, "dynamically linked"));
    assert_non_null(strstr(l.what, "position-independent"));
    assert_null(strstr(l.what, "stripped"));
    assert_non_null(l.loader);
    assert_false(l.other_machine);
    look_done(&l);
}

/* A head that claims more than there is. */
static Elf64_Ehdr elf_head(unsigned type, unsigned machine)
{
    Elf64_Ehdr h = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = (Elf64_Half)type,
        .e_machine = (Elf64_Half)machine,
        .e_phoff = sizeof(h),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
        .e_shentsize = sizeof(Elf64_Shdr),
    };
    return h;
}

static void hostile_elf(void **state)
{
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr segment;
    } f = {.head = elf_head(ET_DYN, EM_X86_64)};
    static const struct {
        uint64_t phoff, offset, size;
        unsigned phnum, type;
    } rows[] = {
        {UINT64_MAX,         0,              0,          1,     PT_LOAD   },
        {sizeof(Elf64_Ehdr), UINT64_MAX - 4, 64,         1,     PT_INTERP },
        {sizeof(Elf64_Ehdr), 0,              UINT64_MAX, 1,     PT_DYNAMIC},
        {sizeof(Elf64_Ehdr), INT64_MAX,      1 << 20,    1,     PT_DYNAMIC},
        {sizeof(Elf64_Ehdr), 1 << 30,        4096,       1,     PT_LOAD   },
        {sizeof(Elf64_Ehdr), 0,              0,          65535, PT_LOAD   },
        {INT64_MAX,          0,              0,          500,   PT_INTERP },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        f.head.e_phoff = rows[i].phoff;
        f.head.e_phnum = (Elf64_Half)rows[i].phnum;
        f.segment = (Elf64_Phdr){
            .p_type = rows[i].type, .p_offset = rows[i].offset, .p_filesz = rows[i].size};
        autofree char *path = put("elf", &f, sizeof(f), 0755);
        struct look l = look(path);
        assert_true(l.kind == LOOK_LIBRARY || l.kind == LOOK_PROGRAM);
        look_done(&l);
    }
    f.head = elf_head(ET_EXEC, EM_S390);
    f.segment = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = 1 << 30, .p_filesz = 4096};
    autofree char *other = put("other", &f, sizeof(f), 0755);
    struct look l = look(other);
    assert_int_equal(l.kind, LOOK_PROGRAM);
    assert_true(l.other_machine);
    assert_true(noted(&l, "cut off"));
    assert_true(noted(&l, "another processor"));
    look_done(&l);
}

/* Every prefix of a real program is looked at without harm. */
static void cut_off_anywhere(void **state)
{
    char text[2048];
    autoclose int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text)), sizeof(text));
    for (size_t size = 0; size < sizeof(text); size += 7) {
        autofree char *path = put("cut", text, size, 0755);
        struct look l = look(path);
        look_done(&l);
    }
}

static void an_appimage(void **state)
{
    Elf64_Ehdr h = elf_head(ET_EXEC, EM_X86_64);
    memcpy(h.e_ident + 8, "AI\2", 3);
    autofree char *path = put("x.AppImage", &h, sizeof(h), 0755);
    struct look l = look(path);
    assert_int_equal(l.kind, LOOK_APPIMAGE);
    assert_string_equal(l.type, "appimage2");
    look_done(&l);
}

static void marks_and_signatures(void **state)
{
    autofree char *path = put("setup.run", "#!/bin/sh\n", 10, 04755);
    free(put("setup.run.asc", "x", 1, 0644));
    static const char zone[] = "[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://x.example/\033[m\r\n";
    free(put("setup.run:Zone.Identifier", zone, strlen(zone), 0644));
    bool xattrs = setxattr(path, "user.xdg.referrer.url", "https://r.example", 17, 0) == 0;
    struct look l = look(path);
    assert_true(l.marked);
    assert_string_equal(l.url, "https://x.example/\033[m"); /* raw: who shows it escapes it */
    if (xattrs)
        assert_string_equal(l.referrer, "https://r.example");
    assert_true(str_ends(l.signature, "setup.run.asc"));
    assert_true(noted(&l, "set-user-id"));
    look_done(&l);
}

static void refusals(void **state)
{
    struct look l;
    struct error e = {0};
    autofree char *fifo = str_join_path(folder, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(look_at(fifo, &l, NULL, &e), -EINVAL);
    assert_int_equal(look_at("/dev/zero", &l, NULL, &e), -EINVAL);
    assert_int_equal(look_at("/nonexistent\033[2J", &l, NULL, &e), -ENOENT);
    assert_null(strchr(e.text, '\033'));
    struct look dir = look(folder);
    assert_int_equal(dir.kind, LOOK_FOLDER);
    look_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),       cmocka_unit_test(a_hash_and_a_descriptor),
        cmocka_unit_test(scripts),     cmocka_unit_test(this_very_program),
        cmocka_unit_test(hostile_elf), cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(an_appimage), cmocka_unit_test(marks_and_signatures),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
