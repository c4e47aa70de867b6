/* Compiles the list with libseccomp; a prologue of our own says what that cannot say. */
#include "backends/seccomp/seccomp_list.h"
#include "backends/seccomp/seccomp_module.h"
#include "backends/seccomp/seccomp_shrink.h"
#include "base/fd.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the processor can run. x32 is not among them: its calls end the process. */
static const struct build_arch {
    uint32_t token, audit;
} build_arches[] = {
#if defined(__x86_64__)
    {SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64},
    {SCMP_ARCH_X86,    AUDIT_ARCH_I386  },
#elif defined(__aarch64__)
    {SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64},
    {SCMP_ARCH_ARM, AUDIT_ARCH_ARM},
#elif defined(__riscv) && __riscv_xlen == 64
    {SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64},
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    {SCMP_ARCH_PPC64LE, AUDIT_ARCH_PPC64LE},
#elif defined(__s390x__)
    {SCMP_ARCH_S390X, AUDIT_ARCH_S390X},
#else
#error "the filter's architectures have to be named here"
#endif
};

/* Above every number of every architecture; x32's begin at 0x40000000. */
enum { BUILD_NUMBERS_END = 1024, BUILD_X32 = 0x40000000 };
#define BUILD_EVERY_SOCKET (1ull << CAP_NET_ADMIN)

static bool build_is_given(const struct seccomp_wish *w, uint32_t open, uint64_t capabilities)
{
    return (w->open & open) || (w->capabilities & capabilities);
}

/* --- the list, one architecture at a time ---------------------------------------------------- */

struct build {
    const struct seccomp_wish *wish;
    scmp_filter_ctx ctx;
    const struct build_arch *arch;
    struct buf *notes;
    struct error *e;
};

/* Calls `fn` for each name that this architecture has. */
static int build_each(struct build *b, const char *names,
                      int (*fn)(struct build *b, int number, const void *data), const void *data)
{
    autostrv char **list = strv_split(names, " ");
    for (size_t i = 0; list && list[i]; i++) {
        int number = seccomp_syscall_resolve_name_arch(b->arch->token, list[i]);
        if (number == __NR_SCMP_ERROR) {
            buf_printf(b->notes, "unknown to the library: %s\n", list[i]);
            continue;
        }
        if (number < 0 && b->arch->token != SCMP_ARCH_X86)
            continue; /* not on this architecture; 32-bit x86 has some by way of other calls */
        /* rules are given with the native number, whatever architecture they are for */
        int r = fn(b, seccomp_syscall_resolve_name(list[i]), data);
        if (r < 0 && r != -EDOM)
            return error_errno(b->e, -r, "filter rule for %s", list[i]);
    }
    return 0;
}

static int build_allow(struct build *b, int number, const void *data)
{
    return seccomp_rule_add_array(b->ctx, SCMP_ACT_ALLOW, number, 0, NULL);
}

static struct scmp_arg_cmp build_argument(const struct seccomp_argument *a)
{
    struct scmp_arg_cmp c = {.arg = a->index, .datum_a = a->value};
    switch (a->compare) {
    case SECCOMP_EQUAL:
        c.op = SCMP_CMP_EQ;
        break;
    case SECCOMP_OTHER:
        c.op = SCMP_CMP_NE;
        break;
    case SECCOMP_MASKED:
        c.op = SCMP_CMP_MASKED_EQ;
        c.datum_a = a->mask;
        c.datum_b = a->value;
        break;
    }
    return c;
}

static int build_rule(struct build *b, int number, const void *data)
{
    const struct seccomp_rule *rule = data;
    struct scmp_arg_cmp args[ARRAY_SIZE(rule->arguments)];
    for (unsigned i = 0; i < rule->arguments_count; i++)
        args[i] = build_argument(&rule->arguments[i]);
    uint32_t action = rule->result == 0                 ? SCMP_ACT_ALLOW
                      : rule->result == SECCOMP_PRETEND ? SCMP_ACT_ERRNO(0)
                                                        : SCMP_ACT_ERRNO(rule->result);
    return seccomp_rule_add_array(b->ctx, action, number, rule->arguments_count, args);
}

