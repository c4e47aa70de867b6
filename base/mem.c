#include "base/mem.h"

#include <string.h>
#include <unistd.h>

static void mem_gone(void)
{
    static const char text[] = "cofferdam: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(125);
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        mem_gone();
    return p;
}

void *mem_zero(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        mem_gone();
    return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
    void *grown = reallocarray(p, count ? count : 1, size ? size : 1);
    if (!grown)
        mem_gone();
    return grown;
}

void *mem_copy(const void *p, size_t size)
{
    void *copy = mem_alloc(size);
    if (size)
        memcpy(copy, p, size);
    return copy;
}
