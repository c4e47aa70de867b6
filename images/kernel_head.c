#include "images/kernel_head.h"

#include <ctype.h>
#include <elf.h>
#include <endian.h>
#include <stdio.h>

#if defined(__x86_64__)
#define KERNEL_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define KERNEL_MACHINE EM_AARCH64
#elif defined(__riscv)
#define KERNEL_MACHINE EM_RISCV
#else
#define KERNEL_MACHINE EM_386
#endif

/* --- bytes of a stranger -------------------------------------------------------------------------
 */

static uint32_t kernel_le(const unsigned char *p, unsigned bytes)
{
    uint32_t n = 0;
    while (bytes--)
        n = n << 8 | p[bytes];
    return n;
}

bool kernel_is_release(const char *s)
{
    size_t n = strlen(s);
    if (n < 1 || n > 64 || s[0] == '.' || s[0] == '-')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("._+-~", *s))
            return false;
    return true;
}

static void kernel_take_version(struct kernel_head *h, const char *text, size_t size)
{
    size_t n = strnlen(text, MIN(size, 200)), word = strcspn(text, " ");
    autofree char *shown = str_escape(text, n);
    autofree char *release = str_ndup(text, MIN(word, n));
    snprintf(h->version, sizeof(h->version), "%s", shown);
    if (kernel_is_release(release))
        snprintf(h->release, sizeof(h->release), "%s", release);
}

/* --- bzImage -------------------------------------------------------------------------------------
 */

enum {
    BZ_SETUP_SECTS = 0x1f1,
    BZ_FLAG = 0x1fe,
    BZ_MAGIC = 0x202,
    BZ_PROTOCOL = 0x206,
    BZ_VERSION = 0x20e,
    BZ_PAYLOAD = 0x248,
    BZ_LENGTH = 0x24c,
    BZ_END = 0x268,
};

static int kernel_read_bzimage(const unsigned char *p, size_t size, uint64_t file_size,
                               struct kernel_head *h, struct error *e)
{
    h->form = KERNEL_BZIMAGE;
    h->protocol = kernel_le(p + BZ_PROTOCOL, 2);
    if (h->protocol < 0x0208 || h->protocol >= 0x0300)
        return error_set(e, ENOEXEC, "its boot protocol %u.%02u is not one for machines here",
                         h->protocol >> 8, h->protocol & 0xff);
    unsigned sects = p[BZ_SETUP_SECTS] ? p[BZ_SETUP_SECTS] : 4;
    uint64_t base = (sects + 1) * 512u;
    h->payload = base + kernel_le(p + BZ_PAYLOAD, 4);
    h->size = kernel_le(p + BZ_LENGTH, 4);
    if (base > file_size || h->payload > file_size || h->size > file_size - h->payload ||
        h->size < 16)
        return error_set(e, EBADMSG, "the kernel is cut off");
    size_t at = 0x200 + kernel_le(p + BZ_VERSION, 2);
    if (at > 0x200 && at < MIN(base, size))
        kernel_take_version(h, (const char *)p + at, MIN(base, size) - at);
    return 0;
}

/* --- ELF -----------------------------------------------------------------------------------------
 */

static int kernel_read_elf(const void *head, size_t size, struct kernel_head *h, struct error *e)
{
    Elf64_Ehdr elf;
    if (size < sizeof(elf))
        return error_set(e, EBADMSG, "the kernel is cut off");
    memcpy(&elf, head, sizeof(elf));
    bool fits = elf.e_ident[EI_CLASS] == ELFCLASS64 && elf.e_ident[EI_DATA] == ELFDATA2LSB &&
                le16toh(elf.e_machine) == KERNEL_MACHINE;
    if (!fits)
        return error_set(e, ENOEXEC, "it is a program for another processor");
    uint16_t type = le16toh(elf.e_type);
    /* of programs only an interpreter or a kernel's fixed high addresses would tell */
    if ((type != ET_EXEC && type != ET_DYN) || le16toh(elf.e_phentsize) != sizeof(Elf64_Phdr) ||
        !le16toh(elf.e_phnum))
        return error_set(e, ENOEXEC, "it is ELF, but no kernel");
    h->form = KERNEL_VMLINUX;
    return 0;
}

