/* A guest's memory as QEMU writes it, if it is no longer QEMU who writes. */
#include "backends/microvm/vmm_core.h"

#include "base/fd.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_MOST = 16 << 20 };

static const uint8_t *rest;
static size_t left;

ssize_t vmm_core_read(int fd, void *to, size_t size)
{
    size_t n = MIN(MIN(size, left), (size_t)70000); /* as pipes do: not all at once */
    memcpy(to, rest, n);
    rest += n;
    left -= n;
    return (ssize_t)n;
}

/* The first eight bytes are how much memory it is said to be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t memory;
    struct error e = {0};
    struct stat st;
    if (size < sizeof(memory))
        return 0;
    memcpy(&memory, data, sizeof(memory));
    if (memory >> 33 == 0) /* beyond what lies below the hole of devices, too */
        memory &= ~0xfffull;
    else
        memory %= MEMORY_MOST;
    rest = data + sizeof(memory);
    left = size - sizeof(memory);
    autoclose int to = memfd_create("memory", MFD_CLOEXEC);
    int r = to < 0 ? to : vmm_core_unpack(FD_NONE, to, memory, &e);
    if (to < 0 || r > 0 || (r < 0 && (e.code != -r || !e.text[0])))
        abort();
    if (fstat(to, &st) < 0 || (uint64_t)st.st_size != memory)
        abort(); /* nothing is written behind its end */
    return 0;
}
