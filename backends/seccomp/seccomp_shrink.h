/* A filter made smaller: what the kernel has to check, translate and keep for each workload. */
#ifndef COFFERDAM_BACKENDS_SECCOMP_SECCOMP_SHRINK_H
#define COFFERDAM_BACKENDS_SECCOMP_SECCOMP_SHRINK_H

#include "backends/seccomp/seccomp_cache.h"

/*
 * Replaces `p` by a program that decides every call of every architecture alike, which is proven
 * before it is taken: neighbouring numbers with the same answer become one range, ranges a search
 * tree. `arches` are the AUDIT_ARCH_* values the program tells apart. A program with anything in it
 * that this does not know, or that would not shrink, stays as it is: -EOPNOTSUPP, which is no harm.
 */
int seccomp_shrink(struct seccomp_program *p, const uint32_t *arches, size_t count);

#endif