int kernel_head_read(const void *head, size_t size, uint64_t file_size, struct kernel_head *ret,
                     struct error *e)
{
    const unsigned char *p = head;
    struct kernel_head h = {0};
    int r;
    if (size >= BZ_END && p[BZ_FLAG] == 0x55 && p[BZ_FLAG + 1] == 0xaa &&
        memcmp(p + BZ_MAGIC, "HdrS", 4) == 0)
        r = kernel_read_bzimage(p, size, file_size, &h, e);
    else if (size >= 4 && memcmp(p, ELFMAG, SELFMAG) == 0)
        r = kernel_read_elf(p, size, &h, e);
    else if (size >= 60 && (memcmp(p + 56, "ARM\x64", 4) == 0 || memcmp(p + 4, "zimg", 4) == 0))
        r = error_set(e, ENOEXEC, "it is a kernel for arm64, or one that only EFI starts");
    else
        r = error_set(e, ENOEXEC, "it is no kernel: neither bzImage nor vmlinux");
    if (r == 0)
        *ret = h;
    return r;
}

/* A PT_NOTE segment with the address where PVH starts: owner "Xen", type 18. */
static bool kernel_notes_have_pvh(const unsigned char *p, size_t size)
{
    while (size >= 12) {
        uint32_t name = kernel_le(p, 4), value = kernel_le(p + 4, 4), type = kernel_le(p + 8, 4);
        uint64_t whole = 12 + (((uint64_t)name + 3) & ~3ull) + (((uint64_t)value + 3) & ~3ull);
        if (whole > size)
            return false;
        if (type == 18 && name == 4 && memcmp(p + 12, "Xen", 4) == 0)
            return true;
        p += whole;
        size -= (size_t)whole;
    }
    return false;
}

int kernel_vmlinux_read(const void *data, size_t size, bool version, struct kernel_head *ret,
                        struct error *e)
{
    static const char banner[] = "Linux version ";
    struct kernel_head h = {0};
    const unsigned char *p = data;
    if (size < SELFMAG || memcmp(p, ELFMAG, SELFMAG) != 0)
        return error_set(e, ENOEXEC, "it is no vmlinux");
    int r = kernel_read_elf(data, size, &h, e);
    if (r < 0)
        return r;
    Elf64_Ehdr elf;
    memcpy(&elf, p, sizeof(elf));
    uint64_t at = le64toh(elf.e_phoff);
    bool loads = false;
    for (unsigned i = 0; i < le16toh(elf.e_phnum); i++, at += sizeof(Elf64_Phdr)) {
        Elf64_Phdr segment;
        if (at > size || size - at < sizeof(segment))
            return error_set(e, EBADMSG, "the kernel is cut off");
        memcpy(&segment, p + at, sizeof(segment));
        uint64_t from = le64toh(segment.p_offset), n = le64toh(segment.p_filesz);
        if (from > size || n > size - from)
            return error_set(e, EBADMSG, "the kernel is cut off");
        loads |= le32toh(segment.p_type) == PT_LOAD && n;
        if (le32toh(segment.p_type) == PT_NOTE)
            h.pvh |= kernel_notes_have_pvh(p + from, (size_t)n);
    }
    if (!loads)
        return error_set(e, ENOEXEC, "it is ELF, but no kernel");
    const char *said = version ? memmem(p, size, banner, sizeof(banner) - 1) : NULL;
    if (said) {
        said += sizeof(banner) - 1;
        kernel_take_version(&h, said, strcspn(said, "\n"));
    }
    *ret = h;
    return 0;
}

