/* Magic bytes. What is not known for certain is called data. */
#include "app/cli/look.h"

#include "base/str.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4096, TAIL = 4096 };

struct magic {
    unsigned offset, size;
    const char *bytes;
    enum look_kind kind;
    const char *type, *what;
};

// clang-format off
#define MAGIC(offset, bytes, kind, type, what) {offset, sizeof(bytes) - 1, bytes, kind, type, what}
static const struct magic magics[] = {
    MAGIC(0, "\x1f\x8b",             LOOK_ARCHIVE,  "gzip",  "gzip compressed"),
    MAGIC(0, "BZh",                  LOOK_ARCHIVE,  "bzip2", "bzip2 compressed"),
    MAGIC(0, "\xfd" "7zXZ\0",        LOOK_ARCHIVE,  "xz",    "xz compressed"),
    MAGIC(0, "\x28\xb5\x2f\xfd",     LOOK_ARCHIVE,  "zstd",  "Zstandard compressed"),
    MAGIC(0, "\x04\x22\x4d\x18",     LOOK_ARCHIVE,  "lz4",   "LZ4 compressed"),
    MAGIC(0, "PK\3\4",               LOOK_ARCHIVE,  "zip",   "ZIP archive"),
    MAGIC(0, "PK\5\6",               LOOK_ARCHIVE,  "zip",   "ZIP archive, empty"),
    MAGIC(0, "7z\xbc\xaf\x27\x1c",   LOOK_ARCHIVE,  "7z",    "7-Zip archive"),
    MAGIC(0, "Rar!\x1a\x07",         LOOK_ARCHIVE,  "rar",   "RAR archive"),
    MAGIC(0, "MSCF\0\0\0\0",         LOOK_ARCHIVE,  "cab",   "Windows cabinet"),
    MAGIC(0, "070701",               LOOK_ARCHIVE,  "cpio",  "cpio archive"),
    MAGIC(0, "070702",               LOOK_ARCHIVE,  "cpio",  "cpio archive"),
    MAGIC(257, "ustar",              LOOK_ARCHIVE,  "tar",   "tar archive"),
    MAGIC(0, "!<arch>\ndebian-binary", LOOK_PACKAGE, "deb",  "Debian package"),
    MAGIC(0, "!<arch>\n",            LOOK_ARCHIVE,  "ar",    "ar archive"),
    MAGIC(0, "\xed\xab\xee\xdb",     LOOK_PACKAGE,  "rpm",   "RPM package"),
    MAGIC(0, "QFI\xfb",              LOOK_DISK,     "qcow2", "QEMU disk image (qcow)"),
    MAGIC(0, "KDMV",                 LOOK_DISK,     "vmdk",  "VMware disk image"),
    MAGIC(0, "vhdxfile",             LOOK_DISK,     "vhdx",  "Hyper-V disk image"),
    MAGIC(0, "<<< Oracle VM",        LOOK_DISK,     "vdi",   "VirtualBox disk image"),
    MAGIC(0, "hsqs",                 LOOK_DISK,     "squashfs", "squashfs file system"),
    MAGIC(1024, "\xe2\xe1\xf5\xe0",  LOOK_DISK,     "erofs", "EROFS file system"),
    MAGIC(1080, "\x53\xef",          LOOK_DISK,     "ext4",  "ext2, 3 or 4 file system"),
    MAGIC(0, "%PDF-",                LOOK_DOCUMENT, "pdf",   "PDF document"),
    MAGIC(0, "\x89PNG\r\n\x1a\n",    LOOK_DOCUMENT, "png",   "PNG picture"),
    MAGIC(0, "\xff\xd8\xff",         LOOK_DOCUMENT, "jpeg",  "JPEG picture"),
    MAGIC(0, "GIF8",                 LOOK_DOCUMENT, "gif",   "GIF picture"),
    MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", LOOK_DOCUMENT, "ole", "old Microsoft Office document"),
    MAGIC(0, "\xca\xfe\xba\xbe",     LOOK_DATA,     "java",  "Java class or macOS program"),
    MAGIC(0, "\xcf\xfa\xed\xfe",     LOOK_DATA,     "macho", "macOS program"),
    MAGIC(0, "\0asm",                LOOK_DATA,     "wasm",  "WebAssembly module"),
};
// clang-format on

static void look_is(struct look *l, enum look_kind kind, const char *type, const char *what)
{
    l->kind = kind;
    l->type = type;
    free(l->what);
    l->what = str_dup(what);
}

/* Bytes of a text in UTF-8 or an old one-byte encoding: no NUL, hardly a control character. */
static bool looks_like_text(const char *p, size_t size)
{
    size_t odd = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)p[i];
        if (!c)
            return false;
        odd += (c < 0x20 && !strchr("\t\n\r\f\033", c)) || c == 0x7f;
    }
    return odd * 50 <= size;
}

static void look_script(int fd, const char *head, size_t size, struct look *l)
{
    char tail[TAIL];
    const char *end = memchr(head, '\n', size);
    size_t length = end ? (size_t)(end - head) : size;
    autofree char *line = str_ndup(head + 2, length - 2);
    char *word = str_trim(line);
    char *blank = word + strcspn(word, " \t");
    if (*blank) {
        *blank = '\0';
        l->loader_argument = str_dup(str_trim(blank + 1));
    }
    l->loader = str_dup(word);
    autofree char *shown = str_escape_z(word);
    look_is(l, LOOK_SCRIPT, "script", "");
    free(l->what);
    l->what = str_format("script for %.200s%s", *shown ? shown : "nothing",
                         l->loader_argument && str_ends(word, "/env") ? " (a program found in PATH)"
                                                                      : "");
    if (memchr(head, '\r', length))
        strv_add(&l->notes, "its first line ends as on Windows: the interpreter will not be found");
    off_t from = (off_t)MAX((int64_t)l->size - TAIL, (int64_t)length);
    ssize_t n = pread(fd, tail, sizeof(tail), from);
    if (n > 0 && !looks_like_text(tail, (size_t)n))
        strv_add(&l->notes, "binary data follows the script: a self-extracting installer");
}

