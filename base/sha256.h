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
/* To both: as sha256_add() of each, in little more than the time of the longer one. */
void sha256_add_two(struct sha256 *a, const void *data_a, size_t size_a, struct sha256 *b,
                    const void *data_b, size_t size_b);
void sha256_end(struct sha256 *s, unsigned char digest[32]);

/* 64 hexadecimal digits and a NUL. */
void sha256_hex(const unsigned char digest[32], char to[65]);

/* Of the rest of a file, at most `most` bytes. 0, -EFBIG beyond that, or -errno. */
int sha256_fd(int fd, uint64_t most, char to[65]);

#endif