/* --- modules -------------------------------------------------------------------------------------
 */

void kernel_module_info_done(struct kernel_module_info *i)
{
    free(i->name);
    strv_free(i->depends);
    strv_free(i->soft);
    *i = (struct kernel_module_info){0};
}

static void kernel_underscores(char **v)
{
    for (; v && *v; v++)
        for (char *c = *v; *c; c++)
            if (*c == '-')
                *c = '_';
}

/* "softdep=pre: a b post: c" */
static void kernel_take_soft(struct kernel_module_info *i, const char *text)
{
    autostrv char **words = strv_split(text, " ");
    bool before = false;
    for (char **w = words; *w; w++) {
        if (str_ends(*w, ":"))
            before = str_equal(*w, "pre:");
        else if (before)
            strv_add(&i->soft, *w);
    }
}

static void kernel_take_modinfo(struct kernel_module_info *i, const char *p, size_t size)
{
    while (size) {
        size_t n = strnlen(p, size);
        autofree char *line = str_ndup(p, n);
        if (str_starts(line, "name=") && !i->name) {
            i->name = str_dup(line + 5);
        } else if (str_starts(line, "depends=") && !i->depends) {
            i->depends = strv_split(line + 8, ",");
        } else if (str_starts(line, "softdep=")) {
            kernel_take_soft(i, line + 8);
        }
        n += n < size;
        p += n;
        size -= n;
    }
    char *name[] = {i->name, NULL};
    kernel_underscores(name);
    kernel_underscores(i->depends);
}

/* Section headers of either class, as the one. */
static bool kernel_section(const unsigned char *p, size_t size, bool wide, uint64_t table,
                           uint64_t index, Elf64_Shdr *ret)
{
    size_t one = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (table > size || index >= (size - table) / one)
        return false;
    p += table + index * one;
    if (wide) {
        memcpy(ret, p, sizeof(*ret));
    } else {
        Elf32_Shdr s;
        memcpy(&s, p, sizeof(s));
        *ret = (Elf64_Shdr){.sh_name = s.sh_name, .sh_offset = s.sh_offset, .sh_size = s.sh_size};
    }
    return ret->sh_offset <= size && ret->sh_size <= size - ret->sh_offset;
}

int kernel_module_read(const void *data, size_t size, struct kernel_module_info *ret,
                       struct error *e)
{
    const unsigned char *p = data;
    bool wide = size > EI_CLASS && p[EI_CLASS] == ELFCLASS64;
    Elf64_Ehdr elf = {0};
    Elf32_Ehdr narrow;
    if (size < sizeof(elf) || memcmp(p, ELFMAG, SELFMAG) != 0)
        return error_set(e, ENOEXEC, "it is no module");
    if (wide) {
        memcpy(&elf, p, sizeof(elf));
    } else {
        memcpy(&narrow, p, sizeof(narrow));
        elf.e_shoff = narrow.e_shoff;
        elf.e_shnum = narrow.e_shnum;
        elf.e_shstrndx = narrow.e_shstrndx;
    }
    Elf64_Shdr names, s;
    if (!kernel_section(p, size, wide, elf.e_shoff, elf.e_shstrndx, &names))
        return error_set(e, EBADMSG, "the module is cut off");
    for (unsigned i = 0; i < elf.e_shnum; i++) {
        if (!kernel_section(p, size, wide, elf.e_shoff, i, &s) || s.sh_name >= names.sh_size)
            continue;
        const char *name = (const char *)p + names.sh_offset + s.sh_name;
        size_t room = names.sh_size - s.sh_name;
        if (strnlen(name, room) == room || !str_equal(name, ".modinfo"))
            continue;
        struct kernel_module_info info = {0};
        kernel_take_modinfo(&info, (const char *)p + s.sh_offset, s.sh_size);
        *ret = info;
        return 0;
    }
    return error_set(e, EBADMSG, "the module says nothing of itself");
}