static void look_windows(int fd, const char *head, size_t size, struct look *l)
{
    uint32_t at = 0;
    char mark[6] = {0};
    if (size >= 64)
        memcpy(&at, head + 60, sizeof(at));
    bool pe =
        at && pread(fd, mark, sizeof(mark), at) == sizeof(mark) && memcmp(mark, "PE\0\0", 4) == 0;
    if (!pe && size < 64)
        return;
    unsigned machine = (unsigned char)mark[4] | (unsigned)(unsigned char)mark[5] << 8;
    look_is(l, LOOK_WINDOWS, "pe", "");
    free(l->what);
    l->what = str_format("%s program%s", pe ? "Windows" : "MS-DOS",
                         machine == 0x8664   ? ", x86-64"
                         : machine == 0x14c  ? ", x86, 32 bit"
                         : machine == 0xaa64 ? ", ARM, 64 bit"
                                             : "");
    strv_add(&l->notes, "Linux does not run it: it needs Wine, or a virtual machine with Windows");
}

/* Machines' disks by their partition table, optical discs by their descriptor. */
static bool look_disk(int fd, const char *head, size_t size, struct look *l)
{
    char mark[5];
    if (pread(fd, mark, sizeof(mark), 32769) == sizeof(mark) && memcmp(mark, "CD001", 5) == 0) {
        look_is(l, LOOK_DISK, "iso", "optical disc image (ISO 9660)");
        return true;
    }
    if (size >= 520 && memcmp(head + 512, "EFI PART", 8) == 0) {
        look_is(l, LOOK_DISK, "gpt", "disk image with a GPT partition table");
        return true;
    }
    if (size >= 512 && memcmp(head + 510, "\x55\xaa", 2) == 0 && l->size >= 1 << 20) {
        look_is(l, LOOK_DISK, "mbr", "disk image with a boot sector");
        return true;
    }
    return false;
}

/* Text that programs run: told by the name, since nothing else tells. */
static void look_text(const char *name, struct look *l)
{
    static const struct {
        const char *suffix, *type, *what;
    } rows[] = {
        {".sh",  "sh",  "shell commands"   },
        {".run", "sh",  "shell commands"   },
        {".py",  "py",  "Python source"    },
        {".pl",  "pl",  "Perl source"      },
        {".rb",  "rb",  "Ruby source"      },
        {".js",  "js",  "JavaScript source"},
        {".php", "php", "PHP source"       },
        {".lua", "lua", "Lua source"       },
    };
    look_is(l, LOOK_TEXT, NULL, "text");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_ends(name, rows[i].suffix))
            look_is(l, LOOK_TEXT, rows[i].type, rows[i].what);
    if (str_ends(name, ".desktop"))
        strv_add(&l->notes, "a desktop entry: clicking it runs the command in it");
}

static bool look_table(const char *head, size_t size, struct look *l)
{
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (m->offset + m->size <= size && memcmp(head + m->offset, m->bytes, m->size) == 0) {
            look_is(l, m->kind, m->type, m->what);
            return true;
        }
    }
    return false;
}

/* Programs' and documents' own archives are ZIP files by nature. */
static void look_zip_name(const char *name, struct look *l)
{
    static const char *const documents[] = {".docx", ".xlsx", ".pptx", ".odt", ".ods", ".epub"};
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
        if (str_ends(name, documents[i]))
            look_is(l, LOOK_DOCUMENT, "office", "office document");
    if (str_ends(name, ".jar"))
        look_is(l, LOOK_ARCHIVE, "jar", "Java program (ZIP archive)");
    if (str_ends(name, ".whl"))
        look_is(l, LOOK_ARCHIVE, "zip", "Python package (ZIP archive)");
}

void look_magic(int fd, const char *name, struct look *l)
{
    char head[HEAD];
    ssize_t n = pread(fd, head, sizeof(head), 0);
    size_t size = n < 0 ? 0 : (size_t)n;
    if (size == 0) {
        look_is(l, LOOK_EMPTY, NULL, "empty file");
    } else if (size >= 4 && memcmp(head, "\177ELF", 4) == 0) {
        look_elf(fd, l);
    } else if (size > 2 && memcmp(head, "#!", 2) == 0) {
        look_script(fd, head, size, l);
    } else if (look_table(head, size, l)) {
        if (str_equal(l->type, "zip"))
            look_zip_name(name, l);
        else if (str_equal(l->type, "gzip") &&
                 (str_ends(name, ".tar.gz") || str_ends(name, ".tgz")))
            look_is(l, LOOK_ARCHIVE, "gzip", "tar archive, gzip compressed");
    } else if (size >= 2 && memcmp(head, "MZ", 2) == 0) {
        look_windows(fd, head, size, l);
    } else if (!look_disk(fd, head, size, l) && looks_like_text(head, size)) {
        look_text(name, l);
    }
    if (!l->what)
        look_is(l, LOOK_DATA, NULL, "data of no kind known here");
}