static int build_groups(struct build *b)
{
    for (size_t i = 0; i < seccomp_groups_count; i++) {
        const struct seccomp_group *g = &seccomp_groups[i];
        if ((g->open || g->capabilities) && !build_is_given(b->wish, g->open, g->capabilities))
            continue;
        int r = build_each(b, g->names, build_allow, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int build_rules(struct build *b)
{
    for (size_t i = 0; i < seccomp_rules_count; i++) {
        const struct seccomp_rule *rule = &seccomp_rules[i];
        bool conditional = rule->open || rule->capabilities;
        if (conditional && build_is_given(b->wish, rule->open, rule->capabilities) == rule->unless)
            continue;
        int r = build_each(b, rule->names, build_rule, rule);
        if (r < 0)
            return r;
    }
    return 0;
}

static int build_numbered(struct build *b, const char *name, const unsigned *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct seccomp_rule rule = {
            .names = name,
            .arguments = {{SECCOMP_EQUAL, 0, 0, values[i]}},
            .arguments_count = 1,
        };
        int r = build_each(b, name, build_rule, &rule);
        if (r < 0)
            return r;
    }
    return 0;
}

static int build_arch_filter(struct build *b)
{
    b->ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!b->ctx)
        return error_set(b->e, ENOMEM, "libseccomp");
    int r = seccomp_arch_add(b->ctx, b->arch->token);
    if (r == 0 || r == -EEXIST) {
        uint32_t native = seccomp_arch_native();
        r = native == b->arch->token ? 0 : seccomp_arch_remove(b->ctx, native);
    }
    if (r == 0)
        r = seccomp_attr_set(b->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(b->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r < 0)
        return error_errno(b->e, -r, "libseccomp");
    buf_printf(b->notes, "architecture %08x\n", b->arch->audit);
    r = build_groups(b);
    if (r == 0)
        r = build_rules(b);
    if (r == 0)
        r = build_numbered(b, "prctl", seccomp_prctls, seccomp_prctls_count);
    return r;
}

/* --- the prologue ---------------------------------------------------------------------------- */

struct prologue {
    struct sock_filter code[64];
    unsigned count;
};

static void prologue_add(struct prologue *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->code[p->count++] = (struct sock_filter){code, yes, no, k};
}

static uint32_t prologue_low_half(unsigned argument)
{
    size_t at = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    at += sizeof(uint32_t);
#endif
    return (uint32_t)at;
}

static int build_last_number(uint32_t token)
{
    int last = 0;
    for (int n = 0; n < BUILD_NUMBERS_END; n++) {
        char *name = seccomp_syscall_resolve_num_arch(token, n);
        if (name)
            last = n;
        free(name);
    }
    return last;
}

/* A call whose argument has one of these values in its low half is EPERM; others go on. */
static void prologue_refuse(struct prologue *p, uint32_t number, unsigned argument,
                            const uint32_t *values, size_t count)
{
    prologue_add(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    prologue_add(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, (uint8_t)(count + 2));
    prologue_add(p, BPF_LD | BPF_W | BPF_ABS, prologue_low_half(argument), 0, 0);
    for (size_t i = 0; i < count; i++) /* each to the refusal, the last one past it */
        prologue_add(p, BPF_JMP | BPF_JEQ | BPF_K, values[i], (uint8_t)(count - 1 - i),
                     i + 1 == count);
    prologue_add(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

/*
 * For one architecture: calls newer than the library are ENOSYS; a few ioctl(2) requests are EPERM,
 * by the low 32 bits, which are all the kernel looks at; and so are the calls that make a socket
 * with its family in memory, which the library would let through. Everything else goes on behind.
 */
static void prologue_add_arch(struct prologue *p, const struct build_arch *a,
                              const struct seccomp_wish *w)
{
    unsigned first = p->count;
    prologue_add(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    prologue_add(p, BPF_JMP | BPF_JEQ | BPF_K, a->audit, 0, 0); /* else: to the end, see below */
    prologue_add(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    prologue_add(p, BPF_JMP | BPF_JGE | BPF_K, BUILD_X32, 2, 0);
    prologue_add(p, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)build_last_number(a->token), 0, 1);
    prologue_add(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
    int ioctl = seccomp_syscall_resolve_name_arch(a->token, "ioctl");
    prologue_refuse(p, (uint32_t)ioctl, 1, seccomp_ioctls_refused, seccomp_ioctls_refused_count);
    int socketcall = seccomp_syscall_resolve_name_arch(a->token, "socketcall");
    if (socketcall >= 0 && !build_is_given(w, 0, BUILD_EVERY_SOCKET))
        prologue_refuse(p, (uint32_t)socketcall, 0, seccomp_socketcalls_refused,
                        seccomp_socketcalls_refused_count);
    p->code[first + 1].jf = (uint8_t)(p->count - (first + 2));
}

/* --- putting it together --------------------------------------------------------------------- */

static int build_export(scmp_filter_ctx ctx, struct prologue *p, struct seccomp_program *ret,
                        struct error *e)
{
    autoclose int fd = memfd_create("filter", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    struct stat st;
    if (r == 0 && fstat(fd, &st) < 0)
        r = -errno;
    if (r < 0)
        return error_errno(e, -r, "exporting the filter");
    size_t count = (size_t)st.st_size / sizeof(struct sock_filter);
    if (p->count + count > SECCOMP_INSTRUCTIONS_MAX)
        return error_set(e, E2BIG, "the filter has %zu instructions: too many", p->count + count);
    autofree struct sock_filter *code = mem_zero(p->count + count, sizeof(*code));
    memcpy(code, p->code, p->count * sizeof(*code));
    r = lseek(fd, 0, SEEK_SET) < 0 ? -errno
                                   : fd_read_full(fd, code + p->count, count * sizeof(*code));
    if (r < 0)
        return error_errno(e, -r, "exporting the filter");
    ret->count = (unsigned short)(p->count + count);
    ret->code = TAKE(code);
    return 0;
}

/* One range for each row of equal answers: it is installed in a quarter of the time. */
static void build_shrink(struct seccomp_program *p, struct buf *notes)
{
    uint32_t arches[ARRAY_SIZE(build_arches)];
    for (size_t i = 0; i < ARRAY_SIZE(build_arches); i++)
        arches[i] = build_arches[i].audit;
    unsigned before = p->count;
    seccomp_shrink(p, arches, ARRAY_SIZE(build_arches));
    buf_printf(notes, "instructions %u, of %u\n", p->count, before);
}

static int build_compile(const struct seccomp_wish *w, struct seccomp_program *ret,
                         struct buf *notes, struct error *e)
{
    struct prologue prologue = {.count = 0};
    scmp_filter_ctx all = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(build_arches); i++) {
        struct build b = {.wish = w, .arch = &build_arches[i], .notes = notes, .e = e};
        prologue_add_arch(&prologue, b.arch, w);
        r = build_arch_filter(&b);
        if (r == 0 && all) {
            r = seccomp_merge(all, b.ctx);
            if (r < 0)
                error_errno(e, -r, "joining filters");
            else
                b.ctx = NULL;
        } else if (r == 0) {
            all = b.ctx;
            b.ctx = NULL;
        }
        if (b.ctx)
            seccomp_release(b.ctx);
    }
    struct seccomp_program whole;
    if (r == 0)
        r = build_export(all, &prologue, &whole, e);
    if (all)
        seccomp_release(all);
    if (r < 0)
        return r;
    build_shrink(&whole, notes);
    *ret = whole;
    return 0;
}

static char *build_name(int number)
{
    return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}

#define BUILD_TEXT_(x) #x
#define BUILD_TEXT(x) BUILD_TEXT_(x)

__attribute__((visibility("default"))) const struct seccomp_module seccomp_module = {
    .version = SECCOMP_FILE_VERSION,
    .library =
        BUILD_TEXT(SCMP_VER_MAJOR) "." BUILD_TEXT(SCMP_VER_MINOR) "." BUILD_TEXT(SCMP_VER_MICRO),
    .compile = build_compile,
    .name = build_name,
};
