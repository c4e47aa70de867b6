#include "base/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#include <errno.h>
#include <string.h>
#include <unistd.h>

// clang-format off
static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
// clang-format on

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void sha256_plain(struct sha256 *s, const unsigned char *p)
{
    uint32_t w[64], v[8];
    for (size_t i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, s->state, sizeof(v));
    for (size_t i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t t = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                     ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
        uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                     ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof(*v));
        v[4] += t;
        v[0] = t + u;
    }
    for (size_t i = 0; i < 8; i++)
        s->state[i] += v[i];
}

#if defined(__x86_64__)
#define SHA256_TARGET __attribute__((target("sha,sse4.1,ssse3")))

/*
 * The processor's own instructions (Intel SDM, SHA256RNDS2): ten times as fast. Each waits for the
 * one before, so that a second message beside the first costs little more, and a copy of the first
 * (`to`, or NULL) nothing; `n` is a constant.
 */
SHA256_TARGET static inline __attribute__((always_inline)) void
sha256_lanes(struct sha256 *const *s, const unsigned char **p, size_t blocks, const size_t n,
             unsigned char *to)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i t, abef[2], cdgh[2], abef_before[2], cdgh_before[2], w[2][4];
    for (size_t l = 0; l < n; l++) {
        t = _mm_shuffle_epi32(_mm_loadu_si128((const void *)&s[l]->state[0]), 0xb1);
        cdgh[l] = _mm_shuffle_epi32(_mm_loadu_si128((const void *)&s[l]->state[4]), 0x1b);
        abef[l] = _mm_alignr_epi8(t, cdgh[l], 8);
        cdgh[l] = _mm_blend_epi16(cdgh[l], t, 0xf0);
    }
    for (; blocks; blocks--) {
        for (size_t l = 0; l < n; l++) {
            abef_before[l] = abef[l];
            cdgh_before[l] = cdgh[l];
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
#pragma GCC unroll 2
            for (size_t l = 0; l < n; l++) {
                __m128i *now = &w[l][i % 4];
                if (i < 4) {
                    *now = _mm_loadu_si128((const void *)(p[l] + 16 * i));
                    if (to && l == 0) {
                        __asm__("" : "+x"(*now)); /* what is hashed is not read once more */
                        _mm_storeu_si128((void *)(to + 16 * i), *now);
                    }
                    *now = _mm_shuffle_epi8(*now, swap);
                } else {
                    __m128i last = w[l][(i + 3) % 4];
                    __m128i seven = _mm_alignr_epi8(last, w[l][(i + 2) % 4], 4);
                    *now = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[l][(i + 1) % 4]), seven);
                    *now = _mm_sha256msg2_epu32(*now, last);
                }
                t = _mm_add_epi32(*now, _mm_loadu_si128((const void *)&k[4 * i]));
                cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], t);
                t = _mm_shuffle_epi32(t, 0x0e);
                abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], t);
            }
        }
        for (size_t l = 0; l < n; l++) {
            abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
            cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
            p[l] += 64;
        }
        if (to)
            to += 64;
    }
    for (size_t l = 0; l < n; l++) {
        t = _mm_shuffle_epi32(abef[l], 0x1b);
        cdgh[l] = _mm_shuffle_epi32(cdgh[l], 0xb1);
        _mm_storeu_si128((void *)&s[l]->state[0], _mm_blend_epi16(t, cdgh[l], 0xf0));
        _mm_storeu_si128((void *)&s[l]->state[4], _mm_alignr_epi8(cdgh[l], t, 8));
    }
}

SHA256_TARGET static void sha256_fast(struct sha256 *s, const unsigned char *p, size_t blocks)
{
    sha256_lanes(&s, &p, blocks, 1, NULL);
}

SHA256_TARGET static void sha256_fast_copy(struct sha256 *s, const unsigned char *p, size_t blocks,
                                           unsigned char *to)
{
    sha256_lanes(&s, &p, blocks, 1, to);
}

