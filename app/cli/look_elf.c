/* ELF headers (elf(5)) of any class and byte order, every offset taken for hostile. */
#include "app/cli/look.h"

#include "base/str.h"

#include <elf.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { HEADERS_MOST = 512, DYNAMIC_MOST = 4096, LOADER_MOST = 1024 };

struct elf {
    int fd;
    bool wide, big; /* 64 bit, most significant byte first */
    unsigned type, machine;
    uint64_t phoff, shoff;
    unsigned phentsize, phnum, shentsize, shnum;
    bool loader, dynamic, pie, symbols, exec_stack;
};

static uint64_t get(const struct elf *f, const unsigned char *p, unsigned size)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < size; i++)
        n = n << 8 | p[f->big ? i : size - 1 - i];
    return n;
}

static const struct {
    unsigned machine;
    const char *name;
    const char *uname; /* what uname(2) calls such a machine */
} machines[] = {
    {EM_X86_64,  "x86-64",    "x86_64"     },
    {EM_386,     "x86",       "x86_64"     },
    {EM_AARCH64, "ARM",       "aarch64"    },
    {EM_ARM,     "ARM",       "aarch64"    },
    {EM_RISCV,   "RISC-V",    "riscv64"    },
    {EM_PPC64,   "PowerPC",   "ppc64le"    },
    {EM_S390,    "s390",      "s390x"      },
    {EM_MIPS,    "MIPS",      "mips64"     },
    {258,        "LoongArch", "loongarch64"},
};

static int elf_head(struct elf *f, int fd)
{
    unsigned char h[64];
    *f = (struct elf){.fd = fd};
    if (pread(fd, h, sizeof(h), 0) < 52 || h[EI_CLASS] < 1 || h[EI_CLASS] > 2 || h[EI_DATA] < 1 ||
        h[EI_DATA] > 2)
        return -EBADMSG;
    f->wide = h[EI_CLASS] == ELFCLASS64;
    f->big = h[EI_DATA] == ELFDATA2MSB;
    f->type = (unsigned)get(f, h + 16, 2);
    f->machine = (unsigned)get(f, h + 18, 2);
    const unsigned char *tail = h + (f->wide ? 54 : 42);
    f->phoff = get(f, h + (f->wide ? 32 : 28), f->wide ? 8 : 4);
    f->shoff = get(f, h + (f->wide ? 40 : 32), f->wide ? 8 : 4);
    f->phentsize = (unsigned)get(f, tail, 2);
    f->phnum = (unsigned)get(f, tail + 2, 2);
    f->shentsize = (unsigned)get(f, tail + 4, 2);
    f->shnum = (unsigned)get(f, tail + 6, 2);
    return 0;
}

/* DF_1_PIE tells a program from a library where neither has a loader. */
static void elf_dynamic(struct elf *f, uint64_t offset, uint64_t size)
{
    unsigned char p[16];
    unsigned word = f->wide ? 8 : 4;
    f->dynamic = true;
    for (uint64_t i = 0; i < DYNAMIC_MOST && (i + 1) * 2 * word <= size; i++) {
        if (offset > INT64_MAX - size ||
            pread(f->fd, p, 2 * word, (off_t)(offset + i * 2 * word)) != (ssize_t)(2 * word))
            return;
        uint64_t tag = get(f, p, word);
        if (tag == DT_NULL)
            return;
        if (tag == DT_FLAGS_1 && get(f, p + word, word) & DF_1_PIE)
            f->pie = true;
    }
}

static void elf_loader(struct elf *f, struct look *l, uint64_t offset, uint64_t size)
{
    char name[LOADER_MOST];
    f->loader = true;
    if (size < 2 || size > sizeof(name) || offset > INT64_MAX ||
        pread(f->fd, name, size, (off_t)offset) != (ssize_t)size || name[size - 1])
        return;
    free(l->loader);
    l->loader = str_dup(name);
}

