/*
 * A filter is a function of architecture, call number and arguments. For a known architecture and
 * number most of the program folds away; what is left is a small graph of tests on arguments, or
 * just an answer. Equal graphs are one graph here, so "the same answer" is the same index, and two
 * programs are the same function if they fold to the same graphs everywhere.
 */
#include "backends/seccomp/seccomp_shrink.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

enum { SHRINK_NODES = 4096, SHRINK_CUTS = 4 * SECCOMP_INSTRUCTIONS_MAX, SHRINK_FAR = 255 };

/* RET k; LD k or AND k, then `yes`; or a jump on what was loaded, to `yes` or `no`. */
struct shrink_node {
    uint16_t code;
    uint32_t k;
    int yes, no;
};

/* Where a number's answer begins to differ from that of the one before. */
struct shrink_range {
    uint32_t first;
    int node;
};

struct shrink {
    const uint32_t *arches; /* borrowed */
    size_t arches_count;
    struct shrink_node nodes[SHRINK_NODES];
    int nodes_count;

    /* the folding that goes on */
    const struct seccomp_program *program; /* borrowed */
    bool other;                            /* an architecture that is none of ours */
    uint32_t arch, number;
    int memo[SECCOMP_INSTRUCTIONS_MAX];
    unsigned memo_of[SECCOMP_INSTRUCTIONS_MAX], fold;

    uint32_t cuts[SHRINK_CUTS];
    size_t cuts_count;
    struct shrink_range ranges[SHRINK_CUTS];
    size_t ranges_count;

    /* the new program, last instruction first */
    struct sock_filter out[2 * SECCOMP_INSTRUCTIONS_MAX];
    int out_count;
    int place[SHRINK_NODES]; /* out_count once the node's first instruction was written; 0: not */
};

enum shrink_known { KNOWN_NOTHING, KNOWN_NUMBER, KNOWN_ARCH, KNOWN_ZERO };

/* --- folding --------------------------------------------------------------------------------- */

static int shrink_node(struct shrink *s, uint16_t code, uint32_t k, int yes, int no)
{
    if (yes < 0 || no < 0)
        return -EOPNOTSUPP;
    for (int i = s->nodes_count - 1; i >= 0; i--) {
        const struct shrink_node *n = &s->nodes[i];
        if (n->code == code && n->k == k && n->yes == yes && n->no == no)
            return i;
    }
    if (s->nodes_count == SHRINK_NODES)
        return -EOPNOTSUPP;
    s->nodes[s->nodes_count] = (struct shrink_node){code, k, yes, no};
    return s->nodes_count++;
}

static bool shrink_is_ours(const struct shrink *s, uint32_t arch)
{
    for (size_t i = 0; i < s->arches_count; i++)
        if (s->arches[i] == arch)
            return true;
    return false;
}

/* Whether a jump on a known value is taken, or -EOPNOTSUPP. */
static int shrink_jumps(const struct shrink *s, const struct sock_filter *f,
                        enum shrink_known known)
{
    if (known == KNOWN_ARCH && s->other)
        return f->code == (BPF_JMP | BPF_JEQ | BPF_K) && shrink_is_ours(s, f->k) ? 0 : -EOPNOTSUPP;
    uint32_t a = known == KNOWN_ARCH ? s->arch : known == KNOWN_NUMBER ? s->number : 0;
    switch (f->code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        return a == f->k;
    case BPF_JMP | BPF_JGT | BPF_K:
        return a > f->k;
    case BPF_JMP | BPF_JGE | BPF_K:
        return a >= f->k;
    default:
        return -EOPNOTSUPP;
    }
}

static int shrink_fold(struct shrink *s, unsigned pc, enum shrink_known known);

/* Both ways of a jump on an argument, each folded once. */
static int shrink_fold_way(struct shrink *s, unsigned pc)
{
    if (pc >= s->program->count)
        return -EOPNOTSUPP;
    if (s->memo_of[pc] != s->fold) {
        int node = shrink_fold(s, pc, KNOWN_NOTHING);
        s->memo_of[pc] = s->fold;
        s->memo[pc] = node;
    }
    return s->memo[pc];
}

/* What is not looked at is not loaded. */
static int shrink_load(struct shrink *s, uint32_t offset, int then)
{
    if (then >= 0 && (s->nodes[then].code == (BPF_RET | BPF_K) ||
                      s->nodes[then].code == (BPF_LD | BPF_W | BPF_ABS)))
        return then;
    return shrink_node(s, BPF_LD | BPF_W | BPF_ABS, offset, then, 0);
}

