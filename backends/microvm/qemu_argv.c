#include "backends/microvm/qemu_argv.h"

#include "backends/guest/guest_line.h"
#include "init/agent.h"

#include <inttypes.h>

/* Of translated code: what a boot writes once is thrown away rather than kept. */
enum { QEMU_TB_MIB = 64 };

__attribute__((format(printf, 3, 4))) static void argv_add(char ***argv, const char *option,
                                                           const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strv_add(argv, option);
    strv_take(argv, str_vformat(fmt, ap));
    va_end(ap);
}

static void argv_processors(char ***argv, const struct plan_machine *m)
{
    const char *cpu = m->cpu_model;
    switch (m->accel) {
    case PLAN_ACCEL_KVM:
        strv_add(argv, "-accel");
        strv_add(argv, "kvm");
        break;
    case PLAN_ACCEL_TCG:
        argv_add(argv, "-accel", "tcg,tb-size=%d", QEMU_TB_MIB);
        if (!cpu || str_equal(cpu, "host"))
            cpu = "qemu64,+arat"; /* arat: else every idle guest's timer ticks on for ever */
        break;
    }
    /* without either bit KVM refuses a guest the instructions, too */
    argv_add(argv, "-cpu", "%s%s", cpu ? cpu : "host",
             m->nested == PLAN_NESTED_YES ? "" : ",-vmx,-svm");
    argv_add(argv, "-smp", "%u", m->cpus);
    argv_add(argv, "-m", "%" PRIu64 "M", m->memory >> 20);
}

static void argv_channel(char ***argv, const char *id, int fd)
{
    argv_add(argv, "-chardev", "socket,id=%s,fd=%d", id, fd);
}

/* The bus of its devices: a chipset's, or addresses the kernel is told on its command line. */
static const char *argv_bus(const struct plan *p)
{
    return str_equal(p->machine.type, "microvm") ? "device" : "pci";
}

/* By descriptor: what has another name for it has no way to it. */
static void argv_disk(char ***argv, const struct plan *p, const char *id, int fd)
{
    argv_add(argv, "-add-fd", "fd=%d,set=%d", fd, fd);
    argv_add(argv, "-blockdev",
             "driver=raw,node-name=%s,read-only=on,file.driver=file,file.filename=/dev/fdset/%d,"
             "file.locking=off",
             id, fd);
    argv_add(argv, "-device", "virtio-blk-%s,drive=%s,serial=%s", argv_bus(p), id, id);
}

/*
 * Thrown away with the guest: nothing waits for the host's disk, what the guest gives up the host
 * gets back, and a host's disk that is full is the guest's error, not a machine that stands still.
 */
static void argv_scratch(char ***argv, const struct plan *p, const char *id, int fd)
{
    argv_add(argv, "-add-fd", "fd=%d,set=%d", fd, fd);
    argv_add(argv, "-blockdev",
             "driver=raw,node-name=%s,read-only=off,discard=unmap,cache.no-flush=on,"
             "file.driver=file,file.filename=/dev/fdset/%d,file.locking=off,file.discard=unmap,"
             "file.cache.no-flush=on",
             id, fd);
    argv_add(argv, "-device", "virtio-blk-%s,drive=%s,serial=%s,werror=report,rerror=report",
             argv_bus(p), id, id);
}

/*
 * A disk of somebody's below, as it was told to be and leading nowhere else, and what is written
 * over it, which names no file: all of it comes by descriptor. It is what the firmware boots.
 */
static void argv_own_disk(char ***argv, const struct plan *p)
{
    const char *format = p->machine.disk_format;
    argv_add(argv, "-add-fd", "fd=%d,set=%d", VMM_FD_ROOT, VMM_FD_ROOT);
    argv_add(argv, "-blockdev",
             "{\"driver\":\"%s\",\"node-name\":\"" VMM_DISK_BASE "\",\"read-only\":true,"
             "\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/%d\",\"locking\":\"off\"}%s}",
             format, VMM_FD_ROOT, str_equal(format, "qcow2") ? ",\"backing\":null" : "");
    argv_add(argv, "-add-fd", "fd=%d,set=%d", VMM_FD_SCRATCH, VMM_FD_SCRATCH);
    argv_add(argv, "-blockdev",
             "driver=qcow2,node-name=" VMM_DISK_ROOT ",backing=" VMM_DISK_BASE
             ",read-only=off,discard=unmap,cache.no-flush=on,file.driver=file,"
             "file.filename=/dev/fdset/%d,file.locking=off,file.discard=unmap,"
             "file.cache.no-flush=on",
             VMM_FD_SCRATCH);
    /* as libvirt's machines have it: what is as old as a pc knows no virtio */
    argv_add(argv, "-device",
             "%s,drive=" VMM_DISK_ROOT ",serial=" VMM_DISK_ROOT
             ",bootindex=0,werror=report,rerror=report",
             str_equal(p->machine.type, "pc") ? "ide-hd,bus=ide.0,unit=0" : "virtio-blk-pci");
}

/*
 * For a system nobody of ours is in: true random numbers, and word of it when it is another one
 * now, which a kernel that knows the device stirs its own by.
 */
static void argv_identity(char ***argv, const struct plan *p)
{
    argv_add(argv, "-device", "vmgenid,guid=auto");
    argv_add(argv, "-object", "rng-builtin,id=random");
    argv_add(argv, "-device", "virtio-rng-%s,rng=random", argv_bus(p));
}

/* The agent's port. */
static void argv_agent(char ***argv, const struct plan *p)
{
    argv_channel(argv, "agent", VMM_FD_AGENT);
    argv_add(argv, "-device", "virtio-serial-%s,max_ports=2", argv_bus(p));
    argv_add(argv, "-device", "virtserialport,chardev=agent,name=" AGENT_PORT_NAME);
}

