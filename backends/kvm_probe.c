#include "backends/kvm_probe.h"

#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum {
    PROBE_MS = 1000,
    PROBE_MEMORY = 0x6000,
    PROBE_PML4 = 0x1000, /* then one page each: pointers, directory */
    PROBE_CODE = 0x4000,
    PROBE_PORT = 0x10,
};

/* mov ecx, 2000000; 1: dec ecx; jnz 1b; mov al, 'k'; out PROBE_PORT, al; hlt */
static const unsigned char probe_code[] = {0xb9, 0x80, 0x84, 0x1e, 0x00, 0xff,       0xc9,
                                           0x75, 0xfc, 0xb0, 'k',  0xe6, PROBE_PORT, 0xf4};

/* Two megabytes, mapped one to one: what every kernel since 2003 does first. */
static void probe_tables(char *memory)
{
    const uint64_t pointer = PROBE_PML4 + 0x1000 + 3, folder = PROBE_PML4 + 0x2000 + 3,
                   page = 0x80 + 3;
    memcpy(memory + PROBE_PML4, &pointer, sizeof(pointer));
    memcpy(memory + PROBE_PML4 + 0x1000, &folder, sizeof(folder));
    memcpy(memory + PROBE_PML4 + 0x2000, &page, sizeof(page));
    memcpy(memory + PROBE_CODE, probe_code, sizeof(probe_code));
}

static int probe_registers(int cpu)
{
    struct kvm_sregs s;
    if (ioctl(cpu, KVM_GET_SREGS, &s) < 0)
        return -errno;
    struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = code;
    data.type = 3;
    data.selector = 16;
    data.l = 0;
    s.cs = code;
    s.ds = s.es = s.fs = s.gs = s.ss = data;
    s.cr3 = PROBE_PML4;
    s.cr4 = 1 << 5;                          /* PAE */
    s.cr0 = 1u << 31 | 1 << 5 | 1 << 4 | 1u; /* PG, NE, ET, PE */
    s.efer = 1 << 10 | 1 << 8;               /* LMA, LME */
    if (ioctl(cpu, KVM_SET_SREGS, &s) < 0)
        return -errno;
    struct kvm_regs r = {.rip = PROBE_CODE, .rflags = 2};
    return ioctl(cpu, KVM_SET_REGS, &r) < 0 ? -errno : 0;
}

static int probe_run(int cpu, struct kvm_run *run)
{
    if (ioctl(cpu, KVM_RUN, 0) < 0)
        return -errno;
    if (run->exit_reason != KVM_EXIT_IO || run->io.port != PROBE_PORT ||
        ((char *)run)[run->io.data_offset] != 'k')
        return -EPROTO;
    return 0;
}

static int probe_machine(int kvm)
{
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    char *memory =
        mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (size < (int)sizeof(struct kvm_run) || vm < 0 || memory == MAP_FAILED)
        return errno ? -errno : -EIO;
    probe_tables(memory);
    struct kvm_userspace_memory_region region = {.memory_size = PROBE_MEMORY,
                                                 .userspace_addr = (uintptr_t)memory};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return -errno;
    int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_run *run =
        cpu < 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    if (run == MAP_FAILED)
        return -errno;
    int r = probe_registers(cpu);
    return r < 0 ? r : probe_run(cpu, run);
}

/* 0 or the errno the child left, through a pipe: what it does can hang, or take the child along. */
static int probe_child(int kvm)
{
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return r;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        /* Where KVM runs nothing it may run for ever: nobody would end it if we are ended first. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        int code = -probe_machine(kvm);
        _exit(fd_write_full(pair[1], &code, sizeof(code)) < 0);
    }
    fd_close(pair[1]);
    int code = EIO;
    struct pollfd p = {.fd = pair[0], .events = POLLIN};
    if (pid > 0 && poll(&p, 1, PROBE_MS) <= 0)
        code = ETIME;
    else if (pid > 0)
        fd_read_full(pair[0], &code, sizeof(code));
    fd_close(pair[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return -code;
}

static int probe_try(struct error *e)
{
    autoclose int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        return error_errno(e, errno, "/dev/kvm");
    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return error_set(e, ENOTTY, "/dev/kvm is not KVM");
    int r = probe_child(kvm);
    if (r == -ETIME)
        return error_set(e, ETIME, "/dev/kvm opens, but runs a guest too slowly to be of use");
    return r < 0 ? error_errno(e, -r, "/dev/kvm opens, but runs no guest") : 0;
}

/* Which may take a second, and both who runs machines and who runs gVisor ask. */
int kvm_probe(struct error *e)
{
    static struct error found;
    static bool tried;
    if (!tried)
        probe_try(&found);
    tried = true;
    if (found.code)
        *e = found;
    return -found.code;
}

#else

int kvm_probe(struct error *e)
{
    return error_set(e, ENOTSUP, "KVM is tried on x86_64 only by this version");
}

#endif