static int shrink_fold(struct shrink *s, unsigned pc, enum shrink_known known)
{
    for (; pc < s->program->count; pc++) {
        const struct sock_filter *f = &s->program->code[pc];
        switch (f->code) {
        case BPF_RET | BPF_K:
            return shrink_node(s, f->code, f->k, 0, 0);
        case BPF_LD | BPF_W | BPF_ABS:
            known = f->k == offsetof(struct seccomp_data, nr)     ? KNOWN_NUMBER
                    : f->k == offsetof(struct seccomp_data, arch) ? KNOWN_ARCH
                                                                  : KNOWN_NOTHING;
            if (known == KNOWN_NOTHING)
                return shrink_load(s, f->k, shrink_fold(s, pc + 1, KNOWN_NOTHING));
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            if (known != KNOWN_NOTHING)
                return -EOPNOTSUPP;
            if (!f->k) { /* the upper half of an argument of which only the lower matters */
                known = KNOWN_ZERO;
                continue;
            }
            return shrink_node(s, f->code, f->k, shrink_fold(s, pc + 1, KNOWN_NOTHING), 0);
        case BPF_JMP | BPF_JA:
            if (f->k >= s->program->count)
                return -EOPNOTSUPP;
            pc += f->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
            break;
        default:
            return -EOPNOTSUPP;
        }
        if (known == KNOWN_NOTHING) {
            int yes = shrink_fold_way(s, pc + 1 + f->jt), no = shrink_fold_way(s, pc + 1 + f->jf);
            return yes == no ? yes : shrink_node(s, f->code, f->k, yes, no);
        }
        int jumps = shrink_jumps(s, f, known);
        if (jumps < 0)
            return jumps;
        pc += jumps ? f->jt : f->jf;
    }
    return -EOPNOTSUPP;
}

static int shrink_answer(struct shrink *s, const struct seccomp_program *p, uint32_t number)
{
    s->program = p;
    s->number = number;
    s->fold++;
    return shrink_fold(s, 0, KNOWN_NOTHING);
}

/* --- ranges ---------------------------------------------------------------------------------- */

static int shrink_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Between two of these no comparison in the programs can turn out differently. */
static int shrink_cut(struct shrink *s, const struct seccomp_program *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (BPF_CLASS(p->code[i].code) != BPF_JMP || s->cuts_count + 2 > SHRINK_CUTS)
            continue;
        s->cuts[s->cuts_count++] = p->code[i].k;
        s->cuts[s->cuts_count++] = p->code[i].k + 1;
    }
    if (s->cuts_count + 2 > SHRINK_CUTS)
        return -EOPNOTSUPP;
    s->cuts[s->cuts_count++] = 0;
    qsort(s->cuts, s->cuts_count, sizeof(s->cuts[0]), shrink_compare);
    size_t kept = 0;
    for (size_t i = 0; i < s->cuts_count; i++)
        if (i == 0 || s->cuts[i] != s->cuts[kept - 1])
            s->cuts[kept++] = s->cuts[i];
    s->cuts_count = kept;
    return 0;
}

static int shrink_make_ranges(struct shrink *s, const struct seccomp_program *p)
{
    s->ranges_count = 0;
    for (size_t i = 0; i < s->cuts_count; i++) {
        int node = shrink_answer(s, p, s->cuts[i]);
        if (node < 0)
            return node;
        if (s->ranges_count && s->ranges[s->ranges_count - 1].node == node)
            continue;
        s->ranges[s->ranges_count++] = (struct shrink_range){s->cuts[i], node};
    }
    return 0;
}

/* --- writing, backwards: all jumps lead to what is written already ------------------------------
 */

static int shrink_put(struct shrink *s, uint16_t code, uint32_t k, int yes, int no)
{
    if (s->out_count == (int)ARRAY_SIZE(s->out))
        return -EOPNOTSUPP;
    s->out[s->out_count++] = (struct sock_filter){code, (uint8_t)yes, (uint8_t)no, k};
    return s->out_count;
}

/* A jump to `target` that is written now, and its own place. */
static int shrink_put_far(struct shrink *s, int target)
{
    return shrink_put(s, BPF_JMP | BPF_JA, (uint32_t)(s->out_count - target), 0, 0);
}

