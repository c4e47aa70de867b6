/* The first instructions of cofferdam-init where it stands on init/libc.c. */
#include "init/start.h"

#include <elf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv);
void start_main(const uintptr_t *stack);
void __stack_chk_fail(void);

/* The compiler's canary: in the thread block on x86-64, a variable elsewhere. */
uintptr_t __stack_chk_guard;
static uintptr_t start_thread[16];

#if defined(__x86_64__)
__asm__(".text\n.global _start\n.type _start, @function\n"
        "_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call start_main\n  hlt\n"
        ".global start_restore\n.hidden start_restore\n.type start_restore, @function\n"
        "start_restore:\n  mov $15, %eax\n  syscall\n");
#define START_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
__asm__(
    ".text\n.global _start\n.type _start, %function\n"
    "_start:\n  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  and sp, x0, #-16\n  b start_main\n");
#define START_RELATIVE R_AARCH64_RELATIVE
#endif

extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

/* A position-independent program without an interpreter moves its own pointers. */
static inline __attribute__((always_inline)) void start_relocate(void)
{
    uintptr_t base = (uintptr_t)&__ehdr_start;
    const Elf64_Rela *rela = NULL;
    size_t size = 0;
    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            rela = (const void *)(base + d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
    }
    for (size_t i = 0; rela && i < size / sizeof(*rela); i++)
        if (ELF64_R_TYPE(rela[i].r_info) == START_RELATIVE)
            *(uintptr_t *)(base + rela[i].r_offset) = base + (uintptr_t)rela[i].r_addend;
}

/* `stack` as the kernel leaves it: argc, argv, NULL, env, NULL, the auxiliary vector. */
__attribute__((no_stack_protector, used, noreturn, visibility("hidden"))) void
start_main(const uintptr_t *stack)
{
    start_relocate();
    const uintptr_t *p = stack + 1 + stack[0] + 1;
    while (*p)
        p++;
    uintptr_t canary = 0;
    for (p++; p[0] != AT_NULL; p += 2)
        if (p[0] == AT_RANDOM)
            canary = *(const uintptr_t *)p[1];
    canary &= ~(uintptr_t)0xff; /* a NUL first: strings stop there */
    __stack_chk_guard = canary;
    start_thread[0] = (uintptr_t)start_thread;
    start_thread[5] = canary;
#if defined(__x86_64__)
    start_syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, (long)start_thread, 0, 0, 0, 0);
#endif
    _exit(main((int)stack[0], (char **)(stack + 1)));
}

__attribute__((noreturn, used)) void __stack_chk_fail(void)
{
    __builtin_trap();
}