/* Who serves them is asked by descriptor, and sees the guest's memory. */
static void argv_served(char ***argv, const struct plan *p)
{
    for (unsigned n = 0; n < vmm_served(p); n++) {
        argv_add(argv, "-chardev", "socket,id=" VMM_SHARE_TAG "%u,fd=%d", n,
                 vmm_share_fd(p) + (int)n);
        argv_add(argv, "-device",
                 "vhost-user-fs-%s,chardev=" VMM_SHARE_TAG "%u,tag=" VMM_SHARE_TAG "%u",
                 argv_bus(p), n, n);
    }
}

/* QEMU opens everything below with its own rights, which are those of its jail. */
static void argv_shares(char ***argv, const struct plan *p)
{
    if (!p->machine.shares || p->machine.served)
        return;
    for (unsigned n = 0; vmm_share(p, n); n++) {
        argv_add(argv, "-fsdev",
                 "local,id=" VMM_SHARE_TAG "%u,path=" VMM_SHARE
                 "%u,security_model=none,readonly=on,multidevs=remap",
                 n, n);
        argv_add(argv, "-device",
                 "virtio-9p-%s,fsdev=" VMM_SHARE_TAG "%u,mount_tag=" VMM_SHARE_TAG "%u",
                 argv_bus(p), n, n);
    }
}

/*
 * QEMU answers for all there is on that network and makes the connections itself: in a network
 * namespace that has a translator of its own, where nothing else is. The name server's address is
 * the same in both.
 */
static void argv_network(char ***argv, const struct plan *p)
{
    autofree char *mac = vmm_mac(p);
    argv_add(argv, "-netdev",
             "user,id=net,ipv6=off,net=%s,host=" PLAN_GUEST_GATEWAY ",dns=" PLAN_TRANSLATOR_DNS,
             VMM_GUEST_NET);
    argv_add(argv, "-device", "virtio-net-%s,netdev=net,mac=%s%s", argv_bus(p), mac,
             str_equal(p->machine.type, "microvm") ? "" : ",romfile=");
}

/* `machine`: what the machine has beside its type. What follows is the same for all. */
static char **argv_begin(const struct plan *p, const char *machine)
{
    const struct plan_machine *m = &p->machine;
    char **argv = NULL;
    strv_add(&argv, m->program);
    argv_add(&argv, "-name", "cofferdam-%s", p->id);
    strv_add(&argv, "-nodefaults");
    strv_add(&argv, "-no-user-config");
    argv_add(&argv, "-display", "none");
    /* a disk starts anew by itself; but who goes on from a snapshot has no firmware in its memory
     */
    if (!plan_boots_disk(p) || p->snapshot_kind == PLAN_SNAPSHOT_MEMORY)
        strv_add(&argv, "-no-reboot");
    argv_add(&argv, "-sandbox",
             "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    /* of a chipset what nobody in the guest needs is left out */
    bool small = str_equal(m->type, "microvm");
    argv_add(&argv, "-machine", "%s,%s%s", m->type,
             small ? "auto-kernel-cmdline=off" : "usb=off,vmport=off,smm=off", machine);
    argv_processors(&argv, m);
    argv_channel(&argv, "kernel", VMM_FD_KERNEL);
    argv_add(&argv, "-serial", "chardev:kernel");
    argv_channel(&argv, "control", VMM_FD_CONTROL);
    argv_add(&argv, "-mon", "chardev=control,mode=control");
    if (small)
        argv_add(&argv, "-global", "virtio-mmio.force-legacy=false");
    if (plan_boots_disk(p))
        argv_own_disk(&argv, p);
    else
        argv_disk(&argv, p, VMM_DISK_ROOT, VMM_FD_ROOT);
    if (m->scratch)
        argv_scratch(&argv, p, VMM_DISK_SCRATCH, VMM_FD_SCRATCH);
    for (size_t i = 0; i < plan_more_disks(p); i++) {
        autofree char *id = str_format(PLAN_DISK "%zu", i + 1);
        argv_disk(&argv, p, id, VMM_FDS + (int)i);
    }
    argv_shares(&argv, p);
    argv_served(&argv, p);
    if (p->network == PLAN_NETWORK_PRIVATE)
        argv_network(&argv, p);
    if (plan_boots_disk(p))
        argv_identity(&argv, p);
    else
        argv_agent(&argv, p);
    return argv;
}

char **qemu_argv(const struct plan *p)
{
    autofree char *line = guest_kernel_line(p);
    bool shared = vmm_served(p);
    char **argv = argv_begin(p, shared ? ",memory-backend=memory" : "");
    if (plan_boots_disk(p))
        return argv;
    if (shared)
        argv_add(&argv, "-object", "memory-backend-memfd,id=memory,size=%" PRIu64 "M,share=on",
                 p->machine.memory >> 20);
    argv_add(&argv, "-kernel", VMM_KERNEL);
    argv_add(&argv, "-initrd", VMM_INITRAMFS);
    argv_add(&argv, "-append", "%s -- agent=port", line);
    return argv;
}

/*
 * The kernel is in the memory. What comes in is not what another QEMU sends but what it wrote of
 * its devices, which begins without the section that says what it is made of.
 */
char **qemu_argv_resumed(const struct plan *p)
{
    char **argv = argv_begin(p, ",memory-backend=memory,suppress-vmdesc=on");
    argv_add(&argv, "-object",
             "memory-backend-file,id=memory,mem-path=%s,size=%" PRIu64 "M,share=off", VMM_MEMORY,
             p->machine.memory >> 20);
    argv_add(&argv, "-global", "migration.send-configuration=off");
    argv_add(&argv, "-incoming", "defer");
    return argv;
}