/* A conditional jump; a way too far for it leads over a jump of its own. */
static int shrink_put_jump(struct shrink *s, uint16_t code, uint32_t k, int yes, int no)
{
    if (yes < 0 || no < 0)
        return -EOPNOTSUPP;
    if (s->out_count + 1 - yes > SHRINK_FAR)
        yes = shrink_put_far(s, yes);
    if (yes >= 0 && s->out_count - no > SHRINK_FAR)
        no = shrink_put_far(s, no);
    if (yes < 0 || no < 0)
        return -EOPNOTSUPP;
    return shrink_put(s, code, k, s->out_count - yes, s->out_count - no);
}

static int shrink_put_node(struct shrink *s, int node)
{
    const struct shrink_node *n = &s->nodes[node];
    int at = s->place[node];
    if (at && (n->code != (BPF_RET | BPF_K) || s->out_count - at <= SHRINK_FAR - 2))
        return at;
    if (n->code == (BPF_RET | BPF_K)) {
        at = shrink_put(s, n->code, n->k, 0, 0);
    } else if (BPF_CLASS(n->code) == BPF_JMP) {
        int no = shrink_put_node(s, n->no), yes = no < 0 ? no : shrink_put_node(s, n->yes);
        at = shrink_put_jump(s, n->code, n->k, yes, no);
    } else {
        at = shrink_put_node(s, n->yes);
        if (at >= 0 && at != s->out_count)
            at = shrink_put_far(s, at);
        if (at >= 0)
            at = shrink_put(s, n->code, n->k, 0, 0);
    }
    return at < 0 ? at : (s->place[node] = at);
}

static int shrink_put_tree(struct shrink *s, size_t first, size_t count)
{
    if (count == 1)
        return shrink_put_node(s, s->ranges[first].node);
    size_t half = count / 2;
    int high = shrink_put_tree(s, first + half, count - half);
    int low = high < 0 ? high : shrink_put_tree(s, first, half);
    return shrink_put_jump(s, BPF_JMP | BPF_JGE | BPF_K, s->ranges[first + half].first, high, low);
}

/* The whole: each architecture's tree, the last one first, in front of it the choice. */
static int shrink_write(struct shrink *s, const struct seccomp_program *p)
{
    s->other = true;
    int r = shrink_make_ranges(s, p);
    if (r < 0 || s->ranges_count != 1)
        return -EOPNOTSUPP;
    s->other = false;
    int next = shrink_put_node(s, s->ranges[0].node);
    for (size_t i = s->arches_count; next >= 0 && i > 0; i--) {
        s->arch = s->arches[i - 1];
        r = shrink_make_ranges(s, p);
        int tree = r < 0 ? r : shrink_put_tree(s, 0, s->ranges_count);
        if (tree >= 0 && tree != s->out_count)
            tree = shrink_put_far(s, tree);
        if (tree >= 0)
            tree = shrink_put(s, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
        next = shrink_put_jump(s, BPF_JMP | BPF_JEQ | BPF_K, s->arch, tree, next);
    }
    if (next < 0)
        return next;
    if (next != s->out_count)
        next = shrink_put_far(s, next);
    return next < 0
               ? next
               : shrink_put(s, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
}

/* Whether both fold to the same everywhere. */
static bool shrink_agree(struct shrink *s, const struct seccomp_program *a,
                         const struct seccomp_program *b)
{
    if (shrink_cut(s, b) < 0)
        return false;
    for (size_t i = 0; i <= s->arches_count; i++) {
        s->other = i == s->arches_count;
        s->arch = s->other ? 0 : s->arches[i];
        for (size_t j = 0; j < s->cuts_count; j++) {
            int one = shrink_answer(s, a, s->cuts[j]);
            if (one < 0 || one != shrink_answer(s, b, s->cuts[j]))
                return false;
        }
    }
    return true;
}

int seccomp_shrink(struct seccomp_program *p, const uint32_t *arches, size_t count)
{
    autofree struct shrink *s = NEW(struct shrink);
    s->arches = arches;
    s->arches_count = count;
    int r = shrink_cut(s, p);
    if (r == 0)
        r = shrink_write(s, p);
    if (r < 0 || s->out_count >= p->count)
        return -EOPNOTSUPP;
    struct seccomp_program small = {
        .code = mem_zero((size_t)s->out_count, sizeof(*small.code)),
        .count = (unsigned short)s->out_count,
    };
    for (int i = 0; i < s->out_count; i++)
        small.code[i] = s->out[s->out_count - 1 - i];
    if (!shrink_agree(s, p, &small)) {
        free(small.code);
        return -EOPNOTSUPP;
    }
    free(p->code);
    *p = small;
    return 0;
}
