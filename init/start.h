/* The machine below init/libc.c: how a process begins, calls the kernel, comes back from a signal.
 */
#ifndef COFFERDAM_INIT_START_H
#define COFFERDAM_INIT_START_H

#include <stdint.h>

/* The kernel's answer as it is: -errno on failure. */
static inline long start_syscall(long n, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "build cofferdam-init with the C library here: see init/meson.build"
#endif
}

/* rt_sigaction(2)'s own structure. */
struct start_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

#if defined(__x86_64__)
void start_restore(void); /* rt_sigreturn(2): the kernel has none of its own here */
#define START_SA_RESTORER 0x04000000ul
#define START_RESTORER start_restore
#else
#define START_SA_RESTORER 0ul
#define START_RESTORER ((void (*)(void))0)
#endif

#endif
