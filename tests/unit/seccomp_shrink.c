/* A filter made smaller answers as before: both are run, call by call. */
#include "tests/unit/unit.h"

#include "backends/seccomp/seccomp_shrink.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
enum { NUMBER = offsetof(struct seccomp_data, nr), ARCH = offsetof(struct seccomp_data, arch) };
enum { ARGUMENT = offsetof(struct seccomp_data, args) };

static uint32_t answer(const struct seccomp_program *p, const struct seccomp_data *d)
{
    uint32_t a = 0;
    for (unsigned pc = 0; pc < p->count; pc++) {
        const struct sock_filter *f = &p->code[pc];
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(f->k % 4 == 0 && f->k < sizeof(*d));
            memcpy(&a, (const char *)d + f->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= f->k ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            fail_msg("instruction %04x", f->code);
        }
    }
    fail_msg("it runs off its end");
    return 0;
}

static void add(struct seccomp_program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    p->code[p->count++] = (struct sock_filter){code, jt, jf, k};
}

/* One number: two in three are allowed, some only with certain arguments. */
static void add_number(struct seccomp_program *p, uint32_t number, uint32_t dice)
{
    bool asks = dice % 7 == 0;
    add(p, BPF_LD | BPF_W | BPF_ABS, NUMBER, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, asks ? 6 : 1);
    if (asks) { /* what is neither goes on to the next number, as in libseccomp's programs */
        add(p, BPF_LD | BPF_W | BPF_ABS, ARGUMENT + 8 * (dice % 3), 0, 0);
        add(p, BPF_ALU | BPF_AND | BPF_K, 0xff, 0, 0);
        add(p, BPF_JMP | BPF_JEQ | BPF_K, dice % 5, 1, 0);
        add(p, BPF_JMP | BPF_JGT | BPF_K, 250, 1, 2);
        add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    }
    add(p, BPF_RET | BPF_K, dice % 3 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (dice & 64), 0, 0);
}

static struct seccomp_program made(uint32_t seed, unsigned numbers)
{
    struct seccomp_program p = {.code = mem_zero(SECCOMP_INSTRUCTIONS_MAX, sizeof(*p.code))};
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
        add(&p, BPF_LD | BPF_W | BPF_ABS, ARCH, 0, 0);
        add(&p, BPF_JMP | BPF_JEQ | BPF_K, arches[i], 1, 0);
        unsigned skip = p.count;
        add(&p, BPF_JMP | BPF_JA, 0, 0, 0);
        for (uint32_t n = 0; n < numbers; n++) {
            seed = seed * 1664525 + 1013904223;
            add_number(&p, 2 * n - n % 2, seed >> 8);
        }
        add(&p, BPF_LD | BPF_W | BPF_ABS, NUMBER, 0, 0);
        add(&p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
        add(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
        add(&p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38, 0, 0);
        p.code[skip].k = p.count - skip - 1;
    }
    add(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    return p;
}

static void compare(const struct seccomp_program *a, const struct seccomp_program *b,
                    uint32_t number)
{
    static const uint32_t seen[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0};
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
        for (uint64_t argument = 0; argument < 512; argument += argument < 6 ? 1 : 49) {
            struct seccomp_data d = {.nr = (int)number, .arch = seen[i]};
            for (size_t j = 0; j < ARRAY_SIZE(d.args); j++)
                d.args[j] = argument + j;
            assert_int_equal(answer(a, &d), answer(b, &d));
        }
    }
}

static void test_same_answers(void **state)
{
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct seccomp_program small = made(seed, 60 * (seed % 4 + 1)),
                               whole = made(seed, 60 * (seed % 4 + 1));
        assert_int_equal(seccomp_shrink(&small, arches, ARRAY_SIZE(arches)), 0);
        assert_true(small.count < whole.count);
        for (uint32_t number = 0; number < 600; number++)
            compare(&whole, &small, number);
        compare(&whole, &small, 0x3fffffff);
        compare(&whole, &small, 0x40000000);
        compare(&whole, &small, UINT32_MAX);
        seccomp_program_done(&small);
        seccomp_program_done(&whole);
    }
}

/* What is not understood, or tells architectures apart that were not named, stays untouched. */
static void test_left_alone(void **state)
{
    struct seccomp_program p = made(3, 20);
    unsigned count = p.count;
    assert_int_equal(seccomp_shrink(&p, arches, 1), -EOPNOTSUPP);
    assert_int_equal(p.count, count);
    p.code[count - 1] = (struct sock_filter){BPF_RET | BPF_A, 0, 0, 0};
    assert_int_equal(seccomp_shrink(&p, arches, ARRAY_SIZE(arches)), -EOPNOTSUPP);
    p.code[count - 1] = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, 7}; /* off the end */
    assert_int_equal(seccomp_shrink(&p, arches, ARRAY_SIZE(arches)), -EOPNOTSUPP);
    assert_int_equal(p.count, count);
    seccomp_program_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_answers),
        cmocka_unit_test(test_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