SHA256_TARGET static void sha256_fast_two(struct sha256 *const *s, const unsigned char **p,
                                          size_t blocks, unsigned char *to)
{
    sha256_lanes(s, p, blocks, 2, to);
}

static int sha256_can_fast(void)
{
    static int can = -1;
    if (can < 0) {
        unsigned a, b, c, d, leaf1;
        can = __get_cpuid(1, &a, &b, &leaf1, &d) && (leaf1 & bit_SSSE3) && (leaf1 & bit_SSE4_1) &&
              __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
    }
    return can;
}
#endif

static void sha256_blocks(struct sha256 *s, const unsigned char *p, size_t blocks)
{
#if defined(__x86_64__)
    if (sha256_can_fast()) {
        sha256_fast(s, p, blocks);
        return;
    }
#endif
    for (; blocks; blocks--, p += 64)
        sha256_plain(s, p);
}

void sha256_init(struct sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->state, start, sizeof(start));
    s->bytes = 0;
}

void sha256_add(struct sha256 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t used = s->bytes % 64;
    s->bytes += size;
    if (used) {
        size_t n = 64 - used < size ? 64 - used : size;
        memcpy(s->block + used, p, n);
        p += n;
        size -= n;
        if (used + n < 64)
            return;
        sha256_blocks(s, s->block, 1);
    }
    if (size >= 64)
        sha256_blocks(s, p, size / 64);
    memcpy(s->block, p + size / 64 * 64, size % 64);
}

void sha256_copy(struct sha256 *s, void *to, const void *data, size_t size)
{
    unsigned char *d = to;
    const unsigned char *p = data;
#if defined(__x86_64__)
    size_t blocks = size / 64;
    if (blocks && s->bytes % 64 == 0 && sha256_can_fast()) {
        sha256_fast_copy(s, p, blocks, d);
        s->bytes += 64 * blocks;
        d += 64 * blocks;
        p += 64 * blocks;
        size -= 64 * blocks;
    }
#endif
    if (size)
        memcpy(d, p, size);
    sha256_add(s, d, size);
}

void sha256_copy_two(struct sha256 *a, void *to, const void *data_a, size_t size_a,
                     struct sha256 *b, const void *data_b, size_t size_b)
{
    unsigned char *d = to;
    const unsigned char *p[2] = {data_a, data_b};
#if defined(__x86_64__)
    struct sha256 *const s[2] = {a, b};
    size_t blocks = (size_a < size_b ? size_a : size_b) / 64;
    if (blocks && a->bytes % 64 == 0 && b->bytes % 64 == 0 && sha256_can_fast()) {
        sha256_fast_two(s, p, blocks, d);
        a->bytes += 64 * blocks;
        b->bytes += 64 * blocks;
        d += 64 * blocks;
        size_a -= 64 * blocks;
        size_b -= 64 * blocks;
    }
#endif
    sha256_copy(a, d, p[0], size_a);
    sha256_add(b, p[1], size_b);
}

void sha256_end(struct sha256 *s, unsigned char digest[32])
{
    static const unsigned char pad[64] = {0x80};
    unsigned char length[8];
    uint64_t bits = s->bytes * 8;
    for (size_t i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    size_t used = s->bytes % 64;
    sha256_add(s, pad, used < 56 ? 56 - used : 120 - used);
    sha256_add(s, length, 8);
    for (size_t i = 0; i < 32; i++)
        digest[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(const unsigned char digest[32], char to[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        to[2 * i] = digits[digest[i] >> 4];
        to[2 * i + 1] = digits[digest[i] & 15];
    }
    to[64] = '\0';
}

int sha256_fd(int fd, uint64_t most, char to[65])
{
    struct sha256 s;
    unsigned char buffer[65536], digest[32];
    sha256_init(&s);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        sha256_add(&s, buffer, (size_t)n);
        if (s.bytes > most)
            return -EFBIG;
    }
    sha256_end(&s, digest);
    sha256_hex(digest, to);
    return 0;
}
