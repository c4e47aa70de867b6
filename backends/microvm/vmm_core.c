#include "backends/microvm/vmm_core.h"

#include "base/mem.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

enum { CORE_PARTS = 64, CORE_PAGE = 4096, CORE_CHUNK = 1 << 20 };

/* The machine's memory above what its devices need below 4 GiB lies above that. */
#define CORE_LOW (3ull << 30)
#define CORE_HIGH (4ull << 30)

struct core {
    int from, to;
    uint64_t memory, at, written;
    char *chunk; /* owned; CORE_CHUNK bytes */
};

static int core_bytes(struct core *c, void *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = vmm_core_read(c->from, (char *)to + got, size - got);
        if (n <= 0)
            return n < 0 ? (int)n : -EBADMSG;
        got += (size_t)n;
        c->at += (uint64_t)n;
    }
    return 0;
}

static int core_skip(struct core *c, uint64_t until)
{
    if (until < c->at)
        return -EBADMSG;
    while (c->at < until) {
        int r = core_bytes(c, c->chunk, MIN(until - c->at, (uint64_t)CORE_CHUNK));
        if (r < 0)
            return r;
    }
    return 0;
}

static bool core_is_zero(const char *p, size_t size)
{
    return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

static int core_write(struct core *c, const char *from, size_t size, uint64_t place)
{
    while (size) {
        ssize_t n = pwrite(c->to, from, size, (off_t)place);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        from += n;
        size -= (size_t)n;
        place += (uint64_t)n;
    }
    return 0;
}

/* Runs of pages that are not empty. */
static int core_put(struct core *c, size_t size, uint64_t place)
{
    size_t begin = 0, at = 0;
    int r = 0;
    while (r == 0 && at < size) {
        size_t page = MIN(size - at, (size_t)CORE_PAGE);
        if (core_is_zero(c->chunk + at, page)) {
            r = core_write(c, c->chunk + begin, at - begin, place + begin);
            begin = at + page;
        }
        at += page;
    }
    return r < 0 ? r : core_write(c, c->chunk + begin, size - begin, place + begin);
}

/* Where a guest's physical address lies in its memory; UINT64_MAX: nowhere (firmware). */
static uint64_t core_place(const struct core *c, uint64_t address, uint64_t size)
{
    uint64_t low = MIN(c->memory, CORE_LOW);
    if (address < low)
        return size <= low - address ? address : UINT64_MAX;
    if (address < CORE_HIGH || c->memory <= CORE_LOW || address - CORE_HIGH >= c->memory - CORE_LOW)
        return UINT64_MAX;
    uint64_t place = CORE_LOW + (address - CORE_HIGH);
    return size <= c->memory - place ? place : UINT64_MAX;
}

static int core_part(struct core *c, const Elf64_Phdr *p)
{
    uint64_t place = core_place(c, p->p_paddr, p->p_filesz);
    if (p->p_type != PT_LOAD || place == UINT64_MAX || p->p_filesz == 0)
        return 0;
    int r = p->p_filesz == p->p_memsz ? core_skip(c, p->p_offset) : -EBADMSG;
    for (uint64_t done = 0; r == 0 && done < p->p_filesz;) {
        size_t size = MIN(p->p_filesz - done, (uint64_t)CORE_CHUNK);
        r = core_bytes(c, c->chunk, size);
        if (r == 0)
            r = core_put(c, size, place + done);
        done += size;
        c->written += size;
    }
    return r;
}

static int core_parts(struct core *c)
{
    Elf64_Ehdr head;
    Elf64_Phdr parts[CORE_PARTS];
    int r = core_bytes(c, &head, sizeof(head));
    if (r < 0)
        return r;
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_type != ET_CORE || head.e_phentsize != sizeof(parts[0]) || head.e_phnum == 0 ||
        head.e_phnum > CORE_PARTS)
        return -EBADMSG;
    r = core_skip(c, head.e_phoff);
    if (r == 0)
        r = core_bytes(c, parts, head.e_phnum * sizeof(parts[0]));
    for (size_t i = 0; r == 0 && i < head.e_phnum; i++)
        r = core_part(c, &parts[i]);
    if (r == 0 && c->written != c->memory)
        r = -EBADMSG;
    while (r == 0) {
        ssize_t n = vmm_core_read(c->from, c->chunk, CORE_CHUNK);
        if (n <= 0)
            return (int)n;
    }
    return r;
}

int vmm_core_unpack(int from, int to, uint64_t memory, struct error *e)
{
    struct core c = {.from = from, .to = to, .memory = memory, .chunk = mem_zero(CORE_CHUNK, 1)};
    int r = ftruncate(to, (off_t)memory) < 0 ? -errno : core_parts(&c);
    free(c.chunk);
    return r < 0 ? error_errno(e, -r, "the guest's memory") : 0;
}

int vmm_core_copy(int from, int to, uint64_t memory, struct error *e)
{
    struct core c = {.from = from, .to = to, .memory = memory, .chunk = mem_zero(CORE_CHUNK, 1)};
    int r = lseek(from, 0, SEEK_SET) < 0 || ftruncate(to, (off_t)memory) < 0 ? -errno : 0;
    while (r == 0 && c.written < memory) {
        size_t size = MIN(memory - c.written, (uint64_t)CORE_CHUNK);
        r = core_bytes(&c, c.chunk, size);
        if (r == 0)
            r = core_put(&c, size, c.written);
        c.written += size;
    }
    free(c.chunk);
    return r < 0 ? error_errno(e, -r, "the guest's memory") : 0;
}
