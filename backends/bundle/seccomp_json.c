/* The list of system calls in the words of config-linux.md, "Seccomp". */
#include "backends/bundle/config.h"
#include "backends/seccomp/seccomp_list.h"
#include "base/str.h"

#include <errno.h>
#include <linux/capability.h>

static bool is_given(const struct plan *p, uint32_t open, uint64_t capabilities)
{
    return (p->open & open) || (p->capabilities & capabilities);
}

static json_t *comparison(unsigned index, const char *op, uint64_t value, uint64_t second)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(index));
    json_object_set_new(o, "value", json_integer((json_int_t)value));
    if (second)
        json_object_set_new(o, "valueTwo", json_integer((json_int_t)second));
    json_object_set_new(o, "op", json_string(op));
    return o;
}

static json_t *comparison_of(const struct seccomp_argument *a)
{
    switch (a->compare) {
    case SECCOMP_EQUAL:
        return comparison(a->index, "SCMP_CMP_EQ", a->value, 0);
    case SECCOMP_OTHER:
        return comparison(a->index, "SCMP_CMP_NE", a->value, 0);
    case SECCOMP_MASKED:
        return comparison(a->index, "SCMP_CMP_MASKED_EQ", a->mask, a->value);
    }
    return json_null();
}

/* `names` by blanks; those in `but` are left out. */
static json_t *name_list(const char *names, const char *const *but)
{
    json_t *a = json_array();
    autostrv char **list = strv_split(names, " ");
    for (size_t i = 0; list && list[i]; i++) {
        bool skip = false;
        for (const char *const *b = but; b && *b; b++)
            skip |= str_equal(*b, list[i]);
        if (!skip)
            json_array_append_new(a, json_string(list[i]));
    }
    return a;
}

/* Takes `names` and `args` (NULL: none). */
static void add_action(json_t *calls, json_t *names, const char *action, int number, json_t *args)
{
    if (json_array_size(names) == 0) {
        json_decref(names);
        json_decref(args);
        return;
    }
    json_t *o = json_object();
    json_object_set_new(o, "names", names);
    json_object_set_new(o, "action", json_string(action));
    if (number >= 0)
        json_object_set_new(o, "errnoRet", json_integer(number));
    if (args)
        json_object_set_new(o, "args", args);
    json_array_append_new(calls, o);
}

/* The same. result as seccomp_rule's. */
static void add(json_t *calls, json_t *names, int result, json_t *args)
{
    add_action(calls, names, result == 0 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO",
               result == 0                 ? -1
               : result == SECCOMP_PRETEND ? 0
                                           : result,
               args);
}

/*
 * Everything but a few values of the low half of one argument: there is no such comparison, so what
 * is left is cut into ranges that begin with the same bits. The kernel looks at 32 bits only.
 */
static void add_all_but(json_t *calls, const char *name, unsigned index, const uint32_t *values,
                        size_t count, uint32_t prefix, unsigned bits)
{
    uint64_t mask = bits ? 0xffffffffull << (32 - bits) & 0xffffffffull : 0;
    bool hit = false;
    for (size_t i = 0; i < count; i++)
        hit |= (values[i] & mask) == prefix;
    if (!hit) {
        json_t *args = json_array();
        json_array_append_new(args, comparison(index, "SCMP_CMP_MASKED_EQ", mask, prefix));
        add(calls, name_list(name, NULL), 0, args);
    } else if (bits < 32) {
        add_all_but(calls, name, index, values, count, prefix, bits + 1);
        add_all_but(calls, name, index, values, count, prefix | 1u << (31 - bits), bits + 1);
    }
}

static void add_groups(json_t *calls, const struct plan *p)
{
    static const char *const ioctl[] = {"ioctl", NULL};
    for (size_t i = 0; i < seccomp_groups_count; i++) {
        const struct seccomp_group *g = &seccomp_groups[i];
        if ((!g->open && !g->capabilities) || is_given(p, g->open, g->capabilities))
            add(calls, name_list(g->names, ioctl), 0, NULL);
    }
}

/*
 * gVisor knows EPERM alone, whatever number is asked for, and a libc that gets it for clone3(2)
 * makes no thread. A call that is left to a tracer fails with ENOSYS where there is none, and there
 * can be none unless debuggers are allowed.
 */
static bool is_for_nobody(const struct plan *p, const struct oci_words *w, int result)
{
    return (w->kind == OCI_RUNSC || w->by_hand) && result == ENOSYS &&
           !is_given(p, PLAN_OPEN_PTRACE, 1ull << CAP_SYS_PTRACE);
}

static void add_rules(json_t *calls, const struct plan *p, const struct oci_words *w)
{
    for (size_t i = 0; i < seccomp_rules_count; i++) {
        const struct seccomp_rule *r = &seccomp_rules[i];
        bool conditional = r->open || r->capabilities;
        if (conditional && is_given(p, r->open, r->capabilities) == r->unless)
            continue;
        json_t *args = r->arguments_count ? json_array() : NULL;
        for (unsigned k = 0; k < r->arguments_count; k++)
            json_array_append_new(args, comparison_of(&r->arguments[k]));
        if (is_for_nobody(p, w, r->result))
            add_action(calls, name_list(r->names, NULL), "SCMP_ACT_TRACE", -1, args);
        else
            add(calls, name_list(r->names, NULL), r->result, args);
    }
}

/*
 * The machine's own only: for 32-bit x86 libseccomp lets every socket(2) through, because
 * socketcall(2) keeps its arguments in memory, and these words have no room for what native's
 * filter puts in front.
 */
static json_t *architectures(void)
{
#if defined(__x86_64__)
    return json_pack("[s]", "SCMP_ARCH_X86_64");
#elif defined(__aarch64__)
    return json_pack("[s]", "SCMP_ARCH_AARCH64");
#elif defined(__riscv) && __riscv_xlen == 64
    return json_pack("[s]", "SCMP_ARCH_RISCV64");
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return json_pack("[s]", "SCMP_ARCH_PPC64LE");
#elif defined(__s390x__)
    return json_pack("[s]", "SCMP_ARCH_S390X");
#else
#error "the filter's architecture has to be named here"
#endif
}

json_t *oci_seccomp(const struct plan *p, const struct oci_words *w)
{
    json_t *o = json_object(), *calls = json_array();
    add_groups(calls, p);
    add_rules(calls, p, w);
    add_all_but(calls, "ioctl", 1, seccomp_ioctls_refused, seccomp_ioctls_refused_count, 0, 0);
    for (size_t i = 0; i < seccomp_prctls_count; i++) {
        json_t *args = json_array();
        json_array_append_new(args, comparison(0, "SCMP_CMP_EQ", seccomp_prctls[i], 0));
        add(calls, name_list("prctl", NULL), 0, args);
    }
    json_object_set_new(o, "defaultAction", json_string("SCMP_ACT_ERRNO"));
    json_object_set_new(o, "defaultErrnoRet", json_integer(EPERM));
    json_object_set_new(o, "architectures", architectures());
    json_object_set_new(o, "syscalls", calls);
    return o;
}
