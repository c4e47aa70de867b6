/* Compiled system call filters: what they are made from, where they are kept, how they are read. */
#ifndef COFFERDAM_BACKENDS_SECCOMP_SECCOMP_CACHE_H
#define COFFERDAM_BACKENDS_SECCOMP_SECCOMP_CACHE_H

#include "app/plan/plan.h"

#include <linux/filter.h>
#include <string.h>

/* A filter in memory, ready for seccomp(2). */
struct seccomp_program {
    struct sock_filter *code; /* owned */
    unsigned short count;
};
void seccomp_program_done(struct seccomp_program *p);

/*
 * The file: this head, then `count` instructions in the machine's byte order. It lies in a folder
 * only its owner can write, under the hash of what it was made from; the sum is there to notice a
 * torn or decayed file, not a forged one, so neither needs to be cryptographic.
 */
#define SECCOMP_FILE_MAGIC "CDSECCMP"
struct seccomp_file_head {
    char magic[8];
    uint32_t version, count;
    uint64_t key; /* of what it was made from */
    uint64_t sum; /* of the instructions */
};
enum { SECCOMP_FILE_VERSION = 4, SECCOMP_INSTRUCTIONS_MAX = 4096 /* BPF_MAXINSNS */ };

/* FNV-1a, 64 bits, by words: each start hashes the whole list several times. */
#define SECCOMP_HASH_START 0xcbf29ce484222325ull
static inline uint64_t seccomp_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t n; size; p += n, size -= n) {
        uint64_t word = 0;
        n = size < sizeof(word) ? size : sizeof(word);
        memcpy(&word, p, n);
        hash = (hash ^ word) * 0x100000001b3ull;
        hash ^= hash >> 32; /* a product's high bits never reach its low ones */
    }
    return hash;
}

/* What of a plan makes a difference to its filter. */
struct seccomp_wish {
    uint64_t capabilities;
    uint32_t open;
};
struct seccomp_wish seccomp_wish_of(const struct plan *p);
uint64_t seccomp_key(const struct seccomp_wish *w);

/*
 * A descriptor of the filter for `p`, from the cache, made through the module cofferdam-seccomp if
 * it is not there yet. FD_NONE (and 0) where the plan wants none.
 */
int seccomp_cache_open(const struct plan *p, int *ret_fd, struct error *e);

/* Reads and checks one: ours, nobody else's to write, whole, and made for `p`. */
int seccomp_cache_read(int fd, const struct plan *p, struct seccomp_program *ret, struct error *e);

#endif
