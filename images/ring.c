#include "images/ring.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int ring_make(struct ring *ret, unsigned slots)
{
    int pair[2];
    autoclose int memory = memfd_create("stream", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0 || ftruncate(memory, (off_t)RING_SLOT * slots) < 0)
        return -errno;
    /* else its writer could take the memory away under its reader */
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return -errno;
    int r = fd_socketpair(pair);
    if (r < 0)
        return r;
    *ret = (struct ring){TAKE_FD(memory), pair[0], pair[1], slots};
    return 0;
}

void ring_close(struct ring *r)
{
    r->memory = fd_close(r->memory);
    r->writer = fd_close(r->writer);
    r->reader = fd_close(r->reader);
}

static int ring_map(const struct ring *r, int protection, char **ret)
{
    size_t size = (size_t)RING_SLOT * r->count;
    void *at = mmap(NULL, size, protection, MAP_SHARED, r->memory, 0);
    if (at == MAP_FAILED)
        return -errno;
    if (madvise(at, size, MADV_DONTFORK) < 0) {
        int why = -errno;
        munmap(at, size);
        return why;
    }
    *ret = at;
    return 0;
}

int ring_open_writer(const struct ring *r, struct ring_end *ret)
{
    struct ring_end e = {.channel = r->writer, .count = r->count, .mine = r->count};
    int mapped = ring_map(r, PROT_READ | PROT_WRITE, &e.slots);
    if (mapped == 0)
        *ret = e;
    return mapped;
}

int ring_open_reader(const struct ring *r, struct ring_end *ret)
{
    struct ring_end e = {.channel = r->reader, .count = r->count};
    int mapped = ring_map(r, PROT_READ, &e.slots);
    if (mapped == 0)
        *ret = e;
    return mapped;
}

int ring_seal(const struct ring *r)
{
    return fcntl(r->memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ? -errno : 0;
}

void ring_end_done(struct ring_end *e)
{
    if (e->slots)
        munmap(e->slots, (size_t)RING_SLOT * e->count);
    e->slots = NULL;
}

/* --- writing -------------------------------------------------------------------------------------
 */

int ring_room(struct ring_end *e, char **ret)
{
    while (e->mine == 0) {
        char words[RING_SLOTS_MAX];
        ssize_t n = read(e->channel, words, sizeof(words));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != ECONNRESET ? -errno : -EPIPE;
        /* A liar only spoils what it reads itself. */
        e->mine = (unsigned)n;
    }
    *ret = e->slots + (size_t)e->slot * RING_SLOT;
    return 0;
}

int ring_put(struct ring_end *e, size_t used)
{
    uint32_t word = (uint32_t)used;
    int r = fd_write_full(e->channel, &word, sizeof(word));
    if (r < 0)
        return r == -ECONNRESET ? -EPIPE : r;
    e->slot = (e->slot + 1) % e->count;
    e->mine--;
    return 0;
}

/* --- reading -------------------------------------------------------------------------------------
 */

int ring_give_back(struct ring_end *e)
{
    char word = 0;
    if (!e->mine)
        return 0;
    e->mine = 0;
    e->slot = (e->slot + 1) % e->count;
    int r = fd_write_full(e->channel, &word, 1);
    return r == -EPIPE || r == -ECONNRESET ? 0 : r; /* it has written its last */
}

ssize_t ring_take(struct ring_end *e, const char **ret)
{
    uint32_t word;
    size_t got = 0;
    int r = ring_give_back(e);
    while (r == 0 && got < sizeof(word)) {
        ssize_t n = read(e->channel, (char *)&word + got, sizeof(word) - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return got ? -EPROTO : 0;
        if (n < 0)
            return -errno;
        got += (size_t)n;
    }
    if (r < 0)
        return r;
    if (word == 0 || word > RING_SLOT)
        return -EPROTO;
    e->mine = 1;
    *ret = e->slots + (size_t)e->slot * RING_SLOT;
    return (ssize_t)word;
}