static void elf_segments(struct elf *f, struct look *l)
{
    unsigned char p[56];
    unsigned need = f->wide ? 56 : 32;
    if (f->phentsize < need || f->phnum > HEADERS_MOST) {
        if (f->phnum)
            strv_add(&l->notes, "its program headers are damaged");
        return;
    }
    for (unsigned i = 0; i < f->phnum; i++) {
        uint64_t at = f->phoff + (uint64_t)i * f->phentsize;
        if (at > INT64_MAX || pread(f->fd, p, need, (off_t)at) != (ssize_t)need) {
            strv_add(&l->notes, "it is cut off: a header lies beyond its end");
            return;
        }
        unsigned type = (unsigned)get(f, p, 4);
        unsigned flags = (unsigned)get(f, p + (f->wide ? 4 : 24), 4);
        uint64_t offset = get(f, p + (f->wide ? 8 : 4), f->wide ? 8 : 4);
        uint64_t size = get(f, p + (f->wide ? 32 : 16), f->wide ? 8 : 4);
        if (type == PT_INTERP)
            elf_loader(f, l, offset, size);
        else if (type == PT_DYNAMIC)
            elf_dynamic(f, offset, size);
        else if (type == PT_GNU_STACK && flags & PF_X)
            f->exec_stack = true;
        else if (type == PT_LOAD && (offset > l->size || size > l->size - offset))
            strv_add(&l->notes, "it is cut off: a part of it lies beyond its end");
    }
}

static void elf_sections(struct elf *f)
{
    unsigned char p[8];
    if (f->shentsize < 8)
        return;
    for (unsigned i = 0; i < f->shnum && i < HEADERS_MOST * 16; i++) {
        uint64_t at = f->shoff + (uint64_t)i * f->shentsize;
        if (at > INT64_MAX || pread(f->fd, p, sizeof(p), (off_t)at) != (ssize_t)sizeof(p))
            return;
        if (get(f, p + 4, 4) == SHT_SYMTAB)
            f->symbols = true;
    }
}

static bool runs_here(unsigned machine)
{
    struct utsname u;
    if (uname(&u) < 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].machine == machine && strcmp(machines[i].uname, u.machine) == 0)
            return true;
    return false;
}

static const char *machine_name(unsigned machine)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].machine == machine)
            return machines[i].name;
    return "a processor unknown here";
}

static void elf_words(const struct elf *f, struct look *l)
{
    bool program = f->type == ET_EXEC || (f->type == ET_DYN && (f->loader || f->pie));
    l->kind = program ? LOOK_PROGRAM : LOOK_LIBRARY;
    l->type = "elf";
    l->what = str_format("ELF %s, %s, %s bit%s%s%s",
                         program              ? "program"
                         : f->type == ET_DYN  ? "shared library"
                         : f->type == ET_REL  ? "relocatable object"
                         : f->type == ET_CORE ? "core dump"
                                              : "of an unknown type",
                         machine_name(f->machine), f->wide ? "64" : "32",
                         !program    ? ""
                         : f->loader ? ", dynamically linked"
                                     : ", statically linked",
                         program && f->type == ET_DYN ? ", position-independent" : "",
                         f->symbols ? "" : ", stripped");
}

void look_elf(int fd, struct look *l)
{
    struct elf f;
    unsigned char mark[3] = {0};
    if (elf_head(&f, fd) < 0) {
        l->kind = LOOK_DATA;
        l->what = str_dup("a damaged or cut off ELF file");
        return;
    }
    elf_segments(&f, l);
    elf_sections(&f);
    elf_words(&f, l);
    l->other_machine = !runs_here(f.machine);
    if (l->other_machine)
        strv_add(&l->notes, "it is made for another processor than this machine's");
    if (f.exec_stack)
        strv_add(&l->notes, "it asks for an executable stack");
    if (l->loader && l->kind == LOOK_PROGRAM && access(l->loader, X_OK) < 0) {
        autofree char *shown = str_escape_z(l->loader);
        strv_take(&l->notes,
                  str_format("this machine lacks the loader it asks for: %.200s", shown));
    }
    if (pread(fd, mark, sizeof(mark), 8) == sizeof(mark) && mark[0] == 'A' && mark[1] == 'I' &&
        (mark[2] == 1 || mark[2] == 2)) {
        l->kind = LOOK_APPIMAGE;
        l->type = mark[2] == 1 ? "appimage1" : "appimage2";
        char *inner = TAKE(l->what);
        l->what = str_format("AppImage (a program with its own file system), %s", inner);
        free(inner);
    }
}
