/* SHA-256 (FIPS 180-4): names files for people and checks nothing that a library of ours would
 * check. */
#ifndef COFFERDAM_BASE_SHA256_H
#define COFFERDAM_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t size);
/*
 * Copies `size` bytes to `to` and hashes what it puts there, whoever may change `data` meanwhile,
 * in little more time than the hash takes.
 */
void sha256_copy(struct sha256 *s, void *to, const void *data, size_t size);
/* The same of `a`, and sha256_add() of `b` beside it, in less time than one after the other. */
void sha256_copy_two(struct sha256 *a, void *to, const void *data_a, size_t size_a,
                     struct sha256 *b, const void *data_b, size_t size_b);
void sha256_end(struct sha256 *s, unsigned char digest[32]);

/* 64 hexadecimal digits and a NUL. */
void sha256_hex(const unsigned char digest[32], char to[65]);

/* Of the rest of a file, at most `most` bytes. 0, -EFBIG beyond that, or -errno. */
int sha256_fd(int fd, uint64_t most, char to[65]);

#endif
