/* Memory: allocation that does not fail, cleanup attributes, an explicit take. */
#ifndef COFFERDAM_BASE_MEM_H
#define COFFERDAM_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * These never return NULL. When memory is gone the process writes one line and leaves with status
 * 125: every process of ours may be killed at any instant anyway, and the next command cleans up.
 * Sizes that come from a stranger are bounded before they reach this.
 */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_grow(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
void *mem_copy(const void *p, size_t size) __attribute__((returns_nonnull));

static inline void mem_cleanup_free(void *p)
{
    free(*(void **)p);
}

/* `autofree char *s` is freed when it goes out of scope. */
#define autofree __attribute__((cleanup(mem_cleanup_free)))

/* Hands a pointer over: yields it and leaves NULL behind. */
#define TAKE(p) \
    ({ \
        __typeof__(p) taken_ = (p); \
        (p) = NULL; \
        taken_; \
    })

#define NEW(type) ((type *)mem_zero(1, sizeof(type)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Makes a cleanup function for `autoptr(NAME)`: DEFINE_CLEANUP(struct plan *, plan_free). */
#define DEFINE_CLEANUP(type, function) \
    static inline void function##_cleanup(type *p) \
    { \
        if (*p) \
            function(*p); \
    } \
    struct mem_swallow_semicolon_

#define autocall(function) __attribute__((cleanup(function##_cleanup)))

#endif
